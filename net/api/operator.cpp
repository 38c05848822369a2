#include "net/api/operator.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <utility>

#include "core/crypto/digest.hpp"
#include "net/api/body_reader.hpp"
#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

namespace admin = core::admin;
namespace json = boost::json;
using boost::beast::iequals;

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    auto const end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

// A page that a browser was lured to has a name of its own for this address (DNS rebinding).
bool is_our_host(std::string_view host, std::string const& bound) {
  std::string const name(without_port(host));
  if (iequals(name, "localhost")) return true;
  boost::system::error_code not_an_address;
  auto const address = asio::ip::make_address(name, not_an_address);
  if (not_an_address) return false;
  boost::system::error_code ignored;
  auto const ours = asio::ip::make_address(bound, ignored);
  return address.is_loopback() || address == ours || ours.is_unspecified();
}

bool is_our_origin(std::string_view origin, std::string_view host) {
  auto const scheme = origin.find("://");
  return scheme != std::string_view::npos && iequals(origin.substr(scheme + 3), host);
}

/// What only operators' bodies have.
class OperatorBody : public BodyReader {
 public:
  using BodyReader::BodyReader;

  std::optional<core::WallTime> time(std::string_view name) {
    constexpr std::int64_t end_of_time = 253'402'300'799;  // the year 9999
    std::optional<std::int64_t> const at = optional_integer(name);
    if (!at) return std::nullopt;
    if (*at < 0 || *at > end_of_time) fault(std::string(name) + " must be unix seconds");
    return core::wall_time_of_unix_ms(std::clamp<std::int64_t>(*at, 0, end_of_time) * 1000);
  }
  std::string note() {
    constexpr std::size_t note_bytes_max = 1000;
    std::string text(required("note"));
    if (text.empty() || text.size() > note_bytes_max) fault("note must be 1 to 1000 bytes");
    return text;
  }
  // The server's own folder is nothing a caller should have to know.
  std::string absolute_path(std::string_view name, std::string_view path) {
    if (!path.starts_with('/') || path.ends_with('/') || path.find('\0') != std::string_view::npos)
      fault(std::string(name) + " must be the absolute path of a file");
    return std::string(path);
  }
  std::optional<core::Digest> digest(std::string_view name) {
    std::string_view const hex = optional(name);
    if (hex.empty()) return std::nullopt;
    core::Digest digest{};
    bool good = hex.size() == 2 * digest.size();
    for (std::size_t i = 0; good && i < digest.size(); ++i) {
      char const* const begin = hex.data() + 2 * i;
      auto const [end, error] = std::from_chars(begin, begin + 2, digest.at(i), 16);
      good = error == std::errc() && end == begin + 2;
    }
    if (!good) fault(std::string(name) + " must be 64 hex digits");
    return digest;
  }
};

int status_of(admin::Refusal::Kind kind) {
  switch (kind) {
    case admin::Refusal::Kind::not_found: return 404;
    case admin::Refusal::Kind::conflict: return 409;
    case admin::Refusal::Kind::invalid: return 400;
    case admin::Refusal::Kind::unavailable: break;
  }
  return 503;
}

std::string_view name_of(admin::Refusal::Kind kind) {
  switch (kind) {
    case admin::Refusal::Kind::not_found: return "NOT_FOUND";
    case admin::Refusal::Kind::conflict: return "CONFLICT";
    case admin::Refusal::Kind::invalid: return "INVALID_REQUEST";
    case admin::Refusal::Kind::unavailable: break;
  }
  return "STORAGE_UNAVAILABLE";
}

std::int64_t id_in(std::string_view path) {
  std::int64_t id = 0;
  std::string_view const digits = path.substr(std::min(path.find_first_of("0123456789"), path.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return id;
}

}  // namespace

Response refusal_of(admin::Refusal const& refusal, std::string_view request_id) {
  json::object const body{{"status", status_of(refusal.kind)},
                          {"code", name_of(refusal.kind)},
                          {"detail", refusal.sentence},
                          {"requestId", request_id}};
  return {.status = status_of(refusal.kind),
          .content_type = "application/problem+json",
          .body = json::serialize(body)};
}

OperatorApi::OperatorApi(core::LedgerAdmin& ledger, core::LedgerUpkeep& upkeep, core::Clock const& clock,
                         core::Log& log, Gate gate)
    : ledger_(ledger), upkeep_(upkeep), clock_(clock), log_(log), gate_(std::move(gate)) {}

Response OperatorApi::refuse(Request const& request, core::ProblemCode code, std::string_view reason) const {
  log_.warn("operator_refused",
            {{"request_id", request.request_id}, {"remote", request.remote_address}, {"reason", reason}});
  return problem_response({.code = code}, request);
}

std::optional<Response> OperatorApi::admit_page(Request const& request) const {
  std::string_view const host = request.header("Host").value_or("");
  if (!is_our_host(host, gate_.address)) return refuse(request, core::ProblemCode::origin_forbidden, "host");
  auto const origin = request.header("Origin");
  if (origin && !is_our_origin(*origin, host))
    return refuse(request, core::ProblemCode::origin_forbidden, "origin");
  return std::nullopt;
}

std::optional<Response> OperatorApi::admit(Request const& request) const {
  if (auto foreign = admit_page(request)) return foreign;
  if (!gate_.token) return std::nullopt;
  std::string const wanted = "Bearer " + std::string(gate_.token->reveal());
  std::string_view const shown = request.header("Authorization").value_or("");
  bool const known =
      !request.repeats_header("Authorization") && core::crypto::equal_in_constant_time(shown, wanted);
  if (known) return std::nullopt;
  Response response = refuse(request, core::ProblemCode::unauthorized, "token");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

core::Task<Response> OperatorApi::resolve(Request const& request) {
  OperatorBody body(request.body);
  std::string const as = std::string(body.required("as"));
  if (as != "lost" && as != "free") body.fault("as must be lost or free");
  admin::Resolve act{.consumption = id_in(request.path),
                     .as = as == "free" ? core::State::free : core::State::lost,
                     .note = body.note()};
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Command command{.act = std::move(act), .at = clock_.wall()};
  co_return co_await administer(request, std::move(command));
}

core::Task<Response> OperatorApi::add_pack(Request const& request) {
  OperatorBody body(request.body);
  std::string const kind = std::string(body.required("kind"));
  if (kind != "quick" && kind != "realtime") body.fault("kind must be quick or realtime");
  admin::AddPack act{.appid = std::string(body.required("appid")),
                     .kind = kind == "realtime" ? core::Kind::realtime : core::Kind::quick,
                     .trial = body.flag("trial"),
                     .units = body.required_integer("units").value_or(0),
                     .used_before = body.optional_integer("usedBefore").value_or(0),
                     .price_micro_yuan = body.optional_integer("priceMicroYuan"),
                     .starts = body.time("startsAt"),
                     .ends = body.time("endsAt"),
                     .wx_pkg_id = std::string(body.optional("wxPkgId"))};
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Command command{.act = std::move(act), .at = clock_.wall()};
  co_return co_await administer(request, std::move(command));
}

core::Task<Response> OperatorApi::price_pack(Request const& request) {
  OperatorBody body(request.body);
  admin::PricePack const act{.pack = body.required_integer("pack").value_or(0),
                             .price_micro_yuan = body.required_integer("priceMicroYuan").value_or(0)};
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Command command{.act = act, .at = clock_.wall()};
  co_return co_await administer(request, std::move(command));
}

core::Task<Response> OperatorApi::book_leak(Request const& request) {
  OperatorBody body(request.body);
  admin::BookLeak act{.pack = body.required_integer("pack").value_or(0),
                      .units = body.required_integer("units").value_or(0),
                      .note = body.note()};
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Command command{.act = std::move(act), .at = clock_.wall()};
  co_return co_await administer(request, std::move(command));
}

core::Task<Response> OperatorApi::book_refund(Request const& request) {
  OperatorBody body(request.body);
  admin::BookRefund act{.pack = body.required_integer("pack").value_or(0),
                        .units = body.optional_integer("units"),
                        .note = body.note()};
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Command command{.act = std::move(act), .at = clock_.wall()};
  co_return co_await administer(request, std::move(command));
}

core::Task<Response> OperatorApi::erase(Request const& request) {
  OperatorBody body(request.body);
  admin::ErasePerson const act{.phone_key = body.digest("phoneKey"), .user_key = body.digest("userKey")};
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Command command{.act = act, .at = clock_.wall()};
  co_return co_await administer(request, std::move(command));
}

core::Task<Response> OperatorApi::back_up(Request const& request) {
  OperatorBody body(request.body);
  std::string file = body.absolute_path("file", body.required("file"));
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Answer const answer = co_await upkeep_.back_up(std::move(file));
  co_return response_to(request, answer);
}

core::Task<Response> OperatorApi::rotate_key(Request const& request) {
  OperatorBody body(request.body);
  std::string new_key_file(body.optional("newKeyFile"));
  if (!new_key_file.empty()) new_key_file = body.absolute_path("newKeyFile", new_key_file);
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  admin::Answer const answer = co_await upkeep_.rotate_key(std::move(new_key_file));
  co_return response_to(request, answer);
}

core::Task<Response> OperatorApi::administer(Request const& request, admin::Command command) {
  admin::Answer const answer = co_await ledger_.administer(std::move(command));
  co_return response_to(request, answer);
}

Response OperatorApi::response_to(Request const& request, admin::Answer const& answer) {
  if (!answer) return refusal_of(answer.error(), request.request_id);
  log_.always("operator_command", {{"request_id", request.request_id}, {"what", answer->sentence}});
  json::object const body{{"id", answer->id}, {"count", answer->count}, {"done", answer->sentence}};
  return Response{.body = json::serialize(body)};
}

}  // namespace onetap::net
