#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/crypto/keyring.hpp"
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

/// WeChat charged units of a pack of which no code ever came: they are lost, as far as it can be known.
struct BookLeak {
  std::int64_t pack = 0;
  std::int64_t units = 0;
  std::string note;  // how it is known
};

/// WeChat took what is left of a pack back, or a part of it, and its money with it.
struct BookRefund {
  std::int64_t pack = 0;
  std::optional<std::int64_t> units;  // none: all that is left
  std::string note;
};

/// A person's right: what points at the owner of a number, or at a user, is erased. Entries stay.
struct ErasePerson {
  std::optional<Digest> phone_key;
  std::optional<Digest> user_key;
};

/// Another data key takes over: in one commit, whatever is sealed is sealed anew and the ledger is the new
/// key's.
struct RotateKey {
  Digest key_fingerprint{};  // the new key's
  /// Opens with what there was and seals with the new key; none when the bytes do not open. Called on the
  /// thread of the ledger.
  std::function<std::optional<SealedBytes>(crypto::SealedField field, std::int64_t row,
                                           SealedBytes const& sealed)>
      reseal;
};

struct Command {
  std::variant<Resolve, AddPack, PricePack, BookLeak, BookRefund, ErasePerson, RotateKey> act;
  WallTime at;
};

/// What was done, durable by now.
struct Done {
  std::int64_t id = 0;             // the consumption's or the pack's
  std::int64_t count = 0;          // consumptions erased, units moved, or secrets sealed anew
  std::string sentence;            // for the operator
  std::vector<CallerKey> users{};  // the erased person, whose sessions are over
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

/// Port: what operators have a running server do with the ledger's files. Thread: the loop's, which never
/// waits for them.
class LedgerUpkeep {
 public:
  LedgerUpkeep() = default;
  LedgerUpkeep(LedgerUpkeep const&) = delete;
  LedgerUpkeep& operator=(LedgerUpkeep const&) = delete;
  virtual ~LedgerUpkeep() = default;

  /// A verified copy of the ledger in a new file; `file` is an absolute path.
  [[nodiscard]] virtual Task<admin::Answer> back_up(std::string file) = 0;
  /// Another data key takes over: the one in `new_key_file` (an absolute path), or with an empty path one
  /// that is made and put in the place of `<database>.key`.
  [[nodiscard]] virtual Task<admin::Answer> rotate_key(std::string new_key_file) = 0;
};

}  // namespace onetap::core
