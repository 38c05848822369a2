#pragma once

#include <optional>
#include <string>

#include "core/log.hpp"
#include "net/server/address_counts.hpp"
#include "net/server/newcomer.hpp"
#include "net/server/options.hpp"
#include "net/server/repeated_line.hpp"
#include "net/server/request_log.hpp"
#include "net/server/router.hpp"
#include "net/stream.hpp"

namespace onetap::net {

/// What the connections of a listener share; outlives them.
struct ConnectionContext {
  core::Clock& clock;
  core::Log& log;
  Router router;
  HttpServerOptions options;
  bool stopping = false;  // true: close after the answer under way
  AddressCounts addresses{};
  RequestLog requests{clock, log};
  RepeatedLine crowded_address{clock, log, "connections_of_address_full",
                               "one address holds ONETAP_MAX_CONNECTIONS_PER_IP connections"};
  RepeatedLine bad_proxy_header{
      clock, log, "proxy_header_refused",
      "ONETAP_PROXY_PROTOCOL=v2 takes trusted proxies that send it, and nobody else"};
  bool warned_of_proxy = false;

  /// For one more connection of this address: none, and told of, where it holds too many already. Who is
  /// not limited gets an empty one.
  [[nodiscard]] std::optional<AddressCounts::Place> place_for(asio::ip::address const& peer);
};

/// One client's connection: reads a request, lets its route answer, writes the answer, and again.
class Connection {
 public:
  Connection(Newcomer newcomer, ConnectionContext& context);

  /// Until either side ends it.
  [[nodiscard]] core::Task<> run();

  /// True between requests: nothing is lost when it is closed now.
  [[nodiscard]] bool idle() const { return idle_; }
  /// True until its first request: a client that has just come, and may be about to send it.
  [[nodiscard]] bool is_new() const { return requests_ == 0; }
  void close() { stream_.close(); }

 private:
  enum class Next { keep, close };

  struct Manner {
    bool keep_alive = false;
    bool head_only = false;
    RequestLog::Kind logged_as = RequestLog::Kind::of_its_own;
    Route const* route = nullptr;  // null: the request fits none
  };

  [[nodiscard]] core::Task<bool> learn_source();
  [[nodiscard]] core::Task<> serve_requests();
  [[nodiscard]] core::SteadyTime head_deadline() const;
  [[nodiscard]] core::Task<bool> read_head(std::string& head, std::optional<Refusal>& refusal);
  [[nodiscard]] core::Task<Next> serve_one(std::string head);
  void describe_sender(Request& request);
  void warn_of_proxy();
  [[nodiscard]] core::Task<std::optional<Refusal>> receive_body(std::uint64_t size, bool expects_continue);
  [[nodiscard]] core::Task<Response> answer(Request const& request, Route const& route) const;
  [[nodiscard]] core::Task<Next> refuse_head(Refusal refusal, std::string head);
  [[nodiscard]] core::Task<Next> write(Request const& request, Response response, Manner manner);
  void tell_observer(Request const& request, Response const& response, Route const* route) const;
  [[nodiscard]] std::string request_id(Request const& request) const;

  Stream stream_;
  ConnectionContext& context_;
  asio::ip::address peer_;  // with the PROXY protocol, whom the proxy speaks for
  std::string remote_address_;
  core::SteadyTime arrival_deadline_;
  AddressCounts::Place place_;
  std::string unread_;  // received and not yet part of a request
  std::size_t requests_ = 0;
  bool idle_ = true;
};

}  // namespace onetap::net
