#include "net/alert/alert_sender.hpp"

#include <doctest/doctest.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <boost/json/parse.hpp>

#include "core/alarm/alarm_message.hpp"
#include "core/limits.hpp"
#include "net/task_group.hpp"
#include "tests/net/wechat_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// The real time, but for pauses: they are noted, and are over at once.
class PauselessClock final : public core::Clock {
 public:
  explicit PauselessClock(core::Clock& real) : real_(real) {}

  std::vector<core::seconds> pauses;
  core::milliseconds skipped{0};

  [[nodiscard]] core::WallTime wall() const override { return real_.wall(); }
  [[nodiscard]] core::SteadyTime steady() const override { return real_.steady() + skipped; }
  [[nodiscard]] core::Task<bool> wait(core::Signal& signal, core::SteadyTime deadline) override {
    auto const left = deadline - steady();
    constexpr auto longest_pause = 1h;
    if (left > longest_pause) co_return co_await real_.wait(signal, deadline);
    pauses.push_back(std::chrono::round<core::seconds>(left));
    skipped += std::chrono::ceil<core::milliseconds>(left);
    co_return false;
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime deadline) override {
    return real_.sleep_until(deadline);
  }

 private:
  core::Clock& real_;
};

std::string answer_of(std::string const& status, std::string const& body = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

core::AlarmNews news_of(std::string id) {
  return {.what = core::AlarmNews::What::raised,
          .alarm = {.id = std::move(id), .subject = {.name = core::AlarmName::quota_low, .appid = "wx1"}}};
}

/// A receiver on HTTPS that answers as a test says, and a sender that knows it.
struct AlertBench : NetBench {
  PauselessClock pauseless{clock};
  TestAuthority authority;
  WeChatPeer peer{*this, server_tls(authority.issue({}))};
  std::vector<std::string> sent;
  core::Signal changed;
  net::TaskGroup tasks{loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }};
  std::optional<net::AlertSender> sender;

  void make_sender(net::AlertFormat format = net::AlertFormat::json, std::string const& secret = "") {
    net::AlertTarget target{.host = "127.0.0.1",
                            .port = peer.port(),
                            .path = core::AlertPath("/hook?key=robots-key"),
                            .format = format,
                            .secret = core::AlertSecret(secret)};
    net::AlertSender::Services services{
        .clock = pauseless, .log = log, .sent = [this](std::string const& id) {
          sent.push_back(id);
          changed.notify_all();
        }};
    sender.emplace(loop.get_executor(), std::move(services), client_tls(authority.pem()), std::move(target),
                   net::system_lookup(loop.get_executor()));
    tasks.spawn(sender->run());
    tasks.spawn(sender->resolve());
  }

  core::Task<> until_sent(std::size_t count) {
    while (sent.size() < count) {
      bool const told = co_await clock.wait(changed, clock.steady() + patience);
      REQUIRE(told);
    }
  }
  core::Task<> until_logged(std::string text) {
    while (!logged(text)) co_await clock.sleep_until(clock.steady() + 5ms);
  }

  void run(core::Task<> test) {
    NetBench::run(std::move(test), [this] {
      sender->stop();
      peer.stop();
    });
    CHECK(peer.answers.empty());
    CHECK_FALSE(logged("robots-key"));
  }
};

std::string field_of(std::string const& request, std::string const& name) {
  auto const found = request.find("\r\n" + name + ": ");
  if (found == std::string::npos) return "none";
  auto const from = found + name.size() + 4;
  return request.substr(from, request.find("\r\n", from) - from);
}

std::string body_of(std::string const& request) { return request.substr(request.find("\r\n\r\n") + 4); }

std::string hmac_hex(std::string const& key, std::string const& message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<unsigned char const*>(message.data()), message.size(), digest.data(), &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest.at(i) >> 4];
    hex += "0123456789abcdef"[digest.at(i) & 15];
  }
  return hex;
}

}  // namespace

TEST_CASE("an alarm is posted once, signed, and its receiver's secrets stay out of the log") {
  AlertBench bench;
  bench.peer.answers = {{.bytes = answer_of("204 No Content")}};
  bench.make_sender(net::AlertFormat::json, "sixteen-letters-");
  bench.sender->tell(news_of("A"));
  bench.run(bench.until_sent(1));
  REQUIRE(bench.peer.requests.size() == 1);
  std::string const& request = bench.peer.requests[0];
  CHECK(request.starts_with("POST /hook?key=robots-key HTTP/1.1\r\n"));
  CHECK(field_of(request, "Content-Type") == "application/json");
  CHECK(boost::json::parse(body_of(request)).at("id").as_string() == "A");
  std::string const signature = field_of(request, "Onetap-Signature");
  std::string const time = signature.substr(2, signature.find(',') - 2);
  CHECK(signature == "t=" + time + ",v1=" + hmac_hex("sixteen-letters-", time + "." + body_of(request)));
  CHECK(bench.sent == std::vector<std::string>{"A"});
  CHECK(bench.pauseless.pauses.empty());
}

TEST_CASE("without a secret nothing is signed") {
  AlertBench bench;
  bench.peer.answers = {{.bytes = answer_of("200 OK")}};
  bench.make_sender();
  bench.sender->tell(news_of("A"));
  bench.run(bench.until_sent(1));
  CHECK(field_of(bench.peer.requests[0], "Onetap-Signature") == "none");
}

TEST_CASE("a refusal, a reset and a redirection are tried again, ever more slowly, in the same order") {
  AlertBench bench;
  bench.peer.answers = {{.bytes = answer_of("500 Internal Server Error")},
                        {.bytes = ""},
                        {.bytes = answer_of("302 Found")},
                        {.bytes = "nonsense\r\n\r\n"},
                        {.bytes = answer_of("200 OK")},
                        {.bytes = answer_of("200 OK")}};
  bench.make_sender();
  bench.sender->tell(news_of("A"));
  bench.sender->tell(news_of("B"));
  bench.run(bench.until_sent(2));
  CHECK(bench.pauseless.pauses == std::vector<core::seconds>{2s, 4s, 8s, 16s});
  CHECK(bench.sent == std::vector<std::string>{"A", "B"});
  CHECK(bench.logged("HTTP status 500"));
  CHECK(bench.logged("HTTP status 302"));
}

TEST_CASE("a receiver that stays silent is cut off, and asked again") {
  AlertBench bench;
  bench.clock.lag = core::milliseconds(core::limits::alert_call_time) - 300ms;  // 0.3 s are left of it
  bench.peer.answers = {{.bytes = "", .stays_silent = true}, {.bytes = answer_of("200 OK")}};
  bench.make_sender();
  bench.sender->tell(news_of("A"));
  bench.run(bench.until_sent(1));
  CHECK(bench.pauseless.pauses == std::vector<core::seconds>{2s});
}

TEST_CASE("after ten tries an alarm is given up, and the next one has its turn") {
  AlertBench bench;
  for (std::size_t i = 0; i < core::limits::alert_tries_max; ++i)
    bench.peer.answers.push_back({.bytes = answer_of("503 Service Unavailable")});
  bench.peer.answers.push_back({.bytes = answer_of("200 OK")});
  bench.make_sender();
  bench.sender->tell(news_of("A"));
  bench.sender->tell(news_of("B"));
  bench.run(bench.until_sent(1));
  CHECK(bench.sent == std::vector<std::string>{"B"});
  CHECK(bench.logged(R"("msg":"alert_given_up","id":"A")"));
  CHECK(bench.pauseless.pauses ==
        std::vector<core::seconds>{2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 512s, 512s});
}

TEST_CASE(
    "WeCom's refusals come with 200; several alarms are one message, and messages keep their distance") {
  AlertBench bench;
  std::string const taken = R"({"errcode":0,"errmsg":"ok"})";
  bench.peer.answers = {{.bytes = answer_of("200 OK", R"({"errcode":93000,"errmsg":"invalid webhook url"})")},
                        {.bytes = answer_of("200 OK", "<html>")},
                        {.bytes = answer_of("200 OK", taken)},
                        {.bytes = answer_of("200 OK", taken)}};
  bench.make_sender(net::AlertFormat::wecom);
  for (int i = 0; i < 10; ++i) bench.sender->tell(news_of(std::to_string(i)));
  bench.run(bench.until_sent(10));
  CHECK(bench.logged("errcode 93000"));
  CHECK(bench.logged("an answer that is not WeCom's"));
  CHECK(bench.peer.requests.size() == 4);
  CHECK(boost::json::parse(body_of(bench.peer.requests[0])).at("msgtype").as_string() == "markdown");
  CHECK(bench.pauseless.pauses == std::vector<core::seconds>{2s, 4s, core::limits::wecom_rhythm});
}

TEST_CASE("a receiver whose certificate is nobody's we trust is told nothing") {
  AlertBench bench;
  bench.peer.tls = server_tls(TestAuthority().issue({}));
  bench.make_sender();
  bench.sender->tell(news_of("A"));
  bench.run(bench.until_logged("alert_given_up"));
  CHECK(bench.peer.requests.empty());
  CHECK(bench.sent.empty());
}

TEST_CASE("while a receiver is down the newest alarms wait, and the log tells how many gave way") {
  AlertBench bench;
  bench.make_sender();
  for (std::size_t i = 0; i < core::limits::alerts_queued_max + 3; ++i)
    bench.sender->tell(news_of(std::to_string(i)));
  CHECK(bench.sender->queued() == core::limits::alerts_queued_max);
  bench.peer.answers = {{.bytes = answer_of("200 OK")}};
  core::Task<> first = bench.until_sent(1);
  bench.peer.answers_always = true;
  bench.run(std::move(first));
  CHECK(bench.sent[0] == "3");
  CHECK(bench.logged(R"("msg":"alerts_dropped","count":3)"));
}

TEST_CASE("a new secret counts from the next request on; another host needs a restart") {
  AlertBench bench;
  bench.make_sender(net::AlertFormat::json, "sixteen-letters-");
  net::AlertTarget target{.host = "127.0.0.1",
                          .port = bench.peer.port(),
                          .path = core::AlertPath("/new"),
                          .secret = core::AlertSecret("another-secret--")};
  CHECK(bench.sender->use(target));
  target.host = "127.0.0.2";
  CHECK_FALSE(bench.sender->use(target));
  bench.peer.answers = {{.bytes = answer_of("200 OK")}};
  bench.sender->tell(news_of("A"));
  bench.run(bench.until_sent(1));
  std::string const& request = bench.peer.requests[0];
  CHECK(request.starts_with("POST /new "));
  std::string const signature = field_of(request, "Onetap-Signature");
  std::string const time = signature.substr(2, signature.find(',') - 2);
  CHECK(signature == "t=" + time + ",v1=" + hmac_hex("another-secret--", time + "." + body_of(request)));
}
