#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/settings.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// `<database>.key`
[[nodiscard]] std::filesystem::path data_key_path(std::filesystem::path const& database);

/// The configured key, or that of `<database>.key`, which is made (mode 0600) where neither file exists
/// yet: an existing ledger without its key is a sentence, never a new key.
[[nodiscard]] core::Result<DataKey, std::string> load_data_key(std::optional<DataKey> const& configured,
                                                               std::filesystem::path const& database);

}  // namespace onetap::app
