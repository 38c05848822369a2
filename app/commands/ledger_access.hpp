#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/keyed_ledger.hpp"
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

  /// Where the ledger's data key is, for a ledger that is yet to come; none is made.
  [[nodiscard]] core::Result<DataKey, std::string> data_key() const;

  /// The keys of this ledger, for looking up whom it knows by a digest only.
  [[nodiscard]] core::Result<core::crypto::Keyring, std::string> keyring() const;

  /// The appid named, or the only one that the ledger knows (that has never served: of the environment).
  [[nodiscard]] core::Result<std::string, std::string> app(std::string const& named) const;

  /// A server, or another command that writes, has the ledger now.
  [[nodiscard]] bool is_held() const;

  /// A sentence when it was not done: who holds the ledger, or why it was refused. Also when a person was
  /// erased without a server, but a reader of the ledger keeps the old pages in the write-ahead log.
  [[nodiscard]] core::Result<core::admin::Done, std::string> administer(core::admin::Command command) const;

  /// Has the server ask WeChat for its figures now; none: no server runs on this ledger.
  [[nodiscard]] std::optional<core::Result<core::admin::Done, std::string>> ask_wechat() const;

  /// Another data key; `new_key_file` is empty where the key's file is `<database>.key`.
  [[nodiscard]] core::Result<core::admin::Done, std::string> rotate_key(
      std::filesystem::path const& new_key_file) const;

 private:
  LedgerAccess(Settings settings, std::filesystem::path database)
      : settings_(std::move(settings)), database_(std::move(database)) {}

  struct Request;
  using Acted = core::Result<core::admin::Done, std::string>;

  /// Where the server that has the ledger listens to operators; empty when none runs.
  [[nodiscard]] std::string server_address() const;
  [[nodiscard]] Acted ask_server(std::string const& address, Request const& asked) const;
  [[nodiscard]] Acted act_alone(core::admin::Command command) const;
  [[nodiscard]] Acted rotate_key_alone(std::filesystem::path const& new_key_file) const;
  [[nodiscard]] core::Result<KeyedLedger, std::string> open() const;

  Settings settings_;
  std::filesystem::path database_;
};

[[nodiscard]] core::WallTime wall_now();

}  // namespace onetap::app
