#include "app/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "core/limits.hpp"

namespace onetap::app {

namespace limits = core::limits;

std::size_t descriptors_beside_connections(DescriptorNeeds needs) {
  // Codes, idle lines, logins, and what fetches tokens and users' keys.
  constexpr std::size_t fetches_max = 32;
  std::size_t const lines_to_wechat =
      needs.mini_programs * (limits::wechat_calls_max + limits::logins_in_flight_max) +
      limits::wechat_idle_lines_max + fetches_max;
  // Standard streams, listeners and spares, the loop's own, signals, the ledger with its journal and index of
  // it for each of its connections, a backup, the resolver's socket, certificates and keys being read.
  constexpr std::size_t files_max = 64;
  return lines_to_wechat * (needs.with_sandbox ? 2 : 1) + operator_connections_max + files_max;
}

std::size_t connections_that_fit(std::size_t connections_max, std::size_t descriptors,
                                 DescriptorNeeds needs) {
  // Codes come by connections, too: some stay, however low the limit is.
  constexpr std::size_t share_at_least = 4;
  std::size_t const beside = descriptors_beside_connections(needs);
  std::size_t const rest = descriptors > beside ? descriptors - beside : 0;
  return std::min(connections_max, std::max(rest, descriptors / share_at_least));
}

std::size_t provide_descriptors(std::size_t connections_max, DescriptorNeeds needs, core::Log const& log) {
  rlim_t const wanted = connections_max + descriptors_beside_connections(needs);
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return connections_max;
  rlim_t const before = limit.rlim_cur;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  if (limit.rlim_cur >= wanted) return connections_max;
  std::size_t const fitting = connections_that_fit(connections_max, limit.rlim_cur, needs);
  log.warn("descriptor_limit_low",
           {{"descriptors", limit.rlim_cur},
            {"wanted", wanted},
            {"connections_max", fitting},
            {"hint",
             "raise LimitNOFILE, or lower ONETAP_MAX_CONNECTIONS; until then so many connections are held "
             "as leave codes their descriptors"}});
  return fitting;
}

}  // namespace onetap::app
