#pragma once

#include <filesystem>
#include <string>

#include "app/settings.hpp"
#include "core/crypto/keyring.hpp"
#include "core/ledger_admin.hpp"
#include "core/result.hpp"
#include "storage/reports.hpp"

namespace onetap::app {

/// The ledger that an operator's command is about: the file of --db, else of ONETAP_DB. Reads through a
/// connection that can't write; acts through the server when one runs, else under the ledger's lock.
class LedgerAccess {
 public:
  /// `database` is what --db said, empty without one. A sentence when the environment can't be used.
  [[nodiscard]] static core::Result<LedgerAccess, std::string> from(Environment const& environment,
                                                                    std::string const& database);

  [[nodiscard]] std::filesystem::path const& database() const { return database_; }
  [[nodiscard]] Settings const& settings() const { return settings_; }

  [[nodiscard]] core::Result<storage::Reports, std::string> reports() const;

  /// The key of this ledger, which must be there: none is made. Of another file: that file's.
  [[nodiscard]] core::Result<DataKey, std::string> data_key() const;

  /// A sentence when it was not done: who holds the ledger, or why it was refused.
  [[nodiscard]] core::Result<core::admin::Done, std::string> administer(core::admin::Command command) const;

 private:
  LedgerAccess(Settings settings, std::filesystem::path database)
      : settings_(std::move(settings)), database_(std::move(database)) {}

  [[nodiscard]] core::Result<core::admin::Done, std::string> ask_server(
      std::string const& address, core::admin::Command const& command) const;
  [[nodiscard]] core::Result<core::admin::Done, std::string> act_alone(core::admin::Command command) const;

  Settings settings_;
  std::filesystem::path database_;
};

[[nodiscard]] core::crypto::Keyring keyring_of(DataKey const& key);

[[nodiscard]] core::WallTime wall_now();

}  // namespace onetap::app
