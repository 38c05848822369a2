#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/task_group.hpp"
#include "net/wechat/wechat_client.hpp"
#include "tests/net/net_bench.hpp"

namespace onetap::tests {

using core::Delivery;
using core::TransportFailure;
using core::WeChatReply;

inline constexpr char ok_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

inline core::Task<WeChatReply> send_code(net::WeChatClient& client, core::Clock& clock,
                                         std::string token = "a-token",
                                         core::milliseconds answer_time = patience) {
  core::SteadyTime const deadline = clock.steady() + patience;
  auto line = client.take_line();
  WeChatReply reply =
      co_await client.get_user_phone_number(std::move(line), core::AccessToken(std::move(token)),
                                            core::Code("a-code"), core::OpenId(), answer_time, deadline);
  co_return reply;
}

/// Stands in WeChat's place and answers each request with the bytes a test wrote for it, whatever they are.
class WeChatPeer {
 public:
  struct Answer {
    std::string bytes;
    bool then_close = true;
    bool stays_silent = false;  // until the client leaves
    bool closes_when_told = false;
  };

  std::deque<Answer> answers;
  bool answers_always = false;  // ok_answer, and keeps the connection, where no answer is left
  bool hangs_up = false;        // on whoever connects, before TLS
  std::vector<std::string> requests;
  int connections = 0;
  int resumed = 0;  // of those whose handshake came to its end
  int open = 0;
  core::Signal hang_up;

  WeChatPeer(NetBench& bench, net::TlsContext its_tls, std::string const& address = "127.0.0.1",
             unsigned short port = 0)
      : tls(std::move(its_tls)),
        clock_(bench.clock),
        acceptor_(bench.loop, {asio::ip::make_address(address), port}),
        tasks_(bench.loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }) {
    tasks_.spawn(serve());
  }

  net::TlsContext tls;  // for connections from now on

  [[nodiscard]] unsigned short port() const { return port_; }
  void stop() { acceptor_.close(); }

 private:
  core::Task<> serve() {
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      ++connections;
      if (!hangs_up) tasks_.spawn(serve_one(net::Stream(std::move(socket), tls)));
    }
  }

  core::Task<> serve_one(net::Stream stream) {
    ++open;
    stream.expires_at(clock_.steady() + patience);
    net::error_code const handshaken = co_await stream.handshake();
    if (!handshaken) {
      if (stream.is_resumed()) ++resumed;
      co_await answer_requests(RawPeer(std::move(stream)));
    }
    --open;
  }

  core::Task<> answer_requests(RawPeer peer) {
    while (true) {
      Received const request = co_await peer.receive();
      if (request.closed) co_return;
      requests.push_back(request.head + request.body);
      Answer const answer = next_answer();
      [[maybe_unused]] net::error_code const written = co_await peer.stream().write(answer.bytes);
      if (answer.closes_when_told) {
        [[maybe_unused]] bool const told = co_await clock_.wait(hang_up, clock_.steady() + patience);
        co_return;
      }
      if (answer.stays_silent) {
        [[maybe_unused]] bool const left = co_await peer.ends();
        co_return;
      }
      if (answer.then_close) co_return;
    }
  }

  Answer next_answer() {
    if (answers.empty() && answers_always) return {.bytes = ok_answer, .then_close = false};
    REQUIRE_FALSE(answers.empty());
    Answer answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }

  core::Clock& clock_;
  net::tcp::acceptor acceptor_;
  unsigned short port_ = acceptor_.local_endpoint().port();
  net::TaskGroup tasks_;
};

/// One such peer, and a client that knows it.
struct PeerBench : NetBench {
  TestAuthority authority;
  WeChatPeer peer{*this, server_tls(authority.issue({}))};
  net::WeChatClient client{loop.get_executor(),
                           clock,
                           client_tls(authority.pem()),
                           {.addresses = {{.host = "127.0.0.1", .port = peer.port()}}}};

  void run(core::Task<> test) {
    NetBench::run(std::move(test), [this] {
      client.stop();
      peer.stop();
    });
    CHECK(peer.answers.empty());
  }

  core::Task<WeChatReply> send(core::milliseconds answer_time = patience) {
    return send_code(client, clock, "a-token", answer_time);
  }
};

}  // namespace onetap::tests
