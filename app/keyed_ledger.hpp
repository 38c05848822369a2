#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/settings.hpp"
#include "core/crypto/keyring.hpp"
#include "core/ledger_admin.hpp"
#include "core/result.hpp"
#include "storage/ledger_file.hpp"

namespace onetap::app {

/// A ledger that this process may write, and its keys.
struct KeyedLedger {
  storage::LedgerFile file;
  core::crypto::Keyring keyring;
};

/// Locks and opens the ledger with its data key: the configured one, or that of its file, which is made with
/// a new ledger. What a broken-off rotation left is put right. The options' key is filled in here.
[[nodiscard]] core::Result<KeyedLedger, storage::OpenError> open_keyed_ledger(
    storage::LedgerOptions options, std::optional<DataKey> const& configured);

/// The keys of a ledger that somebody else may be writing; only reads.
[[nodiscard]] core::Result<core::crypto::Keyring, std::string> read_keyring(
    std::filesystem::path const& database, std::optional<DataKey> const& configured);

/// The key that a rotation goes over to: where the data key is configured the one of `new_key_file`, else one
/// that is made beside the old one, after what an earlier rotation left was settled. `keyring` is the
/// ledger's now.
[[nodiscard]] core::Result<DataKey, core::admin::Refusal> take_new_data_key(
    std::filesystem::path const& database, bool configured, std::filesystem::path const& new_key_file,
    core::crypto::Keyring const& keyring);

/// What the ledger is asked to do; `keyring` seals with the new key already.
[[nodiscard]] core::admin::RotateKey rotation_to(core::crypto::Keyring const& keyring);

/// After the ledger's answer: the files, and what the operator must know. A refusal also when the ledger has
/// the new key, but the key's file could not be put in its place.
[[nodiscard]] core::admin::Answer finish_rotation(core::admin::Answer answer,
                                                  std::filesystem::path const& database, bool configured,
                                                  core::crypto::Keyring const& keyring);

}  // namespace onetap::app
