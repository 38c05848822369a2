#include "app/sandbox/sandbox.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstring>
#include <ctime>

#include "app/sandbox/broken_delivery.hpp"
#include "core/crypto/digest.hpp"
#include "net/query.hpp"

namespace onetap::app {

namespace json = boost::json;
using net::query_parameter;

namespace {

using StartResult = core::Result<std::string, std::string>;

std::uint64_t random_seed() {
  std::array<unsigned char, sizeof(std::uint64_t)> bytes{};
  core::crypto::fill_random(bytes);
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), bytes.size());
  return seed;
}

/// RFC 9110 §5.6.7; the server under test compares its clock with it.
std::string http_date(core::WallTime time) {
  auto const seconds = static_cast<std::time_t>(core::unix_seconds(time));
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 32> text{};
  std::size_t const size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

net::Response json_response(int status, json::object const& object) {
  net::Response response;
  response.status = status;
  response.body = json::serialize(object);
  return response;
}

net::Response control_error(int status, std::string_view sentence) {
  json::object object;
  object["error"] = sentence;
  return json_response(status, object);
}

/// An empty body stands for an empty object; none for what is not an object.
std::optional<json::object> control_body(std::string_view body) {
  if (body.empty()) return json::object();
  boost::system::error_code failure;
  json::value value = json::parse(body, failure);
  if (failure || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

/// Quick where the body says nothing.
std::optional<core::Kind> kind_in(json::object const& body) {
  json::value const* const kind = body.if_contains("kind");
  if (kind == nullptr) return core::Kind::quick;
  if (*kind == "quick") return core::Kind::quick;
  return *kind == "realtime" ? std::optional(core::Kind::realtime) : std::nullopt;
}

/// A number from 0 on; none for anything else.
std::optional<std::int64_t> count_in(json::object const& object, std::string_view name) {
  json::value const* const member = object.if_contains(name);
  if (member == nullptr || !member->is_int64() || member->get_int64() < 0) return std::nullopt;
  return member->get_int64();
}

std::optional<std::vector<ChargeBook::Pack>> packs_in(json::value const& value) {
  json::array const* const listed = value.if_array();
  if (listed == nullptr) return std::nullopt;
  std::vector<ChargeBook::Pack> packs;
  for (json::value const& each : *listed) {
    json::object const* const object = each.if_object();
    if (object == nullptr) return std::nullopt;
    json::value const* const pkg_id = object->if_contains("pkgId");
    auto const all = count_in(*object, "all");
    auto const used = count_in(*object, "used");
    if (pkg_id == nullptr || !pkg_id->is_string() || !all || !used) return std::nullopt;
    packs.push_back({.pkg_id = std::string(pkg_id->get_string()),
                     .all = *all,
                     .used = *used,
                     .starts_s = count_in(*object, "startTime").value_or(0),
                     .ends_s = count_in(*object, "endTime").value_or(0)});
  }
  return packs;
}

int status_of(net::Refusal refusal) {
  switch (refusal) {
    case net::Refusal::bad_request: return 400;
    case net::Refusal::not_found: return 404;
    case net::Refusal::method_not_allowed: return 405;
    case net::Refusal::unsupported_media_type: return 415;
    case net::Refusal::payload_too_large: return 413;
    case net::Refusal::uri_too_long: return 414;
    case net::Refusal::headers_too_large: return 431;
    case net::Refusal::length_required: return 412;  // WeChat's own habit (facts/wechat-api.md §9)
    case net::Refusal::request_timeout: return 408;
    case net::Refusal::internal: return 500;
  }
  return 500;
}

}  // namespace

Sandbox::Sandbox(asio::io_context& loop, core::Clock& clock, core::Log& log, SandboxOptions options)
    : loop_(loop),
      clock_(clock),
      log_(log),
      options_(std::move(options)),
      authority_(throwaway_validity(clock.wall())),
      state_(options_.wechat, random_seed()) {}

Sandbox::~Sandbox() = default;

net::Router Sandbox::make_router() {
  using net::Request;
  auto const wechat = [this](Request const& request) { return answer_as_wechat(request); };
  std::vector<net::Route> routes;
  for (std::string_view const path :
       {stable_token_path, token_path, phone_number_path, login_path, user_encrypt_key_path, api_quota_path,
        charge_usage_path, recent_average_path}) {
    routes.push_back({.method = "GET", .path = path, .body = net::Body::any, .handle = wechat});
    routes.push_back({.method = "POST", .path = path, .body = net::Body::any, .handle = wechat});
  }
  auto const add = [&routes](std::string_view method, std::string_view path, net::Handler handle) {
    routes.push_back({.method = method, .path = path, .body = net::Body::any, .handle = std::move(handle)});
  };
  add("GET", "/sandbox/journal", [this](Request const& request) { return show_journal(request); });
  add("POST", "/sandbox/reset", [this](Request const& request) { return reset(request); });
  add("POST", "/sandbox/token/expire", [this](Request const& request) { return expire_tokens(request); });
  add("POST", "/sandbox/next", [this](Request const& request) { return treat_next(request); });
  add("POST", "/sandbox/codes", [this](Request const& request) { return issue_code(request); });
  add("POST", "/sandbox/packs", [this](Request const& request) { return set_packs(request); });
  add("POST", "/sandbox/user-key", [this](Request const& request) { return show_user_key(request); });
  return {std::move(routes),
          [this](net::Refusal refusal, std::string_view allowed_methods, Request const& request) {
            return refuse(refusal, allowed_methods, request);
          }};
}

StartResult Sandbox::start() {
  Validity const validity = options_.certificate_validity.value_or(throwaway_validity(clock_.wall()));
  CertificateWithKey const certificate = authority_.issue(options_.names, validity);
  auto tls = net::TlsContext::server(certificate.certificate_pem, certificate.key_pem);
  if (!tls) return {boost::system::in_place_error, tls.error()};
  server_ = std::make_unique<net::HttpServer>(loop_, clock_, log_, make_router(),
                                              net::HttpServerOptions{.listener = "sandbox",
                                                                     .address = options_.address,
                                                                     .port = options_.port,
                                                                     .tls = std::move(*tls),
                                                                     .log_requests = options_.log_requests});
  StartResult bound = server_->start();
  if (bound) log_.always("listening", {{"listener", "sandbox"}, {"address", *bound}});
  return bound;
}

void Sandbox::stop() {
  is_stopping_ = true;
  stopping_.notify_all();
  if (server_) server_->stop();
}

core::Task<bool> Sandbox::drain(core::SteadyTime deadline) {
  if (!server_) co_return true;
  bool const drained = co_await server_->drain(deadline);
  co_return drained;
}

core::Task<net::Response> Sandbox::answer_as_wechat(net::Request const& request) {
  WechatCall const call{.method = request.method,
                        .path = request.path,
                        .query = request.query,
                        .body = request.body,
                        .has_content_length = request.header("Content-Length").has_value()};
  WechatAnswer answer = state_.answer(call, now());
  auto perform =
      broken_delivery(answer, {.clock = clock_, .stopping = stopping_, .is_stopping = is_stopping_});
  net::Response response;
  response.status = answer.status;
  response.content_type = std::move(answer.content_type);
  response.headers.emplace_back("Date", http_date(clock_.wall()));
  response.body = std::move(answer.body);
  for (auto& header : answer.headers) response.headers.push_back(std::move(header));
  if (answer.manner == Manner::never) response.raw = std::string();
  response.perform = std::move(perform);
  if (answer.manner == Manner::late && !is_stopping_) {
    core::SteadyTime const due = clock_.steady() + options_.late_answer_time;
    co_await clock_.wait(stopping_, due);
  }
  co_return response;
}

net::Response Sandbox::refuse(net::Refusal refusal, std::string_view allowed_methods,
                              net::Request const& request) {
  int const status = status_of(refusal);
  state_.note_refusal(request.method, request.path, status, clock_.wall());
  if (refusal == net::Refusal::length_required) {
    net::Response response;
    response.status = status;
    return response;
  }
  net::Response response = control_error(status, "not for the sandbox");
  if (!allowed_methods.empty()) response.headers.emplace_back("Allow", allowed_methods);
  return response;
}

core::Task<net::Response> Sandbox::show_journal(net::Request const& request) {
  constexpr std::size_t limit_default = 1000;
  std::string const text = query_parameter(request.query, "limit");
  std::size_t limit = limit_default;
  auto const parsed = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (!text.empty() && (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())) {
    co_return control_error(400, "limit must be a number");
  }
  net::Response response;
  response.body = state_.journal().as_json(query_parameter(request.query, "codeDigest"), limit);
  co_return response;
}

core::Task<net::Response> Sandbox::reset(net::Request const& /*request*/) {
  state_.reset();
  co_return json_response(200, json::object());
}

core::Task<net::Response> Sandbox::expire_tokens(net::Request const& request) {
  constexpr std::array<std::int64_t, 3> errcodes{42001, 40001, 40014};
  std::optional<json::object> const body = control_body(request.body);
  if (!body) co_return control_error(400, "the body must be a JSON object");
  json::value const* const member = body->if_contains("errcode");
  std::int64_t errcode = errcodes.front();
  if (member != nullptr) errcode = member->is_int64() ? member->get_int64() : 0;
  if (std::ranges::find(errcodes, errcode) == errcodes.end()) {
    co_return control_error(400, "errcode must be 42001, 40001 or 40014");
  }
  json::value const* const again = body->if_contains("again");
  if (again != nullptr && !again->is_bool()) co_return control_error(400, "again must be true or false");
  state_.kill_tokens(static_cast<int>(errcode), again != nullptr && again->get_bool());
  co_return json_response(200, json::object());
}

core::Task<net::Response> Sandbox::treat_next(net::Request const& request) {
  constexpr std::int64_t times_max = 1'000'000;
  std::optional<json::object> const body = control_body(request.body);
  if (!body) co_return control_error(400, "the body must be a JSON object");
  json::value const* const named = body->if_contains("testCode");
  json::value const* const times = body->if_contains("times");
  TestCode const* const line = named != nullptr && named->is_string()
                                   ? find_test_code(std::string_view(named->get_string()))
                                   : nullptr;
  if (line == nullptr)
    co_return control_error(400, "testCode must be one of the table: onetap sandbox --codes");
  if (times == nullptr || !times->is_int64() || times->get_int64() < 0 || times->get_int64() > times_max)
    co_return control_error(400, "times must be a number of codes");
  state_.treat_next_as(*line, static_cast<int>(times->get_int64()));
  co_return json_response(200, json::object());
}

core::Task<net::Response> Sandbox::issue_code(net::Request const& request) {
  std::optional<json::object> const body = control_body(request.body);
  if (!body) co_return control_error(400, "the body must be a JSON object");
  json::value const* const member = body->if_contains("testCode");
  TestCode const* line = nullptr;
  if (member != nullptr) {
    if (member->is_string()) line = find_test_code(std::string_view(member->get_string()));
    if (line == nullptr)
      co_return control_error(400, "testCode must be one of the table: onetap sandbox --codes");
  }
  auto const kind = kind_in(*body);
  if (!kind) co_return control_error(400, "kind must be quick or realtime");
  json::object object;
  std::string const code = state_.issue_code(line, now(), *kind);
  object["code"] = code;
  object["expiresIn"] = state_.code_life().count();
  if (json::value const* const js_code = body->if_contains("jsCode")) {
    if (!js_code->is_string()) co_return control_error(400, "jsCode must be a string");
    auto const encrypted = state_.encrypt_number_of(code, std::string_view(js_code->get_string()), now());
    if (!encrypted) co_return control_error(400, "nobody has logged in with this jsCode");
    object["encryptedData"] = encrypted->encrypted_data;
    object["iv"] = encrypted->iv;
  }
  co_return json_response(200, object);
}

core::Task<net::Response> Sandbox::set_packs(net::Request const& request) {
  std::optional<json::object> const body = control_body(request.body);
  if (!body) co_return control_error(400, "the body must be a JSON object");
  auto const kind = kind_in(*body);
  if (!kind) co_return control_error(400, "kind must be quick or realtime");
  std::optional<std::vector<ChargeBook::Pack>> packs;
  if (json::value const* const listed = body->if_contains("packs")) {
    packs = packs_in(*listed);
    if (!packs)
      co_return control_error(400, "packs must be a list of {pkgId, all, used, startTime?, endTime?}");
  }
  ChargeBook& charges = state_.charges();
  if (packs) charges.set_packs(*kind, std::move(*packs));
  if (auto const lag = count_in(*body, "lagSeconds")) charges.set_lag(core::seconds(*lag));
  if (auto const average = count_in(*body, "average")) charges.set_average(*kind, *average);
  co_return json_response(200, json::object());
}

core::Task<net::Response> Sandbox::show_user_key(net::Request const& request) {
  std::optional<json::object> const body = control_body(request.body);
  if (!body) co_return control_error(400, "the body must be a JSON object");
  json::value const* const js_code = body->if_contains("jsCode");
  if (js_code == nullptr || !js_code->is_string()) co_return control_error(400, "jsCode must be a string");
  json::value const* const rotate = body->if_contains("rotate");
  if (rotate != nullptr && !rotate->is_bool()) co_return control_error(400, "rotate must be true or false");
  std::string_view const who = js_code->get_string();
  if (rotate != nullptr && rotate->get_bool()) state_.rotate_user_key(who);
  auto const key = state_.latest_user_key(who);
  if (!key) co_return control_error(400, "nobody has logged in with this jsCode");
  json::object object;
  object["encryptKey"] = key->encrypt_key;
  object["iv"] = key->iv;
  object["version"] = key->version;
  co_return json_response(200, object);
}

}  // namespace onetap::app
