#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "net/message.hpp"

namespace onetap::tests {

using net::Refusal;
namespace limits = core::limits;

inline std::optional<Refusal> const accepted;

/// A request's head: request line and fields, each with its line end already, or a whole of its own.
struct Row {
  std::string what;
  std::string head;
  std::optional<Refusal> expected;
};

inline std::string get_with(std::string const& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; }
inline std::string hosted(std::string const& fields) { return get_with("Host: a\r\n" + fields); }
inline std::string line(std::string const& request_line) { return request_line + "\r\nHost: a\r\n\r\n"; }

inline std::string repeated_fields(std::size_t count) {
  std::string fields;
  for (std::size_t i = 0; i < count; ++i) fields += "X-" + std::to_string(i) + ": 1\r\n";
  return fields;
}

inline std::string line_of(std::size_t bytes) {
  std::string const around = "GET / HTTP/1.1";
  return "GET /" + std::string(bytes - around.size(), 'a') + " HTTP/1.1";
}

inline std::string head_of(std::size_t bytes) {
  std::string const around = hosted("X: \r\n");
  return hosted("X: " + std::string(bytes - around.size(), 'a') + "\r\n");
}

inline std::vector<Row> framing_rows() {
  return {
      {"a plain GET", hosted(""), accepted},
      {"a POST with a length", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", accepted},
      {"length zero", hosted("Content-Length: 0\r\n"), accepted},
      {"a length with blanks around it", hosted("Content-Length: \t 5 \r\n"), accepted},
      {"a length with leading zeros", hosted("Content-Length: 005\r\n"), accepted},
      {"a length in any case", hosted("cOnTeNt-lEnGtH: 5\r\n"), accepted},
      {"two lengths, equal", hosted("Content-Length: 5\r\nContent-Length: 5\r\n"), Refusal::bad_request},
      {"two lengths, different", hosted("Content-Length: 5\r\nContent-Length: 6\r\n"), Refusal::bad_request},
      {"two lengths, one lower-case", hosted("Content-Length: 5\r\ncontent-length: 0\r\n"),
       Refusal::bad_request},
      {"a list of lengths", hosted("Content-Length: 5, 5\r\n"), Refusal::bad_request},
      {"a length with a sign", hosted("Content-Length: +5\r\n"), Refusal::bad_request},
      {"a negative length", hosted("Content-Length: -1\r\n"), Refusal::bad_request},
      {"a hexadecimal length", hosted("Content-Length: 0x5\r\n"), Refusal::bad_request},
      {"a length with a fraction", hosted("Content-Length: 5.0\r\n"), Refusal::bad_request},
      {"a length with an exponent", hosted("Content-Length: 1e1\r\n"), Refusal::bad_request},
      {"an empty length", hosted("Content-Length:\r\n"), Refusal::bad_request},
      {"a length of blanks", hosted("Content-Length:   \r\n"), Refusal::bad_request},
      {"a length with a blank in it", hosted("Content-Length: 5 5\r\n"), Refusal::bad_request},
      {"a length that overflows", hosted("Content-Length: 18446744073709551621\r\n"), Refusal::bad_request},
      {"a length in other digits", hosted("Content-Length: \xd9\xa5\r\n"), Refusal::bad_request},
      {"chunked", hosted("Transfer-Encoding: chunked\r\n"), Refusal::length_required},
      {"chunked in another case", hosted("tRANSFER-eNCODING: ChUnKeD\r\n"), Refusal::length_required},
      {"chunked with a length", hosted("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
       Refusal::length_required},
      {"a length after chunked", hosted("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
       Refusal::length_required},
      {"identity", hosted("Transfer-Encoding: identity\r\n"), Refusal::length_required},
      {"an odd coding", hosted("Transfer-Encoding: xchunked\r\n"), Refusal::length_required},
      {"a list of codings", hosted("Transfer-Encoding: gzip, chunked\r\n"), Refusal::length_required},
      {"an empty coding", hosted("Transfer-Encoding:\r\n"), Refusal::length_required},
      {"a coding twice", hosted("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
       Refusal::length_required},
      {"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
       Refusal::length_required},
      {"a coding whose name has a blank", hosted("Transfer-Encoding : chunked\r\n"), Refusal::bad_request},
      {"a coding whose name is folded", hosted("X: 1\r\n Transfer-Encoding: chunked\r\n"),
       Refusal::bad_request},
      {"a coding with a vertical tab", hosted("Transfer-Encoding: \vchunked\r\n"), Refusal::bad_request},
      {"a length behind a bare CR", hosted("X: 1\rContent-Length: 5\r\n"), Refusal::bad_request},
      {"a length behind a bare LF", hosted("X: 1\nContent-Length: 5\r\n"), Refusal::bad_request},
  };
}

inline std::vector<Row> field_rows() {
  return {
      {"no fields in HTTP/1.1", get_with(""), Refusal::bad_request},
      {"two hosts", hosted("Host: a\r\n"), Refusal::bad_request},
      {"two hosts, different", hosted("host: b\r\n"), Refusal::bad_request},
      {"a list of hosts", get_with("Host: a, b\r\n"), Refusal::bad_request},
      {"a host with a path", get_with("Host: a/b\r\n"), Refusal::bad_request},
      {"a host with user information", get_with("Host: u@a\r\n"), Refusal::bad_request},
      {"a host with a blank", get_with("Host: a b\r\n"), Refusal::bad_request},
      {"a host with a quote, brackets and a backslash", get_with("Host: a\"<>b\\c\r\n"),
       Refusal::bad_request},
      {"a host with a pipe", get_with("Host: a|b\r\n"), Refusal::bad_request},
      {"a host in other letters", get_with("Host: \xc3\xa4.cn\r\n"), Refusal::bad_request},
      {"a host with a port", get_with("Host: a:8443\r\n"), accepted},
      {"a host with each kind of character", get_with("Host: A-1_b.c~%20:1\r\n"), accepted},
      {"two content types", hosted("Content-Type: application/json\r\nContent-Type: text/plain\r\n"),
       Refusal::bad_request},
      {"two content types, equal",
       hosted("Content-Type: application/json\r\ncontent-type: application/json\r\n"), Refusal::bad_request},
      {"an IPv6 host", get_with("Host: [::1]:8443\r\n"), accepted},
      {"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", accepted},
      {"HTTP/1.0 with a host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", accepted},
      {"HTTP/1.0 with two hosts", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::bad_request},
      {"a folded value", hosted("X: 1\r\n 2\r\n"), Refusal::bad_request},
      {"a value folded by a tab", hosted("X: 1\r\n\t2\r\n"), Refusal::bad_request},
      {"a blank before the first field", get_with(" Host: a\r\n"), Refusal::bad_request},
      {"a blank before a colon", hosted("X : 1\r\n"), Refusal::bad_request},
      {"a tab before a colon", hosted("X\t: 1\r\n"), Refusal::bad_request},
      {"a field without a colon", hosted("X\r\n"), Refusal::bad_request},
      {"a field without a name", hosted(": 1\r\n"), Refusal::bad_request},
      {"a name in brackets", hosted("X[1]: 1\r\n"), Refusal::bad_request},
      {"a name that is not ASCII", hosted("X\xc3\xa9: 1\r\n"), Refusal::bad_request},
      {"a NUL in a name", hosted(std::string("X\0: 1\r\n", 7)), Refusal::bad_request},
      {"a NUL in a value", hosted(std::string("X: \0\r\n", 6)), Refusal::bad_request},
      {"a DEL in a value", hosted("X: \x7f\r\n"), Refusal::bad_request},
      {"an escape in a value", hosted("X: \x1b[2J\r\n"), Refusal::bad_request},
      {"a value that is not ASCII", hosted("X: \xe6\x89\x8b\r\n"), accepted},
      {"an empty value", hosted("X:\r\n"), accepted},
      {"a value with colons", hosted("X: a:b:c\r\n"), accepted},
      {"an upgrade", hosted("Connection: upgrade\r\nUpgrade: websocket\r\n"), Refusal::bad_request},
      {"an upgrade to HTTP/2", hosted("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), Refusal::bad_request},
      {"an expectation", hosted("Expect: 100-continue\r\n"), accepted},
      {"an expectation in any case", hosted("Expect: 100-Continue\r\n"), accepted},
      {"another expectation", hosted("Expect: 200-maybe\r\n"), Refusal::bad_request},
      {"an empty expectation", hosted("Expect:\r\n"), Refusal::bad_request},
      {"as many fields as may be", hosted(repeated_fields(limits::header_fields_max - 1)), accepted},
      {"one field more", hosted(repeated_fields(limits::header_fields_max)), Refusal::headers_too_large},
      {"as many bytes as may be", head_of(limits::header_bytes_max), accepted},
      {"one byte more", head_of(limits::header_bytes_max + 1), Refusal::headers_too_large},
  };
}

inline std::vector<Row> request_line_rows() {
  return {
      {"a target with a query", line("POST /a/b?c=d&e HTTP/1.1"), accepted},
      {"a target with escapes", line("GET /%E6%89%8B HTTP/1.1"), accepted},
      {"a method in lower case is a method, if not one of ours", line("get / HTTP/1.1"), accepted},
      {"a method of our own", line("M-SEARCH / HTTP/1.1"), accepted},
      {"absolute-form", line("GET http://a/ HTTP/1.1"), Refusal::bad_request},
      {"absolute-form with TLS", line("GET https://a/ HTTP/1.1"), Refusal::bad_request},
      {"authority-form", line("CONNECT a:443 HTTP/1.1"), Refusal::bad_request},
      {"CONNECT to a path", line("CONNECT / HTTP/1.1"), Refusal::bad_request},
      {"asterisk-form", line("OPTIONS * HTTP/1.1"), Refusal::bad_request},
      {"TRACE", line("TRACE / HTTP/1.1"), Refusal::bad_request},
      {"a relative target", line("GET a HTTP/1.1"), Refusal::bad_request},
      {"no target", line("GET HTTP/1.1"), Refusal::bad_request},
      {"an empty target", line("GET  HTTP/1.1"), Refusal::bad_request},
      {"two blanks", line("GET  / HTTP/1.1"), Refusal::bad_request},
      {"a tab for a blank", line("GET\t/\tHTTP/1.1"), Refusal::bad_request},
      {"a blank in the target", line("GET /a b HTTP/1.1"), Refusal::bad_request},
      {"a fragment", line("GET /a#b HTTP/1.1"), Refusal::bad_request},
      {"a target that is not ASCII", line("GET /\xe6\x89\x8b HTTP/1.1"), Refusal::bad_request},
      {"a NUL in the target", line(std::string("GET /\0 HTTP/1.1", 15)), Refusal::bad_request},
      {"a bare CR in the target", line("GET /\ra HTTP/1.1"), Refusal::bad_request},
      {"a blank before the method", line(" GET / HTTP/1.1"), Refusal::bad_request},
      {"a method with brackets", line("G(T / HTTP/1.1"), Refusal::bad_request},
      {"a blank at the end", line("GET / HTTP/1.1 "), Refusal::bad_request},
      {"HTTP/0.9", line("GET /"), Refusal::bad_request},
      {"HTTP/1.2", line("GET / HTTP/1.2"), Refusal::bad_request},
      {"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\n", Refusal::bad_request},
      {"HTTP/3", line("GET / HTTP/3"), Refusal::bad_request},
      {"HTTP/01.1", line("GET / HTTP/01.1"), Refusal::bad_request},
      {"a version in lower case", line("GET / http/1.1"), Refusal::bad_request},
      {"a version of another protocol", line("GET / RTSP/1.0"), Refusal::bad_request},
      {"no words", line(""), Refusal::bad_request},
      {"the longest line", line(line_of(limits::request_line_bytes_max)), accepted},
      {"one byte more", line(line_of(limits::request_line_bytes_max + 1)), Refusal::uri_too_long},
      {"nothing but line ends", "\r\n\r\n", Refusal::bad_request},
  };
}

inline std::vector<Row> all_rows() {
  std::vector<Row> rows = framing_rows();
  for (auto const& more : {field_rows(), request_line_rows()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace onetap::tests
