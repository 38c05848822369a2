#include "app/systemd.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <list>

#include "tests/support/temp_folder.hpp"

namespace onetap::tests {
namespace {

namespace asio = boost::asio;
using app::Environment;
using app::InheritedSocket;
using asio::ip::tcp;

/// Descriptors as systemd hands them over: one after the other.
class HandedOver {
 public:
  ~HandedOver() {
    for (int i = 0; i < count_; ++i) ::close(first + i);
  }

  /// Its port.
  std::uint16_t listen(char const* address) {
    acceptors_.emplace_back(loop_, tcp::endpoint(asio::ip::make_address(address), 0));
    add(acceptors_.back().native_handle());
    return acceptors_.back().local_endpoint().port();
  }
  void add(int descriptor) { REQUIRE(::dup2(descriptor, first + count_++) >= 0); }

  [[nodiscard]] Environment environment(std::string names) const {
    return {{"LISTEN_PID", std::to_string(::getpid())},
            {"LISTEN_FDS", std::to_string(count_)},
            {"LISTEN_FDNAMES", std::move(names)}};
  }

  static constexpr int first = 300;  // far from what doctest has open

 private:
  asio::io_context loop_;
  std::list<tcp::acceptor> acceptors_;
  int count_ = 0;
};

std::string refusal(Environment const& environment) {
  auto const sockets = app::inherited_sockets(environment, HandedOver::first);
  REQUIRE_FALSE(sockets.has_value());
  return sockets.error();
}

/// The end at which systemd listens.
class NotifySocket {
 public:
  explicit NotifySocket(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(address.sun_path), path_.data(), path_.size());
    if (path_.starts_with('@')) address.sun_path[0] = '\0';
    auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr const*>(&address), size) == 0);
  }
  NotifySocket(NotifySocket const&) = delete;
  NotifySocket& operator=(NotifySocket const&) = delete;
  ~NotifySocket() { ::close(socket_); }

  [[nodiscard]] Environment environment() const { return {{"NOTIFY_SOCKET", path_}}; }

  /// What was told, or nothing.
  [[nodiscard]] std::string heard() const {
    std::array<char, 100> text{};
    ssize_t const size = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  std::string path_;
  int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

app::Settings listening_on(app::ListenAddress address) {
  app::Settings settings;
  settings.listen = std::move(address);
  settings.admin_listen = {.address = "127.0.0.1", .port = 8444};
  return settings;
}

}  // namespace

TEST_CASE("sockets that systemd hands over are known by their names and addresses") {
  HandedOver handed;
  std::uint16_t const operator_port = handed.listen("127.0.0.1");
  std::uint16_t const public_port = handed.listen("::1");
  auto const sockets = app::inherited_sockets(handed.environment("operator:public"), HandedOver::first);
  REQUIRE(sockets.has_value());
  REQUIRE(sockets->size() == 2);
  CHECK(sockets->at(0).name == "operator");
  CHECK(sockets->at(0).descriptor == HandedOver::first);
  CHECK(sockets->at(0).address == app::ListenAddress{.address = "127.0.0.1", .port = operator_port});
  CHECK(sockets->at(1).name == "public");
  CHECK(sockets->at(1).address == app::ListenAddress{.address = "::1", .port = public_port});
  CHECK((::fcntl(HandedOver::first, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("without systemd, or with another process's variables, no socket is handed over") {
  HandedOver handed;
  handed.listen("127.0.0.1");
  Environment environment;
  SUBCASE("none") {}
  SUBCASE("another process's") {
    environment = handed.environment("public");
    environment["LISTEN_PID"] = "1";
  }
  SUBCASE("no number") {
    environment = handed.environment("public");
    environment["LISTEN_FDS"] = "x";
  }
  auto const sockets = app::inherited_sockets(environment, HandedOver::first);
  REQUIRE(sockets.has_value());
  CHECK(sockets->empty());
}

TEST_CASE("a socket that nobody would answer on is refused with its name") {
  HandedOver handed;
  handed.listen("127.0.0.1");
  CHECK(refusal(handed.environment("metrics")).find("\"metrics\"") != std::string::npos);
  CHECK(refusal(handed.environment("")).find("FileDescriptorName=") != std::string::npos);
  handed.listen("127.0.0.1");
  CHECK(refusal(handed.environment("public:public")).find("twice") != std::string::npos);
}

TEST_CASE("what is no listening TCP socket is refused") {
  HandedOver handed;
  TempFolder folder;
  NotifySocket const datagrams((folder / "notify").string());
  int const other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  handed.add(other);
  ::close(other);
  CHECK(refusal(handed.environment("public")).find("no listening TCP socket") != std::string::npos);
}

TEST_CASE("a socket's address is where to listen, unless another is set, which is refused") {
  std::vector<InheritedSocket> const sockets{
      {.name = "public", .descriptor = 3, .address = {.address = "0.0.0.0", .port = 443}},
      {.name = "operator", .descriptor = 4, .address = {.address = "::1", .port = 8444}}};
  Environment const unset = app::with_addresses({}, sockets);
  CHECK(unset.at("ONETAP_LISTEN") == "0.0.0.0:443");
  CHECK(unset.at("ONETAP_ADMIN_LISTEN") == "[::1]:8444");
  CHECK(app::with_addresses({{"ONETAP_LISTEN", "127.0.0.1:1"}}, sockets).at("ONETAP_LISTEN") ==
        "127.0.0.1:1");

  std::vector<InheritedSocket> const one{sockets.front()};
  CHECK_FALSE(app::fault_of_sockets(one, listening_on({.address = "0.0.0.0", .port = 443})));
  CHECK_FALSE(app::fault_of_sockets(one, listening_on({.address = "0.0.0.0", .port = 0})));
  CHECK(app::fault_of_sockets(one, listening_on({.address = "0.0.0.0", .port = 8443})));
  auto const fault = app::fault_of_sockets(one, listening_on({.address = "127.0.0.1", .port = 443}));
  REQUIRE(fault);
  CHECK(*fault ==
        "ONETAP_LISTEN: is 127.0.0.1:443, but systemd listens on 0.0.0.0:443 (the socket \"public\"); change "
        "it with systemctl edit, or leave ONETAP_LISTEN unset");
}

TEST_CASE("the supervisor hears what it is told, at a path and at an abstract name") {
  TempFolder folder;
  for (std::string const& path :
       {(folder / "notify").string(), "@onetap-test-" + std::to_string(::getpid())}) {
    CAPTURE(path);
    NotifySocket const systemd(path);
    app::Supervisor const supervisor(systemd.environment());
    supervisor.tell("READY=1");
    CHECK(systemd.heard() == "READY=1");
    CHECK(systemd.heard().empty());
    CHECK_FALSE(supervisor.watchdog());
  }
}

TEST_CASE("a supervisor that is not there, or has gone, or does not read, is no trouble") {
  app::Supervisor({}).tell("READY=1");
  TempFolder folder;
  app::Supervisor({{"NOTIFY_SOCKET", (folder / "none").string()}}).tell("READY=1");
  app::Supervisor({{"NOTIFY_SOCKET", std::string(200, 'x')}}).tell("READY=1");
  NotifySocket const systemd((folder / "notify").string());
  app::Supervisor const supervisor(systemd.environment());
  for (int i = 0; i < 10'000; ++i) supervisor.tell("WATCHDOG=1");  // more than its queue takes
  CHECK(systemd.heard() == "WATCHDOG=1");
}

TEST_CASE("the watchdog's patience is this process's alone") {
  TempFolder folder;
  NotifySocket const systemd((folder / "notify").string());
  Environment environment = systemd.environment();
  environment["WATCHDOG_USEC"] = "30000000";
  CHECK(app::Supervisor(environment).watchdog() == std::chrono::seconds(30));
  environment["WATCHDOG_PID"] = std::to_string(::getpid());
  CHECK(app::Supervisor(environment).watchdog() == std::chrono::seconds(30));
  environment["WATCHDOG_PID"] = "1";
  CHECK_FALSE(app::Supervisor(environment).watchdog());
  environment.erase("WATCHDOG_PID");
  environment["WATCHDOG_USEC"] = "0";
  CHECK_FALSE(app::Supervisor(environment).watchdog());
}

TEST_CASE("credentials are the files of secrets that are not set otherwise") {
  TempFolder folder;
  for (char const* const name : {"onetap_SECRET", "onetap_ONETAP_ADMIN_TOKEN", "onetap_ONETAP_PUSH_TOKEN"})
    std::ofstream(folder / name) << "text";
  Environment const environment = app::with_credentials({{"CREDENTIALS_DIRECTORY", folder.path().string()},
                                                         {"SECRET", ""},
                                                         {"ONETAP_ADMIN_TOKEN", "of the environment"},
                                                         {"ONETAP_PUSH_TOKEN_FILE", "/elsewhere"}});
  CHECK(environment.at("SECRET_FILE") == (folder / "onetap_SECRET").string());
  CHECK_FALSE(environment.contains("ONETAP_ADMIN_TOKEN_FILE"));
  CHECK(environment.at("ONETAP_PUSH_TOKEN_FILE") == "/elsewhere");
  CHECK_FALSE(environment.contains("ONETAP_SERVICE_TOKEN_FILE"));
  CHECK(app::with_credentials({}).empty());
}

}  // namespace onetap::tests
