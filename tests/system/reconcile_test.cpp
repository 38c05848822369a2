#include <doctest/doctest.h>

#include <boost/asio/ip/tcp.hpp>
#include <iterator>
#include <string>
#include <vector>

#include "tests/system/two_processes.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// A server and WeChat, and the operator who compares their counts.
class Compared {
 public:
  explicit Compared(json::array packs) {
    CHECK(both_.ask_wechat("/sandbox/packs", {{"packs", std::move(packs)}}).status == 200);
    both_.start();
    await_figures();
  }

  /// As of now: a server that starts asks WeChat at once.
  void ask_anew() {
    both_.restart();
    await_figures();
  }
  void tell_wechat(json::object const& packs) {
    CHECK(both_.ask_wechat("/sandbox/packs", packs).status == 200);
  }
  void exchange(std::string const& code) {
    CHECK(both_.post("/phone/consume", {{"code", code}}).status == 200);
  }
  /// WeChat charges for a code that a page gets, and nobody hears of it.
  void lose_code() { CHECK(both_.ask_wechat("/sandbox/codes", {{"testCode", "sandbox-ok"}}).status == 200); }

  struct Outcome {
    int status = 0;
    std::string said;
    [[nodiscard]] bool has(std::string_view part) const { return said.find(part) != std::string::npos; }
  };
  Outcome command(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--db", (both_.folder() / "ledger.db").string()});
    Process process(ONETAP_BINARY, std::move(arguments), {});
    int const status = process.wait();
    return {.status = status, .said = process.text()};
  }
  /// GET as an operator's script does it; the body.
  std::string get(std::string const& path) {
    std::string const address = both_.server().await(R"("listener":"operator","address":")", '"');
    auto const colon = address.rfind(':');
    boost::asio::ip::tcp::iostream line(address.substr(0, colon), address.substr(colon + 1));
    line << "GET " << path << " HTTP/1.1\r\nHost: " << address << "\r\nConnection: close\r\n\r\n"
         << std::flush;
    std::string const answer{std::istreambuf_iterator<char>(line), {}};
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  TwoProcesses& both() { return both_; }

 private:
  void await_figures() {
    both_.server().await(R"("msg":"usage","app":"wx0123456789abcdef","kind":"realtime")", '}');
  }

  TwoProcesses both_{"origin", {}};
};

json::object pack(std::string const& pkg_id, int all, int used) {
  return {{"pkgId", pkg_id}, {"all", all}, {"used", used}};
}

}  // namespace

TEST_CASE(
    "what was exchanged agrees with WeChat's count, in a table, as JSON, and by the operators' interface") {
  Compared compared({pack("", 1000, 1000), pack("ZY1", 500, 20)});
  compared.exchange("sandbox-ok-1");
  compared.ask_anew();
  auto const said = compared.command({"reconcile"});
  CHECK(said.status == 0);
  CHECK(said.has("WeChat was asked just now"));
  CHECK(said.has("every unit is accounted for"));
  auto const as_json = compared.command({"reconcile", "--format", "json"});
  CHECK(as_json.has(R"("wx_pkg_id": "ZY1", )"));
  CHECK(as_json.has(R"("wx_used": 21, "used_before": 20, "our_used": 1,)"));
  CHECK(as_json.has(R"("verdict": "AGREES", "explanation": [])"));
  json::value const shown = json::parse(compared.get("/api/reconciliation"));
  CHECK(shown.at(1).at("our_used").as_int64() == 1);
  CHECK(shown.at(1).at("verdict").as_string() == "AGREES");
}

TEST_CASE("a charge without a code is told line by line, and agrees once it is booked as a leak") {
  Compared compared({pack("ZY1", 500, 20)});
  compared.exchange("sandbox-ok-1");
  compared.lose_code();
  compared.ask_anew();
  auto const said = compared.command({"reconcile", "--explain"});
  CHECK(said.status == 1);
  CHECK(said.has("WECHAT_COUNTS_MORE"));
  CHECK(said.has("WeChat charged 1 more than is explained"));
  std::string const number = compared.both().ledger("SELECT pack_id FROM v_packs WHERE wx_pkg_id = 'ZY1'");
  CHECK(said.has("onetap ledger leak " + number + " 1 --note"));
  CHECK(compared.command({"ledger", "leak", number, "1"}).status == 2);  // without a note
  auto const booked = compared.command({"ledger", "leak", number, "1", "--note", "the bill"});
  CHECK(booked.status == 0);
  CHECK(booked.has("1 unit of pack " + number + " leaked"));
  CHECK(compared.command({"reconcile"}).status == 0);
  CHECK(compared.command({"ledger", "refund", number, "10", "--note", "agreed with WeChat"}).status == 0);
  CHECK(compared.both().ledger(
            "SELECT lost || ' ' || refunded || ' ' || available FROM v_packs WHERE pack_id = " + number) ==
        "1 10 468");
  CHECK(compared.command({"verify"}).status == 0);
}

TEST_CASE("figures that lag, and a pack that was bought meanwhile, are explained") {
  Compared compared({pack("ZY1", 500, 20)});
  SUBCASE("a code that is in no figure yet") {
    compared.tell_wechat({{"lagSeconds", 600}});
    compared.exchange("sandbox-ok-1");
    compared.ask_anew();
    auto const said = compared.command({"reconcile", "--explain"});
    CHECK(said.status == 0);
    CHECK(said.has("EXPLAINED_BY_LAG"));
    CHECK(said.has("in WeChat's figures soon"));
  }
  SUBCASE("a code that WeChat burnt from the pack that ends first, of which the ledger did not know") {
    json::object bought = pack("ZY2", 100, 0);
    bought["endTime"] = 4'000'000'000;
    compared.tell_wechat({{"packs", {pack("ZY1", 500, 20), bought}}});
    compared.exchange("sandbox-ok-1");
    compared.ask_anew();
    auto const said = compared.command({"reconcile", "--explain"});
    CHECK(said.status == 0);
    CHECK(said.has("EXPLAINED_BY_SHIFT"));
    CHECK(said.has("neighbouring pack"));
  }
}

TEST_CASE("a pack of another size is never settled") {
  Compared compared({pack("ZY1", 500, 20)});
  compared.tell_wechat({{"packs", {pack("ZY1", 600, 20)}}});
  compared.ask_anew();
  auto const said = compared.command({"reconcile", "--explain"});
  CHECK(said.status == 1);
  CHECK(said.has("SIZE_MISMATCH"));
  CHECK(said.has("WeChat says it has 600 units, and it was booked with 500"));
}

TEST_CASE("a day's list for a ticket has every code; without a server the ledger is compared as it stands") {
  Compared compared({pack("ZY1", 500, 20)});
  compared.exchange("sandbox-ok-1");
  CHECK(compared.both().post("/phone/consume", {{"code", "sandbox-reset-1"}}).status == 502);
  compared.ask_anew();
  std::string const today = compared.both().ledger("SELECT date('now', '+8 hours')");
  auto const list = compared.command({"reconcile", "--evidence", today});
  CHECK(list.status == 0);
  CHECK(list.said.starts_with("app_id,kind,came_at,what,state,charged,wx_pkg_id,"));
  CHECK(list.has(",code,ok,yes,ZY1,"));
  CHECK(list.has(",code,in_doubt,unknown,ZY1,"));
  CHECK(compared.command({"reconcile", "--evidence", "2001-01-01"}).said.find(",code,") == std::string::npos);
  CHECK(compared.command({"reconcile", "--evidence", "yesterday"}).status == 2);
  CHECK(compared.command({"reconcile", "--day", today}).status == 0);
  auto const nothing = compared.command({"reconcile", "--day", "2001-01-01"});
  CHECK(nothing.has("there is nothing to compare"));
  CHECK(nothing.status == 2);
  compared.both().server().signal(SIGTERM);
  CHECK(compared.both().server().wait() == 0);
  auto const alone = compared.command({"reconcile"});
  CHECK(alone.status == 0);
  CHECK(alone.has("no server runs"));
  CHECK(alone.has("EXPLAINED_BY_DOUBT"));
}
