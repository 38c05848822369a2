#include "tests/simulation/episode.hpp"

#include <algorithm>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/simulation/durable_ledger.hpp"
#include "tests/simulation/process.hpp"
#include "tests/simulation/user_sessions.hpp"

namespace onetap::simulation {
namespace {

using namespace std::chrono_literals;

constexpr int tries_max = 6;
constexpr Who first_stranger = 2;

core::crypto::Keyring const& keyring() {
  static core::crypto::Keyring const keys(std::array<unsigned char, 32>{7, 7, 7});
  return keys;
}

std::string number_of(int code) {
  std::string const digits = std::to_string(code);
  return "138" + std::string(8 - digits.size(), '0') + digits;
}

class Episode {
 public:
  Episode(std::uint64_t seed, int codes, Bugs bugs)
      : random_(seed), bugs_(bugs), codes_planned_(codes), character_(draw_character()) {
    witness_.codes.reserve(static_cast<std::size_t>(codes) + 1);
    ledger_.recover();
    process_.emplace(machine_);
  }

  EpisodeResult run();

 private:
  // What kind of trouble this episode has.
  struct Character {
    int crashes = 0;  // of a hundred thousand steps
    bool clock_jumps = false;
  };

  Character draw_character() {
    constexpr std::array crash_rates{0, 20, 60, 300};
    return {.crashes = random_.one_of(std::span<int const>(crash_rates)), .clock_jumps = random_.chance(300)};
  }

  void next_code();
  void plan_strangers(int code);
  void plan(core::milliseconds in, int code, Who who);
  void present(int code, Who who);
  void leave(int presentation);
  void heard(int presentation, std::exception_ptr const& failure, core::PhoneResult result);
  void come_again(int code, Who who, core::PhoneResult const& result);
  void next_spell();
  void next_jump();
  void next_abandonment();
  void crash();
  void start();
  bool step();
  void run_until(core::SteadyTime time);
  void finish();
  [[nodiscard]] EpisodeResult result() const;

  Random random_;
  Bugs bugs_;
  int codes_planned_;
  Character character_;
  VirtualClock clock_{random_};
  Witness witness_{clock_};
  ModelWeChat::World wechat_{.clock = clock_, .random = random_, .witness = witness_, .bugs = bugs_};
  DurableLedger ledger_{clock_, random_, witness_, bugs_};
  BuggyLedger buggy_ledger_{ledger_, clock_, bugs_};
  UserSessions sessions_{clock_, random_, witness_, keyring()};
  tests::MemoryTokenStore token_store_;
  Machine machine_{.clock = clock_,
                   .random = random_,
                   .witness = witness_,
                   .wechat = wechat_,
                   .ledger = buggy_ledger_,
                   .sessions = sessions_,
                   .tokens = token_store_,
                   .keyring = keyring(),
                   .bugs = bugs_};
  std::deque<asio::cancellation_signal> leaving_;  // one a presentation
  std::vector<int> tries_;                         // of each code
  int planned_ = 0;                                // presentations to come
  int open_ = 0;                                   // and under way
  bool at_last_ = false;                           // no more trouble
  Tally tally_;
  std::optional<Process> process_;
};

// ---- the people

void Episode::next_code() {
  auto const code = static_cast<int>(witness_.codes.size());
  witness_.codes.push_back({.text = std::to_string(code) + "-code",
                            .number = number_of(code),
                            .genuine = at_last_ || !random_.chance(50),
                            .has_blob = random_.chance(300),
                            .issued = clock_.steady()});
  tries_.push_back(0);
  Who const who = at_last_ || random_.chance(850) ? owner : nobody;
  plan(0ms, code, who);
  if (at_last_) return;
  if (random_.chance(250)) plan(random_.ms_between(0, 300), code, who);  // a nervous finger
  if (random_.chance(250)) plan_strangers(code);
  if (code + 1 >= codes_planned_) return;
  ++planned_;
  clock_.later(random_.ms_between(wechat_.spell->gap_ms.least, wechat_.spell->gap_ms.most), [this] {
    --planned_;
    next_code();
  });
}

void Episode::plan_strangers(int code) {
  int const how_many = random_.between(1, 3);
  for (int i = 0; i < how_many; ++i) {
    Who const who = random_.chance(250) ? nobody : first_stranger + random_.below(2);
    plan(random_.ms_between(0, random_.chance(700) ? 400 : 30'000), code, who);
  }
}

void Episode::plan(core::milliseconds in, int code, Who who) {
  ++planned_;
  clock_.later(in, [this, code, who] {
    --planned_;
    present(code, who);
  });
}

void Episode::present(int code, Who who) {
  if (!process_) return plan(random_.ms_between(300, 2000), code, who);
  int const presentation = witness_.presented(code, who);
  core::ConsumeRequest request{.code = core::Code(witness_.code(code).text),
                               .appid = appid,
                               .request_id = request_id_of(presentation)};
  if (who != nobody) request.caller = key_of(code, who);
  if (who != nobody && witness_.code(code).has_blob) {
    request.user = request.caller;
    request.encrypted =
        sessions_.log_in(code, who, who == owner ? witness_.code(code).number : strangers_number);
  }
  asio::cancellation_signal& left = leaving_.emplace_back();
  ++open_;
  process_->consume(std::move(request), left,
                    [this, presentation](std::exception_ptr const& failure, core::PhoneResult result) {
                      heard(presentation, failure, std::move(result));
                    });
  if (random_.chance(60)) leave(presentation);
}

// Nobody listens any more; the exchange goes on.
void Episode::leave(int presentation) {
  clock_.later(random_.ms_between(0, 400), [this, presentation] {
    if (witness_.presentation(presentation).over) return;
    witness_.note(witness_.presentation(presentation).code, "the client leaves");
    leaving_[static_cast<std::size_t>(presentation)].emit(asio::cancellation_type::terminal);
  });
}

void Episode::heard(int index, std::exception_ptr const& failure, core::PhoneResult result) {
  --open_;
  Presentation const& presentation = witness_.presentation(index);
  if (failure) return witness_.heard_an_exception(index);
  witness_.heard(index, result);
  come_again(presentation.code, presentation.who, result);
}

void Episode::come_again(int code, Who who, core::PhoneResult const& result) {
  if (at_last_ || ++tries_[static_cast<std::size_t>(code)] > tries_max) return;
  if (auto const* problem = std::get_if<core::Problem>(&result.answer)) {
    bool const same_code =
        problem->retry.value_or(core::kind_of(problem->code).retry) == core::Retry::same_code;
    core::milliseconds const wait = problem->retry_after.value_or(1s);
    if (same_code) return plan(wait + random_.ms_between(0, 500), code, who);
  }
  if (random_.chance(150)) plan(random_.ms_between(0, 20'000), code, who);
  if (random_.chance(20)) plan(random_.ms_between(250'000, 900'000), code, who);
}

// ---- the world

void Episode::next_spell() {
  if (at_last_) return;
  wechat_.spell = &random_.one_of(spells());
  ledger_.use(*wechat_.spell);
  sessions_.use(*wechat_.spell);
  constexpr int everything = -1;
  witness_.note(everything, "spell:", wechat_.spell->name);
  clock_.later(random_.ms_between(300, 4000), [this] { next_spell(); });
}

void Episode::next_jump() {
  constexpr int jump_s_max = 600;
  if (at_last_) return;
  bool const is_off = clock_.off() != 0ms;
  clock_.set_off(is_off ? 0ms : core::milliseconds(1000 * random_.between(-jump_s_max, jump_s_max)));
  ++tally_.clock_jumps;
  witness_.clock_jumped();
  clock_.later(random_.ms_between(500, is_off ? 15'000 : 3'000), [this] { next_jump(); });
}

void Episode::next_abandonment() {
  ledger_.abandon();
  clock_.later(60s, [this] { next_abandonment(); });
}

void Episode::crash() {
  ++tally_.crashes;
  std::vector<std::pair<int, Who>> lost;
  for (Presentation const& known : witness_.presentations) {
    if (!known.over) lost.emplace_back(known.code, known.who);
  }
  witness_.crashed();
  process_.reset();
  ledger_.crash();
  open_ = 0;
  for (auto const& [code, who] : lost) {
    if (++tries_[static_cast<std::size_t>(code)] <= tries_max) plan(random_.ms_between(300, 3000), code, who);
  }
  clock_.later(random_.ms_between(100, 1500), [this] { start(); });
}

void Episode::start() {
  witness_.started();
  ledger_.recover();
  process_.emplace(machine_);
}

bool Episode::step() {
  if (!clock_.step()) return false;
  if (process_) process_->run();
  witness_.step_is_over();
  constexpr int everything = -1;
  constexpr std::int64_t steps_max = 1'000'000;  // a hundred times what is usual
  if (witness_.steps() > steps_max) witness_.fail(everything, "the server does not come to rest");
  if (witness_.broken()) return false;
  if (process_ && !at_last_ && random_.below(100'000) < character_.crashes) crash();
  return true;
}

void Episode::run_until(core::SteadyTime time) {
  while (clock_.steady() < time && step()) {
  }
}

// Once nothing is wrong any more, the next code gets its number.
void Episode::finish() {
  constexpr auto longest_pause = 100s;  // a minute's limit, a probe every half minute, a token's back-off
  at_last_ = true;
  wechat_.spell = &calm();
  ledger_.use(calm());
  sessions_.use(calm());
  clock_.set_off(0ms);
  witness_.clock_jumped();
  run_until(clock_.steady() + longest_pause);
  if (witness_.broken()) return;
  auto const last = static_cast<int>(witness_.codes.size());
  next_code();
  run_until(clock_.steady() + 10s);
  if (!witness_.broken() && !witness_.code(last).number_heard)
    witness_.fail(last, "all is well, and no number comes");
  if (!witness_.broken() && process_ && process_->in_flight() != 0)
    witness_.fail(last, "an exchange is still in flight, and nobody makes it");
  witness_.quiet();
}

EpisodeResult Episode::run() {
  constexpr auto patience = 60s;
  next_code();
  clock_.later(random_.ms_between(0, 2000), [this] { next_spell(); });
  clock_.later(60s, [this] { next_abandonment(); });
  if (character_.clock_jumps) clock_.later(random_.ms_between(1000, 10'000), [this] { next_jump(); });
  while (planned_ > 0 && step()) {
  }
  core::SteadyTime const rest = clock_.steady() + patience;
  while (open_ > 0 && clock_.steady() < rest && step()) {
  }
  if (!witness_.broken()) finish();
  return result();
}

EpisodeResult Episode::result() const {
  Tally tally = tally_;
  tally.steps = witness_.steps();
  tally.presentations = static_cast<std::int64_t>(witness_.presentations.size());
  tally.calls_at_once_max = witness_.calls_at_once_max();
  tally.crashes_at = witness_.crashes_at();
  for (Story const& story : witness_.codes) {
    ++tally.codes;
    tally.calls += story.calls;
    tally.numbers += story.number_heard ? 1 : 0;
    tally.in_doubt += story.state == core::State::in_doubt ? 1 : 0;
  }
  return {.tally = tally,
          .digest = witness_.digest(),
          .broken = witness_.broken(),
          .broken_rule = witness_.broken_rule()};
}

}  // namespace

Tally& Tally::operator+=(Tally const& other) {
  codes += other.codes;
  presentations += other.presentations;
  calls += other.calls;
  numbers += other.numbers;
  in_doubt += other.in_doubt;
  crashes += other.crashes;
  clock_jumps += other.clock_jumps;
  steps += other.steps;
  calls_at_once_max = std::max(calls_at_once_max, other.calls_at_once_max);
  for (std::size_t i = 0; i < crashes_at.size(); ++i) crashes_at[i] += other.crashes_at[i];
  return *this;
}

std::uint64_t episode_seed(std::uint64_t seed, int episode) {
  return seed * 1'000'003 + static_cast<std::uint64_t>(episode);
}

EpisodeResult run_episode(std::uint64_t seed, int codes, Bugs bugs) {
  return Episode(seed, codes, bugs).run();
}

}  // namespace onetap::simulation
