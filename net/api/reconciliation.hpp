#pragma once

#include "core/billing/reconciliation.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// WeChat's count beside the ledger's, for operators (contract, "Operator listener"). Each pack is an object
/// as `onetap reconcile --format json` prints it.
class ReconciliationApi {
 public:
  explicit ReconciliationApi(core::Reconciliations& reconciliations) : reconciliations_(reconciliations) {}

  /// GET /api/reconciliation?day=2026-11-22: an array; without a day, of the packs' whole lives.
  [[nodiscard]] core::Task<Response> show(Request const& request);
  /// POST /api/reconcile {"askOnly"?}: {"asked": bool, "done": sentence, "packs"?: array}; packs unless it is
  /// to ask only.
  [[nodiscard]] core::Task<Response> ask(Request const& request);

 private:
  core::Reconciliations& reconciliations_;
};

}  // namespace onetap::net
