#include "core/push/push_receiver.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "core/push/push_envelope.hpp"
#include "core/push/push_message.hpp"

namespace onetap::core {

void PushReceiver::use(std::string_view appid, PushSecrets secrets, SpuIds spu_ids) {
  apps_.insert_or_assign(std::string(appid), App{.secrets = std::move(secrets), .spu_ids = spu_ids});
}

bool PushReceiver::expects(std::string_view appid) const {
  auto const found = apps_.find(appid);
  return found != apps_.end() && !found->second.secrets.token.empty();
}

std::string_view PushReceiver::only_app() const {
  return apps_.size() == 1 ? std::string_view(apps_.begin()->first) : std::string_view();
}

bool PushReceiver::is_from_wechat(std::string_view appid, PushProof const& proof) {
  bool const is_proved = expects(appid) && has_push_signature(proof, apps_.find(appid)->second.secrets.token);
  if (!is_proved) refuse(appid, "signature");
  return is_proved;
}

PushOutcome PushReceiver::receive(std::string_view appid, PushProof const& proof, std::string_view body) {
  if (!expects(appid)) return refuse(appid, "no token");
  PushSecrets const& secrets = apps_.find(appid)->second.secrets;
  if (!secrets.aes_key.empty()) return open(appid, secrets, proof, body);
  if (!has_push_signature(proof, secrets.token)) return refuse(appid, "signature");
  return take(appid, parse_push_message(body), "neither XML nor JSON of a message");
}

// The signature that counts is the one over what is encrypted: the other one says nothing of the body.
PushOutcome PushReceiver::open(std::string_view appid, PushSecrets const& secrets, PushProof const& proof,
                               std::string_view body) {
  auto const envelope = parse_push_message(body);
  if (!envelope || envelope->encrypted.empty()) return refuse(appid, "not encrypted");
  if (!has_push_signature(proof, secrets.token, envelope->encrypted)) return refuse(appid, "msg_signature");
  auto const opened = open_push_envelope(envelope->encrypted, secrets.aes_key, appid);
  if (!opened)
    return give_up(appid, "compare the EncodingAESKey in WeChat's console with ONETAP_PUSH_AES_KEY");
  return take(appid, parse_push_message(*opened), "neither XML nor JSON of a message");
}

PushOutcome PushReceiver::take(std::string_view appid, std::optional<PushMessage> const& message,
                               std::string_view hint) {
  if (!message) return give_up(appid, hint);
  if (message->type.empty() && !message->encrypted.empty())
    return give_up(appid, "it is encrypted: set ONETAP_PUSH_AES_KEY to the console's EncodingAESKey");
  hear(appid, *message);
  return PushOutcome::accepted;
}

void PushReceiver::hear(std::string_view appid, PushMessage const& message) {
  PushEvent const event =
      judge_push(message, appid, apps_.find(appid)->second.spu_ids, services_.clock.wall());
  if (auto const* unknown = std::get_if<UnknownPush>(&event)) {
    ++counts_.unknown;
    auto const untold = unknown_line_.happened(services_.clock.steady());
    if (untold)
      services_.log.info("push_unknown", {{"app", appid}, {"event", unknown->name}, {"repeats", *untold}});
  } else if (is_repeat(appid, message)) {
    ++counts_.repeats;
  } else {
    ++counts_.alarms;
    services_.listener(appid, event);
  }
}

// WeChat asks again, up to three times, when our answer is late or lost.
bool PushReceiver::is_repeat(std::string_view appid, PushMessage const& message) {
  auto const number = [](std::optional<std::int64_t> value) { return std::to_string(value.value_or(-1)); };
  std::string identity;
  for (std::string const& part :
       {std::string(appid), message.from, message.event, std::to_string(unix_ms(*message.created)),
        number(message.event_type), number(message.spu_id), number(message.total_quota),
        number(message.total_used_quota), message.validity_end})
    identity.append(part).append(1, '\n');
  crypto::Digest const digest = crypto::sha256(identity);
  if (std::ranges::find(heard_, digest) != heard_.end()) return true;
  heard_.push_back(digest);
  if (heard_.size() > limits::pushes_remembered) heard_.pop_front();
  return false;
}

PushOutcome PushReceiver::refuse(std::string_view appid, std::string_view what) {
  ++counts_.forged;
  auto const untold = forged_line_.happened(services_.clock.steady());
  if (untold)
    services_.log.warn("push_refused",
                       {{"app", appid},
                        {"what", what},
                        {"repeats", *untold},
                        {"hint", "someone else's, or token and mode in WeChat's console differ from ours"}});
  return PushOutcome::forged;
}

PushOutcome PushReceiver::give_up(std::string_view appid, std::string_view hint) {
  ++counts_.unreadable;
  auto const untold = unreadable_line_.happened(services_.clock.steady());
  if (untold) services_.log.warn("push_unreadable", {{"app", appid}, {"repeats", *untold}, {"hint", hint}});
  return PushOutcome::unreadable;
}

}  // namespace onetap::core
