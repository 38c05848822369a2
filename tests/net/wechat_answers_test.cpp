#include <doctest/doctest.h>

#include <string>

#include "core/limits.hpp"
#include "net/wechat/https_client.hpp"
#include "tests/net/wechat_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// What becomes of one answer.
WeChatReply reply_to(WeChatPeer::Answer const& answer, core::milliseconds answer_time = patience) {
  PeerBench bench;
  bench.peer.answers.push_back(answer);
  WeChatReply reply;
  auto test = [&]() -> core::Task<> { reply = co_await bench.send(answer_time); };
  bench.run(test());
  CHECK(bench.peer.requests.size() == 1);
  return reply;
}

}  // namespace

TEST_CASE("a connection that ends without an answer leaves the request's fate unknown") {
  WeChatReply const reply = reply_to({.bytes = ""});
  CHECK(reply.delivery == Delivery::maybe_sent);
  CHECK(reply.failure == TransportFailure::connection_lost);
  CHECK_FALSE(reply.failure_detail.empty());
}

TEST_CASE("an answer that is cut leaves the request's fate unknown") {
  for (char const* const part :
       {"H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n"}) {
    CAPTURE(part);
    WeChatReply const reply = reply_to({.bytes = part});
    CHECK(reply.delivery == Delivery::maybe_sent);
    CHECK(reply.failure == TransportFailure::connection_lost);
    CHECK(reply.body.empty());
  }
}

TEST_CASE("an answer that does not tell its length could have been cut") {
  WeChatReply const reply = reply_to({.bytes = "HTTP/1.1 200 OK\r\n\r\n{\"errcode\":0}"});
  CHECK(reply.delivery == Delivery::maybe_sent);
  CHECK(reply.failure == TransportFailure::malformed);
  CHECK(reply.failure_detail == "an answer without its length");
}

TEST_CASE("what is not HTTP is malformed") {
  for (char const* const bytes : {"SSH-2.0-OpenSSH\r\n\r\n", "{\"errcode\":0}\r\n\r\n",
                                  "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}) {
    CAPTURE(bytes);
    WeChatReply const reply = reply_to({.bytes = bytes});
    CHECK(reply.delivery == Delivery::maybe_sent);
    CHECK(reply.failure == TransportFailure::malformed);
  }
}

TEST_CASE("an answer beyond the limits is not read") {
  std::string const limit = std::to_string(core::limits::wechat_answer_bytes_max);
  std::string const fitting(core::limits::wechat_answer_bytes_max, 'a');
  WeChatReply const largest =
      reply_to({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: " + limit + "\r\n\r\n" + fitting});
  CHECK(largest.delivery == Delivery::answered);
  CHECK(largest.body == fitting);

  std::string const beyond = std::to_string(core::limits::wechat_answer_bytes_max + 1);
  for (std::string const& bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: " + beyond + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + fitting + fitting,
        "HTTP/1.1 200 OK\r\nX: " + std::string(core::limits::wechat_header_bytes_max, 'a') + "\r\n\r\n"}) {
    CAPTURE(bytes.substr(0, 60));
    WeChatReply const reply = reply_to({.bytes = bytes, .stays_silent = true});
    CHECK(reply.delivery == Delivery::maybe_sent);
    CHECK(reply.failure == TransportFailure::too_large);
  }
}

TEST_CASE("an answer that does not come in time leaves the request's fate unknown") {
  for (char const* const part : {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"}) {
    CAPTURE(part);
    WeChatReply const reply = reply_to({.bytes = part, .stays_silent = true}, 100ms);
    CHECK(reply.delivery == Delivery::maybe_sent);
    CHECK(reply.failure == TransportFailure::timeout);
  }
}

TEST_CASE("an answer in chunks is an answer") {
  WeChatReply const reply = reply_to(
      {.bytes =
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n\r\n"});
  CHECK(reply.delivery == Delivery::answered);
  CHECK(reply.body == R"({"a":1})");
}

TEST_CASE("interim answers are skipped") {
  WeChatReply const reply = reply_to(
      {.bytes = std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n") +
                ok_answer});
  CHECK(reply.delivery == Delivery::answered);
  CHECK(reply.http_status == 200);
  CHECK(reply.body == "{}");
}

TEST_CASE("status and empty bodies are handed on unjudged") {
  WeChatReply const refused =
      reply_to({.bytes = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"});
  CHECK(refused.delivery == Delivery::answered);
  CHECK(refused.http_status == 412);
  CHECK(refused.body.empty());
  CHECK(refused.date.empty());
}
