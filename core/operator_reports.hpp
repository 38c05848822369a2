#pragma once

#include <string>

#include "core/exchange/ledger.hpp"
#include "core/ledger_admin.hpp"
#include "core/result.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// What an operator's page asks of the ledger (contract, "Operator listener").
struct ReportQuestion {
  enum class About {
    summary,       // of today: counts, funnel, doubts
    history,       // of `appid` and `kind`: outcomes, latency and units left over time
    consumptions,  // the newest `rows_max`; of `appid` and `kind` where they are named
    packs,
  };
  About about = About::summary;
  std::string appid{};
  std::optional<Kind> kind{};
  int rows_max = 0;
};

/// Port: answers it, as the text of a JSON object; numbers are masked. Thread: the loop's, which never waits
/// for a disk; an answer that would take too long is refused.
class OperatorReports {
 public:
  OperatorReports() = default;
  OperatorReports(OperatorReports const&) = delete;
  OperatorReports& operator=(OperatorReports const&) = delete;
  virtual ~OperatorReports() = default;

  [[nodiscard]] virtual Task<Result<std::string, admin::Refusal>> answer(ReportQuestion question) = 0;
};

}  // namespace onetap::core
