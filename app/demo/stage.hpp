#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/demo/child_process.hpp"
#include "app/scenario/caller.hpp"
#include "app/scenario/witness.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// What the demo plays on: a temporary folder, `onetap sandbox` and `onetap serve` as processes, and those
/// who watch them. All of it goes with the stage; the folder stays when it is asked to.
class Stage {
 public:
  /// Makes the folder; nothing runs yet. A sentence when there can be none.
  [[nodiscard]] static core::Result<std::filesystem::path, std::string> make_folder();

  Stage(Caller& caller, std::filesystem::path folder, bool keeps_folder)
      : caller_(caller), folder_(std::move(folder)), keeps_folder_(keeps_folder) {}
  Stage(Stage const&) = delete;
  Stage& operator=(Stage const&) = delete;
  ~Stage();

  /// Sandbox and server, until both listen; otherwise a sentence.
  [[nodiscard]] std::optional<std::string> start();

  /// kill -9.
  void kill_server();
  /// Starts the server again, where it was; a sentence when it does not come up.
  [[nodiscard]] std::optional<std::string> start_server();

  [[nodiscard]] Caller& caller() { return caller_; }
  [[nodiscard]] Target const& server() const { return *server_target_; }
  [[nodiscard]] WechatWitness& wechat() { return *wechat_; }
  [[nodiscard]] LedgerWitness const& ledger() const { return *ledger_; }

  [[nodiscard]] std::string const& server_url() const { return server_url_; }
  [[nodiscard]] std::filesystem::path ca_path() const { return folder_ / "ca.pem"; }
  [[nodiscard]] std::filesystem::path database_path() const { return folder_ / "onetap.db"; }
  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }

  /// The Referer of the mini program's page.
  [[nodiscard]] static std::string referer();

 private:
  [[nodiscard]] std::optional<std::string> start_sandbox();
  [[nodiscard]] std::optional<std::string> make_certificate();
  [[nodiscard]] core::Result<std::string, std::string> wait_for_address(ChildProcess& process,
                                                                        std::filesystem::path const& log,
                                                                        std::size_t written_before,
                                                                        std::string_view listener);
  [[nodiscard]] std::vector<std::string> server_environment() const;

  Caller& caller_;
  std::filesystem::path folder_;
  bool keeps_folder_;
  std::string sandbox_url_;
  std::string server_url_;
  std::string server_address_ = "127.0.0.1:0";
  std::optional<Target> server_target_;
  std::optional<WechatWitness> wechat_;
  std::optional<LedgerWitness> ledger_;
  std::optional<ChildProcess> sandbox_process_;
  std::optional<ChildProcess> server_process_;  // the last to start, the first to go
};

}  // namespace onetap::app
