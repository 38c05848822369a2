#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "storage/migrate.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using storage::OpenError;

struct Place {
  TempFolder folder;
  StandingClock clock;
  std::filesystem::path path = folder / "onetap.db";

  [[nodiscard]] storage::LedgerOptions options() const { return options_for(path, clock); }

  [[nodiscard]] OpenError refusal(storage::LedgerOptions const& options) const {
    auto const file = storage::open_ledger(options);
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().sentence.find(path.string()) != std::string::npos);
    return file.error();
  }

  void make() const { static_cast<void>(opened(options())); }

  void run(std::string const& sql) const { storage::Connection(path, storage::Access::read_write).run(sql); }
};

}  // namespace

TEST_CASE("a new ledger is for its group to read where the umask lets it, and never for others") {
  struct Umask {
    explicit Umask(::mode_t mask) : before(::umask(mask)) {}
    ~Umask() { ::umask(before); }
    ::mode_t before;
  };
  auto const mode_under = [](::mode_t mask) {
    Umask const umask(mask);
    Place place;
    storage::LedgerFile const file = opened(place.options());
    auto const mode = [&](char const* suffix) {
      return static_cast<unsigned>(std::filesystem::status(place.path.string() + suffix).permissions());
    };
    CHECK(mode("-wal") == mode(""));
    CHECK(mode("-shm") == mode(""));
    return mode("");
  };
  CHECK(mode_under(0077) == 0600U);
  CHECK(mode_under(0027) == 0640U);
  CHECK(mode_under(0) == 0640U);
}

TEST_CASE("a ledger that was closed keeps its log, empty, for readers who may not make one") {
  Place place;
  place.make();
  CHECK(std::filesystem::file_size(place.path.string() + "-wal") == 0);
  CHECK(std::filesystem::exists(place.path.string() + "-shm"));
  auto reports = storage::Reports::open(place.path);
  REQUIRE(reports.has_value());
  CHECK(reports->verify(false).is_clean());
}

TEST_CASE("a second writer is refused with the first one's process id") {
  Place place;
  storage::LedgerFile const first = opened(place.options());
  OpenError const error = place.refusal(place.options());
  CHECK(error.kind == OpenError::Kind::locked);
  CHECK(error.sentence.find("process " + std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("a ledger that is opened through a symbolic link has the lock of its own name") {
  Place place;
  std::filesystem::path const link = place.folder / "link.db";
  std::filesystem::create_symlink("onetap.db", link);
  SUBCASE("when the file is there") { place.make(); }
  SUBCASE("when the link's end does not exist yet") {}
  std::filesystem::path const through_folder = place.folder / "folder";
  std::filesystem::create_directory_symlink(place.folder.path(), through_folder);
  CHECK(storage::lock_path(link) == storage::lock_path(place.path));
  CHECK(storage::lock_path(through_folder / "link.db") == storage::lock_path(place.path));
  storage::LedgerFile const first = opened(place.options());
  storage::LedgerOptions options = place.options();
  options.path = link;
  auto const second = storage::open_ledger(options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().kind == OpenError::Kind::locked);
  CHECK(storage::find_lock_holder(link).has_value());
  CHECK_FALSE(std::filesystem::exists(link.string() + ".lock"));
}

TEST_CASE("links that lead nowhere or in circles are no reason to fall over") {
  Place place;
  std::filesystem::create_symlink("b.db", place.folder / "a.db");
  std::filesystem::create_symlink("a.db", place.folder / "b.db");
  storage::LedgerOptions options = place.options();
  options.path = place.folder / "a.db";
  CHECK_FALSE(storage::open_ledger(options).has_value());
  std::filesystem::path const nowhere = place.folder / "none/onetap.db";
  CHECK(storage::canonical_database(nowhere) == nowhere);
}

TEST_CASE("a ledger is free again when its holder has gone") {
  Place place;
  place.make();
  CHECK_FALSE(storage::find_lock_holder(place.path).has_value());
  place.make();
}

TEST_CASE("the lock file tells operators where the server is") {
  Place place;
  CHECK_FALSE(storage::find_lock_holder(place.path).has_value());
  storage::LedgerFile file = opened(place.options());
  file.lock.write_operator_address("127.0.0.1:8444");
  auto const holder = storage::find_lock_holder(place.path);
  REQUIRE(holder.has_value());
  CHECK(holder->pid == ::getpid());
  CHECK(holder->operator_address == "127.0.0.1:8444");
}

TEST_CASE("a ledger does not open with another data key") {
  Place place;
  place.make();
  storage::LedgerOptions options = place.options();
  options.key_fingerprint = digest_of(1);
  CHECK(place.refusal(options).kind == OpenError::Kind::wrong_key);
  place.make();
}

TEST_CASE("a real ledger is not the sandbox's, nor the other way round") {
  Place place;
  storage::LedgerOptions options = place.options();
  SUBCASE("real, then sandbox") {
    place.make();
    options.mode = storage::LedgerMode::sandbox;
    CHECK(place.refusal(options).sentence.find("real one") != std::string::npos);
  }
  SUBCASE("sandbox, then real") {
    options.mode = storage::LedgerMode::sandbox;
    static_cast<void>(opened(options));
    CHECK(place.refusal(place.options()).sentence.find("sandbox's") != std::string::npos);
  }
}

TEST_CASE("a ledger of a newer schema is refused and left alone") {
  Place place;
  place.make();
  place.run("PRAGMA user_version = " + std::to_string(storage::ledger_schema_version + 1));
  OpenError const error = place.refusal(place.options());
  CHECK(error.kind == OpenError::Kind::newer_schema);
  CHECK(error.sentence.find("newer onetap") != std::string::npos);
  CHECK_FALSE(storage::Reports::open(place.path).has_value());
}

TEST_CASE("another program's database is refused and left as it was") {
  Place place;
  place.run("PRAGMA journal_mode = DELETE");
  place.run("CREATE TABLE theirs (x)");
  std::string before;
  {
    std::ifstream file(place.path, std::ios::binary);
    before.assign(std::istreambuf_iterator<char>(file), {});
  }
  CHECK(place.refusal(place.options()).kind == OpenError::Kind::not_a_ledger);
  std::ifstream file(place.path, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == before);
}

TEST_CASE("a file that is no database is refused") {
  Place place;
  std::ofstream(place.path) << std::string(8192, 'x');
  CHECK(place.refusal(place.options()).kind == OpenError::Kind::not_a_ledger);
}

TEST_CASE("a ledger in a folder that does not exist is refused with a reason") {
  Place place;
  place.path = place.folder / "missing/onetap.db";
  CHECK(place.refusal(place.options()).kind == OpenError::Kind::disk);
}

TEST_CASE("ballast takes its room at the start and gives it back once") {
  Place place;
  storage::LedgerOptions options = place.options();
  options.ballast_bytes = 65536;
  storage::LedgerFile file = opened(options);
  std::filesystem::path const ballast = place.path.string() + ".ballast";
  CHECK(std::filesystem::file_size(ballast) == 65536);
  CHECK(file.ballast.drop());
  CHECK_FALSE(std::filesystem::exists(ballast));
  CHECK_FALSE(file.ballast.drop());
  CHECK(file.ballast.take());
  CHECK(std::filesystem::file_size(ballast) == 65536);
}

TEST_CASE("a start that is asked to counts the codes of China's day, by mini program and user") {
  Place place;
  place.make();
  core::WallTime const midnight = core::china_midnight(place.clock.wall());
  auto const come = [&](int app, std::string const& user, core::milliseconds after_midnight) {
    place.run(
        "INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, "
        "request_id,"
        " code_key, user_key, client_env, created_at) VALUES (" +
        std::to_string(app) + ", 'quick', 'exchange', 'sending', '', 1, 1, 0, 'r', randomblob(32), " + user +
        ", 'release', " + std::to_string(core::unix_ms(midnight + after_midnight)) + ")");
  };
  place.run("INSERT INTO app (appid) VALUES ('wx1'), ('wx2')");
  std::string const li = "zeroblob(32)";
  come(1, li, -core::milliseconds(1));
  come(1, li, core::milliseconds(0));
  place.run("UPDATE consumption SET state = 'rejected', finished_at = 1 WHERE id = 2");
  come(1, li, core::milliseconds(0));
  come(1, li, core::milliseconds(5));
  come(1, "NULL", core::milliseconds(6));
  come(2, li, core::milliseconds(7));
  CHECK(opened(place.options()).recovery.codes_today.empty());
  storage::LedgerOptions counting = place.options();
  counting.settings.counts_today = true;
  auto const counted = opened(counting).recovery.codes_today;
  REQUIRE(counted.size() == 3);
  CHECK(counted[0].appid == "wx1");
  CHECK_FALSE(counted[0].user.has_value());
  CHECK(counted[0].codes == 1);
  CHECK(counted[1].user.has_value());
  CHECK(counted[1].codes == 2);
  CHECK(counted[2].appid == "wx2");
  CHECK(counted[2].codes == 1);
}

TEST_CASE("each start is a run, which a close ends and a crash does not") {
  SqliteUnderTest tested;
  auto const runs = [&] {
    auto reports = storage::Reports::open(tested.path());
    REQUIRE(reports.has_value());
    return reports->query("SELECT r.id, r.ended_at IS NOT NULL AS ended FROM run AS r ORDER BY r.id", {});
  };
  tested.close();
  CHECK(storage::to_text(runs().at(0, "ended")) == "1");
  tested.reopen();
  tested.crash_and_restart();
  storage::Table const table = runs();
  REQUIRE(table.rows.size() == 3);
  CHECK(storage::to_text(table.at(1, "ended")) == "0");
}

}  // namespace onetap::tests
