#include "net/server/http_policy.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <utility>

#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::net {
namespace {

namespace limits = core::limits;
using boost::beast::iequals;

bool is_token_character(char character) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return core::is_letter_or_digit(character) || others.find(character) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  auto const first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_visible(char character) {
  auto const byte = static_cast<unsigned char>(character);
  return byte > 0x20 && byte != 0x7f;
}

// A field's value may hold blanks and obs-text, but no control characters (RFC 9110 §5.5).
bool is_field_value(std::string_view value) {
  return std::ranges::all_of(
      value, [](char character) { return is_visible(character) || character == ' ' || character == '\t'; });
}

// Of a name, an address or an IPv6 literal, and a port (RFC 3986 §3.2.2).
bool is_host_character(char character) {
  constexpr std::string_view others = "-._~%!$&'()*+;=:[]";
  return core::is_letter_or_digit(character) || others.find(character) != std::string_view::npos;
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
  bool const origin_form =
      parsed.target.starts_with('/') && std::ranges::all_of(parsed.target, [](char character) {
        return is_visible(character) && static_cast<unsigned char>(character) < 0x80 && character != '#';
      });
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
  explicit FieldJudge(bool http_1_1) : http_1_1_(http_1_1) { framing_.keeps_connection = http_1_1; }

  void take(std::string_view line) {
    auto const colon = line.find(':');
    bool const well_formed = colon != std::string_view::npos && is_token(line.substr(0, colon)) &&
                             is_field_value(line.substr(colon + 1));
    if (!well_formed) return refuse(Refusal::bad_request);  // obs-fold and a blank before the colon, too
    if (++fields_ > limits::header_fields_max) return refuse(Refusal::headers_too_large);
    std::string_view const name = line.substr(0, colon);
    std::string_view const value = trim(line.substr(colon + 1));
    if (iequals(name, "Content-Length")) return take_length(value);
    if (iequals(name, "Transfer-Encoding")) return refuse(Refusal::length_required);
    if (iequals(name, "Host")) return take_host(value);
    if (iequals(name, "Connection") && names_close(value)) framing_.keeps_connection = false;
    if (iequals(name, "Content-Type") && std::exchange(has_content_type_, true))
      return refuse(Refusal::bad_request);
    if (iequals(name, "Upgrade")) return refuse(Refusal::bad_request);
    if (iequals(name, "Expect")) return take_expectation(value);
  }

  HeadFraming finish() {
    bool const host_missing = http_1_1_ ? hosts_ != 1 : hosts_ > 1;
    if (host_missing) refuse(Refusal::bad_request);
    return framing_;
  }

 private:
  void refuse(Refusal refusal) {
    if (!framing_.refusal) framing_.refusal = refusal;
  }

  void take_length(std::string_view value) {
    auto const length = parse_length(value);
    if (!length || framing_.has_content_length) return refuse(Refusal::bad_request);
    framing_.content_length = *length;
    framing_.has_content_length = true;
  }

  void take_host(std::string_view value) {
    if (!std::ranges::all_of(value, is_host_character)) return refuse(Refusal::bad_request);
    ++hosts_;
  }

  void take_expectation(std::string_view value) {
    if (!iequals(value, "100-continue")) return refuse(Refusal::bad_request);
    framing_.expects_continue = http_1_1_;
  }

  bool http_1_1_;
  std::size_t fields_ = 0;
  int hosts_ = 0;
  bool has_content_type_ = false;
  HeadFraming framing_;
};

}  // namespace

HeadFraming judge_head(std::string_view head) {
  auto const line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return {.refusal = Refusal::bad_request};
  if (line_end > limits::request_line_bytes_max) return {.refusal = Refusal::uri_too_long};
  if (head.size() > limits::header_bytes_max) return {.refusal = Refusal::headers_too_large};
  auto const request_line = parse_request_line(head.substr(0, line_end));
  if (!request_line) return {.refusal = Refusal::bad_request};
  FieldJudge judge(request_line->http_1_1);
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
    if (is_token(field.name) && is_field_value(field.value)) fields.push_back(field);
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
