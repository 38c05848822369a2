#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>

#include "core/exchange/service.hpp"
#include "tests/simulation/buggy_ports.hpp"
#include "tests/simulation/model_wechat.hpp"
#include "tests/support/memory_token_store.hpp"
#include "tests/support/run_task.hpp"

namespace onetap::simulation {

/// What a run of the server finds, and leaves behind.
struct Machine {
  VirtualClock& clock;
  Random& random;
  Witness& witness;
  ModelWeChat::World& wechat;
  core::Ledger& ledger;
  core::SessionStore& sessions;
  tests::MemoryTokenStore& tokens;
  core::crypto::Keyring const& keyring;
  Bugs const& bugs;
};

/// One run of the server: all that is gone when it crashes.
class Process {
 public:
  using Heard = std::function<void(std::exception_ptr, core::PhoneResult)>;

  explicit Process(Machine const& machine);
  Process(Process const&) = delete;
  Process& operator=(Process const&) = delete;
  /// Dies; nothing of it goes on.
  ~Process();

  /// `left` may cancel it, as a client that leaves does.
  void consume(core::ConsumeRequest request, asio::cancellation_signal& left, Heard heard);

  [[nodiscard]] std::size_t in_flight() const { return service_.in_flight(); }

  /// Runs what can run without time passing.
  void run() {
    loop_.restart();
    loop_.poll();
  }

 private:
  VirtualClock& clock_;
  asio::io_context loop_{1};
  core::Log log_;
  core::ClockSkew skew_;
  ModelWeChat model_;
  BuggyWeChat wechat_;
  core::AppAccount account_{.appid = appid, .secret = core::AppSecret("the-app-secret")};
  core::WeChatTokens wechat_tokens_;
  BuggyTokens token_source_;
  core::TokenKeeper tokens_;
  core::CallControl control_;
  core::ConsumeService service_;
};

}  // namespace onetap::simulation
