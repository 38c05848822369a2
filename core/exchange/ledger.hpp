#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "core/task.hpp"

namespace onetap::core {

using Digest = std::array<unsigned char, 32>;

/// HMAC-SHA256 under the database's pepper; how a code is known (contract, "One code, one charge, one
/// answer"). The code itself never reaches the ledger.
struct CodeKey {
  Digest digest{};
  auto operator<=>(CodeKey const&) const = default;
};

/// The identity under which what belongs to a digest is sealed.
[[nodiscard]] std::int64_t row_of(Digest const& digest);
/// The row of a number: it is sealed before its consumption has an id.
[[nodiscard]] inline std::int64_t row_of(CodeKey const& code_key) { return row_of(code_key.digest); }

/// Keyed digest of whoever may have the stored answer: a session's user, or an Idempotency-Key.
struct CallerKey {
  Digest digest{};
  auto operator<=>(CallerKey const&) const = default;
};

/// Which component yielded the code: getPhoneNumber or getRealtimePhoneNumber.
enum class Kind { quick, realtime };

/// Where the page ran, read from the Referer. All share one quota.
enum class ClientEnv { release, preview, devtools, backend, unknown };

/// A consumption's state (design/ledger.md, "States of a consumption").
enum class State { sending, ok, rejected, retryable, in_doubt, lost, free };

/// Why a consumption is `retryable` or `in_doubt`; `none` for the other states.
enum class Cause {
  none,
  // retryable
  not_sent,       // no byte left
  token_refused,  // 40001, 40014, 42001
  rate_limited,   // 45011, 45009
  misconfigured,  // the operator must act
  no_quota,       // the server's 1400001
  // in_doubt
  timeout,
  connection_lost,
  malformed_answer,
  http_error,
  system_error,  // errcode -1
  unknown_errcode,
  watermark,  // a foreign or stale one
  crash,      // found open at start
  abandoned,  // retryable, and never presented again
};

/// What is known of a code that WeChat refused; `none` for all others.
enum class Reason {
  none,
  unknown,        // no page told of it, or it should still have been good
  login_code,     // it looks like one of wx.login
  expired,        // by the page's `issued` event it was five minutes old
  consumed_here,  // this server had its number before
};

[[nodiscard]] std::string_view to_string(Kind kind);
[[nodiscard]] std::string_view to_string(ClientEnv client_env);
[[nodiscard]] std::string_view to_string(State state);
[[nodiscard]] std::string_view to_string(Cause cause);
[[nodiscard]] std::string_view to_string(Reason reason);
[[nodiscard]] std::optional<State> state_from(std::string_view text);
[[nodiscard]] std::optional<Cause> cause_from(std::string_view text);
[[nodiscard]] std::optional<Reason> reason_from(std::string_view text);

/// An answer's bytes sealed by core/crypto/seal; the ledger stores them and can't read them.
using SealedBytes = std::vector<unsigned char>;

/// One attempt at one consumption; `number` counts from 1.
struct AttemptId {
  std::int64_t consumption = 0;
  int number = 0;
  bool operator==(AttemptId const&) const = default;
};

/// A code is presented: what T1 writes.
struct Intent {
  CodeKey code_key;
  std::optional<CallerKey> caller;
  std::optional<CallerKey> user;  // who presents it, where a session or a backend says; then also the caller
  std::string appid;
  Kind kind = Kind::quick;
  std::string request_id;
  std::string scene;   // empty: none
  std::string out_id;  // empty: none
  ClientEnv client_env = ClientEnv::unknown;
  WallTime at;
};

/// What became of an attempt: what T2 writes. `state` is ok, rejected, retryable or in_doubt.
struct Settlement {
  AttemptId attempt;
  State state = State::in_doubt;
  Cause cause = Cause::none;
  std::optional<int> errcode;    // as WeChat sent it
  std::string rid;               // empty: none
  Reason reason = Reason::none;  // with state rejected
  // With state ok, and only then:
  SealedBytes sealed_number;
  std::string phone_mask;
  std::optional<Digest> phone_key;
  WallTime at;
};

/// WeChat refused the token of `refused`: closes it and opens the next attempt in one commit.
struct Resend {
  AttemptId refused;
  int errcode = 0;
  std::string rid;
  WallTime at;
};

/// A page's encryptedData was read: a use that WeChat was not asked about.
struct Decryption {
  CodeKey blob_key;  // Keyring::blob_key
  CallerKey user;
  std::string appid;
  Kind kind = Kind::quick;
  std::string request_id;
  ClientEnv client_env = ClientEnv::unknown;
  SealedBytes sealed_number;
  std::string phone_mask;
  Digest phone_key{};
  WallTime at;
};

/// The number of a code in doubt came with the code, encrypted.
struct Rescue {
  CodeKey code_key;
  CallerKey caller;  // the code's
  CodeKey blob_key;
  SealedBytes sealed_number;       // under the code's key
  SealedBytes sealed_blob_number;  // the same, under the blob's
  std::string phone_mask;
  Digest phone_key{};
  WallTime at;
};

namespace ledger {

/// Nothing stands against an exchange: the code is new, or `retryable` and this caller's to try again.
struct Fresh {};

/// T1 is durable; the attempt is the caller's to make, and to settle.
struct Started {
  AttemptId attempt;
};

/// What is stored, for the caller it belongs to. `state` is ok (then `sealed_number` is there), rejected
/// or in_doubt.
struct Stored {
  std::int64_t consumption = 0;
  State state = State::in_doubt;
  Cause cause = Cause::none;
  std::optional<int> errcode;
  std::string rid;
  SealedBytes sealed_number;
  Kind kind = Kind::quick;
  Reason reason = Reason::none;  // with state rejected; none: an older version recorded it
};

/// The code is somebody else's, or nobody can tell, or its stored answer is past the replay window.
struct NotYours {
  bool in_progress = false;
  bool charged = false;          // the ledger knows: state ok or lost
  std::int64_t consumption = 0;  // whose code it is; 0: not told
  std::string request_id{};      // the first that brought it
  std::optional<WallTime> at{};  // when it came to its state; none while in progress
};

/// Nothing was read or written: queue full, disk full, closing.
struct Unavailable {};

/// The use is durable.
struct Recorded {
  std::int64_t consumption = 0;
};

/// What is known of a code beside its live row.
struct Trace {
  struct Use {
    std::int64_t consumption = 0;
    std::string request_id;
    WallTime at;
  };
  // By when a page had it: when it was first told of, or earlier by the page's clock, less a minute for that.
  std::optional<WallTime> issued;
  std::optional<Use> used;  // the consumption that had its number
};

using RecordResult = std::variant<Recorded, Stored, NotYours, Unavailable>;
using FindResult = std::variant<Fresh, Stored, NotYours, Unavailable>;
using BeginResult = std::variant<Started, Stored, NotYours, Unavailable>;

}  // namespace ledger

/// Port: what must survive. Each call returns when its effect is durable; calls of many requests share
/// transactions. Thread: the loop's. A commit whose fate is unknown ends the process (exit status 4), so
/// no call reports it.
class Ledger {
 public:
  Ledger() = default;
  Ledger(Ledger const&) = delete;
  Ledger& operator=(Ledger const&) = delete;
  virtual ~Ledger() = default;

  /// What begin() would answer, without writing anything.
  [[nodiscard]] virtual Task<ledger::FindResult> find(Intent intent) = 0;

  /// T1. Finds what is stored for the code, or opens an attempt: a new consumption, or the next attempt
  /// of a `retryable` one within its five minutes (which gets `intent.caller` if it had none).
  [[nodiscard]] virtual Task<ledger::BeginResult> begin(Intent intent) = 0;

  /// Closes a refused attempt and opens the next; none: nothing was written, the attempt is still open.
  [[nodiscard]] virtual Task<std::optional<AttemptId>> resend(Resend resend) = 0;

  /// For telling why WeChat refused the code. Only reads; empty when that cannot be done now.
  [[nodiscard]] virtual Task<ledger::Trace> trace(CodeKey code_key) = 0;

  /// T2.
  [[nodiscard]] virtual Task<> settle(Settlement settlement) = 0;

  /// A consumption of path `legacy`, ok from its beginning. One blob serves one row: what came again is
  /// Stored for its user.
  [[nodiscard]] virtual Task<ledger::RecordResult> record_decryption(Decryption decryption) = 0;

  /// The caller's doubt ends as ok, by the path `rescue`, and the blob is this row's from here on. False:
  /// nothing was written, because the code is not in doubt, is somebody else's, or the blob has served before
  /// (or the disk is full).
  [[nodiscard]] virtual Task<bool> rescue(Rescue rescue) = 0;

  /// True while begin() can be expected to succeed.
  [[nodiscard]] virtual bool writable() const = 0;
};

}  // namespace onetap::core
