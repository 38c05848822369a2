#include "tests/system/chaos/world.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <fstream>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include "app/scenario/witness.hpp"
#include "app/settings.hpp"
#include "core/crypto/digest.hpp"

namespace onetap::tests {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view appid = "wx0123456789abcdef";
constexpr auto start_patience = 30s;

asio::ip::tcp::endpoint endpoint_of(std::string const& address) {
  std::size_t const colon = address.rfind(':');
  return {asio::ip::make_address(address.substr(0, colon)),
          static_cast<unsigned short>(std::stoi(address.substr(colon + 1)))};
}

std::string text_in(json::object const& object, std::string_view name) {
  json::value const* const member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

// "2026-11-23T10:50:29.123Z".
std::int64_t unix_ms_of(std::string const& timestamp) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
  int const read = std::sscanf(timestamp.c_str(), "%d-%u-%uT%d:%d:%d.%dZ", &year, &month, &day, &hour,
                               &minute, &second, &millisecond);
  constexpr int parts = 7;
  if (read != parts) throw std::runtime_error("a log line without its time: " + timestamp);
  std::chrono::sys_days const date(std::chrono::year(year) / std::chrono::month(month) /
                                   std::chrono::day(day));
  auto const time = std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) +
                    std::chrono::milliseconds(millisecond);
  return std::chrono::duration_cast<std::chrono::milliseconds>(date.time_since_epoch() + time).count();
}

Reply read_reply(http::response<http::string_body> const& response) {
  Reply reply{.status = static_cast<int>(response.result_int()), .problem = {}, .retry_after = {}};
  reply.replayed = response["Idempotent-Replayed"] == "true";
  if (auto const field = response.find(http::field::retry_after); field != response.end())
    reply.retry_after = std::chrono::seconds(std::stoi(std::string(field->value())));
  error_code unreadable;
  json::value const body = json::parse(response.body(), unreadable);
  if (unreadable || !body.is_object()) return reply;
  reply.problem = text_in(body.get_object(), "code");
  reply.has_number = !text_in(body.get_object(), "phoneNumber").empty();
  return reply;
}

SeenCall seen_call(json::object const& entry) {
  SeenCall call{.at_ms = entry.at("at").as_int64(),
                .path = text_in(entry, "path"),
                .code_digest = text_in(entry, "codeDigest"),
                .errcode = {},
                .has_content_length = entry.at("contentLength").as_bool(),
                .produced_number = entry.at("producedNumber").as_bool()};
  if (json::value const* const errcode = entry.if_contains("errcode")) call.errcode = errcode->as_int64();
  return call;
}

}  // namespace

Reply Page::present(std::string const& code, std::string const& caller) {
  http::request<http::string_body> request(http::verb::post, "/phone/consume", 11);
  request.set(http::field::host, "127.0.0.1");
  request.set(http::field::content_type, "application/json");
  request.set(http::field::referer, "https://servicewechat.com/" + std::string(appid) + "/1/page-frame.html");
  request.set("X-Request-Id", code);
  request.set("Idempotency-Key", caller);
  request.body() = R"({"code":")" + code + R"("})";
  request.prepare_payload();
  error_code failure;
  if (!stream_) {
    stream_ = std::make_unique<boost::beast::tcp_stream>(loop_);
    stream_->connect(server_, failure);
  }
  if (!failure) http::write(*stream_, request, failure);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  if (!failure) http::read(*stream_, buffer, response, failure);
  if (failure || !response.keep_alive()) stream_.reset();
  return failure ? Reply{} : read_reply(response);
}

Reply Page::present_obediently(std::string const& code, std::string const& caller) {
  Reply reply = present(code, caller);
  while (reply.is_for_later()) {
    std::this_thread::sleep_for(*reply.retry_after);
    reply = present(code, caller);
  }
  return reply;
}

World::World(std::string name, std::chrono::milliseconds wechat_timeout, Findings& findings)
    : name_(std::move(name)), wechat_timeout_(wechat_timeout), findings_(findings) {
  std::string const ca_path = (folder_ / "wechat.pem").string();
  sandbox_ = std::make_unique<Child>(
      ONETAP_BINARY, std::vector<std::string>{"sandbox", "--listen=127.0.0.1:0", "--ca-out=" + ca_path},
      std::vector<std::string>{}, folder_ / "sandbox.log");
  auto const address = sandbox_->await_address("sandbox", start_patience);
  if (!address) throw std::runtime_error("the sandbox does not listen: " + sandbox_->output());
  sandbox_url_ = "https://" + *address;
  auto const ca_pem = app::read_text_file(ca_path);
  if (!ca_pem) throw std::runtime_error(ca_pem.error());
  auto target = app::Target::make(sandbox_url_, *ca_pem);
  if (!target) throw std::runtime_error(target.error());
  sandbox_target_.emplace(std::move(*target));
  serve();
}

void World::serve(std::string const& wechat_url) {
  if (server_) stop_server();
  std::vector<std::string> const environment{
      "APPID=" + std::string(appid),
      "SECRET=anything",
      "ONETAP_VERIFY=origin",
      "ONETAP_TLS=off",
      "ONETAP_LISTEN=127.0.0.1:0",
      "ONETAP_ADMIN_LISTEN=127.0.0.1:0",
      "ONETAP_WECHAT_URL=" + (wechat_url.empty() ? sandbox_url_ : wechat_url),
      "ONETAP_WECHAT_CA=" + (folder_ / "wechat.pem").string(),
      "ONETAP_WECHAT_TIMEOUT_MS=" + std::to_string(wechat_timeout_.count()),
      "ONETAP_RATE_IP=0",
      "ONETAP_RATE_USER=0",
      "ONETAP_DB=" + (folder_ / "onetap.db").string(),
  };
  logs_.push_back(folder_ / ("server-" + std::to_string(++starts_) + ".log"));
  server_ =
      std::make_unique<Child>(ONETAP_BINARY, std::vector<std::string>{"serve"}, environment, logs_.back());
  auto const address = server_->await_address("public", start_patience);
  if (!address) throw std::runtime_error("the server does not listen: " + server_->output());
  server_endpoint_ = endpoint_of(*address);
}

void World::stop_server() {
  server_->stop();
  if (!server_->ended_well()) miss("the server ended badly: " + server_->fate());
  server_.reset();
}

void World::with_pages(int count, std::function<void(Page&, int)> const& play) const {
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([this, &play, i] {
      try {
        Page page(server_endpoint_);
        play(page, i);
      } catch (std::exception const& broken) {
        miss(std::string("a page gave up: ") + broken.what());
      }
    });
  }
}

void World::tell_sandbox(std::string_view path, json::object const& body) {
  auto const refused = app::WechatWitness(caller_, *sandbox_target_).control(path, json::serialize(body));
  if (refused) throw std::runtime_error("the sandbox refuses " + std::string(path) + ": " + *refused);
}

std::string World::new_code(std::string_view test_code) {
  return std::string(test_code) + "-" + std::to_string(++codes_made_);
}

std::vector<SeenCall> const& World::calls() {
  auto const ask = [this](std::size_t limit) {
    auto const answer =
        caller_.call(*sandbox_target_,
                     {.bytes = app::render_request("GET", "/sandbox/journal?limit=" + std::to_string(limit),
                                                   {{"Host", "localhost"}, {"Connection", "close"}}, "")});
    return json::parse(answer.body);
  };
  std::size_t total = 0;
  json::value journal = ask(0);
  while (journal.at("totalCalls").to_number<std::size_t>() != total) {  // others call meanwhile
    total = journal.at("totalCalls").to_number<std::size_t>();
    journal = ask(total - calls_.size());
  }
  json::array const& kept = journal.at("calls").as_array();
  if (kept.size() < total - calls_.size()) throw std::runtime_error("the journal was asked too late");
  for (json::value const& entry : kept) calls_.push_back(seen_call(entry.as_object()));
  return calls_;
}

std::vector<LogLine> World::log() const {
  std::vector<LogLine> lines;
  for (std::filesystem::path const& path : logs_) {
    std::ifstream file(path);
    for (std::string text; std::getline(file, text) && !file.eof();) {
      error_code unreadable;
      json::value value = json::parse(text, unreadable);
      if (unreadable || !value.is_object()) continue;
      json::object& fields = value.get_object();
      std::string const msg = text_in(fields, "msg");
      std::int64_t const at_ms = unix_ms_of(text_in(fields, "ts"));
      lines.push_back({.at_ms = at_ms, .msg = msg, .fields = std::move(fields)});
    }
  }
  return lines;
}

std::map<std::string, LedgerRow> World::rows() const {
  auto const table = app::LedgerWitness(folder_ / "onetap.db")
                         .query("SELECT request_id, state, attempts FROM v_consumptions");
  if (!table) throw std::runtime_error(table.error());
  std::map<std::string, LedgerRow> rows;
  for (auto const& row : table->rows) {
    LedgerRow read{.state = storage::to_text(row.at(1)), .attempts = std::get<std::int64_t>(row.at(2))};
    bool const is_new = rows.emplace(storage::to_text(row.at(0)), std::move(read)).second;
    if (!is_new) miss("two rows for " + storage::to_text(row.at(0)));
  }
  return rows;
}

void World::check(int pages) {
  check_calls();
  check_tokens();
  check_circuit(pages);
  auto const verified = app::LedgerWitness(folder_ / "onetap.db").verify();
  if (!verified || !verified->is_clean()) miss("the ledger does not verify");
}

void World::check_calls() {
  std::map<std::string, std::vector<SeenCall const*>> by_digest;
  for (SeenCall const& call : calls()) {
    if (!call.has_content_length) miss("a request without Content-Length: " + call.path);
    if (call.path == number_path) by_digest[call.code_digest].push_back(&call);
  }
  std::size_t codes_known = 0;
  for (auto const& [code, row] : rows()) {
    auto const found = by_digest.find(core::crypto::to_hex(core::crypto::sha256(code)));
    if (found == by_digest.end()) continue;
    ++codes_known;
    auto const& seen = found->second;
    if (std::ssize(seen) > row.attempts) miss(code + " reached WeChat more often than recorded");
    for (SeenCall const* const call : std::span(seen).first(seen.size() - 1)) {
      // Refusals before WeChat looks at the code.
      constexpr std::array<std::int64_t, 5> not_looked_at{40001, 40014, 42001, 45009, 45011};
      bool const may_go_again = call->errcode && std::ranges::count(not_looked_at, *call->errcode) == 1;
      if (!may_go_again) miss(code + " was sent again after WeChat may have looked at it");
    }
    auto const numbers = std::ranges::count_if(seen, &SeenCall::produced_number);
    if (numbers > 1) miss(code + " yielded two numbers");
  }
  if (codes_known < by_digest.size()) miss("a code reached WeChat without an intent");
}

// One each ten seconds, and one more: a fetched token that is refused at once is asked for again at once.
void World::check_tokens() {
  constexpr std::int64_t interval_ms = 10'000;
  constexpr std::int64_t on_the_way_ms = 200;
  std::vector<std::int64_t> at_ms;
  for (SeenCall const& call : calls_) {
    if (call.path == stable_token_path) at_ms.push_back(call.at_ms);
  }
  if (at_ms.empty()) return miss("tokens were never asked for");
  std::int64_t const most = 2 + starts_ - 1 + (at_ms.back() - at_ms.front() + on_the_way_ms) / interval_ms;
  if (std::ssize(at_ms) > most) miss("tokens asked for " + std::to_string(at_ms.size()) + " times");
}

void World::check_circuit(int pages) {
  constexpr std::int64_t rounding_ms = 2;
  constexpr std::int64_t pause_ms_min = 1000;
  constexpr std::int64_t pause_ms_max = 30'000;
  auto const lines = log();
  std::int64_t next_pause_ms = pause_ms_min;
  std::int64_t open_until_ms = 0;
  bool is_closed = true;
  bool needs_probe = false;
  auto const open = [&](std::size_t line, std::int64_t pause_ms) {
    std::int64_t const from_ms = lines[line].at_ms;
    open_until_ms = from_ms + pause_ms;
    auto const restart = std::find_if(lines.begin() + static_cast<std::ptrdiff_t>(line), lines.end(),
                                      [](LogLine const& later) { return later.msg == "starting"; });
    std::int64_t const until_ms =
        restart == lines.end() ? open_until_ms : std::min(open_until_ms, restart->at_ms);
    auto const sent = std::ranges::count_if(calls_, [&](SeenCall const& call) {
      return call.path == number_path && call.at_ms > from_ms + rounding_ms &&
             call.at_ms < until_ms - rounding_ms;
    });
    std::int64_t const under_way = is_closed ? pages - 1 : 0;
    if (sent > under_way) miss(std::to_string(sent) + " codes sent while the circuit was open");
    is_closed = false;
  };
  auto const lengthen = [&] {
    return std::exchange(next_pause_ms, std::min(next_pause_ms * 2, pause_ms_max));
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    LogLine const& line = lines[i];
    bool const is_probe = line.msg == "circuit_probed";
    bool const closes = line.msg == "circuit_closed";
    if ((is_probe || closes) && line.at_ms + rounding_ms < open_until_ms) miss(line.msg + " before its time");
    if (closes && needs_probe) miss("the circuit closed without a free call before");
    if (closes || line.msg == "starting") {
      is_closed = true;
      next_pause_ms = pause_ms_min;
      open_until_ms = 0;
    }
    if (is_probe && line.fields.at("answered").as_bool()) {
      needs_probe = false;
    } else if (is_probe) {
      open(i, lengthen());
    }
    if (line.msg != "circuit_opened") continue;
    bool const by_minute = text_in(line.fields, "cause") == "rate_limited";
    std::int64_t const pause_ms = line.fields.at("pause_ms").as_int64();
    std::int64_t const expected_ms = by_minute ? pause_ms : lengthen();
    constexpr std::int64_t lost_by_scheduler_ms = 200;
    if (pause_ms > expected_ms || pause_ms < expected_ms - lost_by_scheduler_ms)
      miss("a pause of " + std::to_string(pause_ms) + " ms, not " + std::to_string(expected_ms));
    needs_probe = !by_minute;
    open(i, pause_ms);
  }
}

}  // namespace onetap::tests
