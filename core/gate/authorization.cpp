#include "core/gate/authorization.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <system_error>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::core {
namespace {

using namespace authorization;

constexpr std::string_view bearer_scheme = "Bearer";
constexpr std::string_view signed_scheme = "ONETAP-HMAC-SHA256";

bool is_word_character(char c) { return is_letter_or_digit(c) || c == '_' || c == '-'; }

bool equal_without_case(std::string_view left, std::string_view right) {
  auto const lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  };
  return std::ranges::equal(left, right, {}, lower, lower);
}

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// Takes `name="value"` off the front; none when it is not one.
std::optional<std::pair<std::string_view, std::string_view>> take_parameter(std::string_view& text) {
  auto const equals = text.find('=');
  if (equals == std::string_view::npos || equals + 1 >= text.size() || text[equals + 1] != '"')
    return std::nullopt;
  auto const end = text.find('"', equals + 2);
  if (end == std::string_view::npos) return std::nullopt;
  std::pair parameter{text.substr(0, equals), text.substr(equals + 2, end - equals - 2)};
  text.remove_prefix(end + 1);
  return parameter;
}

struct Parameters {
  std::array<std::string_view, 5> values;
  static constexpr std::array<std::string_view, 5> names{"session", "key", "timestamp", "nonce_str",
                                                         "signature"};
  std::array<bool, 5> given{};
};

/// A reason, when the list is not one of our five parameters, each once.
std::optional<std::string_view> read_parameters(std::string_view text, Parameters& parameters) {
  while (true) {
    skip_spaces(text);
    auto const parameter = take_parameter(text);
    if (!parameter) return "not a list of name=\"value\"";
    auto const* const name = std::ranges::find(Parameters::names, parameter->first);
    if (name == Parameters::names.end()) return "unknown parameter";
    auto const index = static_cast<std::size_t>(name - Parameters::names.begin());
    if (std::exchange(parameters.given.at(index), true)) return "repeated parameter";
    parameters.values.at(index) = parameter->second;
    skip_spaces(text);
    if (text.empty()) break;
    if (text.front() != ',') return "not a list of name=\"value\"";
    text.remove_prefix(1);
  }
  return std::ranges::all_of(parameters.given, std::identity()) ? std::nullopt
                                                                : std::optional("missing parameter");
}

bool is_word(std::string_view text, std::size_t size_min, std::size_t size_max) {
  return text.size() >= size_min && text.size() <= size_max && std::ranges::all_of(text, is_word_character);
}

std::optional<std::int64_t> read_number(std::string_view digits, std::size_t digits_max) {
  std::int64_t number = 0;
  auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  bool const whole = error == std::errc() && end == digits.data() + digits.size();
  bool const plain = !digits.empty() && digits.size() <= digits_max && digits.front() != '-';
  return whole && plain ? std::optional(number) : std::nullopt;
}

SessionId id_of_text(std::string_view token) { return {crypto::sha256(token)}; }

Authorization read_signed(std::string_view text) {
  Parameters parameters;
  if (auto const reason = read_parameters(text, parameters)) return Malformed{*reason};
  auto const& [session, key, timestamp, nonce_str, signature] = parameters.values;
  Signed read{.session = {},
              .user_key_version = std::nullopt,
              .timestamp = std::string(timestamp),
              .nonce_str = std::string(nonce_str),
              .signature = {}};
  if (!is_word(session, limits::session_token_bytes, limits::session_token_bytes))
    return Malformed{"session"};
  constexpr std::string_view user_key = "wechat:";
  if (key.starts_with(user_key)) {
    read.user_key_version = read_number(key.substr(user_key.size()), 18);
    if (!read.user_key_version) return Malformed{"key"};
  } else if (key != "session") {
    return Malformed{"key"};
  }
  if (!read_number(timestamp, 11)) return Malformed{"timestamp"};
  if (!is_word(nonce_str, limits::nonce_bytes_min, limits::nonce_bytes_max)) return Malformed{"nonce_str"};
  auto decoded = crypto::from_base64(signature);
  if (!decoded || decoded->size() != sizeof(crypto::Digest)) return Malformed{"signature"};
  read.signature = std::move(*decoded);
  read.session = id_of_text(session);
  return read;
}

}  // namespace

SessionId id_of(SessionToken const& token) { return id_of_text(token.reveal()); }

Authorization parse_authorization(std::string_view field) {
  auto const end = std::min(field.find_first_of(" \t"), field.size());
  std::string_view const scheme = field.substr(0, end);
  bool const is_signed = equal_without_case(scheme, signed_scheme);
  if (!is_signed && !equal_without_case(scheme, bearer_scheme)) return None{};
  std::string_view rest = field.substr(end);
  if (rest.starts_with('\t')) return Malformed{"a tab after the scheme"};
  skip_spaces(rest);
  if (is_signed) return read_signed(rest);
  if (rest.empty()) return Malformed{"an empty Bearer"};
  bool const may_be_session = rest.size() == limits::session_token_bytes;
  return Bearer{.token = SessionToken(std::string(rest)),
                .session = may_be_session ? id_of_text(rest) : SessionId()};
}

}  // namespace onetap::core
