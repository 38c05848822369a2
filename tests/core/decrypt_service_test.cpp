#include "core/exchange/decrypt_service.hpp"

#include <doctest/doctest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "core/crypto/digest.hpp"
#include "tests/support/encrypt_user_data.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_ledger.hpp"
#include "tests/support/memory_session_store.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;
using core::Charged;
using core::PhoneResult;
using core::State;

namespace {

constexpr char appid[] = "wx0123456789abcdef";
constexpr char number[] = "13800138000";
constexpr char li[] = "openid-of-li";
constexpr char wang[] = "openid-of-wang";
constexpr char key_1[] = "session-key-no-1";
constexpr char key_2[] = "session-key-no-2";
constexpr char key_3[] = "session-key-no-3";
constexpr char initial_bytes[] = "sixteen-bytes-iv";

std::string base64(std::string_view bytes) {
  return core::crypto::to_base64({reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size()});
}

std::array<unsigned char, 32> data_key() {
  std::array<unsigned char, 32> key{};
  key.fill(7);
  return key;
}

struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  MemoryLedger ledger;
  MemorySessionStore sessions;
  core::crypto::Keyring keyring{data_key()};
  std::vector<std::string> told;
  core::DecryptService service{{.clock = clock,
                                .ledger = ledger,
                                .sessions = sessions,
                                .keyring = keyring,
                                .log = log,
                                .answered = [this](std::string_view of, PhoneResult const& result) {
                                  told.push_back(std::string(of) + (result.replayed ? " replayed" : ""));
                                }}};

  void log_in(char const* openid, std::string const& session_key) {
    core::CallerKey const user = keyring.user_key(appid, openid);
    core::SessionKey const secret(base64(session_key));
    core::LoginRow login;
    login.session.user = user;
    login.sealed_session_key =
        keyring.seal(core::crypto::SealedField::session_key, core::row_of(user), secret.reveal());
    login.session_key_digest = keyring.session_key_digest(secret);
    auto added = start(loop, sessions.add_login(std::move(login)));
    clock.settle();
    REQUIRE(added.value());
  }

  core::Task<bool> doubt_settled() {
    co_await ledger.settle({.attempt = {.consumption = 1, .number = 1},
                            .state = State::in_doubt,
                            .cause = core::Cause::timeout,
                            .at = clock.wall()});
    co_return true;
  }

  [[nodiscard]] std::string encrypted(char const* session_key, char const* their_appid = appid,
                                      core::seconds age = 0s) const {
    std::int64_t const at = core::unix_seconds(clock.wall()) - age.count();
    return encrypt_user_data(phone_user_data(number, their_appid, at), session_key, initial_bytes);
  }

  [[nodiscard]] core::DecryptRequest request(std::string const& data, char const* openid) const {
    return {.encrypted = {.encrypted_data = data, .iv = base64(initial_bytes)},
            .appid = appid,
            .user = keyring.user_key(appid, openid),
            .request_id = "r-1"};
  }

  PhoneResult decrypt(core::DecryptRequest presented) {
    auto started = start(loop, service.decrypt(std::move(presented)));
    clock.settle();
    REQUIRE(started.done());
    return started.value();
  }
  PhoneResult decrypt(std::string const& data, char const* openid) { return decrypt(request(data, openid)); }
};

template <class Value>
Value await(Bench& bench, core::Task<Value> task) {
  auto started = start(bench.loop, std::move(task));
  bench.clock.settle();
  return started.value();
}

std::string number_in(PhoneResult const& answer) {
  auto const* handed_out = std::get_if<core::PhoneNumber>(&answer.answer);
  return handed_out != nullptr ? std::string(handed_out->phone_number.reveal()) : "none";
}

std::string_view problem_in(PhoneResult const& answer) {
  auto const* problem = std::get_if<core::Problem>(&answer.answer);
  return problem != nullptr ? core::kind_of(problem->code).name : "none";
}

}  // namespace

TEST_CASE("encrypted data becomes a number, with one row and no call to WeChat") {
  Bench bench;
  bench.log_in(li, key_1);
  auto presented = bench.request(bench.encrypted(key_1), li);
  presented.kind = core::Kind::realtime;
  PhoneResult const answer = bench.decrypt(presented);
  CHECK(number_in(answer) == number);
  CHECK(answer.kind == core::Kind::realtime);
  CHECK_FALSE(answer.replayed);
  REQUIRE(bench.ledger.rows.size() == 1);
  MemoryLedger::Row const& row = bench.ledger.rows[0];
  CHECK(row.state == State::ok);
  CHECK(row.path == "legacy");
  CHECK(row.phone_mask == "138****8000");
  CHECK(row.user == bench.keyring.user_key(appid, li));
  CHECK(row.kind == core::Kind::realtime);
  CHECK(bench.told == std::vector<std::string>{appid});
}

TEST_CASE("the same data from the same user is replayed, whatever the session_keys are by now") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const data = bench.encrypted(key_1);
  (void)bench.decrypt(data, li);
  bench.log_in(li, key_2);
  bench.log_in(li, key_3);
  bench.clock.advance(600s);
  PhoneResult const replay = bench.decrypt(data, li);
  CHECK(number_in(replay) == number);
  CHECK(replay.replayed);
  CHECK(bench.ledger.rows.size() == 1);
  bench.clock.advance(1s);
  PhoneResult const late = bench.decrypt(data, li);
  CHECK(problem_in(late) == "CODE_ALREADY_USED");
  CHECK(std::get<core::Problem>(late.answer).charged == Charged::yes);
}

TEST_CASE("two requests with the same data at the same time make one row") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const data = bench.encrypted(key_1);
  auto first = start(bench.loop, bench.service.decrypt(bench.request(data, li)));
  auto second = start(bench.loop, bench.service.decrypt(bench.request(data, li)));
  bench.clock.settle();
  CHECK(number_in(first.value()) == number);
  CHECK(number_in(second.value()) == number);
  CHECK(first.value().replayed != second.value().replayed);
  CHECK(bench.ledger.rows.size() == 1);
}

TEST_CASE("somebody else's data is used, and nobody's to open before") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.log_in(wang, key_2);
  std::string const data = bench.encrypted(key_1);
  CHECK(problem_in(bench.decrypt(data, wang)) == "DECRYPT_FAILED");
  CHECK(number_in(bench.decrypt(data, li)) == number);
  PhoneResult const stranger = bench.decrypt(data, wang);
  CHECK(problem_in(stranger) == "CODE_ALREADY_USED");
  CHECK_FALSE(stranger.replayed);
}

TEST_CASE("the newest two session_keys are tried") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.log_in(li, key_2);
  CHECK(number_in(bench.decrypt(bench.encrypted(key_1), li)) == number);
  CHECK(number_in(bench.decrypt(bench.encrypted(key_2), li)) == number);
  bench.log_in(li, key_3);
  bench.clock.advance(1s);
  CHECK(problem_in(bench.decrypt(bench.encrypted(key_1), li)) == "DECRYPT_FAILED");
}

TEST_CASE("whatever is wrong with the data, the answer is the same, and nothing is written") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const good = bench.encrypted(key_1);
  std::vector<core::DecryptRequest> wrong;
  for (std::string const& data :
       {std::string(), std::string("garbage"), good + "\n", good.substr(0, good.size() - 24),
        bench.encrypted(key_2), bench.encrypted(key_1, "wxffffffffffffffff"),
        bench.encrypted(key_1, appid, 601s), bench.encrypted(key_1, appid, -601s),
        encrypt_user_data("no JSON", key_1, initial_bytes),
        encrypt_user_data(R"({"openId":"o6zAJs"})", key_1, initial_bytes),
        encrypt_user_data("a block of bytes", key_1, initial_bytes, false)}) {
    wrong.push_back(bench.request(data, li));
  }
  wrong.push_back(bench.request(good, li));
  wrong.back().encrypted.iv = base64("another IV, too.");
  wrong.push_back(bench.request(good, li));
  wrong.back().encrypted.iv = "no base64";
  wrong.push_back(bench.request(good, wang));  // has never logged in
  for (core::DecryptRequest const& presented : wrong) {
    CAPTURE(presented.encrypted.encrypted_data);
    PhoneResult const answer = bench.decrypt(presented);
    REQUIRE(problem_in(answer) == "DECRYPT_FAILED");
    auto const& problem = std::get<core::Problem>(answer.answer);
    CHECK(problem.charged == Charged::unknown);
    CHECK(problem.field.empty());
  }
  CHECK(bench.ledger.rows.empty());
  CHECK(bench.lines.empty());
}

TEST_CASE("where the ledger or the sessions cannot be had, the data stays good") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const data = bench.encrypted(key_1);
  bench.ledger.accepts = false;
  CHECK(problem_in(bench.decrypt(data, li)) == "STORAGE_UNAVAILABLE");
  bench.ledger.accepts = true;
  bench.sessions.accepts = false;
  CHECK(problem_in(bench.decrypt(data, li)) == "STORAGE_UNAVAILABLE");
  bench.sessions.accepts = true;
  CHECK(number_in(bench.decrypt(data, li)) == number);
}

TEST_CASE("data that rescued a code is answered from the code's row") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const data = bench.encrypted(key_1);
  core::CallerKey const user = bench.keyring.user_key(appid, li);
  core::CodeKey const code_key = bench.keyring.code_key(appid, core::Code("code-1"));
  core::CodeKey const blob_key = bench.keyring.blob_key(appid, data);
  core::Intent const intent{.code_key = code_key, .caller = user, .at = bench.clock.wall()};
  (void)await(bench, bench.ledger.begin(intent));
  (void)await(bench, bench.doubt_settled());
  core::PhoneNumber const found{.phone_number = core::Confidential<core::PhoneNumberTag>(number),
                                .pure_phone_number = core::Confidential<core::PurePhoneNumberTag>(number),
                                .country_code = "86"};
  core::Rescue const rescue{.code_key = code_key,
                            .caller = user,
                            .blob_key = blob_key,
                            .sealed_number = bench.keyring.seal(code_key, found),
                            .sealed_blob_number = bench.keyring.seal(blob_key, found),
                            .phone_mask = found.mask(),
                            .at = bench.clock.wall()};
  REQUIRE(await(bench, bench.ledger.rescue(rescue)));
  PhoneResult const answer = bench.decrypt(data, li);
  CHECK(number_in(answer) == number);
  CHECK(answer.replayed);
  CHECK(bench.ledger.rows.size() == 1);
}

TEST_CASE("a decryption is one log line, without data, key or number") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const data = bench.encrypted(key_1);
  (void)bench.decrypt(data, li);
  (void)bench.decrypt(data, li);
  (void)bench.decrypt("garbage", li);
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines[0].find(R"("msg":"decryption")") != std::string::npos);
  CHECK(bench.lines[0].find(R"("request_id":"r-1")") != std::string::npos);
  CHECK(bench.lines[0].find(R"("path":"legacy")") != std::string::npos);
  for (std::string const& secret :
       {data, std::string(key_1), base64(key_1), std::string("0138000"), std::string(li)})
    CHECK(bench.lines[0].find(secret) == std::string::npos);
}
