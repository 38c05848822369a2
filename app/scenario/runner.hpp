#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/scenario/caller.hpp"
#include "app/scenario/scenario.hpp"
#include "app/scenario/witness.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// One expectation that was not met, in words. Phone numbers are masked.
struct Mismatch {
  std::string what;
  std::string expected;
  std::string actual;
};

struct StepReport {
  std::string name;
  std::string outcome;  // "200 replayed", "409 CODE_IN_PROGRESS", "no request"
  std::vector<Mismatch> mismatches;
};

struct ScenarioReport {
  std::vector<StepReport> steps;
  std::string skipped_because;  // empty: it ran

  [[nodiscard]] bool passed() const;
};

/// "200", "200 replayed", "409 CODE_IN_PROGRESS", "no answer: connection closed".
[[nodiscard]] std::string outcome_of(CallAnswer const& answer);

/// Digits in a row that could be a phone number, masked as the ledger masks them.
[[nodiscard]] std::string with_masked_numbers(std::string_view text);

/// What the scenarios are run against, and who tells what came of it. Without a witness its expectations
/// are left out.
struct RunnerParts {
  Caller& caller;
  Target const& server;
  WechatWitness* wechat = nullptr;
  LedgerWitness const* ledger = nullptr;
  std::string appid;  // of the Referer
};

/// Plays scenarios one after the other, each once the server sends codes to WeChat (it stops for a while
/// where a scenario before has made it: at most a minute). Each gets a random ${run}, so that its codes are
/// new.
class Runner {
 public:
  explicit Runner(RunnerParts parts);
  Runner(Runner const&) = delete;
  Runner& operator=(Runner const&) = delete;
  ~Runner();

  /// `on_step` hears of each step as it ends.
  [[nodiscard]] ScenarioReport run(Scenario const& scenario,
                                   std::function<void(StepReport const&)> const& on_step);

  /// Whether an expectation was left out for want of that witness.
  [[nodiscard]] bool left_out_wechat() const { return left_out_wechat_; }
  [[nodiscard]] bool left_out_ledger() const { return left_out_ledger_; }

 private:
  struct Play;
  struct Before;

  void wait_until_served();
  [[nodiscard]] std::string referer() const;
  [[nodiscard]] std::vector<StepReport> run_group(StepGroup const& group);
  [[nodiscard]] Play begin(Step const& step, int number);
  void wait_for_answer(Step const& step, Play& play);
  [[nodiscard]] std::optional<std::string> value_of(std::string_view name, int number) const;
  [[nodiscard]] std::string filled(std::string_view text, int number) const;
  [[nodiscard]] boost::json::value filled_json(boost::json::value const& value, int number) const;
  [[nodiscard]] CallRequest render(Step const& step, Play& play) const;
  [[nodiscard]] std::string signed_authorization(SignTemplate const& sign, std::string_view method,
                                                 std::string_view target, std::string_view body,
                                                 int number) const;

  void check_answer(Step const& step, Play& play) const;
  void check_page(Step const& step, Play& play) const;
  void check_witnesses(Step const& step, Play& play, Before const& before);
  void check_ledger(LedgerExpectation const& expected, Play& play, Before const& before) const;
  void check_ledger_row(LedgerExpectation const& expected, Play& play) const;
  void check_wechat(WechatExpectation const& expected, Play& play, Before const& before) const;
  [[nodiscard]] Before look_before() const;

  RunnerParts parts_;
  std::string run_;
  int requests_ = 0;
  std::map<std::string, Play, std::less<>> played_;  // by step name
  bool left_out_wechat_ = false;
  bool left_out_ledger_ = false;
};

}  // namespace onetap::app
