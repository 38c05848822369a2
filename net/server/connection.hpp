#pragma once

#include <string>

#include "core/log.hpp"
#include "net/server/router.hpp"
#include "net/stream.hpp"

namespace onetap::net {

/// What a connection needs of its server; outlives it.
struct ConnectionContext {
  core::Clock& clock;
  core::Log& log;
  Router const& router;
  std::string const& listener;
  bool log_requests;
  bool const& stopping;  // true: close after the answer under way
};

/// One client's connection: reads a request, lets its route answer, writes the answer, and again.
class Connection {
 public:
  Connection(Stream stream, ConnectionContext context);

  /// Until either side ends it.
  [[nodiscard]] core::Task<> run();

  /// True between requests: nothing is lost when it is closed now.
  [[nodiscard]] bool idle() const { return idle_; }
  void close() { stream_.close(); }

 private:
  struct Head;
  enum class Next { keep, close };

  [[nodiscard]] core::Task<bool> read_head(std::string& head, std::optional<Refusal>& refusal);
  [[nodiscard]] core::Task<Next> serve_one(std::string head);
  [[nodiscard]] core::Task<std::optional<Refusal>> read_body(std::string& body, std::uint64_t size,
                                                             bool expects_continue);
  [[nodiscard]] core::Task<Response> answer(Request const& request, Route const& route);
  [[nodiscard]] core::Task<Next> refuse_head(Refusal refusal);
  [[nodiscard]] core::Task<Next> write(Request const& request, Response response, bool keep_alive,
                                       bool head_only);
  [[nodiscard]] std::string request_id(std::string_view offered) const;

  Stream stream_;
  ConnectionContext context_;
  std::string remote_address_;
  std::string unread_;  // received and not yet part of a request
  std::size_t requests_ = 0;
  bool idle_ = true;
};

}  // namespace onetap::net
