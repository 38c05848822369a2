#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "net/server/http_server.hpp"
#include "tests/net/net_bench.hpp"

namespace onetap::tests {

using net::Refusal;
using net::Request;
using net::Response;
namespace limits = core::limits;

/// A server with routes that behave as tests need them.
struct ServerBench : NetBench {
  TestAuthority authority;
  core::Signal go_on;
  std::vector<std::string> handled;  // paths, when their handlers have ended
  bool waiting = false;              // a handler of /wait has begun
  std::unique_ptr<net::HttpServer> server;
  std::optional<net::TlsContext> trust;
  unsigned short port = 0;

  explicit ServerBench(bool with_tls = false, net::HttpServerOptions options = {}) {
    options.listener = "public";
    options.address = "127.0.0.1";
    if (with_tls) {
      options.tls = server_tls(authority.issue({}));
      trust = client_tls(authority.pem());
    }
    server = std::make_unique<net::HttpServer>(loop, clock, log, routes(), std::move(options));
    auto const bound = server->start();
    REQUIRE(bound.has_value());
    CHECK(bound->starts_with("127.0.0.1:"));
    port = port_of(*bound);
  }

  void run(core::Task<> test) {
    NetBench::run(std::move(test), [this] {
      server->stop();
      go_on.notify_all();
    });
    CHECK(server->connections() == 0);
  }

  core::Task<RawPeer> connect() { return RawPeer::connect(loop, port, trust); }

  /// As refusals are rendered here; the contract has the same.
  static int status_of(Refusal refusal) {
    switch (refusal) {
      case Refusal::bad_request: return 400;
      case Refusal::not_found: return 404;
      case Refusal::method_not_allowed: return 405;
      case Refusal::unsupported_media_type: return 415;
      case Refusal::payload_too_large: return 413;
      case Refusal::uri_too_long: return 414;
      case Refusal::headers_too_large: return 431;
      case Refusal::length_required: return 411;
      case Refusal::request_timeout: return 408;
      case Refusal::internal: break;
    }
    return 500;
  }

 private:
  static Response refuse(Refusal refusal, std::string_view allowed, Request const& request) {
    Response response{.status = status_of(refusal), .content_type = "text/plain", .body = "refused"};
    if (auto const language = request.header("Accept-Language"))
      response.body += " " + std::string(*language);
    if (!allowed.empty()) response.headers.emplace_back("Allow", allowed);
    return response;
  }

  core::Task<Response> echo(Request const& request) {
    handled.emplace_back(request.path);
    Response response{.content_type = "text/plain"};
    response.body = std::string(request.method) + " " + std::string(request.path) + "?" +
                    std::string(request.query) + " " + std::string(request.body);
    co_return response;
  }

  // What limits and signatures go by.
  static core::Task<Response> tell_sender(Request const& request) {
    std::string key;
    for (char const byte : request.limit_key) key += std::to_string(static_cast<unsigned char>(byte)) + ".";
    std::string const about =
        request.client_address + " " + key + " " + request.signed_target + " " + std::string(request.path);
    co_return Response{.content_type = "text/plain", .body = about};
  }

  core::Task<Response> wait(Request const& request) {
    waiting = true;
    [[maybe_unused]] bool const told = co_await clock.wait(go_on, clock.steady() + patience);
    Response response = co_await echo(request);
    co_return response;
  }

  // Takes longer than the limit of the body that came before it.
  core::Task<Response> outlast(Request const& request) {
    co_await clock.sleep_until(clock.steady() + clock.lag + 20ms);
    clock.lag = 0ms;
    Response response = co_await echo(request);
    co_return response;
  }

  static core::Task<Response> fail(Request const& request) {
    if (request.query == "odd")
      throw 7;  // NOLINT(cert-err09-cpp,cert-err61-cpp,misc-throw-by-value-catch-by-reference)
    throw std::runtime_error("the secret reason");
    co_return Response();
  }

  net::Router routes() {
    auto const echoes = [this](Request const& request) { return echo(request); };
    auto const waits = [this](Request const& request) { return wait(request); };
    auto const outlasts = [this](Request const& request) { return outlast(request); };
    auto const only_admitted = [](Request const& request) -> std::optional<Response> {
      if (request.header("X-Admitted")) return std::nullopt;
      return Response{.status = 403, .body = "no"};
    };
    auto const let_body_time_pass = [this](Request const&) -> std::optional<Response> {
      clock.lag = limits::body_time + 1s;
      return std::nullopt;
    };
    // More than the sockets of both sides hold, once its client has been given little time to read it.
    auto const large = [this](Request const&) -> core::Task<Response> {
      clock.lag = limits::write_time - 100ms;
      constexpr std::size_t bytes = 32UL * 1024 * 1024;
      co_return Response{.content_type = "text/plain", .body = std::string(bytes, 'x')};
    };
    auto const annotate = [](Response& response, Request const&) {
      response.headers.emplace_back("X-Annotated", "yes");
    };
    auto const limited = [](Request const&) -> core::Task<Response> {
      co_return Response{.status = 429, .problem = "RATE_LIMITED"};
    };
    auto const broken = [](Request const&) -> core::Task<Response> {
      co_return Response{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
    };
    auto const silent = [](Request const&) -> core::Task<Response> { co_return Response{.raw = ""}; };
    auto const last = [](Request const&) -> core::Task<Response> {
      co_return Response{.body = "bye", .close = true};
    };
    return {{{.method = "GET", .path = "/hello", .handle = echoes},
             {.method = "GET", .path = "/sender", .handle = tell_sender},
             {.method = "POST", .path = "/json", .body = net::Body::json, .handle = echoes},
             {.method = "POST", .path = "/any", .body = net::Body::any, .handle = echoes},
             {.method = "POST",
              .path = "/annotated",
              .body = net::Body::any,
              .handle = echoes,
              .annotate = annotate},
             {.method = "POST",
              .path = "/gate",
              .body = net::Body::json,
              .handle = echoes,
              .admit = only_admitted},
             {.method = "GET", .path = "/wait", .handle = waits},
             {.method = "POST",
              .path = "/outlast",
              .body = net::Body::any,
              .handle = outlasts,
              .admit = let_body_time_pass},
             {.method = "GET", .path = "/fail", .handle = fail},
             {.method = "GET", .path = "/broken", .handle = broken},
             {.method = "GET", .path = "/silent", .handle = silent},
             {.method = "GET", .path = "/last", .handle = last},
             {.method = "GET", .path = "/large", .handle = large},
             {.method = "GET", .path = "/limited", .handle = limited},
             {.method = "GET", .path = "/healthz", .handle = echoes}},
            refuse};
  }
};

inline std::string get(std::string const& path, std::string const& fields = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

inline std::string post(std::string const& path, std::string const& body, std::string const& fields = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

}  // namespace onetap::tests
