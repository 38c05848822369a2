#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// What the service manager hands to a service and wants to hear from it, by systemd's documented protocols,
/// which other supervisors speak, too. Where there is none, nothing is handed over and nobody listens.

/// A listening socket that systemd goes on holding: clients who come while no server runs wait in it.
struct InheritedSocket {
  std::string name;  // FileDescriptorName= of its unit: "public" or "operator"
  int descriptor = -1;
  ListenAddress address;  // that it is bound to
};

/// sd_listen_fds_with_names(3): from LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. None where these are another
/// process's. A sentence when a descriptor is no listening TCP socket, or has a name that nobody takes. They
/// are the caller's to close.
[[nodiscard]] core::Result<std::vector<InheritedSocket>, std::string> inherited_sockets(
    Environment const& environment, int first_descriptor = 3);  // SD_LISTEN_FDS_START

/// sd_notify(3), to NOTIFY_SOCKET. Never waits: what cannot be told now is not told.
class Supervisor {
 public:
  explicit Supervisor(Environment const& environment);
  Supervisor(Supervisor&& other) noexcept;
  Supervisor& operator=(Supervisor&& other) = delete;
  Supervisor(Supervisor const&) = delete;
  Supervisor& operator=(Supervisor const&) = delete;
  ~Supervisor();

  /// "READY=1", "STOPPING=1", "WATCHDOG=1".
  void tell(std::string_view state) const;

  /// After how long without "WATCHDOG=1" the process would be killed (WATCHDOG_USEC); none: never.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  std::string path_;  // "@name" is abstract
  int socket_ = -1;
  std::optional<std::chrono::microseconds> watchdog_;
};

/// What a server may have from its service manager.
struct Supervision {
  std::vector<InheritedSocket> sockets;
  Supervisor supervisor;
};

/// Adds the secrets of CREDENTIALS_DIRECTORY, which systemd's LoadCredential=onetap:FOLDER makes of the files
/// of a folder: the file SECRET comes as "onetap_SECRET", and SECRET_FILE gets its path. A secret that is set
/// otherwise stays so.
[[nodiscard]] Environment with_credentials(Environment environment);

/// Of this process: its variables, and its credentials.
[[nodiscard]] Environment process_environment();

/// What serves under a service manager: its sockets' addresses are where to listen, unless the environment
/// names others.
[[nodiscard]] Environment with_addresses(Environment environment,
                                         std::vector<InheritedSocket> const& sockets);

/// A sentence where a socket is bound to another address than the settings' (port 0 is any).
[[nodiscard]] std::optional<std::string> fault_of_sockets(std::vector<InheritedSocket> const& sockets,
                                                          Settings const& settings);

}  // namespace onetap::app
