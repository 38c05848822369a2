#include <doctest/doctest.h>
#include <sqlite3.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>

#include "tests/system/two_processes.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace asio = boost::asio;

namespace {

constexpr char const* secret = "sixteen-letters-";

/// The receiver of alarms, on loopback: takes what is posted, one request a connection.
class Receiver {
 public:
  struct Posted {
    std::string signature;
    std::string body;
  };

  Receiver() : thread_([this] { serve(); }) {}
  Receiver(Receiver const&) = delete;
  Receiver& operator=(Receiver const&) = delete;
  ~Receiver() {
    stopping_ = true;
    boost::system::error_code ignored;
    asio::ip::tcp::socket last(io_);
    last.connect(acceptor_.local_endpoint(), ignored);  // wakes accept()
    thread_.join();
  }

  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/hook?key=robots-key";
  }

  /// The next, once it is there.
  Posted next() {
    std::unique_lock lock(mutex_);
    REQUIRE(came_.wait_for(lock, std::chrono::seconds(60), [this] { return !posted_.empty(); }));
    Posted first = std::move(posted_.front());
    posted_.pop_front();
    return first;
  }

 private:
  void serve() {
    while (!stopping_) {
      asio::ip::tcp::socket socket(io_);
      acceptor_.accept(socket);
      if (stopping_) return;
      take(socket);
    }
  }

  void take(asio::ip::tcp::socket& socket) {
    std::string text;
    boost::system::error_code ended;
    std::size_t wanted = std::string::npos;
    while (!ended && text.size() < wanted) {
      std::array<char, 4096> buffer{};
      text.append(buffer.data(), socket.read_some(asio::buffer(buffer), ended));
      auto const head_end = text.find("\r\n\r\n");
      if (head_end != std::string::npos) wanted = head_end + 4 + std::stoul(field(text, "Content-Length"));
    }
    if (ended) return;
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), ended);
    std::scoped_lock const lock(mutex_);
    posted_.push_back(
        {.signature = field(text, "Onetap-Signature"), .body = text.substr(text.find("\r\n\r\n") + 4)});
    came_.notify_all();
  }

  static std::string field(std::string const& text, std::string const& name) {
    auto const found = text.find("\r\n" + name + ": ");
    if (found == std::string::npos) return "";
    auto const from = found + name.size() + 4;
    return text.substr(from, text.find("\r\n", from) - from);
  }

  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Posted> posted_;
  std::thread thread_;
};

/// "raised quota_low 20 quick", of a body whose signature is right.
std::string told(Receiver& receiver) {
  Receiver::Posted const posted = receiver.next();
  std::string const time = posted.signature.substr(2, posted.signature.find(',') - 2);
  std::string_view const key(secret);
  auto const digest = core::crypto::hmac_sha256(
      {reinterpret_cast<unsigned char const*>(key.data()), key.size()}, time + "." + posted.body);
  CHECK(posted.signature == "t=" + time + ",v1=" + core::crypto::to_hex(digest));
  json::value const body = json::parse(posted.body);
  std::string text(body.at("event").as_string());
  text += " " + std::string(body.at("alarm").as_string()) + " " + std::to_string(body.at("step").as_int64());
  return text + " " + std::string(body.at("kind").as_string());
}

json::object pack(std::string const& pkg_id, int all, int used) {
  return {{"pkgId", pkg_id}, {"all", all}, {"used", used}};
}

/// The body of what an operator asks, as a script does it.
std::string get(std::string const& address, std::string const& path) {
  auto const colon = address.rfind(':');
  asio::ip::tcp::iostream line(address.substr(0, colon), address.substr(colon + 1));
  line << "GET " << path << " HTTP/1.1\r\nHost: " << address << "\r\nConnection: close\r\n\r\n" << std::flush;
  std::string const answer{std::istreambuf_iterator<char>(line), {}};
  REQUIRE(answer.starts_with("HTTP/1.1 200 "));
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

/// Somebody else writes into the ledger's file.
void meddle(TwoProcesses const& both, std::string const& sql) {
  sqlite3* opened = nullptr;
  REQUIRE(sqlite3_open((both.folder() / "ledger.db").c_str(), &opened) == SQLITE_OK);
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> const database(opened, sqlite3_close);
  sqlite3_busy_timeout(opened, 10'000);
  REQUIRE(sqlite3_exec(opened, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
}

/// Writes a secret where the server reads it.
std::string file_of(TempFolder const& folder, std::string const& name, std::string const& text) {
  std::ofstream(folder / name) << text;
  return (folder / name).string();
}

}  // namespace

TEST_CASE("quota alarms reach their receiver once, over restarts, and again after a purchase") {
  Receiver receiver;
  TempFolder const secrets;
  TwoProcesses both("origin", {"--alert-url-file=" + file_of(secrets, "url", receiver.url()),
                               "--alert-secret-file=" + file_of(secrets, "secret", secret)});
  auto const packs = [&](json::array list) {
    both.ask_wechat("/sandbox/packs", {{"packs", std::move(list)}});
  };
  packs({pack("", 1000, 850)});
  both.start();
  CHECK(told(receiver) == "raised quota_low 20 quick");
  both.server().await(R"("msg":"alert_sent")", '}');
  packs({pack("", 1000, 960)});
  both.restart();
  CHECK(told(receiver) == "raised quota_low 5 quick");
  both.server().await(R"("msg":"alert_sent")", '}');
  packs({pack("", 1000, 1000), pack("ZY1", 1000, 0)});
  both.restart();
  CHECK(told(receiver) == "ended quota_low 5 quick");
  both.server().await(R"("msg":"alert_sent")", '}');
  packs({pack("", 1000, 1000), pack("ZY1", 1000, 1000)});
  both.restart();
  CHECK(told(receiver) == "raised quota_low 0 quick");
  both.server().await(R"("msg":"alert_sent")", '}');
  CHECK(both.server().text().find("robots-key") == std::string::npos);
  CHECK(both.server().text().find(R"("msg":"alarm","alarm":"quota_low","severity":"critical")") !=
        std::string::npos);

  std::string const operators = both.server().await(R"("listener":"operator","address":")", '"');
  json::value const alarms = json::parse(get(operators, "/api/alarms"));
  CHECK(alarms.at("active").at(0).at("step").as_int64() == 0);
  CHECK(alarms.at("last").as_array().size() == 3);
  json::value const forecasts = json::parse(get(operators, "/api/forecast"));
  CHECK(forecasts.at("forecasts").at(0).at("unitsLeft").as_int64() == 0);
  CHECK(json::parse(get(operators, "/api/top")).at("users").as_array().empty());
  both.server().signal(SIGTERM);
  REQUIRE(both.server().wait() == 0);
  CHECK(both.ledger("SELECT group_concat(step || (ended_at IS NULL) || (sent_at IS NOT NULL), ' ') FROM"
                    " (SELECT * FROM v_alarms ORDER BY alarm_id)") == "2001 501 011");

  Process command(ONETAP_BINARY, {"alarms", "--db=" + (both.folder() / "ledger.db").string()}, {"LANG=en"});
  CHECK(command.wait() == 1);
  CHECK(command.text().find("quota_low") != std::string::npos);
  CHECK(command.text().find("Buy a resource pack") != std::string::npos);
}

TEST_CASE("an answer that this version does not know is an alarm, told once however often it comes") {
  Receiver receiver;
  TempFolder const secrets;
  TwoProcesses both("origin", {"--alert-url-file=" + file_of(secrets, "url", receiver.url()),
                               "--alert-secret-file=" + file_of(secrets, "secret", secret)});
  both.start();
  CHECK(both.post("/phone/consume", {{"code", "sandbox-unknown-1"}}).status == 502);
  CHECK(both.post("/phone/consume", {{"code", "sandbox-unknown-2"}}).status == 502);
  CHECK(told(receiver) == "raised errcode_unknown 0 ");
  both.server().signal(SIGTERM);
  REQUIRE(both.server().wait() == 0);
  CHECK(both.ledger("SELECT count(*) FROM v_alarms") == "1");
}

TEST_CASE("a background task that fails is an alarm, and begins anew; codes are exchanged meanwhile") {
  TwoProcesses both("origin", {});
  both.start();
  both.server().await(R"("msg":"usage","app":"wx0123456789abcdef","kind":"realtime")", '}');
  both.server().signal(SIGTERM);
  REQUIRE(both.server().wait() == 0);
  both.ask_wechat("/sandbox/packs", {{"packs", {pack("ZY1", 1000, 5)}}});
  meddle(both, "CREATE TRIGGER meddled BEFORE INSERT ON usage_snapshot BEGIN SELECT RAISE(ABORT, 'no'); END");
  both.start();
  CHECK(both.server().await(R"("msg":"task_failed","task":")", '"') == "usage");
  CHECK(both.server().await(
            R"("msg":"alarm","alarm":"task_failed","severity":"warning","app":"","kind":"","what":")", '"') ==
        "usage");
  CHECK(both.post("/phone/consume", {{"code", "sandbox-ok-1"}}).status == 200);
  meddle(both, "DROP TRIGGER meddled");
  both.server().await(R"("msg":"usage","app":"wx0123456789abcdef","kind":"realtime")", '}');
}

TEST_CASE("upkeep that the ledger refuses is an alarm, and no end of the server") {
  TwoProcesses both("origin", {});
  both.start();
  CHECK(both.post("/phone/consume", {{"code", "sandbox-ok-1"}}).status == 200);
  meddle(both,
         "INSERT INTO event (app, event_id, type, kind, client_env, at, received_at)"
         " VALUES (1, 'an-event-of-long-ago', 'tap', 'quick', 'release', 1, 1);"
         "CREATE TRIGGER meddled BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'no'); END");
  both.server().await(R"("msg":"alarm","alarm":"maintenance_failed","severity":"critical")", '}');
  CHECK(both.post("/phone/consume", {{"code", "sandbox-ok-2"}}).status == 200);
  both.server().signal(SIGTERM);
  CHECK(both.server().wait() == 0);
}
