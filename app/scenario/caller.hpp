#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/task.hpp"
#include "net/tls_context.hpp"

namespace onetap::app {

namespace asio = boost::asio;

/// An HTTPS server to be called: where it is, and whom to trust for it.
struct Target {
  std::string host;       // as in the certificate
  std::string authority;  // the Host field
  std::string base_path;  // empty, or begins with "/" and does not end with one
  std::vector<asio::ip::tcp::endpoint> endpoints;
  net::TlsContext tls;

  /// From "https://host:port/path" and PEM certificates (empty: the system's store). Resolves the name.
  [[nodiscard]] static core::Result<Target, std::string> make(std::string_view url, std::string_view ca_pem);
};

/// What came back. Without an answer `status` is 0 and `failure` says why.
struct CallAnswer {
  std::string failure;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// The first field of that name; empty when there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct CallRequest {
  std::string bytes;                // as they go out
  bool has_no_answer_body = false;  // HEAD
  core::milliseconds patience{10'000};
};

/// A request as bytes: exactly these headers; `target` with its query.
[[nodiscard]] std::string render_request(std::string_view method, std::string_view target,
                                         std::vector<std::pair<std::string, std::string>> const& headers,
                                         std::string_view body);

/// A client for commands that wait for what they ask: each call has a connection of its own, and calls
/// that were begun go on while someone waits for another one. Bytes go out unjudged, so that malformed
/// requests can be sent.
class Caller {
 public:
  class Call;

  Caller() = default;
  Caller(Caller const&) = delete;
  Caller& operator=(Caller const&) = delete;
  ~Caller() = default;

  [[nodiscard]] std::shared_ptr<Call> begin(Target const& target, CallRequest request);
  [[nodiscard]] CallAnswer wait(std::shared_ptr<Call> const& call);
  [[nodiscard]] CallAnswer call(Target const& target, CallRequest request) {
    return wait(begin(target, std::move(request)));
  }
  void pause(core::milliseconds time);

  /// From now on every wait ends at once (a signal came).
  void interrupt() { interrupted_ = true; }
  [[nodiscard]] bool is_interrupted() const { return interrupted_; }
  /// Runs until interrupt().
  void wait_for_interrupt();

  [[nodiscard]] asio::io_context& loop() { return loop_; }

 private:
  asio::io_context loop_{1};
  bool interrupted_ = false;
};

}  // namespace onetap::app
