#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "core/crypto/keyring.hpp"
#include "core/ledger_admin.hpp"

namespace onetap::app {

/// What a running server does with the ledger's files, on a thread of its own: the loop never waits for a
/// disk.
class Upkeep final : public core::LedgerUpkeep {
 public:
  /// The ledger's keys as the loop uses them, its writer and its file; all outlive this. `key_is_configured`:
  /// the data key comes from ONETAP_DATA_KEY, so its file is not ours.
  Upkeep(core::crypto::Keyring& keyring, core::LedgerAdmin& ledger, core::Clock const& clock,
         std::filesystem::path database, bool key_is_configured);
  ~Upkeep() override;

  [[nodiscard]] core::Task<core::admin::Answer> back_up(std::string file) override;
  [[nodiscard]] core::Task<core::admin::Answer> rotate_key(std::string new_key_file) override;

  /// A backup under way is left; what is asked from now on is refused.
  void stop() { stop_.request_stop(); }

 private:
  core::crypto::Keyring& keyring_;
  core::LedgerAdmin& ledger_;
  core::Clock const& clock_;
  std::filesystem::path database_;
  bool key_is_configured_;
  bool rotating_ = false;
  std::stop_source stop_;
  boost::asio::thread_pool worker_{1};
};

}  // namespace onetap::app
