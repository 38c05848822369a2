#include "app/scenario/scenario.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <initializer_list>
#include <set>
#include <stdexcept>

#include "app/scenario/placeholders.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;

/// Where in a file something is wrong, and what. Never leaves parse_scenario.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string below(std::string const& place, std::string_view member) {
  return place.empty() ? std::string(member) : place + "." + std::string(member);
}

std::string element_of(std::string const& place, std::size_t index) {
  return place + "[" + std::to_string(index) + "]";
}

[[noreturn]] void refuse(std::string const& place, std::string const& what) {
  throw Fault(place.empty() ? what : place + ": " + what);
}

/// An object of the file, of which every member must be known.
class ObjectReader {
 public:
  ObjectReader(json::value const& value, std::string place, std::initializer_list<std::string_view> known)
      : place_(std::move(place)) {
    if (!value.is_object()) refuse(place_, "must be an object");
    object_ = &value.get_object();
    for (auto const& [name, ignored] : *object_) {
      if (std::ranges::find(known, std::string_view(name)) != known.end()) continue;
      std::string names;
      for (std::string_view const each : known) names.append(names.empty() ? "" : ", ").append(each);
      refuse(place_, "unknown key \"" + std::string(name) + "\"; known are " + names);
    }
  }

  [[nodiscard]] json::value const* find(std::string_view name) const { return object_->if_contains(name); }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::string place_of(std::string_view name) const { return below(place_, name); }
  [[nodiscard]] std::string const& place() const { return place_; }

  [[nodiscard]] std::string text(std::string_view name, std::string otherwise = {}) const {
    json::value const* const member = find(name);
    if (member == nullptr) return otherwise;
    if (!member->is_string()) refuse(place_of(name), "must be a string");
    return std::string(member->get_string());
  }

  [[nodiscard]] std::string required_text(std::string_view name) const {
    std::string read = text(name);
    if (read.empty()) refuse(place_of(name), "is missing or empty");
    return read;
  }

  [[nodiscard]] bool flag(std::string_view name) const {
    json::value const* const member = find(name);
    if (member == nullptr) return false;
    if (!member->is_bool()) refuse(place_of(name), "must be true or false");
    return member->get_bool();
  }

  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const {
    json::value const* const member = find(name);
    if (member == nullptr) return std::nullopt;
    if (!member->is_int64()) refuse(place_of(name), "must be a whole number");
    return member->get_int64();
  }

  [[nodiscard]] std::int64_t integer_within(std::string_view name, std::int64_t least, std::int64_t most,
                                            std::int64_t otherwise) const {
    std::int64_t const number = integer(name).value_or(otherwise);
    if (number < least || number > most) {
      refuse(place_of(name), "must be from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }

 private:
  std::string place_;
  json::object const* object_ = nullptr;
};

json::array const& array_at(json::value const& value, std::string const& place) {
  if (!value.is_array() || value.get_array().empty()) refuse(place, "must be a list that is not empty");
  return value.get_array();
}

std::string string_at(json::value const& value, std::string const& place) {
  if (!value.is_string()) refuse(place, "must be a string");
  return std::string(value.get_string());
}

std::vector<HeaderTemplate> read_headers(json::value const& value, std::string const& place) {
  if (!value.is_object()) refuse(place, "must be an object");
  std::vector<HeaderTemplate> headers;
  for (auto const& [name, content] : value.get_object()) {
    HeaderTemplate header{.name = std::string(name), .values = {}};
    std::string const here = below(place, header.name);
    if (content.is_array()) {
      for (json::value const& each : content.get_array()) header.values.push_back(string_at(each, here));
    } else if (!content.is_null()) {
      header.values.push_back(string_at(content, here));
    }
    headers.push_back(std::move(header));
  }
  return headers;
}

std::string read_raw(json::value const& value, std::string const& place) {
  std::string raw;
  bool is_first = true;
  for (json::value const& line : array_at(value, place)) {
    if (!is_first) raw += "\r\n";
    is_first = false;
    raw += string_at(line, place);
  }
  return raw;
}

SignTemplate read_sign(json::value const& value, std::string const& place) {
  ObjectReader const reader(value, place, {"session", "key", "keyName", "nonce", "clockAheadS"});
  constexpr std::int64_t clock_ahead_s_max = 86'400;
  return {.session = reader.text("session"),
          .key = reader.text("key"),
          .key_name = reader.text("keyName", "session"),
          .nonce_str = reader.text("nonce", ""),
          .clock_ahead =
              core::seconds(reader.integer_within("clockAheadS", -clock_ahead_s_max, clock_ahead_s_max, 0))};
}

RequestTemplate read_request(json::value const& value, std::string const& place) {
  ObjectReader const reader(
      value, place,
      {"method", "path", "headers", "json", "body", "raw", "sign", "patienceMs", "obeyRetryAfter"});
  RequestTemplate request;
  constexpr std::int64_t patience_ms_max = 60'000;
  request.patience =
      core::milliseconds(reader.integer_within("patienceMs", 1, patience_ms_max, request.patience.count()));
  request.obeys_retry_after = reader.flag("obeyRetryAfter");
  if (auto const* const raw = reader.find("raw")) {
    for (std::string_view const other : {"method", "path", "headers", "json", "body", "sign"}) {
      if (reader.has(other)) refuse(place, "raw is the whole request: leave out " + std::string(other));
    }
    request.raw = read_raw(*raw, reader.place_of("raw"));
    return request;
  }
  request.method = reader.text("method", request.method);
  request.path = reader.text("path", request.path);
  if (auto const* const headers = reader.find("headers"))
    request.headers = read_headers(*headers, reader.place_of("headers"));
  if (auto const* const body = reader.find("json")) request.json = *body;
  if (reader.has("body")) request.body = reader.text("body");
  if (auto const* const sign = reader.find("sign")) request.sign = read_sign(*sign, reader.place_of("sign"));
  if (request.json && request.body) refuse(place, "json and body exclude each other");
  return request;
}

TapEvent read_page(json::value const& value, std::string const& place) {
  ObjectReader const reader(value, place, {"errMsg", "errno", "code"});
  TapEvent tap{.error_message = reader.required_text("errMsg")};
  if (auto const number = reader.integer("errno")) tap.error_number = static_cast<int>(*number);
  tap.code = reader.text("code");
  return tap;
}

// {"present": bool} asks whether there is one, anything else for its value.
ValueExpectation read_value(std::string_view path, json::value const& value, std::string const& place) {
  ValueExpectation expected{.path = std::string(path)};
  json::object const* const object = value.if_object();
  if (object == nullptr) {
    expected.value = value;
    return expected;
  }
  ObjectReader const reader(value, place, {"present"});
  json::value const* const present = reader.find("present");
  if (present == nullptr || !present->is_bool()) refuse(place, "present must be true or false");
  expected.present = present->get_bool();
  return expected;
}

std::vector<ValueExpectation> read_values(json::value const& value, std::string const& place) {
  if (!value.is_object()) refuse(place, "must be an object");
  std::vector<ValueExpectation> expected;
  for (auto const& [path, content] : value.get_object())
    expected.push_back(read_value(path, content, below(place, std::string_view(path))));
  return expected;
}

LedgerExpectation read_ledger(json::value const& value, std::string const& place) {
  using Kind = LedgerExpectation::Kind;
  if (value.is_string()) {
    if (value.get_string() == "no row") return {.kind = Kind::no_row};
    if (value.get_string() == "unchanged") return {.kind = Kind::unchanged};
    refuse(place, "must be \"no row\", \"unchanged\" or the columns of a row");
  }
  ObjectReader const reader(value, place,
                            {"step", "app_id", "kind", "path", "state", "attempts", "phone_mask", "errcode",
                             "rid", "scene", "out_id", "client_env"});
  LedgerExpectation expected{.kind = Kind::row, .step = reader.text("step")};
  for (auto const& [name, content] : value.get_object()) {
    if (name == "step") continue;
    expected.columns.push_back(read_value(name, content, below(place, std::string_view(name))));
  }
  if (expected.columns.empty()) refuse(place, "names no column");
  return expected;
}

WechatExpectation read_wechat(json::value const& value, std::string const& place) {
  if (value.is_string()) {
    if (value.get_string() != "unchanged") refuse(place, "must be \"unchanged\" or what it was asked");
    return {.unchanged = true};
  }
  ObjectReader const reader(value, place, {"code", "calls", "numbers", "errcodes"});
  WechatExpectation expected{
      .code = reader.text("code"), .calls = reader.integer("calls"), .numbers = reader.integer("numbers")};
  if (auto const* const errcodes = reader.find("errcodes")) {
    std::string const here = reader.place_of("errcodes");
    expected.errcodes.emplace();
    for (json::value const& each : array_at(*errcodes, here)) {
      if (!each.is_null() && !each.is_int64()) refuse(here, "must be errcodes, or null for no answer");
      expected.errcodes->push_back(each.is_null() ? std::nullopt : std::optional(each.get_int64()));
    }
  }
  return expected;
}

Expectation read_expectation(json::value const& value, std::string const& place) {
  ObjectReader const reader(
      value, place, {"status", "noAnswer", "problem", "page", "fields", "headers", "ledger", "wechat"});
  Expectation expected;
  constexpr std::int64_t status_min = 100;
  constexpr std::int64_t status_max = 599;
  if (reader.has("status"))
    expected.status = static_cast<int>(reader.integer_within("status", status_min, status_max, 0));
  expected.no_answer = reader.flag("noAnswer");
  if (reader.has("problem")) expected.problem = reader.required_text("problem");
  if (reader.has("page")) expected.page = reader.required_text("page");
  if (auto const* const fields = reader.find("fields"))
    expected.fields = read_values(*fields, reader.place_of("fields"));
  if (auto const* const headers = reader.find("headers"))
    expected.headers = read_values(*headers, reader.place_of("headers"));
  if (auto const* const ledger = reader.find("ledger"))
    expected.ledger = read_ledger(*ledger, reader.place_of("ledger"));
  if (auto const* const wechat = reader.find("wechat"))
    expected.wechat = read_wechat(*wechat, reader.place_of("wechat"));
  return expected;
}

bool is_name(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

/// Reads the steps in their order, since a step may refer only to those before it.
class StepsReader {
 public:
  std::vector<StepGroup> read(json::value const& value, std::string const& place) {
    std::vector<StepGroup> groups;
    json::array const& steps = array_at(value, place);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      std::string const here = element_of(place, i);
      json::object const* const object = steps[i].if_object();
      bool const is_group = object != nullptr && object->contains("together");
      groups.push_back(is_group ? read_group(steps[i], here)
                                : StepGroup{.steps = {read_step(steps[i], here)}});
      for (Step const& step : groups.back().steps) names_before_.insert(step.name);
    }
    return groups;
  }

 private:
  StepGroup read_group(json::value const& value, std::string const& place) {
    ObjectReader const reader(value, place, {"together", "outcomes"});
    StepGroup group;
    std::string const here = reader.place_of("together");
    json::array const& steps = array_at(*reader.find("together"), here);
    for (std::size_t i = 0; i < steps.size(); ++i)
      group.steps.push_back(read_step(steps[i], element_of(here, i)));
    if (auto const* const outcomes = reader.find("outcomes")) {
      std::string const there = reader.place_of("outcomes");
      if (!outcomes->is_object()) refuse(there, "must be an object");
      for (auto const& [outcome, count] : outcomes->get_object()) {
        if (!count.is_int64() || count.get_int64() < 0)
          refuse(below(there, std::string_view(outcome)), "must be a count");
        group.outcomes.push_back(
            {.outcome = std::string(outcome), .count = static_cast<int>(count.get_int64())});
      }
    }
    return group;
  }

  Step read_step(json::value const& value, std::string const& place) {
    ObjectReader const reader(value, place, {"name", "page", "request", "times", "expect"});
    Step step{.name = reader.text("name", "step-" + std::to_string(++count_))};
    if (!is_name(step.name)) refuse(reader.place_of("name"), "must be of a-z, 0-9 and -");
    if (!names_.insert(step.name).second) refuse(reader.place_of("name"), "is another step's, too");
    constexpr std::int64_t times_max = 1000;
    step.times = static_cast<int>(reader.integer_within("times", 1, times_max, 1));
    if (auto const* const page = reader.find("page")) step.page = read_page(*page, reader.place_of("page"));
    if (auto const* const request = reader.find("request")) {
      step.request = read_request(*request, reader.place_of("request"));
    } else if (!step.page) {
      refuse(place, "needs a request or a page");
    }
    if (step.page && (step.request.json || step.request.body || step.request.raw)) {
      refuse(place, "with page, the page writes the body: leave out json, body and raw");
    }
    if (!reader.has("expect")) refuse(place, "expects nothing");
    step.expect = read_expectation(*reader.find("expect"), reader.place_of("expect"));
    check_texts(value, place);
    if (step.expect.ledger) check_name(step.expect.ledger->step, place);
    return step;
  }

  void check_name(std::string const& name, std::string const& place) const {
    if (!name.empty() && !names_before_.contains(name))
      refuse(place, "refers to \"" + name + "\", which is no step before it");
  }

  // Every string in the step: placeholders must be known, or of steps before this one.
  void check_texts(json::value const& value, std::string const& place) const {
    if (value.is_string()) return check_text(std::string_view(value.get_string()), place);
    if (auto const* const object = value.if_object()) {
      for (auto const& [name, member] : *object) check_texts(member, below(place, std::string_view(name)));
    }
    if (auto const* const array = value.if_array()) {
      for (std::size_t i = 0; i < array->size(); ++i) check_texts((*array)[i], element_of(place, i));
    }
  }

  void check_text(std::string_view text, std::string const& place) const {
    auto const names = placeholder_names(text);
    if (!names) refuse(place, names.error());
    for (std::string const& name : *names) {
      if (name == "run" || name == "n" || name == "appid" || name == "host") continue;
      std::size_t const dot = name.find('.');
      if (dot == std::string::npos) refuse(place, "${" + name + "}: no such placeholder");
      check_name(name.substr(0, dot), place);
    }
  }

  std::set<std::string> names_;
  std::set<std::string> names_before_;
  int count_ = 0;
};

std::vector<SandboxAction> read_setup(json::value const& value, std::string const& place) {
  std::vector<SandboxAction> actions;
  json::array const& list = array_at(value, place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    ObjectReader const reader(list[i], element_of(place, i), {"sandbox", "json"});
    json::value const* const body = reader.find("json");
    actions.push_back({.path = reader.required_text("sandbox"),
                       .body = body == nullptr ? std::string() : json::serialize(*body)});
  }
  return actions;
}

json::value read_json(std::string_view text) {
  json::parser parser;
  boost::system::error_code failure;
  std::size_t const read = parser.write_some(text.data(), text.size(), failure);
  bool const is_more = !failure && text.find_first_not_of(" \t\r\n", read) != std::string_view::npos;
  if (failure || is_more) {
    auto const line = std::ranges::count(text.substr(0, read), '\n') + 1;
    refuse("line " + std::to_string(line),
           "not JSON: " + (is_more ? std::string("something follows the object") : failure.message()));
  }
  return parser.release();
}

Scenario read_scenario(std::string_view text) {
  json::value const whole = read_json(text);
  ObjectReader const reader(whole, "", {"title", "setup", "steps"});
  if (!reader.has("title")) refuse("title", "is missing");
  ObjectReader const title(*reader.find("title"), "title", {"en", "zh"});
  Scenario scenario{.title_english = title.required_text("en"),
                    .title_chinese = title.required_text("zh"),
                    .setup = {},
                    .groups = {}};
  if (auto const* const setup = reader.find("setup")) scenario.setup = read_setup(*setup, "setup");
  if (!reader.has("steps")) refuse("steps", "is missing");
  scenario.groups = StepsReader().read(*reader.find("steps"), "steps");
  return scenario;
}

}  // namespace

core::Result<Scenario, std::string> parse_scenario(std::string_view text) {
  using Parsed = core::Result<Scenario, std::string>;
  try {
    return Parsed(boost::system::in_place_value, read_scenario(text));
  } catch (Fault const& fault) {
    return Parsed(boost::system::in_place_error, fault.what());
  }
}

}  // namespace onetap::app
