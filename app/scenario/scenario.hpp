#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/scenario/page.hpp"
#include "core/clock.hpp"
#include "core/embedded_file.hpp"
#include "core/exchange/problem.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// A JSON scenario (docs/scenarios.md), read but not yet filled in: texts may hold ${placeholders}.
/// A step's name is in every report; other steps refer to it.

struct HeaderTemplate {
  std::string name;
  std::vector<std::string> values;  // none: the default header is left out
};

/// Sign this request as the page's component does (contract, "Who the caller is"). Texts are templates.
struct SignTemplate {
  std::string session;          // the token
  std::string key;              // base64
  std::string key_name;         // "session", or "wechat:<version>"
  std::string nonce_str;        // empty: a random one
  core::seconds clock_ahead{};  // of the page's clock
};

struct RequestTemplate {
  std::string method = "POST";
  std::string path = "/phone/consume";
  std::vector<HeaderTemplate> headers{};
  std::optional<boost::json::value> json{};
  std::optional<std::string> body{};
  std::optional<std::string> raw{};  // the whole request, bytes as they go out
  std::optional<SignTemplate> sign{};
  core::milliseconds patience{10'000};
  bool obeys_retry_after = false;  // a 503 is asked again as its Retry-After says, as the page would
};

/// A value to be found, or only whether there is one.
struct ValueExpectation {
  std::string path;  // "wechat.errcode", a header's name, or a ledger column
  std::optional<boost::json::value> value{};
  bool present = true;
};

struct LedgerExpectation {
  enum class Kind { row, no_row, unchanged } kind = Kind::row;
  std::string step{};  // whose request id the row has; empty: this step's
  std::vector<ValueExpectation> columns{};
};

struct WechatExpectation {
  bool unchanged = false;  // nobody asked for a number meanwhile
  std::string code{};      // empty: the request's own
  std::optional<std::int64_t> calls{};
  std::optional<std::int64_t> numbers{};
  std::optional<std::vector<std::optional<std::int64_t>>> errcodes{};
};

struct Expectation {
  std::optional<int> status{};
  bool no_answer = false;
  std::optional<std::string> problem{};
  std::optional<std::string> page{};
  std::vector<ValueExpectation> fields{};
  std::vector<ValueExpectation> headers{};
  std::optional<LedgerExpectation> ledger{};
  std::optional<WechatExpectation> wechat{};
};

struct Step {
  std::string name;
  std::optional<TapEvent> page{};  // what the page's button brings; it may end without a request
  RequestTemplate request{};
  int times = 1;
  Expectation expect{};
};

/// How many answers of a group are to be of a kind: "200", "200 replayed", "409 CODE_IN_PROGRESS"; several
/// kinds joined by " | " count together.
struct OutcomeCount {
  std::string outcome;
  int count = 0;
};

/// One step, or several at the same time.
struct StepGroup {
  std::vector<Step> steps;
  std::vector<OutcomeCount> outcomes{};
};

/// A POST to the sandbox's control surface, before the first step.
struct SandboxAction {
  std::string path;
  std::string body;
};

struct Scenario {
  std::string title_english;
  std::string title_chinese;
  std::vector<SandboxAction> setup;
  std::vector<StepGroup> groups;

  [[nodiscard]] std::string_view title(core::Language language) const {
    return language == core::Language::chinese ? title_chinese : title_english;
  }
};

/// Otherwise one sentence: the place in the file ("steps[2].expect") and what is wrong there.
[[nodiscard]] core::Result<Scenario, std::string> parse_scenario(std::string_view text);

/// scripts/scenarios/*.json, by name.
[[nodiscard]] std::span<core::EmbeddedFile const> embedded_scenarios();

}  // namespace onetap::app
