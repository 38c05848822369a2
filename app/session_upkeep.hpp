#pragma once

#include "core/clock.hpp"
#include "core/gate/session_book.hpp"
#include "core/gate/session_store.hpp"

namespace onetap::app {

/// Tells the store each minute which sessions ended, and when the others were used. What it has not heard of
/// when the server ends is as good as unused.
class SessionUpkeep {
 public:
  /// All outlive it.
  SessionUpkeep(core::SessionBook& sessions, core::SessionStore& store, core::Clock& clock)
      : sessions_(sessions), store_(store), clock_(clock) {}

  [[nodiscard]] core::Task<> run();
  void stop();

 private:
  [[nodiscard]] core::Task<> tell(core::SessionChanges changes);

  core::SessionBook& sessions_;
  core::SessionStore& store_;
  core::Clock& clock_;
  core::Signal stop_;
  bool stopping_ = false;
};

}  // namespace onetap::app
