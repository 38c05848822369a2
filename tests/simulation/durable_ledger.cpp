#include "tests/simulation/durable_ledger.hpp"

#include <charconv>

#include "core/limits.hpp"

namespace onetap::simulation {

using core::State;

std::string request_id_of(int presentation) { return std::to_string(presentation); }

int presentation_of(std::string_view request_id) {
  int presentation = 0;
  std::from_chars(request_id.data(), request_id.data() + request_id.size(), presentation);
  return presentation;
}

void DurableLedger::run(std::shared_ptr<Command> const& command) {
  if (std::exchange(command->over, true)) return;
  std::erase(under_way_, command);
  command->becomes_durable();
}

core::Task<> DurableLedger::write(int code, Await queued, std::function<void()> becomes_durable) {
  auto const durable_in = until_durable();
  auto const told_in = durable_in + random_.ms_between(1, 3);
  auto const command = std::make_shared<Command>(Command{.becomes_durable = std::move(becomes_durable)});
  under_way_.push_back(command);
  witness_.code(code).await = queued;
  witness_.ledger_asked(code, told_in);
  clock_.later(durable_in, [this, command, code, queued] {
    if (command->over) return;
    run(command);
    Story& story = witness_.code(code);
    if (story.await == queued) story.await = static_cast<Await>(static_cast<int>(queued) + 1);
  });
  co_await clock_.pause(told_in);
}

core::Task<core::ledger::FindResult> DurableLedger::find(core::Intent intent) {
  int const code = witness_.presentation(presentation_of(intent.request_id)).code;
  auto const time = until_durable();
  witness_.code(code).await = Await::find;
  witness_.ledger_asked(code, time);
  co_await clock_.pause(time);
  witness_.code(code).await = Await::turn;
  auto result = co_await behind_.find(std::move(intent));
  co_return result;
}

void DurableLedger::began(int presentation, core::CodeKey const& key,
                          core::ledger::BeginResult const& result) {
  auto const* started = std::get_if<core::ledger::Started>(&result);
  if (started == nullptr) return;
  auto const row = static_cast<std::size_t>(started->attempt.consumption);
  if (row > code_of_row_.size()) code_of_row_.push_back(witness_.presentation(presentation).code);
  code_of_key_[key] = witness_.presentation(presentation).code;
  witness_.began(presentation, started->attempt.number);
}

core::Task<core::ledger::BeginResult> DurableLedger::begin(core::Intent intent) {
  int const presentation = presentation_of(intent.request_id);
  int const code = witness_.presentation(presentation).code;
  auto const told = std::make_shared<core::ledger::BeginResult>(core::ledger::Unavailable{});
  if (random_.chance(spell_->disk_full)) co_return *told;
  if (bugs_.has(Bug::call_before_t1)) {
    core::CodeKey const key = intent.code_key;
    *told = now(behind_.begin(std::move(intent)));
    clock_.later(until_durable(), [this, presentation, key, told] { began(presentation, key, *told); });
    co_return *told;
  }
  co_await write(code, Await::t1_queued, [this, presentation, told, intent = std::move(intent)] {
    *told = now(behind_.begin(intent));
    began(presentation, intent.code_key, *told);
  });
  co_return *told;
}

core::Task<std::optional<core::AttemptId>> DurableLedger::resend(core::Resend resend) {
  if (random_.chance(spell_->disk_full)) co_return std::nullopt;
  int const code = code_of(resend.refused);
  auto const told = std::make_shared<std::optional<core::AttemptId>>();
  co_await write(code, Await::resend_queued, [this, code, told, resend = std::move(resend)] {
    *told = now(behind_.resend(resend));
    if (*told) witness_.resent(code, (*told)->number);
  });
  co_return *told;
}

core::Task<core::ledger::Trace> DurableLedger::trace(core::CodeKey code_key) {
  int const code = code_of_key_.at(code_key);
  auto const time = until_durable();
  witness_.code(code).await = Await::trace;
  witness_.ledger_asked(code, time);
  co_await clock_.pause(time);
  auto trace = co_await behind_.trace(code_key);
  co_return trace;
}

core::Task<> DurableLedger::settle(core::Settlement settlement) {
  int const code = code_of(settlement.attempt);
  State const state = settlement.state;
  core::Cause const cause = settlement.cause;
  auto becomes_durable = [this, code, state, cause, settlement = std::move(settlement)] {
    now(done(behind_.settle(settlement)));
    witness_.settled(code, state, cause, settlement.at);
    if (state == State::in_doubt && bugs_.has(Bug::doubt_not_sticky)) {
      behind_.row(settlement.attempt.consumption).state = State::retryable;
    }
  };
  if (bugs_.has(Bug::answer_before_t2)) {
    auto const command = std::make_shared<Command>(Command{.becomes_durable = std::move(becomes_durable)});
    under_way_.push_back(command);
    clock_.later(until_durable(), [this, command] { run(command); });
    co_return;
  }
  co_await write(code, Await::t2_queued, std::move(becomes_durable));
}

core::Task<core::ledger::RecordResult> DurableLedger::record_decryption(core::Decryption /*decryption*/) {
  co_return core::ledger::Unavailable{};
}

core::Task<bool> DurableLedger::rescue(core::Rescue rescue) {
  if (random_.chance(spell_->disk_full)) co_return false;
  if (bugs_.has(Bug::rescue_dropped)) co_return true;
  auto const code = code_of_key_.find(rescue.code_key);
  if (code == code_of_key_.end()) co_return false;
  auto const told = std::make_shared<bool>(false);
  auto becomes_durable = [this, told, index = code->second, rescue = std::move(rescue)] {
    *told = now(behind_.rescue(rescue));
    if (*told) witness_.rescued(index, rescue.at);
  };
  co_await write(code->second, Await::rescue_queued, std::move(becomes_durable));
  co_return *told;
}

void DurableLedger::crash() {
  auto const lost = under_way_;
  for (auto const& command : lost) {
    if (random_.chance(500)) run(command);
    command->over = true;
  }
  under_way_.clear();
}

void DurableLedger::recover() {
  if (bugs_.has(Bug::recovery_left_out)) return;
  for (std::size_t i = 0; i < behind_.rows.size(); ++i) {
    auto& row = behind_.rows[i];
    if (row.state != State::sending) continue;
    row.state = bugs_.has(Bug::recovery_retries) ? State::retryable : State::in_doubt;
    row.cause = core::Cause::crash;
    row.finished = clock_.wall();
    witness_.recovered(code_of_row_[i]);
  }
}

void DurableLedger::abandon() {
  for (std::size_t i = 0; i < behind_.rows.size(); ++i) {
    auto& row = behind_.rows[i];
    Story const& story = witness_.code(code_of_row_[i]);
    bool const is_over = clock_.steady() > story.finished + core::limits::code_life;
    if (row.state != State::retryable || !is_over || !story.open.empty()) continue;
    row.state = State::in_doubt;
    row.cause = core::Cause::abandoned;
    witness_.abandoned(code_of_row_[i]);
  }
}

}  // namespace onetap::simulation
