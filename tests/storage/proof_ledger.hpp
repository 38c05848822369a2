#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/sqlite.hpp"
#include "storage/sqlite_ledger.hpp"
#include "tests/conformance/ledger_under_test.hpp"

/// What the proofs by power cut and failing disk share.
namespace onetap::tests {

/// A figure of the run that a person may set in the environment, e.g. ONETAP_SEED=7.
inline std::uint64_t run_figure(char const* name, std::uint64_t usual) {
  char const* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : usual;
}

/// One code as the ledger's caller knows it, from what was acknowledged.
struct KnownCode {
  std::int64_t consumption = 0;  // 0: not told
  int attempts = 1;
  State state = State::sending;
  Cause cause = Cause::none;
  bool sealed = false;
  core::WallTime created;
  core::WallTime settled;

  /// What a start makes of it.
  [[nodiscard]] KnownCode after_crash() const {
    KnownCode left = *this;
    if (state == State::sending) {
      left.state = State::in_doubt;
      left.cause = Cause::crash;
    }
    return left;
  }
};

using KnownCodes = std::map<int, KnownCode>;

inline core::SealedBytes sealed_number_of(int code) {
  return core::SealedBytes(60, static_cast<unsigned char>(code % 251 + 1));
}

inline core::Intent intent_of(int code, core::WallTime at) {
  core::Intent intent;
  intent.code_key = {digest_of(code)};
  intent.caller = caller(code);
  intent.appid = "wx1";
  intent.request_id = std::to_string(code);
  intent.at = at;
  return intent;
}

inline core::Settlement settlement_of(int code, core::AttemptId attempt, State state, core::WallTime at) {
  core::Settlement settlement;
  settlement.attempt = attempt;
  settlement.state = state;
  settlement.at = at;
  if (state == State::ok) {
    settlement.sealed_number = sealed_number_of(code);
    settlement.phone_mask = "138****8000";
  }
  if (state == State::retryable) settlement.cause = Cause::rate_limited;
  if (state == State::in_doubt) settlement.cause = Cause::timeout;
  return settlement;
}

/// Of a legacy row: the blob takes the code's place.
inline core::Decryption decryption_of(int code, core::WallTime at) {
  core::Decryption decryption;
  decryption.blob_key = {digest_of(code)};
  decryption.user = caller(code);
  decryption.appid = "wx1";
  decryption.request_id = std::to_string(code);
  decryption.sealed_number = sealed_number_of(code);
  decryption.phone_mask = "138****8000";
  decryption.phone_key = digest_of(77);
  decryption.at = at;
  return decryption;
}

inline core::Rescue rescue_of(int code, core::WallTime at) {
  core::Rescue rescue;
  rescue.code_key = {digest_of(code)};
  rescue.caller = caller(code);
  rescue.blob_key = {digest_of(code)};
  rescue.blob_key.digest.back() ^= 0xFFU;  // no code's digest
  rescue.sealed_number = sealed_number_of(code);
  rescue.sealed_blob_number = sealed_number_of(code);
  rescue.phone_mask = "138****8000";
  rescue.phone_key = digest_of(77);
  rescue.at = at;
  return rescue;
}

/// What the database says, by another connection.
inline KnownCodes stored_codes(storage::Connection& reader) {
  KnownCodes codes;
  storage::Statement statement(reader,
                               "SELECT c.request_id, c.id, c.attempts, c.state, c.cause, l.sealed_number "
                               "FROM consumption AS c LEFT JOIN live_code AS l ON l.consumption = c.id"
                               " AND l.code_key = c.code_key");
  storage::Rows rows = statement.query({});
  while (rows.next()) {
    KnownCode code;
    int const number = std::stoi(rows.text(0));
    code.consumption = rows.integer(1);
    code.attempts = static_cast<int>(rows.integer(2));
    code.state = core::state_from(rows.text(3)).value();
    code.cause = core::cause_from(rows.text(4)).value();
    code.sealed = rows.bytes(5) == sealed_number_of(number);
    codes.emplace(number, code);
  }
  return codes;
}

/// Broken invariants and damaged pages, as sentences.
inline std::vector<std::string> damage(storage::Connection& reader) {
  std::vector<std::string> sentences;
  storage::Statement verify(reader, "SELECT rule || ' ' || id || ': ' || detail FROM v_verify");
  {
    storage::Rows rows = verify.query({});
    while (rows.next()) sentences.push_back(rows.text(0));
  }
  storage::Statement pages(reader, "PRAGMA integrity_check");
  storage::Rows rows = pages.query({});
  while (rows.next()) {
    if (rows.text(0) != "ok") sentences.push_back(rows.text(0));
  }
  return sentences;
}

/// Whether the stored code is what is known of it; an id that was not told fits any.
inline bool fits(std::optional<KnownCode> const& known, KnownCodes const& stored, int code) {
  auto const found = stored.find(code);
  if (!known || found == stored.end()) return !known && found == stored.end();
  KnownCode const& there = found->second;
  return (known->consumption == 0 || known->consumption == there.consumption) &&
         known->attempts == there.attempts && known->state == there.state && known->cause == there.cause &&
         known->sealed == there.sealed;
}

inline std::string describe(std::optional<KnownCode> const& code) {
  if (!code) return "no row";
  return std::string(core::to_string(code->state)) + " " + std::string(core::to_string(code->cause)) +
         " attempts " + std::to_string(code->attempts) + (code->sealed ? " sealed" : "");
}

inline std::optional<KnownCode> find_code(KnownCodes const& codes, int code) {
  auto const found = codes.find(code);
  return found == codes.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace onetap::tests
