#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/billing/reconciliation.hpp"
#include "storage/reconciliation.hpp"

namespace onetap::app {

/// What the packs of one kind of one mini program come to.
struct Reconciled {
  core::reconciliation::Books books;
  std::vector<core::reconciliation::Finding> findings;  // one for each pack
};

/// WeChat's figures beside the ledger's, explained. `appid` is empty for all. Throws SqliteError.
[[nodiscard]] std::vector<Reconciled> reconcile(storage::Reports& reports, std::string const& appid,
                                                std::optional<storage::Day> const& day);

/// "2026-11-22"; none for anything else.
[[nodiscard]] std::optional<storage::Day> day_of(std::string const& name);

/// One row a pack, as docs/ledger.md names the columns.
[[nodiscard]] storage::Table table_of(std::vector<Reconciled> const& all);

/// The same as a JSON array, each pack with its "explanation"; ends with a newline.
[[nodiscard]] std::string json_of(std::vector<Reconciled> const& all);

/// For people; with `explains` each difference line by line.
[[nodiscard]] std::string text_of(std::vector<Reconciled> const& all, bool explains);

/// Whether nothing is left to look for.
[[nodiscard]] bool is_settled(std::vector<Reconciled> const& all);

}  // namespace onetap::app
