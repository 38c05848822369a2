#pragma once

#include <cstdint>
#include <optional>

#include "core/exchange/ledger.hpp"

namespace onetap::core {

/// What WeChat sells the units of each kind as (ONETAP_SPU_QUICK, ONETAP_SPU_REALTIME; facts/wechat-api.md
/// §2.3).
struct SpuIds {
  std::int64_t quick = 10'000'077;
  std::int64_t realtime = 10'000'086;

  [[nodiscard]] std::int64_t of(Kind kind) const { return kind == Kind::quick ? quick : realtime; }
  [[nodiscard]] std::optional<Kind> kind_of(std::int64_t spu_id) const {
    if (spu_id == quick) return Kind::quick;
    return spu_id == realtime ? std::optional(Kind::realtime) : std::nullopt;
  }
};

}  // namespace onetap::core
