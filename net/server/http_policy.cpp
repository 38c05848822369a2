#include "net/server/http_policy.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <utility>

#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::net {
namespace {

namespace limits = core::limits;
using boost::beast::iequals;

// Where a character may stand.
enum Place : unsigned char {
  in_token = 1,        // RFC 9110 §5.6.2
  in_host = 2,         // a name, an address or an IPv6 literal, and a port (RFC 3986 §3.2.2)
  in_target = 4,       // visible ASCII, but for the fragment's sign
  in_field_value = 8,  // blanks and obs-text, too, but no control characters (RFC 9110 §5.5)
};

constexpr std::array<unsigned char, 256> places_of_characters = [] {
  constexpr std::string_view others_of_tokens = "!#$%&'*+-.^_`|~";
  constexpr std::string_view others_of_hosts = "-._~%!$&'()*+;=:[]";
  constexpr unsigned delete_character = 0x7f;
  std::array<unsigned char, 256> places{};
  for (unsigned byte = 0; byte < places.size(); ++byte) {
    auto const character = static_cast<char>(byte);
    bool const is_visible = byte > ' ' && byte != delete_character;
    unsigned found = 0;
    if (core::is_letter_or_digit(character)) found |= in_token | in_host;
    if (others_of_tokens.find(character) != std::string_view::npos) found |= in_token;
    if (others_of_hosts.find(character) != std::string_view::npos) found |= in_host;
    if (is_visible && byte < 0x80 && character != '#') found |= in_target;
    if (is_visible || character == ' ' || character == '\t') found |= in_field_value;
    places.at(byte) = static_cast<unsigned char>(found);
  }
  return places;
}();

bool is_all(std::string_view text, Place place) {
  return std::ranges::all_of(text, [place](char character) {
    return (places_of_characters[static_cast<unsigned char>(character)] & place) != 0;
  });
}

bool is_token(std::string_view text) { return !text.empty() && is_all(text, in_token); }

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  auto const first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool names_close(std::string_view list) {
  while (!list.empty()) {
    auto const comma = std::min(list.find(','), list.size());
    if (iequals(trim(list.substr(0, comma)), "close")) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  bool http_1_1 = false;
};

std::optional<RequestLine> parse_request_line(std::string_view line) {
  auto const first = line.find(' ');
  auto const last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  RequestLine const parsed{.method = line.substr(0, first),
                           .target = line.substr(first + 1, last - first - 1),
                           .http_1_1 = line.substr(last + 1) == "HTTP/1.1"};
  if (!parsed.http_1_1 && line.substr(last + 1) != "HTTP/1.0") return std::nullopt;
  if (!is_token(parsed.method) || parsed.method == "CONNECT" || parsed.method == "TRACE") return std::nullopt;
  bool const origin_form = parsed.target.starts_with('/') && is_all(parsed.target, in_target);
  if (!origin_form) return std::nullopt;
  return parsed;
}

std::optional<std::uint64_t> parse_length(std::string_view value) {
  constexpr std::size_t digits_max = 18;
  bool const digits_only =
      !value.empty() && value.size() <= digits_max &&
      std::ranges::all_of(value, [](char character) { return character >= '0' && character <= '9'; });
  if (!digits_only) return std::nullopt;
  std::uint64_t length = 0;
  std::from_chars(value.data(), value.data() + value.size(), length);
  return length;
}

// Walks over the fields; each rule that a field breaks ends the request.
class FieldJudge {
 public:
  explicit FieldJudge(RequestLine const& line) : http_1_1_(line.http_1_1) {
    constexpr std::size_t fields_about = 16;
    head_.method = line.method;
    head_.target = line.target;
    head_.headers.reserve(fields_about);
    head_.keeps_connection = line.http_1_1;
  }

  void take(std::string_view line) {
    auto const colon = line.find(':');
    bool const well_formed = colon != std::string_view::npos && is_token(line.substr(0, colon)) &&
                             is_all(line.substr(colon + 1), in_field_value);
    if (!well_formed) return refuse(Refusal::bad_request);  // obs-fold and a blank before the colon, too
    if (head_.headers.size() == limits::header_fields_max) return refuse(Refusal::headers_too_large);
    std::string_view const name = line.substr(0, colon);
    std::string_view const value = trim(line.substr(colon + 1));
    head_.headers.push_back({.name = name, .value = value});
    if (iequals(name, "Content-Length")) return take_length(value);
    if (iequals(name, "Transfer-Encoding")) return refuse(Refusal::length_required);
    if (iequals(name, "Host")) return take_host(value);
    if (iequals(name, "Connection") && names_close(value)) head_.keeps_connection = false;
    if (iequals(name, "Content-Type") && std::exchange(has_content_type_, true))
      return refuse(Refusal::bad_request);
    if (iequals(name, "Upgrade")) return refuse(Refusal::bad_request);
    if (iequals(name, "Expect")) return take_expectation(value);
  }

  RequestHead finish() {
    bool const host_missing = http_1_1_ ? hosts_ != 1 : hosts_ > 1;
    if (host_missing) refuse(Refusal::bad_request);
    return std::move(head_);
  }

 private:
  void refuse(Refusal refusal) {
    if (!head_.refusal) head_.refusal = refusal;
  }

  void take_length(std::string_view value) {
    auto const length = parse_length(value);
    if (!length || head_.has_content_length) return refuse(Refusal::bad_request);
    head_.content_length = *length;
    head_.has_content_length = true;
  }

  void take_host(std::string_view value) {
    if (!is_all(value, in_host)) return refuse(Refusal::bad_request);
    ++hosts_;
  }

  void take_expectation(std::string_view value) {
    if (!iequals(value, "100-continue")) return refuse(Refusal::bad_request);
    head_.expects_continue = http_1_1_;
  }

  bool http_1_1_;
  int hosts_ = 0;
  bool has_content_type_ = false;
  RequestHead head_;
};

}  // namespace

RequestHead parse_head(std::string_view head) {
  auto const line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return {.refusal = Refusal::bad_request};
  if (line_end > limits::request_line_bytes_max) return {.refusal = Refusal::uri_too_long};
  if (head.size() > limits::header_bytes_max) return {.refusal = Refusal::headers_too_large};
  auto const request_line = parse_request_line(head.substr(0, line_end));
  if (!request_line) return {.refusal = Refusal::bad_request};
  FieldJudge judge(*request_line);
  std::string_view rest = head.substr(line_end + 2);
  while (rest.size() > 2) {
    auto const end = rest.find("\r\n");
    judge.take(rest.substr(0, end));
    rest.remove_prefix(end + 2);
  }
  return judge.finish();
}

std::vector<Header> readable_fields(std::string_view head) {
  std::vector<Header> fields;
  auto end = head.find('\n');
  while (end != std::string_view::npos && fields.size() < limits::header_fields_max) {
    head.remove_prefix(end + 1);
    end = head.find('\n');
    std::string_view line = head.substr(0, end == std::string_view::npos ? 0 : end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto const colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    Header const field{.name = line.substr(0, colon), .value = trim(line.substr(colon + 1))};
    if (is_token(field.name) && is_all(field.value, in_field_value)) fields.push_back(field);
  }
  return fields;
}

std::size_t end_of_head(std::string_view bytes) {
  auto const end = bytes.find("\r\n\r\n");
  return end == std::string_view::npos ? 0 : end + 4;
}

std::optional<Refusal> judge_partial_head(std::string_view bytes) {
  auto const line_end = bytes.find("\r\n");
  std::size_t const line_bytes = std::min(line_end, bytes.size() - (bytes.ends_with('\r') ? 1 : 0));
  if (line_bytes > limits::request_line_bytes_max) return Refusal::uri_too_long;
  if (bytes.size() > limits::header_bytes_max) return Refusal::headers_too_large;
  // A line that ends without its CR would keep the client waiting for an end that never comes.
  for (auto feed = bytes.find('\n'); feed != std::string_view::npos; feed = bytes.find('\n', feed + 1)) {
    if (feed == 0 || bytes[feed - 1] != '\r') return Refusal::bad_request;
  }
  return std::nullopt;
}

}  // namespace onetap::net
