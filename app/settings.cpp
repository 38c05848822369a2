#include "app/settings.hpp"

#include "app/mini_programs_file.hpp"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <fstream>
#include <initializer_list>
#include <set>
#include <system_error>
#include <utility>

#include "app/options.hpp"

namespace onetap::app {
namespace {

using Lines = std::vector<std::string>;

/// What the command line said, still text, by flag ("--listen").
struct Flags {
  bool sandbox = false;
  std::map<std::string, std::string, std::less<>> values;
};

/// A setting's text, and its name as a problem tells it: "ONETAP_LISTEN (--listen)".
struct Given {
  std::string name;
  std::string text;
};

// Every flag, so that CLI11 knows which of them take a value.
std::set<std::string> known_flags() {
  std::set<std::string> flags;
  for (Option const& option : options()) {
    flags.insert(option.flag());
    if (option.secret) flags.insert(option.file_flag());
  }
  return flags;
}

// A stranger among the arguments may be a secret gone astray: only what looks like a flag is repeated.
void report_unknown_arguments(Lines const& arguments, Lines& problems) {
  bool after_flag = false;
  for (std::string const& argument : arguments) {
    bool const is_flag = argument.starts_with('-');
    if (is_flag) {
      problems.push_back(argument.substr(0, argument.find('=')) +
                         ": no such option; see onetap serve --help");
    } else if (!after_flag) {
      problems.emplace_back("serve: takes options only, no other arguments; see onetap serve --help");
    }
    after_flag = is_flag;
  }
}

// None: the line could not be taken apart, and `problems` says why.
std::optional<Flags> parse_flags(std::span<std::string const> arguments, Lines& problems) {
  Flags flags;
  std::map<std::string, std::string> values;
  CLI::App parser;
  parser.set_help_flag();
  parser.allow_extras();
  parser.add_flag("--sandbox", flags.sandbox);
  for (std::string const& flag : known_flags()) {
    parser.add_option(flag, values[flag])->take_last()->type_name("value");
  }
  std::vector<std::string> from_the_back(arguments.rbegin(), arguments.rend());
  try {
    parser.parse(from_the_back);
  } catch (CLI::ParseError const& error) {
    problems.push_back(std::string(error.what()) + "; see onetap serve --help");
    return std::nullopt;
  }
  report_unknown_arguments(parser.remaining(), problems);
  for (auto& [flag, text] : values) {
    if (parser.count(flag) > 0) flags.values.emplace(flag, std::move(text));
  }
  return flags;
}

/// Reads the table's options one by one, then judges what stands between them.
class Parsing {
 public:
  Parsing(Flags const& flags, Environment const& environment, FileReader const& read_file, Lines& problems)
      : flags_(flags), environment_(environment), read_file_(read_file), problems_(problems) {}

  Settings read_all() {
    Settings settings;
    settings.sandbox = flags_.sandbox;
    settings.any_appid = flags_.sandbox && !is_given("APPID");
    for (Option const& option : options()) read(option, settings);
    settings.admin_tls = !settings.admin_listen.is_loopback();

    read_mini_programs_of(settings);
    check_sandbox();
    check_files(settings);
    check_certificate(settings);
    check_public_listener(settings);
    check_admin_listener(settings);
    settle_alert(settings);
    return settings;
  }

 private:
  void read(Option const& option, Settings& settings) {
    std::size_t const problems_before = problems_.size();
    std::optional<Given> given = option.secret ? given_secretly(option) : given_plainly(option);
    if (!given) given = default_of(option);
    if (problems_.size() == problems_before && given) {
      Problem const problem = option.apply(given->text, settings);
      if (problem) problems_.push_back(given->name + ": " + *problem);
    }
    if (problems_.size() > problems_before) unusable_.insert(option.variable);
  }

  [[nodiscard]] std::optional<std::string> text_of(std::string_view variable) const {
    auto const found = environment_.find(variable);
    if (found == environment_.end() || found->second.empty()) return std::nullopt;
    return found->second;
  }

  [[nodiscard]] bool is_given(std::string_view variable) const {
    return flags_.values.contains(flag_of(variable)) || text_of(variable).has_value();
  }

  [[nodiscard]] std::optional<Given> default_of(Option const& option) const {
    bool const has_own = flags_.sandbox && !option.sandbox_default_text.empty();
    std::string_view const text = has_own ? option.sandbox_default_text : option.default_text;
    if (text.empty()) return std::nullopt;
    return Given{.name = std::string(option.variable), .text = std::string(text)};
  }

  [[nodiscard]] std::optional<Given> given_plainly(Option const& option) const {
    auto const flag = flags_.values.find(option.flag());
    if (flag != flags_.values.end()) {
      return Given{.name = std::string(option.variable) + " (" + option.flag() + ")", .text = flag->second};
    }
    std::optional<std::string> text = text_of(option.variable);
    if (!text) return std::nullopt;
    return Given{.name = std::string(option.variable), .text = std::move(*text)};
  }

  std::optional<Given> given_secretly(Option const& option) {
    std::string const name(option.variable);
    if (flags_.values.contains(option.flag())) {
      problems_.push_back(name + " (" + option.flag() + "): flags show in ps; set " + name + ", or give " +
                          option.file_flag() + " FILE");
      return std::nullopt;
    }
    auto const file_flag = flags_.values.find(option.file_flag());
    if (file_flag != flags_.values.end()) {
      return given_by_file(option.file_variable() + " (" + option.file_flag() + ")", file_flag->second);
    }
    std::optional<std::string> text = text_of(name);
    std::optional<std::string> const path = text_of(option.file_variable());
    if (text && path) {
      problems_.push_back(name + ": is set, and " + option.file_variable() + " too; keep one of them");
      return std::nullopt;
    }
    if (path) return given_by_file(option.file_variable(), *path);
    if (text) return Given{.name = name, .text = std::move(*text)};
    return std::nullopt;
  }

  std::optional<Given> given_by_file(std::string name, std::string const& path) {
    core::Result<std::string, std::string> read = read_file_(path);
    if (!read) {
      problems_.push_back(name + ": cannot read " + path + ": " + read.error() + "; name a readable file");
      return std::nullopt;
    }
    std::string text = std::move(*read);
    if (text.ends_with('\n')) text.pop_back();
    return Given{.name = std::move(name), .text = std::move(text)};
  }

  // A setting that could not be read has its problem already; rules about it would only guess.
  [[nodiscard]] bool are_usable(std::initializer_list<std::string_view> variables) const {
    return std::ranges::none_of(variables, [&](std::string_view name) { return unusable_.contains(name); });
  }

  void read_mini_programs_of(Settings& settings) {
    MiniProgramSettings const usual{.appid = settings.appid,
                                    .secret = settings.secret,
                                    .price_quick_micro_yuan = settings.price_quick_micro_yuan,
                                    .price_realtime_micro_yuan = settings.price_realtime_micro_yuan,
                                    .token_file_path = settings.token_file_path,
                                    .spu_ids = settings.spu_ids,
                                    .push = settings.push};
    check_push(settings);
    if (settings.apps_path.empty()) {
      check_mini_program(settings);
      settings.mini_programs = {usual};
      return;
    }
    for (std::string_view const variable : {"APPID", "SECRET", "SECRET_FILE"}) {
      if (is_given(variable))
        problems_.push_back(std::string(variable) + ": ONETAP_APPS names the mini programs; leave it unset");
    }
    auto const text = read_file_(settings.apps_path);
    if (!text) {
      problems_.push_back("ONETAP_APPS: cannot read " + settings.apps_path + ": " + text.error());
      return;
    }
    auto read = read_mini_programs(*text, usual, read_file_);
    if (!read) return void(std::ranges::move(read.error(), std::back_inserter(problems_)));
    settings.mini_programs = std::move(*read);
    settings.any_appid = false;
    check_several(settings);
  }

  void check_several(Settings const& settings) {
    if (settings.mini_programs.size() < 2) return;
    if (settings.verify == core::VerifyLevel::none) {
      problems_.emplace_back(
          "ONETAP_VERIFY: none does not tell mini programs apart; set it to origin, or serve one");
    }
    if (!settings.token_file_path.empty()) {
      problems_.emplace_back(
          "ONETAP_TOKEN_MODE: one file is one mini program's; give each its own tokenFile in ONETAP_APPS");
    }
  }

  void check_mini_program(Settings const& settings) {
    if (settings.appid.empty() && are_usable({"APPID"})) {
      problems_.emplace_back("APPID: is missing; set it to the mini program's appid, or try --sandbox");
    }
    if (settings.secret.empty() && are_usable({"SECRET"})) {
      problems_.emplace_back("SECRET: is missing; set it (or SECRET_FILE) to the mini program's AppSecret");
    }
  }

  void check_push(Settings const& settings) {
    bool const is_alone = !settings.push.aes_key.empty() && settings.push.token.empty();
    if (is_alone && are_usable({"ONETAP_PUSH_TOKEN"}))
      problems_.emplace_back(
          "ONETAP_PUSH_AES_KEY: is of no use without ONETAP_PUSH_TOKEN; set both as in WeChat's console");
  }

  void check_sandbox() {
    if (!flags_.sandbox) return;
    for (std::string_view const variable :
         {"ONETAP_WECHAT_URL", "ONETAP_WECHAT_FALLBACK_URLS", "ONETAP_WECHAT_PROXY",
          "ONETAP_WECHAT_PROXY_FILE", "ONETAP_WECHAT_CA"}) {
      if (!is_given(variable)) continue;
      problems_.push_back(std::string(variable) +
                          ": --sandbox brings its own WeChat; leave one of the two out");
    }
  }

  void check_files(Settings const& settings) {
    std::array<std::pair<std::string_view, std::string_view>, 3> const files{
        {{"ONETAP_TLS_CERT", settings.tls_certificate_path},
         {"ONETAP_TLS_KEY", settings.tls_key_path},
         {"ONETAP_WECHAT_CA", settings.wechat_ca_path}}};
    for (auto const& [name, path] : files) {
      if (path.empty()) continue;
      core::Result<std::string, std::string> const read = read_file_(std::string(path));
      if (read) continue;
      problems_.push_back(std::string(name) + ": cannot read " + std::string(path) + ": " + read.error() +
                          "; name a PEM file");
    }
  }

  void check_certificate(Settings const& settings) {
    if (!are_usable({"ONETAP_TLS", "ONETAP_TLS_CERT", "ONETAP_TLS_KEY"})) return;
    bool const is_needed = settings.tls && !settings.sandbox;
    bool const has_certificate = !settings.tls_certificate_path.empty();
    bool const has_key = !settings.tls_key_path.empty();
    if (!has_certificate && (is_needed || has_key)) {
      problems_.emplace_back("ONETAP_TLS_CERT: is missing; name the PEM file of the certificate chain");
    }
    if (!has_key && (is_needed || has_certificate)) {
      problems_.emplace_back(
          "ONETAP_TLS_KEY: is missing; name the PEM file of the certificate's private key");
    }
  }

  void check_public_listener(Settings const& settings) {
    if (settings.proxy_protocol && settings.trusted_proxies.empty() &&
        are_usable({"ONETAP_PROXY_PROTOCOL", "ONETAP_TRUSTED_PROXIES"})) {
      problems_.emplace_back(
          "ONETAP_PROXY_PROTOCOL: v2 is taken from trusted proxies only; name them in "
          "ONETAP_TRUSTED_PROXIES, or set it to off");
    }
    if (!are_usable({"ONETAP_LISTEN"}) || settings.listen.is_loopback()) return;
    bool const is_behind_proxy = !settings.trusted_proxies.empty();
    if (!settings.tls && !is_behind_proxy && are_usable({"ONETAP_TLS", "ONETAP_TRUSTED_PROXIES"})) {
      problems_.emplace_back(
          "ONETAP_TLS: off is for loopback, or behind proxies of yours; set it to on, ONETAP_LISTEN to "
          "127.0.0.1:8443, or ONETAP_TRUSTED_PROXIES to where they are");
    }
    if (settings.verify == core::VerifyLevel::none && !settings.sandbox) {
      problems_.emplace_back(
          "ONETAP_VERIFY: none lets anyone in, so off loopback it needs --sandbox; set it to origin, or "
          "ONETAP_LISTEN to 127.0.0.1:8443");
    }
  }

  void check_admin_listener(Settings const& settings) {
    if (!are_usable({"ONETAP_ADMIN_LISTEN"})) return;
    if (settings.admin_tls && !settings.tls && are_usable({"ONETAP_TLS"})) {
      problems_.emplace_back(
          "ONETAP_ADMIN_LISTEN: off loopback it needs TLS, and ONETAP_TLS is off; set it to 127.0.0.1:8444");
    }
    if (settings.admin_tls && !settings.admin_token && are_usable({"ONETAP_ADMIN_TOKEN"})) {
      problems_.emplace_back(
          "ONETAP_ADMIN_TOKEN: is missing, and ONETAP_ADMIN_LISTEN is off loopback; set it, or "
          "ONETAP_ADMIN_LISTEN to 127.0.0.1:8444");
    }
    if (settings.listen == settings.admin_listen && settings.listen.port != 0) {
      problems_.emplace_back("ONETAP_ADMIN_LISTEN: is the same as ONETAP_LISTEN; choose another port");
    }
  }

  void settle_alert(Settings& settings) {
    if (!are_usable({"ONETAP_ALERT_URL", "ONETAP_ALERT_SECRET"})) return;
    bool const has_secret = !settings.alert_secret.empty();
    if (has_secret && (!settings.alert || settings.alert_format == net::AlertFormat::wecom)) {
      problems_.emplace_back(
          "ONETAP_ALERT_SECRET: signs what is posted to ONETAP_ALERT_URL in the format json; leave it unset");
    }
    if (!settings.alert) return;
    settings.alert->secret = settings.alert_secret;
    settings.alert->format = settings.alert_format;
  }

  Flags const& flags_;
  Environment const& environment_;
  FileReader const& read_file_;
  Lines& problems_;
  std::set<std::string_view> unusable_;
};

void warn_of_strangers(Environment const& environment, Lines& warnings) {
  std::set<std::string, std::less<>> known;
  for (Option const& option : options()) {
    known.emplace(option.variable);
    if (option.secret) known.insert(option.file_variable());
  }
  for (auto const& [variable, text] : environment) {
    if (!variable.starts_with("ONETAP_") || known.contains(variable)) continue;
    warnings.push_back(variable + ": no such setting, it has no effect; see onetap serve --help");
  }
}

void warn_of_oddities(Settings const& settings, Lines& warnings) {
  constexpr std::size_t appid_size = 18;
  for (MiniProgramSettings const& each : settings.mini_programs) {
    if (settings.sandbox || (each.appid.size() == appid_size && each.appid.starts_with("wx"))) continue;
    std::string const name = settings.apps_path.empty() ? "APPID:" : "ONETAP_APPS: " + each.appid;
    warnings.push_back(name + " does not look like wx and 16 letters or digits; WeChat may refuse it");
  }
  constexpr std::chrono::milliseconds sensible_wechat_timeout_max{3500};
  if (settings.wechat_timeout > sensible_wechat_timeout_max) {
    warnings.emplace_back(
        "ONETAP_WECHAT_TIMEOUT_MS: above 3500 an answer may come after WeChat has dropped the page's "
        "request");
  }
  for (MiniProgramSettings const& each : settings.mini_programs) {
    if (each.push.token.empty() || !each.push.aes_key.empty()) continue;
    warnings.push_back("ONETAP_PUSH_TOKEN: " + each.appid +
                       " has no ONETAP_PUSH_AES_KEY, so whoever sees one push can forge others");
  }
  bool const is_unsigned =
      settings.alert && settings.alert_format == net::AlertFormat::json && settings.alert_secret.empty();
  if (is_unsigned) {
    warnings.emplace_back(
        "ONETAP_ALERT_SECRET: is missing, so the receiver of alarms cannot tell who sends them");
  }
  if (settings.verify == core::VerifyLevel::none) {
    warnings.emplace_back(
        "ONETAP_VERIFY: none lets anyone spend this mini program's units; for development only");
  }
}

bool is_pipe(std::string const& path) {
  struct ::stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
}

}  // namespace

bool ListenAddress::is_loopback() const {
  boost::system::error_code error;
  return boost::asio::ip::make_address(address, error).is_loopback();
}

core::Result<ParsedSettings, std::vector<std::string>> parse_settings(std::span<std::string const> arguments,
                                                                      Environment const& environment,
                                                                      FileReader const& read_file) {
  Lines problems;
  std::optional<Flags> const flags = parse_flags(arguments, problems);
  if (!flags) return problems;
  ParsedSettings parsed{.settings = Parsing(*flags, environment, read_file, problems).read_all(),
                        .warnings = {}};
  if (!problems.empty()) return problems;
  warn_of_strangers(environment, parsed.warnings);
  warn_of_oddities(parsed.settings, parsed.warnings);
  return parsed;
}

bool asks_for_help(std::span<std::string const> arguments) {
  return std::ranges::any_of(
      arguments, [](std::string const& argument) { return argument == "--help" || argument == "-h"; });
}

Environment environment_from(char const* const* entries) {
  Environment environment;
  for (; *entries != nullptr; ++entries) {
    std::string_view const entry = *entries;
    std::size_t const equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

core::Result<std::string, std::string> read_text_file(std::string const& path) {
  constexpr std::size_t bytes_max = 1 << 20;
  if (is_pipe(path)) return {boost::system::in_place_error, "it is a pipe, which may never end"};
  std::string text(bytes_max + 1, '\0');
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  int const error = errno;
  auto const bytes = static_cast<std::size_t>(file.gcount());
  if (!file.is_open() || file.bad()) {
    return {boost::system::in_place_error, std::generic_category().message(error)};
  }
  if (bytes > bytes_max) return {boost::system::in_place_error, "it has more than 1 MiB"};
  text.resize(bytes);
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace onetap::app
