#include <doctest/doctest.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/core/service_bench.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;

namespace {

/// Notes what a ledger is asked for, and asks it.
class NotingLedger final : public Ledger {
 public:
  explicit NotingLedger(Ledger& behind) : behind_(behind) {}

  std::vector<std::string_view> commands;

  [[nodiscard]] Task<ledger::FindResult> find(Intent intent) override {
    commands.emplace_back("find");
    return behind_.find(std::move(intent));
  }
  [[nodiscard]] Task<ledger::BeginResult> begin(Intent intent) override {
    commands.emplace_back("begin");
    return behind_.begin(std::move(intent));
  }
  [[nodiscard]] Task<std::optional<AttemptId>> resend(Resend resend) override {
    commands.emplace_back("resend");
    return behind_.resend(std::move(resend));
  }
  [[nodiscard]] Task<ledger::Trace> trace(CodeKey code_key) override {
    commands.emplace_back("trace");
    return behind_.trace(code_key);
  }
  [[nodiscard]] Task<> settle(Settlement settlement) override {
    commands.emplace_back("settle");
    return behind_.settle(std::move(settlement));
  }
  [[nodiscard]] Task<ledger::RecordResult> record_decryption(Decryption decryption) override {
    commands.emplace_back("record_decryption");
    return behind_.record_decryption(std::move(decryption));
  }
  [[nodiscard]] Task<bool> rescue(Rescue rescue) override {
    commands.emplace_back("rescue");
    return behind_.rescue(std::move(rescue));
  }
  [[nodiscard]] bool writable() const override { return behind_.writable(); }

 private:
  Ledger& behind_;
};

/// The bench's service before a ledger that notes. Li's code was used, is in doubt, or is under way.
struct Victim : Bench {
  NotingLedger noting{slow_ledger};
  ConsumeService watched{{.clock = clock,
                          .ledger = noting,
                          .sessions = sessions,
                          .wechat = wechat,
                          .tokens = tokens,
                          .calls = control,
                          .keyring = keyring,
                          .log = log},
                         3s};

  enum class CodeOfLi { used, in_doubt, under_way };

  explicit Victim(CodeOfLi state) {
    if (state == CodeOfLi::in_doubt) {
      will_fail(Delivery::maybe_sent, TransportFailure::timeout);
    } else {
      will_say_number();
    }
    wechat.hold_answers = state == CodeOfLi::under_way;
    auto of_li = start(loop, watched.consume(request("li-s-code", li)));
    clock.settle();
    REQUIRE(of_li.done() == (state != CodeOfLi::under_way));
    noting.commands.clear();
  }

  Victim(Victim const&) = delete;
  Victim& operator=(Victim const&) = delete;
  ~Victim() {
    wechat.let_go();
    clock.settle();
  }

  struct Cost {
    std::string_view problem;
    std::vector<std::string_view> ledger_commands;
    std::size_t calls_of_wechat = 0;
    bool operator==(Cost const&) const = default;
  };

  Cost cost_of(ConsumeRequest presented) {
    noting.commands.clear();
    std::size_t const calls_before = calls();
    auto started = start(loop, watched.consume(std::move(presented)));
    clock.settle();
    REQUIRE(started.done());
    return {.problem = problem_in(started.value()),
            .ledger_commands = noting.commands,
            .calls_of_wechat = calls() - calls_before};
  }
};

}  // namespace

TEST_CASE(
    "a stolen code costs ledger and WeChat the same, whether a known user, a key or nobody at all brings it: "
    "one look for a code that was used or is in doubt, none for one under way") {
  struct Row {
    Victim::CodeOfLi state;
    std::string_view problem;
    std::size_t looks;
  };
  for (bool const ready : {true, false}) {  // for an exchange: then the look is the beginning of one
    for (Row const& row : {Row{Victim::CodeOfLi::used, "CODE_ALREADY_USED", 1},
                           Row{Victim::CodeOfLi::in_doubt, "CODE_ALREADY_USED", 1},
                           Row{Victim::CodeOfLi::under_way, "CODE_IN_PROGRESS", 0}}) {
      CAPTURE(ready);
      CAPTURE(row.problem);
      Victim bench(row.state);
      bench.log_in("wang", key_1);
      bench.wechat.line_at_hand = ready;
      Victim::Cost const of_nobody = bench.cost_of(bench.request("li-s-code", nobody));
      CHECK(of_nobody.problem == row.problem);
      CHECK(of_nobody.ledger_commands == std::vector<std::string_view>(row.looks, ready ? "begin" : "find"));
      CHECK(of_nobody.calls_of_wechat == 0);
      CHECK(bench.cost_of(bench.request("li-s-code", wang)) == of_nobody);
      CHECK(bench.cost_of(bench.request_of_user("li-s-code", "wang", "")) == of_nobody);
      std::string const encrypted = bench.encrypted_number(key_1);
      CHECK(bench.cost_of(bench.request_of_user("li-s-code", "wang", encrypted)) == of_nobody);
    }
  }
}
