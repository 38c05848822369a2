#include <doctest/doctest.h>

#include <string>

#include "tests/net/server_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

// Where a deadline is to be seen, all those before it lie this far ahead: without it the test would hang.
constexpr auto far_ahead = -1h;

TEST_CASE("a client that does not read its answer is left when the time for writing is over") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      bench.clock.lag = far_ahead;
      RawPeer client = co_await bench.connect();
      co_await client.send(get("/large"));  // whose handler leaves a tenth of a second for writing
      auto const hangs_at = std::chrono::steady_clock::now() + patience;
      while (!bench.logged(R"("path":"/large")") && std::chrono::steady_clock::now() < hangs_at)
        co_await bench.clock.sleep_until(std::chrono::steady_clock::now() + 1ms);
    };
    bench.run(test());
    CHECK(bench.logged(R"("answered":false)"));
  }
}

TEST_CASE("a connection that stays idle after a request is closed without a word, empty lines or not") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    bench.clock.lag = far_ahead;
    bench.on_line = [&bench](std::string_view) { bench.clock.lag = limits::keep_alive_idle_time - 100ms; };
    auto test = [&bench]() -> core::Task<> {
      RawPeer client = co_await bench.connect();
      Received const answer = co_await client.ask(get("/hello"));
      CHECK(answer.status() == 200);
      co_await client.send("\r\n");
      bool const ended = co_await client.ends();
      CHECK(ended);
    };
    bench.run(test());
  }
}

TEST_CASE("who does not answer the good-bye of TLS is waited for only so long") {
  ServerBench bench(true);
  bench.clock.lag = far_ahead;
  bench.on_line = [&bench](std::string_view) { bench.clock.lag = limits::tls_shutdown_time - 100ms; };
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const answer = co_await client.ask(get("/last"));
    CHECK(answer.status() == 200);
    auto const hangs_at = std::chrono::steady_clock::now() + patience;
    while (bench.server->connections() > 0 && std::chrono::steady_clock::now() < hangs_at)
      co_await bench.clock.sleep_until(std::chrono::steady_clock::now() + 1ms);
    CHECK(bench.server->connections() == 0);
  };
  bench.run(test());
}

TEST_CASE("empty lines do not prolong a plain client's time for its first byte") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    bench.clock.lag = limits::first_byte_time - 500ms;
    RawPeer client = co_await bench.connect();
    while (bench.server->connections() == 0)
      co_await bench.clock.sleep_until(std::chrono::steady_clock::now() + 1ms);
    bench.clock.lag = far_ahead;
    co_await client.send("\r\n");
    bool const ended = co_await client.ends();
    CHECK(ended);
  };
  bench.run(test());
}
