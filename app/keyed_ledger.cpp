#include "app/keyed_ledger.hpp"

#include <utility>

#include "app/data_key.hpp"

namespace onetap::app {
namespace {

namespace admin = core::admin;
using core::crypto::Keyring;
using storage::OpenError;
using Ring = core::Result<Keyring, OpenError>;

OpenError wrong_key(std::string sentence) {
  return {.kind = OpenError::Kind::wrong_key, .sentence = std::move(sentence)};
}

Ring keyring_for(std::filesystem::path const& database, DataKey const& key,
                 std::optional<storage::KeyRecord> const& record) {
  std::string const name = "the ledger " + database.string();
  if (!record) return Ring(boost::system::in_place_value, Keyring(bytes_of(key)));
  if (Keyring::fingerprint_of(bytes_of(key)) != record->fingerprint) {
    return wrong_key(name +
                     " cannot be used: its data key is another one (ONETAP_DATA_KEY); with this one no "
                     "code in it would be known");
  }
  std::optional<Keyring> keyring = Keyring::of_ledger(bytes_of(key), record->sealed_pepper);
  if (keyring) return Ring(boost::system::in_place_value, *std::move(keyring));
  return OpenError{.kind = OpenError::Kind::not_a_ledger,
                   .sentence = name + " cannot be used: its sealed pepper is damaged; restore a backup"};
}

std::optional<core::Digest> fingerprint_in(std::optional<storage::KeyRecord> const& record) {
  if (!record) return std::nullopt;
  return record->fingerprint;
}

}  // namespace

core::Result<KeyedLedger, OpenError> open_keyed_ledger(storage::LedgerOptions options,
                                                       std::optional<DataKey> const& configured) {
  auto lock = storage::lock_ledger(options.path);
  if (!lock) return lock.error();
  auto const record = storage::read_key_record(options.path);
  if (!record) return record.error();
  auto const key = load_or_make_data_key(configured, options.path, fingerprint_in(*record));
  if (!key) return wrong_key("ONETAP_DATA_KEY: " + key.error());
  Ring keyring = keyring_for(options.path, *key, *record);
  if (!keyring) return keyring.error();
  options.key_fingerprint = keyring->fingerprint();
  options.sealed_pepper = keyring->sealed_pepper();
  auto file = storage::open_ledger(options, std::move(*lock));
  if (!file) return file.error();
  // Not before the ledger is durable: until then the other key may be the one that fits.
  if (!configured) {
    if (auto fault = settle_data_key_files(options.path, options.key_fingerprint))
      return OpenError{.kind = OpenError::Kind::disk, .sentence = *std::move(fault)};
  }
  return core::Result<KeyedLedger, OpenError>(boost::system::in_place_value,
                                              KeyedLedger{.file = std::move(*file), .keyring = *keyring});
}

core::Result<Keyring, std::string> read_keyring(std::filesystem::path const& database,
                                                std::optional<DataKey> const& configured) {
  using Read = core::Result<Keyring, std::string>;
  auto const record = storage::read_key_record(database);
  if (!record) return Read(boost::system::in_place_error, record.error().sentence);
  auto const key = load_data_key(configured, database, fingerprint_in(*record));
  if (!key) return Read(boost::system::in_place_error, key.error());
  Ring keyring = keyring_for(database, *key, *record);
  if (!keyring) return Read(boost::system::in_place_error, keyring.error().sentence);
  return Read(boost::system::in_place_value, std::move(*keyring));
}

core::Result<DataKey, admin::Refusal> take_new_data_key(std::filesystem::path const& database,
                                                        bool configured,
                                                        std::filesystem::path const& new_key_file,
                                                        Keyring const& keyring) {
  auto const invalid = [](std::string sentence) {
    return admin::Refusal{.kind = admin::Refusal::Kind::invalid, .sentence = std::move(sentence)};
  };
  if (configured && new_key_file.empty()) {
    return invalid(
        "the data key is configured (ONETAP_DATA_KEY): write another one to a file (openssl rand "
        "-base64 32) and name it with --new-key-file");
  }
  if (!configured && !new_key_file.empty()) {
    return invalid("the data key is " + data_key_path(database).string() +
                   ", and a new one is made for it: leave --new-key-file out");
  }
  // What an earlier rotation left may be the only copy of the ledger's key.
  if (!configured) {
    if (auto const fault = settle_data_key_files(database, keyring.fingerprint())) {
      return admin::Refusal{.kind = admin::Refusal::Kind::unavailable,
                            .sentence = "the key files of an earlier rotation are not settled: " + *fault};
    }
  }
  auto key = configured ? read_data_key(new_key_file) : make_new_data_key(database);
  if (!key) return invalid(key.error());
  if (Keyring::fingerprint_of(bytes_of(*key)) == keyring.fingerprint())
    return invalid(new_key_file.string() + " holds the key that the ledger has already");
  return core::Result<DataKey, admin::Refusal>(boost::system::in_place_value, std::move(*key));
}

admin::RotateKey rotation_to(Keyring const& keyring) {
  auto reseal = [keyring](core::crypto::SealedField field, std::int64_t row,
                          core::SealedBytes const& sealed) -> std::optional<core::SealedBytes> {
    auto const clear = keyring.open(field, row, sealed);
    if (!clear) return std::nullopt;
    return keyring.seal(field, row, clear->reveal());
  };
  return {.key_fingerprint = keyring.fingerprint(), .reseal = std::move(reseal)};
}

admin::Answer finish_rotation(admin::Answer answer, std::filesystem::path const& database, bool configured,
                              Keyring const& keyring) {
  std::optional<std::string> const fault =
      configured ? std::nullopt : settle_data_key_files(database, keyring.fingerprint());
  if (!answer) return answer;
  std::string& sentence = answer->sentence;
  if (fault) {
    return admin::Refusal{
        .kind = admin::Refusal::Kind::unavailable,
        .sentence = sentence + ", but its file is not in place: " + *fault + ". Keep " +
                    new_data_key_path(database).string() +
                    ": it may be the only copy of the key. Put right what hinders it and start the server "
                    "anew, which does the rest"};
  }
  if (configured) {
    sentence += "; the configuration must name the new key from the next start on";
  } else {
    sentence += "; it is in " + data_key_path(database).string() + ": keep a copy of it apart";
  }
  sentence += ". Backups made before still need the old key: make a new one";
  return answer;
}

}  // namespace onetap::app
