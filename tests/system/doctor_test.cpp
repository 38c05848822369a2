#include <doctest/doctest.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <iterator>

#include "app/sandbox/certificates.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr char secret[] = "SECRET=0123456789abcdef0123456789abcdef";

std::string bytes_of(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Diagnosis {
  int exit_status = 0;
  std::string text;

  /// The status of the first finding of this check; empty when there is none.
  [[nodiscard]] std::string status_of(std::string_view check) const {
    boost::json::value const findings = boost::json::parse(text);
    for (boost::json::value const& finding : findings.as_array()) {
      if (finding.at("check").as_string() == check) return std::string(finding.at("status").as_string());
    }
    return {};
  }
};

/// A WeChat in a process of its own, and the options of a server that asks it.
class Practice {
 public:
  Practice() : wechat_(ONETAP_BINARY, {"sandbox", "--listen=127.0.0.1:0", "--ca-out=" + ca_path()}, {}) {
    std::string const address = wechat_.await(R"("listener":"sandbox","address":")", '"');
    options_ = {"--appid=wx1111111111111111", "--wechat-url=https://" + address,
                "--wechat-ca=" + ca_path(),   "--tls=off",
                "--listen=127.0.0.1:0",       "--admin-listen=127.0.0.1:0",
                "--db=" + database().string()};
  }

  [[nodiscard]] std::filesystem::path database() const { return folder_ / "ledger.db"; }
  [[nodiscard]] std::vector<std::string> command(std::string const& name) const {
    std::vector<std::string> all{name};
    all.insert(all.end(), options_.begin(), options_.end());
    return all;
  }

  [[nodiscard]] Diagnosis ask_doctor(std::vector<std::string> const& more = {},
                                     std::vector<std::string> environment = {secret}) const {
    std::vector<std::string> arguments = command("doctor");
    arguments.emplace_back("--json");
    arguments.insert(arguments.end(), more.begin(), more.end());
    Process doctor(ONETAP_BINARY, std::move(arguments), std::move(environment));
    int const status = doctor.wait();
    return {.exit_status = status, .text = doctor.text()};
  }

  [[nodiscard]] TempFolder const& folder() const { return folder_; }

 private:
  [[nodiscard]] std::string ca_path() const { return (folder_ / "ca.pem").string(); }

  TempFolder folder_;
  Process wechat_;
  std::vector<std::string> options_;
};

constexpr char one_server_only[] =
    "one ledger has one server: a second one behind the balancer would not know the codes of the first";
constexpr std::array checks_of_wechat{"wechat-tls", "clock",      "secret",      "white-list",
                                      "permission", "call-quota", "usage-quick", "usage-realtime"};

}  // namespace

TEST_CASE("the doctor finds all well before the first start, beside a running server, and after it") {
  Practice const practice;
  auto const expect_all_well = [&] {
    Diagnosis const diagnosis = practice.ask_doctor();
    CHECK(diagnosis.exit_status < 2);  // the disk of a test machine may deserve a warning
    for (char const* const check : checks_of_wechat) CHECK(diagnosis.status_of(check) == "ok");
    for (char const* const check : {"configuration", "file-modes", "server", "data-key", "database", "fsync"})
      CHECK(diagnosis.status_of(check) == "ok");
  };
  expect_all_well();
  CHECK(contains(practice.ask_doctor().text, one_server_only));
  CHECK_FALSE(std::filesystem::exists(practice.database()));
  {
    Process server(ONETAP_BINARY, practice.command("serve"), {secret});
    static_cast<void>(server.await(R"("listener":"public","address":")", '"'));
    expect_all_well();
    std::string const beside = practice.ask_doctor().text;
    CHECK(contains(beside, "process " + std::to_string(server.pid())));
    CHECK(contains(beside, one_server_only));
    server.signal(SIGTERM);
    CHECK(server.wait() == 0);
    CHECK_FALSE(contains(server.text(), "token_refused"));
  }
  std::string const before = bytes_of(practice.database());
  expect_all_well();
  CHECK(bytes_of(practice.database()) == before);
}

TEST_CASE("a data key of another ledger is a failure, and the exit status says so") {
  Practice const practice;
  {
    Process server(ONETAP_BINARY, practice.command("serve"), {secret});
    static_cast<void>(server.await(R"("listener":"public","address":")", '"'));
    server.signal(SIGTERM);
    CHECK(server.wait() == 0);
  }
  Diagnosis const diagnosis =
      practice.ask_doctor({}, {secret, "ONETAP_DATA_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="});
  CHECK(diagnosis.exit_status == 2);
  CHECK(diagnosis.status_of("data-key") == "failed");
  CHECK(diagnosis.status_of("secret") == "ok");
}

TEST_CASE("offline nothing of WeChat's is asked") {
  Practice const practice;
  Diagnosis const diagnosis = practice.ask_doctor({"--offline", "--wechat-url=https://127.0.0.1:1"});
  CHECK(diagnosis.exit_status < 2);
  CHECK(diagnosis.status_of("wechat") == "skipped");
  CHECK(diagnosis.status_of("wechat-tls").empty());
  CHECK(diagnosis.status_of("disk-space") != "");
}

TEST_CASE("an authority that nobody knows is a failure with an advice") {
  Practice const practice;
  std::string const stranger = (practice.folder() / "stranger.pem").string();
  auto const now = std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
  std::ofstream(stranger) << app::ThrowawayAuthority(app::throwaway_validity(now)).ca_pem();
  Diagnosis const diagnosis = practice.ask_doctor({"--wechat-ca=" + stranger});
  CHECK(diagnosis.exit_status == 2);
  CHECK(diagnosis.status_of("wechat-tls") == "failed");
  CHECK(contains(diagnosis.text, "ca-certificates"));
}

TEST_CASE("a configuration that cannot be used: every problem, and nothing secret") {
  Practice const practice;
  Diagnosis const diagnosis =
      practice.ask_doctor({"--replay-window=0"}, {"SECRET=a secret with blanks", "ONETAP_ADMIN_TOKEN=short"});
  CHECK(diagnosis.exit_status == 2);
  CHECK(diagnosis.status_of("configuration") == "failed");
  CHECK(contains(diagnosis.text, "ONETAP_REPLAY_WINDOW"));
  CHECK(contains(diagnosis.text, "ONETAP_ADMIN_TOKEN"));
  CHECK_FALSE(contains(diagnosis.text, "with blanks"));
  CHECK_FALSE(contains(diagnosis.text, "short"));
}

TEST_CASE("a stranger among the arguments is refused in the doctor's own name, and not repeated") {
  Practice const practice;
  std::string const said = practice.ask_doctor({"hunter2"}).text;
  CHECK(contains(said, "onetap doctor --help"));
  CHECK_FALSE(contains(said, "serve:"));
  CHECK_FALSE(contains(said, "hunter2"));
}

TEST_CASE("a problem ends where its value does, and the JSON is UTF-8 whatever the value") {
  Practice const practice;
  Diagnosis const diagnosis = practice.ask_doctor({"--replay-window=a; b\xff"});
  boost::json::value const findings = boost::json::parse(diagnosis.text);
  boost::json::object const& finding = findings.at(0).as_object();
  CHECK(contains(std::string(finding.at("what").as_string()), "a; b"));
  CHECK_FALSE(contains(std::string(finding.at("advice").as_string()), "b\xEF"));
}

TEST_CASE("no secret and no token is in what the doctor says") {
  Practice const practice;
  std::string const said = practice.ask_doctor().text;
  CHECK_FALSE(contains(said, "0123456789abcdef"));
  CHECK_FALSE(contains(said, "97_"));
}

TEST_CASE(
    "for people: lines without colour where there is no terminal, and a help that tells the exit status") {
  Practice const practice;
  Process doctor(ONETAP_BINARY, practice.command("doctor"), {secret});
  CHECK(doctor.wait() < 2);
  CHECK(contains(doctor.text(), "ok       secret"));
  CHECK_FALSE(contains(doctor.text(), "\033"));
  Process help(ONETAP_BINARY, {"doctor", "--help"}, {});
  CHECK(help.wait() == 0);
  CHECK(contains(help.text(), "Exit status: 0 all well, 1 warnings, 2 failures."));
}

TEST_CASE("beside a sandbox server the doctor looks at all but the WeChat inside it") {
  TempFolder const folder;
  RunningServer const server(folder);
  Process doctor(ONETAP_BINARY, {"doctor", "--sandbox", "--json", "--db=" + (folder / "ledger.db").string()},
                 {});
  CHECK(doctor.wait() < 2);
  Diagnosis const diagnosis{.text = doctor.text()};
  CHECK(diagnosis.status_of("database") == "ok");
  CHECK(diagnosis.status_of("wechat") == "skipped");
}
