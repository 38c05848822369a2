#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/exchange/ledger.hpp"
#include "core/result.hpp"
#include "core/task.hpp"

/// What operators do to the ledger, beside the exchanges (design/ledger.md, "Entries").
namespace onetap::core::admin {

/// A doubt ends: `as` is lost (WeChat charged) or free (it did not). The note says how one knows.
struct Resolve {
  std::int64_t consumption = 0;
  State as = State::lost;
  std::string note;
};

/// A pack that WeChat can't be asked about. Units that were booked on the overdraft move to it.
struct AddPack {
  std::string appid;
  Kind kind = Kind::quick;
  bool trial = false;  // costs nothing, burns first
  std::int64_t units = 0;
  std::int64_t used_before = 0;                  // of them, before this ledger saw the pack
  std::optional<std::int64_t> price_micro_yuan;  // for all units; none: not known yet
  std::optional<WallTime> starts;
  std::optional<WallTime> ends;
  std::string wx_pkg_id;  // empty: none
};

/// What was paid for a pack becomes known, or is put right.
struct PricePack {
  std::int64_t pack = 0;
  std::int64_t price_micro_yuan = 0;
};

/// A person's right: what points at the owner of a number, or at a user, is erased. Entries stay.
struct ErasePerson {
  std::optional<Digest> phone_key;
  std::optional<Digest> user_key;
};

struct Command {
  std::variant<Resolve, AddPack, PricePack, ErasePerson> act;
  WallTime at;
};

/// What was done, durable by now.
struct Done {
  std::int64_t id = 0;     // the consumption's or the pack's
  std::int64_t count = 0;  // consumptions erased, or units moved from the overdraft
  std::string sentence;    // for the operator
};

/// Nothing was changed.
struct Refusal {
  enum class Kind { not_found, conflict, invalid, unavailable };
  Kind kind = Kind::invalid;
  std::string sentence;
};

using Answer = Result<Done, Refusal>;

}  // namespace onetap::core::admin

namespace onetap::core {

/// Port: the operators' side of the ledger. Returns when the effect is durable. Thread: the loop's.
class LedgerAdmin {
 public:
  LedgerAdmin() = default;
  LedgerAdmin(LedgerAdmin const&) = delete;
  LedgerAdmin& operator=(LedgerAdmin const&) = delete;
  virtual ~LedgerAdmin() = default;

  [[nodiscard]] virtual Task<admin::Answer> administer(admin::Command command) = 0;
};

}  // namespace onetap::core
