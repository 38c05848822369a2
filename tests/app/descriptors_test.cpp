#include "app/descriptors.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <chrono>
#include <string>
#include <vector>

#include "core/limits.hpp"

using namespace onetap;
using namespace onetap::app;
namespace limits = core::limits;

namespace {

/// Puts the process's limit back.
class LimitKept {
 public:
  LimitKept() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  LimitKept(LimitKept const&) = delete;
  LimitKept& operator=(LimitKept const&) = delete;
  ~LimitKept() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  [[nodiscard]] rlim_t most() const { return before_.rlim_max; }

 private:
  ::rlimit before_{};
};

std::vector<std::string> lines_of(std::size_t connections_max, std::size_t& granted) {
  std::vector<std::string> lines;
  core::Log const log([&lines](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                      core::LogLevel::info, [] { return core::WallTime(); });
  granted = provide_descriptors(connections_max, {}, log);
  return lines;
}

}  // namespace

TEST_CASE("beside the connections there are descriptors for codes, logins and operators at their most") {
  std::size_t const beside = descriptors_beside_connections({});
  CHECK(beside > limits::wechat_calls_max + limits::wechat_idle_lines_max + limits::logins_in_flight_max +
                     operator_connections_max);
  CHECK(descriptors_beside_connections({.with_sandbox = true}) >
        beside + limits::wechat_calls_max + limits::logins_in_flight_max);
  CHECK(descriptors_beside_connections({.mini_programs = 3}) ==
        beside + 2 * (limits::wechat_calls_max + limits::logins_in_flight_max));
}

TEST_CASE("where descriptors are few, connections give way and codes do not") {
  std::size_t const beside = descriptors_beside_connections({});
  constexpr std::size_t wanted = 10'000;
  CHECK(connections_that_fit(wanted, wanted + beside, {}) == wanted);
  CHECK(connections_that_fit(wanted, 2 * (wanted + beside), {}) == wanted);
  CHECK(connections_that_fit(wanted, wanted + beside - 1, {}) == wanted - 1);
  CHECK(connections_that_fit(wanted, 1024, {}) == 1024 - beside);
  CHECK(connections_that_fit(wanted, 400, {}) == 100);
  CHECK(connections_that_fit(10, 400, {}) == 10);
}

TEST_CASE("the limit is raised as far as is wanted, without a word") {
  LimitKept const kept;
  std::size_t const beside = descriptors_beside_connections({});
  REQUIRE(kept.most() > beside + 100);
  ::rlimit const low{.rlim_cur = 256, .rlim_max = kept.most()};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::size_t granted = 0;
  CHECK(lines_of(100, granted).empty());
  CHECK(granted == 100);
  ::rlimit raised{};
  ::getrlimit(RLIMIT_NOFILE, &raised);
  CHECK(raised.rlim_cur == beside + 100);
}

TEST_CASE("a limit that cannot be raised is told of, with the connections that are held then") {
  LimitKept const kept;
  std::size_t granted = 0;
  std::size_t const beside = descriptors_beside_connections({});
  std::size_t const wanted = kept.most();  // as many connections as there are descriptors in all
  auto const lines = lines_of(wanted, granted);
  REQUIRE(lines.size() == 1);
  CHECK(granted == wanted - beside);
  CHECK(lines.front().find(R"("msg":"descriptor_limit_low")") != std::string::npos);
  CHECK(lines.front().find(R"("connections_max":)" + std::to_string(granted) + ",") != std::string::npos);
}
