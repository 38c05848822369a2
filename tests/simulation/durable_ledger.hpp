#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "tests/simulation/bugs.hpp"
#include "tests/simulation/spell.hpp"
#include "tests/simulation/witness.hpp"
#include "tests/support/memory_ledger.hpp"
#include "tests/support/run_task.hpp"

namespace onetap::simulation {

/// What of a request's id the ledger needs: "presentation".
[[nodiscard]] std::string request_id_of(int presentation);
[[nodiscard]] int presentation_of(std::string_view request_id);

/// The ledger of one database: each command is durable some time after it was given, and is told of some time
/// after that. A crash between leaves a durable effect that nobody was told of, or none.
class DurableLedger final : public core::Ledger {
 public:
  DurableLedger(VirtualClock& clock, Random& random, Witness& witness, Bugs const& bugs)
      : clock_(clock), random_(random), witness_(witness), bugs_(bugs) {}

  void use(Spell const& spell) { spell_ = &spell; }

  [[nodiscard]] core::Task<core::ledger::FindResult> find(core::Intent intent) override;
  [[nodiscard]] core::Task<core::ledger::BeginResult> begin(core::Intent intent) override;
  [[nodiscard]] core::Task<std::optional<core::AttemptId>> resend(core::Resend resend) override;
  [[nodiscard]] core::Task<core::ledger::Trace> trace(core::CodeKey code_key) override;
  [[nodiscard]] core::Task<> settle(core::Settlement settlement) override;
  [[nodiscard]] core::Task<core::ledger::RecordResult> record_decryption(core::Decryption) override;
  [[nodiscard]] core::Task<bool> rescue(core::Rescue rescue) override;
  [[nodiscard]] bool writable() const override { return true; }

  /// The process dies: what is not durable yet may just have become so.
  void crash();
  /// What a start does with what it finds open.
  void recover();
  /// `retryable` for five minutes becomes doubt.
  void abandon();

 private:
  struct Command {
    std::function<void()> becomes_durable;
    bool over = false;
  };

  [[nodiscard]] core::milliseconds until_durable() {
    return random_.ms_between(spell_->ledger_ms.least, spell_->ledger_ms.most);
  }
  [[nodiscard]] core::Task<> write(int code, Await queued, std::function<void()> becomes_durable);
  void run(std::shared_ptr<Command> const& command);
  [[nodiscard]] int code_of(core::AttemptId attempt) const {
    return code_of_row_.at(static_cast<std::size_t>(attempt.consumption - 1));
  }
  void began(int presentation, core::CodeKey const& key, core::ledger::BeginResult const& result);

  // Of what never waits.
  template <class Value>
  Value now(core::Task<Value> task) {
    auto started = tests::start(loop_, std::move(task));
    loop_.restart();
    loop_.poll();
    return std::move(started.value());
  }
  static core::Task<bool> done(core::Task<> task) {
    co_await std::move(task);
    co_return true;
  }

  VirtualClock& clock_;
  Random& random_;
  Witness& witness_;
  Bugs const& bugs_;
  Spell const* spell_ = &calm();
  asio::io_context loop_{1};
  tests::MemoryLedger behind_;
  std::vector<int> code_of_row_;
  std::map<core::CodeKey, int> code_of_key_;
  std::vector<std::shared_ptr<Command>> under_way_;
};

}  // namespace onetap::simulation
