#include "core/exchange/diagnosis.hpp"

#include <doctest/doctest.h>

namespace onetap::core {
namespace {

using namespace std::chrono_literals;

WallTime const now{1'795'320'000s};
Code const button_code(std::string(64, 'a'));
Code const login_code("0a3xyzABC_-def0123456789abcdefGH");

ledger::Trace issued(milliseconds ago) { return {.issued = now - ago, .used = std::nullopt}; }

}  // namespace

TEST_CASE("a refused code of which nothing is known is unknown, unless it looks like one of wx.login") {
  CHECK(diagnose(button_code, {}, now) == Reason::unknown);
  CHECK(diagnose(login_code, {}, now) == Reason::login_code);
}

TEST_CASE("a code that a page got five minutes ago has expired; a younger one was good, as far as we know") {
  CHECK(diagnose(button_code, issued(5min), now) == Reason::expired);
  CHECK(diagnose(button_code, issued(5min - 1ms), now) == Reason::unknown);
  // The button brought it, whatever it looks like.
  CHECK(diagnose(login_code, issued(1min), now) == Reason::unknown);
  CHECK(diagnose(login_code, issued(6min), now) == Reason::expired);
}

TEST_CASE("that this server had its number explains more than its age") {
  ledger::Trace trace = issued(2h);
  trace.used = ledger::Trace::Use{.consumption = 7, .request_id = "r-1", .at = now - 2h};
  CHECK(diagnose(button_code, trace, now) == Reason::consumed_here);
}

TEST_CASE("each reason has its name, and none has none") {
  for (std::string const name : {"unknown", "login_code", "expired", "consumed_here"})
    CHECK(to_string(reason_from(name).value()) == name);
  CHECK(to_string(Reason::none).empty());
  CHECK_FALSE(reason_from("Expired").has_value());
}

}  // namespace onetap::core
