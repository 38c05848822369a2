#include "app/commands/ledger_access.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

#include "app/data_key.hpp"
#include "app/options.hpp"
#include "app/prices.hpp"
#include "core/crypto/digest.hpp"
#include "core/json.hpp"
#include "net/wechat/https_client.hpp"
#include "storage/ledger_file.hpp"

namespace onetap::app {
namespace {

namespace admin = core::admin;
namespace asio = boost::asio;
namespace json = boost::json;
using Acted = core::Result<admin::Done, std::string>;

Acted failed(std::string sentence) { return {boost::system::in_place_error, std::move(sentence)}; }

/// What a setting says in this environment, a secret's file included.
core::Result<std::string, std::string> text_of(Option const& option, Environment const& environment) {
  auto const lookup = [&](std::string_view name) {
    auto const found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  using Text = core::Result<std::string, std::string>;
  std::string text = lookup(option.variable);
  if (text.empty() && option.secret) {
    std::string const path = lookup(option.file_variable());
    if (!path.empty()) {
      auto read = read_text_file(path);
      if (!read)
        return Text(boost::system::in_place_error,
                    option.file_variable() + ": cannot read " + path + ": " + read.error());
      text = std::move(*read);
      if (text.ends_with('\n')) text.pop_back();
    }
  }
  return Text(boost::system::in_place_value,
              text.empty() ? std::string(option.default_text) : std::move(text));
}

std::string hex(std::optional<core::Digest> const& digest) {
  return digest ? core::crypto::to_hex(*digest) : std::string();
}

std::optional<net::tcp::endpoint> endpoint_of(std::string_view address) {
  auto const colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::string_view const digits = address.substr(colon + 1);
  unsigned short port = 0;
  auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  boost::system::error_code error;
  auto const ip = asio::ip::make_address(std::string(host), error);
  if (error || read.ec != std::errc()) return std::nullopt;
  return net::tcp::endpoint(ip, port);
}

core::Task<net::HttpAnswer> post(asio::any_io_executor executor, net::tcp::endpoint endpoint,
                                 net::HttpRequest request) {
  constexpr auto patience = std::chrono::seconds(30);
  net::Stream stream{net::tcp::socket(executor)};
  stream.expires_at(std::chrono::steady_clock::now() + patience);
  boost::system::error_code const connected = co_await stream.connect(endpoint);
  if (connected) {
    net::HttpAnswer unreachable;
    unreachable.failure_detail = connected.message();
    co_return unreachable;
  }
  net::HttpAnswer answer = co_await net::send_request(stream, std::move(request));
  stream.close();
  co_return answer;
}

std::int64_t integer_or_zero(json::object const& object, std::string_view name) {
  auto const member = core::integer_member(object, name);
  return member ? *member : 0;
}

Acted read_answer(net::HttpAnswer const& answer, std::string const& server) {
  if (answer.delivery != core::Delivery::answered)
    return failed(server + " did not answer: " + answer.failure_detail);
  boost::system::error_code unreadable;
  json::value const body = json::parse(answer.body, unreadable);
  json::object const* const object = unreadable ? nullptr : body.if_object();
  if (object == nullptr) return failed(server + " answered " + std::to_string(answer.status));
  if (answer.status == 401)
    return failed(server +
                  " asks for the operators' token: set ONETAP_ADMIN_TOKEN, or ONETAP_ADMIN_TOKEN_FILE");
  auto const text = core::string_member(*object, answer.status == 200 ? "done" : "detail");
  if (answer.status != 200)
    return failed(text ? std::string(*text) : server + " answered " + std::to_string(answer.status));
  return {boost::system::in_place_value, admin::Done{.id = integer_or_zero(*object, "id"),
                                                     .count = integer_or_zero(*object, "count"),
                                                     .sentence = text ? std::string(*text) : std::string()}};
}

// As a run of its own, which ends here.
admin::Answer apply_one(storage::SqliteLedger& ledger, admin::Command command) {
  storage::Command const one{.action = std::move(command), .steady = std::chrono::steady_clock::now()};
  std::vector<storage::CommandResult> const results = ledger.apply(std::span(&one, 1));
  ledger.end(wall_now());
  if (auto const* const refused = std::get_if<storage::Refused>(&results.front())) {
    return {boost::system::in_place_error,
            admin::Refusal{.kind = admin::Refusal::Kind::conflict, .sentence = refused->reason}};
  }
  return std::get<admin::Answer>(results.front());
}

/// What was committed may still be read in the log: it goes when the last connection copied it away.
bool has_log(std::filesystem::path const& database) {
  std::error_code error;
  std::uintmax_t const bytes = std::filesystem::file_size(database.string() + "-wal", error);
  return !error && bytes > 0;
}

Acted acted(admin::Answer const& answer) {
  if (!answer) return failed(answer.error().sentence);
  return {boost::system::in_place_value, *answer};
}

}  // namespace

core::WallTime wall_now() { return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now()); }

struct LedgerAccess::Request {
  std::string path;
  json::object body;

  static Request of(admin::Resolve const& act) {
    return {.path = "/api/consumptions/" + std::to_string(act.consumption) + "/resolve",
            .body = {{"as", core::to_string(act.as)}, {"note", act.note}}};
  }

  static Request of(admin::AddPack const& act) {
    json::object body{{"appid", act.appid},
                      {"kind", core::to_string(act.kind)},
                      {"units", act.units},
                      {"usedBefore", act.used_before},
                      {"trial", act.trial}};
    if (act.price_micro_yuan) body["priceMicroYuan"] = *act.price_micro_yuan;
    if (act.starts) body["startsAt"] = core::unix_seconds(*act.starts);
    if (act.ends) body["endsAt"] = core::unix_seconds(*act.ends);
    if (!act.wx_pkg_id.empty()) body["wxPkgId"] = act.wx_pkg_id;
    return {.path = "/api/commands/pack-add", .body = std::move(body)};
  }

  static Request of(admin::PricePack const& act) {
    return {.path = "/api/commands/pack-price",
            .body = {{"pack", act.pack}, {"priceMicroYuan", act.price_micro_yuan}}};
  }

  static Request of(admin::BookLeak const& act) {
    return {.path = "/api/commands/leak",
            .body = {{"pack", act.pack}, {"units", act.units}, {"note", act.note}}};
  }

  static Request of(admin::BookRefund const& act) {
    json::object body{{"pack", act.pack}, {"note", act.note}};
    if (act.units) body["units"] = *act.units;
    return {.path = "/api/commands/refund", .body = std::move(body)};
  }

  static Request of(admin::ErasePerson const& act) {
    json::object body;
    if (act.phone_key) body["phoneKey"] = hex(act.phone_key);
    if (act.user_key) body["userKey"] = hex(act.user_key);
    return {.path = "/api/commands/erase", .body = std::move(body)};
  }

  // A server takes its new key itself.
  static Request of(admin::RotateKey const& /*act*/) { return of_rotation({}); }

  static Request of_rotation(std::filesystem::path const& new_key_file) {
    json::object body;
    if (!new_key_file.empty()) body["newKeyFile"] = new_key_file.string();
    return {.path = "/api/commands/key-rotate", .body = std::move(body)};
  }
};

core::Result<LedgerAccess, std::string> LedgerAccess::from(Environment const& environment,
                                                           std::string const& database) {
  using Access = core::Result<LedgerAccess, std::string>;
  constexpr std::array wanted{std::string_view("ONETAP_DB"), std::string_view("ONETAP_DATA_KEY"),
                              std::string_view("ONETAP_ADMIN_TOKEN"), std::string_view("ONETAP_PRICE_QUICK"),
                              std::string_view("ONETAP_PRICE_REALTIME")};
  Settings settings;
  for (Option const& option : options()) {
    if (std::ranges::find(wanted, option.variable) == wanted.end()) continue;
    auto const text = text_of(option, environment);
    if (!text) return Access(boost::system::in_place_error, text.error());
    if (text->empty()) continue;
    if (auto const problem = option.apply(*text, settings))
      return Access(boost::system::in_place_error, std::string(option.variable) + ": " + *problem);
  }
  if (!database.empty()) settings.database_path = database;
  std::filesystem::path path = storage::canonical_database(settings.database_path);
  return Access(boost::system::in_place_value, LedgerAccess(std::move(settings), std::move(path)));
}

core::Result<storage::Reports, std::string> LedgerAccess::reports() const {
  auto opened = storage::Reports::open(database_);
  std::error_code ignored;
  if (!opened && !std::filesystem::exists(database_, ignored)) {
    return {boost::system::in_place_error, opened.error() + ": name it with --db or ONETAP_DB"};
  }
  return opened;
}

core::Result<DataKey, std::string> LedgerAccess::data_key() const {
  return load_data_key(settings_.data_key, database_, std::nullopt);
}

core::Result<core::crypto::Keyring, std::string> LedgerAccess::keyring() const {
  return read_keyring(database_, settings_.data_key);
}

core::Result<std::string, std::string> LedgerAccess::app(std::string const& named) const {
  using App = core::Result<std::string, std::string>;
  if (!named.empty()) return App(boost::system::in_place_value, named);
  auto opened = reports();
  if (!opened) return App(boost::system::in_place_error, opened.error());
  storage::Table const apps = opened->named("apps");
  if (apps.rows.size() == 1) return App(boost::system::in_place_value, storage::to_text(apps.at(0, "appid")));
  char const* const configured = std::getenv("APPID");
  if (apps.rows.empty() && configured != nullptr && *configured != '\0')
    return App(boost::system::in_place_value, std::string(configured));
  return App(boost::system::in_place_error,
             "name the mini program with --app: the ledger knows " + std::to_string(apps.rows.size()));
}

bool LedgerAccess::is_held() const { return storage::find_lock_holder(database_).has_value(); }

std::string LedgerAccess::server_address() const {
  auto const holder = storage::find_lock_holder(database_);
  return holder ? holder->operator_address : std::string();
}

Acted LedgerAccess::administer(admin::Command command) const {
  std::string const server = server_address();
  if (server.empty()) return act_alone(std::move(command));
  Request const asked = std::visit([](auto const& act) { return Request::of(act); }, command.act);
  return ask_server(server, asked);
}

std::optional<Acted> LedgerAccess::ask_wechat() const {
  std::string const server = server_address();
  if (server.empty()) return std::nullopt;
  return ask_server(server, {.path = "/api/reconcile", .body = {{"askOnly", true}}});
}

Acted LedgerAccess::rotate_key(std::filesystem::path const& new_key_file) const {
  std::error_code ignored;
  std::filesystem::path const file =
      new_key_file.empty() ? std::filesystem::path() : std::filesystem::absolute(new_key_file, ignored);
  std::string const server = server_address();
  return server.empty() ? rotate_key_alone(file) : ask_server(server, Request::of_rotation(file));
}

Acted LedgerAccess::ask_server(std::string const& address, Request const& asked) const {
  std::string const server = "the server at " + address;
  auto const endpoint = endpoint_of(address);
  if (!endpoint || !endpoint->address().is_loopback()) {
    return failed(server +
                  " serves this ledger and speaks TLS to operators: post to its /api with curl, or "
                  "stop it and repeat the command");
  }
  std::string const body = json::serialize(asked.body);
  std::string authorization;
  net::HttpRequest request{.method = "POST", .host = address, .target = asked.path, .body = body};
  request.headers.emplace_back("Accept-Language", "en");  // as the command speaks without a server
  if (settings_.admin_token) {
    authorization = "Bearer " + std::string(settings_.admin_token->reveal());
    request.headers.emplace_back("Authorization", authorization);
  }
  asio::io_context loop(1);
  std::optional<net::HttpAnswer> answer;
  asio::co_spawn(loop, post(loop.get_executor(), *endpoint, std::move(request)),
                 [&](std::exception_ptr const& broken, net::HttpAnswer received) {
                   if (broken) std::rethrow_exception(broken);
                   answer = std::move(received);
                 });
  loop.run();
  return read_answer(answer.value(), server);
}

core::Result<KeyedLedger, std::string> LedgerAccess::open() const {
  using Opened = core::Result<KeyedLedger, std::string>;
  auto const refuse = [](std::string sentence) {
    return Opened(boost::system::in_place_error, std::move(sentence));
  };
  auto opened = reports();
  if (!opened) return refuse(opened.error());
  storage::Table const meta = opened->named("meta");
  if (meta.rows.empty()) return refuse("the ledger " + database_.string() + " was never served");
  std::int64_t const window_ms = std::get<std::int64_t>(meta.at(0, "replay_window_ms"));
  storage::LedgerOptions options{
      .path = database_,
      .mode = storage::to_text(meta.at(0, "mode")) == "sandbox" ? storage::LedgerMode::sandbox
                                                                : storage::LedgerMode::real,
      .settings = {.replay_window = core::milliseconds(window_ms), .prices = prices_of(settings_)},
      .now = {.wall = wall_now(), .steady = std::chrono::steady_clock::now()},
      .ballast_bytes = 0};
  auto ledger = open_keyed_ledger(std::move(options), settings_.data_key);
  if (!ledger) return refuse(ledger.error().sentence);
  return Opened(boost::system::in_place_value, std::move(*ledger));
}

Acted LedgerAccess::act_alone(admin::Command command) const {
  bool const erases = std::holds_alternative<admin::ErasePerson>(command.act);
  Acted done = failed({});
  {
    auto ledger = open();
    if (!ledger) return failed(ledger.error());
    done = acted(apply_one(*ledger->file.ledger, std::move(command)));
  }
  if (done && erases && has_log(database_)) {
    return failed(done->sentence + "; but old pages stay in the write-ahead log " + database_.string() +
                  "-wal while others read the ledger: when they have ended, repeat the command");
  }
  return done;
}

Acted LedgerAccess::rotate_key_alone(std::filesystem::path const& new_key_file) const {
  auto ledger = open();
  if (!ledger) return failed(ledger.error());
  bool const configured = settings_.data_key.has_value();
  core::crypto::Keyring keyring = ledger->keyring;
  auto const key = take_new_data_key(database_, configured, new_key_file, keyring);
  if (!key) return failed(key.error().sentence);
  keyring.seal_with(bytes_of(*key));
  admin::Answer const answer =
      apply_one(*ledger->file.ledger, {.act = rotation_to(keyring), .at = wall_now()});
  if (!answer) keyring.seal_with_previous();
  return acted(finish_rotation(answer, database_, configured, keyring));
}

}  // namespace onetap::app
