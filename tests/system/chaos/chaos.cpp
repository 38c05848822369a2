// WeChat at its worst, on servers, ledgers and sandboxes of their own, each a process:
//   chaos [--rounds N] [--seed S] [--long]
// Every misbehaving test code N times, then all of them mixed by the seed (or ONETAP_SEED); a circuit that
// opens again and again; a token that stays dead; a storm of 45011; a WeChat that takes no connection. What
// reached WeChat is told by the sandbox's journal, what the server decided by its log and its ledger. With
// --long the pauses double up to their bound, and the storm is sat out. Exit 0: everything was as it must be.
// 1: something was not; the first sentences are printed.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>
#include <tuple>

#include "core/crypto/digest.hpp"
#include "tests/system/chaos/world.hpp"

namespace onetap::tests {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

struct Plan {
  int rounds = 5;
  std::uint64_t seed = 1;
  bool is_long = false;
  // Long enough for a machine that has other things to do, and where each late answer counts, for none.
  [[nodiscard]] std::chrono::milliseconds wechat_timeout() const { return is_long ? 400ms : 1500ms; }
};

/// How a test code must end.
struct Outcome {
  std::string_view code;
  int status;
  std::string_view problem;  // empty: a number
  std::string_view state;
  std::string_view cause;
  bool yields_number;  // at WeChat's, whatever the page hears
};

constexpr Outcome in_doubt(std::string_view code, std::string_view cause, bool yields_number) {
  return {.code = code,
          .status = 502,
          .problem = "OUTCOME_UNKNOWN",
          .state = "in_doubt",
          .cause = cause,
          .yields_number = yields_number};
}

constexpr std::array outcomes{
    in_doubt("sandbox-unread", "connection_lost", false),
    in_doubt("sandbox-torn", "connection_lost", true),
    in_doubt("sandbox-reset", "connection_lost", true),
    in_doubt("sandbox-cut", "connection_lost", true),
    in_doubt("sandbox-length-long", "connection_lost", true),
    in_doubt("sandbox-tls-alert", "connection_lost", true),
    in_doubt("sandbox-no-goodbye", "malformed_answer", true),
    in_doubt("sandbox-length-short", "malformed_answer", true),
    in_doubt("sandbox-length-twice", "malformed_answer", true),
    in_doubt("sandbox-bad-chunk", "malformed_answer", true),
    in_doubt("sandbox-huge", "malformed_answer", true),
    in_doubt("sandbox-half-json", "malformed_answer", true),
    in_doubt("sandbox-gzip", "malformed_answer", true),
    in_doubt("sandbox-errcode-twice", "malformed_answer", true),
    in_doubt("sandbox-empty", "malformed_answer", false),
    in_doubt("sandbox-nan", "malformed_answer", false),
    in_doubt("sandbox-deep", "malformed_answer", false),
    in_doubt("sandbox-garbage", "malformed_answer", false),
    in_doubt("sandbox-redirect", "http_error", false),
    in_doubt("sandbox-http500", "http_error", false),
    in_doubt("sandbox-http502", "http_error", false),
    in_doubt("sandbox-busy", "system_error", false),
    in_doubt("sandbox-spent", "system_error", false),
    in_doubt("sandbox-unknown", "unknown_errcode", false),
    in_doubt("sandbox-slow", "timeout", true),
    in_doubt("sandbox-drip", "timeout", true),
    Outcome{"sandbox-foreign", 502, "WATERMARK_MISMATCH", "in_doubt", "watermark", true},
    Outcome{"sandbox-errcode-text", 200, "", "ok", "", true},
    Outcome{"sandbox-no-quota", 402, "QUOTA_EXHAUSTED", "retryable", "no_quota", false},
    Outcome{"sandbox-abroad", 200, "", "ok", "", true},
};
constexpr Outcome good{"sandbox-ok", 200, "", "ok", "", true};
constexpr Outcome refused{"sandbox-expired", 422, "CODE_INVALID", "rejected", "", false};

std::string caller_of(std::string const& code) { return "the-owner-of-" + code; }

/// A code that was presented, and what had to come of it.
struct Presented {
  std::string code;
  Outcome const* outcome = nullptr;
};

/// Each unit is one bad code and two that WeChat answers as it should. With four pages the last twenty
/// answers never hold ten bad ones, nor five in a row: the circuit must stay closed.
class EachBehaviour {
 public:
  static constexpr int pages = 4;

  EachBehaviour(Plan const& plan, Findings& findings)
      : plan_(plan), world_("each behaviour", plan.wechat_timeout(), findings) {}

  void run() {
    std::vector<Outcome const*> mixed;
    for (Outcome const& outcome : outcomes) {
      std::vector<Outcome const*> const same(static_cast<std::size_t>(plan_.rounds), &outcome);
      present(same);
      mixed.insert(mixed.end(), same.begin(), same.end());
    }
    std::mt19937_64 random(plan_.seed);
    std::ranges::shuffle(mixed, random);
    constexpr std::size_t at_once = 1000;  // of which the journal keeps every call
    for (std::size_t begin = 0; begin < mixed.size(); begin += at_once) {
      present(std::span(mixed).subspan(begin, std::min(at_once, mixed.size() - begin)));
    }
    world_.stop_server();
    world_.check(pages);
    check_outcomes();
    std::printf("  %d behaviours, each %d times and mixed: %zu codes, %zu calls of WeChat, %d repeats\n",
                static_cast<int>(outcomes.size()), plan_.rounds, presented_.size(), world_.calls().size(),
                repeats_.load());
  }

 private:
  void present(std::span<Outcome const* const> units) {
    std::vector<std::array<Presented, 3>> codes;
    for (Outcome const* const bad : units) {
      auto const made = [this](Outcome const& outcome) {
        return Presented{.code = world_.new_code(outcome.code), .outcome = &outcome};
      };
      codes.push_back({made(*bad), made(good), made(refused)});
      presented_.insert(presented_.end(), codes.back().begin(), codes.back().end());
    }
    std::atomic<std::size_t> next = 0;
    world_.with_pages(pages, [&](Page& page, int) {
      for (std::size_t i = next++; i < codes.size(); i = next++) {
        for (Presented const& each : codes[i]) present(page, each);
      }
    });
    world_.calls();
  }

  void present(Page& page, Presented const& presented) {
    std::string const& code = presented.code;
    Outcome const& outcome = *presented.outcome;
    auto const miss = [this, &code](std::string_view what, Reply const& reply) {
      world_.miss(code + ": " + std::string(what) + " " + std::to_string(reply.status) + " " + reply.problem);
    };
    Reply reply = page.present(code, caller_of(code));
    if (reply.is_for_later()) {
      note_wait(code, reply);
      reply = page.present_obediently(code, caller_of(code));
    }
    bool const is_right = reply.status == outcome.status && reply.problem == outcome.problem &&
                          reply.has_number == outcome.problem.empty();
    if (!is_right) miss("answered", reply);
    if (outcome.state == "retryable") return;
    ++repeats_;
    Reply const again = page.present(code, caller_of(code));
    if (again.status != outcome.status || !again.replayed) miss("answered again", again);
    Reply const stranger = page.present(code, "a-stranger-to-" + code);
    if (stranger.problem != "CODE_ALREADY_USED") miss("answered to a stranger", stranger);
  }

  // On a busy machine even the sandbox may be too slow to take a connection.
  void note_wait(std::string const& code, Reply const& reply) {
    std::scoped_lock const lock(noting_);
    if (reply.problem != "WECHAT_UNAVAILABLE") world_.miss(code + " had to wait: " + reply.problem);
    had_to_wait_.insert(code);
  }

  void check_outcomes() {
    std::map<std::string, std::string> causes;
    for (LogLine const& line : world_.log()) {
      if (line.msg == "circuit_opened") world_.miss("the circuit opened");
      if (line.msg == "wechat_unreachable") {
        std::printf("  %s\n", boost::json::serialize(line.fields).c_str());
        had_to_wait_.erase(std::string(line.fields.at("request_id").as_string()));
      }
      if (line.msg == "exchange")
        causes[std::string(line.fields.at("request_id").as_string())] = line.fields.at("cause").as_string();
    }
    for (std::string const& code : had_to_wait_)
      world_.miss(code + " had to wait, and the log does not say why");
    std::map<std::string, SeenCall const*> seen;
    for (SeenCall const& call : world_.calls()) seen[call.code_digest] = &call;
    auto const rows = world_.rows();
    for (auto const& [code, outcome] : presented_) {
      auto const row = rows.find(code);
      if (row == rows.end()) {
        world_.miss(code + " has no row");
        continue;
      }
      if (row->second.state != outcome->state) world_.miss(code + " is " + row->second.state);
      if (row->second.attempts != 1) world_.miss(code + " was attempted more than once");
      if (causes[code] != outcome->cause) world_.miss(code + ": cause " + causes[code]);
      auto const call = seen.find(core::crypto::to_hex(core::crypto::sha256(code)));
      if (call == seen.end()) {
        world_.miss(code + " did not reach WeChat");
      } else if (call->second->produced_number != outcome->yields_number) {
        world_.miss(code + " fared otherwise at WeChat's");
      }
    }
  }

  Plan const& plan_;
  World world_;
  std::vector<Presented> presented_;
  std::mutex noting_;
  std::set<std::string> had_to_wait_;
  std::atomic<int> repeats_ = 0;
};

std::int64_t lines_of(World const& world, std::string_view msg) {
  return std::ranges::count_if(world.log(), [msg](LogLine const& line) { return line.msg == msg; });
}

/// Codes that end in doubt until the circuit has opened so often, then good ones until it has closed; twice.
void open_and_close(Plan const& plan, Findings& findings) {
  constexpr int pages = 4;
  World world("circuit", plan.wechat_timeout(), findings);
  std::array const openings{plan.is_long ? 8 : 3, 1};
  std::int64_t opened = 0;
  std::mutex making;
  auto const new_code = [&](std::string_view test_code) {
    std::scoped_lock const lock(making);
    return world.new_code(test_code);
  };
  for (int const more : openings) {
    opened += more;
    world.with_pages(pages, [&](Page& page, int) {
      while (lines_of(world, "circuit_opened") < opened) {
        std::string const code = new_code("sandbox-torn");
        Reply reply = page.present(code, caller_of(code));
        while (reply.is_for_later()) {
          std::this_thread::sleep_for(*reply.retry_after);
          if (lines_of(world, "circuit_opened") >= opened) return;
          reply = page.present(code, caller_of(code));
        }
        if (reply.problem != "OUTCOME_UNKNOWN")
          world.miss(code + " was answered " + std::to_string(reply.status) + " " + reply.problem);
      }
    });
    world.with_pages(pages, [&](Page& page, int) {
      std::string const code = new_code("sandbox-ok");
      if (!page.present_obediently(code, caller_of(code)).has_number) world.miss(code + " got no number");
    });
  }
  world.stop_server();
  world.calls();
  world.check(pages);
  std::int64_t longest_ms = 0;
  for (LogLine const& line : world.log()) {
    if (line.msg == "circuit_opened")
      longest_ms = std::max(longest_ms, line.fields.at("pause_ms").as_int64());
  }
  if (lines_of(world, "circuit_closed") != std::ssize(openings)) world.miss("the circuit did not close");
  std::printf("  the circuit opened %lld times, its longest pause was %lld ms; %lld free calls looked\n",
              static_cast<long long>(lines_of(world, "circuit_opened")), static_cast<long long>(longest_ms),
              static_cast<long long>(lines_of(world, "circuit_probed")));
}

/// WeChat refuses the token that it goes on giving.
void dead_token(Plan const& plan, Findings& findings) {
  constexpr int pages = 2;
  World world("dead token", plan.wechat_timeout(), findings);
  Page page = world.page();
  std::string const before = world.new_code("sandbox-ok");
  if (!page.present(before, caller_of(before)).has_number) world.miss("no number before");
  world.tell_sandbox("/sandbox/token/expire", {{"errcode", 40001}, {"again", true}});

  std::vector<std::string> codes;
  for (int i = 0; i < pages; ++i) codes.push_back(world.new_code("sandbox-ok"));
  auto const until = SteadyClock::now() + (plan.is_long ? 120s : 9s);
  std::atomic<int> presentations = 0;
  world.with_pages(pages, [&](Page& its_page, int i) {
    std::string const& code = codes[static_cast<std::size_t>(i)];
    while (SteadyClock::now() < until) {
      Reply const reply = its_page.present(code, caller_of(code));
      ++presentations;
      if (reply.problem != "WECHAT_UNAVAILABLE" || !reply.is_for_later())
        world.miss("a dead token was answered " + std::to_string(reply.status) + " " + reply.problem);
      std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(reply.retry_after.value_or(1s), 500ms));
    }
  });
  world.tell_sandbox("/sandbox/token/expire", {{"errcode", 40001}});
  world.with_pages(pages, [&](Page& its_page, int i) {
    std::string const& code = codes[static_cast<std::size_t>(i)];
    if (!its_page.present_obediently(code, caller_of(code)).has_number) world.miss("no number afterwards");
  });
  world.stop_server();
  auto const tokens = std::ranges::count(world.calls(), stable_token_path, &SeenCall::path);
  world.check(pages);
  std::int64_t attempts = 0;
  for (auto const& [code, row] : world.rows()) attempts += row.attempts;
  std::printf("  a token that stays dead: presented %d times, %lld attempts, %lld calls for tokens\n",
              presentations.load(), static_cast<long long>(attempts), static_cast<long long>(tokens));
}

/// WeChat wants fewer calls, and pages that do not listen.
void storm(Plan const& plan, Findings& findings) {
  constexpr int pages = 8;
  World world("45011", plan.wechat_timeout(), findings);
  world.tell_sandbox("/sandbox/next", {{"testCode", "sandbox-minute-limit"}, {"times", 1'000'000}});
  std::vector<std::string> codes;
  for (int i = 0; i < pages; ++i) codes.push_back(world.new_code("sandbox-ok"));
  world.with_pages(pages, [&](Page& page, int i) {
    std::string const& code = codes[static_cast<std::size_t>(i)];
    for (int round = 0; round < plan.rounds; ++round) {
      Reply const reply = page.present(code, caller_of(code));
      bool const is_right =
          reply.problem == "WECHAT_UNAVAILABLE" && reply.is_for_later() && *reply.retry_after <= 60s;
      if (!is_right) world.miss("45011 was answered " + std::to_string(reply.status) + " " + reply.problem);
    }
  });
  if (plan.is_long) {  // the trial of the next minute is refused, too
    Page page = world.page();
    while (lines_of(world, "circuit_opened") < 2) {
      Reply const reply = page.present(codes.front(), caller_of(codes.front()));
      std::this_thread::sleep_for(reply.retry_after.value_or(1s));
    }
    world.tell_sandbox("/sandbox/next", {{"testCode", "sandbox-minute-limit"}, {"times", 0}});
    world.with_pages(pages, [&](Page& its_page, int i) {
      std::string const& code = codes[static_cast<std::size_t>(i)];
      if (!its_page.present_obediently(code, caller_of(code)).has_number) world.miss("no number afterwards");
    });
  }
  world.stop_server();
  auto const sent = std::ranges::count(world.calls(), number_path, &SeenCall::path);
  world.check(pages);
  std::printf("  45011: %d presentations, %lld calls of WeChat\n", pages * plan.rounds,
              static_cast<long long>(sent));
}

/// An address whose kernel lets no connection in: its queue is full.
class BlackHole {
 public:
  BlackHole() : acceptor_(loop_, {asio::ip::address_v4::loopback(), 0}, false) {
    acceptor_.listen(0);
    for (int i = 0; i < crowd; ++i) {
      waiting_.emplace_back(loop_, asio::ip::tcp::v4());
      waiting_.back().native_non_blocking(true);
      auto const address = acceptor_.local_endpoint();  // asio's own connect would wait
      std::ignore = ::connect(waiting_.back().native_handle(), address.data(),
                              static_cast<::socklen_t>(address.size()));
    }
  }

  [[nodiscard]] std::string url() const {
    return "https://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

 private:
  static constexpr int crowd = 8;
  asio::io_context loop_{1};
  asio::ip::tcp::acceptor acceptor_;
  std::vector<asio::ip::tcp::socket> waiting_;
};

/// No connection: nothing is sent, nothing is written, and the codes are good afterwards.
void black_hole(Plan const& plan, Findings& findings) {
  constexpr int pages = 8;
  World world("black hole", plan.wechat_timeout(), findings);
  Page page = world.page();
  std::string const before = world.new_code("sandbox-ok");
  if (!page.present(before, caller_of(before)).has_number) world.miss("no number before");
  BlackHole const hole;
  world.serve(hole.url());  // with the token of before
  std::vector<std::string> codes;
  for (int i = 0; i < pages; ++i) codes.push_back(world.new_code("sandbox-ok"));
  world.with_pages(pages, [&](Page& its_page, int i) {
    std::string const& code = codes[static_cast<std::size_t>(i)];
    for (int round = 0; round < plan.rounds; ++round) {
      Reply const reply = its_page.present(code, caller_of(code));
      if (reply.problem != "WECHAT_UNAVAILABLE" || !reply.is_for_later())
        world.miss("a black hole was answered " + std::to_string(reply.status) + " " + reply.problem);
    }
  });
  if (world.rows().size() != 1) world.miss("codes that never left have rows");
  if (lines_of(world, "circuit_opened") == 0) world.miss("the circuit stayed closed");
  world.serve();
  world.with_pages(pages, [&](Page& its_page, int i) {
    std::string const& code = codes[static_cast<std::size_t>(i)];
    if (!its_page.present_obediently(code, caller_of(code)).has_number) world.miss("no number afterwards");
  });
  world.stop_server();
  world.check(pages);
  for (auto const& [code, row] : world.rows()) {
    if (row.attempts != 1) world.miss(code + " was attempted more than once");
  }
  std::printf("  a black hole: %d presentations, %lld connections given up\n", pages * plan.rounds,
              static_cast<long long>(lines_of(world, "wechat_unreachable")));
}

Plan read_plan(std::span<char*> arguments) {
  Plan plan;
  char const* const seed = std::getenv("ONETAP_SEED");  // before any thread
  if (seed != nullptr) plan.seed = std::strtoull(seed, nullptr, 10);
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    std::string_view const name = arguments[i];
    if (name == "--long") plan.is_long = true;
    if (i + 1 == arguments.size()) break;
    if (name == "--rounds") plan.rounds = std::atoi(arguments[i + 1]);
    if (name == "--seed") plan.seed = std::strtoull(arguments[i + 1], nullptr, 10);
  }
  return plan;
}

bool run_all(Plan const& plan) {
  auto const begin = SteadyClock::now();
  std::printf("chaos: seed %llu, %d rounds%s\n", static_cast<unsigned long long>(plan.seed), plan.rounds,
              plan.is_long ? ", long" : "");
  Findings findings;
  auto const play = [&findings](std::function<void()> const& act) {
    return std::jthread([&findings, act] {
      try {
        act();
      } catch (std::exception const& broken) {
        findings.miss(std::string("given up: ") + broken.what());
      }
    });
  };
  {
    std::vector<std::jthread> acts;
    acts.push_back(play([&] { EachBehaviour(plan, findings).run(); }));
    acts.push_back(play([&] { open_and_close(plan, findings); }));
    acts.push_back(play([&] { dead_token(plan, findings); }));
    acts.push_back(play([&] { storm(plan, findings); }));
    acts.push_back(play([&] { black_hole(plan, findings); }));
  }
  auto const sentences = findings.all();
  auto const took = std::chrono::duration_cast<std::chrono::seconds>(SteadyClock::now() - begin);
  std::printf("%zu findings in %lld s\n", sentences.size(), static_cast<long long>(took.count()));
  constexpr std::size_t shown_max = 20;
  for (std::size_t i = 0; i < std::min(shown_max, sentences.size()); ++i) {
    std::printf("! %s\n", sentences[i].c_str());
  }
  return sentences.empty();
}

}  // namespace
}  // namespace onetap::tests

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  auto const plan = onetap::tests::read_plan(std::span(argv, static_cast<std::size_t>(argc)));
  return onetap::tests::run_all(plan) ? 0 : 1;
}
