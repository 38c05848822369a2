#include "app/server.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <random>

#include "app/data_key.hpp"
#include "app/descriptors.hpp"
#include "app/embedded_dashboard.hpp"
#include "app/event_upkeep.hpp"
#include "app/keyed_ledger.hpp"
#include "app/ledger_reports.hpp"
#include "app/live_status.hpp"
#include "app/metrics/instruments.hpp"
#include "app/metrics/metrics.hpp"
#include "app/mini_program.hpp"
#include "app/prices.hpp"
#include "app/reconciliation_service.hpp"
#include "app/sandbox/sandbox.hpp"
#include "app/sandbox/sandbox_page.hpp"
#include "app/session_upkeep.hpp"
#include "app/spending_watch.hpp"
#include "app/task_keeper.hpp"
#include "app/tls_files.hpp"
#include "app/token_file.hpp"
#include "app/upkeep.hpp"
#include "app/wechat_route.hpp"
#include "core/alarm/alarm_desk.hpp"
#include "core/billing/address_top.hpp"
#include "core/crypto/digest.hpp"
#include "core/crypto/keyring.hpp"
#include "core/exchange/service.hpp"
#include "core/limits.hpp"
#include "core/push/push_receiver.hpp"
#include "core/repetition.hpp"
#include "core/request_id.hpp"
#include "core/token/keeper.hpp"
#include "net/alert/alert_sender.hpp"
#include "net/api/alarms.hpp"
#include "net/api/routes.hpp"
#include "net/asio_clock.hpp"
#include "net/server/http_server.hpp"
#include "net/server/load_monitor.hpp"
#include "net/task_group.hpp"
#include "net/wechat/wechat_client.hpp"
#include "storage/ledger_thread.hpp"

namespace onetap::app {
namespace {

namespace asio = boost::asio;
namespace limits = core::limits;

/// A start that failed, in words for the operator.
struct StartError {
  ExitStatus status = ExitStatus::cannot_run;
  std::string sentence;
};

std::filesystem::path database_of(Settings const& settings) {
  return storage::canonical_database(settings.database_path);
}

core::SessionLife session_life(Settings const& settings) {
  return {.idle = settings.session_idle, .longest = settings.session_max};
}

storage::LedgerOptions ledger_options(Settings const& settings, core::Clock const& clock) {
  return {.path = database_of(settings),
          .mode = settings.sandbox ? storage::LedgerMode::sandbox : storage::LedgerMode::real,
          .settings = {.replay_window = settings.replay_window,
                       .prices = prices_of(settings),
                       .events_keep = settings.events_keep,
                       .session_life = session_life(settings),
                       .counts_today =
                           settings.daily_limits.taps_per_user > 0 || settings.daily_limits.budget > 0},
          .now = {.wall = clock.wall(), .steady = clock.steady()}};
}

ExitStatus status_of(storage::OpenError::Kind kind) {
  switch (kind) {
    case storage::OpenError::Kind::wrong_key:
    case storage::OpenError::Kind::wrong_mode: return ExitStatus::configuration;
    case storage::OpenError::Kind::disk: return ExitStatus::disk_error;
    default: return ExitStatus::cannot_run;
  }
}

StartError misconfigured(std::string sentence) {
  return {.status = ExitStatus::configuration, .sentence = std::move(sentence)};
}

unsigned short port_of(std::string_view address) {
  unsigned short port = 0;
  std::string_view const digits = address.substr(address.rfind(':') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port;
}

std::vector<std::string> appids_of(Settings const& settings) {
  std::vector<std::string> appids;
  appids.reserve(settings.mini_programs.size());
  for (MiniProgramSettings const& each : settings.mini_programs) appids.push_back(each.appid);
  return appids;
}

core::crypto::SipHashKey random_seed() {
  core::crypto::SipHashKey seed{};
  core::crypto::fill_random(seed);
  return seed;
}

/// The operators' ledger: whose sessions it ends, end in memory, too.
class Administration final : public core::LedgerAdmin {
 public:
  Administration(core::LedgerAdmin& ledger, core::SessionBook& sessions)
      : ledger_(ledger), sessions_(sessions) {}

  [[nodiscard]] core::Task<core::admin::Answer> administer(core::admin::Command command) override {
    core::admin::Answer answer = co_await ledger_.administer(std::move(command));
    if (answer) {
      for (core::CallerKey const& user : answer->users) sessions_.forget_user(user);
    }
    co_return answer;
  }

 private:
  core::LedgerAdmin& ledger_;
  core::SessionBook& sessions_;
};

std::array<unsigned char, 32> random_key() {
  std::array<unsigned char, 32> key{};
  core::crypto::fill_random(key);
  return key;
}

std::string make_alarm_id(core::WallTime at) {
  std::array<unsigned char, 10> random{};
  core::crypto::fill_random(random);
  return core::make_request_id(at, random);
}

std::string joined(std::vector<std::string> const& texts) {
  std::string all;
  for (std::string const& text : texts) all.append(all.empty() ? "" : ",").append(text);
  return all;
}

double random_fraction() {
  std::random_device device;
  return std::uniform_real_distribution<>(0.0, 1.0)(device);
}

/// What a server is made of and may be missing; everything of it is there before a server is.
struct Parts {
  KeyedLedger ledger;
  net::TlsContext wechat_tls;
  net::WeChatRoute wechat_route;
  std::optional<net::TlsContext> listener_tls;
  std::optional<net::TlsContext> alert_tls;  // a client's; none where nobody is told of alarms
  Sandbox* sandbox = nullptr;                // null: the real WeChat
  RereadSettings reread;
  Supervision supervision;
};

/// The composition root: members in the order of their construction, each depending on those above.
class Server {
 public:
  Server(Settings settings, Parts parts, asio::io_context& loop, core::Clock& clock, core::Log& log,
         LogSink& sink)
      : settings_(std::move(settings)),
        loop_(loop),
        clock_(clock),
        log_(log),
        sink_(sink),
        sandbox_(parts.sandbox),
        reread_(std::move(parts.reread)),
        supervision_(std::move(parts.supervision)),
        listener_tls_(std::move(parts.listener_tls)),
        signals_(loop_, SIGTERM, SIGINT, SIGHUP),
        keyring_(parts.ledger.keyring),
        instruments_(ONETAP_VERSION, settings_.sandbox ? "sandbox" : "real", appids_of(settings_)),
        ledger_(
            std::move(parts.ledger.file), clock_, [this](std::string const& reason) { die_of_disk(reason); },
            [this](std::size_t, std::chrono::steady_clock::duration took) { instruments_.committed(took); }),
        spending_(clock_, log_, database_of(settings_), [this] { alarms_.look_soon(); }),
        addresses_(random_key()),
        alarms_(
            {.clock = clock_,
             .store = ledger_,
             .receiver = make_alert_sender(std::move(parts.alert_tls)),
             .log = log_},
            [this] { return observe(); }, make_alarm_id),
        wechat_(loop_.get_executor(), clock_, std::move(parts.wechat_tls), std::move(parts.wechat_route)),
        decrypting_({.clock = clock_,
                     .ledger = ledger_,
                     .sessions = ledger_,
                     .keyring = keyring_,
                     .log = log_,
                     .answered =
                         [this](std::string_view appid, core::PhoneResult const& result) {
                           instruments_.exchanges_of(appid).decrypted(result);
                         }}),
        sessions_(session_life(settings_)),
        mini_programs_(make_mini_programs()),
        user_keys_({.clock = clock_,
                    .wechat = wechat_,
                    .tokens = [this](std::string_view appid) -> core::TokenKeeper& {
                      return mini_programs_.of(appid).tokens();
                    },
                    .store = ledger_,
                    .keyring = keyring_,
                    .log = log_}),
        session_upkeep_(sessions_, ledger_, clock_),
        push_(push_services()),
        push_api_(push_),
        gate_(clock_, sessions_, user_keys_, log_, gate_settings()),
        session_api_(
            [this](std::string_view appid) -> core::LoginService& {
              return mini_programs_.of(appid).logins();
            },
            gate_, clock_, quota_source()),
        phone_(
            [this](std::string_view appid) -> core::ConsumeService& {
              return mini_programs_.of(appid).consuming();
            },
            decrypting_, gate_, keyring_, {.send_openid = settings_.send_openid}),
        events_({.clock = clock_, .store = ledger_, .log = log_}, random_seed()),
        events_api_(events_, gate_, keyring_, clock_),
        event_upkeep_(ledger_, clock_, log_, database_of(settings_)),
        load_(
            clock_, [this] { return ledger_queue_fill(); },
            [this](core::SteadyTime::duration lag) { instruments_.was_late(lag); }),
        public_(make_listener(net::public_routes(public_surface()), public_options())),
        administration_(ledger_, sessions_),
        upkeep_(keyring_, ledger_, clock_, database_of(settings_), settings_.data_key.has_value()),
        operators_(administration_, upkeep_, clock_, log_,
                   {.token = settings_.admin_token, .address = settings_.admin_listen.address}),
        reconciliations_([this] { return usage_watches(); }, clock_, log_, database_of(settings_)),
        reconciliation_api_(reconciliations_),
        metrics_({.instruments = instruments_,
                  .clock = clock_,
                  .log = log_,
                  .database = database_of(settings_),
                  .state = [this] { return state(); }}),
        alarms_api_({.clock = clock_,
                     .desk = alarms_,
                     .addresses = addresses_,
                     .forecasts = [this] { return forecasts(); },
                     .read_top_users = [this](int hours) { return spending_.top_users(hours); }}),
        reports_(database_of(settings_), clock_),
        dashboard_(
            reports_, [this] { return live_status(live_facts()); }, embedded_dashboard()),
        sandbox_page_(make_sandbox_page()),
        operator_(make_listener(net::operator_routes(operator_surface()), operator_options())),
        task_keeper_(clock_, log_,
                     [this](std::string const& task) {
                       alarms_.happened({.name = core::AlarmName::task_failed, .what = task}, {});
                     }),
        tasks_(loop_.get_executor(), [this](std::string const& what) { report_failed_task(what); }),
        resolving_(loop_.get_executor(), [this](std::string const& what) { report_failed_task(what); }) {
    use_push_secrets(settings_);
  }

  /// What of earlier runs still lives.
  void load(std::vector<core::SessionRow> sessions, std::vector<core::StoredToken> const& tokens) {
    sessions_.load(std::move(sessions), origin_policy().appids);
    if (sandbox_ != nullptr) return;  // the stand-in forgets its tokens with the process
    for (auto const& each : mini_programs_.all()) {
      auto const kept = std::ranges::find(tokens, each->appid(), &core::StoredToken::appid);
      if (kept != tokens.end()) each->restore(*kept);
    }
  }

  /// What WeChat said last, and what operators were told.
  void load(std::vector<core::LastUsage> const& last_usage, std::vector<core::Alarm> alarms) {
    alarms_.load(std::move(alarms));
    if (sandbox_ != nullptr) return;  // the stand-in's packs begin anew
    for (auto const& each : mini_programs_.all()) {
      for (core::LastUsage const& usage : last_usage) {
        if (usage.appid == each->appid()) each->restore(usage);
      }
    }
  }

  /// What came earlier today.
  void count(std::vector<core::CodesOfUser> const& codes_today) {
    for (auto const& each : mini_programs_.all()) {
      for (core::CodesOfUser const& codes : codes_today) {
        if (codes.appid == each->appid()) each->count(codes);
      }
    }
  }

  /// Of a restored ledger: codes younger than the backup have no row in it.
  void refuse_until(core::SteadyTime time) {
    for (auto const& each : mini_programs_.all()) each->consuming().refuse_until(time);
    auto const left = std::chrono::ceil<std::chrono::seconds>(time - clock_.steady());
    log_.warn(
        "restored_ledger",
        {{"hint", "codes younger than the backup are not in it: nothing is exchanged until they are dead"},
         {"seconds", left.count()}});
  }

  ExitStatus run() {
    if (listener_tls_) {
      if (auto const fault = listener_tls_->validity_fault(clock_.wall()))
        log_.warn("certificate_of_no_use", {{"what", *fault}});
    }
    wechat_.on_reply([this](core::WeChatReply const& reply) { compare_clocks(reply); });
    wechat_.on_call([this](net::WeChatCall call, core::WeChatReply const& reply, auto took) {
      instruments_.called(call, reply, took);
    });
    say_where();
    if (listen()) {
      resolving_.spawn(wechat_.run());
      for (auto const& each : mini_programs_.all()) {
        keep("tokens", [&tokens = each->tokens()] { return tokens.run(); });
        keep("calls", [&calls = each->calls()] { return calls.run(); });
        keep("usage", [&usage = each->usage()] { return usage.run(); });
      }
      keep("ledger_upkeep", [this] { return maintain_ledger(); });
      keep("session_upkeep", [this] { return session_upkeep_.run(); });
      keep("event_upkeep", [this] { return event_upkeep_.run(); });
      keep("load", [this] { return load_.run(); });
      keep("metrics", [this] { return metrics_.run(); });
      keep("ticket_keys", [this] { return rotate_ticket_keys(); });
      keep("spending", [this] { return spending_.run(); });
      keep("alarms", [this] { return alarms_.run(); });
      if (alerts_) {
        keep("alerts", [this] { return alerts_->run(); });
        resolving_.spawn(alerts_->resolve());
      }
      keep("signals", [this] { return obey_signals(); });
      keep("watchdog", [this] { return feed_watchdog(); });
      supervision_.supervisor.tell("READY=1");
    } else {
      exit_status_ = ExitStatus::cannot_run;
      begin_to_stop();
    }
    loop_.run();
    return exit_status_;
  }

 private:
  static constexpr auto resolver_patience = std::chrono::milliseconds(100);

  void report_failed_task(std::string const& what) { log_.error("task_failed", {{"what", what}}); }

  void keep(std::string name, std::function<core::Task<>()> make) {
    tasks_.spawn(task_keeper_.keep(std::move(name), std::move(make)));
  }

  [[nodiscard]] core::AlarmReceiver* make_alert_sender(std::optional<net::TlsContext> tls) {
    if (!settings_.alert || !tls) return nullptr;
    net::AlertSender::Services services{
        .clock = clock_, .log = log_, .sent = [this](std::string const& id) { alarms_.was_sent(id); }};
    return &alerts_.emplace(loop_.get_executor(), std::move(services), *std::move(tls), *settings_.alert,
                            net::system_lookup(loop_.get_executor()));
  }

  [[nodiscard]] std::vector<core::Forecast> forecasts() const {
    std::vector<core::Forecast> all;
    for (auto const& each : mini_programs_.all()) {
      for (core::Kind const kind : {core::Kind::quick, core::Kind::realtime}) {
        if (auto foreseen = each->forecast(kind, spending_.spending())) all.push_back(std::move(*foreseen));
      }
    }
    return all;
  }

  [[nodiscard]] core::AlarmObservation observe() {
    core::AlarmObservation observed;
    core::Spending const* const spending = spending_.has_read() ? &spending_.spending() : nullptr;
    for (auto const& each : mini_programs_.all()) each->observe(spending, observed);
    core::WallTime const wall = clock_.wall();
    core::SteadyTime const now = clock_.steady();
    if (skew_.is_off(wall, now)) {
      observed.conditions.push_back({.subject = {.name = core::AlarmName::clock_off},
                                     .facts = {{"wechatIsAheadS", skew_.offset(wall, now)->count()}}});
    }
    if (!ledger_.writable() && !stopping_)
      observed.conditions.push_back({.subject = {.name = core::AlarmName::ledger_not_writable}});
    return observed;
  }

  // On the storage thread: the fate of a commit is unknown, so not one more byte may leave.
  [[noreturn]] void die_of_disk(std::string const& reason) {
    log_.error("ledger_failed", {{"what", reason}});
    sink_.flush();
    std::_Exit(static_cast<int>(ExitStatus::disk_error));
  }

  [[nodiscard]] MiniPrograms make_mini_programs() {
    MiniPrograms made;
    for (MiniProgramSettings const& each : settings_.mini_programs) {
      auto const source_for = [&](core::AppAccount const& account) -> std::unique_ptr<core::TokenSource> {
        if (!each.token_file_path.empty()) return std::make_unique<TokenFile>(each.token_file_path, clock_);
        return std::make_unique<core::WeChatTokens>(wechat_, account, settings_.token_endpoint);
      };
      MiniProgram::Shared const shared{.clock = clock_,
                                       .ledger = ledger_,
                                       .session_store = ledger_,
                                       .token_store = ledger_,
                                       .usage_store = ledger_,
                                       .wechat = wechat_,
                                       .charges = wechat_,
                                       .skew = skew_,
                                       .keyring = keyring_,
                                       .sessions = sessions_,
                                       .log = log_,
                                       .figures_changed = [this] { alarms_.look_soon(); },
                                       .happened =
                                           [this](core::AlarmSubject subject, core::json::object facts) {
                                             alarms_.happened(std::move(subject), std::move(facts));
                                           }};
      MiniProgram::Own own{.account = {.appid = each.appid, .secret = each.secret},
                           .spu_ids = each.spu_ids,
                           .wechat_answer_time = settings_.wechat_timeout,
                           .usage_poll = settings_.usage_poll,
                           .quota_low = settings_.quota_low,
                           .daily_limits = settings_.daily_limits,
                           .observer = &instruments_.exchanges_of(each.appid)};
      made.add(std::make_unique<MiniProgram>(shared, std::move(own), source_for, random_fraction));
    }
    return made;
  }

  [[nodiscard]] std::vector<core::UsageWatch*> usage_watches() const {
    std::vector<core::UsageWatch*> watches;
    for (auto const& each : mini_programs_.all()) watches.push_back(&each->usage());
    return watches;
  }

  [[nodiscard]] core::OriginPolicy origin_policy() const {
    core::OriginPolicy policy{.appids = mini_programs_.appids(), .allow_devtools = settings_.allow_devtools};
    if (settings_.any_appid) policy.appids = core::AnyAppid{settings_.appid};
    return policy;
  }

  [[nodiscard]] core::Gatekeeper::Settings gate_settings() const {
    return {.level = settings_.verify,
            .origin = origin_policy(),
            .service_tokens = settings_.service_tokens,
            .address = settings_.rate_address,
            .user = settings_.rate_user,
            .everybody = settings_.rate_everybody,
            .seed = random_seed()};
  }

  [[nodiscard]] core::PushReceiver::Services push_services() {
    auto const listener = [this](std::string_view appid, core::PushEvent const& event) {
      mini_programs_.of(appid).hear(event);
    };
    return {.clock = clock_, .log = log_, .listener = listener};
  }

  void use_push_secrets(Settings const& settings) {
    for (MiniProgramSettings const& each : settings.mini_programs)
      push_.use(each.appid, each.push, each.spu_ids);
  }

  // Each tap burns a paid unit for nothing while an exchange would fail.
  [[nodiscard]] core::QuotaSource quota_source() {
    return [this](std::string_view appid, core::Kind kind, std::optional<core::CallerKey> const& user) {
      MiniProgram& asked = mini_programs_.of(appid);
      core::Quota quota = asked.quota(kind, user);
      bool const serves = shared_unreadiness().empty() && asked.unreadiness().empty();
      if (!serves && quota.unavailable != core::NoQuota::exhausted)
        quota.unavailable = core::NoQuota::service;
      return quota;
    };
  }

  [[nodiscard]] net::PublicSurface public_surface() {
    return {.gate = gate_,
            .load = load_,
            .sessions = session_api_,
            .phone = phone_,
            .push = push_api_,
            .quota = quota_source(),
            .keyring = keyring_,
            .events = events_api_,
            .presented = [this](net::Request const& request) {
              addresses_.counted(request.limit_key, clock_.wall());
            }};
  }

  [[nodiscard]] net::HttpServer make_listener(net::Router router, net::HttpServerOptions options) {
    RequestInstruments& requests = instruments_.requests_of(options.listener, router.routes());
    options.observe = [&requests](net::AnsweredRequest const& request) { requests.observe(request); };
    return {loop_, clock_, log_, std::move(router), std::move(options)};
  }

  [[nodiscard]] net::OperatorSurface operator_surface() {
    return {.operators = operators_,
            .unreadiness = [this] { return unreadiness(); },
            .reconciliation = &reconciliation_api_,
            .alarms = &alarms_api_,
            .dashboard = &dashboard_,
            .metrics_text = [this] { return metrics_.text(); },
            .others = sandbox_page_routes()};
  }

  [[nodiscard]] std::vector<net::Route> sandbox_page_routes() {
    if (!sandbox_page_) return {};
    return sandbox_page_->routes(
        [this](net::Request const& request) { return operators_.admit(request); },
        [this](net::Request const& request) { return operators_.admit_page(request); });
  }

  [[nodiscard]] std::optional<SandboxPage> make_sandbox_page() {
    if (sandbox_ == nullptr) return std::nullopt;
    return SandboxPage({.clock = clock_,
                        .wechat = sandbox_->state(),
                        .pages = net::public_routes(public_surface()),
                        .push = settings_.mini_programs.front().push},
                       mini_programs_.appids().front());
  }

  [[nodiscard]] std::optional<core::WallTime> certificate_until() const {
    auto const certificate = listener_tls_ ? listener_tls_->certificate() : std::nullopt;
    return certificate ? std::optional(certificate->until) : std::nullopt;
  }

  [[nodiscard]] int inherited_socket(std::string_view listener) const {
    auto const found = std::ranges::find(supervision_.sockets, listener, &InheritedSocket::name);
    return found == supervision_.sockets.end() ? -1 : found->descriptor;
  }

  [[nodiscard]] net::HttpServerOptions public_options() const {
    return {.listener = "public",
            .address = settings_.listen.address,
            .port = settings_.listen.port,
            .inherited_socket = inherited_socket("public"),
            .tls = listener_tls_,
            .connections_max = settings_.connections_max,
            .connections_per_address_max = settings_.connections_per_address_max,
            .trusted_proxies = settings_.trusted_proxies,
            .proxy_protocol = settings_.proxy_protocol,
            .path_prefix = settings_.public_path,
            .expects_proxies = true};
  }

  [[nodiscard]] net::HttpServerOptions operator_options() const {
    return {.listener = "operator",
            .address = settings_.admin_listen.address,
            .port = settings_.admin_listen.port,
            .inherited_socket = inherited_socket("operator"),
            .tls = settings_.admin_tls ? listener_tls_ : std::nullopt,
            .connections_max = operator_connections_max};
  }

  void say_where() {
    log_.always("starting",
                {{"version", ONETAP_VERSION},
                 {"database", database_of(settings_).string()},
                 {"key", settings_.data_key ? std::string("ONETAP_DATA_KEY")
                                            : data_key_path(database_of(settings_)).string()},
                 {"app", joined(mini_programs_.appids())},
                 {"sandbox", settings_.sandbox},
                 {"ca", settings_.tls_certificate_path.empty() && settings_.tls ? sandbox_ca_path(settings_)
                                                                                : std::string()}});
    if (settings_.verify == core::VerifyLevel::none) {
      log_.warn("verify_none",
                {{"hint", "ONETAP_VERIFY=none: anyone may exchange codes here; for local development only"}});
    }
  }

  bool listen() {
    auto const operator_address = operator_.start();
    auto const public_address = operator_address ? public_.start() : operator_address;
    if (!public_address) {
      log_.error("cannot_start", {{"what", public_address.error()}});
      return false;
    }
    ledger_.write_operator_address(*operator_address);
    log_.always("listening", {{"listener", "operator"}, {"address", *operator_address}});
    log_.always("listening", {{"listener", "public"}, {"address", *public_address}});
    return true;
  }

  [[nodiscard]] std::vector<std::string> unreadiness() {
    std::vector<std::string> reasons;
    // One that fails is no reason to send the others' pages elsewhere.
    bool const serves_any = std::ranges::any_of(mini_programs_.all(),
                                                [](auto const& each) { return each->unreadiness().empty(); });
    for (auto const& each : mini_programs_.all()) {
      if (!serves_any)
        reasons.push_back(std::string(each->appid()) + ": " + std::string(each->unreadiness()));
    }
    for (std::string_view const reason : shared_unreadiness()) reasons.emplace_back(reason);
    return reasons;
  }

  [[nodiscard]] std::vector<std::string_view> shared_unreadiness() const {
    std::vector<std::string_view> reasons;
    if (!ledger_.writable()) reasons.emplace_back("the ledger cannot be written");
    if (mini_programs_.all().front()->consuming().refuses())
      reasons.emplace_back("restored from a backup a moment ago");
    if (stopping_) reasons.emplace_back("stopping");
    return reasons;
  }

  [[nodiscard]] LiveFacts live_facts() {
    return {.now = clock_.wall(),
            .steady_now = clock_.steady(),
            .started = started_,
            .sandbox = settings_.sandbox,
            .unreadiness = unreadiness(),
            .ledger_is_writable = ledger_.writable(),
            .ledger = ledger_.statistics(),
            .certificate = listener_tls_ ? listener_tls_->certificate() : std::nullopt,
            .connections = public_.connections(),
            .mini_programs = mini_programs_};
  }

  core::Task<> maintain_ledger() {
    co_await core::shield_from_cancellation();
    constexpr auto rhythm = std::chrono::seconds(5);
    std::uint64_t refused = 0;
    while (!stopping_) {
      ledger_.request_maintenance();
      look_at_wal();
      std::uint64_t const refused_now = ledger_.statistics().maintenance_refused;
      if (std::exchange(refused, refused_now) < refused_now) {
        log_.error("maintenance_refused", {{"passes", refused_now}});
        alarms_.happened({.name = core::AlarmName::maintenance_failed}, {});
      }
      [[maybe_unused]] bool const told = co_await clock_.wait(stop_, clock_.steady() + rhythm);
    }
  }

  // An operator's forgotten transaction: what was erased can still be read in the log.
  void look_at_wal() {
    core::SteadyTime const now = clock_.steady();
    auto const since = ledger_.statistics().wal_kept_since;
    if (!since || now - *since < limits::wal_kept_alarm || !wal_alarm_.happened(now)) return;
    auto const seconds = std::chrono::floor<std::chrono::seconds>(now - *since);
    log_.error("wal_kept_by_reader",
               {{"seconds", seconds.count()},
                {"hint",
                 "somebody reads the ledger in one long transaction, so numbers that were erased are still "
                 "in its write-ahead log: end that sqlite3 shell or report"}});
  }

  // A stolen key opens the sessions of a day, and not those of the process's life.
  core::Task<> rotate_ticket_keys() {
    co_await core::shield_from_cancellation();
    while (!stopping_) {
      bool const told = co_await clock_.wait(stop_, clock_.steady() + limits::ticket_key_time);
      if (!told && listener_tls_) listener_tls_->rotate_ticket_keys();
    }
  }

  void compare_clocks(core::WeChatReply const& reply) {
    core::SteadyTime const now = clock_.steady();
    skew_.observe(reply.date, now);
    core::WallTime const wall = clock_.wall();
    if (!skew_.is_off(wall, now) || !clock_alarm_.happened(now)) return;
    log_.error("clock_off", {{"wechat_is_ahead_s", skew_.offset(wall, now)->count()},
                             {"hint",
                              "put this machine's clock right (NTP): at 5 minutes off nothing is "
                              "exchanged any more"}});
  }

  /// For GET /metrics.
  [[nodiscard]] ServerState state() {
    core::SteadyTime const now = clock_.steady();
    ServerState state{.now = now,
                      .ready = unreadiness().empty(),
                      .ledger_writable = ledger_.writable(),
                      .mini_programs = {},
                      .ledger = ledger_.statistics(),
                      .lines = wechat_.lines(),
                      .public_connections = public_.connections(),
                      .operator_connections = operator_.connections(),
                      .sessions = sessions_.size(),
                      .shedding = load_.level(),
                      .pushes = push_.counts(),
                      .certificate_until = certificate_until(),
                      .clock_offset = skew_.offset(clock_.wall(), now)};
    for (auto const& each : mini_programs_.all()) state.mini_programs.push_back(each->state());
    return state;
  }

  [[nodiscard]] double ledger_queue_fill() const {
    return static_cast<double>(ledger_.statistics().queued) / static_cast<double>(limits::ledger_queue_max);
  }

  core::Task<> feed_watchdog() {
    co_await core::shield_from_cancellation();
    auto const patience = supervision_.supervisor.watchdog();
    if (!patience) co_return;
    while (!stopping_) {
      supervision_.supervisor.tell("WATCHDOG=1");
      [[maybe_unused]] bool const told =
          co_await clock_.wait(stop_, clock_.steady() + *patience / limits::watchdog_feeds);
    }
  }

  core::Task<> obey_signals() {
    co_await core::shield_from_cancellation();
    while (true) {
      auto [error, number] = co_await signals_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      if (number != SIGHUP) break;
      reload();
    }
    begin_to_stop();
  }

  void reload() {
    auto const reread = reread_();
    if (!reread) {
      for (std::string const& problem : reread.error())
        log_.error("settings_not_reloaded", {{"what", problem}});
      return;
    }
    Settings const& fresh = reread->settings;
    log_.set_level(fresh.log_level);
    gate_.use(fresh.service_tokens);
    operators_.use(fresh.admin_token);
    if (fresh.wechat_proxy) wechat_.use(fresh.wechat_proxy->credentials);
    for (MiniProgramSettings const& each : fresh.mini_programs) {
      bool const is_served = std::ranges::count(mini_programs_.appids(), each.appid) > 0;
      if (is_served) mini_programs_.of(each.appid).use(each.secret);
      if (is_served) push_.use(each.appid, each.push, each.spu_ids);
      if (!is_served)
        log_.warn("mini_program_not_added", {{"app", each.appid}, {"hint", "it needs a restart"}});
    }
    reload_alert_target(fresh);
    log_.always("settings_reloaded");
    reload_certificate();
  }

  void reload_alert_target(Settings const& fresh) {
    bool const is_same_host = alerts_ ? fresh.alert && alerts_->use(*fresh.alert) : !fresh.alert;
    if (!is_same_host) log_.warn("alert_url_not_changed", {{"hint", "another receiver needs a restart"}});
  }

  // A bad pair changes nothing: the old one goes on.
  void reload_certificate() {
    if (!listener_tls_ || settings_.tls_certificate_path.empty()) return;  // none, or made by ourselves
    auto made = load_listener_tls(settings_, clock_.wall());
    if (!made) return log_.error("certificate_not_reloaded", {{"what", made.error()}});
    if (auto const fault = made->validity_fault(clock_.wall()))
      return log_.error("certificate_not_reloaded", {{"what", *fault}});
    listener_tls_ = *made;
    public_.use(*listener_tls_);
    if (settings_.admin_tls) operator_.use(*listener_tls_);
    log_.always("certificate_reloaded");
  }

  void begin_to_stop() {
    log_.always("stopping");
    supervision_.supervisor.tell("STOPPING=1");
    stopping_ = true;
    asio::co_spawn(loop_, stop(), [](std::exception_ptr const& failure) {
      if (failure) std::rethrow_exception(failure);
    });
  }

  // Stop accepting; idle connections end, busy ones finish; then whoever runs in the background; then the
  // ledger, which commits its last batch. The loop ends by itself.
  core::Task<> stop() {
    core::SteadyTime const deadline = clock_.steady() + limits::drain_time;
    upkeep_.stop();
    public_.stop();
    operator_.stop();
    bool const pages_left = co_await public_.drain(deadline);
    bool const operators_left = co_await operator_.drain(deadline);
    stop_.notify_all();
    task_keeper_.stop();
    spending_.stop();
    alarms_.stop();
    if (alerts_) alerts_->stop();
    for (auto const& each : mini_programs_.all()) {
      each->tokens().stop();
      each->calls().stop();
      each->usage().stop();
    }
    session_upkeep_.stop();
    event_upkeep_.stop();
    load_.stop();
    metrics_.stop();
    wechat_.stop();
    signals_.cancel();
    bool const tasks_ended = co_await tasks_.join(clock_, deadline);
    bool const sandbox_ended = co_await stop_sandbox(deadline);
    ledger_.close();
    if (!pages_left || !operators_left || !tasks_ended || !sandbox_ended) end_late();
    log_.always("stopped");
    // A resolver that waits for a silent name server can't be cancelled, and holds nothing of ours.
    bool const resolver_ended = co_await resolving_.join(clock_, clock_.steady() + resolver_patience);
    if (!resolver_ended) end_without_resolver();
  }

  [[noreturn]] void end_without_resolver() {
    sink_.flush();
    std::_Exit(static_cast<int>(exit_status_));
  }

  core::Task<bool> stop_sandbox(core::SteadyTime deadline) {
    if (sandbox_ == nullptr) co_return true;
    sandbox_->stop();
    bool const ended = co_await sandbox_->drain(deadline);
    co_return ended;
  }

  // Something would not end. The ledger is closed, which is the point; what is left heals at the next start.
  [[nodiscard]] std::size_t exchanges_in_flight() const {
    std::size_t sum = 0;
    for (auto const& each : mini_programs_.all()) sum += each->consuming().in_flight();
    return sum;
  }

  [[noreturn]] void end_late() {
    log_.error("drain_missed",
               {{"exchanges", exchanges_in_flight()}, {"connections", public_.connections()}});
    sink_.flush();
    std::_Exit(static_cast<int>(ExitStatus::drain_missed));
  }

  Settings settings_;
  asio::io_context& loop_;
  core::Clock& clock_;
  core::Log& log_;
  LogSink& sink_;
  Sandbox* sandbox_;
  RereadSettings reread_;
  Supervision supervision_;
  std::optional<net::TlsContext> listener_tls_;
  asio::signal_set signals_;
  core::crypto::Keyring keyring_;
  Instruments instruments_;
  storage::LedgerThread ledger_;
  SpendingWatch spending_;
  core::AddressTop addresses_;
  std::optional<net::AlertSender> alerts_;
  core::AlarmDesk alarms_;
  core::ClockSkew skew_;
  core::Repetition clock_alarm_;
  core::Repetition wal_alarm_;
  net::WeChatClient wechat_;
  core::DecryptService decrypting_;
  core::SessionBook sessions_;
  MiniPrograms mini_programs_;
  core::UserKeys user_keys_;
  SessionUpkeep session_upkeep_;
  core::PushReceiver push_;
  net::PushApi push_api_;
  core::Gatekeeper gate_;
  net::SessionApi session_api_;
  net::PhoneApi phone_;
  core::EventService events_;
  net::EventsApi events_api_;
  EventUpkeep event_upkeep_;
  net::LoadMonitor load_;
  net::HttpServer public_;
  Administration administration_;
  Upkeep upkeep_;
  net::OperatorApi operators_;
  ReconciliationService reconciliations_;
  net::ReconciliationApi reconciliation_api_;
  Metrics metrics_;
  net::AlarmsApi alarms_api_;
  core::WallTime const started_ = clock_.wall();
  LedgerReports reports_;
  net::DashboardApi dashboard_;
  std::optional<SandboxPage> sandbox_page_;
  net::HttpServer operator_;
  core::Signal stop_;
  bool stopping_ = false;
  ExitStatus exit_status_ = ExitStatus::done;
  TaskKeeper task_keeper_;
  net::TaskGroup tasks_;
  net::TaskGroup resolving_;
};

ExitStatus refuse_to_start(StartError const& error, core::Log& log) {
  log.error("cannot_start", {{"what", error.sentence}});
  return error.status;
}

}  // namespace

ExitStatus run_server(Settings settings, RereadSettings reread, Supervision supervision, core::Log& log,
                      LogSink& sink) {
  asio::io_context loop{1};
  net::AsioClock clock(loop.get_executor());

  std::optional<net::TlsContext> listener_tls;
  if (settings.tls) {
    auto loaded = load_listener_tls(settings, clock.wall());
    if (!loaded) return refuse_to_start(misconfigured(loaded.error()), log);
    listener_tls = *loaded;
  }
  std::optional<Sandbox> sandbox;
  if (settings.sandbox) sandbox.emplace(loop, clock, log, SandboxOptions{});
  auto wechat_tls = load_wechat_tls(settings, sandbox ? sandbox->ca_pem() : std::string());
  if (!wechat_tls) return refuse_to_start(misconfigured(wechat_tls.error()), log);

  std::optional<net::TlsContext> alert_tls;
  if (settings.alert) {
    auto made = net::TlsContext::client("");
    if (!made) return refuse_to_start(misconfigured("ONETAP_ALERT_URL: " + made.error()), log);
    alert_tls = *made;
  }
  auto ledger = open_keyed_ledger(ledger_options(settings, clock), settings.data_key);
  if (!ledger)
    return refuse_to_start({.status = status_of(ledger.error().kind), .sentence = ledger.error().sentence},
                           log);
  storage::Recovery recovery = std::move(ledger->file.recovery);
  if (recovery.attempts_in_doubt > 0)
    log.warn("recovered", {{"attempts_in_doubt", recovery.attempts_in_doubt}});
  if (ledger->file.migrated) {
    log.always("migrated", {{"from_schema", ledger->file.migrated->from_version},
                            {"copy", ledger->file.migrated->copy.string()}});
  }

  net::WeChatRoute route = wechat_route(settings);
  if (sandbox) {
    auto const bound = sandbox->start();
    if (!bound) return refuse_to_start({.status = ExitStatus::cannot_run, .sentence = bound.error()}, log);
    route = {.addresses = {{.host = "127.0.0.1", .port = port_of(*bound)}}};
  }
  Parts parts{.ledger = std::move(*ledger),
              .wechat_tls = *wechat_tls,
              .wechat_route = std::move(route),
              .listener_tls = std::move(listener_tls),
              .alert_tls = std::move(alert_tls),
              .sandbox = sandbox ? &*sandbox : nullptr,
              .reread = std::move(reread),
              .supervision = std::move(supervision)};
  settings.connections_max = provide_descriptors(settings.connections_max, descriptor_needs(settings), log);
  Server server(std::move(settings), std::move(parts), loop, clock, log, sink);
  server.load(std::move(recovery.sessions), recovery.tokens);
  server.load(recovery.last_usage, std::move(recovery.alarms));
  server.count(recovery.codes_today);
  if (recovery.refuse_until) server.refuse_until(*recovery.refuse_until);
  return server.run();
}

}  // namespace onetap::app
