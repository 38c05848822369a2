#include "net/wechat/dialer.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "core/limits.hpp"

namespace onetap::net {
namespace {

namespace limits = core::limits;

std::vector<ResolverCache::Name> names_of(WeChatRoute const& route) {
  if (route.proxy) return {{.host = route.proxy->host, .port = route.proxy->port}};
  std::vector<ResolverCache::Name> names;
  names.reserve(route.addresses.size());
  for (WeChatAddress const& address : route.addresses)
    names.push_back({.host = address.host, .port = address.port});
  return names;
}

DialFailure failure_of(error_code const& error, core::TransportFailure otherwise, std::string detail) {
  bool const late = error == asio::error::timed_out;
  return {.failure = late ? core::TransportFailure::timeout : otherwise, .detail = std::move(detail)};
}

void append_reason(std::string& reasons, std::string const& reason) {
  if (!reasons.empty()) reasons += "; ";
  reasons += reason;
}

// One reason for each address, its last, however many endpoints were tried.
std::string joined(std::vector<std::string> const& reasons) {
  std::string text;
  for (std::string const& reason : reasons) {
    if (!reason.empty()) append_reason(text, reason);
  }
  return text;
}

}  // namespace

Dialer::Dialer(asio::any_io_executor executor, core::Clock& clock, TlsContext tls, WeChatRoute route,
               Lookup lookup)
    : executor_(std::move(executor)),
      clock_(clock),
      tls_(std::move(tls)),
      route_(std::move(route)),
      names_(clock, names_of(route_), std::move(lookup)) {}

core::Task<Dialer::Dialed> Dialer::dial(core::SteadyTime deadline) {
  core::SteadyTime const connected_by = std::min(deadline, clock_.steady() + limits::wechat_connect_time);
  std::vector<Candidate> const all = co_await await_candidates(connected_by);
  if (all.empty()) co_return unresolved();
  std::vector<std::string> reasons(route_.addresses.size());
  DialFailure last{.failure = core::TransportFailure::timeout, .detail = "no time left to connect"};
  for (std::size_t tried = 0; tried < all.size(); ++tried) {
    core::SteadyTime const now = clock_.steady();
    if (now >= connected_by) break;
    core::SteadyTime::duration const share = (connected_by - now) / static_cast<long>(all.size() - tried);
    core::SteadyTime::duration const patience =
        std::max<core::SteadyTime::duration>(share, limits::wechat_connect_attempt_time);
    Candidate const& candidate = all[tried];
    Dialed dialed = co_await attempt(candidate, std::min(now + patience, connected_by), connected_by);
    if (dialed) {
      forget_failed(candidate);
      co_return dialed;
    }
    remember_failed(candidate);
    reasons[candidate.address] = describe(candidate) + ": " + dialed.error().detail;
    last = {.failure = dialed.error().failure, .detail = joined(reasons)};
  }
  co_return last;
}

core::Task<std::vector<Dialer::Candidate>> Dialer::await_candidates(core::SteadyTime deadline) {
  std::vector<Candidate> known = candidates();
  while (known.empty() && clock_.steady() < deadline) {
    bool const news = co_await names_.wait_for_news(deadline);
    if (!news) break;
    known = candidates();
  }
  co_return known;
}

std::vector<Dialer::Candidate> Dialer::candidates() {
  std::erase_if(failed_, [now = clock_.steady()](Failed const& failed) { return failed.until <= now; });
  std::vector<Candidate> first;
  std::vector<Candidate> last;
  for (std::size_t address = 0; address < route_.addresses.size(); ++address) {
    for (tcp::endpoint const& endpoint : names_.endpoints(route_.proxy ? 0 : address)) {
      Candidate const candidate{.address = address, .endpoint = endpoint};
      bool const has_failed = std::ranges::find(failed_, candidate, &Failed::candidate) != failed_.end();
      (has_failed ? last : first).push_back(candidate);
    }
  }
  first.insert(first.end(), last.begin(), last.end());
  return first;
}

core::Task<Dialer::Dialed> Dialer::attempt(Candidate candidate, core::SteadyTime connected_by,
                                           core::SteadyTime handshaken_by) {
  WeChatAddress const& address = route_.addresses[candidate.address];
  Stream stream{tcp::socket(executor_)};
  stream.expires_at(connected_by);
  error_code const connected = co_await stream.connect(candidate.endpoint);
  if (connected) co_return failure_of(connected, core::TransportFailure::connect, connected.message());
  if (route_.proxy) {
    auto refused = co_await connect_through_proxy(stream, authority_of(address), route_.proxy->credentials);
    if (refused) co_return *refused;
  }
  // Resumed for ever, a server would never show its certificate again.
  if (clock_.steady() >= sessions_end_) {
    tls_.forget_sessions();
    sessions_end_ = clock_.steady() + limits::tls_resumption_time;
  }
  stream.expires_at(handshaken_by);
  stream.start_tls(tls_, address.host);
  error_code const handshaken = co_await stream.handshake();
  if (handshaken) {
    co_return failure_of(handshaken, core::TransportFailure::tls,
                         stream.tls_error().empty() ? handshaken.message() : stream.tls_error());
  }
  co_return Dialed(boost::system::in_place_value, std::move(stream), candidate.address);
}

void Dialer::remember_failed(Candidate const& candidate) {
  forget_failed(candidate);
  if (failed_.size() == limits::wechat_failed_endpoints_max) failed_.pop_front();
  failed_.push_back({.candidate = candidate, .until = clock_.steady() + limits::wechat_failed_endpoint_time});
}

void Dialer::forget_failed(Candidate const& candidate) {
  std::erase_if(failed_, [&](Failed const& failed) { return failed.candidate == candidate; });
}

// "api.weixin.qq.com (203.0.113.7)", "api.weixin.qq.com through the proxy 10.0.0.1:3128".
std::string Dialer::describe(Candidate const& candidate) const {
  WeChatAddress const& address = route_.addresses[candidate.address];
  std::string const ip = candidate.endpoint.address().to_string();
  std::string const host = host_field_of(address);
  if (route_.proxy)
    return host + " through the proxy " + authority_of({.host = ip, .port = candidate.endpoint.port()});
  return address.host == ip ? host : host + " (" + ip + ")";
}

DialFailure Dialer::unresolved() const {
  std::string detail;
  std::vector<ResolverCache::Name> const names = names_of(route_);
  for (std::size_t i = 0; i < names.size(); ++i)
    append_reason(detail, names[i].host + ": " + names_.reason(i));
  return {.failure = core::TransportFailure::resolve, .detail = std::move(detail)};
}

}  // namespace onetap::net
