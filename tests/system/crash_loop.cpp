// Kills a server with SIGKILL, again and again, at random moments and at named points, under load; an
// independent witness (witness.py, WeChat in a process of its own) tells what reached WeChat.
//   crash_loop [--kills N] [--seed S] [--workers W]
// What reached WeChat and what callers were answered is taken down without the server's code: the witness is
// Python, and the callers and the reading of its journal are here, on Boost. What the ledger tells, and its
// v_verify, is read with the server's own storage.
// Exit 0: nothing was lost and nothing was sent twice. 1: something was; the first sentences are printed.

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "app/scenario/witness.hpp"
#include "core/task.hpp"
#include "tests/support/child.hpp"
#include "tests/support/temp_folder.hpp"

namespace onetap::tests {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using namespace std::chrono_literals;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view appid = "wx0123456789abcdef";
constexpr int clients = 12;
constexpr std::size_t codes_per_kill = 60;

/// What a client was answered; status 0: nothing.
struct Reply {
  int status = 0;
  std::string number;  // of a 200
  bool replayed = false;
  bool is_last = false;  // the server closes the connection after it
};

/// One code, as everybody who presented it knows it.
struct CodeStory {
  std::string code;
  std::set<std::string> request_ids;
  std::map<std::string, std::string> numbers;  // acknowledged, by caller
};

struct Tally {
  std::map<std::string, int> kills;  // by point
  int kills_total = 0;
  std::int64_t requests = 0;
  std::int64_t codes = 0;
  std::int64_t codes_in_doubt = 0;
  std::int64_t numbers_acknowledged = 0;
  std::int64_t numbers_replayed = 0;
  std::int64_t calls_witnessed = 0;
  std::int64_t without_intent = 0;
  std::int64_t above_attempts = 0;
  std::int64_t numbers_lost = 0;
  std::int64_t numbers_to_strangers = 0;
  std::int64_t verify_violations = 0;
  std::vector<std::string> sentences;

  [[nodiscard]] bool is_clean() const {
    return without_intent + above_attempts + numbers_lost + numbers_to_strangers + verify_violations == 0 &&
           sentences.empty();
  }
};

/// One server, its ledger, its WeChat, and their callers.
class Worker {
 public:
  explicit Worker(std::uint64_t seed) : random_(seed) { start_witness(); }

  Tally run(int kills) {
    while (tally_.kills_total < kills && tally_.is_clean()) cycle();
    start_server("", 0);
    if (server_ && wait_for_server()) check(true);
    tally_.codes = static_cast<std::int64_t>(stories_.size());
    tally_.requests = requests_;
    return tally_;
  }

 private:
  struct Point {
    char const* name;
    bool at_start;
    int passes_max;
  };
  static constexpr std::array points{
      Point{"inside-t1", false, 40},  Point{"writing-the-log", false, 300}, Point{"at-commit", false, 40},
      Point{"t1-durable", false, 25}, Point{"before-t2", false, 40},        Point{"inside-t2", false, 40},
      Point{"t2-durable", false, 25}, Point{"in-recovery", true, 12},       Point{"in-checkpoint", true, 12},
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  static asio::ip::tcp::endpoint endpoint_of(std::string const& address) {
    std::size_t const colon = address.rfind(':');
    return {asio::ip::make_address(address.substr(0, colon)),
            static_cast<unsigned short>(std::stoi(address.substr(colon + 1)))};
  }

  void start_witness() {
    // By env, so that the system's python3 is taken whatever the shell of this loop would find first.
    witness_ =
        std::make_unique<Child>("/usr/bin/env",
                                std::vector<std::string>{"python3", ONETAP_SOURCE "/tests/system/witness.py",
                                                         "--ca-out", wechat_ca_.string()},
                                std::vector<std::string>{"PATH=/usr/bin:/bin"}, folder_ / "witness.log");
    auto const wechat = witness_->await_address("wechat", 20s);
    auto const journal = witness_->await_address("journal", 20s);
    if (!wechat || !journal) throw std::runtime_error("the witness does not listen: " + witness_->output());
    wechat_url_ = "https://" + *wechat;
    journal_ = endpoint_of(*journal);
  }

  void start_server(std::string const& point, int passes) {
    std::vector<std::string> environment{
        "PATH=/usr/bin:/bin",
        "APPID=" + std::string(appid),
        "SECRET=anything",
        "ONETAP_VERIFY=origin",
        "ONETAP_TLS=off",
        "ONETAP_LISTEN=127.0.0.1:0",
        "ONETAP_ADMIN_LISTEN=127.0.0.1:0",
        "ONETAP_WECHAT_URL=" + wechat_url_,
        "ONETAP_WECHAT_CA=" + wechat_ca_.string(),
        "ONETAP_REPLAY_WINDOW=3600",
        "ONETAP_RATE_IP=0",
        "ONETAP_RATE_USER=0",
        "ONETAP_LOG_LEVEL=error",
        "ONETAP_DB=" + database_.string(),
    };
    if (!point.empty()) {
      environment.push_back("CRASH_AT=" + point + ":" + std::to_string(passes) + ":" + armed_.string());
    }
    server_.reset();
    server_ = std::make_unique<Child>(ONETAP_CRASH_BINARY, std::vector<std::string>{"serve"}, environment,
                                      folder_ / "server.log");
  }

  bool wait_for_server() {
    auto const address = server_->await_address("public", 20s);
    if (!address) return false;
    endpoint_ = endpoint_of(*address);
    return true;
  }

  void count_kill(std::string const& point) {
    ++tally_.kills[point];
    ++tally_.kills_total;
  }

  // A server is started, found to know what it should, loaded, and killed.
  void cycle() {
    std::error_code ignored;
    std::filesystem::remove(armed_, ignored);
    std::uint64_t const choice = below(20);
    if (choice == 0) return kill_while_starting();
    Point const* const point = choice < 6 ? nullptr : &points.at(below(points.size()));
    if (point == nullptr) {
      start_server("", 0);
    } else {
      if (point->at_start) arm();
      start_server(point->name, static_cast<int>(1 + below(static_cast<std::uint64_t>(point->passes_max))));
    }
    if (!wait_for_server()) {
      if (server_->has_ended() && server_->was_killed() && point != nullptr && point->at_start) {
        return count_kill(point->name);
      }
      tally_.sentences.push_back("the server does not start: " + server_->fate() + server_->output());
      return;
    }
    std::filesystem::remove(armed_, ignored);
    check(false);
    if (!tally_.is_clean()) return;
    bool const waits_for_point = point != nullptr && !point->at_start;
    if (waits_for_point) arm();
    load(waits_for_point ? 3000ms : std::chrono::milliseconds(3 + below(150)));
    bool const died_there = waits_for_point && server_->has_ended();
    if (died_there && !server_->was_killed()) {
      tally_.sentences.push_back("the server ended by itself: " + server_->output());
    }
    server_->kill();
    count_kill(died_there ? point->name : "random");
  }

  void kill_while_starting() {
    start_server("", 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(below(60)));
    server_->kill();
    count_kill("random, while starting");
  }

  void arm() { std::ofstream(armed_) << "armed\n"; }

  // ---- callers

  CodeStory& new_code() {
    std::uint64_t const kind = below(100);
    std::string const number = std::to_string(++codes_made_);
    std::string code = "code-" + number;
    if (kind < 4) code = "sandbox-reset-" + number;
    if (kind >= 4 && kind < 8) code = "sandbox-minute-limit-" + number;
    if (kind >= 8 && kind < 11) code = "sandbox-expired-" + number;
    if (kind == 11) code = "sandbox-token-expired-" + number;
    auto story = std::make_unique<CodeStory>();
    story->code = code;
    by_code_[code] = story.get();
    stories_.push_back(std::move(story));
    touched_.insert(stories_.back().get());
    return *stories_.back();
  }

  static std::string owner_of(CodeStory const& story) { return "the-owner-of-" + story.code; }
  static std::string stranger_to(CodeStory const& story) { return "a-stranger-to-" + story.code; }

  core::Task<Reply> present(boost::beast::tcp_stream& stream, CodeStory& story, std::string caller) {
    http::request<http::string_body> request(http::verb::post, "/phone/consume", 11);
    std::string const request_id = "r" + std::to_string(++requests_);
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::content_type, "application/json");
    request.set(http::field::referer,
                "https://servicewechat.com/" + std::string(appid) + "/1/page-frame.html");
    request.set("X-Request-Id", request_id);
    request.set("Idempotency-Key", caller);
    request.body() = R"({"code":")" + story.code + R"("})";
    request.prepare_payload();
    story.request_ids.insert(request_id);
    auto const token = asio::as_tuple(asio::use_awaitable);
    stream.expires_after(15s);
    auto const [write_error, written] = co_await http::async_write(stream, request, token);
    if (write_error) co_return Reply{};
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    auto const [read_error, read] = co_await http::async_read(stream, buffer, response, token);
    if (read_error) co_return Reply{};
    Reply reply{.status = static_cast<int>(response.result_int())};
    reply.replayed = response["Idempotent-Replayed"] == "true";
    reply.is_last = !response.keep_alive();
    if (reply.status == 200) {
      error_code unreadable;
      json::value const body = json::parse(response.body(), unreadable);
      if (!unreadable && body.is_object() && body.get_object().contains("phoneNumber"))
        reply.number = std::string(body.get_object().at("phoneNumber").as_string());
    }
    co_return reply;
  }

  void acknowledge(CodeStory& story, std::string const& caller, Reply const& reply) {
    if (reply.status != 200) return;
    if (reply.number.empty()) tally_.sentences.push_back("a 200 without a number");
    auto const [known, is_new] = story.numbers.emplace(caller, reply.number);
    if (is_new) ++tally_.numbers_acknowledged;
    if (!is_new && known->second != reply.number) {
      ++tally_.numbers_lost;
      tally_.sentences.push_back(story.code + " was given another number");
    }
    if (story.numbers.size() > 1) {
      ++tally_.numbers_to_strangers;
      tally_.sentences.push_back(story.code + " was given to two callers");
    }
  }

  core::Task<error_code> connect(boost::beast::tcp_stream& stream) {
    stream.close();
    stream.expires_after(5s);
    auto const [refused] = co_await stream.async_connect(endpoint_, asio::as_tuple(asio::use_awaitable));
    co_return refused;
  }

  // New codes, repeats and strangers, until the server is gone or the time is up.
  core::Task<> caller(SteadyClock::time_point deadline) {
    boost::beast::tcp_stream stream(co_await asio::this_coro::executor);
    bool is_connected = false;
    while (SteadyClock::now() < deadline && touched_.size() < codes_per_kill * 2) {
      if (!is_connected) {
        error_code const refused = co_await connect(stream);
        if (refused) co_return;
      }
      std::uint64_t const kind = below(20);
      bool const repeats = kind < 5 && !stories_.empty();
      std::size_t const recent = std::min<std::size_t>(stories_.size(), 10);
      CodeStory& story = repeats ? *stories_[stories_.size() - 1 - below(recent)] : new_code();
      touched_.insert(&story);
      std::string const who = repeats && kind < 2 ? stranger_to(story) : owner_of(story);
      Reply const reply = co_await present(stream, story, who);
      if (reply.status == 0) co_return;
      is_connected = !reply.is_last;
      acknowledge(story, who, reply);
    }
  }

  void load(std::chrono::milliseconds time) {
    asio::io_context loop{1};
    auto const deadline = SteadyClock::now() + time;
    touched_.clear();
    for (int i = 0; i < clients; ++i) spawn(loop, caller(deadline));
    // The kill comes from outside, in the middle of what is under way.
    while (SteadyClock::now() < deadline && !server_->has_ended() && !loop.stopped()) loop.run_for(2ms);
    server_->kill();
    loop.run();
  }

  void spawn(asio::io_context& loop, core::Task<> task) {
    asio::co_spawn(loop, std::move(task), [this](std::exception_ptr const& broken) {
      if (!broken) return;
      try {
        std::rethrow_exception(broken);
      } catch (std::exception const& error) {
        tally_.sentences.push_back(error.what());
      }
    });
  }

  // ---- after a restart

  core::Task<Reply> ask_one(boost::beast::tcp_stream& stream, bool& is_connected, CodeStory& story,
                            std::string caller) {
    if (!is_connected) {
      error_code const refused = co_await connect(stream);
      if (refused) {
        tally_.sentences.push_back("a started server takes no connection: " + refused.message());
        co_return Reply{};
      }
    }
    Reply reply = co_await present(stream, story, caller);
    if (reply.status == 0) tally_.sentences.push_back("no answer without a kill");
    is_connected = reply.status != 0 && !reply.is_last;
    acknowledge(story, caller, reply);
    co_return reply;
  }

  core::Task<> ask_again(std::vector<CodeStory*>& left) {
    boost::beast::tcp_stream stream(co_await asio::this_coro::executor);
    bool is_connected = false;
    while (!left.empty() && tally_.sentences.empty()) {
      CodeStory& story = *left.back();
      left.pop_back();
      bool const was_acknowledged = !story.numbers.empty();
      std::string const owner = was_acknowledged ? story.numbers.begin()->first : owner_of(story);
      std::string const other = owner == owner_of(story) ? stranger_to(story) : owner_of(story);
      Reply const again = co_await ask_one(stream, is_connected, story, owner);
      if (was_acknowledged) ++tally_.numbers_replayed;
      if (was_acknowledged && (again.status != 200 || !again.replayed)) {
        ++tally_.numbers_lost;
        tally_.sentences.push_back(story.code + ": its number was acknowledged, now " +
                                   std::to_string(again.status));
      }
      if (again.status == 0) co_return;
      co_await ask_one(stream, is_connected, story, other);
    }
  }

  void check(bool thorough) {
    std::vector<CodeStory*> asked(touched_.begin(), touched_.end());
    std::size_t const old = thorough ? stories_.size() : std::min<std::size_t>(stories_.size(), 10);
    for (std::size_t i = 0; i < old; ++i) {
      asked.push_back(stories_[thorough ? i : below(stories_.size())].get());
    }
    std::ranges::sort(asked);
    asked.erase(std::ranges::unique(asked).begin(), asked.end());
    asio::io_context loop{1};
    for (int i = 0; i < clients; ++i) spawn(loop, ask_again(asked));
    loop.run();
    touched_.clear();
    compare_with_witness(thorough);
    app::LedgerWitness const ledger(database_);
    auto const verified = ledger.verify();
    if (!verified || !verified->is_clean()) {
      ++tally_.verify_violations;
      tally_.sentences.push_back(!verified ? verified.error()
                                 : verified->violations.rows.empty()
                                     ? "damaged pages"
                                     : storage::to_text(verified->violations.rows.front().at(2)));
    }
  }

  [[nodiscard]] std::optional<json::object> read_journal(std::size_t limit) {
    asio::io_context loop{1};
    boost::beast::tcp_stream stream(loop);
    http::request<http::empty_body> request(http::verb::get, "/?limit=" + std::to_string(limit), 11);
    request.set(http::field::host, "127.0.0.1");
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    error_code failure;
    stream.connect(journal_, failure);
    if (!failure) http::write(stream, request, failure);
    if (!failure) http::read(stream, buffer, parser, failure);
    json::value value;
    if (!failure) value = json::parse(parser.get().body(), failure);
    if (failure || !value.is_object()) {
      tally_.sentences.push_back("no journal: " + failure.message() + ", " +
                                 (witness_->has_ended() ? witness_->output() : ""));
      return std::nullopt;
    }
    return std::move(value.as_object());
  }

  struct Recorded {
    int rows = 0;
    std::int64_t attempts = 0;
  };

  // The ledger's rows by the request that began them.
  std::unordered_map<std::string, std::int64_t> attempts_by_request() {
    std::unordered_map<std::string, std::int64_t> attempts;
    auto const table =
        app::LedgerWitness(database_).query("SELECT request_id, attempts, state FROM v_consumptions");
    if (!table) {
      tally_.sentences.push_back(table.error());
      return attempts;
    }
    tally_.codes_in_doubt = 0;
    for (auto const& row : table->rows) {
      attempts.emplace(storage::to_text(row.at(0)), std::get<std::int64_t>(row.at(1)));
      if (storage::to_text(row.at(2)) == "in_doubt") ++tally_.codes_in_doubt;
    }
    return attempts;
  }

  void compare_with_witness(bool thorough) {
    constexpr std::size_t recent = 400;
    auto const journal = read_journal(thorough ? stories_.size() + recent : recent);
    if (!journal) return;
    auto const attempts = attempts_by_request();
    std::int64_t calls_sum = 0;
    for (json::value const& entry : journal->at("codes").as_array()) {
      json::object const& counts = entry.as_object();
      auto const found = by_code_.find(std::string(counts.at("code").as_string()));
      auto const calls = counts.at("calls").to_number<std::int64_t>();
      calls_sum += calls;
      if (found == by_code_.end()) {
        tally_.sentences.push_back("WeChat saw a code that nobody presented");
        continue;
      }
      Recorded recorded;
      for (std::string const& request_id : found->second->request_ids) {
        auto const row = attempts.find(request_id);
        if (row == attempts.end()) continue;
        ++recorded.rows;
        recorded.attempts += row->second;
      }
      if (calls > 0 && recorded.rows == 0) {
        ++tally_.without_intent;
        tally_.sentences.push_back(found->second->code + " reached WeChat without an intent");
      } else if (calls > recorded.attempts) {
        ++tally_.above_attempts;
        tally_.sentences.push_back(found->second->code + " reached WeChat more often than recorded");
      }
      if (counts.at("numbers").to_number<std::int64_t>() > 1)
        tally_.sentences.push_back("two numbers for one code");
    }
    if (thorough) tally_.calls_witnessed = calls_sum;
  }

  std::mt19937_64 random_;
  TempFolder folder_;
  std::filesystem::path database_ = folder_ / "onetap.db";
  std::filesystem::path armed_ = folder_ / "armed";
  std::filesystem::path wechat_ca_ = folder_ / "wechat.pem";
  std::unique_ptr<Child> witness_;
  std::unique_ptr<Child> server_;
  std::string wechat_url_;
  asio::ip::tcp::endpoint journal_;
  asio::ip::tcp::endpoint endpoint_;
  std::vector<std::unique_ptr<CodeStory>> stories_;
  std::unordered_map<std::string, CodeStory*> by_code_;
  std::set<CodeStory*> touched_;  // since the last restart
  std::int64_t codes_made_ = 0;
  std::int64_t requests_ = 0;
  Tally tally_;
};

void add(Tally& sum, Tally const& part) {
  for (auto const& [point, kills] : part.kills) sum.kills[point] += kills;
  sum.kills_total += part.kills_total;
  sum.requests += part.requests;
  sum.codes += part.codes;
  sum.codes_in_doubt += part.codes_in_doubt;
  sum.numbers_acknowledged += part.numbers_acknowledged;
  sum.numbers_replayed += part.numbers_replayed;
  sum.calls_witnessed += part.calls_witnessed;
  sum.without_intent += part.without_intent;
  sum.above_attempts += part.above_attempts;
  sum.numbers_lost += part.numbers_lost;
  sum.numbers_to_strangers += part.numbers_to_strangers;
  sum.verify_violations += part.verify_violations;
  sum.sentences.insert(sum.sentences.end(), part.sentences.begin(), part.sentences.end());
}

void print(Tally const& tally, std::uint64_t seed, std::chrono::seconds took) {
  auto const figure = [](std::int64_t value) { return static_cast<long long>(value); };
  std::printf("crash loop: seed %llu, %d kills in %lld s\n", static_cast<unsigned long long>(seed),
              tally.kills_total, figure(took.count()));
  for (auto const& [point, kills] : tally.kills) std::printf("  %5d %s\n", kills, point.c_str());
  std::printf(
      "%lld requests, %lld codes (%lld in doubt), %lld calls seen by WeChat, %lld numbers acknowledged, "
      "%lld replayed after a restart\n",
      figure(tally.requests), figure(tally.codes), figure(tally.codes_in_doubt),
      figure(tally.calls_witnessed), figure(tally.numbers_acknowledged), figure(tally.numbers_replayed));
  std::printf(
      "%lld calls without an intent, %lld codes called more often than recorded, %lld acknowledged "
      "numbers lost, %lld numbers to strangers, %lld restarts with verify violations\n",
      figure(tally.without_intent), figure(tally.above_attempts), figure(tally.numbers_lost),
      figure(tally.numbers_to_strangers), figure(tally.verify_violations));
  constexpr std::size_t shown_max = 10;
  for (std::size_t i = 0; i < std::min(shown_max, tally.sentences.size()); ++i) {
    std::printf("! %s\n", tally.sentences[i].c_str());
  }
}

Tally run_workers(int kills, int workers, std::uint64_t seed) {
  Tally sum;
  std::mutex mutex;
  std::vector<std::jthread> threads;
  for (int i = 0; i < workers; ++i) {
    int const share = kills / workers + (i < kills % workers ? 1 : 0);
    threads.emplace_back([&, share, i] {
      Tally part;
      try {
        part = Worker(seed * 1000 + static_cast<std::uint64_t>(i)).run(share);
      } catch (std::exception const& error) {
        part.sentences.emplace_back(error.what());
      }
      std::scoped_lock const lock(mutex);
      add(sum, part);
    });
  }
  threads.clear();
  return sum;
}

}  // namespace
}  // namespace onetap::tests

int main(int argc, char** argv) {
  using namespace onetap::tests;
  std::signal(SIGPIPE, SIG_IGN);
  int kills = 300;
  int workers = 2;
  std::uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view const name = argv[i];
    if (name == "--kills") kills = std::atoi(argv[i + 1]);
    if (name == "--workers") workers = std::max(1, std::atoi(argv[i + 1]));
    if (name == "--seed") seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  auto const begin = std::chrono::steady_clock::now();
  Tally const tally = run_workers(kills, workers, seed);
  print(tally, seed,
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin));
  bool const all_killed = tally.kills_total >= kills;
  return tally.is_clean() && all_killed ? 0 : 1;
}
