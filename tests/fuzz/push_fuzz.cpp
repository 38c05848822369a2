// WeChat's message push: a line of signature, msg_signature, timestamp and nonce, then the body. Nothing is
// heard that was not signed; what is signed is read or refused, whatever it is.
#include <sstream>
#include <string>

#include "core/push/push_envelope.hpp"
#include "core/push/push_receiver.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/push.hpp"

namespace core = onetap::core;
using onetap::tests::promise;

namespace {

// The example of WeChat's documentation.
constexpr std::string_view appid = "wxba5fad812f8e6fb9";
constexpr std::string_view token = "AAAAA";
constexpr std::string_view aes_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

class StoppedClock final : public core::Clock {
 public:
  [[nodiscard]] core::WallTime wall() const override { return core::wall_time_of_unix_ms(1'790'000'000'000); }
  [[nodiscard]] core::SteadyTime steady() const override { return {}; }
  [[nodiscard]] core::Task<bool> wait(core::Signal& /*signal*/, core::SteadyTime /*deadline*/) override {
    co_return false;
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime /*deadline*/) override { co_return; }
};

/// A receiver, and how many alarms were heard of it.
struct Receiving {
  explicit Receiving(std::string_view key) {
    receiver.use(
        appid, {.token = core::PushToken(std::string(token)), .aes_key = core::PushAesKey(std::string(key))});
  }

  core::PushOutcome receive(core::PushProof const& proof, std::string_view body) {
    core::PushOutcome const outcome = receiver.receive(appid, proof, body);
    promise(heard == 0 || outcome == core::PushOutcome::accepted);
    return outcome;
  }

  void hear(core::PushEvent const& event) {
    ++heard;
    promise(!std::holds_alternative<core::UnknownPush>(event));
    auto const* quota = std::get_if<core::QuotaAlarm>(&event);
    if (quota == nullptr) return;
    promise(quota->units_left >= 0 && quota->units_left <= quota->units_total);
    promise((quota->percent_left() == 0) == (quota->units_left == 0) && quota->percent_left() <= 100);
  }

  StoppedClock clock;
  core::Log log{[](core::LogLevel, std::string_view) {}, core::LogLevel::debug,
                [this] { return clock.wall(); }};
  int heard = 0;
  core::PushReceiver receiver{
      {.clock = clock, .log = log, .listener = [this](std::string_view, core::PushEvent const& event) {
         hear(event);
       }}};
};

void try_as_it_came(core::PushProof const& proof, std::string_view body) {
  core::PushToken const secret{std::string(token)};
  Receiving plain("");
  bool const plain_refused = plain.receive(proof, body) == core::PushOutcome::forged;
  promise(plain_refused != core::has_push_signature(proof, secret));
  Receiving encrypted(aes_key);
  if (encrypted.receive(proof, body) == core::PushOutcome::forged) return;
  auto const envelope = core::parse_push_message(body);
  promise(envelope && core::has_push_signature(proof, secret, envelope->encrypted));
}

// What only WeChat can send, too, has to be read with care.
void try_signed(std::string const& body) {
  std::string const time = "1714112445";
  std::string const nonce = "415670741";
  core::PushProof const plain_proof{.signature = onetap::tests::sign_push({std::string(token), time, nonce}),
                                    .msg_signature = {},
                                    .timestamp = time,
                                    .nonce = nonce};
  Receiving plain("");
  core::PushOutcome const outcome = plain.receive(plain_proof, body);
  promise(outcome != core::PushOutcome::forged);
  for (std::string const& clear : {body, onetap::tests::push_envelope(body, appid)}) {
    std::string const text = onetap::tests::encrypt_push(clear, aes_key);
    core::PushProof const proof{
        .signature = {},
        .msg_signature = onetap::tests::sign_push({std::string(token), time, nonce, text}),
        .timestamp = time,
        .nonce = nonce};
    Receiving encrypted(aes_key);
    promise(encrypted.receive(proof, "<xml><Encrypt>" + text + "</Encrypt></xml>") !=
            core::PushOutcome::forged);
    promise(encrypted.heard <= 1);
  }
  auto const opened = core::open_push_envelope(
      onetap::tests::encrypt_push(onetap::tests::push_envelope(body, appid), aes_key),
      core::PushAesKey(std::string(aes_key)), appid);
  promise(opened == body);
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text = onetap::tests::text_of(data, size);
  std::size_t const line_end = std::min(text.find('\n'), size);
  std::istringstream line{std::string(text.substr(0, line_end))};
  core::PushProof proof;
  line >> proof.signature >> proof.msg_signature >> proof.timestamp >> proof.nonce;
  std::string const body(text.substr(std::min(line_end + 1, size)));
  try_as_it_came(proof, body);
  try_signed(body);
  return 0;
}
