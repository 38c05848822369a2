#include "net/server/request_log.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace onetap::net {

void RequestLog::write(Entry const& entry) {
  auto const& [listener, request, response, answered, kind] = entry;
  std::optional<std::uint64_t> repeats = 0;
  if (kind == Kind::one_of_many)
    repeats = repeats_[{response.status, response.problem}].happened(clock_.steady());
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

}  // namespace onetap::net
