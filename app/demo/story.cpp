#include "app/demo/story.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>

#include "core/crypto/digest.hpp"
#include "core/secret.hpp"

namespace onetap::app {

namespace json = boost::json;

namespace {

constexpr std::string_view li_code = "sandbox-ok";

std::string string_in(std::string_view body, std::string_view name) {
  boost::system::error_code failure;
  json::value const value = json::parse(body, failure);
  json::object const* const object = failure ? nullptr : value.if_object();
  json::value const* const member = object == nullptr ? nullptr : object->if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

void expect(Scene& scene, std::string what, std::string const& expected, std::string const& actual) {
  if (expected != actual)
    scene.mismatches.push_back({.what = std::move(what), .expected = expected, .actual = actual});
}

void expect(Scene& scene, std::string what, std::int64_t expected, std::int64_t actual) {
  expect(scene, std::move(what), std::to_string(expected), std::to_string(actual));
}

// 30000 → "¥0.03"
std::string yuan(std::int64_t micro_yuan) {
  constexpr double micro_yuan_in_yuan = 1e6;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "¥%.2f", static_cast<double>(micro_yuan) / micro_yuan_in_yuan);
  return text.data();
}

std::string seconds_since(std::chrono::steady_clock::time_point begin) {
  std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", took.count());
  return text.data();
}

std::int64_t integer_at(storage::Table const& table, std::string_view column) {
  storage::Value const value = table.at(0, column);
  auto const* const integer = std::get_if<std::int64_t>(&value);
  return integer == nullptr ? 0 : *integer;
}

}  // namespace

std::string Story::new_key() {
  std::array<unsigned char, 16> bytes{};
  core::crypto::fill_random(bytes);
  return core::crypto::to_hex(bytes);
}

Scene Story::play(int number) {
  switch (number) {
    case 1: return li_agrees();
    case 2: return reply_lost();
    case 3: return stranger();
    case 4: return wang_declines();
    case 5: return no_quota();
    case 6: return expired_code();
    case 7: return token_dies();
    case 8: return answer_lost();
    case 9: return killed();
    default: return twenty_phones();
  }
}

Scene Story::li_agrees() {
  Scene scene{.title = say("Li taps and agrees", "李女士点击并同意")};
  Presented const li = present(li_code, li_key_);
  li_mask_ = li.number_mask;
  scene.told = outcome_of(li.answer) + say(", the page has the number", "，页面拿到号码");
  scene.page = li.words();
  expect(scene, "answer", "200", outcome_of(li.answer));
  see_wechat(scene, li_code, {0});
  see_row(scene, li.request_id, "ok", 1);
  return scene;
}

Scene Story::reply_lost() {
  Scene scene{.title = say("reply lost, same code again", "应答丢失，同一 code 再来")};
  Figures const before = figures(scene);
  Presented const li = present(li_code, li_key_);
  scene.told = outcome_of(li.answer) +
               say(": the stored answer, nothing is asked or paid twice", "：已存的答案，不再询问，不再扣费");
  scene.page = li.words();
  expect(scene, "answer", "200 replayed", outcome_of(li.answer));
  expect(scene, "number", li_mask_, li.number_mask);
  see_nothing_new(scene, before);
  return scene;
}

Scene Story::stranger() {
  Scene scene{.title = say("a stranger, Li's code", "别人拿着李女士的 code")};
  Figures const before = figures(scene);
  Presented const other = present(li_code, new_key());
  scene.told = outcome_of(other.answer) +
               (other.number_mask.empty() ? say(", no number", "，不给号码") : std::string());
  scene.page = other.words();
  expect(scene, "answer", "409 CODE_ALREADY_USED", outcome_of(other.answer));
  expect(scene, "number", "", other.number_mask);
  see_nothing_new(scene, before);
  return scene;
}

Scene Story::wang_declines() {
  Scene scene =
      tap_without_code({.error_message = "getPhoneNumber:fail user deny"}, page_says_not_authorised);
  scene.title = say("Wang declines", "王先生拒绝");
  scene.told = say("there is no code, so nobody is asked", "没有 code，谁也不问");
  return scene;
}

Scene Story::no_quota() {
  constexpr int quota_used_up = 1400001;
  Scene scene = tap_without_code(
      {.error_message = "getPhoneNumber:fail no enough quota", .error_number = quota_used_up},
      page_says_no_quota);
  scene.title = say("no quota left", "额度用完");
  scene.told = say("WeChat tells the page (errno 1400001), nobody is asked",
                   "微信告诉页面（errno 1400001），谁也不问");
  return scene;
}

Scene Story::expired_code() {
  constexpr std::string_view code = "sandbox-expired-zhao";
  Scene scene{.title = say("expired code", "code 已过期")};
  Presented const zhao = present(code, new_key());
  scene.told = outcome_of(zhao.answer) + say(": tap again, no unit is booked", "：请重新点击，不记用量");
  scene.page = zhao.words();
  expect(scene, "answer", "422 CODE_INVALID", outcome_of(zhao.answer));
  expect(scene, "page", "授权已过期，请重新点击", zhao.words());
  constexpr std::int64_t invalid_code = 40029;
  see_wechat(scene, code, {invalid_code});
  see_row(scene, zhao.request_id, "rejected", 1);
  return scene;
}

Scene Story::token_dies() {
  constexpr std::string_view code = "sandbox-token-expired-sun";
  constexpr std::int64_t expired_token = 42001;
  Scene scene{.title = say("token dies under way", "token 途中过期")};
  Figures const before = figures(scene);
  Presented const sun = present(code, new_key());
  std::int64_t const refreshed = figures(scene).wechat.token_calls - before.wechat.token_calls;
  std::string const times = refreshed == 1 ? say("once", "一次") : count_of(refreshed, "time", "times", "次");
  scene.told = outcome_of(sun.answer) + say(": token refreshed ", "：token 刷新") + times +
               say(", sent once more, number", "，重发一次，拿到号码");
  scene.page = sun.words();
  expect(scene, "answer", "200", outcome_of(sun.answer));
  expect(scene, "token refreshes", 1, refreshed);
  see_wechat(scene, code, {expired_token, 0});
  see_row(scene, sun.request_id, "ok", 2);
  return scene;
}

Scene Story::answer_lost() {
  constexpr std::string_view code = "sandbox-reset-zhou";
  Scene scene{.title = say("WeChat's answer is lost", "微信的应答丢失")};
  std::string const key = new_key();
  Presented const zhou = present(code, key);
  expect(scene, "answer", "502 OUTCOME_UNKNOWN", outcome_of(zhou.answer));
  Figures const before = figures(scene);
  Presented const again = present(code, key);
  Figures const after = figures(scene);
  expect(scene, "answer to the repeat", "502 OUTCOME_UNKNOWN replayed", outcome_of(again.answer));
  expect(scene, "calls for the repeat", 0, after.wechat.number_calls - before.wechat.number_calls);
  scene.told = outcome_of(zhou.answer) +
               say(": in doubt; presented again, never sent again", "：存疑；再次提交，绝不重发");
  scene.page = again.words();
  see_wechat(scene, code, {std::nullopt});
  see_row(scene, zhou.request_id, "in_doubt", 1);
  return scene;
}

Scene Story::killed() {
  constexpr std::string_view code = "sandbox-slow-wu";
  Scene scene{.title = say("kill -9 mid-exchange", "兑换途中 kill -9")};
  std::string const key = new_key();
  auto const under_way = stage_.caller().begin(stage_.server(), request(code, key));
  constexpr core::milliseconds look_again{5};
  constexpr int looks_max = 1000;
  for (int looks = 0; looks < looks_max && !stage_.caller().is_interrupted(); ++looks) {
    auto const story = stage_.wechat().story_of(code);
    if (story && story->calls > 0) break;
    stage_.caller().pause(look_again);
  }
  stage_.kill_server();
  auto const killed_at = std::chrono::steady_clock::now();
  auto const problem = stage_.start_server();
  std::string const back_in = seconds_since(killed_at);
  expect(scene, "answer of the killed server", "0", std::to_string(stage_.caller().wait(under_way).status));
  if (problem) {
    expect(scene, "server", "back", *problem);
    return scene;
  }
  Presented const wu = present(code, key);
  scene.told = say("back in ", back_in + " 后恢复") + say(back_in, "") +
               say(": in doubt, no second call", "：存疑，没有第二次调用");
  scene.page = wu.words();
  expect(scene, "answer after the restart", "502 OUTCOME_UNKNOWN replayed", outcome_of(wu.answer));
  std::int64_t const calls = see_wechat(scene, code, {0});
  scene.wechat = count_of(calls, "call", "calls", "次调用") + say(", cut off", "，中断");
  auto const doubt = stage_.ledger().query("SELECT id, cause FROM v_in_doubt ORDER BY id DESC LIMIT 1");
  expect(scene, "cause", "crash", doubt ? storage::to_text(doubt->at(0, "cause")) : doubt.error());
  std::string const id = doubt ? storage::to_text(doubt->at(0, "id")) : std::string("0");
  scene.ledger =
      "#" + id + say(" in_doubt (crash), ", " in_doubt（crash），") + units("doubt", "consumption = " + id);
  return scene;
}

Scene Story::twenty_phones() {
  constexpr int phones = 20;
  Scene scene{.title = say("20 phones, each twice", "20 部手机，各发两次")};
  Figures const before = figures(scene);
  auto const ids_before = stage_.ledger().query("SELECT coalesce(max(id), 0) AS id FROM v_consumptions");
  std::vector<std::shared_ptr<Caller::Call>> calls;
  for (int phone = 1; phone <= phones; ++phone) {
    std::string const code = "sandbox-ok-phone-" + std::to_string(phone);
    std::string const key = new_key();
    calls.push_back(stage_.caller().begin(stage_.server(), request(code, key)));
    calls.push_back(stage_.caller().begin(stage_.server(), request(code, key)));
  }
  std::map<std::string, int> outcomes;
  std::map<std::string, int> pages;
  std::int64_t pairs = 0;
  for (std::size_t i = 0; i < calls.size(); i += 2) {
    CallAnswer const first = stage_.caller().wait(calls[i]);
    CallAnswer const second = stage_.caller().wait(calls[i + 1]);
    std::string const number = string_in(first.body, "phoneNumber");
    if (!number.empty() && number == string_in(second.body, "phoneNumber")) ++pairs;
    for (CallAnswer const& answer : {first, second}) {
      ++outcomes[outcome_of(answer)];
      ++pages[words_for_answer(answer.status, answer.body)];
    }
  }
  Figures const after = figures(scene);
  std::int64_t const asked = after.wechat.number_calls - before.wechat.number_calls;
  std::int64_t const rows = after.ledger.rows - before.ledger.rows;
  std::int64_t const ok = after.ledger.ok - before.ledger.ok;
  scene.told = count_of(asked, "call", "calls", "次调用") + say(", ", "，") +
               count_of(outcomes["200"], "number", "numbers", "个号码") + say(", ", "，") +
               count_of(outcomes["200 replayed"], "replay", "replays", "次重放");
  for (auto const& [words, count] : pages) {
    if (!scene.page.empty()) scene.page += say(", ", "，");
    scene.page += words + " × " + std::to_string(count);
  }
  scene.wechat = count_of(asked, "call", "calls", "次调用");
  scene.ledger = count_of(rows, "row, ", "rows, ", "行，") + std::to_string(ok) + say(" ok, ", " ok，") +
                 units_and_yuan("consumption > " +
                                (ids_before ? storage::to_text(ids_before->at(0, "id")) : std::string("0")));
  expect(scene, "WeChat's calls", phones, asked);
  expect(scene, "numbers", phones, outcomes["200"]);
  expect(scene, "replays", phones, outcomes["200 replayed"]);
  expect(scene, "pairs with one number", phones, pairs);
  expect(scene, "ledger rows", phones, rows);
  expect(scene, "ledger rows ok", phones, ok);
  return scene;
}

Scene Story::tap_without_code(TapEvent const& tap, std::string_view expected_words) {
  Scene scene;
  Figures const before = figures(scene);
  auto const words = words_without_call(tap);
  scene.page = words.value_or(say("asks the server", "询问服务端"));
  expect(scene, "page", std::string(expected_words), scene.page);
  see_nothing_new(scene, before);
  return scene;
}

std::string Story::Presented::words() const {
  std::string const said = words_for_answer(answer.status, answer.body);
  return number_mask.empty() ? said : said + " " + number_mask;
}

CallRequest Story::request(std::string_view code, std::string_view key) const {
  std::string const body = json::serialize(json::object{{"code", code}});
  return {.bytes = render_request("POST", "/phone/consume",
                                  {{"Host", stage_.server().authority},
                                   {"Referer", Stage::referer()},
                                   {"Idempotency-Key", std::string(key)},
                                   {"Content-Type", "application/json"},
                                   {"Content-Length", std::to_string(body.size())},
                                   {"Connection", "close"}},
                                  body)};
}

Story::Presented Story::present(std::string_view code, std::string_view key) {
  return understood(stage_.caller().call(stage_.server(), request(code, key)));
}

Story::Presented Story::understood(CallAnswer answer) {
  Presented presented{.answer = std::move(answer), .number_mask = {}, .request_id = {}};
  std::string const number = string_in(presented.answer.body, "purePhoneNumber");
  if (!number.empty()) presented.number_mask = core::mask_phone_number(number);
  presented.request_id = presented.answer.header("X-Request-Id");
  return presented;
}

std::int64_t Story::see_wechat(Scene& scene, std::string_view code,
                               std::vector<std::optional<std::int64_t>> const& expected_errcodes) {
  auto const story = stage_.wechat().story_of(code);
  if (!story) {
    expect(scene, "WeChat's journal", "readable", story.error());
    return 0;
  }
  auto const listed = [this](std::vector<std::optional<std::int64_t>> const& errcodes) {
    std::string list;
    for (auto const& errcode : errcodes) {
      if (!list.empty()) list += say(" then ", "，再 ");
      list += !errcode ? say("no answer", "无应答") : *errcode == 0 ? "ok" : std::to_string(*errcode);
    }
    return list;
  };
  scene.wechat =
      count_of(story->calls, "call", "calls", "次调用") + say(", ", "，") + listed(story->errcodes);
  expect(scene, "WeChat's calls", static_cast<std::int64_t>(expected_errcodes.size()), story->calls);
  expect(scene, "WeChat's answers", listed(expected_errcodes), listed(story->errcodes));
  return story->calls;
}

void Story::see_row(Scene& scene, std::string_view request_id, std::string_view expected_state,
                    std::int64_t expected_attempts) {
  auto const table = stage_.ledger().rows_of_request(request_id);
  if (!table) return expect(scene, "ledger", "readable", table.error());
  expect(scene, "ledger rows", 1, static_cast<std::int64_t>(table->rows.size()));
  std::string const id = storage::to_text(table->at(0, "id"));
  std::string const state = storage::to_text(table->at(0, "state"));
  std::int64_t const attempts = integer_at(*table, "attempts");
  expect(scene, "ledger state", std::string(expected_state), state);
  expect(scene, "ledger attempts", expected_attempts, attempts);
  scene.ledger = "#" + id + " " + state;
  if (attempts > 1) scene.ledger += say(", ", "，") + count_of(attempts, "attempt", "attempts", "次尝试");
  std::string const where = "consumption = " + (id.empty() ? "0" : id);
  scene.ledger += say(", ", "，") + (state == "in_doubt" ? units("doubt", where) : units_and_yuan(where));
}

void Story::see_nothing_new(Scene& scene, Figures const& before) {
  Figures const after = figures(scene);
  std::int64_t const asked = after.wechat.number_calls - before.wechat.number_calls;
  scene.wechat = count_of(asked, "call", "calls", "次调用");
  expect(scene, "WeChat's calls", 0, asked);
  expect(scene, "ledger rows", before.ledger.rows, after.ledger.rows);
  expect(scene, "ledger attempts", before.ledger.attempts, after.ledger.attempts);
  scene.ledger = after.ledger == before.ledger ? say("unchanged", "无变化") : say("changed", "有变化");
}

Story::Figures Story::figures(Scene& scene) {
  Figures figures;
  auto const wechat = stage_.wechat().totals();
  auto const ledger = stage_.ledger().totals();
  if (wechat) figures.wechat = *wechat;
  if (ledger) figures.ledger = *ledger;
  if (!wechat) expect(scene, "WeChat's journal", "readable", wechat.error());
  if (!ledger) expect(scene, "ledger", "readable", ledger.error());
  return figures;
}

std::string Story::units(std::string_view account, std::string const& where) const {
  auto const table = booked(account, where);
  return table ? count_of(integer_at(*table, "units"), "unit", "units", "份") : table.error();
}

std::string Story::units_and_yuan(std::string const& where) const {
  auto const table = booked("used", where);
  if (!table) return table.error();
  std::int64_t const units = integer_at(*table, "units");
  std::string text = count_of(units, "unit", "units", "份");
  if (units > 0) text += say(", ", "，") + yuan(integer_at(*table, "micro_yuan"));
  return text;
}

core::Result<storage::Table, std::string> Story::booked(std::string_view account,
                                                        std::string const& where) const {
  std::string sql =
      "SELECT coalesce(sum(units), 0) AS units, coalesce(sum(micro_yuan), 0) AS micro_yuan FROM entry WHERE ";
  sql.append("to_account = '").append(account).append("' AND ").append(where);
  return stage_.ledger().query(sql);
}

std::string Story::count_of(std::int64_t count, std::string_view english_one, std::string_view english_many,
                            std::string_view chinese) const {
  return std::to_string(count) + " " + say(count == 1 ? english_one : english_many, chinese);
}

}  // namespace onetap::app
