#include "app/doctor/wechat_checks.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "app/doctor/wechat_judgement.hpp"
#include "app/token_file.hpp"
#include "app/wechat_route.hpp"
#include "core/app_account.hpp"
#include "core/crypto/digest.hpp"
#include "core/token/source.hpp"

namespace onetap::app {
namespace {

using namespace std::chrono_literals;

constexpr auto step_time = 4s;
constexpr auto ask_again_time = 500ms;           // names are resolved by then
constexpr core::seconds first_app_time = 30s;    // with the lines
constexpr core::seconds further_app_time = 20s;  // five steps
constexpr core::seconds whole_time_max = 300s;
constexpr auto end_time = 200ms;  // of what keeps names fresh

// WeChat never gave it out, and the sandbox has it expired: both look at it, and nothing is used up.
core::Code code_that_nobody_has() {
  std::array<unsigned char, 8> tail{};
  core::crypto::fill_random(tail);
  return core::Code("sandbox-expired-doctor-" + core::crypto::to_hex(tail));
}

core::seconds whole_time(std::size_t apps) {
  auto const further = static_cast<core::seconds::rep>(apps > 0 ? apps - 1 : 0);
  return std::min(first_app_time + further * further_app_time, whole_time_max);
}

std::vector<std::unique_ptr<net::Dialer>> dialers_of(boost::asio::any_io_executor const& executor,
                                                     core::Clock& clock, net::TlsContext const& tls,
                                                     net::WeChatRoute const& route) {
  std::vector<std::unique_ptr<net::Dialer>> dialers;
  for (net::WeChatAddress const& address : route.addresses) {
    net::WeChatRoute alone{.addresses = {address}, .proxy = route.proxy};
    dialers.push_back(
        std::make_unique<net::Dialer>(executor, clock, tls, std::move(alone), net::system_lookup(executor)));
  }
  return dialers;
}

}  // namespace

WeChatExamination::WeChatExamination(boost::asio::any_io_executor executor, core::Clock& clock,
                                     Settings const& settings, net::TlsContext tls,
                                     std::vector<KeptToken> kept_tokens)
    : clock_(clock),
      settings_(settings),
      route_(wechat_route(settings)),
      kept_tokens_(std::move(kept_tokens)),
      dialers_(dialers_of(executor, clock, tls, route_)),
      wechat_(executor, clock, std::move(tls), route_),
      deadline_(clock.steady() + whole_time(settings.mini_programs.size())),
      tasks_(executor, [](std::string const& /*what*/) {}) {
  wechat_.on_reply([this](core::WeChatReply const& reply) { skew_.observe(reply.date, clock_.steady()); });
}

core::Task<Findings> WeChatExamination::run() {
  for (auto const& dialer : dialers_) tasks_.spawn(dialer->run());
  tasks_.spawn(wechat_.run());
  bool const is_reached = co_await examine_lines();
  std::size_t const behind_lines = findings_.size();
  for (MiniProgramSettings const& app : settings_.mini_programs) {
    if (!is_reached) {
      note(left_out("secret", "WeChat cannot be reached"), app.appid);
    } else if (clock_.steady() >= deadline_) {
      note(found_odd("secret", "not asked for, nor is anything else: no time left, WeChat has been slow",
                     "ask again, when WeChat answers faster"),
           app.appid);
    } else {
      co_await examine_app(app);
    }
  }
  Finding clock = judge_clock(skew_.offset(clock_.wall(), clock_.steady()));
  findings_.insert(findings_.begin() + static_cast<std::ptrdiff_t>(behind_lines), std::move(clock));
  for (auto const& dialer : dialers_) dialer->stop();
  wechat_.stop();
  [[maybe_unused]] bool const ended = co_await tasks_.join(clock_, clock_.steady() + end_time);
  co_return std::move(findings_);
}

core::Task<bool> WeChatExamination::examine_lines() {
  bool is_any_reached = false;
  for (std::size_t i = 0; i < dialers_.size(); ++i) {
    bool const is_reached = co_await examine_line(i);
    is_any_reached = is_any_reached || is_reached;
  }
  co_return is_any_reached;
}

core::Task<bool> WeChatExamination::examine_line(std::size_t index) {
  LineSeen seen{.host = net::host_field_of(route_.addresses[index]),
                .is_first = index == 0,
                .by_proxy = route_.proxy.has_value()};
  net::Dialer::Dialed dialed = co_await dialers_[index]->dial(deadline_of_step());
  if (dialed) {
    seen.tls_version = dialed->stream.tls_version();
    seen.certificate = dialed->stream.peer_certificate();
  } else {
    seen.failure = dialed.error().failure;
    seen.failure_detail = dialed.error().detail;
  }
  note(judge_line(seen, clock_.wall()), {});
  co_return dialed.has_value();
}

core::Task<> WeChatExamination::examine_app(MiniProgramSettings const& app) {
  std::optional<core::AccessToken> token = co_await obtain_token(app);
  if (!token) {
    note(found_odd("permission", "not asked for, nor are quota and usage: there is no access_token",
                   "see what secret and white-list say, then ask again"),
         app.appid);
    co_return;
  }
  co_await examine_api(app, *std::move(token));
}

core::Task<std::optional<core::AccessToken>> WeChatExamination::obtain_token(MiniProgramSettings const& app) {
  if (app.token_file_path.empty() && settings_.token_endpoint == core::TokenEndpoint::plain)
    co_return use_kept_token(app.appid);
  core::AppAccount const account{.appid = app.appid, .secret = app.secret};
  std::unique_ptr<core::TokenSource> source;
  if (app.token_file_path.empty()) {
    source = std::make_unique<core::WeChatTokens>(wechat_, account, core::TokenEndpoint::stable);
  } else {
    source = std::make_unique<TokenFile>(app.token_file_path, clock_);
  }
  core::TokenAnswer answer = co_await source->fetch(deadline_of_step());
  if (!answer.fetched &&
      !answer.errcode) {  // a line was there a moment ago: the names may not be resolved yet
    co_await clock_.sleep_until(clock_.steady() + ask_again_time);
    answer = co_await source->fetch(deadline_of_step());
  }
  if (app.token_file_path.empty()) {
    for (Finding& finding : judge_token_of_wechat(answer)) note(std::move(finding), app.appid);
  } else if (answer.fetched) {
    note(left_out("secret", app.token_file_path + " holds an access_token; the secret is not needed for it"),
         app.appid);
  } else {
    note(found_wrong("secret", answer.hint, "see to the service that writes " + app.token_file_path),
         app.appid);
  }
  if (!answer.fetched) co_return std::nullopt;
  co_return std::move(answer.fetched->token);
}

// Asking this endpoint would end the token that a server uses (facts/wechat-api.md §3.2).
std::optional<core::AccessToken> WeChatExamination::use_kept_token(std::string_view appid) {
  auto const kept = std::ranges::find(kept_tokens_, appid, &KeptToken::appid);
  bool const is_kept = kept != kept_tokens_.end();
  note(left_out("secret",
                std::string("ONETAP_TOKEN_MODE=token: asking for a token would end the one in use; ") +
                    (is_kept ? "the ledger's is used here" : "and the ledger keeps none")),
       appid);
  if (!is_kept) return std::nullopt;
  return kept->token;
}

core::Task<> WeChatExamination::examine_api(MiniProgramSettings const& app, core::AccessToken token) {
  constexpr std::size_t first_page = 0;
  core::WeChatReply const phone =
      co_await wechat_.get_user_phone_number(nullptr, token, code_that_nobody_has(), core::OpenId(),
                                             core::milliseconds(step_time), deadline_of_step());
  note(judge_permission(core::judge_phone_answer(phone, app.appid, clock_.wall())), app.appid);
  core::WeChatReply const quota = co_await wechat_.get_api_quota(token, deadline_of_step());
  note(judge_call_quota(quota), app.appid);
  for (core::Kind const kind : {core::Kind::quick, core::Kind::realtime}) {
    std::int64_t const spu_id = app.spu_ids.of(kind);
    core::WeChatReply const usage =
        co_await wechat_.get_charge_usage(token, spu_id, first_page, deadline_of_step());
    note(judge_usage(usage, kind, spu_id), app.appid);
  }
}

core::SteadyTime WeChatExamination::deadline_of_step() const {
  return std::min(clock_.steady() + step_time, deadline_);
}

void WeChatExamination::note(Finding finding, std::string_view appid) {
  finding.app = appid;
  findings_.push_back(std::move(finding));
}

}  // namespace onetap::app
