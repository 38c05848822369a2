#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every bound of the server, with its unit and reason. Reaching one is an answer, never an accident.
namespace onetap::core::limits {

using namespace std::chrono_literals;

// The page's request (contract, "Problems").
inline constexpr std::size_t request_line_bytes_max = 1024;
inline constexpr std::size_t header_bytes_max = 8UL * 1024;
inline constexpr std::size_t header_fields_max = 48;
inline constexpr std::size_t body_bytes_max = 16UL * 1024;
inline constexpr std::size_t code_bytes_max = 512;  // WeChat documents no format; 64 hex have been seen
inline constexpr std::size_t idempotency_key_bytes_min = 16;
inline constexpr std::size_t idempotency_key_bytes_max = 128;
inline constexpr std::size_t request_id_bytes_max = 64;
inline constexpr std::size_t scene_bytes_max = 32;
inline constexpr std::size_t out_id_bytes_max = 64;
inline constexpr std::size_t json_depth_max = 4;

// The gate (contract, "Who the caller is").
inline constexpr std::size_t session_token_bytes = 43;  // base64url of 256 bits
inline constexpr std::size_t js_code_bytes_max = 128;
inline constexpr std::size_t openid_bytes_max = 128;  // 28 have been seen
inline constexpr auto timestamp_skew_max = 300s;
inline constexpr std::size_t nonce_bytes_min = 16;
inline constexpr std::size_t nonce_bytes_max = 64;
inline constexpr std::size_t nonces_per_session_max = 1024;
inline constexpr std::size_t nonces_kept_for_codes = nonces_per_session_max / 4;  // polls never fill these
inline constexpr std::size_t sessions_per_user_max = 5;  // phone, tablet, desktop, and two of the past
inline constexpr std::size_t sessions_max = 200'000;     // some 550 bytes each
inline constexpr auto session_touch_interval = 5min;     // how stale a stored time of last use may be
// Until then a session_key opens what a page encrypted before it had to log in anew.
inline constexpr auto session_key_keep_beyond_session = 24h;
inline constexpr std::chrono::milliseconds session_store_rhythm =
    60s;                                                     // of telling the store of uses and ends
inline constexpr std::size_t session_changes_at_once = 256;  // of which it hears in one command
inline constexpr std::chrono::milliseconds session_upkeep_pause = 10ms;  // after so many, when there are more
inline constexpr std::size_t user_keys_max = 20'000;  // users whose keys are held; 3 keys each
inline constexpr std::size_t user_key_fetches_per_minute = 3;
inline constexpr auto login_time = 4s;                    // jscode2session, within what a page waits
inline constexpr std::size_t logins_in_flight_max = 128;  // jscode2session calls at a time
inline constexpr std::size_t encrypted_data_bytes_max = 4096;

// The listener's patience.
inline constexpr auto handshake_time = 5s;  // from the accepted connection on, PROXY header included
inline constexpr std::size_t client_hello_bytes_max =
    6UL * 1024;                               // 500 usual, 1,800 with post-quantum shares
inline constexpr auto first_byte_time = 10s;  // of the first request, once TLS stands
inline constexpr auto header_time = 5s;
inline constexpr auto body_time = 5s;
inline constexpr auto write_time = 10s;
inline constexpr auto keep_alive_idle_time = 60s;
inline constexpr auto tls_shutdown_time = 1s;
inline constexpr std::size_t requests_per_connection_max = 1000;
inline constexpr auto repeated_log_interval = 1min;  // of lines that each turned-away client would cause

// Load shedding: a loop this late, or a storage queue this full, in three looks one after the other.
inline constexpr auto load_look_interval = 100ms;
inline constexpr auto loop_lag_shedding_logins = 50ms;
inline constexpr auto loop_lag_shedding_all = 250ms;
inline constexpr double queue_fill_shedding_logins = 0.5;
inline constexpr double queue_fill_shedding_all = 0.9;

inline constexpr auto ticket_key_time = 12h;  // a TLS ticket key serves so long, and decrypts as long again

// One exchange. WeChat drops a page's request 5 s after the page went to the background
// (facts/wechat-api.md §6.1), so the whole answer must come before that.
inline constexpr auto exchange_time_beyond_wechat = 1500ms;
inline constexpr auto wechat_connect_time = 1500ms;
inline constexpr std::size_t exchanges_in_flight_max =
    1024;  // each holds a request and ledger commands; those beyond wechat_calls_max wait for their turn
inline constexpr std::size_t wechat_calls_max = 128;  // codes that WeChat is asked about at a time
// Token, connection and turn must be there by then, so that WeChat gets its whole time.
inline constexpr auto exchange_ready_time = 1300ms;
inline constexpr auto follower_time =
    20s;                                 // for a duplicate that waits: beyond any exchange with a slow disk
inline constexpr auto code_life = 5min;  // facts §1.4
inline constexpr auto watermark_age_max = 10min;   // contract, WATERMARK_MISMATCH
inline constexpr auto live_code_keep_min = 60min;  // design/ledger.md, "Where uniqueness lives"

// WeChat's answers are small; a token may be 512 characters (facts §3.2).
inline constexpr std::size_t wechat_answer_bytes_max = 64UL * 1024;
inline constexpr std::size_t wechat_header_bytes_max = 16UL * 1024;
inline constexpr std::size_t wechat_json_depth_max = 8;

// WeChat's side closes idle lines soon (facts §9: 8 s seen); ours go first.
inline constexpr auto wechat_idle_time = 5s;
inline constexpr std::size_t wechat_idle_lines_max =
    wechat_calls_max;                          // fewer would shake hands anew at each peak
inline constexpr auto wechat_line_time = 60s;  // in use: then names, and the order of addresses, count anew
inline constexpr auto resolve_refresh_time = 60s;
inline constexpr std::size_t resolved_endpoints_max = 16;  // of one name

// A new line: an endpoint that stays silent leaves time for the next, and is tried last for a while.
inline constexpr auto wechat_connect_attempt_time = 400ms;
inline constexpr auto wechat_failed_endpoint_time = 30s;
inline constexpr std::size_t wechat_failed_endpoints_max = 64;
inline constexpr std::size_t wechat_fallback_urls_max = 8;
inline constexpr std::size_t connect_answer_bytes_max = 8UL * 1024;  // a proxy's, to CONNECT
inline constexpr auto tls_resumption_time = 1h;                      // then the certificate is verified anew

// The circuit breaker.
inline constexpr std::size_t breaker_untrusted_in_a_row = 5;
inline constexpr std::size_t breaker_window = 20;  // answers, of which half may not be untrusted
inline constexpr auto breaker_pause_min = 1s;
inline constexpr auto breaker_pause_max = 30s;
inline constexpr auto breaker_misconfigured_pause = 5s;
inline constexpr auto probe_time = 3s;

// WeChat's figures of the resource packs (facts §2.1).
inline constexpr std::size_t usage_page_packs = 20;            // WeChat's most
inline constexpr std::int64_t pack_units_max = 1'000'000'000;  // what WeChat sells is far below
inline constexpr std::size_t usage_packs_max = 1000;           // of one kind, on all pages
inline constexpr unsigned int counted_users_max = 500'000;     // of a day; some 80 bytes each
inline constexpr auto usage_lag_max = 10min;  // of WeChat's figures behind its pushes: some minutes
inline constexpr auto reconcile_ask_time =
    8s;  // of both kinds; an operator waits, or the server that is to stop
inline constexpr auto usage_call_time = 4s;       // nobody waits for it
inline constexpr auto usage_average_rhythm = 6h;  // it is an average of months
inline constexpr std::chrono::seconds usage_backoff_min = 30s;
inline constexpr std::chrono::seconds usage_backoff_max = 1h;
inline constexpr std::chrono::seconds usage_exhausted_rhythm = 50s;  // a purchase is seen within a minute
inline constexpr std::chrono::seconds usage_interval_min = 10s;      // whatever is pushed

// WeChat's message push.
inline constexpr std::size_t push_text_bytes_max = 64;  // of a text in it that is kept or logged
inline constexpr std::size_t pushes_remembered = 64;    // to know WeChat's three retries of an alarm by

// Alarms, and what is foreseen.
inline constexpr std::chrono::milliseconds alarm_rhythm = 10s;  // of looking at everything once more
inline constexpr std::size_t alarms_max = 500;  // that are watched at a time, packs of all apps and all
inline constexpr std::size_t alarms_remembered = 100;  // told last, for operators; the ledger has them all
inline constexpr auto alarm_resent_for = 24h;          // after a restart, where the receiver was not reached
inline constexpr std::size_t alarm_bytes_max = 2048;   // of one alarm's particulars
inline constexpr std::chrono::milliseconds spending_rhythm = 60s;  // of reading what the ledger has booked
inline constexpr int spending_days = 7;                            // that the rate of late is taken from
inline constexpr std::int64_t spike_units_min = 50;                // in an hour; fewer are no spike
inline constexpr double spike_factor = 3;                          // beyond the busy hours of those days
inline constexpr std::int64_t spike_hours_known_min = 24;          // before, nobody knows what is usual
inline constexpr std::size_t top_addresses_kept = 256;             // of each hour; some 100 bytes each
inline constexpr std::size_t top_rows_max = 20;

// The receiver of alarms. Nobody waits for it.
inline constexpr std::size_t alerts_queued_max = 200;
inline constexpr auto alert_call_time = 5s;  // from the name's address to the answer's end
inline constexpr std::size_t alert_tries_max = 10;
inline constexpr std::chrono::seconds alert_backoff_min = 2s;  // doubled: a quarter of an hour for all tries
inline constexpr std::chrono::seconds alert_backoff_max = 512s;
inline constexpr std::chrono::seconds wecom_rhythm = 4s;   // WeCom: 20 messages a minute and robot
inline constexpr std::size_t wecom_text_bytes_max = 4000;  // WeCom: 4,096 bytes of markdown

// A background task that failed is started again.
inline constexpr std::chrono::milliseconds task_backoff_min = 1s;
inline constexpr std::chrono::milliseconds task_backoff_max = 60s;

// Our clock against WeChat's Date.
inline constexpr auto clock_skew_alarm = 2min;
inline constexpr auto clock_skew_refused = 5min;

// The access token: refreshed ahead of its end (facts §3.1: the old one lives on for 5 minutes).
inline constexpr auto token_refresh_ahead = 300s;
inline constexpr auto token_refresh_interval_min = 10s;
inline constexpr auto token_backoff_min = 1s;
inline constexpr auto token_backoff_max = 60s;
inline constexpr auto token_misconfigured_retry = 30s;

// The ledger. A batch is one transaction; 128 commands take about 2 ms beside the sync.
inline constexpr std::size_t ledger_queue_max = 4096;
inline constexpr std::size_t ledger_batch_max = 128;

// The page's events. A page tells of some three a tap; many users share one carrier address.
inline constexpr std::size_t events_per_request_max = 50;
inline constexpr std::uint32_t events_per_user_per_minute = 150;
inline constexpr std::uint32_t events_per_address_per_minute = 3000;  // of callers without a session
inline constexpr std::uint32_t events_per_user_per_day = 3000;
inline constexpr std::uint32_t events_per_address_per_day = 500'000;
inline constexpr std::size_t event_id_bytes_min = 16;
inline constexpr std::size_t event_id_bytes_max = 64;
inline constexpr auto event_age_max = std::chrono::days(7);
inline constexpr auto event_ahead_max = 5min;
inline constexpr auto events_keep_min = std::chrono::days(8);  // one of a week ago may come again
inline constexpr std::size_t events_kept_max = 20'000'000;     // some 5 GB on the disk
inline constexpr std::size_t event_requests_queued_max = 256;  // for the storage thread, apart from codes
inline constexpr std::size_t events_per_batch = 50;            // then no further request: some 2 ms of it
inline constexpr auto late_events_rhythm = 60s;  // of looking for the codes of those kept for long
inline constexpr auto late_events_pause = 1s;    // between two lots of them: each looks into the history
inline constexpr std::size_t late_events_at_once = 64;  // each reads a quarter of an hour's consumptions

// What an operator's page reads.
inline constexpr auto report_time = 4s;                     // of one answer, waiting included
inline constexpr int report_rows_max = 200;                 // of a list
inline constexpr auto report_hours = 48h;                   // of history by the hour
inline constexpr auto report_days = std::chrono::days(30);  // by the day

// A restored backup: a code lives 5 minutes at WeChat's, and clocks differ a little.
inline constexpr auto restored_refusal_time = 6min;

// Metrics, and what a reader holds up.
inline constexpr auto metrics_patience = 1s;     // of a scrape, for what is read from files
inline constexpr auto ledger_figures_age = 15s;  // Prometheus's usual rhythm: one reading a scrape
inline constexpr auto wal_kept_alarm = 60s;      // of an open read transaction: what is erased is not gone

// Stopping: what is in flight is given this long, who has connected and said nothing yet that long.
inline constexpr auto drain_time = 10s;
inline constexpr auto last_word_time = 2s;  // a phone's first bytes come a round trip after its connection

// systemd's watchdog is fed so many times within its patience.
inline constexpr int watchdog_feeds = 3;

}  // namespace onetap::core::limits
