#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "app/doctor/finding.hpp"
#include "app/settings.hpp"
#include "core/clock.hpp"

namespace onetap::app {

/// "512 bytes", "12.3 MiB", "1.5 GiB"
[[nodiscard]] std::string shown_bytes(std::uint64_t bytes);

/// Room for whoever is not root.
[[nodiscard]] Finding judge_free_space(std::uint64_t free_bytes);

/// `magic` is statfs's f_type (man 2 statfs).
[[nodiscard]] Finding judge_file_system(std::uint64_t magic);

/// How long an fsync took, or why it failed.
[[nodiscard]] Finding judge_sync(core::milliseconds took, std::optional<std::string> const& fault);

/// `descriptors` are what a process may have at most, `wanted` what this configuration takes, and `fitting`
/// how many connections are held with fewer.
[[nodiscard]] Finding judge_descriptors(std::uint64_t descriptors, std::uint64_t wanted, std::size_t fitting);

/// The disk that the ledger is on, or will be. Writes a file beside it, and removes it.
[[nodiscard]] Findings examine_disk(std::filesystem::path const& database);

/// Of the server where one runs as this user, else of this process.
[[nodiscard]] Finding examine_descriptors(Settings const& settings);

}  // namespace onetap::app
