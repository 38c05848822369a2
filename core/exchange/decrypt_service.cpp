#include "core/exchange/decrypt_service.hpp"

#include <utility>

#include "core/exchange/presentation.hpp"

namespace onetap::core {
namespace {

// WeChat charged if the data was genuine, which nobody can tell.
Problem decrypt_failed() { return {.code = ProblemCode::decrypt_failed, .charged = Charged::unknown}; }

}  // namespace

Task<PhoneResult> DecryptService::decrypt(DecryptRequest request) {
  co_await shield_from_cancellation();
  std::string const appid = request.appid;
  PhoneResult result = co_await answer(std::move(request));
  ports_.answered(appid, result);
  co_return result;
}

Task<PhoneResult> DecryptService::answer(DecryptRequest request) {
  WallTime const now = ports_.clock.wall();
  CodeKey const blob_key = ports_.keyring.blob_key(request.appid, request.encrypted.encrypted_data);
  Intent intent{.code_key = blob_key,
                .caller = request.user,
                .user = request.user,
                .appid = request.appid,
                .kind = request.kind,
                .request_id = request.request_id,
                .client_env = request.client_env,
                .at = now};
  ledger::FindResult const found = co_await ports_.ledger.find(std::move(intent));
  if (auto const* stored = std::get_if<ledger::Stored>(&found)) co_return replay(*stored, blob_key);
  if (auto const* not_yours = std::get_if<ledger::NotYours>(&found))
    co_return PhoneResult{problem_for(*not_yours), request.kind};
  if (std::holds_alternative<ledger::Unavailable>(found))
    co_return PhoneResult{storage_unavailable(), request.kind};

  DecryptResult result = co_await decrypt_phone(ports_.sessions, ports_.keyring, request.encrypted,
                                                request.appid, request.user, now);
  if (std::holds_alternative<Undecryptable>(result)) co_return PhoneResult{decrypt_failed(), request.kind};
  if (std::holds_alternative<NoSessionKeys>(result))
    co_return PhoneResult{storage_unavailable(), request.kind};
  auto recorded = co_await record(std::move(request), blob_key, std::get<PhoneNumber>(std::move(result)));
  co_return recorded;
}

Task<PhoneResult> DecryptService::record(DecryptRequest request, CodeKey blob_key, PhoneNumber number) {
  Decryption decryption{.blob_key = blob_key,
                        .user = request.user,
                        .appid = request.appid,
                        .kind = request.kind,
                        .request_id = request.request_id,
                        .client_env = request.client_env,
                        .sealed_number = ports_.keyring.seal(blob_key, number),
                        .phone_mask = number.mask(),
                        .phone_key = ports_.keyring.phone_key(number),
                        .at = ports_.clock.wall()};
  ledger::RecordResult const recorded = co_await ports_.ledger.record_decryption(std::move(decryption));
  if (auto const* row = std::get_if<ledger::Recorded>(&recorded)) {
    log_decryption(request, row->consumption);
    co_return PhoneResult{std::move(number), request.kind};
  }
  if (auto const* stored = std::get_if<ledger::Stored>(&recorded)) co_return replay(*stored, blob_key);
  if (auto const* not_yours = std::get_if<ledger::NotYours>(&recorded))
    co_return PhoneResult{problem_for(*not_yours), request.kind};
  co_return PhoneResult{storage_unavailable(), request.kind};
}

PhoneResult DecryptService::replay(ledger::Stored const& stored, CodeKey const& blob_key) const {
  auto number = ports_.keyring.open(blob_key, stored.sealed_number);
  if (number) return {std::move(*number), stored.kind, true};
  ports_.log.error("sealed_number_unreadable", {{"consumption", stored.consumption}});
  return {Problem{.code = ProblemCode::internal, .charged = Charged::yes}, stored.kind};
}

void DecryptService::log_decryption(DecryptRequest const& request, std::int64_t consumption) const {
  ports_.log.info("decryption", {{"request_id", request.request_id},
                                 {"app", request.appid},
                                 {"consumption", consumption},
                                 {"path", "legacy"},
                                 {"outcome", "ok"}});
}

}  // namespace onetap::core
