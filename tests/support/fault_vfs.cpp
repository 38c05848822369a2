#include "tests/support/fault_vfs.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <utility>

namespace onetap::tests {
namespace {

using Bytes = std::vector<unsigned char>;
using Lock = std::scoped_lock<std::recursive_mutex>;

constexpr std::size_t sector_bytes = 512;

struct File;

/// A write of `bytes` at `offset`, or a truncation to `offset`.
struct Change {
  std::size_t offset = 0;
  Bytes bytes;
  bool truncates = false;
};

void put(Bytes& image, Change const& change) {
  if (change.truncates) {
    image.resize(std::min(image.size(), change.offset));
    return;
  }
  image.resize(std::max(image.size(), change.offset + change.bytes.size()));
  std::ranges::copy(change.bytes, image.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

/// One file: what its readers see, what a cut leaves for sure, and what lies between the two.
struct Node {
  Bytes seen;
  Bytes durable;
  std::vector<Change> unsynced;
  std::vector<File*> open;
  std::vector<std::unique_ptr<Bytes>> shared_memory;
};

using Folder = std::map<std::string, std::shared_ptr<Node>>;

struct File : sqlite3_file {
  FaultVfs::Disk* disk = nullptr;
  std::shared_ptr<Node> node;
  std::string name;
  bool is_log = false;  // its first sync syncs the folder, too
  bool delete_on_close = false;
  bool keeps_log = false;
  int lock_level = SQLITE_LOCK_NONE;
  unsigned shared_locks = 0;
  unsigned exclusive_locks = 0;
};

}  // namespace

class FaultVfs::Disk {
 public:
  explicit Disk(std::uint64_t seed);
  ~Disk() {
    sqlite3_vfs_unregister(&vfs);
    sqlite3_vfs_register(previous, 1);
  }
  Disk(Disk const&) = delete;
  Disk& operator=(Disk const&) = delete;

  static Disk& of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

  // SQLITE_OK when the operation may go on. `cut` is set when the power fails in this very operation.
  int pass(DiskOperation operation, int failure_when_off, bool* cut = nullptr) {
    if (off) return failure_when_off;
    if (operation != DiskOperation::read && ++operations == cut_at) {
      off = true;
      if (cut != nullptr) *cut = true;
      return failure_when_off;
    }
    if (operation == failing && countdown > 0) {
      --countdown;
      if (countdown == 0) {
        has_failed = true;
        return failure_code;
      }
    }
    return SQLITE_OK;
  }

  [[nodiscard]] std::uint64_t bytes_used() const {
    std::uint64_t sum = 0;
    for (auto const& [name, node] : entries) sum += node->seen.size();
    return sum;
  }

  void sync_folder() { durable_entries = entries; }
  void restore_power(Survival survival);

  mutable std::recursive_mutex mutex;
  sqlite3_vfs vfs{};
  sqlite3_vfs* previous = nullptr;
  Folder entries;
  Folder durable_entries;
  std::map<std::string, Bytes> remembered;
  std::mt19937_64 random;
  bool off = false;
  std::int64_t operations = 0;
  std::int64_t cut_at = -1;
  std::optional<DiskOperation> failing;
  std::int64_t countdown = 0;
  int failure_code = SQLITE_IOERR;
  bool has_failed = false;
  int temporary_files = 0;
  std::function<std::uint64_t()> capacity;

 private:
  [[nodiscard]] bool toss() { return (random() & 1U) != 0; }
  void survive(Node& node, Survival survival);
};

void FaultVfs::Disk::survive(Node& node, Survival survival) {
  std::vector<Change> parts;
  for (Change& change : node.unsynced) {
    if (change.truncates) {
      parts.push_back(std::move(change));
      continue;
    }
    for (std::size_t begin = 0; begin < change.bytes.size();) {
      std::size_t const at = change.offset + begin;
      std::size_t const size = std::min(change.bytes.size() - begin, sector_bytes - at % sector_bytes);
      auto const first = change.bytes.begin() + static_cast<std::ptrdiff_t>(begin);
      parts.push_back({.offset = at, .bytes = Bytes(first, first + static_cast<std::ptrdiff_t>(size))});
      begin += size;
    }
  }
  switch (survival) {
    case Survival::nothing: parts.clear(); break;
    case Survival::everything: break;
    case Survival::a_prefix: parts.resize(random() % (parts.size() + 1)); break;
    case Survival::some_sectors: std::erase_if(parts, [this](Change const&) { return toss(); }); break;
    case Survival::some_sectors_in_any_order:
      std::erase_if(parts, [this](Change const&) { return toss(); });
      std::ranges::shuffle(parts, random);
      break;
  }
  for (Change const& part : parts) put(node.durable, part);
  node.unsynced.clear();
  node.seen = node.durable;
  node.shared_memory.clear();
}

void FaultVfs::Disk::restore_power(Survival survival) {
  Folder left;
  for (Folder const* folder : {&durable_entries, &entries}) {
    for (auto const& [name, node] : *folder) {
      auto const seen = entries.find(name);
      auto const durable = durable_entries.find(name);
      bool const agreed = seen != entries.end() && durable != durable_entries.end() && seen->second == node &&
                          durable->second == node;
      bool const keeps = agreed || (survival == Survival::everything && folder == &entries) ||
                         (survival == Survival::nothing && folder == &durable_entries) ||
                         (survival != Survival::everything && survival != Survival::nothing && toss());
      if (keeps) left.insert_or_assign(name, node);
    }
  }
  for (auto const& [name, node] : left) survive(*node, survival);
  entries = left;
  durable_entries = std::move(left);
  off = false;
  cut_at = -1;
  failing.reset();
  countdown = 0;
}

namespace {

File& file_of(sqlite3_file* file) { return *static_cast<File*>(file); }

int close_file(sqlite3_file* raw) {
  File& file = file_of(raw);
  std::recursive_mutex& mutex = file.disk->mutex;
  Lock const lock(mutex);
  std::erase(file.node->open, &file);
  if (file.delete_on_close) file.disk->entries.erase(file.name);
  file.~File();
  return SQLITE_OK;
}

int read_file(sqlite3_file* raw, void* into, int size, sqlite3_int64 offset) {
  File const& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  if (int const result = file.disk->pass(DiskOperation::read, SQLITE_IOERR_READ); result != SQLITE_OK)
    return result;
  auto const wanted = static_cast<std::size_t>(size);
  auto const begin = std::min(static_cast<std::size_t>(offset), file.node->seen.size());
  std::size_t const there = std::min(wanted, file.node->seen.size() - begin);
  auto* const bytes = static_cast<unsigned char*>(into);
  std::copy_n(file.node->seen.begin() + static_cast<std::ptrdiff_t>(begin), there, bytes);
  std::fill(bytes + there, bytes + wanted, static_cast<unsigned char>(0));
  return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int change_file(File& file, DiskOperation operation, Change change, int failure) {
  bool cut = false;
  int const result = file.disk->pass(operation, failure, &cut);
  if (result == SQLITE_OK || cut) {
    put(file.node->seen, change);
    file.node->unsynced.push_back(std::move(change));
  }
  return result;
}

int write_file(sqlite3_file* raw, void const* from, int size, sqlite3_int64 offset) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  auto const* const bytes = static_cast<unsigned char const*>(from);
  Change change{.offset = static_cast<std::size_t>(offset), .bytes = Bytes(bytes, bytes + size)};
  std::size_t const end = change.offset + change.bytes.size();
  if (file.disk->capacity && end > file.node->seen.size() && !file.disk->off) {
    std::uint64_t const used = file.disk->bytes_used() + (end - file.node->seen.size());
    if (used > file.disk->capacity()) return SQLITE_FULL;
  }
  return change_file(file, DiskOperation::write, std::move(change), SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* raw, sqlite3_int64 size) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  Change change{.offset = static_cast<std::size_t>(size), .truncates = true};
  return change_file(file, DiskOperation::truncate, std::move(change), SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* raw, int /*flags*/) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  if (int const result = file.disk->pass(DiskOperation::sync, SQLITE_IOERR_FSYNC); result != SQLITE_OK) {
    // The kernel takes what it could not write for written.
    if (!file.disk->off) file.node->unsynced.clear();
    return result;
  }
  for (Change const& change : file.node->unsynced) put(file.node->durable, change);
  file.node->unsynced.clear();
  if (std::exchange(file.is_log, false)) file.disk->sync_folder();
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* raw, sqlite3_int64* size) {
  File const& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  if (file.disk->off) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(file.node->seen.size());
  return SQLITE_OK;
}

int lock_file(sqlite3_file* raw, int level) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  for (File const* other : file.node->open) {
    if (other == &file) continue;
    bool const stands_in_the_way = level == SQLITE_LOCK_SHARED ? other->lock_level >= SQLITE_LOCK_PENDING
                                   : level == SQLITE_LOCK_EXCLUSIVE
                                       ? other->lock_level >= SQLITE_LOCK_SHARED
                                       : other->lock_level >= SQLITE_LOCK_RESERVED;
    if (stands_in_the_way) return SQLITE_BUSY;
  }
  file.lock_level = std::max(file.lock_level, level);
  return SQLITE_OK;
}

int unlock_file(sqlite3_file* raw, int level) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  file.lock_level = std::min(file.lock_level, level);
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* raw, int* reserved) {
  File const& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  *reserved = std::ranges::any_of(
      file.node->open, [](File const* other) { return other->lock_level >= SQLITE_LOCK_RESERVED; });
  return SQLITE_OK;
}

int control_file(sqlite3_file* raw, int what, void* argument) {
  if (what != SQLITE_FCNTL_PERSIST_WAL) return SQLITE_NOTFOUND;
  File& file = file_of(raw);
  int& keep = *static_cast<int*>(argument);  // below 0: asks
  if (keep >= 0) file.keeps_log = keep != 0;
  keep = file.keeps_log ? 1 : 0;
  return SQLITE_OK;
}
int sector_size(sqlite3_file* /*raw*/) { return static_cast<int>(sector_bytes); }
int characteristics(sqlite3_file* /*raw*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int map_shared_memory(sqlite3_file* raw, int region, int size, int extend, void volatile** where) {
  File const& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  auto& regions = file.node->shared_memory;
  auto const index = static_cast<std::size_t>(region);
  *where = nullptr;
  if (index >= regions.size() && extend == 0) return SQLITE_OK;
  while (index >= regions.size()) regions.push_back(std::make_unique<Bytes>(static_cast<std::size_t>(size)));
  *where = regions[index]->data();
  return SQLITE_OK;
}

int lock_shared_memory(sqlite3_file* raw, int offset, int count, int flags) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  unsigned const mask = ((1U << static_cast<unsigned>(count)) - 1U) << static_cast<unsigned>(offset);
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    file.shared_locks &= ~mask;
    file.exclusive_locks &= ~mask;
    return SQLITE_OK;
  }
  bool const exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (File const* other : file.node->open) {
    if (other == &file) continue;
    unsigned const held = exclusive ? other->shared_locks | other->exclusive_locks : other->exclusive_locks;
    if ((held & mask) != 0) return SQLITE_BUSY;
  }
  (exclusive ? file.exclusive_locks : file.shared_locks) |= mask;
  return SQLITE_OK;
}

void shared_memory_barrier(sqlite3_file* raw) { Lock const lock(file_of(raw).disk->mutex); }

int unmap_shared_memory(sqlite3_file* raw, int remove) {
  File& file = file_of(raw);
  Lock const lock(file.disk->mutex);
  file.shared_locks = 0;
  file.exclusive_locks = 0;
  if (remove != 0) file.node->shared_memory.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods file_methods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared_memory,
    .xShmLock = lock_shared_memory,
    .xShmBarrier = shared_memory_barrier,
    .xShmUnmap = unmap_shared_memory,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, char const* name, sqlite3_file* raw, int flags, int* flags_out) {
  FaultVfs::Disk& disk = FaultVfs::Disk::of(vfs);
  Lock const lock(disk.mutex);
  raw->pMethods = nullptr;
  if (disk.off) return SQLITE_CANTOPEN;
  std::string const path = name != nullptr ? name : "temporary-" + std::to_string(++disk.temporary_files);
  auto found = disk.entries.find(path);
  bool const is_new = found == disk.entries.end();
  if (is_new && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  if (is_new) found = disk.entries.emplace(path, std::make_shared<Node>()).first;
  auto* const file = new (raw) File;
  file->pMethods = &file_methods;
  file->disk = &disk;
  file->node = found->second;
  file->name = path;
  file->is_log = is_new && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  file->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  file->node->open.push_back(file);
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, char const* name, int sync_folder) {
  FaultVfs::Disk& disk = FaultVfs::Disk::of(vfs);
  Lock const lock(disk.mutex);
  bool cut = false;
  int const result = disk.pass(DiskOperation::truncate, SQLITE_IOERR_DELETE, &cut);
  if (result != SQLITE_OK && !cut) return result;
  if (disk.entries.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
  if (sync_folder != 0 && !cut) disk.sync_folder();
  return result;
}

int has_file(sqlite3_vfs* vfs, char const* name, int /*flags*/, int* result) {
  FaultVfs::Disk const& disk = FaultVfs::Disk::of(vfs);
  Lock const lock(disk.mutex);
  if (disk.off) return SQLITE_IOERR_ACCESS;
  auto const found = disk.entries.find(name);
  *result = found != disk.entries.end();
  return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, char const* name, int size, char* into) {
  if (std::strlen(name) + 1 > static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::strcpy(into, name);
  return SQLITE_OK;
}

int fill_random(sqlite3_vfs* vfs, int size, char* into) {
  FaultVfs::Disk& disk = FaultVfs::Disk::of(vfs);
  Lock const lock(disk.mutex);
  for (int i = 0; i < size; ++i) into[i] = static_cast<char>(disk.random());
  return size;
}

int sleep(sqlite3_vfs* /*vfs*/, int microseconds) { return microseconds; }

int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*into*/) { return 0; }

int current_time(sqlite3_vfs* vfs, sqlite3_int64* time) {
  sqlite3_vfs* const previous = FaultVfs::Disk::of(vfs).previous;
  return previous->xCurrentTimeInt64(previous, time);
}

int current_day(sqlite3_vfs* vfs, double* day) {
  sqlite3_vfs* const previous = FaultVfs::Disk::of(vfs).previous;
  return previous->xCurrentTime(previous, day);
}

}  // namespace

FaultVfs::Disk::Disk(std::uint64_t seed) : random(seed) {
  sqlite3_initialize();
  previous = sqlite3_vfs_find(nullptr);
  vfs.iVersion = 2;
  vfs.szOsFile = static_cast<int>(sizeof(File));
  vfs.mxPathname = previous->mxPathname;
  vfs.zName = "onetap-faults";
  vfs.pAppData = this;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = has_file;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = fill_random;
  vfs.xSleep = sleep;
  vfs.xGetLastError = last_error;
  vfs.xCurrentTimeInt64 = current_time;
  vfs.xCurrentTime = current_day;
  sqlite3_vfs_register(&vfs, 1);
}

FaultVfs::FaultVfs(std::uint64_t seed) : disk_(std::make_unique<Disk>(seed)) {}
FaultVfs::~FaultVfs() = default;

void FaultVfs::cut_power_in(std::int64_t operations) {
  Lock const lock(disk_->mutex);
  disk_->cut_at = disk_->operations + operations;
}

bool FaultVfs::is_off() const {
  Lock const lock(disk_->mutex);
  return disk_->off;
}

std::int64_t FaultVfs::operations() const {
  Lock const lock(disk_->mutex);
  return disk_->operations;
}

void FaultVfs::restore_power(Survival survival) {
  Lock const lock(disk_->mutex);
  disk_->restore_power(survival);
}

void FaultVfs::kill_process() {
  Lock const lock(disk_->mutex);
  disk_->off = true;
}

void FaultVfs::start_process() {
  Lock const lock(disk_->mutex);
  disk_->off = false;
  for (auto const& [name, node] : disk_->entries) node->shared_memory.clear();
}

void FaultVfs::fail(DiskOperation operation, std::int64_t nth, int code) {
  Lock const lock(disk_->mutex);
  disk_->failing = operation;
  disk_->countdown = nth;
  disk_->failure_code = code;
  disk_->has_failed = false;
}

bool FaultVfs::has_failed() const {
  Lock const lock(disk_->mutex);
  return disk_->has_failed;
}

void FaultVfs::forget_failure() {
  Lock const lock(disk_->mutex);
  disk_->failing.reset();
  disk_->countdown = 0;
  disk_->has_failed = false;
}

void FaultVfs::set_capacity(std::function<std::uint64_t()> capacity) {
  Lock const lock(disk_->mutex);
  disk_->capacity = std::move(capacity);
}

std::uint64_t FaultVfs::bytes_used() const {
  Lock const lock(disk_->mutex);
  return disk_->bytes_used();
}

void FaultVfs::remember() {
  Lock const lock(disk_->mutex);
  disk_->remembered.clear();
  for (auto const& [name, node] : disk_->entries) disk_->remembered.emplace(name, node->seen);
}

void FaultVfs::go_back() {
  Lock const lock(disk_->mutex);
  clear();
  for (auto const& [name, bytes] : disk_->remembered) {
    auto node = std::make_shared<Node>();
    node->seen = bytes;
    node->durable = bytes;
    disk_->entries.emplace(name, node);
  }
  disk_->sync_folder();
}

void FaultVfs::clear() {
  Lock const lock(disk_->mutex);
  disk_->entries.clear();
  disk_->durable_entries.clear();
  disk_->off = false;
  disk_->cut_at = -1;
  disk_->failing.reset();
  disk_->countdown = 0;
}

}  // namespace onetap::tests
