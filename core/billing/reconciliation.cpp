#include "core/billing/reconciliation.hpp"

#include <algorithm>

namespace onetap::core::reconciliation {
namespace {

/// A pack while its difference is being explained.
struct Account {
  Finding finding;
  // What its lines say so far:
  std::int64_t doubt = 0;
  std::int64_t young = 0;  // below zero: not counted yet
  std::int64_t shift = 0;
  std::int64_t rest = 0;  // what no line says yet

  [[nodiscard]] Figures const& figures() const { return finding.figures; }
  /// How much more its own codes would explain, and how much less.
  [[nodiscard]] std::int64_t room_above() const {
    return figures().doubt - doubt + figures().young_at_start - young;
  }
  [[nodiscard]] std::int64_t room_below() const { return figures().young + young + doubt; }

  /// Has its own codes explain so many more, up to room_above(), and its neighbours the less.
  void raise(std::int64_t units) {
    std::int64_t const counted = std::clamp<std::int64_t>(-young, 0, units);
    std::int64_t const doubtful = std::min(units - counted, figures().doubt - doubt);
    doubt += doubtful;
    young += units - doubtful;
    shift -= units;
  }
  /// Has them explain so many less, up to room_below(), and its neighbours the more.
  void lower(std::int64_t units) {
    std::int64_t const early = std::clamp<std::int64_t>(young, 0, units);
    std::int64_t const doubtful = std::min(units - early, doubt);
    doubt -= doubtful;
    young -= units - doubtful;
    shift += units;
  }
};

void say(Finding& finding, Cause cause, std::int64_t units) {
  if (units != 0) finding.lines.push_back({.cause = cause, .units = units});
}

// Its own codes may be in doubt, or too young.
void explain_alone(Account& account) {
  Figures const& figures = account.figures();
  account.rest = figures.drift();
  if (account.rest > 0) {
    account.doubt = std::min(account.rest, figures.doubt);
    account.rest -= account.doubt;
    account.young = std::min(account.rest, figures.young_at_start);
  } else {
    account.young = std::max(account.rest, -figures.young);
  }
  account.rest -= account.young;
}

/// Takes up to `units` from what is not explained of these accounts, by their sign; how many it were.
std::int64_t shift_rest(std::vector<Account>& accounts, std::int64_t units, bool above) {
  std::int64_t left = units;
  for (Account& account : accounts) {
    std::int64_t const rest =
        above ? std::max<std::int64_t>(account.rest, 0) : std::max<std::int64_t>(-account.rest, 0);
    std::int64_t const part = std::min(rest, left);
    account.rest += above ? -part : part;
    account.shift += above ? part : -part;
    left -= part;
  }
  return units - left;
}

std::int64_t sum_above(std::vector<Account> const& accounts) {
  std::int64_t sum = 0;
  for (Account const& account : accounts) sum += std::max<std::int64_t>(account.rest, 0);
  return sum;
}

std::int64_t sum_below(std::vector<Account> const& accounts) {
  std::int64_t sum = 0;
  for (Account const& account : accounts) sum += std::max<std::int64_t>(-account.rest, 0);
  return sum;
}

// What WeChat counts more of one pack may be another's code that is in doubt.
void shift_onto_room_above(std::vector<Account>& accounts) {
  for (Account& account : accounts) {
    std::int64_t const part = std::min(account.room_above(), sum_above(accounts));
    if (part <= 0 || account.rest > 0) continue;
    account.raise(part);
    static_cast<void>(shift_rest(accounts, part, true));
  }
}

// What we count more of one pack may be another's code that WeChat does not count yet.
void shift_onto_room_below(std::vector<Account>& accounts) {
  for (Account& account : accounts) {
    std::int64_t const part = std::min(account.room_below(), sum_below(accounts));
    if (part <= 0 || account.rest < 0) continue;
    account.lower(part);
    static_cast<void>(shift_rest(accounts, part, false));
  }
}

// WeChat burns a unit when the page gets the code, and we book it when the code comes: between the two a pack
// may have ended, or one have been bought.
void explain_together(std::vector<Account>& accounts, std::int64_t elsewhere) {
  std::int64_t const between = std::min(sum_above(accounts), sum_below(accounts));
  static_cast<void>(shift_rest(accounts, between, true));
  static_cast<void>(shift_rest(accounts, between, false));
  static_cast<void>(shift_rest(accounts, std::min(elsewhere, sum_above(accounts)), true));
  shift_onto_room_above(accounts);
  shift_onto_room_below(accounts);
}

void take(Account& account, Cause cause, std::int64_t& at_most) {
  std::int64_t const part = std::min(std::max<std::int64_t>(account.rest, 0), at_most);
  say(account.finding, cause, part);
  account.rest -= part;
  at_most -= part;
}

Verdict verdict_of(Finding const& finding) {
  Figures const& figures = finding.figures;
  auto const says = [&](Cause cause) { return std::ranges::count(finding.lines, cause, &Line::cause) > 0; };
  bool const has_leaked = says(Cause::leak) || says(Cause::gap) || says(Cause::never_presented) ||
                          says(Cause::rejected) || finding.unexplained > 0;
  if (figures.wx_all != figures.units) return Verdict::size_mismatch;
  if (finding.unexplained < 0) return Verdict::we_count_more;
  if (has_leaked) return Verdict::wechat_counts_more;
  if (says(Cause::shift)) return Verdict::explained_by_shift;
  if (says(Cause::lag)) return Verdict::explained_by_lag;
  return figures.doubt > 0 ? Verdict::explained_by_doubt : Verdict::agrees;
}

std::string units_text(std::int64_t units) {
  return std::to_string(units) + (units == 1 ? " unit" : " units");
}

}  // namespace

std::vector<Finding> explain(Books const& books) {
  std::vector<Account> accounts;
  for (Figures const& figures : books.packs) {
    Account& account = accounts.emplace_back();
    account.finding.figures = figures;
    explain_alone(account);
  }
  explain_together(accounts, books.elsewhere);
  std::int64_t never_presented = books.never_presented;
  std::int64_t rejected = books.rejected;
  std::vector<Finding> findings;
  for (Account& account : accounts) {
    Finding& finding = account.finding;
    say(finding, Cause::doubt, account.doubt);
    say(finding, Cause::lag, account.young);
    say(finding, Cause::shift, account.shift);
    std::int64_t leaked = finding.figures.leaked_since;
    std::int64_t in_gaps = finding.figures.in_gaps;
    take(account, Cause::leak, leaked);
    take(account, Cause::gap, in_gaps);
    take(account, Cause::never_presented, never_presented);
    take(account, Cause::rejected, rejected);
    finding.unexplained = account.rest;
    finding.verdict = verdict_of(finding);
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::doubt: return "doubt";
    case Cause::lag: return "lag";
    case Cause::shift: return "shift";
    case Cause::leak: return "leak";
    case Cause::gap: return "gap";
    case Cause::never_presented: return "never_presented";
    case Cause::rejected: break;
  }
  return "rejected";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::agrees: return "AGREES";
    case Verdict::explained_by_doubt: return "EXPLAINED_BY_DOUBT";
    case Verdict::explained_by_lag: return "EXPLAINED_BY_LAG";
    case Verdict::explained_by_shift: return "EXPLAINED_BY_SHIFT";
    case Verdict::wechat_counts_more: return "WECHAT_COUNTS_MORE";
    case Verdict::we_count_more: return "WE_COUNT_MORE";
    case Verdict::size_mismatch: break;
  }
  return "SIZE_MISMATCH";
}

std::string sentence_of(Line const& line, Figures const& figures) {
  std::string const how =
      "onetap ledger leak " + std::to_string(figures.pack) + " " + std::to_string(line.units) + " --note …";
  switch (line.cause) {
    case Cause::doubt: return "in doubt: WeChat charged and its answer was lost (onetap ledger in-doubt)";
    case Cause::lag:
      return line.units < 0 ? "exchanged in the last minutes, and in WeChat's figures soon"
                            : "exchanged just before the day, and in WeChat's figures only then";
    case Cause::shift:
      return line.units > 0
                 ? "booked on a neighbouring pack: WeChat burns at the tap, we book when the code comes"
                 : "burnt from a neighbouring pack: WeChat burns at the tap, we book when the code comes";
    case Cause::leak: return "booked as a leak since";
    case Cause::gap:
      return "counted while a backup was yet to be restored: no row is of that time; book: " + how;
    case Cause::never_presented:
      return "issued to a page, and no row here: the code never came, or was refused unread; book: " + how;
    case Cause::rejected: break;
  }
  return "came too late, or twice: charged if it was genuine, and WeChat gave no number; book: " + how;
}

std::string sentence_of_unexplained(Finding const& finding) {
  if (finding.unexplained < 0) {
    return units_text(-finding.unexplained) +
           " that WeChat does not count: this must not happen; is another ledger or an older backup of this "
           "mini program in use?";
  }
  return "charged, and no code came: double taps, callbacks lost in a page change (WeChat's billing guide); "
         "compare the day (--day), ask WeChat with its list (--evidence), then book: onetap ledger leak " +
         std::to_string(finding.figures.pack) + " " + std::to_string(finding.unexplained) + " --note …";
}

}  // namespace onetap::core::reconciliation
