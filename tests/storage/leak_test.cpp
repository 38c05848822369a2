#include <algorithm>
#include <fstream>
#include <map>

#include "core/crypto/digest.hpp"
#include "core/gate/login.hpp"
#include "storage/backup.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/scripted_wechat.hpp"

namespace onetap::tests {
namespace {

namespace admin = core::admin;
using namespace std::chrono_literals;

constexpr std::string_view appid = "wx0000000000000001";
constexpr std::string_view openid = "o-a-user-that-must-not-leak-1";
constexpr std::string_view session_key = "bGVha2luZ3Nlc3Npb25rZQ==";
constexpr std::string_view js_code = "js-code-that-must-not-leak";
constexpr std::string_view code = "code-that-must-not-leak-0123456789";
constexpr std::string_view number = "13912345678";

std::string text_of(std::span<unsigned char const> bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

/// The bytes below a base64url text of 43 characters.
std::string raw_token(std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  return core::crypto::from_base64(text + "=").value();
}

/// A user logs in and presents a code, with real keys; and everything that this left on the disk.
class Household {
 public:
  Household() {
    log_in();
    exchange();
  }

  /// What nobody may find, by what it is.
  std::map<std::string, std::string> secrets;
  /// What stands for it in the ledger, as long as the session lasts.
  std::map<std::string, std::string> traces;

  [[nodiscard]] std::string everything_in(std::filesystem::path const& folder) const {
    std::string bytes;
    for (auto const& file : std::filesystem::directory_iterator(folder)) {
      std::ifstream in(file.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(in), {});
    }
    return bytes;
  }
  [[nodiscard]] std::string ledger() const { return everything_in(tested.folder().path()); }
  [[nodiscard]] std::string const& logged() const { return logged_; }
  [[nodiscard]] core::CallerKey user() const { return keyring_.user_key(appid, openid); }

  SqliteUnderTest tested;

 private:
  void log_in() {
    ScriptedWeChat wechat(tested.clock());
    core::Log log([this](core::LogLevel, std::string_view line) { logged_.append(line); },
                  core::LogLevel::debug, [this] { return tested.now(); });
    core::SessionBook book({.idle = 2h, .longest = 24h});
    core::AppAccount const account{.appid = std::string(appid),
                                   .secret = core::AppSecret("the app's secret")};
    core::LoginService logins({.clock = tested.clock(),
                               .wechat = wechat,
                               .store = tested.thread(),
                               .keyring = keyring_,
                               .log = log},
                              account, book);
    wechat.login_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029,"errmsg":"invalid code"})"));
    wechat.login_replies.push_back(ScriptedWeChat::says(R"({"openid":")" + std::string(openid) +
                                                        R"(","session_key":")" + std::string(session_key) +
                                                        R"("})"));
    CHECK_FALSE(
        await(tested.loop(), logins.log_in(core::JsCode(std::string(js_code)), "request-1")).has_value());
    auto const opened = await(tested.loop(), logins.log_in(core::JsCode(std::string(js_code)), "request-2"));
    REQUIRE(opened.has_value());
    std::string const token(opened->token.reveal());
    secrets = {{"openid", std::string(openid)},
               {"session_key", std::string(session_key)},
               {"session_key's bytes", core::crypto::from_base64(session_key).value()},
               {"js_code", std::string(js_code)},
               {"token", token},
               {"token's bytes", raw_token(token)},
               {"signing key", std::string(opened->signing_key.reveal())},
               {"app's secret", "the app's secret"}};
    traces = {{"token's digest", text_of(core::id_of(opened->token).token_digest)},
              {"user's key", text_of(user().digest)},
              {"sealed openid", bytes_in("SELECT sealed_openid FROM session")},
              {"sealed session_key", bytes_in("SELECT sealed_key FROM session_key")}};
  }

  void exchange() {
    Speaker speaker(tested);
    core::Intent intent = speaker.intent(1, user());
    intent.code_key = keyring_.code_key(appid, core::Code(std::string(code)));
    intent.user = user();
    auto const began = await(tested.loop(), tested.port().begin(intent));
    core::PhoneNumber phone;
    phone.phone_number = decltype(phone.phone_number)(std::string(number));
    phone.pure_phone_number = decltype(phone.pure_phone_number)(std::string(number));
    phone.country_code = "86";
    core::Settlement settlement;
    settlement.attempt = std::get<ledger::Started>(began).attempt;
    settlement.state = State::ok;
    settlement.sealed_number = keyring_.seal(intent.code_key, phone);
    settlement.phone_mask = phone.mask();
    settlement.phone_key = keyring_.phone_key(phone);
    speaker.settle(settlement);
    secrets["code"] = code;
    secrets["number"] = number;
    traces["sealed number"] = text_of(settlement.sealed_number);
  }

  [[nodiscard]] std::string bytes_in(std::string const& sql) const {
    storage::Connection connection(tested.path(), storage::Access::read_only);
    storage::Statement read(connection, sql);
    storage::Rows rows = read.query({});
    REQUIRE(rows.next());
    return text_of(rows.bytes(0));
  }

  core::crypto::Keyring keyring_{digest_of(4711)};
  std::string logged_;
};

bool contains(std::string const& bytes, std::string const& needle) {
  return bytes.find(needle) != std::string::npos;
}

}  // namespace

TEST_CASE("no code, number, openid, token or session_key is in database, WAL, log or backup") {
  Household household;
  TempFolder const folder;
  auto const made =
      storage::make_backup(household.tested.path(), folder / "copy.db", household.tested.now(), {});
  if (!made) FAIL(made.error());
  std::string const backup = household.everything_in(folder.path());
  std::string ledger = household.ledger();
  SUBCASE("while it serves") {}
  SUBCASE("when it has ended") {
    household.tested.close();
    ledger = household.ledger();
  }
  REQUIRE(contains(household.logged(), "login_failed"));
  for (auto const& [what, secret] : household.secrets) {
    CAPTURE(what);
    REQUIRE(secret.size() > 10);
    CHECK_FALSE(contains(ledger, secret));
    CHECK_FALSE(contains(backup, secret));
    CHECK_FALSE(contains(household.logged(), secret));
  }
  // The search finds what is there; and what the backup leaves out.
  for (auto const& [what, trace] : household.traces) {
    CAPTURE(what);
    CHECK(contains(ledger, trace));
    CHECK(contains(backup, trace) == (what == "user's key"));
  }
}

TEST_CASE("when a person is erased, nothing that stood for them is left in database or WAL") {
  Household household;
  admin::Command command{.act = admin::ErasePerson{.phone_key = {}, .user_key = household.user().digest},
                         .at = household.tested.now()};
  auto const erased =
      await(household.tested.loop(), household.tested.thread().administer(std::move(command)));
  REQUIRE(erased.has_value());
  household.tested.maintain();
  REQUIRE(household.tested.thread().statistics().wal_truncated);
  std::string const ledger = household.ledger();
  for (auto const& [what, trace] : household.traces) {
    CAPTURE(what);
    CHECK_FALSE(contains(ledger, trace));
  }
  for (std::string const& violation : household.tested.violations()) FAIL_CHECK(violation);
}

}  // namespace onetap::tests
