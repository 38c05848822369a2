#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <iterator>
#include <memory>

#include "app/data_key.hpp"
#include "app/keyed_ledger.hpp"
#include "app/upkeep.hpp"
#include "core/crypto/digest.hpp"
#include "storage/reports.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_folder.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace admin = core::admin;
namespace fs = std::filesystem;
using core::crypto::Keyring;

namespace {

core::WallTime const noon = std::chrono::sys_days(std::chrono::year(2124) / 11 / 22) + std::chrono::hours(12);

core::PhoneNumber chinese_number() {
  core::PhoneNumber number;
  number.phone_number = core::Confidential<core::PhoneNumberTag>("13800138000");
  number.pure_phone_number = core::Confidential<core::PurePhoneNumberTag>("13800138000");
  number.country_code = "86";
  return number;
}

std::string text_of(fs::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A ledger in a folder of its own, and its key's files.
struct Place {
  [[nodiscard]] fs::path database() const { return folder / "onetap.db"; }
  [[nodiscard]] fs::path key() const { return app::data_key_path(database()); }
  [[nodiscard]] fs::path new_key() const { return app::new_data_key_path(database()); }

  [[nodiscard]] auto try_open() const {
    return app::open_keyed_ledger({.path = database(),
                                   .settings = {.replay_window = std::chrono::minutes(10)},
                                   .now = {.wall = noon, .steady = core::SteadyTime()},
                                   .ballast_bytes = 0},
                                  configured);
  }
  [[nodiscard]] app::KeyedLedger open() const {
    auto ledger = try_open();
    if (!ledger) FAIL(ledger.error().sentence);
    return std::move(*ledger);
  }
  void copy_to(Place const& other) const {
    for (auto const& entry : fs::directory_iterator(folder.path()))
      fs::copy_file(entry.path(), other.folder / entry.path().filename().string());
  }
  void configure(fs::path const& file) {
    auto const read = app::read_data_key(file);
    if (!read) FAIL(read.error());
    configured = *read;
  }
  [[nodiscard]] fs::path write_key(std::string const& name, unsigned char byte) const {
    std::vector<unsigned char> const bytes(32, byte);
    std::ofstream(folder / name) << core::crypto::to_base64(bytes) << "\n";
    return folder / name;
  }

  TempFolder folder;
  std::optional<app::DataKey> configured;
};

storage::CommandResult run(app::KeyedLedger& ledger, decltype(storage::Command::action) action) {
  storage::Command const command{.action = std::move(action), .steady = core::SteadyTime()};
  return ledger.file.ledger->apply(std::span(&command, 1)).front();
}

admin::Answer run_act(app::KeyedLedger& ledger, admin::RotateKey act) {
  return std::get<admin::Answer>(run(ledger, admin::Command{.act = std::move(act), .at = noon}));
}

core::Intent intent_of(Keyring const& keyring) {
  return {.code_key = keyring.code_key("wx1", core::Code("a-code")),
          .caller = keyring.caller_key("wx1", core::IdempotencyKey("0123456789abcdef")),
          .appid = "wx1",
          .request_id = "r-1",
          .at = noon};
}

/// The code is exchanged, and the number sealed.
void exchange(app::KeyedLedger& ledger) {
  core::Intent const intent = intent_of(ledger.keyring);
  auto const begun = std::get<core::ledger::BeginResult>(run(ledger, storage::BeginCommand{intent}));
  core::Settlement settlement;
  settlement.attempt = std::get<core::ledger::Started>(begun).attempt;
  settlement.state = core::State::ok;
  settlement.sealed_number = ledger.keyring.seal(intent.code_key, chinese_number());
  settlement.phone_mask = "138****8000";
  settlement.phone_key = ledger.keyring.phone_key(chinese_number());
  settlement.at = noon;
  REQUIRE(std::holds_alternative<storage::Settled>(run(ledger, settlement)));
}

/// What the ledger holds for the code, if it knows it.
core::SealedBytes sealed_number(app::KeyedLedger& ledger) {
  auto const found =
      std::get<core::ledger::FindResult>(run(ledger, storage::FindCommand{intent_of(ledger.keyring)}));
  auto const* const stored = std::get_if<core::ledger::Stored>(&found);
  return stored != nullptr ? stored->sealed_number : core::SealedBytes();
}

bool replays(app::KeyedLedger& ledger) {
  auto const number = ledger.keyring.open(intent_of(ledger.keyring).code_key, sealed_number(ledger));
  return number && number->pure_phone_number.reveal() == "13800138000";
}

bool is_clean(Place const& place) {
  auto reports = storage::Reports::open(place.database());
  return reports && reports->verify(false).is_clean();
}

/// A rotation without a server, up to and with the ledger's commit.
admin::Answer rotate_in_ledger(Place const& place, app::KeyedLedger& ledger,
                               fs::path const& new_key_file = {}) {
  auto const key =
      app::take_new_data_key(place.database(), place.configured.has_value(), new_key_file, ledger.keyring);
  if (!key) return {boost::system::in_place_error, key.error()};
  ledger.keyring.seal_with(app::bytes_of(*key));
  return run_act(ledger, app::rotation_to(ledger.keyring));
}

admin::Answer rotate(Place const& place, app::KeyedLedger& ledger, fs::path const& new_key_file = {}) {
  admin::Answer const answer = rotate_in_ledger(place, ledger, new_key_file);
  return app::finish_rotation(answer, place.database(), place.configured.has_value(), ledger.keyring);
}

}  // namespace

TEST_CASE("a rotation changes the key's file; codes stay known and numbers are still replayed") {
  Place const place;
  std::string before;
  {
    app::KeyedLedger ledger = place.open();
    before = text_of(place.key());
    exchange(ledger);
    admin::Answer const answer = rotate(place, ledger);
    REQUIRE(answer.has_value());
    CHECK(answer->count == 2);  // the pepper and the number
    CHECK(replays(ledger));
  }
  CHECK(text_of(place.key()) != before);
  CHECK_FALSE(fs::exists(place.new_key()));
  struct ::stat status{};
  REQUIRE(::stat(place.key().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  app::KeyedLedger ledger = place.open();
  CHECK(replays(ledger));
  CHECK(is_clean(place));
  auto reports = storage::Reports::open(place.database());
  storage::Table const acts = reports->query("SELECT hex(key_id) AS id, at FROM key_rotation", {});
  REQUIRE(acts.rows.size() == 1);
  core::crypto::KeyId const id = Keyring::key_id_of(ledger.keyring.fingerprint());
  std::string wanted = core::crypto::to_hex(id);
  std::ranges::transform(wanted, wanted.begin(), [](unsigned char c) { return std::toupper(c); });
  CHECK(storage::to_text(acts.at(0, "id")) == wanted);
}

TEST_CASE("after a rotation the old key opens neither the ledger nor what is in it") {
  Place place;
  core::SealedBytes number;
  std::optional<Keyring> old;
  {
    app::KeyedLedger ledger = place.open();
    exchange(ledger);
    old.emplace(ledger.keyring);
    fs::copy_file(place.key(), place.folder / "old");
    REQUIRE(rotate(place, ledger).has_value());
    number = sealed_number(ledger);
  }
  CHECK_FALSE(old->has_key_of(number));
  place.configure(place.folder / "old");
  auto const refused = place.try_open();
  REQUIRE(refused.has_error());
  CHECK(refused.error().kind == storage::OpenError::Kind::wrong_key);
}

TEST_CASE(
    "whenever a rotation is broken off, the next start finds the key that fits and puts the files right") {
  Place const place;
  Place crashed;
  bool is_rotated = false;
  std::string old_key;
  {
    app::KeyedLedger ledger = place.open();
    exchange(ledger);
    old_key = text_of(place.key());
    SUBCASE("before the new key is whole") {
      std::ofstream(place.new_key()) << "c2hvcnQ";
      place.copy_to(crashed);
    }
    SUBCASE("before the ledger has it") {
      REQUIRE(app::take_new_data_key(place.database(), false, {}, ledger.keyring).has_value());
      place.copy_to(crashed);
    }
    SUBCASE("before the new key has its name") {
      REQUIRE(rotate_in_ledger(place, ledger).has_value());
      place.copy_to(crashed);
      is_rotated = true;
    }
    SUBCASE("after all of it") {
      REQUIRE(rotate(place, ledger).has_value());
      place.copy_to(crashed);
      is_rotated = true;
    }
  }
  {
    auto const read_only = app::read_keyring(crashed.database(), std::nullopt);
    REQUIRE(read_only.has_value());
    CHECK(intent_of(*read_only).code_key == intent_of(place.open().keyring).code_key);
  }
  {
    app::KeyedLedger ledger = crashed.open();
    CHECK(replays(ledger));
  }
  CHECK((text_of(crashed.key()) != old_key) == is_rotated);
  CHECK_FALSE(fs::exists(crashed.new_key()));
  CHECK(is_clean(crashed));
  app::KeyedLedger again = crashed.open();
  CHECK(replays(again));
}

TEST_CASE("where neither key fits, nothing is opened and no file is touched") {
  Place const place;
  static_cast<void>(place.open());
  fs::rename(place.key(), place.folder / "kept");
  static_cast<void>(place.write_key("onetap.db.key", 1));
  static_cast<void>(place.write_key("onetap.db.key.new", 2));
  auto const refused = place.try_open();
  REQUIRE(refused.has_error());
  CHECK(refused.error().kind == storage::OpenError::Kind::wrong_key);
  CHECK_FALSE(app::read_keyring(place.database(), std::nullopt).has_value());
  CHECK(fs::exists(place.new_key()));
  fs::rename(place.folder / "kept", place.key());
  static_cast<void>(place.open());
}

TEST_CASE("a ledger without its key is refused, and none is made") {
  Place const place;
  static_cast<void>(place.open());
  fs::remove(place.key());
  auto const refused = place.try_open();
  REQUIRE(refused.has_error());
  CHECK(refused.error().kind == storage::OpenError::Kind::wrong_key);
  CHECK_FALSE(fs::exists(place.key()));
}

TEST_CASE("a rotation that the ledger refuses leaves the old key alone") {
  Place const place;
  {
    app::KeyedLedger ledger = place.open();
    exchange(ledger);
    std::string const before = text_of(place.key());
    REQUIRE(app::take_new_data_key(place.database(), false, {}, ledger.keyring).has_value());
    admin::RotateKey act = app::rotation_to(ledger.keyring);
    act.reseal = [](auto&&...) { return std::optional<core::SealedBytes>(); };
    admin::Answer const refused = run_act(ledger, std::move(act));
    REQUIRE(refused.has_error());
    CHECK(app::finish_rotation(refused, place.database(), false, ledger.keyring).has_error());
    CHECK(text_of(place.key()) == before);
    CHECK_FALSE(fs::exists(place.new_key()));
  }
  app::KeyedLedger ledger = place.open();
  CHECK(replays(ledger));
}

TEST_CASE(
    "a rotation whose key could not get its name is told as not done, and the next one keeps that key") {
  Place const place;
  {
    app::KeyedLedger ledger = place.open();
    exchange(ledger);
    admin::Answer const committed = rotate_in_ledger(place, ledger);
    REQUIRE(committed.has_value());
    std::string const live = text_of(place.new_key());
    fs::remove(place.key());
    fs::create_directory(place.key());  // nothing can be renamed to it

    admin::Answer const told = app::finish_rotation(committed, place.database(), false, ledger.keyring);
    REQUIRE(told.has_error());
    CHECK(told.error().sentence.find(place.new_key().string()) != std::string::npos);
    CHECK(app::take_new_data_key(place.database(), false, {}, ledger.keyring).has_error());
    CHECK(text_of(place.new_key()) == live);

    fs::remove(place.key());
    REQUIRE(rotate(place, ledger).has_value());
    CHECK(text_of(place.key()) != live);
    CHECK_FALSE(fs::exists(place.new_key()));
  }
  app::KeyedLedger ledger = place.open();
  CHECK(replays(ledger));
}

TEST_CASE("a key file is removed only when the other one is the ledger's") {
  Place const place;
  app::KeyedLedger const ledger = place.open();
  fs::remove(place.key());
  static_cast<void>(place.write_key("onetap.db.key.new", 2));
  CHECK(app::settle_data_key_files(place.database(), ledger.keyring.fingerprint()).has_value());
  CHECK(fs::exists(place.new_key()));
}

TEST_CASE("the key of a ledger that is named by a symbolic link is that of its own name") {
  Place const place;
  fs::create_symlink("onetap.db", place.folder / "link.db");
  CHECK(app::data_key_path(place.folder / "link.db") == place.key());
  CHECK(app::new_data_key_path(place.folder / "link.db") == place.new_key());
}

TEST_CASE("a configured key is rotated to the one that the operator gives, and no file is made") {
  Place place;
  place.configure(place.write_key("first", 1));
  fs::path const second = place.write_key("second", 2);
  {
    app::KeyedLedger ledger = place.open();
    exchange(ledger);
    CHECK(rotate(place, ledger).has_error());
    CHECK(rotate(place, ledger, place.folder / "none").has_error());
    CHECK(rotate(place, ledger, place.folder / "first").has_error());
    admin::Answer const answer = rotate(place, ledger, second);
    REQUIRE(answer.has_value());
    CHECK(answer->sentence.find("the configuration must name the new key") != std::string::npos);
  }
  CHECK(place.try_open().has_error());
  place.configure(second);
  app::KeyedLedger ledger = place.open();
  CHECK(replays(ledger));
  CHECK_FALSE(fs::exists(place.key()));
  CHECK_FALSE(fs::exists(place.new_key()));
}

TEST_CASE("a file is not asked for where the key is ours") {
  Place const place;
  app::KeyedLedger ledger = place.open();
  CHECK(rotate(place, ledger, place.write_key("second", 2)).has_error());
}

namespace {

/// A ledger that looks at the keyring when it is asked.
class WatchedLedger final : public core::LedgerAdmin {
 public:
  explicit WatchedLedger(Keyring const& keyring) : keyring_(keyring) {}

  [[nodiscard]] core::Task<admin::Answer> administer(admin::Command command) override {
    sealing_when_asked = keyring_.fingerprint();
    new_fingerprint = std::get<admin::RotateKey>(command.act).key_fingerprint;
    meanwhile = keyring_.seal(core::crypto::SealedField::openid, 1, "sealed meanwhile");
    co_return answer;
  }

  core::Digest sealing_when_asked{};
  core::Digest new_fingerprint{};
  core::SealedBytes meanwhile;
  admin::Answer answer{boost::system::in_place_value, admin::Done{}};

 private:
  Keyring const& keyring_;
};

/// A server's upkeep over such a ledger.
struct Serving {
  Serving() {
    auto const read = app::read_data_key(place.write_key("onetap.db.key", 1));
    keyring.emplace(app::bytes_of(*read));
    ledger.emplace(*keyring);
    upkeep.emplace(*keyring, *ledger, clock, place.database(), false);
  }
  admin::Answer rotate() {
    auto asked = start(loop, upkeep->rotate_key({}));
    loop.restart();
    loop.run();
    return asked.value();
  }

  Place place;
  asio::io_context loop{1};
  ManualClock clock{loop};
  std::optional<Keyring> keyring;
  std::optional<WatchedLedger> ledger;
  std::optional<app::Upkeep> upkeep;
};

}  // namespace

TEST_CASE(
    "a running server seals with the new key before the ledger is asked, and opens what the old one sealed") {
  Serving serving;
  core::Digest const old = serving.keyring->fingerprint();
  core::SealedBytes const before =
      serving.keyring->seal(core::crypto::SealedField::openid, 1, "sealed before");
  REQUIRE(serving.rotate().has_value());
  CHECK(serving.ledger->sealing_when_asked == serving.ledger->new_fingerprint);
  CHECK(serving.ledger->new_fingerprint != old);
  CHECK(serving.keyring->fingerprint() == serving.ledger->new_fingerprint);
  CHECK(serving.keyring->open(core::crypto::SealedField::openid, 1, before).has_value());
  auto const file = app::read_data_key(serving.place.key());
  REQUIRE(file.has_value());
  CHECK(Keyring::fingerprint_of(app::bytes_of(*file)) == serving.keyring->fingerprint());
}

TEST_CASE(
    "a running server whose ledger refuses goes on with the old key, and opens what it sealed meanwhile") {
  Serving serving;
  core::Digest const old = serving.keyring->fingerprint();
  serving.ledger->answer = {boost::system::in_place_error,
                            admin::Refusal{.kind = admin::Refusal::Kind::unavailable, .sentence = "no room"}};
  admin::Answer const answer = serving.rotate();
  REQUIRE(answer.has_error());
  CHECK(answer.error().sentence == "no room");
  CHECK(serving.keyring->fingerprint() == old);
  CHECK(serving.keyring->open(core::crypto::SealedField::openid, 1, serving.ledger->meanwhile).has_value());
  CHECK_FALSE(fs::exists(serving.place.new_key()));
  // The next one is not in the way of the first.
  serving.ledger->answer = admin::Done{};
  CHECK(serving.rotate().has_value());
}

TEST_CASE("a stopping server leaves a backup, and nothing of it stays") {
  Serving serving;
  fs::remove(serving.place.key());
  static_cast<void>(serving.place.open());
  auto const files = [&] {
    return std::distance(fs::directory_iterator(serving.place.folder.path()), fs::directory_iterator());
  };
  auto const copies = [&](std::string const& name) {
    auto asked = start(serving.loop, serving.upkeep->back_up((serving.place.folder / name).string()));
    serving.loop.restart();
    serving.loop.run();
    return asked.value().has_value();
  };
  CHECK(copies("first.db"));
  auto const before = files();
  serving.upkeep->stop();
  CHECK_FALSE(copies("second.db"));
  CHECK(files() == before);
}
