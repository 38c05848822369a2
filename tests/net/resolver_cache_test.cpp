#include "net/wechat/resolver_cache.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "net/task_group.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

net::Endpoints endpoints(std::vector<std::string> const& addresses) {
  net::Endpoints made;
  for (std::string const& address : addresses) made.emplace_back(asio::ip::make_address(address), 443);
  return made;
}

/// Names as a test has them stand for addresses, and how often each was asked for.
struct ResolverBench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::map<std::string, net::Endpoints> known;
  std::map<std::string, int> asked;
  net::TaskGroup tasks{loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }};

  net::ResolverCache cache(std::vector<net::ResolverCache::Name> const& names) {
    return {clock, names,
            [this](std::string host, unsigned short port) { return find(std::move(host), port); }};
  }

  void run(net::ResolverCache& cache) {
    tasks.spawn(cache.run());
    clock.settle();
  }

  void stop(net::ResolverCache& cache) {
    cache.stop();
    clock.settle();
    CHECK(tasks.size() == 0);
  }

 private:
  using Found = core::Result<net::Endpoints, boost::system::error_code>;

  core::Task<Found> find(std::string host, unsigned short port) {
    CHECK(port == 443);
    ++asked[host];
    auto const found = known.find(host);
    if (found == known.end()) co_return Found(boost::system::in_place_error, asio::error::host_not_found);
    co_return Found(boost::system::in_place_value, found->second);
  }
};

}  // namespace

TEST_CASE("a name is resolved at once, and anew each minute") {
  ResolverBench bench;
  bench.known["a"] = endpoints({"192.0.2.1"});
  auto cache = bench.cache({{.host = "a", .port = 443}});
  CHECK(cache.endpoints(0).empty());
  bench.run(cache);
  CHECK(cache.endpoints(0) == endpoints({"192.0.2.1"}));
  bench.known["a"] = endpoints({"192.0.2.2", "192.0.2.3"});
  bench.clock.advance(59s);
  CHECK(bench.asked["a"] == 1);
  bench.clock.advance(1s);
  CHECK(bench.asked["a"] == 2);
  CHECK(cache.endpoints(0) == endpoints({"192.0.2.2", "192.0.2.3"}));
  bench.stop(cache);
}

TEST_CASE("a name that is not found any more keeps the addresses found last, and is asked for each second") {
  ResolverBench bench;
  bench.known["a"] = endpoints({"192.0.2.1"});
  auto cache = bench.cache({{.host = "a", .port = 443}});
  bench.run(cache);
  bench.known.clear();
  bench.clock.advance(60s);
  CHECK(cache.endpoints(0) == endpoints({"192.0.2.1"}));
  bench.clock.advance(2s);
  CHECK(bench.asked["a"] == 4);
  bench.stop(cache);
}

TEST_CASE("a name that is not found does not hurry the others") {
  ResolverBench bench;
  bench.known["b"] = endpoints({"192.0.2.1"});
  auto cache = bench.cache({{.host = "a", .port = 443}, {.host = "b", .port = 443}});
  bench.run(cache);
  CHECK(cache.endpoints(0).empty());
  CHECK(cache.reason(0).starts_with("Host not found"));
  CHECK(cache.endpoints(1) == endpoints({"192.0.2.1"}));
  bench.clock.advance(30s);
  CHECK(bench.asked["a"] == 31);
  CHECK(bench.asked["b"] == 1);
  bench.stop(cache);
}

TEST_CASE("an address needs no resolving") {
  ResolverBench bench;
  auto cache = bench.cache({{.host = "192.0.2.1", .port = 443}, {.host = "2001:db8::1", .port = 443}});
  CHECK(cache.endpoints(0) == endpoints({"192.0.2.1"}));
  CHECK(cache.endpoints(1) == endpoints({"2001:db8::1"}));
  bench.run(cache);
  CHECK(bench.tasks.size() == 0);
  CHECK(bench.asked.empty());
}

TEST_CASE("who waits for a name hears of the first that is found") {
  ResolverBench bench;
  auto cache = bench.cache({{.host = "a", .port = 443}});
  bench.run(cache);
  auto waiting = start(bench.loop, cache.wait_for_news(bench.clock.steady() + 10s));
  auto impatient = start(bench.loop, cache.wait_for_news(bench.clock.steady() + 500ms));
  bench.clock.advance(900ms);
  CHECK_FALSE(waiting.done());
  CHECK_FALSE(impatient.value());
  bench.known["a"] = endpoints({"192.0.2.1"});
  bench.clock.advance(100ms);
  CHECK(waiting.value());
  bench.stop(cache);
}

TEST_CASE("after stop() nobody waits any more") {
  ResolverBench bench;
  auto cache = bench.cache({{.host = "a", .port = 443}});
  bench.run(cache);
  auto waiting = start(bench.loop, cache.wait_for_news(bench.clock.steady() + 10s));
  bench.clock.settle();
  bench.stop(cache);
  CHECK_FALSE(waiting.value());
  auto late = start(bench.loop, cache.wait_for_news(bench.clock.steady() + 10s));
  bench.clock.settle();
  CHECK_FALSE(late.value());
}

TEST_CASE("of a name with very many addresses the first ones count") {
  ResolverBench bench;
  for (int i = 0; i < 200; ++i)
    bench.known["a"].emplace_back(asio::ip::make_address("192.0.2." + std::to_string(i)), 443);
  auto cache = bench.cache({{.host = "a", .port = 443}});
  bench.run(cache);
  REQUIRE(cache.endpoints(0).size() == core::limits::resolved_endpoints_max);
  CHECK(cache.endpoints(0).front() == bench.known["a"].front());
  bench.stop(cache);
}
