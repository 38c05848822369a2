#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/simulation/core_bug.hpp"
#include "tests/simulation/episode.hpp"

namespace onetap::simulation {
namespace {

constexpr int codes_an_episode = 400;

// A figure of the run that a person may set in the environment, e.g. ONETAP_SEED=7.
std::uint64_t run_figure(char const* name, std::uint64_t usual) {
  char const* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : usual;
}

std::uint64_t seed() { return run_figure("ONETAP_SEED", 1); }

struct Run {
  Tally tally;
  std::uint64_t digest = 0;
  int episode = 0;  // the last
  std::optional<std::string> broken;
  std::string broken_rule;
};

// Until the first broken promise, or so many codes.
Run simulate(std::int64_t codes, Bugs bugs = {}, int first_episode = 0) {
  CoreBug const of_core(bugs.of_core);
  Run run;
  for (int episode = first_episode; run.tally.codes < codes; ++episode) {
    EpisodeResult result = run_episode(episode_seed(seed(), episode), codes_an_episode, bugs);
    run.tally += result.tally;
    run.digest = run.digest * 31 + result.digest;
    run.episode = episode;
    run.broken = std::move(result.broken);
    run.broken_rule = std::move(result.broken_rule);
    if (run.broken) break;
  }
  return run;
}

std::string described(Run const& run) {
  return "ONETAP_SEED=" + std::to_string(seed()) + " ONETAP_EPISODE=" + std::to_string(run.episode) + ": " +
         run.broken.value_or("all promises kept");
}

void print(Tally const& tally) {
  std::printf(
      "%lld codes presented %lld times in %lld events: %lld calls, %lld numbers, %lld in doubt, at most %d "
      "calls "
      "at once; %lld crashes, %lld jumps of the clock\n",
      static_cast<long long>(tally.codes), static_cast<long long>(tally.presentations),
      static_cast<long long>(tally.steps), static_cast<long long>(tally.calls),
      static_cast<long long>(tally.numbers), static_cast<long long>(tally.in_doubt), tally.calls_at_once_max,
      static_cast<long long>(tally.crashes), static_cast<long long>(tally.clock_jumps));
  for (std::size_t i = 0; i < awaits; ++i) {
    auto const name = to_string(static_cast<Await>(i));
    if (tally.crashes_at[i] != 0)
      std::printf("  exchanges crashed while they waited for %.*s: %d\n", static_cast<int>(name.size()),
                  name.data(), tally.crashes_at[i]);
  }
}

TEST_CASE("no promise is broken, whatever WeChat, the disk, the clock and the people do") {
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed()));
  auto const codes = static_cast<std::int64_t>(run_figure("ONETAP_CODES", 200'000));
  auto const only = run_figure("ONETAP_EPISODE", UINT64_MAX);
  Run const run = only == UINT64_MAX ? simulate(codes) : simulate(1, {}, static_cast<int>(only));
  print(run.tally);
  CHECK_MESSAGE(!run.broken, described(run));
  if (only != UINT64_MAX || run.tally.codes < 20'000) return;
  for (std::size_t i = static_cast<std::size_t>(Await::find); i < awaits; ++i) {
    INFO("waiting for ", to_string(static_cast<Await>(i)));
    CHECK(run.tally.crashes_at[i] > 0);
  }
}

TEST_CASE("the same seed makes the same run, event by event, and fails at the same one") {
  Bugs const foreign{.ours = Bug::foreign_watermark_taken};
  Run const caught = simulate(20'000, foreign);
  Run const caught_again = simulate(20'000, foreign);
  REQUIRE(caught.broken);
  CHECK(caught.broken == caught_again.broken);
  Run const once = simulate(2000);
  Run const again = simulate(2000);
  CHECK(once.tally.steps == again.tally.steps);
  CHECK(once.digest == again.digest);
  Run const another = simulate(2000, {}, 2);
  CHECK(another.digest != once.digest);
}

struct Seeded {
  std::string_view name;
  Bugs bugs;
};

constexpr std::array seeded{
    Seeded{"a call before T1 is durable", {.ours = Bug::call_before_t1}},
    Seeded{"an answer before T2 is durable", {.ours = Bug::answer_before_t2}},
    Seeded{"an outcome that is never written", {.ours = Bug::outcome_dropped}},
    Seeded{"doubt that is not sticky", {.ours = Bug::doubt_not_sticky}},
    Seeded{"no check of whose code it is", {.ours = Bug::owner_forgotten}},
    Seeded{"a code that is forgotten", {.ours = Bug::code_forgotten}},
    Seeded{"a second attempt that is not recorded", {.ours = Bug::resend_unrecorded}},
    Seeded{"T2 that is never acknowledged", {.ours = Bug::t2_never_told}},
    Seeded{"a rescue that is never written", {.ours = Bug::rescue_dropped}},
    Seeded{"recovery that tries again", {.ours = Bug::recovery_retries}},
    Seeded{"recovery left out", {.ours = Bug::recovery_left_out}},
    Seeded{"a timeout treated as -1", {.ours = Bug::timeout_as_system_error}},
    Seeded{"a timeout treated as not sent", {.ours = Bug::timeout_as_not_sent}},
    Seeded{"-1 treated as a refusal", {.ours = Bug::system_error_as_refusal}},
    Seeded{"an unknown errcode treated as a bad code", {.ours = Bug::unknown_as_invalid}},
    Seeded{"a bad code treated as a refusal", {.ours = Bug::invalid_as_refusal}},
    Seeded{"a foreign watermark taken for ours", {.ours = Bug::foreign_watermark_taken}},
    Seeded{"a transport that sends again by itself", {.ours = Bug::sends_twice}},
    Seeded{"answers mixed up", {.ours = Bug::answers_mixed_up}},
    Seeded{"a deadline that is not kept", {.ours = Bug::late_answer}},
    Seeded{"WeChat's Date ignored", {.ours = Bug::date_ignored}},
    Seeded{"a token asked for three times", {.ours = Bug::token_asked_for_thrice}},
    Seeded{"a prober that was not started", {.ours = Bug::prober_not_started}},
    Seeded{"an exchange that ends with its client", {.of_core = core::SeededBug::unshielded}},
    Seeded{"a stranger who may follow", {.of_core = core::SeededBug::anyone_may_follow}},
    Seeded{"no single flight", {.of_core = core::SeededBug::no_single_flight}},
    Seeded{"a refused token that is kept", {.of_core = core::SeededBug::refused_token_kept}},
    Seeded{"turns while the circuit is open", {.of_core = core::SeededBug::turns_while_open}},
    Seeded{"turns without a bound", {.of_core = core::SeededBug::turns_without_bound}},
    Seeded{"a trial that never ends", {.of_core = core::SeededBug::trial_never_ends}},
};

TEST_CASE("each seeded bug is caught") {
  constexpr std::int64_t codes_max = 20'000;
  for (Seeded const& bug : seeded) {
    Run const run = simulate(codes_max, bug.bugs);
    std::printf("%-42.*s %6lld codes: %s\n", static_cast<int>(bug.name.size()), bug.name.data(),
                static_cast<long long>(run.tally.codes), run.broken ? run.broken_rule.c_str() : "NOT CAUGHT");
    CHECK_MESSAGE(run.broken, bug.name);
  }
}

}  // namespace
}  // namespace onetap::simulation
