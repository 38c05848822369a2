#include "core/exchange/service.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "tests/core/service_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

TEST_CASE("a code becomes a number, with one call and one row") {
  Bench bench;
  bench.will_say_number();
  PhoneResult const result = bench.consume("code-1", li);
  CHECK(number_in(result) == number);
  CHECK_FALSE(result.replayed);
  CHECK(bench.wechat.codes_sent == std::vector<std::string>{"code-1"});
  CHECK(bench.wechat.tokens_used == std::vector<std::string>{"token-1"});
  REQUIRE(bench.ledger.rows.size() == 1);
  CHECK(bench.ledger.rows[0].state == State::ok);
  CHECK(bench.ledger.rows[0].phone_mask == "138****8000");
  CHECK_FALSE(bench.ledger.rows[0].sealed_number.empty());
  CHECK(bench.service.in_flight() == 0);
}

TEST_CASE("who counts hears of each settlement once, and of each answer") {
  using Heard = std::vector<std::string>;
  Bench bench;
  SUBCASE("a number, and the same again") {
    bench.will_say_number();
    (void)bench.consume("code-1", li);
    CHECK(bench.noted.heard == Heard{"settled quick ok 0 0ms", "answered number"});
    (void)bench.consume("code-1", li);
    CHECK(bench.noted.heard.back() == "replayed number");
    CHECK(bench.noted.heard.size() == 3);
  }
  SUBCASE("one exchange, and two who wait for it") {
    bench.wechat.hold_answers = true;
    bench.will_say_errcode(40029);
    auto const first = bench.begin("code-1", li);
    auto const second = bench.begin("code-1", li);
    bench.clock.advance(40ms);
    bench.wechat.let_go();
    bench.clock.settle();
    CHECK(bench.noted.heard.front() == "settled quick rejected 40029 40ms");
    CHECK(std::ranges::count(bench.noted.heard, "answered problem") == 1);
    CHECK(std::ranges::count(bench.noted.heard, "replayed problem") == 1);
    CHECK(bench.noted.heard.size() == 3);
  }
}

TEST_CASE("the intent is in the ledger before WeChat is called") {
  Bench bench;
  std::vector<State> seen;
  bench.wechat.before_call = [&] {
    for (auto const& row : bench.ledger.rows) seen.push_back(row.state);
  };
  bench.will_say_number();
  (void)bench.consume("code-1", li);
  CHECK(seen == std::vector<State>{State::sending});
}

TEST_CASE("WeChat is not called while the intent is not durable") {
  Bench bench;
  bench.slow_ledger.hold_begin = true;
  bench.will_say_number();
  auto exchange = bench.begin("code-1", li);
  CHECK(bench.calls() == 0);
  bench.slow_ledger.let_go();
  bench.clock.settle();
  CHECK(bench.calls() == 1);
  CHECK(exchange.done());
}

TEST_CASE("nobody is answered while the outcome is not durable") {
  Bench bench;
  bench.slow_ledger.hold_settle = true;
  bench.will_say_number();
  auto exchange = bench.begin("code-1", li);
  auto repeat = bench.begin("code-1", li);
  CHECK(bench.calls() == 1);
  CHECK_FALSE(exchange.done());
  CHECK_FALSE(repeat.done());
  bench.slow_ledger.let_go();
  bench.clock.settle();
  CHECK(number_in(exchange.value()) == number);
  CHECK(number_in(repeat.value()) == number);
}

TEST_CASE("a code presented twice by the same caller while it is exchanged is called for once") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_number();
  auto first = bench.begin("code-1", li);
  auto second = bench.begin("code-1", li);
  auto third = bench.begin("code-1", li);
  CHECK_FALSE(second.done());
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(number_in(first.value()) == number);
  CHECK_FALSE(first.value().replayed);
  for (auto* repeat : {&second, &third}) {
    CHECK(number_in(repeat->value()) == number);
    CHECK(repeat->value().replayed);
  }
  CHECK(bench.calls() == 1);
}

TEST_CASE("a problem, too, is shared with the caller who waited") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_errcode(40029);
  auto first = bench.begin("code-1", li);
  auto second = bench.begin("code-1", li);
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(problem_in(first.value()) == "CODE_INVALID");
  CHECK_FALSE(first.value().replayed);
  CHECK(problem_in(second.value()) == "CODE_INVALID");
  CHECK(second.value().replayed);
}

TEST_CASE("a code in flight for somebody else is refused at once") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_number();
  auto first = bench.begin("code-1", li);
  CHECK(problem_in(bench.consume("code-1", wang)) == "CODE_IN_PROGRESS");
  CHECK(problem_in(bench.consume("code-1", nobody)) == "CODE_IN_PROGRESS");
  CHECK_FALSE(first.done());
  CHECK(bench.calls() == 1);
}

TEST_CASE("two who cannot be told apart do not share a code in flight") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_number();
  auto first = bench.begin("code-1", nobody);
  CHECK(problem_in(bench.consume("code-1", nobody)) == "CODE_IN_PROGRESS");
}

TEST_CASE("a duplicate does not wait for ever") {
  Bench bench;
  bench.slow_ledger.hold_settle = true;
  bench.will_say_number();
  auto first = bench.begin("code-1", li);
  auto second = bench.begin("code-1", li);
  bench.clock.advance(core::limits::follower_time - 1ms);
  CHECK_FALSE(second.done());
  bench.clock.advance(1ms);
  REQUIRE(second.done());
  CHECK(problem_in(second.value()) == "SERVER_BUSY");
  CHECK_FALSE(second.value().replayed);
  CHECK_FALSE(first.done());
}

TEST_CASE("different codes are exchanged beside each other") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_number();
  bench.will_say_number();
  auto first = bench.begin("code-1", li);
  auto second = bench.begin("code-2", li);
  CHECK(bench.calls() == 2);
  CHECK(bench.service.in_flight() == 2);
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(first.done());
  CHECK(second.done());
}

TEST_CASE("beyond the bound of exchanges a code is turned away before anything is done") {
  Bench bench;
  bench.wechat.hold_answers = true;
  std::vector<Started<PhoneResult>> exchanges;
  for (std::size_t i = 0; i < core::limits::exchanges_in_flight_max; ++i) {
    exchanges.push_back(bench.begin("code-" + std::to_string(i), li));
  }
  CHECK(problem_in(bench.consume("one-more", li)) == "SERVER_BUSY");
  CHECK(bench.ledger.rows.size() == core::limits::wechat_calls_max);
  CHECK(bench.calls() == core::limits::wechat_calls_max);
  for (std::size_t i = 0; i < core::limits::exchanges_in_flight_max; ++i) bench.will_say_number();
}

TEST_CASE("a number that was handed out is replayed to its caller within the window, and not after") {
  Bench bench;
  bench.will_say_number();
  (void)bench.consume("code-1", li);
  bench.clock.advance(600s);
  PhoneResult const replay = bench.consume("code-1", li);
  CHECK(number_in(replay) == number);
  CHECK(replay.replayed);
  bench.clock.advance(1s);
  PhoneResult const late = bench.consume("code-1", li);
  CHECK(problem_in(late) == "CODE_ALREADY_USED");
  CHECK(charged_in(late) == Charged::yes);
  CHECK_FALSE(late.replayed);
  CHECK(bench.calls() == 1);
}

TEST_CASE("a stranger with a used code gets no number") {
  Bench bench;
  bench.will_say_number();
  (void)bench.consume("code-1", li);
  for (char const* const stranger : {wang, nobody}) {
    PhoneResult const result = bench.consume("code-1", stranger);
    CHECK(problem_in(result) == "CODE_ALREADY_USED");
    CHECK_FALSE(result.replayed);
  }
  CHECK(bench.calls() == 1);
}

TEST_CASE("without an Idempotency-Key the second time finds the code used") {
  Bench bench;
  bench.will_say_number();
  CHECK(number_in(bench.consume("code-1", nobody)) == number);
  CHECK(problem_in(bench.consume("code-1", nobody)) == "CODE_ALREADY_USED");
  CHECK(bench.calls() == 1);
}

TEST_CASE("what is stored is replayed while WeChat is down") {
  Bench bench;
  bench.will_say_number();
  (void)bench.consume("code-1", li);
  bench.wechat.line_at_hand = false;
  bench.wechat.line_can_be_opened = false;
  CHECK(number_in(bench.consume("code-1", li)) == number);
}

TEST_CASE("a rejected code stays rejected for its caller and is used for others") {
  Bench bench;
  bench.will_say_errcode(40029);
  CHECK(problem_in(bench.consume("code-1", li)) == "CODE_INVALID");
  CHECK(bench.ledger.rows[0].state == State::rejected);
  PhoneResult const replay = bench.consume("code-1", li);
  CHECK(problem_in(replay) == "CODE_INVALID");
  CHECK(replay.replayed);
  CHECK(std::get<core::Problem>(replay.answer).errcode == 40029);
  CHECK(std::get<core::Problem>(replay.answer).rid == "6458a111-5785bc4d-452368fb");
  CHECK(problem_in(bench.consume("code-1", wang)) == "CODE_ALREADY_USED");
  CHECK(bench.calls() == 1);
}

TEST_CASE("a code in doubt is never sent again") {
  struct Row {
    core::TransportFailure failure;
    core::Cause cause;
  };
  for (Row const& row : {Row{core::TransportFailure::timeout, core::Cause::timeout},
                         Row{core::TransportFailure::connection_lost, core::Cause::connection_lost}}) {
    Bench bench;
    bench.will_fail(core::Delivery::maybe_sent, row.failure);
    PhoneResult const first = bench.consume("code-1", li);
    CHECK(problem_in(first) == "OUTCOME_UNKNOWN");
    CHECK_FALSE(first.replayed);
    CHECK(bench.ledger.rows[0].state == State::in_doubt);
    CHECK(bench.ledger.rows[0].cause == row.cause);
    PhoneResult const second = bench.consume("code-1", li);
    CHECK(problem_in(second) == "OUTCOME_UNKNOWN");
    CHECK(second.replayed);
    CHECK(problem_in(bench.consume("code-1", wang)) == "CODE_ALREADY_USED");
    CHECK(bench.calls() == 1);
  }
}

TEST_CASE("a number of another mini program goes into doubt and is not handed out") {
  Bench bench;
  bench.will_say(R"({"errcode":0,"phone_info":{"phoneNumber":"13800138000","purePhoneNumber":"13800138000",)"
                 R"("countryCode":"86","watermark":{"timestamp":1790000000,"appid":"wxffffffffffffffff"}}})");
  PhoneResult const result = bench.consume("code-1", li);
  CHECK(problem_in(result) == "WATERMARK_MISMATCH");
  CHECK(charged_in(result) == Charged::yes);
  CHECK(bench.ledger.rows[0].state == State::in_doubt);
  CHECK(bench.ledger.rows[0].sealed_number.empty());
}

TEST_CASE("an answer that was lost is rescued by what came along, without a second call") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  auto const presented = bench.request_of_user("code-1", li, bench.encrypted_number(key_1));
  PhoneResult const result = bench.consume(presented);
  CHECK(number_in(result) == number);
  CHECK_FALSE(result.replayed);
  CHECK(bench.calls() == 1);
  REQUIRE(bench.ledger.rows.size() == 1);
  CHECK(bench.ledger.rows[0].state == State::ok);
  CHECK(bench.ledger.rows[0].path == "rescue");
  CHECK(bench.ledger.rows[0].phone_mask == "138****8000");
  CHECK(bench.ledger.rows[0].user == bench.keyring.user_key(appid, li));
  CHECK(bench.lines.back().find(R"("path":"rescue","outcome":"ok")") != std::string::npos);

  PhoneResult const repeat = bench.consume(bench.request_of_user("code-1", li, ""));
  CHECK(number_in(repeat) == number);
  CHECK(repeat.replayed);
  CHECK(problem_in(bench.consume("code-1", wang)) == "CODE_ALREADY_USED");
  CHECK(bench.calls() == 1);
}

TEST_CASE("a code found in doubt is rescued when it comes again with its number, also while WeChat is down") {
  for (bool const line_at_hand : {true, false}) {
    CAPTURE(line_at_hand);
    Bench bench;
    bench.log_in(li, key_1);
    bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::connection_lost);
    auto first = bench.request_of_user("code-1", li, "");
    first.kind = core::Kind::realtime;
    CHECK(problem_in(bench.consume(first)) == "OUTCOME_UNKNOWN");
    bench.wechat.line_at_hand = line_at_hand;
    bench.wechat.line_can_be_opened = false;
    auto const presented = bench.request_of_user("code-1", li, bench.encrypted_number(key_1));
    PhoneResult const rescued = bench.consume(presented);
    CHECK(number_in(rescued) == number);
    CHECK_FALSE(rescued.replayed);
    CHECK(rescued.kind == core::Kind::realtime);
    CHECK(bench.ledger.rows[0].path == "rescue");
    CHECK(bench.calls() == 1);
  }
}

TEST_CASE("a rescue tries the user's newest two session_keys") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.log_in(li, key_2);
  for (char const* const key : {key_1, key_2}) {
    bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
    auto const presented =
        bench.request_of_user(std::string("code of ") + key, li, bench.encrypted_number(key));
    CHECK(number_in(bench.consume(presented)) == number);
  }
  bench.log_in(li, "session-key-no-3");
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  auto const presented = bench.request_of_user("code-3", li, bench.encrypted_number(key_1));
  CHECK(problem_in(bench.consume(presented)) == "OUTCOME_UNKNOWN");
}

TEST_CASE("data that cannot be used changes nothing: the outcome stays unknown") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const foreign =
      encrypt_user_data(phone_user_data(number, "wxffffffffffffffff", core::unix_seconds(bench.clock.wall())),
                        key_1, initial_bytes);
  std::string const old = encrypt_user_data(
      phone_user_data(number, appid, core::unix_seconds(bench.clock.wall()) - 601), key_1, initial_bytes);
  std::string const no_number = encrypt_user_data(R"({"openId":"o6zAJs"})", key_1, initial_bytes);
  int code = 0;
  for (std::string const& data : {std::string("garbage"), bench.encrypted_number(key_2), foreign, old,
                                  no_number, bench.encrypted_number(key_1) + " "}) {
    CAPTURE(data);
    bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
    auto const presented = bench.request_of_user("code-" + std::to_string(++code), li, data);
    PhoneResult const result = bench.consume(presented);
    CHECK(problem_in(result) == "OUTCOME_UNKNOWN");
    CHECK(bench.ledger.rows.back().state == State::in_doubt);
    CHECK(bench.ledger.rows.back().cause == core::Cause::timeout);
    CHECK(bench.lines.back().find(R"("outcome":"undecryptable")") != std::string::npos);
    PhoneResult const again = bench.consume(presented);
    CHECK(problem_in(again) == "OUTCOME_UNKNOWN");
    CHECK(again.replayed);
    bench.will_say_number();  // so that not too many are lost in a row
    CHECK(number_in(bench.consume("between-" + std::to_string(code), li)) == number);
  }
  CHECK(bench.calls() == 2 * static_cast<std::size_t>(code));
}

TEST_CASE("nothing is rescued where the session_keys cannot be read, or the ledger refuses") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  auto const presented = bench.request_of_user("code-1", li, bench.encrypted_number(key_1));
  bench.sessions.accepts = false;
  CHECK(problem_in(bench.consume(presented)) == "OUTCOME_UNKNOWN");
  bench.sessions.accepts = true;
  bench.ledger.accepts_rescue = false;
  CHECK(problem_in(bench.consume(presented)) == "OUTCOME_UNKNOWN");
  CHECK(bench.lines.back().find(R"("outcome":"refused")") != std::string::npos);
  bench.ledger.accepts_rescue = true;
  CHECK(number_in(bench.consume(presented)) == number);
}

TEST_CASE("one blob rescues one code") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const blob = bench.encrypted_number(key_1);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  CHECK(number_in(bench.consume(bench.request_of_user("code-1", li, blob))) == number);
  CHECK(problem_in(bench.consume(bench.request_of_user("code-2", li, blob))) == "OUTCOME_UNKNOWN");
  CHECK(bench.ledger.rows[1].state == State::in_doubt);
}

TEST_CASE("without a user what came along is not looked at") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  auto presented = bench.request("code-1", li);
  presented.encrypted = {.encrypted_data = bench.encrypted_number(key_1), .iv = base64(initial_bytes)};
  CHECK(problem_in(bench.consume(presented)) == "OUTCOME_UNKNOWN");
}

TEST_CASE("a stranger's data rescues nobody's code") {
  Bench bench;
  bench.log_in(li, key_1);
  bench.log_in(wang, key_2);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  CHECK(problem_in(bench.consume(bench.request_of_user("code-1", li, ""))) == "OUTCOME_UNKNOWN");
  auto const theirs = bench.request_of_user("code-1", wang, bench.encrypted_number(key_2));
  CHECK(problem_in(bench.consume(theirs)) == "CODE_ALREADY_USED");
  auto const stolen = bench.request_of_user("code-1", wang, bench.encrypted_number(key_1));
  CHECK(problem_in(bench.consume(stolen)) == "CODE_ALREADY_USED");
  CHECK(bench.ledger.rows[0].state == State::in_doubt);
}

TEST_CASE("what came along is not looked at where WeChat answers") {
  Bench bench;
  bench.log_in(li, key_1);
  std::string const blob = bench.encrypted_number(key_1);
  bench.will_say_number();
  CHECK(number_in(bench.consume(bench.request_of_user("code-1", li, blob))) == number);
  CHECK(bench.ledger.rows[0].path == "exchange");
  bench.will_say_errcode(40029);
  CHECK(problem_in(bench.consume(bench.request_of_user("code-2", li, blob))) == "CODE_INVALID");
  bench.will_say_errcode(45011);
  CHECK(problem_in(bench.consume(bench.request_of_user("code-3", li, blob))) == "WECHAT_UNAVAILABLE");
  CHECK(bench.ledger.rows[2].state == State::retryable);
}

TEST_CASE("a refused code that looks like one of wx.login is called that, at once and when it is replayed") {
  Bench bench;
  auto const reason_of = [&](std::string const& code) {
    bench.will_say_errcode(40029);
    std::string const first(std::get<core::Problem>(bench.consume(code, li).answer).reason);
    std::string const replayed(std::get<core::Problem>(bench.consume(code, li).answer).reason);
    CHECK(first == replayed);
    return first;
  };
  CHECK(reason_of("0a3xyzABC_-def0123456789abcdefGH") == "login_code");
  CHECK(reason_of(std::string(64, 'a')) == "unknown");
  CHECK(reason_of("0a3xyzABC.+def0123456789abcdefGH") == "unknown");
  CHECK(bench.log_has(R"("reason":"login_code")"));
}

TEST_CASE(
    "what pages told and what the ledger had explain a refused code, also when they change afterwards") {
  Bench bench;
  core::CodeKey const code = bench.keyring.code_key(appid, core::Code("code-1"));
  core::WallTime const now = bench.clock.wall();
  core::ledger::Trace& trace = bench.ledger.traces[code];
  trace.issued = now - 6min;
  std::string_view reason = "expired";
  SUBCASE("it was five minutes old") {}
  SUBCASE("this server had its number") {
    trace.used = core::ledger::Trace::Use{.consumption = 41, .request_id = "r-of-then", .at = now - 2h};
    reason = "consumed_here";
  }
  bench.will_say_errcode(40029);
  CHECK(std::get<core::Problem>(bench.consume("code-1", li).answer).reason == reason);
  CHECK(bench.log_has(R"("reason":")" + std::string(reason)));
  CHECK(bench.log_has("code_issued_before"));
  CHECK(bench.log_has(R"("consumption":41,"by_request":"r-of-then","at":)" +
                      std::to_string(core::unix_seconds(now - 2h))) == trace.used.has_value());
  trace = {};
  PhoneResult const replayed = bench.consume("code-1", li);
  CHECK(replayed.replayed);
  CHECK(std::get<core::Problem>(replayed.answer).reason == reason);
}

TEST_CASE("only a refused code has a reason") {
  Bench bench;
  bench.ledger.traces[bench.keyring.code_key(appid, core::Code("code-1"))].issued = bench.clock.wall() - 6min;
  bench.will_say_errcode(-1);
  CHECK(std::get<core::Problem>(bench.consume("code-1", li).answer).reason.empty());
  CHECK(std::get<core::Problem>(bench.consume("code-1", li).answer).reason.empty());
  CHECK_FALSE(bench.log_has("code_issued_before"));
}

TEST_CASE("whoever brings another's code leaves a line that names the consumption it is of") {
  Bench bench;
  bench.will_say_number();
  (void)bench.consume("code-1", li);
  (void)bench.consume("code-1", wang);
  CHECK(bench.log_has("code_of_another_request"));
}

TEST_CASE("a code that WeChat did not look at is tried again by its caller") {
  Bench bench;
  bench.will_say_errcode(45011);
  PhoneResult const refused = bench.consume("code-1", li);
  CHECK(problem_in(refused) == "WECHAT_UNAVAILABLE");
  CHECK(bench.ledger.rows[0].state == State::retryable);
  CHECK(problem_in(bench.consume("code-1", wang)) == "CODE_ALREADY_USED");
  CHECK(bench.calls() == 1);
  bench.clock.advance(*retry_after_in(refused));
  bench.will_say_number();
  PhoneResult const again = bench.consume("code-1", li);
  CHECK(number_in(again) == number);
  CHECK_FALSE(again.replayed);
  CHECK(bench.calls() == 2);
  CHECK(bench.ledger.rows.size() == 1);
  CHECK(bench.ledger.rows[0].attempts == 2);
}

TEST_CASE("a retryable code that had no caller belongs to whoever presents it next") {
  Bench bench;
  bench.will_fail(core::Delivery::not_sent, core::TransportFailure::tls);
  CHECK(problem_in(bench.consume("code-1", nobody)) == "WECHAT_UNAVAILABLE");
  CHECK(bench.ledger.rows[0].cause == core::Cause::not_sent);
  bench.will_say_number();
  CHECK(number_in(bench.consume("code-1", wang)) == number);
  CHECK(number_in(bench.consume("code-1", wang)) == number);
  CHECK(problem_in(bench.consume("code-1", li)) == "CODE_ALREADY_USED");
  CHECK(bench.calls() == 2);
}

TEST_CASE("a used-up pack at WeChat's server is said to be free of charge, and the code stays good") {
  Bench bench;
  bench.will_say_errcode(1400001);
  PhoneResult const result = bench.consume("code-1", li);
  CHECK(problem_in(result) == "QUOTA_EXHAUSTED");
  CHECK(charged_in(result) == Charged::no);
  CHECK(bench.ledger.rows[0].state == State::retryable);
}

TEST_CASE("a refused token is refreshed once and the code sent once more") {
  for (int const errcode : {40001, 40014, 42001}) {
    CAPTURE(errcode);
    Bench bench;
    bench.will_say_errcode(errcode);
    bench.will_give(R"({"access_token":"token-2","expires_in":7200})");
    bench.will_say_number();
    CHECK(number_in(bench.consume("code-1", li)) == number);
    CHECK(bench.wechat.tokens_used == std::vector<std::string>{"token-1", "token-2"});
    CHECK(bench.wechat.token_requests == 2);
    CHECK(bench.ledger.rows.size() == 1);
    CHECK(bench.ledger.rows[0].attempts == 2);
    CHECK(bench.ledger.rows[0].state == State::ok);
  }
}

TEST_CASE("two exchanges refused the same token share its refresh") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_errcode(42001);
  bench.will_say_errcode(42001);
  auto first = bench.begin("code-1", li);
  auto second = bench.begin("code-2", li);
  bench.will_give(R"({"access_token":"token-2","expires_in":7200})");
  bench.will_say_number();
  bench.will_say_number();
  bench.wechat.let_go();
  bench.clock.settle();
  REQUIRE(first.done());
  REQUIRE(second.done());
  CHECK(number_in(first.value()) == number);
  CHECK(number_in(second.value()) == number);
  CHECK(bench.wechat.token_requests == 2);
}

TEST_CASE("a token refused twice leaves the code good") {
  Bench bench;
  bench.will_say_errcode(40001);
  bench.will_give(R"({"access_token":"token-2","expires_in":7200})");
  bench.will_say_errcode(40001);
  PhoneResult const result = bench.consume("code-1", li);
  CHECK(problem_in(result) == "WECHAT_UNAVAILABLE");
  CHECK(bench.calls() == 2);
  CHECK(bench.ledger.rows[0].state == State::retryable);
  CHECK(bench.ledger.rows[0].cause == core::Cause::token_refused);
}

TEST_CASE("where no newer token can be had the code is not sent again, and stays good") {
  struct Row {
    char const* token_reply;
    char const* problem;
  };
  for (Row const& row : {Row{R"({"errcode":-1,"errmsg":"system error"})", "WECHAT_UNAVAILABLE"},
                         Row{R"({"errcode":40125,"errmsg":"invalid appsecret"})", "SERVICE_MISCONFIGURED"}}) {
    CAPTURE(row.problem);
    Bench bench;
    bench.will_say_errcode(42001);
    bench.will_give(row.token_reply);
    CHECK(problem_in(bench.consume("code-1", li)) == row.problem);
    CHECK(bench.calls() == 1);
    CHECK(bench.ledger.rows[0].state == State::retryable);
  }
}

TEST_CASE("where the second attempt cannot be written the code is not sent again") {
  Bench bench;
  bench.ledger.accepts_resend = false;
  bench.will_say_errcode(42001);
  bench.will_give(R"({"access_token":"token-2","expires_in":7200})");
  CHECK(problem_in(bench.consume("code-1", li)) == "WECHAT_UNAVAILABLE");
  CHECK(bench.calls() == 1);
  CHECK(bench.ledger.rows[0].state == State::retryable);
  CHECK(bench.ledger.rows[0].attempts == 1);
}

TEST_CASE("with a wrong secret nothing is sent and nothing is written") {
  Bench bench(R"({"errcode":40001,"errmsg":"invalid credential"})");
  PhoneResult const result = bench.consume("code-1", li);
  CHECK(problem_in(result) == "SERVICE_MISCONFIGURED");
  CHECK(charged_in(result) == Charged::unknown);
  CHECK(bench.calls() == 0);
  CHECK(bench.ledger.rows.empty());
}

TEST_CASE("without a token nothing is sent and nothing is written") {
  Bench bench(R"({"errcode":-1,"errmsg":"system error"})");
  CHECK(problem_in(bench.consume("code-1", li)) == "WECHAT_UNAVAILABLE");
  CHECK(bench.calls() == 0);
  CHECK(bench.ledger.rows.empty());
}

TEST_CASE("without a line to WeChat nothing is sent and nothing is written") {
  Bench bench;
  bench.wechat.line_at_hand = false;
  bench.wechat.line_can_be_opened = false;
  CHECK(problem_in(bench.consume("code-1", li)) == "WECHAT_UNAVAILABLE");
  CHECK(bench.calls() == 0);
  CHECK(bench.ledger.rows.empty());
  bench.wechat.line_can_be_opened = true;
  bench.will_say_number();
  CHECK(number_in(bench.consume("code-1", li)) == number);
}

TEST_CASE("where the ledger cannot be written WeChat is not called") {
  Bench bench;
  bench.ledger.accepts = false;
  PhoneResult const result = bench.consume("code-1", li);
  CHECK(problem_in(result) == "STORAGE_UNAVAILABLE");
  CHECK(bench.calls() == 0);
  bench.ledger.accepts = true;
  bench.will_say_number();
  CHECK(number_in(bench.consume("code-1", li)) == number);
}

TEST_CASE(
    "until a restored ledger may be trusted every code is turned away unseen, and told when to come again") {
  Bench bench;
  bench.will_say_number();
  CHECK_FALSE(bench.service.refuses());
  bench.service.refuse_until(bench.clock.steady() + 6min);
  CHECK(bench.service.refuses());
  PhoneResult const at_once = bench.consume("code-1", li);
  CHECK(problem_in(at_once) == "WECHAT_UNAVAILABLE");
  CHECK(std::get<core::Problem>(at_once.answer).retry_after == 360s);
  bench.clock.advance(6min - 1ms);
  CHECK(bench.service.refuses());
  PhoneResult const at_last = bench.consume("code-1", li);
  CHECK(problem_in(at_last) == "WECHAT_UNAVAILABLE");
  CHECK(std::get<core::Problem>(at_last.answer).retry_after == 1s);
  CHECK(bench.calls() == 0);
  CHECK(bench.ledger.rows.empty());
  bench.clock.advance(1ms);
  CHECK_FALSE(bench.service.refuses());
  CHECK(number_in(bench.consume("code-1", li)) == number);
}

TEST_CASE("a client that leaves does not cut its exchange short") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say_number();
  asio::cancellation_signal leave;
  bool ended = false;
  auto on_end = [&ended](std::exception_ptr const& failure, PhoneResult const&) {
    ended = failure == nullptr;
  };
  asio::co_spawn(bench.loop, bench.service.consume(bench.request("code-1", li)),
                 asio::bind_cancellation_slot(leave.slot(), on_end));
  bench.clock.settle();
  REQUIRE(bench.calls() == 1);
  leave.emit(asio::cancellation_type::all);
  bench.clock.settle();
  CHECK_FALSE(ended);
  CHECK(bench.ledger.rows[0].state == State::sending);
  CHECK(bench.wechat.phone_replies.size() == 1);  // still waiting for it
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(ended);
  CHECK(bench.ledger.rows[0].state == State::ok);
  PhoneResult const repeat = bench.consume("code-1", li);
  CHECK(number_in(repeat) == number);
  CHECK(repeat.replayed);
}

TEST_CASE("a port that breaks its promise leaves nobody waiting") {
  Bench bench;
  bench.wechat.hold_answers = true;  // and no reply is scripted: the call throws
  auto first = bench.begin("code-1", li);
  auto second = bench.begin("code-1", li);
  bench.wechat.let_go();
  bench.clock.settle();
  REQUIRE(first.done());
  CHECK_THROWS_AS(first.value(), std::logic_error);
  REQUIRE(second.done());
  CHECK(problem_in(second.value()) == "SERVER_BUSY");
  CHECK(bench.service.in_flight() == 0);
}

TEST_CASE("the kind that a code was first presented with is the kind that is told") {
  Bench bench;
  bench.will_say_number();
  auto realtime = bench.request("code-1", li);
  realtime.kind = core::Kind::realtime;
  auto first = start(bench.loop, bench.service.consume(std::move(realtime)));
  bench.clock.settle();
  CHECK(first.value().kind == core::Kind::realtime);
  CHECK(bench.consume("code-1", li).kind == core::Kind::realtime);
}

TEST_CASE("an exchange is one log line, without code, number, token or secret") {
  Bench bench;
  bench.will_say_number();
  (void)bench.consume("secret-code-1", li);
  (void)bench.consume("secret-code-1", li);
  (void)bench.consume("secret-code-1", wang);
  bench.will_say_errcode(42001);
  bench.will_give(R"({"access_token":"token-2","expires_in":7200})");
  bench.will_say(R"({"errcode":40029,"errmsg":"invalid code secret-code-2 token-2 13800138000"})");
  (void)bench.consume("secret-code-2", li);
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
  (void)bench.consume("secret-code-3", li);
  bench.wechat.line_at_hand = false;
  bench.wechat.line_can_be_opened = false;
  (void)bench.consume("secret-code-4", li);

  int exchanges = 0;
  for (std::string const& line : bench.lines) {
    CAPTURE(line);
    if (line.find(R"("msg":"exchange")") != std::string::npos) {
      ++exchanges;
      CHECK(line.find(R"("request_id":"r-1")") != std::string::npos);
    }
    for (char const* const secret :
         {"secret-code", "1380013", "0138000", "token-1", "token-2", "the-app-secret", li, wang}) {
      CHECK(line.find(secret) == std::string::npos);
    }
  }
  CHECK(exchanges == 3);
}
