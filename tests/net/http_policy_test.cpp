#include "net/server/http_policy.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/net/hostile_requests.hpp"

using namespace onetap::net;
using namespace onetap::tests;
namespace limits = onetap::core::limits;

namespace {

void check(std::vector<Row> const& rows) {
  for (Row const& row : rows) {
    CAPTURE(row.what);
    REQUIRE(end_of_head(row.head) == row.head.size());
    CHECK(parse_head(row.head).refusal == row.expected);
  }
}

}  // namespace

TEST_CASE("a request's framing is clear or it is refused") { check(framing_rows()); }

TEST_CASE("a request's fields are well-formed or it is refused") { check(field_rows()); }

TEST_CASE("a request line is well-formed or it is refused") { check(request_line_rows()); }

TEST_CASE("the corpus is as large as promised") { CHECK(all_rows().size() >= 60); }

TEST_CASE("what stays legal as a whole stays legal in pieces") {
  for (Row const& row : all_rows()) {
    if (row.expected) continue;
    CAPTURE(row.what);
    for (std::size_t size = 0; size < row.head.size(); ++size) {
      REQUIRE_FALSE(judge_partial_head(std::string_view(row.head).substr(0, size)).has_value());
    }
  }
}

TEST_CASE("the framing tells the length, and whether the client waits for a go-ahead") {
  RequestHead const head =
      parse_head("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\nExpect: 100-continue\r\n\r\n");
  CHECK_FALSE(head.refusal.has_value());
  CHECK(head.has_content_length);
  CHECK(head.content_length == 16384);
  CHECK(head.expects_continue);
  RequestHead const plain = parse_head(hosted(""));
  CHECK_FALSE(plain.has_content_length);
  CHECK(plain.content_length == 0);
  CHECK_FALSE(plain.expects_continue);
}

TEST_CASE("whatever says close closes, and HTTP/1.0 always does") {
  auto const keeps = [](std::string const& fields) { return parse_head(hosted(fields)).keeps_connection; };
  CHECK(keeps(""));
  CHECK(keeps("Connection: keep-alive\r\n"));
  CHECK(keeps("Connection: closed, not-close\r\n"));
  CHECK(keeps("X-Connection: close\r\n"));
  CHECK_FALSE(keeps("Connection: close\r\n"));
  CHECK_FALSE(keeps("Connection: keep-alive\r\nConnection: close\r\n"));
  CHECK_FALSE(keeps("Connection: close\r\nConnection: keep-alive\r\n"));
  CHECK_FALSE(keeps("connection: keep-alive,\tCLOSE \r\n"));
  CHECK_FALSE(keeps("Connection: close,keep-alive\r\n"));
  CHECK_FALSE(parse_head("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").keeps_connection);
}

TEST_CASE("of a head that is refused the fields are read that can be read") {
  auto const read = [](std::string const& head) {
    std::string fields;
    for (Header const& field : readable_fields(head))
      fields += std::string(field.name) + "=" + std::string(field.value) + ";";
    return fields;
  };
  CHECK(read("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id:  1 \r\n\r\n") == "Host=a;X-Request-Id=1;");
  CHECK(read("nonsense\nA: 1\nB: 2\n\n") == "A=1;B=2;");
  CHECK(read("GET / HTTP/1.1\r\nA : 1\r\n folded: x\r\nnothing\r\nB: \x01\r\nC: 3\r\n\r\n") == "C=3;");
  CHECK(read("GET / HTTP/1.1\r\nA: 1\r\nB: not yet compl") == "A=1;");
  CHECK(read("A: 1").empty());
  CHECK(read("").empty());
  CHECK(readable_fields("GET / HTTP/1.1\r\n" + repeated_fields(1000)).size() == limits::header_fields_max);
}

TEST_CASE("an expectation of HTTP/1.0 is none") {
  RequestHead const head = parse_head("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  CHECK_FALSE(head.refusal.has_value());
  CHECK_FALSE(head.expects_continue);
}

TEST_CASE("a head ends after its empty line") {
  CHECK(end_of_head("") == 0);
  CHECK(end_of_head("GET / HTTP/1.1\r\n") == 0);
  CHECK(end_of_head("GET / HTTP/1.1\r\nHost: a\r\n\r") == 0);
  CHECK(end_of_head("GET / HTTP/1.1\n\n") == 0);
  std::string const head = hosted("");
  CHECK(end_of_head(head + "body\r\n\r\n") == head.size());
}

TEST_CASE("a head that can't become acceptable is refused before it ends") {
  std::string const longest = line_of(limits::request_line_bytes_max);
  CHECK_FALSE(judge_partial_head("").has_value());
  CHECK_FALSE(judge_partial_head("GET").has_value());
  CHECK_FALSE(judge_partial_head(longest).has_value());
  CHECK_FALSE(judge_partial_head(longest + "\r").has_value());
  CHECK_FALSE(judge_partial_head(longest + "\r\nHost: a\r\n").has_value());
  CHECK(judge_partial_head(longest + "a") == Refusal::uri_too_long);
  CHECK(judge_partial_head(line_of(limits::request_line_bytes_max + 1) + "\r\nHost: a\r\n") ==
        Refusal::uri_too_long);
  CHECK(judge_partial_head(std::string(100'000, 'a')) == Refusal::uri_too_long);
  std::string const endless = hosted("X: ").substr(0, hosted("X: ").size() - 2);
  CHECK_FALSE(
      judge_partial_head(endless + std::string(limits::header_bytes_max - endless.size(), 'a')).has_value());
  CHECK(judge_partial_head(endless + std::string(limits::header_bytes_max - endless.size() + 1, 'a')) ==
        Refusal::headers_too_large);
}

TEST_CASE("lines that end without CR are refused before the client waits in vain") {
  CHECK(judge_partial_head("GET / HTTP/1.1\nHost: a\n\n") == Refusal::bad_request);
  CHECK(judge_partial_head("GET / HTTP/1.1\r\nHost: a\n\r\n") == Refusal::bad_request);
  CHECK(judge_partial_head("\nGET / HTTP/1.1") == Refusal::bad_request);
}
