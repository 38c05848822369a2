#include "core/exchange/problem.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "core/exchange/presentation.hpp"

using namespace onetap::core;

namespace {

namespace json = boost::json;

json::object read(Problem const& problem, Language language = Language::chinese) {
  return json::parse(to_problem_json(problem, language, "r-1")).as_object();
}

std::string text(json::object const& object, std::string_view name) {
  return std::string(object.at(name).as_string());
}

WallTime at_second(int second) { return wall_time_of_unix_ms((1'790'000'040LL / 60 * 60 + second) * 1000); }

Problem after(Verdict verdict, std::optional<Unready> because = std::nullopt) {
  Answer const answer{.verdict = verdict, .errcode = 40001, .rid = "a-rid"};
  return problem_for(answer, because, at_second(0));
}

}  // namespace

TEST_CASE("every problem of the contract's table says what the table says") {
  struct Row {
    ProblemCode code;
    char const* name;
    int status;
    char const* retry;
    char const* urn;
  };
  std::vector<Row> const table{
      {ProblemCode::invalid_request, "INVALID_REQUEST", 400, "never", "urn:onetap:problem:invalid-request"},
      {ProblemCode::session_required, "SESSION_REQUIRED", 401, "login",
       "urn:onetap:problem:session-required"},
      {ProblemCode::session_expired, "SESSION_EXPIRED", 401, "login", "urn:onetap:problem:session-expired"},
      {ProblemCode::signature_invalid, "SIGNATURE_INVALID", 401, "login",
       "urn:onetap:problem:signature-invalid"},
      {ProblemCode::timestamp_skewed, "TIMESTAMP_SKEWED", 401, "same_code",
       "urn:onetap:problem:timestamp-skewed"},
      {ProblemCode::nonce_replayed, "NONCE_REPLAYED", 401, "same_code", "urn:onetap:problem:nonce-replayed"},
      {ProblemCode::user_blocked, "USER_BLOCKED", 403, "never", "urn:onetap:problem:user-blocked"},
      {ProblemCode::decrypt_failed, "DECRYPT_FAILED", 422, "login", "urn:onetap:problem:decrypt-failed"},
      {ProblemCode::rate_limited, "RATE_LIMITED", 429, "later", "urn:onetap:problem:rate-limited"},
      {ProblemCode::origin_forbidden, "ORIGIN_FORBIDDEN", 403, "never",
       "urn:onetap:problem:origin-forbidden"},
      {ProblemCode::not_found, "NOT_FOUND", 404, "never", "urn:onetap:problem:not-found"},
      {ProblemCode::method_not_allowed, "METHOD_NOT_ALLOWED", 405, "never",
       "urn:onetap:problem:method-not-allowed"},
      {ProblemCode::unsupported_media_type, "UNSUPPORTED_MEDIA_TYPE", 415, "never",
       "urn:onetap:problem:unsupported-media-type"},
      {ProblemCode::payload_too_large, "PAYLOAD_TOO_LARGE", 413, "never",
       "urn:onetap:problem:payload-too-large"},
      {ProblemCode::uri_too_long, "URI_TOO_LONG", 414, "never", "urn:onetap:problem:uri-too-long"},
      {ProblemCode::headers_too_large, "HEADERS_TOO_LARGE", 431, "never",
       "urn:onetap:problem:headers-too-large"},
      {ProblemCode::length_required, "LENGTH_REQUIRED", 411, "never", "urn:onetap:problem:length-required"},
      {ProblemCode::request_timeout, "REQUEST_TIMEOUT", 408, "never", "urn:onetap:problem:request-timeout"},
      {ProblemCode::unauthorized, "UNAUTHORIZED", 401, "never", "urn:onetap:problem:unauthorized"},
      {ProblemCode::code_in_progress, "CODE_IN_PROGRESS", 409, "never",
       "urn:onetap:problem:code-in-progress"},
      {ProblemCode::code_already_used, "CODE_ALREADY_USED", 409, "new_code",
       "urn:onetap:problem:code-already-used"},
      {ProblemCode::code_invalid, "CODE_INVALID", 422, "new_code", "urn:onetap:problem:code-invalid"},
      {ProblemCode::watermark_mismatch, "WATERMARK_MISMATCH", 502, "new_code",
       "urn:onetap:problem:watermark-mismatch"},
      {ProblemCode::quota_exhausted, "QUOTA_EXHAUSTED", 402, "later", "urn:onetap:problem:quota-exhausted"},
      {ProblemCode::outcome_unknown, "OUTCOME_UNKNOWN", 502, "new_code",
       "urn:onetap:problem:outcome-unknown"},
      {ProblemCode::wechat_unavailable, "WECHAT_UNAVAILABLE", 503, "same_code",
       "urn:onetap:problem:wechat-unavailable"},
      {ProblemCode::service_misconfigured, "SERVICE_MISCONFIGURED", 503, "later",
       "urn:onetap:problem:service-misconfigured"},
      {ProblemCode::server_busy, "SERVER_BUSY", 503, "same_code", "urn:onetap:problem:server-busy"},
      {ProblemCode::storage_unavailable, "STORAGE_UNAVAILABLE", 503, "same_code",
       "urn:onetap:problem:storage-unavailable"},
      {ProblemCode::internal, "INTERNAL", 500, "later", "urn:onetap:problem:internal"},
  };
  for (Row const& row : table) {
    CAPTURE(row.name);
    CHECK(kind_of(row.code).status == row.status);
    json::object const problem = read({.code = row.code});
    CHECK(text(problem, "code") == row.name);
    CHECK(text(problem, "type") == row.urn);
    CHECK(text(problem, "retry") == row.retry);
    CHECK(problem.at("status").as_int64() == row.status);
    CHECK_FALSE(text(problem, "title").empty());
    CHECK(text(problem, "requestId") == "r-1");
  }
  CHECK(problem_kinds().size() == table.size());  // no row without a test
}

TEST_CASE("every problem speaks Chinese, and English to those who ask") {
  for (ProblemKind const& kind : problem_kinds()) {
    CAPTURE(kind.name);
    std::string const chinese = text(read({.code = kind.code}, Language::chinese), "detail");
    std::string const english = text(read({.code = kind.code}, Language::english), "detail");
    REQUIRE_FALSE(chinese.empty());
    REQUIRE_FALSE(english.empty());
    CHECK(static_cast<unsigned char>(chinese.front()) >= 0xe3);  // a Han character in UTF-8
    for (char const letter : english) CHECK(static_cast<unsigned char>(letter) < 0x80);
  }
  CHECK(text(read({.code = ProblemCode::code_invalid}), "detail") == "授权已过期，请重新点击");
  CHECK(text(read({.code = ProblemCode::quota_exhausted}), "detail") == "当前额度不足");
}

TEST_CASE("the language is Chinese unless English is asked for first") {
  for (char const* const field : {"en", "EN", "en-US", "en-GB,en;q=0.9", "en;q=0.5", "en,zh-CN"}) {
    CAPTURE(field);
    CHECK(language_of(field) == Language::english);
  }
  for (char const* const field :
       {"", "zh", "zh-CN,zh;q=0.9,en;q=0.8", "fr, en", "e", "eng", "enx-US", "*", ";", ",en", "-en"}) {
    CAPTURE(field);
    CHECK(language_of(field) == Language::chinese);
  }
}

TEST_CASE("charged stands on a problem from the moment a code was read") {
  CHECK_FALSE(read({.code = ProblemCode::not_found}).contains("charged"));
  CHECK(text(read({.code = ProblemCode::code_invalid, .charged = Charged::unknown}), "charged") == "unknown");
  CHECK(text(read({.code = ProblemCode::code_already_used, .charged = Charged::yes}), "charged") == "yes");
  CHECK(text(read({.code = ProblemCode::quota_exhausted, .charged = Charged::no}), "charged") == "no");
}

TEST_CASE("a skewed page learns the server's time in unix seconds, and nobody else does") {
  json::object const problem =
      read({.code = ProblemCode::timestamp_skewed, .server_time = wall_time_of_unix_ms(1'790'000'000'999)});
  CHECK(problem.at("serverTime").as_int64() == 1'790'000'000);
  CHECK_FALSE(read({.code = ProblemCode::signature_invalid}).contains("serverTime"));
}

TEST_CASE("a problem may ask for another retry than its kind does") {
  CHECK(text(read({.code = ProblemCode::rate_limited, .retry = Retry::same_code}), "retry") == "same_code");
}

TEST_CASE("an errcode of WeChat's is shown with its rid, and only then") {
  CHECK_FALSE(read({.code = ProblemCode::code_invalid}).contains("wechat"));
  json::object const problem =
      read({.code = ProblemCode::code_invalid, .errcode = 40029, .rid = "6458a111-5785bc4d-452368fb"});
  json::object const& wechat = problem.at("wechat").as_object();
  CHECK(wechat.at("errcode").as_int64() == 40029);
  CHECK(text(wechat, "rid") == "6458a111-5785bc4d-452368fb");
}

TEST_CASE("the field at fault is named in detail") {
  Problem const problem{.code = ProblemCode::invalid_request, .field = "code is missing"};
  CHECK(text(read(problem, Language::english), "detail").find("code is missing") != std::string::npos);
  CHECK(text(read(problem, Language::chinese), "detail").find("code is missing") != std::string::npos);
}

TEST_CASE("what a client sent is escaped in the problem") {
  Problem const problem{.code = ProblemCode::invalid_request, .field = "a\"b\\c\n"};
  CHECK(text(read(problem, Language::english), "detail").ends_with("a\"b\\c\n"));
}

TEST_CASE("each verdict becomes the problem, the charge and the patience that the contract names") {
  struct Row {
    Problem problem;
    ProblemCode code;
    Charged charged;
    std::optional<seconds> retry_after;
    bool shows_wechat;
  };
  std::optional<seconds> const none;
  for (Row const& row : {
           Row{after(Verdict::code_invalid), ProblemCode::code_invalid, Charged::unknown, none, true},
           Row{after(Verdict::token_refused), ProblemCode::wechat_unavailable, Charged::unknown, seconds(2),
               true},
           Row{after(Verdict::token_refused, Unready{Unready::Why::no_token}),
               ProblemCode::wechat_unavailable, Charged::unknown, seconds(2), true},
           Row{after(Verdict::token_refused, Unready{Unready::Why::token_misconfigured}),
               ProblemCode::service_misconfigured, Charged::unknown, seconds(5), true},
           Row{after(Verdict::rate_limited), ProblemCode::wechat_unavailable, Charged::unknown, seconds(60),
               true},
           Row{after(Verdict::misconfigured), ProblemCode::service_misconfigured, Charged::unknown,
               seconds(5), true},
           Row{after(Verdict::no_quota), ProblemCode::quota_exhausted, Charged::no, seconds(60), true},
           Row{after(Verdict::not_sent), ProblemCode::wechat_unavailable, Charged::unknown, seconds(1),
               false},
           Row{after(Verdict::doubt), ProblemCode::outcome_unknown, Charged::unknown, none, true},
       }) {
    CAPTURE(kind_of(row.code).name);
    CHECK(row.problem.code == row.code);
    CHECK(row.problem.charged == row.charged);
    CHECK(row.problem.retry_after == row.retry_after);
    CHECK(row.problem.errcode.has_value() == row.shows_wechat);
    CHECK(row.problem.rid.empty() != row.shows_wechat);
  }
}

TEST_CASE("a minute's limit is waited for until the minute ends") {
  Answer const answer{.verdict = Verdict::rate_limited, .errcode = 45011};
  CHECK(problem_for(answer, std::nullopt, at_second(0)).retry_after == seconds(60));
  CHECK(problem_for(answer, std::nullopt, at_second(1)).retry_after == seconds(59));
  CHECK(problem_for(answer, std::nullopt, at_second(59)).retry_after == seconds(1));
}

TEST_CASE("a foreign or stale watermark is charged, and its number is not told") {
  Answer const answer{.verdict = Verdict::doubt, .cause = Cause::watermark, .errcode = 0};
  Problem const problem = problem_for(answer, std::nullopt, at_second(0));
  CHECK(problem.code == ProblemCode::watermark_mismatch);
  CHECK(problem.charged == Charged::yes);
}

TEST_CASE("what is stored is told to its caller") {
  Problem const rejected =
      problem_for(ledger::Stored{.state = State::rejected, .errcode = 40029, .rid = "a-rid"});
  CHECK(rejected.code == ProblemCode::code_invalid);
  CHECK(rejected.charged == Charged::unknown);
  CHECK(rejected.errcode == 40029);
  CHECK(rejected.rid == "a-rid");
  Problem const doubtful = problem_for(ledger::Stored{.state = State::in_doubt, .cause = Cause::crash});
  CHECK(doubtful.code == ProblemCode::outcome_unknown);
  CHECK(doubtful.charged == Charged::unknown);
  CHECK_FALSE(doubtful.errcode.has_value());
  Problem const foreign = problem_for(ledger::Stored{.state = State::in_doubt, .cause = Cause::watermark});
  CHECK(foreign.code == ProblemCode::outcome_unknown);
  CHECK(foreign.charged == Charged::yes);
}

TEST_CASE("a code that is someone else's is told apart by its progress only") {
  CHECK(problem_for(ledger::NotYours{.in_progress = true}).code == ProblemCode::code_in_progress);
  CHECK(problem_for(ledger::NotYours{.in_progress = true}).charged == Charged::unknown);
  CHECK(problem_for(ledger::NotYours{}).code == ProblemCode::code_already_used);
  CHECK(problem_for(ledger::NotYours{}).charged == Charged::unknown);
  CHECK(problem_for(ledger::NotYours{.charged = true}).charged == Charged::yes);
}

TEST_CASE("what was not begun leaves the code good and says when to come again") {
  struct Row {
    Problem problem;
    ProblemCode code;
    seconds retry_after;
  };
  for (Row const& row :
       {Row{problem_for(Unready{Unready::Why::no_token}), ProblemCode::wechat_unavailable, seconds(2)},
        Row{problem_for(Unready{Unready::Why::no_line}), ProblemCode::wechat_unavailable, seconds(2)},
        Row{problem_for(Unready{Unready::Why::token_misconfigured}), ProblemCode::service_misconfigured,
            seconds(5)},
        Row{storage_unavailable(), ProblemCode::storage_unavailable, seconds(5)},
        Row{server_busy(), ProblemCode::server_busy, seconds(1)}}) {
    CAPTURE(kind_of(row.code).name);
    CHECK(row.problem.code == row.code);
    CHECK(row.problem.charged == Charged::unknown);
    CHECK(row.problem.retry_after == row.retry_after);
    CHECK(kind_of(row.code).status == 503);
  }
}
