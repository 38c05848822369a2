#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/exchange/ledger.hpp"
#include "core/exchange/phone_result.hpp"
#include "tests/simulation/fate.hpp"
#include "tests/simulation/virtual_clock.hpp"

namespace onetap::simulation {

/// What an exchange waits for: where a crash can hit it.
enum class Await {
  nothing,
  find,        // the ledger's answer to a find
  turn,        // a turn, a token, a line
  t1_queued,   // T1, not durable yet
  t1_durable,  // T1, durable and not told
  request,     // the request is on its way to WeChat
  answer,      // WeChat has read it
  token,       // a new token, after a refused one
  trace,       // what is known of a refused code
  resend_queued,
  resend_durable,
  t2_queued,
  t2_durable,
  session_keys,
  rescue_queued,
  rescue_durable,
};
inline constexpr std::size_t awaits = static_cast<std::size_t>(Await::rescue_durable) + 1;
[[nodiscard]] std::string_view to_string(Await await);

/// Who presents a code: 0 has neither session nor key, everybody else is told by the number.
using Who = int;
inline constexpr Who nobody = 0;
inline constexpr Who owner = 1;  // of the code: its page's user; the others are strangers
inline constexpr char strangers_number[] = "13900000000";
[[nodiscard]] core::CallerKey key_of(int code, Who who);

/// One presentation of a code to the server.
struct Presentation {
  int code = 0;
  Who who = nobody;
  std::int64_t step = 0;
  core::SteadyTime at;
  core::WallTime wall;                      // our clock's
  core::milliseconds ledger_time_before{};  // of the code
  bool over = false;                        // answered, or lost with the process
  bool answered = false;
};

/// A number's time by our clock: no more than ten minutes off, more, or too near to tell.
enum class Watermark { fresh, stale, either };

/// All that is known of a code without asking the server.
struct Story {
  std::string text;
  std::string number;
  // WeChat's side
  bool genuine = true;
  bool has_blob = false;  // its owner presents the number beside it, encrypted
  bool spent = false;
  core::SteadyTime issued;
  int calls = 0;
  int calls_since_begin = 0;
  std::string last_token;
  std::optional<Fate> last_fate;           // of the last call; none while it is under way
  bool last_told = false;                  // the process has heard of it
  Watermark watermark = Watermark::fresh;  // of the number that was told
  // the ledger's, once durable
  std::optional<core::State> state;
  core::Cause cause = core::Cause::none;
  int attempts = 0;
  Who caller = nobody;
  int begun_by = 0;  // the presentation
  bool rescued = false;
  core::SteadyTime finished;
  core::WallTime finished_wall;  // by our clock
  // the people's
  std::vector<int> open;  // presentations, in their order
  bool number_heard = false;
  int heard_by = 0;  // the presentation, of `nobody`
  Who hearer = nobody;
  // the run's
  Await await = Await::nothing;
  core::milliseconds ledger_time{};
  core::milliseconds last_ledger_time{};
};

/// Sees what WeChat, the disk and the people see, and says when the server breaks a promise.
class Witness {
 public:
  explicit Witness(VirtualClock const& clock) : clock_(clock) {}

  std::vector<Story> codes;
  std::deque<Presentation> presentations;

  [[nodiscard]] Story& code(int index) { return codes[static_cast<std::size_t>(index)]; }
  [[nodiscard]] Presentation& presentation(int index) {
    return presentations[static_cast<std::size_t>(index)];
  }

  // The people.
  [[nodiscard]] int presented(int code, Who who);
  void heard(int presentation, core::PhoneResult const& result);
  void heard_an_exception(int presentation);

  // The disk. `presentation` is whose intent it is.
  void began(int presentation, int attempt);
  void resent(int code, int attempt);
  void settled(int code, core::State state, core::Cause cause, core::WallTime at);
  void rescued(int code, core::WallTime at);
  void recovered(int code);
  void abandoned(int code);
  void ledger_asked(int code, core::milliseconds time);

  // WeChat. A call is one request handed to the network.
  void call_begins(int code, std::string_view token);
  void call_told(int code, Fate fate);
  void token_asked_for();
  void token_told(bool given);
  void date_told();
  void clock_jumped();

  // The circuit, by the server's own log.
  void log_line(std::string_view line);

  void crashed();
  void started() { run_ = Run(); }
  void note(int code, std::string_view what, std::string_view detail = {}, std::int64_t figure = 0);

  /// After each event.
  void step_is_over();
  void quiet();  // nothing is under way any more
  void fail(int code, std::string_view rule);

  [[nodiscard]] std::optional<std::string> const& broken() const { return broken_; }
  [[nodiscard]] std::string const& broken_rule() const { return broken_rule_; }
  [[nodiscard]] std::string history(int code) const;
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] std::int64_t steps() const { return step_; }
  [[nodiscard]] int calls_at_once_max() const { return calls_at_once_max_; }
  [[nodiscard]] std::array<int, awaits> const& crashes_at() const { return crashes_at_; }

 private:
  struct Note {
    std::int64_t step;
    std::int64_t at_ms;
    int code;
    std::string_view what;
    std::string_view detail;
    std::int64_t figure;
  };
  // What one run of the server was told; gone with it.
  struct Run {
    std::vector<int> calls{};  // under way
    bool is_open = false;
    bool wants_probe = false;
    std::int64_t opened_step = 0;
    core::SteadyTime open_until{};
    int untrusted_in_a_row = 0;
    std::bitset<20> untrusted{};
    std::deque<core::SteadyTime> tokens_asked{};  // that were given, or are under way
    std::optional<core::SteadyTime> token_failed{};
    std::int64_t dated_step = -1;  // WeChat told the time
  };

  void check_call_is_recorded(Story const& story, int code);
  void check_nothing_closes_the_line(Story const& story, int code);
  void check_number(int presentation, core::PhoneNumber const& number);
  void check_problem(int presentation, core::ProblemCode problem);
  void check_budget(int presentation);
  void moved(int code, core::State to, core::Cause cause);
  void over(int presentation);
  [[nodiscard]] bool is_others(int presentation, Story const& story) const;

  VirtualClock const& clock_;
  std::int64_t step_ = 0;
  std::uint64_t digest_ = 14695981039346656037U;
  std::vector<Note> notes_;
  std::optional<std::string> broken_;
  std::string broken_rule_;
  Run run_;
  std::int64_t jumped_step_ = 0;
  int calls_at_once_max_ = 0;
  std::array<int, awaits> crashes_at_{};
};

}  // namespace onetap::simulation
