#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/scenario/caller.hpp"
#include "tests/support/child.hpp"
#include "tests/support/temp_folder.hpp"

namespace onetap::tests {

/// Sentences about what was not as it must be, from any thread.
class Findings {
 public:
  void miss(std::string sentence) {
    std::scoped_lock const lock(mutex_);
    sentences_.push_back(std::move(sentence));
  }
  [[nodiscard]] std::vector<std::string> all() const {
    std::scoped_lock const lock(mutex_);
    return sentences_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> sentences_;
};

/// What a page is answered; status 0: nothing.
struct Reply {
  int status = 0;
  std::string problem;  // its code
  bool has_number = false;
  bool replayed = false;
  std::optional<std::chrono::seconds> retry_after;

  [[nodiscard]] bool is_for_later() const { return status == 503 && retry_after; }
};

/// A page of one user: one request at a time, on a connection that it keeps.
class Page {
 public:
  explicit Page(boost::asio::ip::tcp::endpoint server) : server_(std::move(server)) {}

  /// Asks for the code's number once; the code is its request's id, too.
  [[nodiscard]] Reply present(std::string const& code, std::string const& caller);
  /// Asks again after each Retry-After, until anything else is the answer.
  [[nodiscard]] Reply present_obediently(std::string const& code, std::string const& caller);

 private:
  boost::asio::ip::tcp::endpoint server_;
  boost::asio::io_context loop_{1};
  std::unique_ptr<boost::beast::tcp_stream> stream_;
};

/// One call as the sandbox's journal has it.
struct SeenCall {
  std::int64_t at_ms = 0;
  std::string path;
  std::string code_digest;
  std::optional<std::int64_t> errcode;
  bool has_content_length = false;
  bool produced_number = false;
};

struct LogLine {
  std::int64_t at_ms = 0;
  std::string msg;
  boost::json::object fields;
};

struct LedgerRow {
  std::string state;
  std::int64_t attempts = 0;
};

inline constexpr std::string_view number_path = "/wxa/business/getuserphonenumber";
inline constexpr std::string_view stable_token_path = "/cgi-bin/stable_token";

/// A server, its ledger, and a sandbox of its own, each a process.
class World {
 public:
  World(std::string name, std::chrono::milliseconds wechat_timeout, Findings& findings);

  /// Starts the server, or ends it and starts it anew; where WeChat is unless it is the sandbox.
  void serve(std::string const& wechat_url = {});
  /// Ends it in order.
  void stop_server();

  [[nodiscard]] Page page() const { return Page(server_endpoint_); }
  /// So many pages at the same time, each on a thread; returns when all are done.
  void with_pages(int count, std::function<void(Page&, int)> const& play) const;
  void tell_sandbox(std::string_view path, boost::json::object const& body);

  /// A code of this world's own that nobody has presented; `test_code` is a line of the sandbox's table.
  [[nodiscard]] std::string new_code(std::string_view test_code);

  /// All calls so far. What the sandbox keeps of them is bounded: to be asked often enough.
  std::vector<SeenCall> const& calls();
  [[nodiscard]] std::vector<LogLine> log() const;
  [[nodiscard]] std::map<std::string, LedgerRow> rows() const;  // by code

  void miss(std::string const& sentence) const { findings_.miss(name_ + ": " + sentence); }
  /// Whatever happened: calls within recorded attempts, none after anything but a refusal before the code was
  /// looked at, all with Content-Length, tokens asked for every ten seconds at most, nothing sent while the
  /// circuit was open, pauses that double, and a ledger that verifies. At most `pages` codes were under way.
  void check(int pages);

 private:
  void check_calls();
  void check_tokens();
  void check_circuit(int pages);

  std::string name_;
  std::chrono::milliseconds wechat_timeout_;
  Findings& findings_;
  TempFolder folder_;
  app::Caller caller_;
  std::unique_ptr<Child> sandbox_;
  std::unique_ptr<Child> server_;
  int starts_ = 0;
  std::vector<std::filesystem::path> logs_;
  std::string sandbox_url_;
  std::optional<app::Target> sandbox_target_;
  boost::asio::ip::tcp::endpoint server_endpoint_;
  std::vector<SeenCall> calls_;
  std::int64_t codes_made_ = 0;
};

}  // namespace onetap::tests
