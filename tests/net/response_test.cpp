#include "net/server/response.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace onetap::net;

TEST_CASE("an answer is one buffer: status line, fields, empty line, body") {
  Response const response{.status = 200, .body = R"({"status":"ok"})"};
  CHECK(render(response, "r-1", true, false) ==
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: application/json\r\n"
        "Content-Length: 15\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "X-Request-Id: r-1\r\n"
        "\r\n"
        R"({"status":"ok"})");
}

TEST_CASE("the answer to HEAD counts the body and leaves it out") {
  Response const response{.body = "12345"};
  std::string const whole = render(response, "r-1", true, false);
  CHECK(render(response, "r-1", true, true) == whole.substr(0, whole.size() - 5));
}

TEST_CASE("an answer without a body has a length and no type") {
  std::string const text = render(Response{.status = 204}, "r-1", true, false);
  CHECK(text.starts_with("HTTP/1.1 204 No Content\r\n"));
  CHECK(text.find("Content-Type:") == std::string::npos);
  CHECK(text.ends_with("\r\n\r\n"));
}

TEST_CASE("the last answer says that it is the last") {
  CHECK(render(Response(), "r-1", false, false).find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(render(Response(), "r-1", true, false).find("Connection") == std::string::npos);
}

TEST_CASE("an answer's own fields are added") {
  Response response{.status = 405};
  response.headers.emplace_back("Allow", "GET, HEAD");
  CHECK(render(response, "r-1", true, false).find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
}

TEST_CASE("a raw answer is written as it is") {
  Response const response{.status = 200, .body = "not this", .raw = "HTTP/1.1 200 OK\r\nConten"};
  CHECK(render(response, "r-1", true, false) == "HTTP/1.1 200 OK\r\nConten");
  CHECK(render(Response{.raw = ""}, "r-1", true, false).empty());
}

TEST_CASE("every status that this server uses has its phrase") {
  struct Row {
    int status;
    char const* phrase;
  };
  for (Row const& row : {Row{200, "OK"},
                         Row{202, "Accepted"},
                         Row{400, "Bad Request"},
                         Row{401, "Unauthorized"},
                         Row{402, "Payment Required"},
                         Row{403, "Forbidden"},
                         Row{404, "Not Found"},
                         Row{405, "Method Not Allowed"},
                         Row{408, "Request Timeout"},
                         Row{409, "Conflict"},
                         Row{411, "Length Required"},
                         Row{413, "Payload Too Large"},
                         Row{414, "URI Too Long"},
                         Row{415, "Unsupported Media Type"},
                         Row{422, "Unprocessable Entity"},
                         Row{429, "Too Many Requests"},
                         Row{431, "Request Header Fields Too Large"},
                         Row{500, "Internal Server Error"},
                         Row{502, "Bad Gateway"},
                         Row{503, "Service Unavailable"}}) {
    CAPTURE(row.status);
    CHECK(reason_phrase(row.status) == row.phrase);
  }
}
