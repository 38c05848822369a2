#include "app/upkeep.hpp"

#include <optional>
#include <utility>

#include "app/data_key.hpp"
#include "app/keyed_ledger.hpp"
#include "app/worker.hpp"
#include "storage/backup.hpp"

namespace onetap::app {
namespace {

namespace admin = core::admin;

admin::Answer refused(admin::Refusal::Kind kind, std::string sentence) {
  return {boost::system::in_place_error, admin::Refusal{.kind = kind, .sentence = std::move(sentence)}};
}

/// A flag that is up as long as this lives.
class Raised {
 public:
  explicit Raised(bool& flag) : flag_(flag) { flag_ = true; }
  Raised(Raised const&) = delete;
  Raised& operator=(Raised const&) = delete;
  ~Raised() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

Upkeep::Upkeep(core::crypto::Keyring& keyring, core::LedgerAdmin& ledger, core::Clock const& clock,
               std::filesystem::path database, bool key_is_configured)
    : keyring_(keyring),
      ledger_(ledger),
      clock_(clock),
      database_(std::move(database)),
      key_is_configured_(key_is_configured) {}

Upkeep::~Upkeep() {
  stop_.request_stop();
  worker_.join();
}

core::Task<admin::Answer> Upkeep::back_up(std::string file) {
  core::WallTime const at = clock_.wall();
  auto copy = [this, file, at] { return storage::make_backup(database_, file, at, {}, stop_.get_token()); };
  auto const made = co_await run_on(worker_, std::move(copy));
  if (!made) co_return refused(admin::Refusal::Kind::conflict, made.error());
  co_return admin::Answer(
      boost::system::in_place_value,
      admin::Done{.id = 0,
                  .count = made->consumptions,
                  .sentence = file + ": " + std::to_string(made->consumptions) + " consumptions, " +
                              std::to_string(made->bytes) + " bytes, verified"});
}

core::Task<admin::Answer> Upkeep::rotate_key(std::string new_key_file) {
  if (rotating_) co_return refused(admin::Refusal::Kind::conflict, "a rotation is under way");
  Raised const rotating(rotating_);
  core::crypto::Keyring const before = keyring_;
  auto take = [this, new_key_file, before] {
    return take_new_data_key(database_, key_is_configured_, new_key_file, before);
  };
  auto const key = co_await run_on(worker_, std::move(take));
  if (!key) co_return admin::Answer(boost::system::in_place_error, key.error());
  // The ledger's queue is in order: whatever was sealed with the old key stands before the rotation, and is
  // sealed anew by it. So nothing may be awaited between this line and the next but one.
  keyring_.seal_with(bytes_of(*key));
  admin::Command command{.act = rotation_to(keyring_), .at = clock_.wall()};
  admin::Answer answer = co_await ledger_.administer(std::move(command));
  if (!answer) keyring_.seal_with_previous();
  core::crypto::Keyring const now = keyring_;
  auto finish = [this, answer, now] { return finish_rotation(answer, database_, key_is_configured_, now); };
  answer = co_await run_on(worker_, std::move(finish));
  co_return answer;
}

}  // namespace onetap::app
