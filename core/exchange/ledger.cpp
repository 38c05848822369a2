#include "core/exchange/ledger.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace onetap::core {
namespace {

template <class Enum, std::size_t Size>
using Names = std::array<std::pair<Enum, std::string_view>, Size>;

constexpr Names<State, 7> states{{{State::sending, "sending"},
                                  {State::ok, "ok"},
                                  {State::rejected, "rejected"},
                                  {State::retryable, "retryable"},
                                  {State::in_doubt, "in_doubt"},
                                  {State::lost, "lost"},
                                  {State::free, "free"}}};

constexpr Names<Cause, 15> causes{{{Cause::none, ""},
                                   {Cause::not_sent, "not_sent"},
                                   {Cause::token_refused, "token_refused"},
                                   {Cause::rate_limited, "rate_limited"},
                                   {Cause::misconfigured, "misconfigured"},
                                   {Cause::no_quota, "no_quota"},
                                   {Cause::timeout, "timeout"},
                                   {Cause::connection_lost, "connection_lost"},
                                   {Cause::malformed_answer, "malformed_answer"},
                                   {Cause::http_error, "http_error"},
                                   {Cause::system_error, "system_error"},
                                   {Cause::unknown_errcode, "unknown_errcode"},
                                   {Cause::watermark, "watermark"},
                                   {Cause::crash, "crash"},
                                   {Cause::abandoned, "abandoned"}}};

constexpr Names<Reason, 5> reasons{{{Reason::none, ""},
                                    {Reason::unknown, "unknown"},
                                    {Reason::login_code, "login_code"},
                                    {Reason::expired, "expired"},
                                    {Reason::consumed_here, "consumed_here"}}};

template <class Enum, std::size_t Size>
std::string_view name_of(Names<Enum, Size> const& names, Enum value) {
  return std::ranges::find(names, value, &std::pair<Enum, std::string_view>::first)->second;
}

template <class Enum, std::size_t Size>
std::optional<Enum> value_of(Names<Enum, Size> const& names, std::string_view text) {
  auto const found = std::ranges::find(names, text, &std::pair<Enum, std::string_view>::second);
  if (found == names.end()) return std::nullopt;
  return found->first;
}

}  // namespace

std::int64_t row_of(Digest const& digest) {
  std::int64_t row = 0;
  std::memcpy(&row, digest.data(), sizeof row);
  return row;
}

std::string_view to_string(Kind kind) { return kind == Kind::quick ? "quick" : "realtime"; }

std::string_view to_string(ClientEnv client_env) {
  switch (client_env) {
    case ClientEnv::release: return "release";
    case ClientEnv::preview: return "preview";
    case ClientEnv::devtools: return "devtools";
    case ClientEnv::backend: return "backend";
    case ClientEnv::unknown: break;
  }
  return "unknown";
}

std::string_view to_string(State state) { return name_of(states, state); }
std::string_view to_string(Cause cause) { return name_of(causes, cause); }
std::string_view to_string(Reason reason) { return name_of(reasons, reason); }
std::optional<State> state_from(std::string_view text) { return value_of(states, text); }
std::optional<Cause> cause_from(std::string_view text) { return value_of(causes, text); }
std::optional<Reason> reason_from(std::string_view text) { return value_of(reasons, text); }

}  // namespace onetap::core
