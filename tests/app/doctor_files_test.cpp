#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "app/data_key.hpp"
#include "app/doctor/ledger_checks.hpp"
#include "app/doctor/listener_checks.hpp"
#include "app/doctor/machine_checks.hpp"
#include "app/keyed_ledger.hpp"
#include "net/certificate.hpp"
#include "storage/lock_file.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/test_certificate.hpp"

using namespace onetap;
using namespace onetap::app;
using namespace onetap::tests;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

core::WallTime wall_now() { return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now()); }

Finding of_check(Findings const& findings, std::string_view check) {
  auto const found = std::ranges::find(findings, check, &Finding::check);
  CAPTURE(std::string(check));
  REQUIRE(found != findings.end());
  return *found;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// A folder with what a configuration names.
struct Place {
  Place() { settings.database_path = database().string(); }

  [[nodiscard]] fs::path database() const { return folder / "onetap.db"; }

  std::string write(std::string const& name, std::string const& text, ::mode_t mode = 0600) const {
    std::string path = (folder / name).string();
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

  void use(std::string const& certificate_pem, std::string const& key_pem) {
    settings.tls_certificate_path = write("cert.pem", certificate_pem);
    settings.tls_key_path = write("key.pem", key_pem);
  }

  [[nodiscard]] KeyedLedger serve(storage::LedgerMode mode = storage::LedgerMode::real) const {
    auto ledger = open_keyed_ledger({.path = storage::canonical_database(database()),
                                     .mode = mode,
                                     .settings = {.replay_window = 10min},
                                     .now = {.wall = wall_now(), .steady = std::chrono::steady_clock::now()}},
                                    std::nullopt);
    if (!ledger) FAIL(ledger.error().sentence);
    return std::move(*ledger);
  }

  TempFolder folder;
  Settings settings;
};

TestAuthority::Wish for_days(long days) {
  constexpr long day_s = 24L * 3600;
  return {.until_s = days * day_s + 60};
}

}  // namespace

TEST_CASE(
    "a certificate and its key: names and days, and a chain that phones would not follow is a warning") {
  Place place;
  TestAuthority const authority;
  TestCertificate const good = authority.issue(for_days(90));
  place.use(good.certificate_pem, good.key_pem);
  Findings const findings = examine_listener(place.settings, wall_now());
  Finding const certificate = of_check(findings, "certificate");
  CHECK(certificate.status == FindingStatus::ok);
  CHECK(contains(certificate.what, "127.0.0.1, localhost"));
  CHECK(contains(certificate.what, "90 days"));
  CHECK(of_check(findings, "certificate-chain").status == FindingStatus::warning);
  CHECK(contains(of_check(findings, "certificate-chain").advice, "fullchain.pem"));
}

TEST_CASE("a key of another certificate, a chain out of order, and no PEM at all are failures") {
  Place place;
  TestAuthority const authority;
  TestCertificate const one = authority.issue(for_days(90));
  TestCertificate const other = authority.issue(for_days(90));
  auto const verdict = [&] { return of_check(examine_listener(place.settings, wall_now()), "certificate"); };
  place.use(one.certificate_pem, other.key_pem);
  CHECK(verdict().status == FindingStatus::failed);
  CHECK(contains(verdict().what, "does not belong"));
  place.use(one.certificate_pem + other.certificate_pem + authority.pem(), one.key_pem);
  CHECK(verdict().status == FindingStatus::failed);
  CHECK(contains(verdict().what, "did not issue"));
  place.use("no PEM", one.key_pem);
  CHECK(verdict().status == FindingStatus::failed);
  place.use(one.certificate_pem + authority.pem(), one.key_pem);
  CHECK(verdict().status == FindingStatus::ok);
  fs::remove(place.settings.tls_key_path);
  CHECK(verdict().status == FindingStatus::failed);
  CHECK(contains(verdict().what, "ONETAP_TLS_KEY: cannot read"));
}

TEST_CASE("without TLS, and in the sandbox, there is no certificate to look at") {
  Place place;
  CHECK(of_check(examine_listener(place.settings, wall_now()), "certificate").status ==
        FindingStatus::skipped);
  place.settings.tls = false;
  CHECK(of_check(examine_listener(place.settings, wall_now()), "certificate").status ==
        FindingStatus::skipped);
}

TEST_CASE("a chain leads to an authority, or does not") {
  TestAuthority const authority;
  TestAuthority const stranger;
  std::string const leaf = authority.issue(for_days(90)).certificate_pem;
  CHECK_FALSE(net::chain_fault(leaf, authority.pem()).has_value());
  CHECK(net::chain_fault(leaf, stranger.pem()).has_value());
  CHECK(net::chain_fault(leaf, {}).has_value());
  CHECK(net::chain_fault("", authority.pem()).has_value());
  CHECK(net::read_certificate_facts(leaf)->names.size() == 2);
  CHECK_FALSE(net::read_certificate_facts("").has_value());
}

TEST_CASE("secrets that everybody may read are named, whichever way the configuration names them") {
  Place place;
  std::string const open = place.write("open", "x", 0644);
  std::string const by_flag = place.write("by-flag", "x", 0604);
  std::string const of_app = place.write("of-app", "x", 0602);
  std::string const closed = place.write("closed", "x", 0640);
  place.settings.mini_programs.push_back({.appid = "wx1", .secret_file_path = of_app});
  place.settings.tls_key_path = closed;
  std::array<std::string, 2> const arguments{"--admin-token-file", by_flag};
  auto const files = secret_files(place.settings, {{"SECRET_FILE", open}}, arguments);
  Findings const findings = examine_file_modes(files);
  REQUIRE(findings.size() == 3);
  for (Finding const& finding : findings) CHECK(finding.status == FindingStatus::warning);
  CHECK(contains(findings[0].what, open));
  CHECK(contains(findings[0].what, "may read "));
  CHECK(contains(findings[0].advice, "chmod o-rwx"));
  CHECK(contains(findings[2].what, "may write " + of_app));
  for (std::string const& path : {open, by_flag, of_app}) ::chmod(path.c_str(), 0600);
  Findings const closed_now = examine_file_modes(files);
  REQUIRE(closed_now.size() == 1);
  CHECK(closed_now[0].status == FindingStatus::ok);
  CHECK(contains(closed_now[0].what, "4 files"));
}

TEST_CASE("the push's files of an app are looked at, and what is no file has no mode to put right") {
  Place place;
  std::string const token = place.write("push-token", "x", 0644);
  std::string const key = place.write("push-key", "x", 0644);
  place.settings.mini_programs.push_back(
      {.appid = "wx1", .push_token_file_path = token, .push_aes_key_file_path = key});
  place.settings.database_path = "/dev/null";
  Findings const findings = examine_file_modes(secret_files(place.settings, {}, {}));
  REQUIRE(findings.size() == 2);
  CHECK(contains(findings[0].what, token));
  CHECK(contains(findings[1].what, key));
}

TEST_CASE("a ledger that is a folder or a device is a failure, and its key is not judged") {
  Place place;
  SUBCASE("a folder") { place.settings.database_path = place.folder.path().string(); }
  SUBCASE("a device") { place.settings.database_path = "/dev/null"; }
  Findings const findings = examine_ledger(place.settings);
  CHECK(of_check(findings, "database").status == FindingStatus::failed);
  CHECK(contains(of_check(findings, "database").advice, "ONETAP_DB"));
  CHECK(of_check(findings, "data-key").status == FindingStatus::skipped);
}

TEST_CASE("a log that is no file is a failure, too") {
  Place place;
  static_cast<void>(place.serve());
  fs::remove(place.database().string() + "-wal");
  fs::create_directory(place.database().string() + "-wal");
  CHECK(of_check(examine_ledger(place.settings), "database").status == FindingStatus::failed);
}

TEST_CASE("a lock that cannot be read says nothing of who has the ledger") {
  Place place;
  fs::create_directory(storage::lock_path(place.database()));  // also root cannot open it for writing
  Finding const server = of_check(examine_ledger(place.settings), "server");
  CHECK(server.status == FindingStatus::warning);
  CHECK(contains(server.what, "cannot tell"));
  CHECK(contains(server.advice, "the server's user"));
}

TEST_CASE("a ledger that is not there yet is fine, and looking makes none") {
  Place place;
  Findings const findings = examine_ledger(place.settings);
  CHECK(contains(of_check(findings, "database").what, "the first start makes it"));
  CHECK(contains(of_check(findings, "data-key").what, "to be made"));
  for (Finding const& finding : findings) CHECK(finding.status == FindingStatus::ok);
  for (Finding const& finding : examine_disk(place.database()))
    CHECK(finding.status != FindingStatus::skipped);
  CHECK(fs::is_empty(place.folder.path()));
  place.settings.database_path = (place.folder / "no" / "such.db").string();
  CHECK(of_check(examine_ledger(place.settings), "database").status == FindingStatus::failed);
}

TEST_CASE("a ledger is looked at while a server has it, and afterwards") {
  Place place;
  {
    KeyedLedger const ledger = place.serve();
    Findings const findings = examine_ledger(place.settings);
    for (Finding const& finding : findings) CHECK_MESSAGE(finding.status == FindingStatus::ok, finding.what);
    CHECK(contains(of_check(findings, "server").what, "process " + std::to_string(::getpid())));
    CHECK(contains(of_check(findings, "database").what, "journal wal, verified clean"));
    CHECK(contains(of_check(findings, "ballast").what, "16.0 MiB"));
    fs::remove(place.database().string() + ".ballast");
    CHECK(of_check(examine_ledger(place.settings), "ballast").status == FindingStatus::warning);
  }
  Findings const findings = examine_ledger(place.settings);
  CHECK(contains(of_check(findings, "server").what, "none"));
  CHECK(of_check(findings, "database").status == FindingStatus::ok);
  CHECK(of_check(findings, "data-key").status == FindingStatus::ok);
}

TEST_CASE("a foreign or missing data key fails, and a rotation that was broken off is a warning") {
  Place place;
  static_cast<void>(place.serve());
  auto const verdict = [&] { return of_check(examine_ledger(place.settings), "data-key"); };
  std::string const right_key = *read_text_file(data_key_path(place.database()).string());
  constexpr char other_key[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  place.write("onetap.db.key.new", other_key);
  CHECK(verdict().status == FindingStatus::warning);
  fs::remove(new_data_key_path(place.database()));
  CHECK(verdict().status == FindingStatus::ok);
  place.write("onetap.db.key", other_key);
  CHECK(verdict().status == FindingStatus::failed);
  CHECK(contains(verdict().what, "its data key is another one"));
  fs::remove(data_key_path(place.database()));
  CHECK(verdict().status == FindingStatus::failed);
  CHECK(contains(verdict().what, "the data key is missing"));
  place.write("onetap.db.key", right_key);
  CHECK(verdict().status == FindingStatus::ok);
}

TEST_CASE("what is no ledger, or the sandbox's, is a failure") {
  Place place;
  SUBCASE("the sandbox's") {
    static_cast<void>(place.serve(storage::LedgerMode::sandbox));
    CHECK(contains(of_check(examine_ledger(place.settings), "database").what, "sandbox"));
  }
  SUBCASE("no database") { place.write("onetap.db", std::string(4096, 'x')); }
  CHECK(of_check(examine_ledger(place.settings), "database").status == FindingStatus::failed);
}

TEST_CASE("a damaged ledger fails") {
  Place place;
  static_cast<void>(place.serve());
  // A page of zeros in the middle of the file.
  std::fstream file(place.database(), std::ios::binary | std::ios::in | std::ios::out);
  constexpr std::size_t page_bytes = 4096;
  file.seekp(static_cast<std::streamoff>(4 * page_bytes));
  file << std::string(page_bytes, '\0') << std::flush;
  file.close();
  CHECK(of_check(examine_ledger(place.settings), "database").status == FindingStatus::failed);
}
