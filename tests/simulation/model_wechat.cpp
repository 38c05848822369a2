#include "tests/simulation/model_wechat.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "core/limits.hpp"
#include "tests/simulation/durable_ledger.hpp"

namespace onetap::simulation {
namespace {

class Line final : public core::WeChatLine {};

constexpr char foreign_appid[] = "wxfedcba9876543210";

bool is_one_of(Fate fate, std::initializer_list<Fate> fates) { return std::ranges::count(fates, fate) != 0; }

bool never_arrives(Fate fate) {
  return is_one_of(fate, {Fate::not_sent, Fate::silence_before, Fate::reset_before});
}

bool is_silent(Fate fate) { return is_one_of(fate, {Fate::silence_before, Fate::silence_after, Fate::slow}); }

bool brings_number(Fate fate) {
  return is_one_of(fate, {Fate::number, Fate::foreign_watermark, Fate::stale_watermark});
}

// Before WeChat looks at token and code.
bool refuses_at_once(Fate fate) {
  return is_one_of(fate,
                   {Fate::calls_per_minute, Fate::calls_per_day, Fate::misconfigured, Fate::no_quota,
                    Fate::system_error_unspent, Fate::token_refused, Fate::code_invalid, Fate::code_used});
}

std::string token_text(int token) { return "token-" + std::to_string(token); }

int token_in(std::string_view text) { return presentation_of(text.substr(text.find('-') + 1)); }

core::WeChatReply silence() { return reply_of(Fate::slow, {}); }

}  // namespace

std::string http_date(core::WallTime time) {
  std::time_t const seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  std::size_t const size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

std::unique_ptr<core::WeChatLine> ModelWeChat::take_line() {
  if (world_.random.chance(world_.spell->no_line)) return nullptr;
  return std::make_unique<Line>();
}

core::Task<core::LineResult> ModelWeChat::open_line(core::SteadyTime deadline) {
  bool const fails = world_.random.chance(world_.spell->line_fails);
  auto const ready = world_.clock.steady() + world_.random.ms_between(20, fails ? 2000 : 200);
  co_await world_.clock.sleep_until(std::min(ready, deadline));
  if (fails || ready > deadline)
    co_return core::LineResult{.line = nullptr, .failure = core::TransportFailure::connect};
  co_return core::LineResult{.line = std::make_unique<Line>()};
}

Fate ModelWeChat::draw_fate() {
  Spell const& spell = *world_.spell;
  if (!world_.random.chance(spell.faults)) return Fate::number;
  if (!spell.fates.empty()) return world_.random.one_of(spell.fates);
  return world_.random.one_of(fate_rules()).fate;
}

bool ModelWeChat::is_refused(std::string const& token) const { return token_in(token) <= world_.refused_to; }

// The one place that knows what WeChat does with a code.
void ModelWeChat::arrives(World& world, Call& call) {
  Story& story = world.witness.code(call.code);
  if (story.await == Await::request) story.await = Await::answer;
  if (!refuses_at_once(call.fate)) {
    bool const token_refused = call.token <= world.refused_to;
    bool const lives = world.clock.steady() - story.issued < core::limits::code_life;
    bool const good = story.genuine && lives && !story.spent;
    if (brings_number(call.fate)) {
      if (token_refused) {
        call.fate = Fate::token_refused;
      } else if (!good) {
        call.fate = story.spent ? Fate::code_used : Fate::code_invalid;
      }
    }
    if (!token_refused && good) {
      story.spent = true;
      world.witness.note(call.code, "WeChat takes the unit");
    }
  }
  constexpr auto long_ago = core::seconds(1300);
  bool const is_stale = call.fate == Fate::stale_watermark;
  GivenNumber const given{
      .digits = story.number,
      .appid = call.fate == Fate::foreign_watermark ? foreign_appid : appid,
      .timestamp_s = core::unix_seconds(world.clock.true_wall() - (is_stale ? long_ago : core::seconds(0)))};
  call.reply = reply_of(call.fate, given);
}

core::Task<core::WeChatReply> ModelWeChat::call(int code, std::string token, core::milliseconds answer_time,
                                                core::SteadyTime deadline) {
  Random& random = world_.random;
  Spell const& spell = *world_.spell;
  if (random.chance(spell.tokens_revoked)) world_.refused_to = world_.token;
  world_.witness.call_begins(code, token);
  auto const call = std::make_shared<Call>(Call{.code = code, .token = token_in(token), .fate = draw_fate()});
  auto const left = std::chrono::floor<core::milliseconds>(deadline - world_.clock.steady());
  auto const limit = std::min(answer_time, left);
  if (limit <= core::milliseconds(0)) call->fate = Fate::not_sent;
  auto const travel = random.ms_between(2, 15);
  auto takes = travel + random.ms_between(spell.answer_ms.least, spell.answer_ms.most);
  if (call->fate == Fate::not_sent) takes = std::min(limit, travel);
  bool const is_late = is_silent(call->fate) || takes > limit;
  bool const arrives_ever = !never_arrives(call->fate);
  if (is_late) takes = limit;
  constexpr auto much_later = core::seconds(20);
  if (world_.bugs.has(Bug::late_answer)) takes += much_later;
  if (arrives_ever) world_.clock.later(travel, [&world = world_, call] { arrives(world, *call); });
  witness_await(code, Await::request);
  co_await world_.clock.pause(takes);
  if (is_late && call->fate != Fate::not_sent && !is_silent(call->fate)) call->fate = Fate::slow;
  core::WeChatReply reply = is_late || !arrives_ever ? reply_of(call->fate, {}) : std::move(call->reply);
  witness_await(code, Await::token);
  world_.witness.call_told(code, call->fate);
  co_return dated(std::move(reply));
}

void ModelWeChat::witness_await(int code, Await await) { world_.witness.code(code).await = await; }

core::WeChatReply ModelWeChat::dated(core::WeChatReply reply) {
  if (reply.delivery != core::Delivery::answered) return reply;
  reply.date = http_date(world_.clock.true_wall());
  world_.witness.date_told();
  if (!world_.bugs.has(Bug::date_ignored)) skew_.observe(reply.date, world_.clock.steady());
  return reply;
}

core::Task<core::WeChatReply> ModelWeChat::get_user_phone_number(std::unique_ptr<core::WeChatLine> /*line*/,
                                                                 core::AccessToken access_token,
                                                                 core::Code code, core::OpenId /*openid*/,
                                                                 core::milliseconds answer_time,
                                                                 core::SteadyTime deadline) {
  return call(presentation_of(code.reveal()), std::string(access_token.reveal()), answer_time, deadline);
}

core::Task<core::WeChatReply> ModelWeChat::get_access_token(core::TokenEndpoint /*endpoint*/,
                                                            std::string /*appid*/, core::AppSecret /*secret*/,
                                                            core::SteadyTime deadline) {
  Random& random = world_.random;
  world_.witness.token_asked_for();
  if (random.chance(world_.spell->token_faults)) {
    int const kind = random.below(4);
    auto const ready = world_.clock.steady() + random.ms_between(5, 300);
    co_await world_.clock.sleep_until(kind == 0 ? deadline : ready);
    world_.witness.token_told(false);
    if (kind == 0) co_return silence();
    co_return dated(kind == 1   ? says_errcode(-1)
                    : kind == 2 ? says_errcode(40164)
                                : reply_of(Fate::garbage, {}));
  }
  co_await world_.clock.pause(random.ms_between(10, 200));
  bool const gives_another = world_.refused_to >= world_.token && !world_.spell->token_is_dead;
  if (gives_another) ++world_.token;
  world_.witness.token_told(true);
  core::WeChatReply reply = says_errcode(0);
  std::string const lifetime_s = random.chance(100) ? "300" : "7200";
  reply.body = R"({"access_token":")" + token_text(world_.token) + R"(","expires_in":)" + lifetime_s + "}";
  co_return dated(std::move(reply));
}

core::Task<core::WeChatReply> ModelWeChat::get_api_quota(core::AccessToken access_token,
                                                         core::SteadyTime deadline) {
  Random& random = world_.random;
  bool const fails = random.chance(world_.spell->faults);
  if (fails) {
    co_await world_.clock.sleep_until(deadline);
    co_return silence();
  }
  co_await world_.clock.pause(random.ms_between(10, 200));
  co_return dated(says_errcode(is_refused(std::string(access_token.reveal())) ? 40001 : 0));
}

core::Task<core::WeChatReply> ModelWeChat::code_to_session(std::string /*appid*/, core::AppSecret /*secret*/,
                                                           core::JsCode /*js_code*/,
                                                           core::SteadyTime /*deadline*/) {
  co_return silence();
}

core::Task<core::WeChatReply> ModelWeChat::get_user_encrypt_key(core::AccessToken /*access_token*/,
                                                                core::OpenId /*openid*/,
                                                                std::string /*signature*/,
                                                                core::SteadyTime /*deadline*/) {
  co_return silence();
}

}  // namespace onetap::simulation
