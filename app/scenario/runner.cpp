#include "app/scenario/runner.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <stdexcept>

#include "app/scenario/placeholders.hpp"
#include "core/crypto/digest.hpp"
#include "core/gate/signature.hpp"
#include "core/secret.hpp"

namespace onetap::app {

namespace json = boost::json;

namespace {

using boost::beast::iequals;
using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// A placeholder whose step did not yield what it names. Never leaves the runner.
class NoValue : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string random_run() {
  std::array<unsigned char, 8> bytes{};
  core::crypto::fill_random(bytes);
  return core::crypto::to_hex(bytes);
}

std::optional<json::value> parsed(std::string_view body) {
  boost::system::error_code failure;
  json::value value = json::parse(body, failure);
  if (failure) return std::nullopt;
  return value;
}

// "wechat.errcode" in {"wechat":{"errcode":40029}}.
json::value const* find_path(json::value const& value, std::string_view path) {
  json::value const* found = &value;
  while (found != nullptr && !path.empty()) {
    std::size_t const dot = std::min(path.find('.'), path.size());
    json::object const* const object = found->if_object();
    found = object == nullptr ? nullptr : object->if_contains(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return found;
}

std::string shown(json::value const& value) { return with_masked_numbers(json::serialize(value)); }

std::string shown_or_absent(json::value const* value) {
  return value == nullptr ? std::string("absent") : shown(*value);
}

json::value as_json(storage::Value const& value) {
  if (auto const* const integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (auto const* const text = std::get_if<std::string>(&value)) return json::value(*text);
  if (auto const* const real = std::get_if<double>(&value)) return *real;
  return nullptr;
}

std::optional<core::seconds> retry_after(CallAnswer const& answer) {
  constexpr int pause_max_s = 65;
  std::string_view const text = answer.header("Retry-After");
  int pause_s = 0;
  auto const read = std::from_chars(text.data(), text.data() + text.size(), pause_s);
  bool const is_number = read.ec == std::errc() && read.ptr == text.data() + text.size();
  if (!is_number || pause_s < 0 || pause_s > pause_max_s) return std::nullopt;
  return core::seconds(pause_s);
}

void set_header(HeaderList& headers, std::string const& name, std::vector<std::string> const& values) {
  std::erase_if(headers, [&name](auto const& header) { return iequals(header.first, name); });
  for (std::string const& value : values) headers.emplace_back(name, value);
}

std::string errcode_list(std::vector<std::optional<std::int64_t>> const& errcodes) {
  std::string list;
  for (auto const& errcode : errcodes) {
    if (!list.empty()) list += ", ";
    list += errcode ? std::to_string(*errcode) : "no answer";
  }
  return list.empty() ? "no call" : list;
}

}  // namespace

/// One request of a step on its way, and what came of it.
struct Runner::Play {
  int number = 1;
  std::string request_id;
  std::string code;  // the request's; empty without one
  CallRequest request;
  std::shared_ptr<Caller::Call> call;
  std::optional<std::string> words;  // of a page that asked nobody
  CallAnswer answer;
  std::optional<json::value> body;
  std::vector<Mismatch> mismatches;

  void miss(std::string what, std::string expected, std::string actual) {
    mismatches.push_back(
        {.what = std::move(what), .expected = std::move(expected), .actual = std::move(actual)});
  }
};

struct Runner::Before {
  std::optional<LedgerTotals> ledger;
  std::optional<WechatTotals> wechat;
};

Runner::Runner(RunnerParts parts) : parts_(std::move(parts)) {}
Runner::~Runner() = default;

bool ScenarioReport::passed() const {
  return std::ranges::all_of(steps, [](StepReport const& step) { return step.mismatches.empty(); });
}

std::string outcome_of(CallAnswer const& answer) {
  if (answer.status == 0) return "no answer: " + answer.failure;
  std::string outcome = std::to_string(answer.status);
  std::optional<json::value> const body = parsed(answer.body);
  json::value const* const code = body ? find_path(*body, "code") : nullptr;
  if (code != nullptr && code->is_string()) outcome.append(" ").append(std::string_view(code->get_string()));
  if (answer.header("Idempotent-Replayed") == "true") outcome += " replayed";
  return outcome;
}

std::string with_masked_numbers(std::string_view text) {
  constexpr std::size_t digits_min = 8;  // a number of Hong Kong has eight
  constexpr std::string_view digits = "0123456789";
  std::string masked;
  while (!text.empty()) {
    std::size_t const first = std::min(text.find_first_of(digits), text.size());
    masked += text.substr(0, first);
    text.remove_prefix(first);
    std::size_t const size = std::min(text.find_first_not_of(digits), text.size());
    masked += size >= digits_min ? core::mask_phone_number(text.substr(0, size))
                                 : std::string(text.substr(0, size));
    text.remove_prefix(size);
  }
  return masked;
}

ScenarioReport Runner::run(Scenario const& scenario, std::function<void(StepReport const&)> const& on_step) {
  run_ = random_run();
  played_.clear();
  ScenarioReport report;
  if (!scenario.setup.empty() && parts_.wechat == nullptr) {
    report.skipped_because = "its setup needs --sandbox-url";
    return report;
  }
  for (SandboxAction const& action : scenario.setup) {
    std::optional<std::string> const refused = parts_.wechat->control(action.path, action.body);
    if (!refused) continue;
    report.steps.push_back({.name = "setup",
                            .outcome = *refused,
                            .mismatches = {{.what = action.path, .expected = "done", .actual = *refused}}});
    on_step(report.steps.back());
    return report;
  }
  wait_until_served();
  for (StepGroup const& group : scenario.groups) {
    for (StepReport& step : run_group(group)) {
      on_step(step);
      report.steps.push_back(std::move(step));
    }
  }
  return report;
}

namespace {

// "200", or "200 × 3, 409 CODE_IN_PROGRESS × 17".
std::string summary_of(std::map<std::string, int> const& counts) {
  std::string summary;
  for (auto const& [outcome, count] : counts) {
    if (!summary.empty()) summary += ", ";
    summary += outcome;
    if (count > 1 || counts.size() > 1) summary += " × " + std::to_string(count);
  }
  return summary;
}

std::optional<StepReport> judge_outcomes(std::vector<OutcomeCount> const& expected,
                                         std::map<std::string, int> counts) {
  if (expected.empty()) return std::nullopt;
  StepReport report{.name = "together", .outcome = summary_of(counts), .mismatches = {}};
  for (OutcomeCount const& each : expected) {
    int actual = 0;
    std::string_view kinds = each.outcome;
    while (!kinds.empty()) {
      std::size_t const end = std::min(kinds.find(" | "), kinds.size());
      std::string const kind(kinds.substr(0, end));
      actual += counts[kind];
      counts.erase(kind);
      kinds.remove_prefix(std::min(end + 3, kinds.size()));
    }
    if (actual == each.count) continue;
    report.mismatches.push_back(
        {.what = each.outcome, .expected = std::to_string(each.count), .actual = std::to_string(actual)});
  }
  for (auto const& [outcome, count] : counts)
    report.mismatches.push_back({.what = outcome, .expected = "0", .actual = std::to_string(count)});
  return report;
}

}  // namespace

// Where the quota is told to nobody who has no session, nobody waits.
void Runner::wait_until_served() {
  constexpr auto look_interval = core::milliseconds(250);
  constexpr int looks_max = 65 * 4;
  CallRequest const question{
      .bytes = render_request(
          "GET", parts_.server.base_path + "/phone/quota",
          {{"Host", parts_.server.authority}, {"Referer", referer()}, {"Connection", "close"}}, "")};
  for (int looks = 0; looks < looks_max; ++looks) {
    std::optional<json::value> const told = parsed(parts_.caller.call(parts_.server, question).body);
    json::value const* const reason = told ? find_path(*told, "reason") : nullptr;
    bool const is_stopped = reason != nullptr && *reason == "service";
    if (!is_stopped) return;
    parts_.caller.pause(look_interval);
  }
}

std::string Runner::referer() const {
  return "https://servicewechat.com/" + parts_.appid + "/12/page-frame.html";
}

std::vector<StepReport> Runner::run_group(StepGroup const& group) {
  Before const before = look_before();
  std::vector<std::vector<Play>> plays;
  for (Step const& step : group.steps) {
    plays.emplace_back();
    for (int number = 1; number <= step.times; ++number) plays.back().push_back(begin(step, number));
  }
  std::vector<StepReport> reports;
  std::map<std::string, int> all_counts;
  for (std::size_t i = 0; i < group.steps.size(); ++i) {
    for (Play& play : plays[i]) wait_for_answer(group.steps[i], play);
  }
  for (std::size_t i = 0; i < group.steps.size(); ++i) {
    Step const& step = group.steps[i];
    StepReport report{.name = step.name, .outcome = {}, .mismatches = {}};
    std::map<std::string, int> counts;
    for (Play& play : plays[i]) {
      if (play.mismatches.empty()) {
        check_page(step, play);
        check_answer(step, play);
        check_witnesses(step, play, before);
      }
      ++counts[play.call ? outcome_of(play.answer) : "no request"];
      std::ranges::move(play.mismatches, std::back_inserter(report.mismatches));
    }
    for (auto const& [outcome, count] : counts) all_counts[outcome] += count;
    report.outcome = summary_of(counts);
    played_.insert_or_assign(step.name, std::move(plays[i].front()));
    reports.push_back(std::move(report));
  }
  if (auto together = judge_outcomes(group.outcomes, all_counts)) reports.push_back(std::move(*together));
  return reports;
}

Runner::Before Runner::look_before() const {
  Before before;
  if (parts_.ledger != nullptr) {
    if (auto const totals = parts_.ledger->totals()) before.ledger = *totals;
  }
  if (parts_.wechat != nullptr) {
    if (auto const totals = parts_.wechat->totals()) before.wechat = *totals;
  }
  return before;
}

Runner::Play Runner::begin(Step const& step, int number) {
  Play play;
  play.number = number;
  play.request_id = "replay-" + run_ + "-" + std::to_string(++requests_);
  try {
    if (step.page) {
      TapEvent tap = *step.page;
      tap.code = filled(tap.code, number);
      play.words = words_without_call(tap);
      if (play.words) return play;
      play.code = tap.code;
    }
    play.request = render(step, play);
    play.call = parts_.caller.begin(parts_.server, play.request);
  } catch (NoValue const& missing) {
    play.miss("request", "values of earlier steps", missing.what());
  }
  return play;
}

void Runner::wait_for_answer(Step const& step, Play& play) {
  if (!play.call) return;
  play.answer = parts_.caller.wait(play.call);
  constexpr int tries_max = 10;
  constexpr int service_unavailable = 503;
  for (int tries = 1; step.request.obeys_retry_after && tries < tries_max; ++tries) {
    std::optional<core::seconds> const pause = retry_after(play.answer);
    if (play.answer.status != service_unavailable || !pause) break;
    parts_.caller.pause(*pause);
    play.answer = parts_.caller.call(parts_.server, play.request);
  }
  play.body = parsed(play.answer.body);
}

CallRequest Runner::render(Step const& step, Play& play) const {
  RequestTemplate const& wanted = step.request;
  CallRequest request;
  request.patience = wanted.patience;
  if (wanted.raw) {
    request.bytes = filled(*wanted.raw, play.number);
    request.has_no_answer_body = request.bytes.starts_with("HEAD ");
    return request;
  }
  std::string body;
  if (step.page) {
    body = json::serialize(json::object{{"code", play.code}});
  } else if (wanted.json) {
    json::value const filled_in = filled_json(*wanted.json, play.number);
    json::value const* const code = find_path(filled_in, "code");
    if (code != nullptr && code->is_string()) play.code = std::string_view(code->get_string());
    body = json::serialize(filled_in);
  } else if (wanted.body) {
    body = filled(*wanted.body, play.number);
  }
  HeaderList headers{
      {"Host", parts_.server.authority},
      {"X-Request-Id", play.request_id},
      {"Referer", referer()},
      {"Connection", "close"},
  };
  if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
  if (!body.empty() || wanted.method == "POST")
    headers.emplace_back("Content-Length", std::to_string(body.size()));
  for (HeaderTemplate const& header : wanted.headers) {
    std::vector<std::string> values;
    values.reserve(header.values.size());
    for (std::string const& value : header.values) values.push_back(filled(value, play.number));
    set_header(headers, header.name, values);
  }
  std::string const method = filled(wanted.method, play.number);
  std::string const target = parts_.server.base_path + filled(wanted.path, play.number);
  if (wanted.sign) {
    set_header(headers, "Authorization",
               {signed_authorization(*wanted.sign, method, target, body, play.number)});
  }
  request.has_no_answer_body = method == "HEAD";
  request.bytes = render_request(method, target, headers, body);
  return request;
}

std::string Runner::signed_authorization(SignTemplate const& sign, std::string_view method,
                                         std::string_view target, std::string_view body, int number) const {
  auto const key = core::crypto::from_base64(filled(sign.key, number));
  if (!key) throw NoValue("the key to sign with is no base64");
  std::string const nonce_str = sign.nonce_str.empty() ? random_run() : filled(sign.nonce_str, number);
  auto const page_time = std::chrono::system_clock::now() + sign.clock_ahead;
  std::string const timestamp =
      std::to_string(std::chrono::floor<core::seconds>(page_time).time_since_epoch().count());
  auto const* const key_bytes = reinterpret_cast<unsigned char const*>(key->data());
  core::crypto::Digest const signature = core::crypto::hmac_sha256(
      {key_bytes, key->size()}, core::message_to_sign(method, target, timestamp, nonce_str, body));
  return "ONETAP-HMAC-SHA256 session=\"" + filled(sign.session, number) + "\",key=\"" +
         filled(sign.key_name, number) + "\",timestamp=\"" + timestamp + "\",nonce_str=\"" + nonce_str +
         "\",signature=\"" + core::crypto::to_base64(signature) + "\"";
}

std::optional<std::string> Runner::value_of(std::string_view name, int number) const {
  if (name == "run") return run_;
  if (name == "n") return std::to_string(number);
  if (name == "appid") return parts_.appid;
  if (name == "host") return parts_.server.authority;
  std::size_t const dot = std::min(name.find('.'), name.size());
  auto const found = played_.find(name.substr(0, dot));
  if (found == played_.end()) return std::nullopt;
  Play const& play = found->second;
  std::string_view const what = name.substr(std::min(dot + 1, name.size()));
  if (what == "status") return std::to_string(play.answer.status);
  if (what == "requestId") return play.request_id;
  if (what.starts_with("headers.")) {
    std::string_view const value = play.answer.header(what.substr(what.find('.') + 1));
    return value.empty() ? std::nullopt : std::optional(std::string(value));
  }
  if (!what.starts_with("body.") || !play.body) return std::nullopt;
  json::value const* const value = find_path(*play.body, what.substr(what.find('.') + 1));
  if (value == nullptr) return std::nullopt;
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

std::string Runner::filled(std::string_view text, int number) const {
  auto expanded =
      expand_placeholders(text, [this, number](std::string_view name) { return value_of(name, number); });
  if (!expanded) throw NoValue(expanded.error());
  return std::move(*expanded);
}

json::value Runner::filled_json(json::value const& value, int number) const {
  if (value.is_string()) return json::value(filled(std::string_view(value.get_string()), number));
  if (auto const* const object = value.if_object()) {
    json::object made;
    for (auto const& [name, member] : *object) made[name] = filled_json(member, number);
    return made;
  }
  if (auto const* const array = value.if_array()) {
    json::array made;
    for (json::value const& element : *array) made.push_back(filled_json(element, number));
    return made;
  }
  return value;
}

void Runner::check_page(Step const& step, Play& play) const {
  if (!step.expect.page) return;
  std::string const words = play.words ? *play.words : words_for_answer(play.answer.status, play.answer.body);
  if (words != *step.expect.page) play.miss("page", *step.expect.page, words);
}

void Runner::check_answer(Step const& step, Play& play) const {
  Expectation const& expect = step.expect;
  if (play.words) {
    if (expect.status) play.miss("status", std::to_string(*expect.status), "the page asked nobody");
    return;
  }
  if (expect.no_answer != (play.answer.status == 0)) {
    play.miss("answer", expect.no_answer ? "none" : "one", outcome_of(play.answer));
    return;
  }
  if (expect.status && *expect.status != play.answer.status)
    play.miss("status", std::to_string(*expect.status), outcome_of(play.answer));
  std::vector<ValueExpectation> fields = expect.fields;
  if (expect.problem) fields.push_back({.path = "code", .value = json::value(*expect.problem)});
  json::value const nothing;
  try {
    for (ValueExpectation const& field : fields) {
      json::value const* const actual = find_path(play.body ? *play.body : nothing, field.path);
      if (!field.value) {
        if (field.present != (actual != nullptr))
          play.miss(field.path, field.present ? "present" : "absent", shown_or_absent(actual));
        continue;
      }
      json::value const expected = filled_json(*field.value, play.number);
      if (actual == nullptr || *actual != expected)
        play.miss(field.path, shown(expected), shown_or_absent(actual));
    }
    for (ValueExpectation const& header : expect.headers) {
      std::string_view const actual = play.answer.header(header.path);
      std::string const actual_shown = actual.empty() ? "absent" : std::string(actual);
      if (!header.value) {
        if (header.present == actual.empty())
          play.miss(header.path, header.present ? "present" : "absent", actual_shown);
        continue;
      }
      json::value const expected = filled_json(*header.value, play.number);
      std::string const text =
          expected.is_string() ? std::string(expected.get_string()) : json::serialize(expected);
      if (actual != text) play.miss(header.path, text, actual_shown);
    }
  } catch (NoValue const& missing) {
    play.miss("expectation", "values of earlier steps", missing.what());
  }
}

void Runner::check_witnesses(Step const& step, Play& play, Before const& before) {
  try {
    if (step.expect.ledger && parts_.ledger != nullptr) check_ledger(*step.expect.ledger, play, before);
    if (step.expect.wechat && parts_.wechat != nullptr) check_wechat(*step.expect.wechat, play, before);
  } catch (NoValue const& missing) {
    play.miss("expectation", "values of earlier steps", missing.what());
  }
  left_out_ledger_ = left_out_ledger_ || (step.expect.ledger && parts_.ledger == nullptr);
  left_out_wechat_ = left_out_wechat_ || (step.expect.wechat && parts_.wechat == nullptr);
}

void Runner::check_ledger(LedgerExpectation const& expected, Play& play, Before const& before) const {
  if (expected.kind != LedgerExpectation::Kind::unchanged) return check_ledger_row(expected, play);
  auto const now = parts_.ledger->totals();
  if (!now || !before.ledger) return play.miss("ledger", "readable", now ? "not before" : now.error());
  if (*now == *before.ledger) return;
  play.miss("ledger", "unchanged",
            std::to_string(now->rows - before.ledger->rows) + " rows and " +
                std::to_string(now->attempts - before.ledger->attempts) + " attempts more");
}

void Runner::check_ledger_row(LedgerExpectation const& expected, Play& play) const {
  Play const* whose = &play;
  if (!expected.step.empty()) {
    auto const found = played_.find(expected.step);
    if (found == played_.end()) return play.miss("ledger", "a row", "step " + expected.step + " did not run");
    whose = &found->second;
  }
  // The server names the request when it did not take over our name for it.
  std::string_view const told = whose->answer.header("X-Request-Id");
  std::string const request_id = told.empty() ? whose->request_id : std::string(told);
  auto const table = parts_.ledger->rows_of_request(request_id);
  if (!table) return play.miss("ledger", "readable", table.error());
  if (expected.kind == LedgerExpectation::Kind::no_row) {
    if (!table->rows.empty())
      play.miss("ledger", "no row", "state " + storage::to_text(table->at(0, "state")));
    return;
  }
  if (table->rows.size() != 1)
    return play.miss("ledger", "one row", std::to_string(table->rows.size()) + " rows");
  for (ValueExpectation const& column : expected.columns) {
    json::value const actual = as_json(table->at(0, column.path));
    std::string const what = "ledger." + column.path;
    if (!column.value) {
      if (column.present == actual.is_null())
        play.miss(what, column.present ? "present" : "absent", shown(actual));
      continue;
    }
    json::value const wanted = filled_json(*column.value, play.number);
    if (actual != wanted) play.miss(what, shown(wanted), shown(actual));
  }
}

void Runner::check_wechat(WechatExpectation const& expected, Play& play, Before const& before) const {
  if (expected.unchanged) {
    auto const now = parts_.wechat->totals();
    if (!now || !before.wechat) return play.miss("wechat", "readable", now ? "not before" : now.error());
    if (now->number_calls != before.wechat->number_calls)
      play.miss("wechat", "0 calls",
                std::to_string(now->number_calls - before.wechat->number_calls) + " calls");
    return;
  }
  std::string const code = expected.code.empty() ? play.code : filled(expected.code, play.number);
  auto const story = parts_.wechat->story_of(code);
  if (!story) return play.miss("wechat", "readable", story.error());
  if (expected.calls && *expected.calls != story->calls)
    play.miss("wechat.calls", std::to_string(*expected.calls), std::to_string(story->calls));
  if (expected.numbers && *expected.numbers != story->numbers)
    play.miss("wechat.numbers", std::to_string(*expected.numbers), std::to_string(story->numbers));
  if (expected.errcodes && *expected.errcodes != story->errcodes)
    play.miss("wechat.errcodes", errcode_list(*expected.errcodes), errcode_list(story->errcodes));
}

}  // namespace onetap::app
