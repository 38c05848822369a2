#include "app/reconciliation_service.hpp"

#include <optional>
#include <utility>

#include "app/reconciliation.hpp"
#include "app/worker.hpp"
#include "core/limits.hpp"
#include "storage/reports.hpp"

namespace onetap::app {
namespace {

using Kind = core::admin::Refusal::Kind;
using Compared = core::Result<std::string, core::admin::Refusal>;

Compared refused(Kind kind, std::string sentence) {
  return {boost::system::in_place_error, core::admin::Refusal{.kind = kind, .sentence = std::move(sentence)}};
}

Compared compare_in(std::filesystem::path const& database, std::optional<storage::Day> const& day) {
  try {
    auto reports = storage::Reports::open(database);
    if (!reports) return refused(Kind::unavailable, reports.error());
    return Compared(boost::system::in_place_value, json_of(reconcile(*reports, {}, day)));
  } catch (storage::SqliteError const& error) {
    return refused(Kind::unavailable, error.what());
  }
}

}  // namespace

// All are asked at once, and then waited for.
core::Task<bool> ReconciliationService::ask_wechat() {
  core::SteadyTime const deadline = clock_.steady() + core::limits::reconcile_ask_time;
  std::vector<core::UsageWatch*> const watches = watches_();
  for (core::UsageWatch* const watch : watches) watch->ask_soon();
  bool all = true;
  for (core::UsageWatch* const watch : watches) {
    bool const answered = co_await watch->ask_now(deadline);
    all = all && answered;
  }
  co_return all;
}

core::Task<Compared> ReconciliationService::compare(std::string day) {
  std::optional<storage::Day> const of_day = day_of(day);
  if (!day.empty() && !of_day) co_return refused(Kind::invalid, "day must be a day like 2026-11-22");
  auto read = [database = database_, of_day] { return compare_in(database, of_day); };
  Compared compared = co_await run_on(worker_, std::move(read));
  if (!compared) log_.warn("reconciliation_not_read", {{"what", compared.error().sentence}});
  co_return compared;
}

}  // namespace onetap::app
