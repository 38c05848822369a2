#include "app/sandbox/sandbox_page.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <span>
#include <utility>

#include "app/sandbox/embedded_page.hpp"
#include "core/crypto/digest.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;
using net::Request;
using net::Response;

constexpr std::string_view consume_path = "/phone/consume";
constexpr std::string_view here = "127.0.0.1";

Response answered(json::value const& value, int status = 200) {
  return {.status = status, .body = json::serialize(value)};
}

Response fault(std::string_view sentence) {
  return answered(json::object{{"detail", json::string_view(sentence)}}, 400);
}

std::optional<json::object> object_in(std::string_view body) {
  boost::system::error_code failure;
  json::value value = json::parse(body, failure);
  if (failure || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

std::string text_in(json::object const& object, std::string_view name) {
  json::value const* const member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::string_view content_type_of(std::string_view path) {
  if (path.ends_with(".css")) return "text/css; charset=utf-8";
  return path.ends_with(".js") ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8";
}

Response file_response(core::EmbeddedFile const& file) {
  return {.content_type = std::string(content_type_of(file.path)),
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
                       "data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                      {"Referrer-Policy", "no-referrer"}},
          .body = std::string(file.text)};
}

/// What a mini program's page sends for a code, and the request it becomes here.
class PagesRequest {
 public:
  struct Page {
    std::string_view appid;
    std::string_view caller;
    std::string_view language;
  };

  PagesRequest(json::object const& body, Page const& page, std::string request_id)
      : body_(json::serialize(body)),
        referer_("https://servicewechat.com/" + std::string(page.appid) + "/devtools/page-frame.html"),
        caller_(page.caller),
        language_(page.language) {
    request_.method = "POST";
    request_.target = request_.path = consume_path;
    request_.headers = fields_;
    request_.body = body_;
    request_.remote_address = here;
    request_.signed_target = consume_path;
    request_.client_address = here;
    request_.limit_key = std::string("\x7f\x00\x00\x01", 4);
    request_.request_id = std::move(request_id);
    request_.path_is_known = true;
  }
  PagesRequest(PagesRequest const&) = delete;
  PagesRequest& operator=(PagesRequest const&) = delete;
  ~PagesRequest() = default;

  [[nodiscard]] Request& request() { return request_; }
  [[nodiscard]] json::object as_json() const {
    json::object fields;
    for (net::Header const& field : fields_) fields[field.name] = field.value;
    return {{"method", "POST"}, {"path", consume_path}, {"headers", fields}, {"body", json::parse(body_)}};
  }

 private:
  std::string body_;
  std::string referer_;
  std::string caller_;
  std::string language_;
  std::array<net::Header, 4> fields_{{{.name = "Content-Type", .value = "application/json"},
                                      {.name = "Referer", .value = referer_},
                                      {.name = "Idempotency-Key", .value = caller_},
                                      {.name = "Accept-Language", .value = language_}}};
  Request request_;
};

/// WeChat's alarm of that kind (facts/wechat-api.md §2.5).
json::object quota_alarm(core::Kind kind, ChargeBook::Units units, std::int64_t created_s) {
  bool const is_quick = kind == core::Kind::quick;
  constexpr int of_quota = 3;
  return {{"ToUserName", "gh_sandbox"},
          {"FromUserName", "wechat"},
          {"CreateTime", created_s},
          {"MsgType", "event"},
          {"Event", "charge_service_quota_notify"},
          {"event_type", of_quota},
          {"spu_id", is_quick ? ChargeBook::quick_spu_id : ChargeBook::realtime_spu_id},
          {"spu_name", is_quick ? "手机号快速验证组件" : "手机号实时验证组件"},
          {"total_quota", units.all},
          {"total_used_quota", units.used}};
}

/// What an unencrypted push's URL says of who sent it.
std::string push_query(core::PushToken const& token, std::int64_t sent_s) {
  std::array<unsigned char, 8> random{};
  core::crypto::fill_random(random);
  std::string const nonce = core::crypto::to_hex(random);
  std::string const timestamp = std::to_string(sent_s);
  std::array<std::string, 3> parts{std::string(token.reveal()), timestamp, nonce};
  std::ranges::sort(parts);
  std::string const signature = core::crypto::to_hex(core::crypto::sha1(parts[0] + parts[1] + parts[2]));
  return "signature=" + signature + "&timestamp=" + timestamp + "&nonce=" + nonce;
}

json::object as_json(Response const& response) {
  json::object fields;
  for (auto const& [name, value] : response.headers) fields[name] = value;
  boost::system::error_code not_json;
  json::value body = json::parse(response.body, not_json);
  return {{"status", response.status}, {"headers", fields}, {"body", not_json ? json::value() : body}};
}

}  // namespace

SandboxPage::SandboxPage(Ports ports, std::string appid)
    : ports_(std::move(ports)), appid_(std::move(appid)) {}

std::vector<net::Route> SandboxPage::routes(net::Admission const& admit, net::Admission const& admit_file) {
  auto const tap_route = [this](Request const& request) { return tap(request); };
  auto const present_route = [this](Request const& request) { return present(request); };
  auto const push_route = [this](Request const& request) { return push(request); };
  auto const paths_route = [](Request const& /*request*/) -> core::Task<Response> {
    co_return Response{.body = test_codes_as_json()};
  };
  std::vector<net::Route> routes{
      {.method = "GET", .path = "/sandbox/paths", .handle = paths_route, .admit = admit},
      {.method = "POST",
       .path = "/sandbox/tap",
       .body = net::Body::json,
       .handle = tap_route,
       .admit = admit},
      {.method = "POST",
       .path = "/sandbox/present",
       .body = net::Body::json,
       .handle = present_route,
       .admit = admit},
      {.method = "POST",
       .path = "/sandbox/push",
       .body = net::Body::json,
       .handle = push_route,
       .admit = admit}};
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> files{
      {{"/sandbox", "index.html"}, {"/sandbox/page.css", "page.css"}, {"/sandbox/page.js", "page.js"}}};
  for (auto const& [path, name] : files) {
    auto const& embedded = embedded_page();
    auto const found = std::ranges::find(embedded, name, &core::EmbeddedFile::path);
    core::EmbeddedFile const file = *found;
    auto const handle = [file](Request const& /*request*/) -> core::Task<Response> {
      co_return file_response(file);
    };
    routes.push_back({.method = "GET", .path = path, .handle = handle, .admit = admit_file});
  }
  return routes;
}

core::Task<Response> SandboxPage::tap(Request const& request) {
  auto const body = object_in(request.body);
  if (!body) co_return fault("the body must be a JSON object");
  TestCode const* const line = find_test_code(text_in(*body, "testCode"));
  if (line == nullptr) co_return fault("testCode must be one of the table: GET /sandbox/paths");
  core::Kind const kind = text_in(*body, "kind") == "realtime" ? core::Kind::realtime : core::Kind::quick;
  Moment const now{.steady = ports_.clock.steady(), .wall = ports_.clock.wall()};
  co_return answered(json::object{{"code", ports_.wechat.issue_code(line, now, kind)}});
}

core::Task<Response> SandboxPage::present(Request const& request) {
  auto const body = object_in(request.body);
  if (!body) co_return fault("the body must be a JSON object");
  std::string const code = text_in(*body, "code");
  std::string const kind = text_in(*body, "kind");
  json::object sent{{"code", code}};
  if (!kind.empty()) sent["kind"] = kind;
  std::string const caller = text_in(*body, "caller");
  PagesRequest pages_request(
      sent, {.appid = appid_, .caller = caller, .language = request.header("Accept-Language").value_or("")},
      request.request_id);
  pages_request.request().arrived = ports_.clock.steady();

  Response const response = co_await deliver(pages_request.request());
  std::string const digest = core::crypto::to_hex(core::crypto::sha256(code));
  json::value const calls = json::parse(ports_.wechat.journal().as_json(digest, 20)).at("calls");
  co_return answered(
      json::object{{"request", pages_request.as_json()}, {"response", as_json(response)}, {"wechat", calls}});
}

core::Task<Response> SandboxPage::push(Request const& request) {
  auto const body = object_in(request.body);
  if (!body) co_return fault("the body must be a JSON object");
  if (ports_.push.token.empty()) co_return fault("set ONETAP_PUSH_TOKEN: without it nothing is pushed");
  if (!ports_.push.aes_key.empty())
    co_return fault("the sandbox pushes unencrypted: leave ONETAP_PUSH_AES_KEY out");
  core::Kind const kind = text_in(*body, "kind") == "realtime" ? core::Kind::realtime : core::Kind::quick;
  std::int64_t const now_s = core::unix_seconds(ports_.clock.wall());
  json::object const alarm = quota_alarm(kind, ports_.wechat.charges().units(kind), now_s);
  std::string const message = json::serialize(alarm);
  std::string const query = push_query(ports_.push.token, now_s);
  std::string const path = "/wechat/push/" + appid_;
  std::array<net::Header, 1> const fields{{{.name = "Content-Type", .value = "application/json"}}};
  Request pushed;
  pushed.method = "POST";
  pushed.target = pushed.path = path;
  pushed.query = query;
  pushed.headers = fields;
  pushed.body = message;
  pushed.remote_address = here;
  pushed.request_id = request.request_id;

  Response const response = co_await deliver(pushed);
  co_return answered(
      json::object{{"request", json::object{{"path", path}, {"body", alarm}}},
                   {"response", json::object{{"status", response.status}, {"body", response.body}}}});
}

core::Task<Response> SandboxPage::deliver(Request& request) {
  net::Route const& route = *ports_.pages.match(request.method, request.path).route;
  if (auto refused = route.admit(request)) co_return std::move(*refused);
  co_return co_await route.handle(request);
}

}  // namespace onetap::app
