#include "net/api/phone.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "core/json.hpp"
#include "core/limits.hpp"
#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;
namespace limits = core::limits;

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char character) { return character > ' ' && character < '\x7f'; });
}

bool is_scene(std::string_view text) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !text.empty() && text.size() <= limits::scene_bytes_max &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

/// Reads the members of a body one by one and remembers the first fault.
class BodyReader {
 public:
  explicit BodyReader(json::object const& body) : body_(body) {}

  std::string_view required(std::string_view name) { return read(name, true); }
  std::string_view optional(std::string_view name) { return read(name, false); }

  void fault(std::string text) {
    if (fault_.empty()) fault_ = std::move(text);
  }
  [[nodiscard]] bool has(std::string_view name) const { return body_.contains(name); }
  [[nodiscard]] std::string const& first_fault() const { return fault_; }

 private:
  std::string_view read(std::string_view name, bool required) {
    auto const member = core::string_member(body_, name);
    if (member) return *member;
    bool const absent = member.error() == core::MemberFault::absent;
    if (!absent) fault(std::string(name) + " must be a string");
    if (absent && required) fault(std::string(name) + " is missing");
    return {};
  }

  json::object const& body_;
  std::string fault_;
};

void check_code(BodyReader& reader, std::string_view code) {
  if (code.empty() || code.size() > limits::code_bytes_max)
    return reader.fault("code must have 1 to 512 characters");
  bool const quoted = code.find_first_of("\"\\") != std::string_view::npos;
  if (quoted) return reader.fault("code has quotes around or in it: send detail.code itself");
  if (!is_visible_ascii(code)) reader.fault("code must be visible ASCII");
}

core::Problem invalid(std::string field, bool code_was_read) {
  return {.code = core::ProblemCode::invalid_request,
          .charged = code_was_read ? core::Charged::unknown : core::Charged::absent,
          .field = std::move(field)};
}

// Empty: none given. The reason when it can't be used.
core::Result<core::IdempotencyKey, std::string> read_idempotency_key(Request const& request) {
  using Key = core::Result<core::IdempotencyKey, std::string>;
  auto const given = request.header("Idempotency-Key");
  if (!given) return Key(boost::system::in_place_value);
  bool const sized = given->size() >= limits::idempotency_key_bytes_min &&
                     given->size() <= limits::idempotency_key_bytes_max;
  if (request.repeats_header("Idempotency-Key") || !sized || !is_visible_ascii(*given)) {
    return Key(boost::system::in_place_error,
               "Idempotency-Key must be 16 to 128 visible ASCII characters, once");
  }
  return Key(boost::system::in_place_value, std::string(*given));
}

std::string phone_json(core::PhoneNumber const& number, core::Kind kind, std::string_view request_id) {
  return json::serialize(json::object{{"phoneNumber", number.phone_number.reveal()},
                                      {"purePhoneNumber", number.pure_phone_number.reveal()},
                                      {"countryCode", number.country_code},
                                      {"kind", core::to_string(kind)},
                                      {"requestId", request_id}});
}

}  // namespace

PhoneApi::PhoneApi(core::ConsumeService& service, core::crypto::Keyring const& keyring, core::Log& log,
                   std::string appid, Gate gate)
    : service_(service), keyring_(keyring), log_(log), appid_(std::move(appid)), gate_(std::move(gate)) {}

std::optional<Response> PhoneApi::admit(Request const& request) const {
  if (gate_.level == core::VerifyLevel::none) return std::nullopt;
  auto const origin = core::check_origin(request.header("Referer"), gate_.origin);
  if (origin && !request.repeats_header("Referer")) return std::nullopt;
  std::string_view const reason = origin ? "repeated" : core::to_string(origin.error());
  log_.warn("origin_refused",
            {{"request_id", request.request_id}, {"remote", request.remote_address}, {"reason", reason}});
  return problem_response({.code = core::ProblemCode::origin_forbidden}, request);
}

core::Task<Response> PhoneApi::consume(Request const& request) {
  auto read_request = read(request);
  if (auto const* problem = std::get_if<core::Problem>(&read_request))
    co_return problem_response(*problem, request);
  auto& presented = std::get<core::ConsumeRequest>(read_request);
  core::ConsumeResult const result = co_await service_.consume(std::move(presented));
  Response response;
  if (auto const* number = std::get_if<core::PhoneNumber>(&result.answer)) {
    response.body = phone_json(*number, result.kind, request.request_id);
  } else {
    response = problem_response(std::get<core::Problem>(result.answer), request);
  }
  if (result.replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  co_return response;
}

std::variant<core::ConsumeRequest, core::Problem> PhoneApi::read(Request const& request) const {
  auto const body = core::parse_client_json(request.body);
  if (!body) return invalid("body: " + std::string(core::to_string(body.error())), false);
  BodyReader reader(*body);
  std::string_view const code = reader.required("code");
  if (reader.first_fault().empty()) check_code(reader, code);
  bool const code_was_read = reader.first_fault().empty();

  std::string_view const kind = reader.optional("kind");
  if (reader.has("kind") && kind != "quick" && kind != "realtime")
    reader.fault("kind must be quick or realtime");
  std::string_view const scene = reader.optional("scene");
  if (reader.has("scene") && !is_scene(scene)) reader.fault("scene must be 1 to 32 of A-Z a-z 0-9 _ . -");
  std::string_view const out_id = reader.optional("outId");
  bool const out_id_fits =
      !out_id.empty() && out_id.size() <= limits::out_id_bytes_max && is_visible_ascii(out_id);
  if (reader.has("outId") && !out_id_fits) reader.fault("outId must be 1 to 64 visible ASCII characters");
  std::string_view const encrypted_data = reader.optional("encryptedData");
  std::string_view const initialisation_vector = reader.optional("iv");
  if (encrypted_data.empty() != initialisation_vector.empty())
    reader.fault("encryptedData and iv come together");
  auto const key = read_idempotency_key(request);
  if (!key) reader.fault(key.error());
  if (!reader.first_fault().empty()) return invalid(reader.first_fault(), code_was_read);

  auto const origin = core::check_origin(request.header("Referer"), gate_.origin);
  core::ConsumeRequest presented{.code = core::Code(std::string(code)),
                                 .appid = appid_,
                                 .kind = kind == "realtime" ? core::Kind::realtime : core::Kind::quick,
                                 .caller = std::nullopt,
                                 .request_id = request.request_id,
                                 .scene = std::string(scene),
                                 .out_id = std::string(out_id),
                                 .client_env = origin ? origin->client_env : core::ClientEnv::unknown};
  if (!key->empty()) presented.caller = keyring_.caller_key(appid_, *key);
  return presented;
}

}  // namespace onetap::net
