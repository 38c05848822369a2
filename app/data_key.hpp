#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "app/settings.hpp"
#include "core/exchange/ledger.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// `<database>.key`
[[nodiscard]] std::filesystem::path data_key_path(std::filesystem::path const& database);

/// `<database>.key.new`: there while a rotation is under way, or was broken off.
[[nodiscard]] std::filesystem::path new_data_key_path(std::filesystem::path const& database);

[[nodiscard]] std::span<unsigned char const, 32> bytes_of(DataKey const& key);

/// A file with base64 of 32 bytes.
[[nodiscard]] core::Result<DataKey, std::string> read_data_key(std::filesystem::path const& file);

/// The configured key, or that of `<database>.key`. `ledger` is the fingerprint that the ledger keeps: after
/// a rotation that was broken off, the key of the two files that fits. Only reads. A sentence when there is
/// none.
[[nodiscard]] core::Result<DataKey, std::string> load_data_key(std::optional<DataKey> const& configured,
                                                               std::filesystem::path const& database,
                                                               std::optional<core::Digest> const& ledger);

/// As load_data_key, and where neither file nor ledger exists yet a key is made (mode 0600): an existing
/// ledger without its key is a sentence, never a new key. For whoever holds the ledger's lock.
[[nodiscard]] core::Result<DataKey, std::string> load_or_make_data_key(
    std::optional<DataKey> const& configured, std::filesystem::path const& database,
    std::optional<core::Digest> const& ledger);

/// The files of a rotation, for whoever holds the ledger's lock. A new key, durable as `<database>.key.new`,
/// which must not exist: what another rotation left is settled first.
[[nodiscard]] core::Result<DataKey, std::string> make_new_data_key(std::filesystem::path const& database);

/// Once the ledger durably has the key of this fingerprint: `.key.new` takes the place of `.key` if it is
/// that key, and goes if `.key` is. A sentence when the files could not be put right; no key is lost then.
[[nodiscard]] std::optional<std::string> settle_data_key_files(std::filesystem::path const& database,
                                                               core::Digest const& ledger);

}  // namespace onetap::app
