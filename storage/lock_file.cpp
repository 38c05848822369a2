#include "storage/lock_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace onetap::storage {
namespace {

constexpr std::string_view pid_name = "pid ";
constexpr std::string_view operator_name = "operator ";

std::string reason(int error) { return std::generic_category().message(error); }

// A lock of the open file, not of the process: a second opener in this process is refused as well, and
// asking who holds it takes no lock that could stand in a starting server's way.
struct flock whole_file() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

LockHolder read_holder(int file) {
  std::array<char, 512> text{};
  ssize_t const size = ::pread(file, text.data(), text.size(), 0);
  LockHolder holder;
  std::string_view rest(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!rest.empty()) {
    std::string_view const line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
    if (line.starts_with(pid_name)) {
      std::string_view const digits = line.substr(pid_name.size());
      std::from_chars(digits.data(), digits.data() + digits.size(), holder.pid);
    } else if (line.starts_with(operator_name)) {
      holder.operator_address = line.substr(operator_name.size());
    }
  }
  return holder;
}

// What is not written here only makes the holder harder to find; the lock itself holds.
void write_holder(int file, std::string_view operator_address) {
  std::string text = std::string(pid_name) + std::to_string(::getpid()) + "\n";
  if (!operator_address.empty()) text += std::string(operator_name) + std::string(operator_address) + "\n";
  ssize_t const written = ::pwrite(file, text.data(), text.size(), 0);
  if (written >= 0) static_cast<void>(::ftruncate(file, written));
}

}  // namespace

// weakly_canonical() follows no link whose end does not exist yet, and SQLite makes the file at that end.
std::filesystem::path canonical_database(std::filesystem::path const& database) {
  constexpr int links_max = 40;  // as many as Linux follows
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(database, error);
  if (error) return database;
  for (int link = 0; link < links_max && std::filesystem::is_symlink(path, error); ++link) {
    std::filesystem::path const end = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / end;
  }
  std::filesystem::path canonical = std::filesystem::weakly_canonical(path, error);
  return error ? path : canonical;
}

std::filesystem::path lock_path(std::filesystem::path const& database) {
  return canonical_database(database).string() + ".lock";
}

core::Result<LockFile, std::string> LockFile::acquire(std::filesystem::path const& database) {
  std::string const path = lock_path(database).string();
  int const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return "cannot open the lock file " + path + ": " + reason(errno);
  LockFile lock(file);
  struct flock wanted = whole_file();
  if (::fcntl(file, F_OFD_SETLK, &wanted) == 0) {
    write_holder(file, {});
    return lock;
  }
  int const error = errno;
  if (error != EAGAIN && error != EACCES) return "cannot lock " + path + ": " + reason(error);
  long const pid = read_holder(file).pid;
  std::string const who = pid > 0 ? "process " + std::to_string(pid) : std::string("another process");
  lock.file_ = -1;
  ::close(file);
  return "the ledger " + database.string() + " is in use by " + who + " (it holds " + path + ")";
}

LockFile::LockFile(LockFile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  if (this != &other) {
    release();
    file_ = std::exchange(other.file_, -1);
  }
  return *this;
}

LockFile::~LockFile() { release(); }

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the file
void LockFile::write_operator_address(std::string_view address) {
  if (file_ >= 0) write_holder(file_, address);
}

void LockFile::release() noexcept {
  if (file_ < 0) return;
  static_cast<void>(::ftruncate(file_, 0));
  ::close(file_);
  file_ = -1;
}

std::optional<LockHolder> find_lock_holder(std::filesystem::path const& database) {
  int const file = ::open(lock_path(database).c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct flock wanted = whole_file();
  bool const held = ::fcntl(file, F_OFD_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK;
  std::optional<LockHolder> holder;
  if (held) holder = read_holder(file);
  ::close(file);
  return holder;
}

std::optional<std::string> lock_fault(std::filesystem::path const& database) {
  std::string const path = lock_path(database).string();
  int const file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  int const error = errno;
  if (file >= 0) {
    ::close(file);
    return std::nullopt;
  }
  if (error == ENOENT || error == ENOTDIR) return std::nullopt;
  return path + ": " + reason(error);
}

}  // namespace onetap::storage
