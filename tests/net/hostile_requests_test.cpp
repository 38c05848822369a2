#include "tests/net/hostile_requests.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/net/server_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

// No route of the bench has the corpus's paths: what is well-formed gets as far as the router's 404.
constexpr int reached_the_router = 404;

// Would be answered as the second request, if the first one's end were not where it seems.
std::string const smuggled = get("/hello");

core::Task<> expect_refusal(ServerBench& bench, Row const& row) {
  RawPeer client = co_await bench.connect();
  Received const answer = co_await client.ask(row.head + smuggled);
  CHECK(answer.status() == ServerBench::status_of(*row.expected));
  CHECK(answer.header("Connection") == "close");
  bool const ended = co_await client.ends();
  CHECK(ended);
}

core::Task<> expect_passage(ServerBench& bench, Row const& row) {
  RawPeer client = co_await bench.connect();
  Received const answer = co_await client.ask(row.head);
  CHECK(answer.status() == reached_the_router);
}

core::Task<> send_corpus(ServerBench& bench, std::vector<Row> rows) {
  for (Row const& row : rows) {
    CAPTURE(row.what);
    if (row.expected) {
      co_await expect_refusal(bench, row);
    } else {
      co_await expect_passage(bench, row);
    }
  }
}

bool is_only_line_ends(Row const& row) { return row.head == "\r\n\r\n"; }

}  // namespace

TEST_CASE("over a connection each request of the corpus is answered as the table says, plain and with TLS") {
  std::vector<Row> rows = all_rows();
  std::erase_if(rows, is_only_line_ends);  // before a request they are skipped
  CHECK(rows.size() >= 60);
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    bench.run(send_corpus(bench, rows));
    CHECK(bench.handled.empty());
  }
}

TEST_CASE("empty lines before a request are skipped, half ones are not") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const answer = co_await client.ask("\r\n\r\n" + get("/hello"));
    CHECK(answer.status() == 200);
    for (std::string const& half : {std::string("\n"), std::string("\r\n\n"), std::string("\r\r\n")}) {
      CAPTURE(half);
      RawPeer other = co_await bench.connect();
      Received const refused = co_await other.ask(half + get("/hello"));
      CHECK(refused.status() == 400);
      CHECK(refused.header("Connection") == "close");
    }
  };
  bench.run(test());
}
