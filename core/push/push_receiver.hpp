#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "core/billing/spu_ids.hpp"
#include "core/clock.hpp"
#include "core/crypto/digest.hpp"
#include "core/log.hpp"
#include "core/push/push_event.hpp"
#include "core/push/push_signature.hpp"
#include "core/repetition.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// What the message push of one mini program is configured with, here as in WeChat's console.
struct PushSecrets {
  PushToken token;     // empty: there is no push
  PushAesKey aes_key;  // empty: pushes come unencrypted
};

/// What became of a push.
enum class PushOutcome {
  accepted,    // also when it was a repeat, or of no concern to us
  forged,      // not WeChat's, or not encrypted as it must be
  unreadable,  // WeChat's, but not to be opened or understood
};

struct PushCounts {
  std::uint64_t alarms = 0;
  std::uint64_t repeats = 0;  // of alarms
  std::uint64_t unknown = 0;
  std::uint64_t forged = 0;
  std::uint64_t unreadable = 0;
};

/// WeChat's message push: who sent it is proved before anything of it counts, and what it says is told once.
class PushReceiver {
 public:
  struct Services {
    Clock const& clock;
    Log const& log;
    PushListener listener;
  };

  explicit PushReceiver(Services services) : services_(std::move(services)) {}

  /// For a mini program that is served; again with what has been reread.
  void use(std::string_view appid, PushSecrets secrets, SpuIds spu_ids = {});

  /// Whether it is served and has a token.
  [[nodiscard]] bool expects(std::string_view appid) const;

  /// The one that is served; empty when there are several.
  [[nodiscard]] std::string_view only_app() const;

  /// WeChat's check of the URL: whether it is WeChat that asks.
  [[nodiscard]] bool is_from_wechat(std::string_view appid, PushProof const& proof);

  [[nodiscard]] PushOutcome receive(std::string_view appid, PushProof const& proof, std::string_view body);

  [[nodiscard]] PushCounts const& counts() const { return counts_; }

 private:
  [[nodiscard]] PushOutcome open(std::string_view appid, PushSecrets const& secrets, PushProof const& proof,
                                 std::string_view body);
  [[nodiscard]] PushOutcome take(std::string_view appid, std::optional<PushMessage> const& message,
                                 std::string_view hint);
  void hear(std::string_view appid, PushMessage const& message);
  [[nodiscard]] bool is_repeat(std::string_view appid, PushMessage const& message);
  PushOutcome refuse(std::string_view appid, std::string_view what);
  PushOutcome give_up(std::string_view appid, std::string_view hint);

  struct App {
    PushSecrets secrets;
    SpuIds spu_ids;
  };

  Services services_;
  std::map<std::string, App, std::less<>> apps_;  // by appid
  std::deque<crypto::Digest> heard_;              // of alarms, the oldest in front
  PushCounts counts_;
  Repetition forged_line_;
  Repetition unreadable_line_;
  Repetition unknown_line_;
};

}  // namespace onetap::core
