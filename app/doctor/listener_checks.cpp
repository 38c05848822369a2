#include "app/doctor/listener_checks.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "app/data_key.hpp"
#include "app/options.hpp"
#include "app/tls_files.hpp"
#include "net/tls_context.hpp"
#include "storage/lock_file.hpp"

namespace onetap::app {
namespace {

constexpr auto days_low = std::chrono::days(14);
constexpr char certificate_check[] = "certificate";
constexpr char modes_check[] = "file-modes";

std::string joined(std::vector<std::string> const& names) {
  constexpr std::size_t shown_max = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), shown_max); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > shown_max ? text + ", …" : text;
}

// Phones bring no certificates of their own to complete a chain with.
Finding judge_chain(std::string const& certificate_pem) {
  constexpr std::string_view check = "certificate-chain";
  auto const fault = net::chain_fault(certificate_pem, {});
  if (!fault) return found_well(check, "it leads to an authority that this machine trusts");
  return found_odd(
      check, "this machine would not trust it: " + *fault,
      "name the file with the whole chain in ONETAP_TLS_CERT (fullchain.pem): phones refuse others");
}

// "--secret-file PATH" and "--secret-file=PATH".
void append_flag_values(std::string const& flag, std::span<std::string const> arguments,
                        std::vector<std::string>& values) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string const& argument = arguments[i];
    if (argument == flag && i + 1 < arguments.size()) values.push_back(arguments[i + 1]);
    if (argument.starts_with(flag + "=")) values.push_back(argument.substr(flag.size() + 1));
  }
}

}  // namespace

std::string quoted_for_shell(std::string_view path) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+,@%:=";
  std::string named = (path.starts_with('-') ? "./" : "") + std::string(path);
  if (!named.empty() && named.find_first_not_of(plain) == std::string::npos) return named;
  std::string quoted = "'";
  for (char const letter : named) quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return quoted + "'";
}

Finding judge_push(core::PushSecrets const& push, std::string const& path) {
  constexpr std::string_view check = "push";
  if (push.token.empty())
    return left_out(check,
                    "WeChat's push is not set up: that quota runs out is heard of by asking only "
                    "(ONETAP_PUSH_TOKEN)");
  std::string const where = "WeChat's push is taken at " + path + " (in the console: 开发管理 → 消息推送)";
  if (push.aes_key.empty())
    return found_odd(check, where + ", unencrypted",
                     "choose 安全模式 there, and set ONETAP_PUSH_AES_KEY to its EncodingAESKey");
  return found_well(check, where + ", encrypted");
}

Findings examine_push(Settings const& settings) {
  bool const is_alone = settings.mini_programs.size() == 1;
  Findings findings;
  for (MiniProgramSettings const& app : settings.mini_programs) {
    std::string const path = settings.public_path + "/wechat/push" + (is_alone ? "" : "/" + app.appid);
    findings.push_back(judge_push(app.push, path));
    findings.back().app = app.appid;
  }
  return findings;
}

Finding judge_certificate(net::CertificateFacts const& certificate, core::WallTime now) {
  std::string const names = certificate.names.empty() ? "no name" : joined(certificate.names);
  auto const days = std::chrono::floor<std::chrono::days>(certificate.until - now);
  if (certificate.from > now)
    return found_wrong(certificate_check, "for " + names + ": not valid yet",
                       "compare this machine's clock, or use another certificate until then");
  if (certificate.until <= now)
    return found_wrong(certificate_check, "for " + names + ": expired",
                       "renew it, then send SIGHUP to the server");
  std::string const what = "for " + names + ", good for another " + std::to_string(days.count()) + " days";
  if (certificate.names.empty())
    return found_odd(certificate_check, what, "use one that names the host which the page calls");
  if (days < days_low) return found_odd(certificate_check, what, "renew it, then send SIGHUP to the server");
  return found_well(certificate_check, what + ", and the key is its own");
}

Findings examine_listener(Settings const& settings, core::WallTime now) {
  if (!settings.tls) return {left_out(certificate_check, "ONETAP_TLS=off: whoever stands in front has it")};
  if (settings.tls_certificate_path.empty())
    return {left_out(certificate_check, "the sandbox makes one at each start")};
  auto const pair = read_listener_files(settings);
  if (!pair)
    return {found_wrong(certificate_check, pair.error(), "name a file that the server's user may read")};
  auto const usable = net::TlsContext::server(pair->certificate_pem, pair->key_pem);
  if (!usable)
    return {found_wrong(
        certificate_check,
        usable.error() + " (" + settings.tls_certificate_path + ", " + settings.tls_key_path + ")",
        "name the whole chain, the server's own first, and the key it was made with")};
  auto const facts = net::read_certificate_facts(pair->certificate_pem);
  if (!facts) return {found_wrong(certificate_check, facts.error(), "name a PEM file")};
  return {judge_certificate(*facts, now), judge_chain(pair->certificate_pem)};
}

std::vector<std::string> secret_files(Settings const& settings, Environment const& environment,
                                      std::span<std::string const> arguments) {
  std::vector<std::string> files;
  for (Option const& option : options()) {
    if (!option.secret) continue;
    auto const named = environment.find(option.file_variable());
    if (named != environment.end() && !named->second.empty()) files.push_back(named->second);
    append_flag_values(option.file_flag(), arguments, files);
  }
  for (MiniProgramSettings const& app : settings.mini_programs) {
    for (std::string const& path :
         {app.secret_file_path, app.token_file_path, app.push_token_file_path, app.push_aes_key_file_path})
      if (!path.empty()) files.push_back(path);
  }
  if (!settings.tls_key_path.empty()) files.push_back(settings.tls_key_path);
  std::string const database = storage::canonical_database(settings.database_path).string();
  for (std::string const& path :
       {database, data_key_path(database).string(), new_data_key_path(database).string()})
    files.push_back(path);
  return files;
}

Findings examine_file_modes(std::span<std::string const> files) {
  Findings findings;
  std::size_t seen = 0;
  for (std::string const& path : files) {
    struct ::stat status{};
    // Whether it must be there, and be a file, others judge.
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    ++seen;
    bool const is_read = (status.st_mode & S_IROTH) != 0;
    bool const is_written = (status.st_mode & S_IWOTH) != 0;
    if (!is_read && !is_written) continue;
    std::string const may = is_read && is_written ? "read and write " : is_read ? "read " : "write ";
    findings.push_back(found_odd(modes_check, "everybody on this machine may " + may + path,
                                 "chmod o-rwx " + quoted_for_shell(path)));
  }
  if (findings.empty())
    findings.push_back(
        found_well(modes_check, std::to_string(seen) + " files with keys and secrets, none open to all"));
  return findings;
}

}  // namespace onetap::app
