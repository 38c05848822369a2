#include "net/server/request_log.hpp"

#include <chrono>
#include <vector>

#include "core/limits.hpp"

namespace onetap::net {

void RequestLog::write(Entry const& entry) {
  auto const& [listener, request, response, answered, kind] = entry;
  std::optional<std::uint64_t> repeats = 0;
  if (kind == Kind::one_of_many) repeats = repeats_to_tell(response);
  core::LogLevel const level = repeats ? core::LogLevel::info : core::LogLevel::debug;
  if (!log_.writes(level)) return;
  auto const took = std::chrono::duration<double, std::milli>(clock_.steady() - request.arrived);
  std::vector<core::Field> fields;
  constexpr std::size_t fields_max = 10;
  fields.reserve(fields_max);
  fields.emplace_back("listener", listener);
  fields.emplace_back("request_id", request.request_id);
  fields.emplace_back("method", request.method);
  fields.emplace_back("path", request.path_is_known ? request.path : std::string_view("-"));
  fields.emplace_back("status", response.status);
  fields.emplace_back("latency_ms", took.count());
  fields.emplace_back("remote", request.client_address);
  fields.emplace_back("answered", answered);
  if (!response.problem.empty()) fields.emplace_back("problem", response.problem);
  if (repeats.value_or(0) > 0) fields.emplace_back("repeats", *repeats);
  log_.write(level, "request", fields);
}

// None: it is only counted, for the next that is written.
std::optional<std::uint64_t> RequestLog::repeats_to_tell(Response const& response) {
  core::SteadyTime const now = clock_.steady();
  auto const [found, is_first] = repeats_.try_emplace({response.status, response.problem});
  Repeats& repeats = found->second;
  if (!is_first && now - repeats.written < core::limits::repeated_log_interval) {
    ++repeats.count;
    return std::nullopt;
  }
  repeats.written = now;
  return std::exchange(repeats.count, 0);
}

}  // namespace onetap::net
