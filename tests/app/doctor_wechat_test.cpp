#include <doctest/doctest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <fstream>
#include <string>

#include "app/doctor/report.hpp"
#include "app/doctor/wechat_checks.hpp"
#include "app/sandbox/sandbox.hpp"
#include "app/sandbox/test_codes.hpp"
#include "app/tls_files.hpp"
#include "net/asio_clock.hpp"
#include "tests/support/temp_folder.hpp"

using namespace onetap;
using namespace onetap::app;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr auto patience = 40s;  // only a broken build comes near it
constexpr char right_secret[] = "0123456789abcdef0123456789abcdef";

/// The real time, with a wall clock that somebody has put wrong.
class ClockThatIsOff final : public core::Clock {
 public:
  ClockThatIsOff(core::Clock& right, core::seconds off) : right_(right), off_(off) {}
  [[nodiscard]] core::WallTime wall() const override { return right_.wall() + off_; }
  [[nodiscard]] core::SteadyTime steady() const override { return right_.steady(); }
  [[nodiscard]] core::Task<bool> wait(core::Signal& signal, core::SteadyTime deadline) override {
    return right_.wait(signal, deadline);
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime deadline) override {
    return right_.sleep_until(deadline);
  }

 private:
  core::Clock& right_;
  core::seconds off_;
};

/// A sandbox as WeChat, and the settings of a server that asks it.
struct Clinic {
  explicit Clinic(WechatOptions wechat = {.secret = right_secret})
      : sandbox(loop, clock, log, {.wechat = std::move(wechat)}) {
    auto const started = sandbox.start();
    REQUIRE(started.has_value());
    settings.wechat_url = {
        .host = "localhost",
        .port = static_cast<std::uint16_t>(std::stoi(started->substr(started->rfind(':') + 1)))};
    std::string const ca_path = (folder / "ca.pem").string();
    std::ofstream(ca_path) << sandbox.ca_pem();
    settings.wechat_ca_path = ca_path;
    add_app("wx1111111111111111", right_secret);
  }

  void add_app(std::string appid, std::string secret) {
    settings.mini_programs.push_back(
        {.appid = std::move(appid), .secret = core::AppSecret(std::move(secret))});
  }

  Findings examine(core::seconds clock_off = 0s, std::vector<KeptToken> kept = {}) {
    ClockThatIsOff our_clock(clock, clock_off);
    auto tls = load_wechat_tls(settings, {});
    REQUIRE(tls.has_value());
    WeChatExamination examination(loop.get_executor(), our_clock, settings, *tls, std::move(kept));
    Findings findings;
    auto const whole = [&]() -> core::Task<> {
      findings = co_await examination.run();
      sandbox.stop();
      [[maybe_unused]] bool const drained = co_await sandbox.drain(clock.steady() + patience);
    };
    asio::co_spawn(loop, whole(), [](std::exception_ptr const& broken) {
      if (broken) std::rethrow_exception(broken);
    });
    loop.run_for(patience);
    CHECK_FALSE(examination.is_stuck());
    return findings;
  }

  [[nodiscard]] std::size_t calls_of(std::string_view path) {
    std::string const journal = sandbox.state().journal().as_json({}, 1000);
    std::string const mark = "\"path\":\"" + std::string(path) + "\"";
    std::size_t count = 0;
    for (auto at = journal.find(mark); at != std::string::npos; at = journal.find(mark, at + 1)) ++count;
    return count;
  }

  tests::TempFolder folder;
  asio::io_context loop{1};
  net::AsioClock clock{loop.get_executor()};
  core::Log log{[](core::LogLevel, std::string_view) {}, core::LogLevel::error,
                [] { return core::WallTime{}; }};
  Sandbox sandbox;
  Settings settings;
};

Finding of_check(Findings const& findings, std::string_view check, std::string_view app = {}) {
  auto const found = std::ranges::find_if(findings, [&](Finding const& finding) {
    return finding.check == check && (app.empty() || finding.app == app);
  });
  CAPTURE(std::string(check));
  REQUIRE(found != findings.end());
  return *found;
}

FindingStatus status_of(Findings const& findings, std::string_view check, std::string_view app = {}) {
  return of_check(findings, check, app).status;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("all is well: line, clock, secret, address, permission, quota and usage") {
  Clinic clinic;
  Findings const findings = clinic.examine();
  for (Finding const& finding : findings) {
    CAPTURE(finding.check);
    CHECK_MESSAGE(finding.status == FindingStatus::ok, finding.what);
  }
  for (std::string_view const check : {"wechat-tls", "clock", "secret", "white-list", "permission",
                                       "call-quota", "usage-quick", "usage-realtime"})
    CHECK(status_of(findings, check) == FindingStatus::ok);
  CHECK(contains(of_check(findings, "wechat-tls").what, "TLSv1.3, its certificate is good for 29 days"));
  CHECK(exit_status_of(findings) == 0);
}

TEST_CASE("nothing is forced, ended or used up at WeChat's: one token asked for, and no number produced") {
  Clinic clinic;
  static_cast<void>(clinic.examine());
  CHECK(clinic.calls_of(stable_token_path) == 1);
  CHECK(clinic.calls_of(token_path) == 0);
  CHECK(clinic.calls_of(phone_number_path) == 1);
  CHECK_FALSE(contains(clinic.sandbox.state().journal().as_json({}, 1000), "\"producedNumber\":true"));
}

TEST_CASE("a wrong secret fails, and what needs a token is left out") {
  Clinic clinic({.secret = "another-secret-0123456789abcdef0"});
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "wechat-tls") == FindingStatus::ok);
  CHECK(status_of(findings, "secret") == FindingStatus::failed);
  CHECK(contains(of_check(findings, "secret").what, "SECRET"));
  CHECK(status_of(findings, "permission") == FindingStatus::warning);
  CHECK(clinic.calls_of(phone_number_path) == 0);
  CHECK(exit_status_of(findings) == 2);
}

TEST_CASE("an address that is not on the white list is shown") {
  Clinic clinic({.token_errcode = 40164});
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "white-list") == FindingStatus::failed);
  CHECK(contains(of_check(findings, "white-list").what, "203.0.113.7"));
  CHECK(status_of(findings, "secret") == FindingStatus::skipped);
}

TEST_CASE("an account without the permission is told so, by 48001") {
  Clinic clinic;
  clinic.sandbox.state().treat_next_as(*find_test_code("sandbox-unauthorized"), 1);
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "secret") == FindingStatus::ok);
  CHECK(status_of(findings, "permission") == FindingStatus::failed);
  CHECK(contains(of_check(findings, "permission").what, "48001"));
}

TEST_CASE("a clock that is two minutes off is a warning, one that is five a failure") {
  Clinic two_minutes;
  CHECK(status_of(two_minutes.examine(180s), "clock") == FindingStatus::warning);
  Clinic five_minutes;
  Findings const findings = five_minutes.examine(-400s);
  CHECK(status_of(findings, "clock") == FindingStatus::failed);
  CHECK(contains(of_check(findings, "clock").what, "behind WeChat's"));
}

TEST_CASE("an authority that nobody knows is named, and nothing is asked") {
  Clinic clinic;
  ThrowawayAuthority const stranger(throwaway_validity(clinic.clock.wall()));
  std::ofstream(clinic.settings.wechat_ca_path, std::ios::trunc) << stranger.ca_pem();
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "wechat-tls") == FindingStatus::failed);
  CHECK(contains(of_check(findings, "wechat-tls").advice, "ONETAP_WECHAT_CA"));
  CHECK(status_of(findings, "secret") == FindingStatus::skipped);
  CHECK(status_of(findings, "clock") == FindingStatus::skipped);
  CHECK(clinic.calls_of(stable_token_path) == 0);
}

TEST_CASE("a first address that fails is a failure, though the fallback serves") {
  Clinic clinic;
  clinic.settings.wechat_fallback_urls = {clinic.settings.wechat_url};
  clinic.settings.wechat_url = {.host = "127.0.0.1", .port = 1};
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "wechat-tls") == FindingStatus::failed);
  CHECK(contains(findings.at(1).what, "TLSv1.3"));
  CHECK(status_of(findings, "secret") == FindingStatus::ok);
}

TEST_CASE("a fallback that is down is a warning, and the mini programs are looked at all the same") {
  Clinic clinic;
  clinic.settings.wechat_fallback_urls = {{.host = "127.0.0.1", .port = 1}};
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "wechat-tls") == FindingStatus::ok);
  CHECK(findings.at(1).status == FindingStatus::warning);
  Finding const secret = of_check(findings, "secret");
  CAPTURE(secret.what);
  CHECK(secret.status == FindingStatus::ok);
}

TEST_CASE("a proxy that is not there is what the lines say") {
  Clinic clinic;
  clinic.settings.wechat_proxy = net::ProxyAddress{.host = "127.0.0.1", .port = 1};
  Finding const line = of_check(clinic.examine(), "wechat-tls");
  CHECK(line.status == FindingStatus::failed);
  CHECK(contains(line.what, "through the proxy 127.0.0.1:1"));
  CHECK(contains(line.advice, "the proxy runs"));
}

TEST_CASE("several mini programs are each looked at by their own name") {
  Clinic clinic;
  clinic.add_app("wx2222222222222222", "a-secret-that-is-not-the-right-one");
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "secret", "wx1111111111111111") == FindingStatus::ok);
  CHECK(status_of(findings, "permission", "wx1111111111111111") == FindingStatus::ok);
  CHECK(status_of(findings, "secret", "wx2222222222222222") == FindingStatus::failed);
  CHECK(status_of(findings, "permission", "wx2222222222222222") == FindingStatus::warning);
}

TEST_CASE("the plain endpoint is never asked: it would end the token that a server uses") {
  Clinic clinic;
  clinic.settings.token_endpoint = core::TokenEndpoint::plain;
  Findings const findings = clinic.examine();
  CHECK(status_of(findings, "secret") == FindingStatus::skipped);
  CHECK(contains(of_check(findings, "secret").what, "would end the one in use"));
  CHECK(status_of(findings, "permission") == FindingStatus::warning);
  CHECK(clinic.calls_of(token_path) == 0);
  CHECK(clinic.calls_of(stable_token_path) == 0);
}

TEST_CASE("with the plain endpoint, the token that the ledger keeps is asked with") {
  Clinic clinic;
  clinic.settings.token_endpoint = core::TokenEndpoint::plain;
  std::vector<KeptToken> kept{{.appid = "wx1111111111111111", .token = core::AccessToken("dead-by-now")}};
  Findings const findings = clinic.examine(0s, std::move(kept));
  CHECK(status_of(findings, "permission") == FindingStatus::failed);
  CHECK(contains(of_check(findings, "permission").what, "40001"));
}

TEST_CASE("a token file is read, and WeChat says what it is worth") {
  Clinic clinic;
  clinic.settings.mini_programs.front().token_file_path = (clinic.folder / "token").string();
  SUBCASE("missing") {
    Findings const findings = clinic.examine();
    CHECK(status_of(findings, "secret") == FindingStatus::failed);
    CHECK(contains(of_check(findings, "secret").what, "cannot read"));
  }
  SUBCASE("dead") {
    std::ofstream(clinic.folder / "token") << "97_dead\n";
    Findings const findings = clinic.examine();
    CHECK(status_of(findings, "permission") == FindingStatus::failed);
    CHECK(clinic.calls_of(stable_token_path) == 0);
  }
}
