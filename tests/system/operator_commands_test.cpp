#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <fstream>
#include <iterator>
#include <set>

#include "core/crypto/digest.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr char key_of_wang[] = "wang-has-this-key-01";

/// A server with a few codes behind it, and the commands of its operator.
class Operated {
 public:
  explicit Operated(std::vector<std::string> environment = {})
      : environment_(std::move(environment)), server_(folder_, {"--log-level=debug"}, environment_) {}

  int exchange(std::string const& code) {
    return caller_.call(server_.target(), consume_request(code, key_of_wang)).status;
  }

  struct Outcome {
    int status = 0;
    std::string said;
  };
  Outcome command(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    if (std::ranges::find(arguments, "--db") == arguments.end()) {
      arguments.insert(arguments.end(), {"--db", database().string()});
    }
    Process process(ONETAP_BINARY, std::move(arguments), std::move(environment));
    int const status = process.wait();
    return {.status = status, .said = process.text()};
  }
  int stop() {
    server_.process().signal(SIGTERM);
    return server_.process().wait();
  }

  [[nodiscard]] std::filesystem::path database() const { return folder_ / "ledger.db"; }
  [[nodiscard]] TempFolder const& folder() const { return folder_; }
  [[nodiscard]] RunningServer& server() { return server_; }
  [[nodiscard]] std::string ask(std::string const& sql) const { return ask_ledger(database(), sql); }

 private:
  TempFolder folder_;
  std::vector<std::string> environment_;
  RunningServer server_;
  app::Caller caller_;
};

/// An access token as the sandbox makes them: "97_" and hex.
bool has_access_token(std::string_view text) {
  for (auto at = text.find("97_"); at != std::string_view::npos; at = text.find("97_", at + 1)) {
    std::string_view const hex = text.substr(at + 3, 16);
    if (hex.size() == 16 && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos) return true;
  }
  return false;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// POST as a script of the operator's does it; the answer as it came.
std::string post_to(std::string const& address, std::string const& path, std::string const& body) {
  auto const colon = address.rfind(':');
  boost::asio::ip::tcp::iostream line(address.substr(0, colon), address.substr(colon + 1));
  line << "POST " << path << " HTTP/1.1\r\nHost: " << address
       << "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " << body.size()
       << "\r\n\r\n"
       << body << std::flush;
  return {std::istreambuf_iterator<char>(line), {}};
}

std::string bytes_of(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("an operator resolves a doubt, adds a pack and prices it while the server runs, and after") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(operated.exchange("sandbox-garbage-1") == 502);
  CHECK(operated.exchange("sandbox-reset-1") == 502);
  CHECK(contains(operated.command({"ledger", "in-doubt"}).said, "malformed_answer"));

  CHECK(operated.command({"ledger", "resolve", "2", "lost", "--note", "the bill"}).status == 0);
  CHECK(operated.ask("SELECT state FROM consumption WHERE id = 2") == "lost");
  auto const again = operated.command({"ledger", "resolve", "2", "free", "--note", "n"});
  CHECK(again.status == 1);
  CHECK(contains(again.said, "is lost, not in doubt"));
  auto const added = operated.command({"pack", "add", "--units", "1000", "--ends", "2099-01-01"});
  CHECK(contains(added.said, "has 1000 units"));
  std::string const pack = operated.ask("SELECT id FROM pack WHERE units = 1000");
  CHECK(operated.command({"pack", "price", pack, "29.99"}).status == 0);
  CHECK(contains(operated.command({"pack", "list"}).said, "29.99"));
  CHECK(operated.exchange("sandbox-ok-2") == 200);
  CHECK(operated.ask("SELECT pack FROM consumption WHERE id = 4") == pack);
  CHECK(operated.command({"verify"}).status == 0);

  CHECK(operated.stop() == 0);
  CHECK(operated.command({"ledger", "resolve", "3", "free", "--note", "usage did not move"}).status == 0);
  CHECK(operated.ask("SELECT state FROM consumption WHERE id = 3") == "free");
  CHECK(operated.command({"verify"}).status == 0);
}

TEST_CASE("a second writer is refused with a sentence that names who holds the ledger") {
  Operated operated;
  std::string const pid = std::to_string(operated.server().process().pid());
  auto const second =
      operated.command({"serve", "--sandbox", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"});
  CHECK(second.status == 1);
  CHECK(contains(second.said, "is in use by process " + pid));
}

TEST_CASE("with an operators' token the commands need it") {
  std::vector<std::string> const token{"ONETAP_ADMIN_TOKEN=a-token-of-operators"};
  Operated operated(token);
  CHECK(operated.exchange("sandbox-garbage-1") == 502);
  auto const refused = operated.command({"ledger", "resolve", "1", "lost", "--note", "n"});
  CHECK(refused.status == 1);
  CHECK(contains(refused.said, "ONETAP_ADMIN_TOKEN"));
  CHECK(operated.ask("SELECT state FROM consumption") == "in_doubt");
  CHECK(operated.command({"ledger", "resolve", "1", "lost", "--note", "n"}, token).status == 0);
}

TEST_CASE("no table for people is wider than 100 columns") {
  Operated operated;
  for (std::string const code : {"sandbox-ok-1", "sandbox-garbage-1", "sandbox-expired-1"})
    static_cast<void>(operated.exchange(code));
  CHECK(operated.command({"pack", "add", "--units", "1000000", "--price", "29999.99", "--ends", "2099-12-31"})
            .status == 0);
  for (std::string const report : {"summary", "daily", "packs", "in-doubt"}) {
    std::string const said = operated.command({"ledger", report}).said;
    CHECK(contains(said, "quick"));
    std::size_t begin = 0;
    while (begin < said.size()) {
      std::size_t const end = std::min(said.find('\n', begin), said.size());
      CHECK_MESSAGE(end - begin <= 100, said);
      begin = end + 1;
    }
  }
}

TEST_CASE("the tables tell how much of the money is estimated; a statement is of a month") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(contains(operated.command({"ledger", "summary"}).said, "estimated"));
  CHECK(contains(operated.command({"ledger", "daily"}).said, "estimated"));
  auto const mixed = operated.command({"ledger", "statement", "--month", "2026-11", "--since", "7d"});
  CHECK(mixed.status == 2);
  CHECK(contains(mixed.said, "not --since"));
}

TEST_CASE("a backup taken while serving is restored beside it, and refuses exchanges at first") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  std::string const copy = (operated.folder() / "copy.db").string();
  CHECK(operated.command({"backup", copy}).status == 0);
  CHECK(operated.command({"backup", copy}).status == 1);
  CHECK(operated.exchange("sandbox-ok-2") == 200);

  TempFolder const elsewhere;
  std::string const restored = (elsewhere / "ledger.db").string();
  CHECK(contains(operated.command({"restore", copy, "--db", restored}).said, "the data key is missing"));
  std::filesystem::copy_file(operated.database().string() + ".key", restored + ".key");
  CHECK(operated.command({"restore", copy, "--db", restored}).status == 0);
  CHECK(operated.command({"restore", copy, "--db", restored}).status == 1);
  CHECK(operated.command({"verify", "--db", restored}).status == 0);

  RunningServer server(elsewhere);
  app::Caller caller;
  app::CallAnswer const answer = caller.call(server.target(), consume_request("sandbox-ok-3", key_of_wang));
  CHECK(answer.status == 503);
  CHECK(contains(answer.body, "WECHAT_UNAVAILABLE"));
  auto const retry_after =
      std::ranges::find(answer.headers, "Retry-After", &std::pair<std::string, std::string>::first);
  REQUIRE(retry_after != answer.headers.end());
  CHECK(std::stoi(retry_after->second) > 300);
  CHECK(ask_ledger(restored, "SELECT count(*) FROM consumption") == "1");
}

TEST_CASE("a script has the server copy its ledger") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  std::string const address = operated.server().operator_address();
  std::string const copy = (operated.folder() / "copy.db").string();
  std::string const body = R"({"file":")" + copy + R"("})";
  std::string const made = post_to(address, "/api/commands/backup", body);
  CHECK(contains(made, "HTTP/1.1 200"));
  CHECK(contains(made, "1 consumptions"));
  CHECK(operated.command({"verify", "--db", copy}).status == 0);
  CHECK(contains(post_to(address, "/api/commands/backup", body), "HTTP/1.1 409"));
  CHECK(contains(post_to(address, "/api/commands/backup", R"({"file":"copy.db"})"), "HTTP/1.1 400"));
}

TEST_CASE("the data key is rotated under a running server and without one; what was sealed is replayed") {
  Operated operated;
  std::filesystem::path const key = operated.database().string() + ".key";
  std::vector<std::string> keys{bytes_of(key)};
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(contains(operated.command({"key", "rotate"}).said, "another data key"));
  keys.push_back(bytes_of(key));
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(operated.exchange("sandbox-ok-2") == 200);
  CHECK(operated.command({"verify"}).status == 0);
  CHECK(operated.command({"key", "rotate", "--new-key-file", key.string()}).status == 1);
  CHECK(operated.stop() == 0);

  CHECK(operated.command({"key", "rotate"}).status == 0);
  keys.push_back(bytes_of(key));
  CHECK(operated.command({"verify"}).status == 0);
  CHECK(operated.ask("SELECT count(*) FROM key_rotation") == "2");
  RunningServer server(operated.folder());
  app::Caller caller;
  for (std::string const code : {"sandbox-ok-1", "sandbox-ok-2"}) {
    app::CallAnswer const answer = caller.call(server.target(), consume_request(code, key_of_wang));
    CHECK(answer.status == 200);
    CHECK(answer.header("Idempotent-Replayed") == "true");
  }
  CHECK(std::set<std::string>(keys.begin(), keys.end()).size() == 3);
  std::string const log = operated.server().process().text() + server.process().text();
  for (std::string const& secret : keys) CHECK_FALSE(contains(log, secret.substr(0, 43)));
}

TEST_CASE("a configured data key is rotated to the operator's, which the next start must name") {
  TempFolder const folder;
  auto const write = [&](std::string const& name, unsigned char byte) {
    std::array<unsigned char, 32> bytes{};
    bytes.fill(byte);
    std::ofstream(folder / name) << core::crypto::to_base64(bytes) << "\n";
    return (folder / name).string();
  };
  std::string const first = write("first", 1);
  std::string const second = write("second", 2);
  std::vector<std::string> const configured{"ONETAP_DATA_KEY_FILE=" + first};
  Operated operated(configured);
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(operated.command({"key", "rotate"}, configured).status == 1);
  auto const rotated = operated.command({"key", "rotate", "--new-key-file", second}, configured);
  CHECK(rotated.status == 0);
  CHECK(contains(rotated.said, "the configuration must name the new key"));
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(operated.stop() == 0);

  auto const refused = operated.command(
      {"serve", "--sandbox", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, configured);
  CHECK(refused.status == 2);
  RunningServer server(operated.folder(), {"--data-key-file=" + second});
  app::Caller caller;
  CHECK(caller.call(server.target(), consume_request("sandbox-ok-1", key_of_wang)).status == 200);
  CHECK_FALSE(std::filesystem::exists(operated.database().string() + ".key"));
}

TEST_CASE("a person is found and erased by number or openid, which come from standard input") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  auto const ask = [&](std::string const& input, std::string const& arguments) {
    std::string const line = "echo '" + input + "' | '" + ONETAP_BINARY + "' " + arguments + " --db '" +
                             operated.database().string() + "'";
    Process process("/bin/sh", {"-c", line}, {});
    int const status = process.wait();
    return std::pair(status, process.text());
  };
  CHECK(ask("o6zAJs-nobody", "ledger find --openid -").first == 1);
  CHECK(ask("", "ledger find --openid -").first == 2);
  CHECK(ask("o6zAJs-nobody", "ledger find --openid o6zAJs-nobody").first != 0);
  CHECK(contains(ask("o6zAJs-nobody", "erase --openid -").second, "erased in 0 consumptions"));
  CHECK(operated.ask("SELECT by || consumptions FROM erasure") == "user0");
  CHECK(ask("x", "erase").first == 2);
}

TEST_CASE("a command that names the ledger by a symbolic link reaches the server that has it") {
  Operated operated;
  CHECK(operated.exchange("sandbox-garbage-1") == 502);
  std::string const link = (operated.folder() / "link.db").string();
  std::filesystem::create_symlink("ledger.db", link);
  CHECK(operated.command({"ledger", "resolve", "1", "lost", "--note", "n", "--db", link}).status == 0);
  CHECK(operated.ask("SELECT count(*) FROM run") == "1");
  auto const second = operated.command(
      {"serve", "--sandbox", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--db", link});
  CHECK(second.status == 1);
  CHECK(contains(second.said, "is in use by process"));
  CHECK_FALSE(std::filesystem::exists(link + ".lock"));
  CHECK_FALSE(std::filesystem::exists(link + ".key"));
}

TEST_CASE("nothing found is told as such in every format, and a number as one that was not handed out") {
  Operated operated;
  CHECK(operated.exchange("sandbox-garbage-1") == 502);
  for (std::string const format : {"table", "json", "csv"})
    CHECK(operated.command({"ledger", "find", "--request-id", "none", "--format", format}).status == 1);
  std::string const line = "echo 13800138000 | LANG=C '" + std::string(ONETAP_BINARY) +
                           "' ledger find --phone - --db '" + operated.database().string() + "'";
  Process process("/bin/sh", {"-c", line}, {});
  CHECK(process.wait() == 1);
  CHECK(contains(process.text(), "no number like this was handed out"));
  CHECK_FALSE(contains(process.text(), "reached this server"));
  CHECK(contains(operated.command({"ledger", "--help"}).said, "--format table|json|csv"));
}

TEST_CASE("one consumption is shown with its entries, and without what its notes would do to a terminal") {
  Operated operated;
  CHECK(operated.exchange("sandbox-garbage-1") == 502);
  CHECK(operated.command({"ledger", "resolve", "1", "lost", "--note", "a \033[2J note"}).status == 0);
  std::string const shown = operated.command({"ledger", "show", "1"}).said;
  CHECK(contains(shown, "a ?[2J note"));
  CHECK_FALSE(contains(shown, "\033"));
  std::string const json = operated.command({"ledger", "show", "1", "--format", "json"}).said;
  CHECK(contains(json, R"("attempts": [)"));
  CHECK(contains(json, R"("entries": [{"entry": "doubt")"));
}

TEST_CASE("what a server refuses is told in the language of the command") {
  Operated operated;
  auto const refused = operated.command({"ledger", "resolve", "1", "lost", "--note", std::string(2000, 'n')});
  CHECK(refused.status == 1);
  CHECK(std::ranges::all_of(refused.said, [](char letter) { return static_cast<signed char>(letter) > 0; }));
}

TEST_CASE("an erasure without a server is done only when no reader keeps the old pages") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(operated.stop() == 0);
  auto const erase = [&] {
    std::string const line = "echo o6zAJs-nobody | '" + std::string(ONETAP_BINARY) +
                             "' erase --openid - --db '" + operated.database().string() + "'";
    Process process("/bin/sh", {"-c", line}, {});
    int const status = process.wait();
    return std::pair(status, process.text());
  };
  sqlite3* reader = nullptr;
  REQUIRE(sqlite3_open(operated.database().c_str(), &reader) == SQLITE_OK);
  REQUIRE(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM consumption", nullptr, nullptr, nullptr) ==
          SQLITE_OK);
  auto const [held, sentence] = erase();
  CHECK(held == 1);
  CHECK(contains(sentence, "erased in 0 consumptions"));
  CHECK(contains(sentence, "old pages stay in the write-ahead log"));
  CHECK(operated.ask("SELECT count(*) FROM erasure") == "1");
  sqlite3_close(reader);
  CHECK(erase().first == 0);
}

TEST_CASE("verify tells a healthy ledger, a broken one and none apart by its exit status") {
  Operated operated;
  CHECK(operated.exchange("sandbox-ok-1") == 200);
  CHECK(operated.stop() == 0);
  CHECK(operated.command({"verify"}).status == 0);
  sqlite3* opened = nullptr;
  REQUIRE(sqlite3_open(operated.database().c_str(), &opened) == SQLITE_OK);
  CHECK(sqlite3_exec(opened, "UPDATE pack_balance SET units = units + 1 WHERE account = 'used'", nullptr,
                     nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(opened);
  auto const broken = operated.command({"verify"});
  CHECK(broken.status == 1);
  CHECK(contains(broken.said, "pack_balance"));
  CHECK(operated.command({"verify", "--db", (operated.folder() / "none.db").string()}).status == 2);
  std::ofstream(operated.folder() / "text.db") << "this is no database, though it is a file";
  CHECK(operated.command({"verify", "--db", (operated.folder() / "text.db").string()}).status == 2);
}

TEST_CASE("no code, number, token or secret is in database, WAL, log or backup") {
  std::string const token = "a-token-of-operators";
  Operated operated({"ONETAP_ADMIN_TOKEN=" + token});
  std::string const codes[] = {"sandbox-ok-leak-1", "sandbox-garbage-leak-2", "sandbox-expired-leak-3",
                               "sandbox-abroad-leak-4"};
  std::vector<std::string> secrets{token, "sandbox-secret", key_of_wang, "-leak-"};
  app::Caller caller;
  for (std::string const& code : codes) {
    secrets.push_back(code);
    app::CallAnswer const answer =
        caller.call(operated.server().target(), consume_request(code, key_of_wang));
    constexpr std::string_view mark = R"("purePhoneNumber":")";
    auto const found = answer.body.find(mark);
    if (found == std::string::npos) continue;
    auto const begin = found + mark.size();
    secrets.push_back(answer.body.substr(begin, answer.body.find('"', begin) - begin));
  }
  REQUIRE(secrets.size() == 10);  // four codes and two numbers beside the four others
  std::string const copy = (operated.folder() / "copy.db").string();
  CHECK(operated.command({"backup", copy}).status == 0);

  std::string const wal = bytes_of(operated.database().string() + "-wal");
  CHECK_FALSE(wal.empty());
  std::string written;
  for (auto const& entry : std::filesystem::directory_iterator(operated.folder().path()))
    written += bytes_of(entry.path());
  CHECK(operated.stop() == 0);
  written += bytes_of(operated.database()) + operated.server().process().text();
  CHECK(contains(written, "\"msg\":\"exchange\""));  // the search sees log and ledger
  CHECK(contains(written, "****"));
  CHECK_FALSE(has_access_token(written));
  for (std::string const& secret : secrets) {
    CAPTURE(secret);
    CHECK_FALSE(contains(written, secret));
  }
}
