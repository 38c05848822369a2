#include "tests/simulation/spell.hpp"

#include <array>

namespace onetap::simulation {
namespace {

constexpr std::array lost{Fate::silence_before, Fate::silence_after, Fate::reset_before, Fate::reset_after,
                          Fate::slow,           Fate::garbage,       Fate::bad_gateway};
constexpr std::array gone{Fate::silence_before, Fate::not_sent, Fate::reset_before};
constexpr std::array limited{Fate::calls_per_minute, Fate::calls_per_minute, Fate::calls_per_day};
constexpr std::array misconfigured{Fate::misconfigured, Fate::no_quota};
constexpr std::array watermarks{Fate::foreign_watermark, Fate::stale_watermark, Fate::unknown_errcode};
constexpr std::array busy{Fate::system_error_unspent, Fate::system_error_spent};
constexpr std::array not_sent{Fate::not_sent};

constexpr std::array<Spell, 19> all{{
    {.name = "calm", .faults = 5},
    {.name = "calm", .faults = 5},
    {.name = "calm", .faults = 5},
    {.name = "calm", .faults = 5},
    {.name = "mixed", .faults = 120, .token_faults = 200, .tokens_revoked = 20},
    {.name = "mixed", .faults = 250, .no_line = 300, .line_fails = 50},
    {.name = "lossy", .faults = 400, .fates = lost},
    {.name = "gone", .faults = 1000, .fates = gone, .no_line = 900, .line_fails = 800, .token_faults = 1000},
    {.name = "limited", .faults = 60, .fates = limited},
    {.name = "misconfigured", .faults = 200, .fates = misconfigured, .token_faults = 500},
    {.name = "watermarks", .faults = 150, .fates = watermarks},
    {.name = "busy", .faults = 300, .fates = busy},
    {.name = "not sent", .faults = 300, .fates = not_sent},
    {.name = "tokens revoked", .faults = 5, .token_faults = 100, .tokens_revoked = 80},
    {.name = "dead token", .tokens_revoked = 30, .token_is_dead = true},
    {.name = "slow", .faults = 20, .answer_ms = {500, 2900}, .gap_ms = {0, 30}},
    {.name = "rush", .answer_ms = {600, 2500}, .gap_ms = {0, 2}},
    {.name = "slow disk", .faults = 20, .ledger_ms = {20, 1200}},
    {.name = "full disk", .faults = 20, .tokens_revoked = 20, .disk_full = 300},
}};

}  // namespace

std::span<Spell const> spells() { return all; }
Spell const& calm() {
  static constexpr Spell calm{.name = "calm at last", .no_line = 0, .token_faults = 0};
  return calm;
}

}  // namespace onetap::simulation
