#include "storage/backup.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;

core::Digest const test_key = digest_of(4711);  // options_for's

std::string bytes_of(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

storage::BackupReport backed_up(SqliteUnderTest& tested, std::filesystem::path const& target) {
  auto const made = storage::make_backup(tested.path(), target, tested.now(), {});
  if (!made) FAIL(made.error());
  return *made;
}

core::SealedBytes recognisable() {
  std::string const text = "SEALED-NUMBER-SEALED-NUMBER";
  return {text.begin(), text.end()};
}

void settle_recognisably(SqliteUnderTest& tested, int code) {
  Speaker speaker(tested);
  core::Settlement settlement;
  settlement.attempt = speaker.started(code, caller(1));
  settlement.state = State::ok;
  settlement.sealed_number = recognisable();
  settlement.phone_mask = "138****8000";
  speaker.settle(std::move(settlement));
}

std::size_t files_in(TempFolder const& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

}  // namespace

TEST_CASE("a backup of a ledger that is being served is whole, verified, and without sealed numbers") {
  SqliteUnderTest tested;
  settle_recognisably(tested, 1);
  TempFolder folder;
  std::filesystem::path const copy = folder / "copy.db";
  CHECK(backed_up(tested, copy).consumptions == 1);
  CHECK(files_in(folder) == 1);
  std::string const ledger = bytes_of(tested.path()) + bytes_of(tested.path().string() + "-wal");
  CHECK(ledger.find("SEALED-NUMBER") != std::string::npos);  // the search finds what is there
  CHECK(bytes_of(copy).find("SEALED-NUMBER") == std::string::npos);
  auto reports = storage::Reports::open(copy);
  REQUIRE(reports.has_value());
  CHECK(reports->verify(false).is_clean());
  // The served ledger still answers.
  CHECK(stored(Speaker(tested).find(1, caller(1))).sealed_number == recognisable());
}

TEST_CASE("a backup never replaces a file, and leaves nothing behind when it can't be made") {
  SqliteUnderTest tested;
  TempFolder folder;
  std::ofstream(folder / "there.db") << "mine";
  CHECK_FALSE(storage::make_backup(tested.path(), folder / "there.db", tested.now(), {}).has_value());
  CHECK(bytes_of(folder / "there.db") == "mine");
  CHECK_FALSE(storage::make_backup(folder / "none.db", folder / "copy.db", tested.now(), {}).has_value());
  CHECK(files_in(folder) == 1);
}

TEST_CASE("of two backups to one target the first to end has the name, and neither harms the other") {
  SqliteUnderTest tested;
  settle_recognisably(tested, 1);
  TempFolder folder;
  std::filesystem::path const copy = folder / "copy.db";
  bool is_second_made = false;
  auto const first = storage::make_backup(tested.path(), copy, tested.now(), [&](auto, auto) {
    if (is_second_made) return;
    is_second_made = true;
    CHECK(backed_up(tested, copy).consumptions == 1);
  });
  REQUIRE(is_second_made);
  REQUIRE_FALSE(first.has_value());
  CHECK(first.error().find("cannot make " + copy.string()) != std::string::npos);
  CHECK(files_in(folder) == 1);
  auto reports = storage::Reports::open(copy);
  REQUIRE(reports.has_value());
  CHECK(reports->verify(false).is_clean());
}

TEST_CASE("a restored ledger refuses exchanges until every code that it can't know is dead") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));
  speaker.started(2, caller(1));
  TempFolder folder;
  backed_up(tested, folder / "copy.db");
  auto const restored = storage::restore_backup(folder / "copy.db", folder / "new.db", test_key, {});
  if (!restored) FAIL(restored.error());
  CHECK(restored->consumptions == 2);

  StandingClock& clock = tested.clock();
  clock.pass(1h);
  storage::LedgerFile file = opened(options_for(folder / "new.db", clock));
  CHECK(file.recovery.attempts_in_doubt == 1);
  REQUIRE(file.recovery.refuse_until);
  CHECK(*file.recovery.refuse_until - clock.steady() == 6min);
  SUBCASE("a server that ends too soon begins anew") {
    clock.pass(6min - 1ms);
    static_cast<void>(file.ledger->maintain(clock.now()));
    file.ledger->end(clock.wall());
    {
      storage::LedgerFile const gone = std::move(file);
    }
    CHECK(opened(options_for(folder / "new.db", clock)).recovery.refuse_until);
  }
  SUBCASE("then it is a ledger like any other, and the gap is recorded") {
    clock.pass(6min);
    static_cast<void>(file.ledger->maintain(clock.now()));
    auto reports = storage::Reports::open(folder / "new.db");
    REQUIRE(reports.has_value());
    CHECK(storage::to_text(reports->query("SELECT (until - since) / 60000 FROM gap", {}).rows.at(0).at(0)) ==
          "66");
    CHECK(reports->verify(true).is_clean());
    file.ledger->end(clock.wall());
    {
      storage::LedgerFile const gone = std::move(file);
    }
    CHECK_FALSE(opened(options_for(folder / "new.db", clock)).recovery.refuse_until);
  }
}

TEST_CASE("a ledger that is no backup has nothing to wait for") {
  SqliteUnderTest tested;
  tested.close();
  tested.reopen();
  auto reports = storage::Reports::open(tested.path());
  CHECK(reports->query("SELECT 1 FROM meta WHERE copied_at IS NOT NULL", {}).rows.empty());
}

TEST_CASE("a restore refuses an existing ledger, another key, and what is no backup") {
  SqliteUnderTest tested;
  TempFolder folder;
  backed_up(tested, folder / "copy.db");
  auto const refusal = [&](std::filesystem::path const& from, std::filesystem::path const& to,
                           core::Digest const& key) {
    auto const restored = storage::restore_backup(from, to, key, {});
    return restored ? std::string() : restored.error();
  };
  CHECK(refusal(folder / "copy.db", tested.path(), test_key).find("exists") != std::string::npos);
  CHECK(refusal(folder / "copy.db", folder / "new.db", digest_of(1)).find("another data key") !=
        std::string::npos);
  CHECK(refusal(tested.path(), folder / "new.db", test_key).find("not made by onetap backup") !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "new.db"));
  CHECK(refusal(folder / "copy.db", folder / "new.db", test_key).empty());
}

}  // namespace onetap::tests
