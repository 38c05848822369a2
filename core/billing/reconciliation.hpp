#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/ledger_admin.hpp"
#include "core/result.hpp"
#include "core/task.hpp"

/// Why WeChat's count of a pack differs from ours (design/ledger.md, v_reconciliation).
namespace onetap::core::reconciliation {

/// What explains a part of a difference, in the order in which it is asked.
enum class Cause {
  doubt,            // codes in doubt: WeChat may have charged them
  lag,              // codes so young that WeChat may count them later, or of just before the day
  shift,            // WeChat burnt them from a neighbouring pack
  leak,             // of a day: booked as a leak since
  gap,              // nobody has rows of that time: a backup was restored
  never_presented,  // a page got a code that has no row here
  rejected,         // a code came that WeChat would not exchange any more
};

/// Above zero: WeChat counts so many more.
struct Line {
  Cause cause = Cause::doubt;
  std::int64_t units = 0;
};

enum class Verdict {
  agrees,
  explained_by_doubt,
  explained_by_lag,
  explained_by_shift,
  wechat_counts_more,  // codes that were charged and came to nothing, known or not
  we_count_more,       // must never happen
  size_mismatch,
};

/// A pack's units, as WeChat and we count them: since its beginning, or within a day.
struct Figures {
  std::int64_t pack = 0;
  std::string wx_pkg_id{};  // empty: the trial pack
  std::int64_t units = 0;
  WallTime as_of;
  std::int64_t wx_all = 0;
  std::int64_t wx_used = 0;
  std::int64_t used_before = 0;
  std::int64_t used = 0;
  std::int64_t lost = 0;
  std::int64_t doubt = 0;
  // What may lie on either side:
  std::int64_t young = 0;           // our codes of the last limits::usage_lag_max before as_of
  std::int64_t young_at_start = 0;  // of a day: likewise before WeChat's figures at its beginning
  std::int64_t in_gaps = 0;         // that WeChat counted while nobody kept rows
  std::int64_t leaked_since = 0;    // of a day: booked as a leak since it began

  [[nodiscard]] std::int64_t drift() const { return wx_used - used_before - used - lost; }
};

/// The packs of one kind of one mini program, in burn order, and what is known of codes that no pack knows.
struct Books {
  std::string appid{};
  Kind kind = Kind::quick;
  std::vector<Figures> packs{};
  std::int64_t elsewhere = 0;        // booked on packs that WeChat does not name, the overdraft first
  std::int64_t never_presented = 0;  // issued, by the pages' events, without a row here; not booked as a leak
  std::int64_t rejected = 0;         // codes that WeChat refused to exchange
};

struct Finding {
  Figures figures;
  std::vector<Line> lines;       // together with unexplained they are the drift
  std::int64_t unexplained = 0;  // below zero: we count more
  Verdict verdict = Verdict::agrees;

  /// Nothing is left for an operator to look for.
  [[nodiscard]] bool is_settled() const { return unexplained == 0 && verdict != Verdict::size_mismatch; }
};

/// One for each pack. What is not explained stays with the packs that burnt last.
[[nodiscard]] std::vector<Finding> explain(Books const& books);

[[nodiscard]] std::string_view to_string(Cause cause);
[[nodiscard]] std::string_view to_string(Verdict verdict);
/// For the operator, with what may be done.
[[nodiscard]] std::string sentence_of(Line const& line, Figures const& figures);
[[nodiscard]] std::string sentence_of_unexplained(Finding const& finding);

}  // namespace onetap::core::reconciliation

namespace onetap::core {

/// Port: WeChat's count beside the ledger's, for operators. Thread: the loop's, which never waits for a disk.
class Reconciliations {
 public:
  Reconciliations() = default;
  Reconciliations(Reconciliations const&) = delete;
  Reconciliations& operator=(Reconciliations const&) = delete;
  virtual ~Reconciliations() = default;

  /// Has WeChat asked for its figures as of now; false when some did not come in time.
  [[nodiscard]] virtual Task<bool> ask_wechat() = 0;
  /// A JSON array of packs, of China's day ("2026-11-22") or with an empty one of their lives. Refused: the
  /// day is none, or the ledger cannot be read.
  [[nodiscard]] virtual Task<Result<std::string, admin::Refusal>> compare(std::string day) = 0;
};

}  // namespace onetap::core
