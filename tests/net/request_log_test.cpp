#include "net/server/request_log.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/net/server_bench.hpp"
#include "tests/support/manual_clock.hpp"

using namespace onetap;
using namespace onetap::tests;
using net::RequestLog;

namespace {

struct LogBench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::info, [this] { return clock.wall(); }};
  RequestLog requests{clock, log};

  void answer(int status, std::string_view problem, RequestLog::Kind kind) {
    Request const request{.method = "GET",
                          .path = "/x",
                          .remote_address = "198.51.100.1",
                          .client_address = "198.51.100.1",
                          .request_id = "id",
                          .arrived = clock.steady(),
                          .path_is_known = true};
    Response const response{.status = status, .problem = problem};
    requests.write({.listener = "public", .request = request, .response = response, .kind = kind});
  }
  void refuse(int status, std::string_view problem) {
    answer(status, problem, RequestLog::Kind::one_of_many);
  }
};

std::size_t lines_with(std::vector<std::string> const& lines, std::string const& text) {
  std::size_t count = 0;
  for (std::string const& line : lines) count += line.find(text) == std::string::npos ? 0 : 1;
  return count;
}

core::Task<> ask_many(ServerBench& bench, std::vector<std::string> requests) {
  for (int i = 0; i < 5; ++i) {
    for (std::string const& request : requests) {
      RawPeer client = co_await bench.connect();
      Received const answer = co_await client.ask(request);
      CHECK(answer.status() != 0);
    }
  }
}

}  // namespace

TEST_CASE("a request of its own has its line each time") {
  LogBench bench;
  for (int i = 0; i < 3; ++i) bench.answer(200, "", RequestLog::Kind::of_its_own);
  CHECK(lines_with(bench.lines, "\"status\":200") == 3);
  CHECK(lines_with(bench.lines, "repeats") == 0);
  CHECK(bench.lines.front().ends_with(
      R"("level":"info","msg":"request","listener":"public","request_id":"id","method":"GET","path":"/x",)"
      R"("status":200,"latency_ms":0,"remote":"198.51.100.1","answered":true})"));
}

TEST_CASE("of those that are one of many the first is written, and one a minute with their number") {
  LogBench bench;
  for (int i = 0; i < 1000; ++i) bench.refuse(404, "NOT_FOUND");
  CHECK(bench.lines.size() == 1);
  CHECK(lines_with(bench.lines, "repeats") == 0);
  bench.clock.advance(limits::repeated_log_interval - 1ms);
  bench.refuse(404, "NOT_FOUND");
  CHECK(bench.lines.size() == 1);
  bench.clock.advance(1ms);
  bench.refuse(404, "NOT_FOUND");
  CHECK(bench.lines.size() == 2);
  CHECK(bench.lines.back().ends_with(R"("problem":"NOT_FOUND","repeats":1000})"));
  bench.clock.advance(limits::repeated_log_interval);
  bench.refuse(404, "NOT_FOUND");
  CHECK(bench.lines.size() == 3);
  CHECK(bench.lines.back().ends_with(R"("problem":"NOT_FOUND"})"));
}

TEST_CASE("each status and problem is counted for itself") {
  LogBench bench;
  for (int i = 0; i < 3; ++i) {
    bench.refuse(404, "NOT_FOUND");
    bench.refuse(401, "SESSION_REQUIRED");
    bench.refuse(401, "SIGNATURE_INVALID");
    bench.refuse(200, "");
  }
  CHECK(bench.lines.size() == 4);
  bench.clock.advance(limits::repeated_log_interval);
  bench.refuse(200, "");
  CHECK(bench.lines.back().ends_with(R"("answered":true,"repeats":2})"));
}

TEST_CASE("at level debug every request has its line") {
  LogBench bench;
  bench.log.set_level(core::LogLevel::debug);
  for (int i = 0; i < 3; ++i) bench.refuse(404, "NOT_FOUND");
  CHECK(lines_with(bench.lines, "\"status\":404") == 3);
}

TEST_CASE("whatever a stranger is answered without any work leaves one line a minute") {
  ServerBench bench;
  bench.log.set_level(core::LogLevel::info);
  bench.run(ask_many(bench, {get("/nothing"), post("/hello", ""), post("/gate", "{}"), get("/limited"),
                             get("/healthz"), post("/json", std::string(limits::body_bytes_max + 1, ' ')),
                             "POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                             get("/hello", "Transfer-Encoding: chunked\r\n"), "nonsense\r\n\r\n"}));
  for (std::string const status : {"404", "405", "403", "429", "200", "413", "415", "411", "400"}) {
    CAPTURE(status);
    CHECK(lines_with(bench.lines, R"("status":)" + status) == 1);
  }
}

TEST_CASE("who counts hears of each answer: its route's place, its status and its problem") {
  std::vector<std::string> heard;
  auto const note = [&](net::AnsweredRequest const& request) {
    heard.push_back(std::to_string(request.route) + " " + std::to_string(request.status) + " " +
                    std::string(request.problem));
  };
  ServerBench bench(false, {.observe = note});
  auto const ask = [](ServerBench& asked) -> core::Task<> {
    for (std::string const& request : {get("/hello"), get("/nothing"), post("/gate", "{}"),
                                       std::string("nonsense\r\n\r\n"), get("/limited")}) {
      RawPeer client = co_await asked.connect();
      Received const answer = co_await client.ask(request);
      CHECK(answer.status() != 0);
    }
  };
  bench.run(ask(bench));
  // 15 routes are there: the 15th place is that of requests that fit none.
  CHECK(heard == std::vector<std::string>{"0 200 ", "15 404 ", "5 403 ", "15 400 ", "13 429 RATE_LIMITED"});
}

TEST_CASE("what was done, and what failed, keeps its line") {
  ServerBench bench;
  bench.log.set_level(core::LogLevel::info);
  bench.run(ask_many(bench, {get("/hello"), get("/fail")}));
  CHECK(lines_with(bench.lines, R"("status":200)") == 5);
  CHECK(lines_with(bench.lines, R"("status":500)") == 5);
}
