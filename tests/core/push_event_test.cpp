#include "core/push/push_event.hpp"

#include <doctest/doctest.h>

#include "core/limits.hpp"
#include "tests/support/push.hpp"

using namespace onetap::core;
using namespace onetap::tests;

namespace {

constexpr std::string_view appid = "wx0123456789abcdef";
constexpr std::int64_t created_s = 1'693'624'245;
WallTime const created{seconds(created_s)};
WallTime const now = created + seconds(2);

PushEvent judge(PushMessage const& message) { return judge_push(message, appid, SpuIds(), now); }

PushMessage quota_message() { return *parse_push_message(quota_push_json(1000, 900, created_s)); }

PushMessage validity_message() {
  PushMessage message = quota_message();
  message.event = "charge_mp_service_validity_notify";
  message.event_type = 4;
  message.total_quota.reset();
  message.total_used_quota.reset();
  message.validity_end = "2026-12-01 00:00:00";
  return message;
}

template <class Value>
PushMessage with(PushMessage message, Value PushMessage::* member, std::type_identity_t<Value> value) {
  message.*member = std::move(value);
  return message;
}

int percent_left(std::int64_t total, std::int64_t left) {
  return QuotaAlarm{.kind = Kind::quick, .created = created, .units_total = total, .units_left = left}
      .percent_left();
}

}  // namespace

TEST_CASE("a quota alarm is known under both of its names") {
  for (std::string const name : {"charge_service_quota_notify", "charge_mp_service_quota_notify"}) {
    PushEvent const event = judge(with(quota_message(), &PushMessage::event, name));
    auto const* quota = std::get_if<QuotaAlarm>(&event);
    REQUIRE_MESSAGE(quota != nullptr, name);
    CHECK(quota->kind == Kind::quick);
    CHECK(quota->created == created);
    CHECK(quota->units_total == 1000);
    CHECK(quota->units_left == 100);
    CHECK(quota->percent_left() == 10);
  }
}

TEST_CASE("a validity alarm is known under both of its names") {
  for (std::string const name : {"charge_service_validity_notify", "charge_mp_service_validity_notify"}) {
    PushEvent const event = judge(with(validity_message(), &PushMessage::event, name));
    auto const* validity = std::get_if<ValidityAlarm>(&event);
    REQUIRE_MESSAGE(validity != nullptr, name);
    CHECK(validity->end == "2026-12-01 00:00:00");
    CHECK(validity->created == created);
  }
}

TEST_CASE("event_type tells the alarms apart, and the name only where it is not told") {
  PushMessage message = with(validity_message(), &PushMessage::event, "charge_service_quota_notify");
  CHECK(std::holds_alternative<ValidityAlarm>(judge(message)));
  CHECK(std::holds_alternative<QuotaAlarm>(
      judge(with(quota_message(), &PushMessage::event_type, std::nullopt))));
  CHECK(std::holds_alternative<ValidityAlarm>(
      judge(with(validity_message(), &PushMessage::event_type, std::nullopt))));
}

TEST_CASE("the other kind has an SPU of its own") {
  PushEvent const event = judge(with(quota_message(), &PushMessage::spu_id, 10'000'086));
  REQUIRE(std::holds_alternative<QuotaAlarm>(event));
  CHECK(std::get<QuotaAlarm>(event).kind == Kind::realtime);
}

TEST_CASE("what is not about our units, or not all there, is no alarm") {
  for (PushMessage const& message : {
           with(quota_message(), &PushMessage::type, "text"),
           with(quota_message(), &PushMessage::event, "subscribe_msg_popup_event"),
           with(with(quota_message(), &PushMessage::event, "charge_x"), &PushMessage::event_type,
                std::nullopt),
           with(quota_message(), &PushMessage::event_type, 1),       // a service provider's
           with(quota_message(), &PushMessage::spu_id, 10'000'058),  // calls
           with(quota_message(), &PushMessage::spu_id, std::nullopt),
           with(quota_message(), &PushMessage::appid, "wxffffffffffffffff"),
           with(quota_message(), &PushMessage::created, std::nullopt),
           with(quota_message(), &PushMessage::total_quota, std::nullopt),
           with(quota_message(), &PushMessage::total_quota, 0),
           with(quota_message(), &PushMessage::total_used_quota, std::nullopt),
           with(quota_message(), &PushMessage::total_used_quota, -1),
       })
    CHECK(std::holds_alternative<UnknownPush>(judge(message)));
  CHECK(std::holds_alternative<QuotaAlarm>(
      judge(with(quota_message(), &PushMessage::appid, std::string(appid)))));
}

TEST_CASE("what is unknown is told by its event, or by its type, at a bearable length") {
  CHECK(std::get<UnknownPush>(judge({.encrypted = {}, .from = {}, .type = "text"})).name == "text");
  std::string const name(1000, 'x');
  CHECK(std::get<UnknownPush>(judge(with(quota_message(), &PushMessage::event, name))).name.size() ==
        limits::push_text_bytes_max);
  PushMessage const message = with(validity_message(), &PushMessage::validity_end, name);
  CHECK(std::get<ValidityAlarm>(judge(message)).end.size() == limits::push_text_bytes_max);
}

TEST_CASE("nothing was created in the future") {
  PushMessage const message = with(quota_message(), &PushMessage::created, now + std::chrono::hours(24));
  CHECK(std::get<QuotaAlarm>(judge(message)).created == now);
}

TEST_CASE("the share that is left is nought only when nothing is") {
  CHECK(percent_left(1000, 0) == 0);
  CHECK(percent_left(1000, 1) == 1);
  CHECK(percent_left(1000, 10) == 1);
  CHECK(percent_left(1000, 11) == 2);
  CHECK(percent_left(1000, 200) == 20);
  CHECK(percent_left(1000, 1000) == 100);
  CHECK(percent_left(9'223'372'036'854'775'807, 9'223'372'036'854'775'807) == 100);
  CHECK(percent_left(9'223'372'036'854'775'807, 1) == 1);
  PushMessage const overdrawn = with(quota_message(), &PushMessage::total_used_quota, 1001);
  CHECK(std::get<QuotaAlarm>(judge(overdrawn)).units_left == 0);
}
