#include "app/data_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/crypto/digest.hpp"

namespace onetap::app {
namespace {

using KeyResult = core::Result<DataKey, std::string>;
constexpr std::size_t key_bytes = 32;

KeyResult sentence(std::string text) { return KeyResult(boost::system::in_place_error, std::move(text)); }

KeyResult decode(std::string text, std::filesystem::path const& path) {
  if (text.ends_with('\n')) text.pop_back();
  auto bytes = core::crypto::from_base64(text);
  if (!bytes || bytes->size() != key_bytes) return sentence(path.string() + " is not base64 of 32 bytes");
  return KeyResult(boost::system::in_place_value, std::move(*bytes));
}

bool write_durably(int file, std::string_view text) {
  return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
}

// A key that is lost with the power while its ledger stays would make every live code unknown.
bool sync_folder_of(std::filesystem::path const& path) {
  std::filesystem::path const folder = path.has_parent_path() ? path.parent_path() : ".";
  int const descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  bool const synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return synced;
}

KeyResult make_key(std::filesystem::path const& path) {
  std::array<unsigned char, key_bytes> bytes{};
  core::crypto::fill_random(bytes);
  std::string const text = core::crypto::to_base64(bytes) + "\n";
  constexpr ::mode_t owner_only = 0600;
  int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, owner_only);
  if (file < 0) return sentence("cannot make " + path.string() + ": " + std::strerror(errno));
  bool const written = write_durably(file, text);
  ::close(file);
  if (!written || !sync_folder_of(path))
    return sentence("cannot write " + path.string() + ": " + std::strerror(errno));
  return KeyResult(boost::system::in_place_value, std::string(bytes.begin(), bytes.end()));
}

}  // namespace

std::filesystem::path data_key_path(std::filesystem::path const& database) {
  return database.string() + ".key";
}

core::Result<DataKey, std::string> load_data_key(std::optional<DataKey> const& configured,
                                                 std::filesystem::path const& database) {
  if (configured) return *configured;
  std::filesystem::path const path = data_key_path(database);
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    auto text = read_text_file(path.string());
    if (!text) return sentence("cannot read " + path.string() + ": " + text.error());
    return decode(std::move(*text), path);
  }
  if (std::filesystem::exists(database, error)) {
    return sentence(database.string() + " exists but its key does not: put " + path.string() +
                    " back, or set ONETAP_DATA_KEY; a new key would make every live code unknown");
  }
  return make_key(path);
}

}  // namespace onetap::app
