#pragma once

#include <map>
#include <stdexcept>
#include <vector>

#include "core/exchange/ledger.hpp"
#include "core/limits.hpp"

namespace onetap::tests {

/// The Ledger port over a map: the rules of the contract's "One code, one charge, one answer" in the
/// fewest words, for tests of what stands above the port.
class MemoryLedger final : public core::Ledger {
 public:
  struct Row {
    core::State state = core::State::sending;
    core::Cause cause = core::Cause::none;
    int attempts = 1;
    std::optional<core::CallerKey> caller;
    std::optional<int> errcode;
    std::string rid;
    core::SealedBytes sealed_number;
    std::string phone_mask;
    std::string path = "exchange";
    std::optional<core::CallerKey> user;
    std::optional<core::CodeKey> rescuing_blob;
    core::SealedBytes sealed_blob_number;  // of that blob
    core::Kind kind = core::Kind::quick;
    core::WallTime created;
    core::WallTime finished;
    core::Reason reason = core::Reason::none;
  };

  std::vector<Row> rows;  // id = index + 1
  std::map<core::CodeKey, core::ledger::Trace> traces;
  core::seconds replay_window{600};
  bool accepts = true;  // false: nothing can be written
  bool accepts_resend = true;
  bool accepts_rescue = true;

  [[nodiscard]] Row& row(std::int64_t id) { return rows.at(static_cast<std::size_t>(id - 1)); }

  [[nodiscard]] core::Task<core::ledger::FindResult> find(core::Intent intent) override {
    auto const found = ids_.find(intent.code_key);
    if (found == ids_.end()) co_return core::ledger::Fresh{};
    co_return judge(found->second, intent);
  }

  [[nodiscard]] core::Task<core::ledger::BeginResult> begin(core::Intent intent) override {
    if (!accepts) co_return core::ledger::Unavailable{};
    auto const found = ids_.find(intent.code_key);
    if (found == ids_.end()) {
      rows.push_back(
          {.caller = intent.caller, .user = intent.user, .kind = intent.kind, .created = intent.at});
      auto const id = static_cast<std::int64_t>(rows.size());
      ids_[intent.code_key] = id;
      co_return core::ledger::Started{{.consumption = id, .number = 1}};
    }
    core::ledger::FindResult const judged = judge(found->second, intent);
    if (auto const* stored = std::get_if<core::ledger::Stored>(&judged)) co_return *stored;
    if (auto const* not_yours = std::get_if<core::ledger::NotYours>(&judged)) co_return *not_yours;
    Row& again = row(found->second);
    again.state = core::State::sending;
    if (!again.caller) again.caller = intent.caller;
    co_return core::ledger::Started{{.consumption = found->second, .number = ++again.attempts}};
  }

  [[nodiscard]] core::Task<std::optional<core::AttemptId>> resend(core::Resend resend) override {
    if (!accepts_resend) co_return std::nullopt;
    Row& refused = row(resend.refused.consumption);
    co_return core::AttemptId{.consumption = resend.refused.consumption, .number = ++refused.attempts};
  }

  [[nodiscard]] core::Task<core::ledger::Trace> trace(core::CodeKey code_key) override {
    auto const found = traces.find(code_key);
    if (found == traces.end()) co_return core::ledger::Trace{};
    co_return found->second;
  }

  [[nodiscard]] core::Task<> settle(core::Settlement settlement) override {
    Row& settled = row(settlement.attempt.consumption);
    if (settled.state != core::State::sending || settled.attempts != settlement.attempt.number) {
      throw std::logic_error("settled an attempt that is not open");
    }
    settled.state = settlement.state;
    settled.cause = settlement.cause;
    settled.errcode = settlement.errcode;
    settled.rid = settlement.rid;
    settled.reason = settlement.reason;
    settled.sealed_number = settlement.sealed_number;
    settled.phone_mask = settlement.phone_mask;
    settled.finished = settlement.at;
    co_return;
  }

  [[nodiscard]] core::Task<core::ledger::RecordResult> record_decryption(
      core::Decryption decryption) override {
    if (!accepts) co_return core::ledger::Unavailable{};
    auto const found = ids_.find(decryption.blob_key);
    if (found != ids_.end()) {
      core::Intent const intent{
          .code_key = decryption.blob_key, .caller = decryption.user, .at = decryption.at};
      core::ledger::FindResult const judged = judge(found->second, intent);
      if (auto const* stored = std::get_if<core::ledger::Stored>(&judged)) co_return *stored;
      co_return std::get<core::ledger::NotYours>(judged);
    }
    rows.push_back({.state = core::State::ok,
                    .attempts = 0,
                    .caller = decryption.user,
                    .sealed_number = decryption.sealed_number,
                    .phone_mask = decryption.phone_mask,
                    .path = "legacy",
                    .user = decryption.user,
                    .kind = decryption.kind,
                    .created = decryption.at,
                    .finished = decryption.at});
    auto const id = static_cast<std::int64_t>(rows.size());
    ids_[decryption.blob_key] = id;
    co_return core::ledger::Recorded{id};
  }

  [[nodiscard]] core::Task<bool> rescue(core::Rescue rescue) override {
    auto const found = ids_.find(rescue.code_key);
    if (!accepts_rescue || found == ids_.end() || ids_.contains(rescue.blob_key)) co_return false;
    Row& rescued = row(found->second);
    if (rescued.state != core::State::in_doubt || rescued.caller != rescue.caller) co_return false;
    ids_[rescue.blob_key] = found->second;
    rescued.state = core::State::ok;
    rescued.cause = core::Cause::none;
    rescued.path = "rescue";
    rescued.sealed_number = rescue.sealed_number;
    rescued.sealed_blob_number = rescue.sealed_blob_number;
    rescued.rescuing_blob = rescue.blob_key;
    rescued.phone_mask = rescue.phone_mask;
    rescued.finished = rescue.at;
    co_return true;
  }

  [[nodiscard]] bool writable() const override { return accepts; }

 private:
  [[nodiscard]] core::ledger::FindResult judge(std::int64_t id, core::Intent const& intent) {
    Row const& known = row(id);
    bool const theirs = known.caller && known.caller == intent.caller;
    bool const charged = known.state == core::State::ok || known.state == core::State::lost;
    core::ledger::NotYours const not_yours{.in_progress = known.state == core::State::sending,
                                           .charged = charged};
    if (known.state == core::State::retryable) {
      bool const may_try = theirs || !known.caller;
      if (may_try) return core::ledger::Fresh{};
      return not_yours;
    }
    bool const too_late = known.state == core::State::ok && intent.at > known.finished + replay_window;
    if (!theirs || too_late || known.state == core::State::sending) return not_yours;
    bool const by_blob = known.rescuing_blob == intent.code_key;
    return core::ledger::Stored{.consumption = id,
                                .state = known.state,
                                .cause = known.cause,
                                .errcode = known.errcode,
                                .rid = known.rid,
                                .sealed_number = by_blob ? known.sealed_blob_number : known.sealed_number,
                                .kind = known.kind,
                                .reason = known.reason};
  }

  std::map<core::CodeKey, std::int64_t> ids_;
};

}  // namespace onetap::tests
