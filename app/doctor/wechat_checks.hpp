#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/doctor/finding.hpp"
#include "app/settings.hpp"
#include "core/clock.hpp"
#include "core/exchange/clock_skew.hpp"
#include "net/task_group.hpp"
#include "net/tls_context.hpp"
#include "net/wechat/wechat_client.hpp"

namespace onetap::app {

/// An access_token that the ledger keeps for a mini program.
struct KeptToken {
  std::string appid;
  core::AccessToken token;
};

/// Asks WeChat what only WeChat knows, for each mini program, as the server would: by the same addresses,
/// proxy and authorities. Ends no token and uses no code: a code that does not exist tells whether codes
/// may be exchanged. Each step has a deadline, and all together have one.
class WeChatExamination {
 public:
  /// `clock` and `settings` outlive it.
  WeChatExamination(boost::asio::any_io_executor executor, core::Clock& clock, Settings const& settings,
                    net::TlsContext tls, std::vector<KeptToken> kept_tokens);

  /// Once.
  [[nodiscard]] core::Task<Findings> run();

  /// After run(): the system's resolver still waits for a silent name server, and cannot be cancelled. Then
  /// this object must not be destroyed: the process ends without.
  [[nodiscard]] bool is_stuck() const { return tasks_.size() > 0; }

 private:
  [[nodiscard]] core::Task<bool> examine_lines();
  [[nodiscard]] core::Task<bool> examine_line(std::size_t index);
  [[nodiscard]] core::Task<> examine_app(MiniProgramSettings const& app);
  [[nodiscard]] core::Task<std::optional<core::AccessToken>> obtain_token(MiniProgramSettings const& app);
  [[nodiscard]] core::Task<> examine_api(MiniProgramSettings const& app, core::AccessToken token);
  [[nodiscard]] std::optional<core::AccessToken> use_kept_token(std::string_view appid);
  [[nodiscard]] core::SteadyTime deadline_of_step() const;
  void note(Finding finding, std::string_view appid);

  core::Clock& clock_;
  Settings const& settings_;
  net::WeChatRoute route_;
  std::vector<KeptToken> kept_tokens_;
  std::vector<std::unique_ptr<net::Dialer>> dialers_;  // one for each address of the route
  net::WeChatClient wechat_;
  core::ClockSkew skew_;
  core::SteadyTime deadline_;
  Findings findings_;
  net::TaskGroup tasks_;
};

}  // namespace onetap::app
