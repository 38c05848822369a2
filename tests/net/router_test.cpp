#include "net/server/router.hpp"

#include <doctest/doctest.h>

#include "net/api/health.hpp"
#include "net/api/problem_response.hpp"

using namespace onetap::net;

namespace {

Router three_routes() {
  return {{
              {.method = "GET", .path = "/healthz", .handle = healthz},
              {.method = "POST", .path = "/thing", .handle = healthz},
              {.method = "GET", .path = "/thing", .handle = healthz},
          },
          refusal_response};
}

}  // namespace

TEST_CASE("a route is found by its method and exact path") {
  Router const router = three_routes();
  Router::Match const match = router.match("POST", "/thing");
  REQUIRE(match.route != nullptr);
  CHECK(match.route->method == "POST");
  CHECK(match.route->path == "/thing");
  CHECK(router.match("GET", "/thing").route->method == "GET");
}

TEST_CASE("HEAD is served wherever GET is, and nowhere else") {
  Router const router = three_routes();
  REQUIRE(router.match("HEAD", "/healthz").route != nullptr);
  CHECK(router.match("HEAD", "/healthz").route->method == "GET");
  Router const only_post({{.method = "POST", .path = "/p", .handle = healthz}}, refusal_response);
  CHECK(only_post.match("HEAD", "/p").route == nullptr);
  CHECK(only_post.match("HEAD", "/p").refusal == Refusal::method_not_allowed);
}

TEST_CASE("a path that is not there is not found, whatever the method") {
  Router const router = three_routes();
  for (char const* const path :
       {"/", "", "/thing/", "/Thing", "/things", "//thing", "/thing?", "/%74hing", "/./thing"}) {
    CAPTURE(path);
    Router::Match const match = router.match("GET", path);
    CHECK(match.route == nullptr);
    CHECK(match.refusal == Refusal::not_found);
    CHECK(match.allowed_methods.empty());
  }
}

TEST_CASE("another method is told which ones are there") {
  Router const router = three_routes();
  Router::Match const thing = router.match("DELETE", "/thing");
  CHECK(thing.route == nullptr);
  CHECK(thing.refusal == Refusal::method_not_allowed);
  CHECK(thing.allowed_methods == "POST, GET, HEAD");
  CHECK(router.match("POST", "/healthz").allowed_methods == "GET, HEAD");
}

TEST_CASE("methods compare with case") {
  Router const router = three_routes();
  CHECK(router.match("get", "/healthz").refusal == Refusal::method_not_allowed);
  CHECK(router.match("", "/healthz").refusal == Refusal::method_not_allowed);
}

TEST_CASE("a refusal looks as the service words it") {
  Router const router = three_routes();
  Header const english{.name = "accept-language", .value = "en"};
  Request const request{.headers = {&english, 1}, .request_id = "r-1"};
  Response const response = router.refuse(Refusal::method_not_allowed, "GET, HEAD", request);
  CHECK(response.status == 405);
  CHECK(response.content_type == "application/problem+json");
  REQUIRE(response.headers.size() == 1);
  CHECK(response.headers.front() == std::pair<std::string, std::string>("Allow", "GET, HEAD"));
  CHECK(response.body.find("METHOD_NOT_ALLOWED") != std::string::npos);
  CHECK(response.body.find("This method is not supported here") != std::string::npos);
}

TEST_CASE("every refusal has the contract's status") {
  Router const router = three_routes();
  struct Row {
    Refusal refusal;
    int status;
  };
  for (Row const& row : {Row{Refusal::bad_request, 400}, Row{Refusal::not_found, 404},
                         Row{Refusal::method_not_allowed, 405}, Row{Refusal::unsupported_media_type, 415},
                         Row{Refusal::payload_too_large, 413}, Row{Refusal::uri_too_long, 414},
                         Row{Refusal::headers_too_large, 431}, Row{Refusal::length_required, 411},
                         Row{Refusal::request_timeout, 408}, Row{Refusal::internal, 500}}) {
    CAPTURE(row.status);
    CHECK(router.refuse(row.refusal, {}, Request()).status == row.status);
  }
}

TEST_CASE("an id in a path is 1 to 18 digits, and nothing else") {
  Router const router({{.method = "POST", .path = "/things/{id}/do", .handle = healthz}}, refusal_response);
  CHECK(router.match("POST", "/things/1/do").route != nullptr);
  CHECK(router.match("POST", "/things/123456789012345678/do").route != nullptr);
  for (char const* const path : {"/things//do", "/things/{id}/do", "/things/1a/do", "/things/-1/do",
                                 "/things/1/do/", "/things/1", "/things/1234567890123456789/do"}) {
    CAPTURE(path);
    CHECK(router.match("POST", path).route == nullptr);
  }
}

TEST_CASE("an appid in a path is 1 to 64 letters, digits, underscores and hyphens") {
  Router const router({{.method = "POST", .path = "/push", .handle = healthz},
                       {.method = "POST", .path = "/push/{appid}", .handle = healthz}},
                      refusal_response);
  for (std::string const& path : {std::string("/push"), std::string("/push/wx0123456789abcdef"),
                                  std::string("/push/a_B-9"), "/push/" + std::string(64, 'a')})
    CHECK_MESSAGE(router.match("POST", path).route != nullptr, path);
  for (std::string const& path :
       {std::string("/push/"), std::string("/push/{appid}"), std::string("/push/wx1/"),
        std::string("/push/wx%31"), std::string("/push/../x"), std::string("/pushwx1"),
        "/push/" + std::string(65, 'a')})
    CHECK_MESSAGE(router.match("POST", path).route == nullptr, path);
}
