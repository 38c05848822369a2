#include "tests/simulation/fate.hpp"

#include <algorithm>
#include <array>

namespace onetap::simulation {
namespace {

using core::Cause;
using core::Delivery;
using core::State;
using core::TransportFailure;

constexpr std::array rules{
    FateRule{Fate::number, "number", State::ok, Cause::none, true},
    FateRule{Fate::code_invalid, "40029", State::rejected, Cause::none, false},
    FateRule{Fate::code_used, "40163", State::rejected, Cause::none, false},
    FateRule{Fate::token_refused, "token refused", State::retryable, Cause::token_refused, false},
    FateRule{Fate::calls_per_minute, "45011", State::retryable, Cause::rate_limited, false},
    FateRule{Fate::calls_per_day, "45009", State::retryable, Cause::rate_limited, false},
    FateRule{Fate::misconfigured, "misconfigured", State::retryable, Cause::misconfigured, false},
    FateRule{Fate::no_quota, "1400001", State::retryable, Cause::no_quota, false},
    FateRule{Fate::not_sent, "not sent", State::retryable, Cause::not_sent, false},
    FateRule{Fate::silence_before, "silence, unspent", State::in_doubt, Cause::timeout, false},
    FateRule{Fate::silence_after, "silence, spent", State::in_doubt, Cause::timeout, true},
    FateRule{Fate::reset_before, "reset, unspent", State::in_doubt, Cause::connection_lost, false},
    FateRule{Fate::reset_after, "reset, spent", State::in_doubt, Cause::connection_lost, true},
    FateRule{Fate::slow, "too slow", State::in_doubt, Cause::timeout, true},
    FateRule{Fate::system_error_unspent, "-1, unspent", State::in_doubt, Cause::system_error, false},
    FateRule{Fate::system_error_spent, "-1, spent", State::in_doubt, Cause::system_error, true},
    FateRule{Fate::unknown_errcode, "unknown errcode", State::in_doubt, Cause::unknown_errcode, true},
    FateRule{Fate::garbage, "garbage", State::in_doubt, Cause::malformed_answer, true},
    FateRule{Fate::half_an_answer, "half an answer", State::in_doubt, Cause::malformed_answer, true},
    FateRule{Fate::bad_gateway, "502", State::in_doubt, Cause::http_error, true},
    FateRule{Fate::too_large, "too large", State::in_doubt, Cause::malformed_answer, true},
    FateRule{Fate::foreign_watermark, "foreign watermark", State::in_doubt, Cause::watermark, true},
    FateRule{Fate::stale_watermark, "stale watermark", State::in_doubt, Cause::watermark, true},
};

core::WeChatReply says(std::string body, int http_status = 200) {
  return {.delivery = Delivery::answered, .http_status = http_status, .body = std::move(body)};
}

core::WeChatReply fails(Delivery delivery, TransportFailure failure) {
  return {.delivery = delivery, .failure = failure};
}

std::string success(GivenNumber const& given) {
  return R"({"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":")" + given.digits +
         R"(","purePhoneNumber":")" + given.digits + R"(","countryCode":"86","watermark":{"timestamp":)" +
         std::to_string(given.timestamp_s) + R"(,"appid":")" + given.appid + R"("}}})";
}

}  // namespace

std::span<FateRule const> fate_rules() { return rules; }

FateRule const& rule_of(Fate fate) { return *std::ranges::find(rules, fate, &FateRule::fate); }

core::WeChatReply says_errcode(int errcode) {
  return says(R"({"errcode":)" + std::to_string(errcode) +
              R"(,"errmsg":"words rid: 6458a111-5785bc4d-452368fb"})");
}

core::WeChatReply reply_of(Fate fate, GivenNumber const& given) {
  switch (fate) {
    case Fate::number:
    case Fate::foreign_watermark:
    case Fate::stale_watermark: return says(success(given));
    case Fate::code_invalid: return says_errcode(40029);
    case Fate::code_used: return says_errcode(40163);
    case Fate::token_refused: return says_errcode(40001);
    case Fate::calls_per_minute: return says_errcode(45011);
    case Fate::calls_per_day: return says_errcode(45009);
    case Fate::misconfigured: return says_errcode(48001);
    case Fate::no_quota: return says_errcode(1400001);
    case Fate::not_sent: return fails(Delivery::not_sent, TransportFailure::connect);
    case Fate::reset_before:
    case Fate::reset_after: return fails(Delivery::maybe_sent, TransportFailure::connection_lost);
    case Fate::system_error_unspent:
    case Fate::system_error_spent: return says_errcode(-1);
    case Fate::unknown_errcode: return says_errcode(99999);
    case Fate::garbage: return says("<html>hello</html>");
    case Fate::half_an_answer: return says(success(given).substr(0, 60));
    case Fate::bad_gateway: return says("<html>502 Bad Gateway</html>", 502);
    case Fate::too_large: return fails(Delivery::maybe_sent, TransportFailure::too_large);
    case Fate::silence_before:
    case Fate::silence_after:
    case Fate::slow: break;
  }
  return fails(Delivery::maybe_sent, TransportFailure::timeout);
}

}  // namespace onetap::simulation
