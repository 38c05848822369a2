#include "app/systemd.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <utility>

#include "app/options.hpp"

namespace onetap::app {
namespace {

constexpr std::array listeners{
    std::pair{std::string_view("public"), std::string_view("ONETAP_LISTEN")},
    std::pair{std::string_view("operator"), std::string_view("ONETAP_ADMIN_LISTEN")}};

std::string_view text_of(Environment const& environment, std::string_view variable) {
  auto const found = environment.find(variable);
  return found == environment.end() ? std::string_view() : std::string_view(found->second);
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The n-th of names with colons between; systemd says "unknown" where it has none.
std::string_view nth_name(std::string_view names, std::size_t n) {
  for (; n > 0; --n) {
    std::size_t const colon = names.find(':');
    names = colon == std::string_view::npos ? std::string_view() : names.substr(colon + 1);
  }
  return names.substr(0, names.find(':'));
}

std::optional<std::string_view> variable_of(std::string_view name) {
  auto const* const found = std::ranges::find(listeners, name, [](auto const& each) { return each.first; });
  if (found == listeners.end()) return std::nullopt;
  return found->second;
}

std::optional<ListenAddress> bound_address(int descriptor) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0)
    return std::nullopt;
  boost::asio::ip::tcp::endpoint endpoint;
  auto capacity = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(descriptor, endpoint.data(), &capacity) != 0) return std::nullopt;
  int const family = endpoint.data()->sa_family;
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  endpoint.resize(capacity);
  return ListenAddress{.address = endpoint.address().to_string(), .port = endpoint.port()};
}

std::string to_text(ListenAddress const& address) {
  bool const is_v6 = address.address.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.address + "]" : address.address) + ":" + std::to_string(address.port);
}

ListenAddress const& address_for(std::string_view name, Settings const& settings) {
  return name == listeners[0].first ? settings.listen : settings.admin_listen;
}

}  // namespace

core::Result<std::vector<InheritedSocket>, std::string> inherited_sockets(Environment const& environment,
                                                                          int first_descriptor) {
  using Sockets = core::Result<std::vector<InheritedSocket>, std::string>;
  std::vector<InheritedSocket> sockets;
  auto const count = number_in<int>(text_of(environment, "LISTEN_FDS"));
  bool const is_ours = number_in<::pid_t>(text_of(environment, "LISTEN_PID")) == ::getpid();
  if (!is_ours || !count) return Sockets(boost::system::in_place_value, std::move(sockets));
  std::string_view const names = text_of(environment, "LISTEN_FDNAMES");
  for (int i = 0; i < *count; ++i) {
    int const descriptor = first_descriptor + i;
    std::string name(nth_name(names, static_cast<std::size_t>(i)));
    std::string const which = "the socket \"" + name + "\" that systemd hands over ";
    if (!variable_of(name)) return which + "has no use here: set FileDescriptorName= to public or operator";
    if (std::ranges::count(sockets, name, &InheritedSocket::name) > 0)
      return which + "comes twice: each listener has one address";
    auto const address = bound_address(descriptor);
    if (!address) return which + "is no listening TCP socket";
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    sockets.push_back({.name = std::move(name), .descriptor = descriptor, .address = *address});
  }
  return Sockets(boost::system::in_place_value, std::move(sockets));
}

Supervisor::Supervisor(Environment const& environment) : path_(text_of(environment, "NOTIFY_SOCKET")) {
  if (path_.empty() || path_.size() >= sizeof(sockaddr_un::sun_path)) return;
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::string_view const pid = text_of(environment, "WATCHDOG_PID");
  if (!pid.empty() && number_in<::pid_t>(pid) != ::getpid()) return;
  auto const patience = number_in<std::int64_t>(text_of(environment, "WATCHDOG_USEC"));
  if (patience && *patience > 0) watchdog_ = std::chrono::microseconds(*patience);
}

Supervisor::Supervisor(Supervisor&& other) noexcept
    : path_(std::move(other.path_)),
      socket_(std::exchange(other.socket_, -1)),
      watchdog_(std::exchange(other.watchdog_, std::nullopt)) {}

Supervisor::~Supervisor() {
  if (socket_ >= 0) ::close(socket_);
}

void Supervisor::tell(std::string_view state) const {
  if (socket_ < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path_.data(), path_.size());
  if (path_.starts_with('@')) address.sun_path[0] = '\0';
  auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  // Nobody there, or nobody who reads: the watchdog's business.
  static_cast<void>(::sendto(socket_, state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             reinterpret_cast<sockaddr const*>(&address), size));
}

Environment with_credentials(Environment environment) {
  std::filesystem::path const folder(text_of(environment, "CREDENTIALS_DIRECTORY"));
  if (folder.empty()) return environment;
  for (Option const& option : options()) {
    if (!option.secret) continue;
    std::string const file_variable = option.file_variable();
    bool const is_set =
        !text_of(environment, option.variable).empty() || !text_of(environment, file_variable).empty();
    std::filesystem::path const file = folder / ("onetap_" + std::string(option.variable));
    std::error_code ignored;
    if (!is_set && std::filesystem::exists(file, ignored)) environment[file_variable] = file.string();
  }
  return environment;
}

Environment process_environment() { return with_credentials(environment_from(environ)); }

Environment with_addresses(Environment environment, std::vector<InheritedSocket> const& sockets) {
  for (InheritedSocket const& socket : sockets) {
    std::string const variable(*variable_of(socket.name));
    if (text_of(environment, variable).empty()) environment[variable] = to_text(socket.address);
  }
  return environment;
}

std::optional<std::string> fault_of_sockets(std::vector<InheritedSocket> const& sockets,
                                            Settings const& settings) {
  for (InheritedSocket const& socket : sockets) {
    ListenAddress const& wanted = address_for(socket.name, settings);
    bool const is_same =
        socket.address.address == wanted.address && (wanted.port == 0 || socket.address.port == wanted.port);
    if (is_same) continue;
    std::string const variable(*variable_of(socket.name));
    return variable + ": is " + to_text(wanted) + ", but systemd listens on " + to_text(socket.address) +
           " (the socket \"" + socket.name + "\"); change it with systemctl edit, or leave " + variable +
           " unset";
  }
  return std::nullopt;
}

}  // namespace onetap::app
