#include "core/billing/usage.hpp"

#include <algorithm>

#include "core/exchange/answer.hpp"
#include "core/json.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr std::size_t pkg_id_bytes_max = 64;  // 21 have been seen

// facts/wechat-api.md §2.1, §2.2.
constexpr int bad_parameter = 10120002;
constexpr int bad_spu_id = 10120700;
constexpr int no_recent_usage = 10122000;

UsageFailure garbled(std::string hint) { return {.hint = std::move(hint)}; }

UsageFailure failure_of(int errcode, std::string rid) {
  UsageFailure failure{.errcode = errcode, .rid = std::move(rid)};
  if (errcode == bad_spu_id || errcode == bad_parameter) {
    failure.fault = UsageFault::not_entitled;
    failure.hint = "WeChat does not know this spuId: see ONETAP_SPU_QUICK and ONETAP_SPU_REALTIME";
    return failure;
  }
  if (errcode == no_recent_usage) {
    failure.fault = UsageFault::no_figures;
    return failure;
  }
  ErrcodeRule const* const rule = rule_for(errcode);
  if (rule == nullptr) return failure;
  failure.hint = rule->hint;
  if (rule->verdict == Verdict::token_refused) failure.fault = UsageFault::token_refused;
  if (rule->verdict == Verdict::misconfigured) failure.fault = UsageFault::not_entitled;
  return failure;
}

/// The object of an answer whose errcode is 0.
Result<json::object, UsageFailure> read_answer(WeChatReply const& reply) {
  if (reply.delivery != Delivery::answered) return garbled(transport_hint(reply));
  auto body = parse_wechat_json(reply.body);
  if (!body) return garbled("not JSON, HTTP status " + std::to_string(reply.http_status));
  auto const errcode = errcode_of(reply);
  if (!errcode) return garbled("an answer without errcode");
  auto const errmsg = wechat_string_member(*body, "errmsg");
  if (*errcode != 0) return failure_of(*errcode, errmsg ? rid_of(*errmsg) : std::string());
  return *std::move(body);
}

std::optional<std::int64_t> read_units(json::object const& object, std::string_view name) {
  auto const units = wechat_integer_member(object, name);
  if (!units || *units < 0 || *units > limits::pack_units_max) return std::nullopt;
  return *units;
}

std::optional<WallTime> read_time(json::object const& object, std::string_view name) {
  constexpr std::int64_t never = 4294967295;
  auto const time_s = wechat_integer_member(object, name);
  if (!time_s || *time_s <= 0 || *time_s >= never) return std::nullopt;
  return WallTime(seconds(*time_s));
}

std::optional<PackUsage> read_pack(json::value const& value) {
  json::object const* const object = value.if_object();
  if (object == nullptr) return std::nullopt;
  auto const pkg_id = wechat_string_member(*object, "pkgId");
  auto const status = wechat_integer_member(*object, "status");
  auto const all = read_units(*object, "all");
  // At 0 its neighbour effectiveUse is left out; so may this be.
  auto const used = object->contains("used") ? read_units(*object, "used") : std::optional<std::int64_t>(0);
  if (!pkg_id || pkg_id->size() > pkg_id_bytes_max || !all || !used) return std::nullopt;
  if (!status || *status < 1 || *status > 3) return std::nullopt;
  return PackUsage{.pkg_id = *pkg_id,
                   .status = static_cast<PackUsage::Status>(*status),
                   .all = *all,
                   .used = *used,
                   .starts = read_time(*object, "startTime"),
                   .ends = read_time(*object, "endTime")};
}

}  // namespace

std::int64_t UsageSnapshot::units_left() const {
  std::int64_t left = 0;
  for (PackUsage const& pack : packs) {
    if (pack.status == PackUsage::Status::in_force) left += std::max<std::int64_t>(0, pack.all - pack.used);
  }
  return left;
}

std::int64_t UsageSnapshot::units() const {
  std::int64_t all = 0;
  for (PackUsage const& pack : packs) {
    if (pack.status == PackUsage::Status::in_force) all += pack.all;
  }
  return all;
}

bool UsageSnapshot::is_used_up() const {
  bool const waits = std::ranges::any_of(packs, [](PackUsage const& pack) {
    return pack.is_trial() && pack.status == PackUsage::Status::not_yet;
  });
  return !packs.empty() && !waits && units_left() == 0;
}

// A pack that cannot be read makes the whole page useless: half a figure is worse than none.
Result<UsagePage, UsageFailure> judge_usage_answer(WeChatReply const& reply) {
  auto const body = read_answer(reply);
  if (!body) return body.error();
  UsagePage page;
  auto const total = wechat_integer_member(*body, "total");
  if (total && (*total < 0 || *total > std::int64_t{limits::usage_packs_max}))
    return garbled("a number of packs that cannot be");
  json::value const* const list = body->if_contains("detailList");
  json::array const* const details = list != nullptr ? list->if_array() : nullptr;
  if (list != nullptr && details == nullptr && !list->is_null()) return garbled("detailList is no list");
  if (total) page.total = static_cast<std::size_t>(*total);
  if (details == nullptr) return page;
  if (details->size() > limits::usage_packs_max) return garbled("more packs than there can be");
  for (json::value const& detail : *details) {
    auto pack = read_pack(detail);
    if (!pack) return garbled("a pack that cannot be read");
    page.packs.push_back(std::move(*pack));
  }
  if (!total) page.total = page.packs.size();
  return page;
}

Result<std::int64_t, UsageFailure> judge_average_answer(WeChatReply const& reply) {
  auto const body = read_answer(reply);
  if (!body) return body.error();
  auto const units = read_units(*body, "averageData");
  if (!units) return garbled("no averageData");
  return *units;
}

}  // namespace onetap::core
