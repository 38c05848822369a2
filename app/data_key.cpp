#include "app/data_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/crypto/digest.hpp"
#include "core/crypto/keyring.hpp"
#include "storage/lock_file.hpp"

namespace onetap::app {
namespace {

using KeyResult = core::Result<DataKey, std::string>;
using core::crypto::Keyring;
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

bool is_there(std::filesystem::path const& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool fits(KeyResult const& key, core::Digest const& ledger) {
  return key && Keyring::fingerprint_of(bytes_of(*key)) == ledger;
}

}  // namespace

std::filesystem::path data_key_path(std::filesystem::path const& database) {
  return storage::canonical_database(database).string() + ".key";
}

std::filesystem::path new_data_key_path(std::filesystem::path const& database) {
  return storage::canonical_database(database).string() + ".key.new";
}

std::span<unsigned char const, 32> bytes_of(DataKey const& key) {
  std::string_view const bytes = key.reveal();
  return std::span<unsigned char const, key_bytes>(reinterpret_cast<unsigned char const*>(bytes.data()),
                                                   key_bytes);
}

KeyResult read_data_key(std::filesystem::path const& file) {
  auto text = read_text_file(file.string());
  if (!text) return sentence("cannot read " + file.string() + ": " + text.error());
  return decode(std::move(*text), file);
}

KeyResult load_data_key(std::optional<DataKey> const& configured, std::filesystem::path const& database,
                        std::optional<core::Digest> const& ledger) {
  if (configured) return *configured;
  std::filesystem::path const path = data_key_path(database);
  bool const has_file = is_there(path);
  KeyResult key = has_file ? read_data_key(path)
                           : sentence("the data key is missing: set ONETAP_DATA_KEY, or put " +
                                      path.string() + " back; a new key would make every live code unknown");
  if (!ledger || fits(key, *ledger) || !is_there(new_data_key_path(database))) return key;
  KeyResult new_key = read_data_key(new_data_key_path(database));
  return fits(new_key, *ledger) ? new_key : key;
}

KeyResult load_or_make_data_key(std::optional<DataKey> const& configured,
                                std::filesystem::path const& database,
                                std::optional<core::Digest> const& ledger) {
  bool const is_first = !configured && !ledger && !is_there(database) && !is_there(data_key_path(database));
  return is_first ? make_key(data_key_path(database)) : load_data_key(configured, database, ledger);
}

KeyResult make_new_data_key(std::filesystem::path const& database) {
  return make_key(new_data_key_path(database));
}

std::optional<std::string> settle_data_key_files(std::filesystem::path const& database,
                                                 core::Digest const& ledger) {
  std::filesystem::path const new_path = new_data_key_path(database);
  if (!is_there(new_path)) return std::nullopt;
  std::error_code error;
  if (fits(read_data_key(new_path), ledger)) {
    std::filesystem::rename(new_path, data_key_path(database), error);
  } else if (fits(read_data_key(data_key_path(database)), ledger)) {
    std::filesystem::remove(new_path, error);
  } else {  // an unreadable one of the two is the only copy of the ledger's key
    return "neither " + data_key_path(database).string() + " nor " + new_path.string() +
           " can be read as the ledger's key: both stay as they are";
  }
  if (error) return "cannot put " + new_path.string() + " in its place: " + error.message();
  if (!sync_folder_of(new_path)) return "cannot sync the folder of " + new_path.string();
  return std::nullopt;
}

}  // namespace onetap::app
