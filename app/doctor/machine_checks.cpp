#include "app/doctor/machine_checks.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "app/descriptors.hpp"
#include "storage/lock_file.hpp"

namespace onetap::app {
namespace {

constexpr std::uint64_t mib = 1024ULL * 1024;
// A busy day's ledger grows by some 100 MiB (docs/reliability.md has the bytes of a code).
constexpr std::uint64_t free_bytes_low = 1024 * mib;
constexpr std::uint64_t free_bytes_too_low = 64 * mib;
constexpr auto sync_time_long = core::milliseconds(200);  // of which each code waits for two

constexpr char move_ledger[] = "put the ledger on a disk of this machine, and name it in ONETAP_DB";

struct FileSystem {
  std::uint64_t magic;
  std::string_view name;
  FindingStatus status;
  std::string_view because;
};

// linux/magic.h, man 2 statfs
constexpr std::string_view no_locks = "SQLite's log and locks are not safe over a network";
constexpr std::array file_systems{
    FileSystem{0x6969, "NFS", FindingStatus::failed, no_locks},
    FileSystem{0xFF534D42, "CIFS", FindingStatus::failed, no_locks},
    FileSystem{0xFE534D42, "SMB", FindingStatus::failed, no_locks},
    FileSystem{0x517B, "SMB", FindingStatus::failed, no_locks},
    FileSystem{0x01021997, "9P", FindingStatus::failed, no_locks},
    FileSystem{0x00C36400, "Ceph", FindingStatus::failed, no_locks},
    FileSystem{0x5346414F, "AFS", FindingStatus::failed, no_locks},
    FileSystem{0x65735546, "FUSE", FindingStatus::warning, "whether its fsync and locks hold is not known"},
    FileSystem{0x01021994, "tmpfs", FindingStatus::warning, "it is gone with the machine's power"},
    FileSystem{0x858458F6, "ramfs", FindingStatus::warning, "it is gone with the machine's power"},
    FileSystem{0x794C7630, "overlay", FindingStatus::warning, "it goes with the container"},
    FileSystem{0xEF53, "ext4", FindingStatus::ok, ""},
    FileSystem{0x58465342, "XFS", FindingStatus::ok, ""},
    FileSystem{0x9123683E, "Btrfs", FindingStatus::ok, ""},
    FileSystem{0x2FC12FC1, "ZFS", FindingStatus::ok, ""},
    FileSystem{0xF2F52010, "F2FS", FindingStatus::ok, ""},
};

std::string reason(int error) { return std::generic_category().message(error); }

std::filesystem::path folder_of(std::filesystem::path const& database) {
  return database.has_parent_path() ? database.parent_path() : std::filesystem::path(".");
}

// Why a file of this folder cannot be written and synced; none when it can.
std::optional<std::string> sync_fault(std::filesystem::path const& database) {
  std::string name = database.string() + ".doctor-XXXXXX";
  int const file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) return "cannot make a file beside the ledger: " + reason(errno);
  ::unlink(name.c_str());
  constexpr std::string_view text = "onetap doctor\n";
  bool const synced =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  int const error = errno;
  ::close(file);
  if (synced) return std::nullopt;
  return "a file beside the ledger cannot be synced: " + reason(error);
}

std::optional<std::uint64_t> descriptors_of(long pid) {
  ::rlimit limit{};
  // The server raises its own soft limit as far as the hard one.
  if (::prlimit(static_cast<pid_t>(pid), RLIMIT_NOFILE, nullptr, &limit) != 0) return std::nullopt;
  return limit.rlim_max;
}

}  // namespace

std::string shown_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  constexpr std::array names{" KiB", " MiB", " GiB", " TiB"};
  std::uint64_t unit = 1024;
  std::size_t name = 0;
  for (; name + 1 < names.size() && bytes / unit >= 1024; ++name) unit *= 1024;
  std::uint64_t const tenths = bytes % unit * 10 / unit;
  return std::to_string(bytes / unit) + "." + std::to_string(tenths) + names.at(name);
}

Finding judge_free_space(std::uint64_t free_bytes) {
  constexpr std::string_view check = "disk-space";
  std::string const what = shown_bytes(free_bytes) + " free where the ledger is";
  if (free_bytes < free_bytes_too_low)
    return found_wrong(check, what,
                       "make room there, or move the ledger: with a full disk no code is exchanged");
  if (free_bytes < free_bytes_low) return found_odd(check, what, "make room there before it is full");
  return found_well(check, what);
}

Finding judge_file_system(std::uint64_t magic) {
  constexpr std::string_view check = "file-system";
  auto const* const found = std::ranges::find(file_systems, magic, &FileSystem::magic);
  if (found == file_systems.end()) return found_well(check, "none that is known to lose what is synced");
  std::string const name(found->name);
  if (found->status == FindingStatus::ok) return found_well(check, name);
  return {.check = std::string(check),
          .app = {},
          .status = found->status,
          .what = name + ": " + std::string(found->because),
          .advice = move_ledger};
}

Finding judge_sync(core::milliseconds took, std::optional<std::string> const& fault) {
  constexpr std::string_view check = "fsync";
  if (fault)
    return found_wrong(
        check, *fault,
        "run this as the server's user, who must be able to write there; if it is, see to the disk");
  std::string const what = "a synced write took " + std::to_string(took.count()) + " ms";
  if (took >= sync_time_long)
    return found_odd(check, what, "see what else writes to this disk: each code waits for two");
  return found_well(check, what);
}

Finding judge_descriptors(std::uint64_t descriptors, std::uint64_t wanted, std::size_t fitting) {
  constexpr std::string_view check = "descriptors";
  if (descriptors >= wanted)
    return found_well(check, "enough for all connections: " + std::to_string(wanted) + " are wanted");
  return found_odd(check,
                   "at most " + std::to_string(descriptors) + " are allowed and " + std::to_string(wanted) +
                       " are wanted: only " + std::to_string(fitting) + " connections will be held",
                   "raise LimitNOFILE of the service, or lower ONETAP_MAX_CONNECTIONS");
}

Findings examine_disk(std::filesystem::path const& database) {
  std::string const folder = folder_of(database).string();
  struct ::statvfs space{};
  struct ::statfs kind{};
  if (::statvfs(folder.c_str(), &space) != 0 || ::statfs(folder.c_str(), &kind) != 0)
    return {
        found_wrong("disk-space", folder + ": " + reason(errno), "make the folder, or correct ONETAP_DB")};
  auto const begin = std::chrono::steady_clock::now();
  std::optional<std::string> const fault = sync_fault(database);
  auto const took = std::chrono::floor<core::milliseconds>(std::chrono::steady_clock::now() - begin);
  // The magic of CIFS has its highest bit set, and f_type is signed.
  auto const magic = static_cast<std::uint64_t>(static_cast<std::uint32_t>(kind.f_type));
  return {judge_free_space(std::uint64_t{space.f_bavail} * space.f_frsize), judge_file_system(magic),
          judge_sync(took, fault)};
}

Finding examine_descriptors(Settings const& settings) {
  auto const holder = storage::find_lock_holder(storage::canonical_database(settings.database_path));
  constexpr long myself = 0;
  std::optional<std::uint64_t> descriptors = descriptors_of(holder ? holder->pid : myself);
  if (!descriptors) descriptors = descriptors_of(myself);
  if (!descriptors) return left_out("descriptors", "this system does not tell how many are allowed");
  std::uint64_t const wanted =
      settings.connections_max + descriptors_beside_connections(descriptor_needs(settings));
  return judge_descriptors(
      *descriptors, wanted,
      connections_that_fit(settings.connections_max, *descriptors, descriptor_needs(settings)));
}

}  // namespace onetap::app
