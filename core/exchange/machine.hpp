#pragma once

#include <optional>
#include <variant>

#include "core/exchange/answer.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::core {

/// Why a code cannot be sent although nothing speaks against it.
struct Unready {
  enum class Why {
    token_misconfigured,
    no_token,
    no_line,
    no_turn,       // too many are under way
    circuit_open,  // WeChat is not trusted to answer, or wants fewer calls
    misconfigured,
    clock_off,
  };
  Why why = Why::no_token;
  std::optional<seconds> retry_after{};  // none: soon
  auto operator<=>(Unready const&) const = default;
};

/// What happened; the driver reports it to the machine.
namespace event {

/// A code came. `ready`: token and line are at hand. `rescuable`: the number came along, encrypted for a user
/// who is known.
struct Presented {
  bool ready = false;
  bool rescuable = false;
};
struct Found {
  ledger::FindResult result;
};
struct Prepared {
  std::optional<Unready> missing;
};
struct Began {
  ledger::BeginResult result;
};
struct Answered {
  Answer answer;
};
/// After a refused token: a newer one is at hand, or why not.
struct Refreshed {
  std::optional<Unready> missing;
};
struct Resent {
  std::optional<AttemptId> attempt;
};
struct Settled {};
/// What came along was read, and the ledger knows; none: nothing has changed.
struct Rescued {
  std::optional<PhoneNumber> number;
};

}  // namespace event

using ExchangeEvent =
    std::variant<event::Presented, event::Found, event::Prepared, event::Began, event::Answered,
                 event::Refreshed, event::Resent, event::Settled, event::Rescued>;

/// What to do next; exactly one for each event.
namespace action {

struct Find {};
struct Prepare {};  // get token and line
struct Begin {};    // T1
struct Call {
  AttemptId attempt;
};
struct RefreshToken {};
struct Resend {  // close the refused attempt, open the next, in one commit
  AttemptId refused;
  int errcode = 0;
  std::string rid;
};
struct Settle {  // T2
  AttemptId attempt;
  State state = State::in_doubt;
  Answer answer;
};

struct Rescue {  // read the number that came along, and end the doubt with it
  std::int64_t consumption = 0;
  std::optional<Kind> kind{};  // as first presented, where that was before this exchange
};

/// The end: what the client is to hear.
struct Reply {
  std::variant<Answer, ledger::Stored, ledger::NotYours, ledger::Unavailable, Unready> outcome;
  std::optional<Unready> because{};  // beside a refused token: why there was no newer one
};

}  // namespace action

using ExchangeAction =
    std::variant<action::Find, action::Prepare, action::Begin, action::Call, action::RefreshToken,
                 action::Resend, action::Settle, action::Rescue, action::Reply>;

/// One code's way through design/ledger.md's table: events in, one action out; no I/O and no clock.
/// It never calls WeChat before the intent is durable, settles every call once, calls a second time only
/// after a refused token, tries a rescue once and only of a doubt that is durable, and ends in exactly one
/// reply.
class ExchangeMachine {
 public:
  /// An event that does not belong to the state is a broken promise of the driver's: std::logic_error.
  [[nodiscard]] ExchangeAction on(ExchangeEvent event);

 private:
  enum class Phase {
    waiting,
    finding,
    preparing,
    beginning,
    calling,
    refreshing,
    resending,
    settling,
    rescuing,
    done
  };

  ExchangeAction take(event::Presented const& presented);
  ExchangeAction take(event::Found const& found);
  ExchangeAction take(event::Prepared const& prepared);
  ExchangeAction take(event::Began const& began);
  ExchangeAction take(event::Answered const& answered);
  ExchangeAction take(event::Refreshed const& refreshed);
  ExchangeAction take(event::Resent const& resent);
  ExchangeAction take(event::Settled const& settled);
  ExchangeAction take(event::Rescued const& rescued);

  void expect(Phase phase) const;
  ExchangeAction reply(action::Reply reply);
  ExchangeAction reply_or_rescue(action::Reply reply);
  ExchangeAction settle();

  Phase phase_ = Phase::waiting;
  bool rescuable_ = false;
  action::Reply unless_rescued_{};
  AttemptId attempt_;
  Answer answer_;
  bool resent_ = false;
  std::optional<Unready> because_;
};

/// The state that an answer leads to.
[[nodiscard]] State state_after(Verdict verdict);

}  // namespace onetap::core
