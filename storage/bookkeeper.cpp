#include "storage/bookkeeper.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <stdexcept>
#include <variant>
#include <vector>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

namespace admin = core::admin;
using core::unix_ms;
using Kind = admin::Refusal::Kind;

std::string_view admin_sql(std::string_view name) {
  static auto const statements = named_statements(sql_file("admin.sql"));
  return statements.at(name);
}

admin::Answer refused(Kind kind, std::string sentence) {
  return {boost::system::in_place_error, admin::Refusal{.kind = kind, .sentence = std::move(sentence)}};
}

std::string counted(std::int64_t count, std::string const& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

admin::Answer done(admin::Done what) { return {boost::system::in_place_value, std::move(what)}; }

std::optional<std::int64_t> ms_of(std::optional<core::WallTime> const& time) {
  if (!time) return std::nullopt;
  return unix_ms(*time);
}

/// Where something is sealed, and how it is found and replaced (admin.sql).
struct SealedColumn {
  core::crypto::SealedField field;
  std::string_view list;
  std::string_view set;
};

// Whatever is sealed in a ledger must be here, or it is lost when its key goes.
constexpr std::array sealed_columns{
    SealedColumn{core::crypto::SealedField::pepper, "list_sealed_peppers", "set_sealed_pepper"},
    SealedColumn{core::crypto::SealedField::number, "list_sealed_numbers", "set_sealed_number"},
    SealedColumn{core::crypto::SealedField::openid, "list_sealed_openids", "set_sealed_openid"},
    SealedColumn{core::crypto::SealedField::session_key, "list_sealed_session_keys",
                 "set_sealed_session_key"},
    SealedColumn{core::crypto::SealedField::access_token, "list_sealed_tokens", "set_sealed_token"},
};

/// One sealed secret of a column.
struct Sealed {
  std::int64_t row = 0;
  std::variant<std::int64_t, std::vector<unsigned char>> key;  // of its table
  core::SealedBytes bytes;
};

// The schema knows its size.
core::Digest digest_in(Rows const& rows, int column) {
  core::Digest digest{};
  std::ranges::copy(rows.bytes(column), digest.begin());
  return digest;
}

std::vector<Sealed> list_sealed(Connection& connection, std::string_view list) {
  std::vector<Sealed> found;
  Statement statement(connection, admin_sql(list));
  Rows rows = statement.query({});
  while (rows.next()) {
    Sealed sealed{.row = rows.integer(0), .key = rows.integer(1), .bytes = rows.bytes(2)};
    if (rows.type(0) == ColumnType::bytes) sealed.row = core::row_of(digest_in(rows, 0));
    if (rows.type(1) == ColumnType::bytes) sealed.key = rows.bytes(1);
    found.push_back(std::move(sealed));
  }
  return found;
}

bool is_price(std::int64_t micro_yuan) {
  constexpr std::int64_t price_max = 1'000'000'000'000'000;  // a thousand million yuan
  return micro_yuan >= 0 && micro_yuan <= price_max;
}

// What keeps a pack from being written; empty when nothing does.
std::string fault_of(admin::AddPack const& act, core::WallTime at) {
  if (act.appid.empty()) return "a pack needs its app";
  if (act.units < 1 || act.units > core::limits::pack_units_max) return "units must be 1 to 1000000000";
  if (act.used_before < 0 || act.used_before > act.units) return "used before must be 0 to the pack's units";
  if (act.price_micro_yuan && !is_price(*act.price_micro_yuan)) return "the price is out of range";
  if (act.trial && act.price_micro_yuan.value_or(0) != 0) return "the trial pack costs nothing";
  if (act.starts && act.ends && *act.ends <= *act.starts) return "the pack ends before it starts";
  if (act.ends && *act.ends <= at) return "the pack's time is over: nothing can be booked on it";
  return {};
}

}  // namespace

admin::Answer Bookkeeper::run(admin::Command const& command, std::int64_t app) {
  if (auto const* const act = std::get_if<admin::Resolve>(&command.act)) return resolve(*act, command.at);
  if (auto const* const act = std::get_if<admin::AddPack>(&command.act))
    return add_pack(*act, app, command.at);
  if (auto const* const act = std::get_if<admin::PricePack>(&command.act))
    return price_pack(*act, command.at);
  if (auto const* const act = std::get_if<admin::BookLeak>(&command.act)) return book_leak(*act, command.at);
  if (auto const* const act = std::get_if<admin::BookRefund>(&command.act))
    return book_refund(*act, command.at);
  if (auto const* const act = std::get_if<admin::ErasePerson>(&command.act)) return erase(*act, command.at);
  return rotate_key(std::get<admin::RotateKey>(command.act), command.at);
}

admin::Answer Bookkeeper::resolve(admin::Resolve const& act, core::WallTime at) {
  std::string const name = "consumption " + std::to_string(act.consumption);
  bool const lost = act.as == core::State::lost;
  if (!lost && act.as != core::State::free)
    return refused(Kind::invalid, "a doubt is resolved as lost or free");
  if (act.note.empty()) return refused(Kind::invalid, "a resolution needs a note: how is it known?");
  std::string state;
  std::string kind;
  std::string source;
  std::int64_t app = 0;
  std::int64_t pack = 0;
  {
    Statement find(connection_, admin_sql("find_consumption"));
    Rows rows = find.query({act.consumption});
    if (!rows.next()) return refused(Kind::not_found, "there is no " + name);
    state = rows.text(0);
    app = rows.integer(1);
    kind = rows.text(2);
    pack = rows.integer(3);
    source = rows.text(4);
  }
  if (state != "in_doubt") return refused(Kind::conflict, name + " is " + state + ", not in doubt");
  std::string_view const as = core::to_string(act.as);
  Statement update(connection_, admin_sql("resolve_consumption"));
  update.run({act.consumption, as, unix_ms(at)});
  std::string_view const back = source == "overdraft" ? "source" : "available";
  book({.kind = lost ? "resolve_lost" : "resolve_free",
        .pack = pack,
        .consumption = act.consumption,
        .from = "doubt",
        .to = lost ? "lost" : back,
        .amount = unit_in_doubt(pack),
        .note = act.note,
        .at = at});
  std::int64_t const returned = return_overdraft(app, kind, at);
  return done(
      {.id = act.consumption,
       .count = returned,
       .sentence = name + (lost ? " is lost: WeChat charged for it" : " was free: its unit is back")});
}

void Bookkeeper::book_rescue(std::int64_t consumption, core::WallTime at) {
  std::string kind;
  std::int64_t app = 0;
  std::int64_t pack = 0;
  {
    Statement find(connection_, admin_sql("find_consumption"));
    Rows rows = find.query({consumption});
    if (!rows.next()) throw std::logic_error("a consumption that is not there was rescued");
    app = rows.integer(1);
    kind = rows.text(2);
    pack = rows.integer(3);
  }
  book({.kind = "resolve_used",
        .pack = pack,
        .consumption = consumption,
        .from = "doubt",
        .to = "used",
        .amount = unit_in_doubt(pack),
        .at = at});
  static_cast<void>(return_overdraft(app, kind, at));
}

// Not what it was booked at: the pack's price may have become known since.
Bookkeeper::Amount Bookkeeper::unit_in_doubt(std::int64_t pack) {
  Amount const all = balances(pack)["doubt"];
  if (all.units <= 0) return {.units = 1, .micro_yuan = 0};  // a broken ledger; verify tells
  return share(all, 1);
}

admin::Answer Bookkeeper::add_pack(admin::AddPack const& act, std::int64_t app, core::WallTime at) {
  if (std::string fault = fault_of(act, at); !fault.empty()) return refused(Kind::invalid, std::move(fault));
  std::string const kind(core::to_string(act.kind));
  if (!act.wx_pkg_id.empty()) {
    Statement find(connection_, admin_sql("find_wx_pack"));
    Rows rows = find.query({app, kind, act.wx_pkg_id});
    if (rows.next())
      return refused(Kind::conflict, "pack " + std::to_string(rows.integer(0)) + " has this WeChat id");
  }
  if (act.trial) {
    Statement find(connection_, admin_sql("find_trial"));
    Rows rows = find.query({app, kind});
    if (rows.next())
      return refused(Kind::conflict, "pack " + std::to_string(rows.integer(0)) + " is the trial pack");
  }
  // WeChat's id of the trial pack is the empty text.
  Parameter wx_pkg_id = null_if_empty(act.wx_pkg_id);
  if (act.trial) wx_pkg_id = std::string_view("");
  Statement insert(connection_, admin_sql("insert_pack"));
  insert.run({app, kind, act.trial ? "trial" : "paid", wx_pkg_id, act.units, act.price_micro_yuan,
              ms_of(act.starts), ms_of(act.ends), unix_ms(at)});
  std::int64_t const pack = connection_.last_insert_rowid();
  std::int64_t const estimated = act.trial ? 0 : act.units * prices_.of(act.appid).of(act.kind);
  Amount const whole{.units = act.units, .micro_yuan = act.price_micro_yuan.value_or(estimated)};
  book({.kind = "purchase", .pack = pack, .from = "source", .to = "available", .amount = whole, .at = at});
  // What WeChat had counted, less what this ledger had booked on the overdraft meanwhile and moved to this
  // pack; other packs may have had room, too.
  std::int64_t const returned = return_overdraft(app, kind, at);
  Balances booked = balances(pack);
  std::int64_t const moved_here = booked["used"].units + booked["lost"].units;
  std::int64_t const before = std::max<std::int64_t>(0, act.used_before - moved_here);
  Amount const left = booked["available"];
  if (std::int64_t const units = std::min(before, left.units); units > 0) {
    book({.kind = "opening",
          .pack = pack,
          .from = "available",
          .to = "before",
          .amount = share(left, units),
          .at = at});
  }
  return done(
      {.id = pack,
       .count = returned,
       .sentence = "pack " + std::to_string(pack) + " has " + std::to_string(act.units) + " units" +
                   (moved_here > 0 ? ", " + std::to_string(moved_here) + " of them moved from the overdraft"
                                   : std::string())});
}

admin::Answer Bookkeeper::price_pack(admin::PricePack const& act, core::WallTime at) {
  std::string const name = "pack " + std::to_string(act.pack);
  {
    Statement find(connection_, admin_sql("find_pack"));
    Rows rows = find.query({act.pack});
    if (!rows.next()) return refused(Kind::not_found, "there is no " + name);
    if (rows.text(0) != "paid")
      return refused(Kind::conflict, name + " is the " + rows.text(0) + " pack, which has no price");
  }
  if (!is_price(act.price_micro_yuan)) return refused(Kind::invalid, "the price is out of range");
  reprice(act.pack, act.price_micro_yuan, at);
  Statement update(connection_, admin_sql("set_price"));
  update.run({act.pack, act.price_micro_yuan});
  return done({.id = act.pack, .count = 0, .sentence = name + " has its price"});
}

std::optional<admin::Refusal> Bookkeeper::fault_of_bought(std::int64_t pack) {
  std::string const name = "pack " + std::to_string(pack);
  Statement find(connection_, admin_sql("find_pack"));
  Rows rows = find.query({pack});
  if (!rows.next()) return admin::Refusal{.kind = Kind::not_found, .sentence = "there is no " + name};
  if (rows.text(0) != "overdraft") return std::nullopt;
  return admin::Refusal{.kind = Kind::conflict,
                        .sentence = name + " is the overdraft, which was never bought"};
}

// Of a pack that has expired, WeChat counted the units before its end: they come back for it.
admin::Answer Bookkeeper::book_leak(admin::BookLeak const& act, core::WallTime at) {
  std::string const name = "pack " + std::to_string(act.pack);
  if (act.note.empty()) return refused(Kind::invalid, "a leak needs a note: how is it known?");
  if (act.units < 1) return refused(Kind::invalid, "units must be 1 or more");
  if (auto fault = fault_of_bought(act.pack)) return refused(fault->kind, std::move(fault->sentence));
  Balances booked = balances(act.pack);
  std::int64_t const expired = booked["expired"].units;
  if (act.units > booked["available"].units + expired) {
    return refused(Kind::conflict, name + " has " + counted(booked["available"].units + expired, "unit") +
                                       " that can be booked as a leak");
  }
  std::int64_t const missing = act.units - booked["available"].units;
  if (missing > 0) {
    book({.kind = "return",
          .pack = act.pack,
          .from = "expired",
          .to = "available",
          .amount = share(booked["expired"], missing),
          .note = act.note,
          .at = at});
  }
  book({.kind = "leak",
        .pack = act.pack,
        .from = "available",
        .to = "lost",
        .amount = share(balances(act.pack)["available"], act.units),
        .note = act.note,
        .at = at});
  return done({.id = act.pack,
               .count = act.units,
               .sentence = counted(act.units, "unit") + " of " + name + " leaked: lost, without a code"});
}

admin::Answer Bookkeeper::book_refund(admin::BookRefund const& act, core::WallTime at) {
  std::string const name = "pack " + std::to_string(act.pack);
  if (act.note.empty()) return refused(Kind::invalid, "a refund needs a note: how is it known?");
  if (act.units && *act.units < 1) return refused(Kind::invalid, "units must be 1 or more");
  if (auto fault = fault_of_bought(act.pack)) return refused(fault->kind, std::move(fault->sentence));
  Amount const left = balances(act.pack)["available"];
  std::int64_t const units = act.units.value_or(left.units);
  if (units > left.units || units == 0)
    return refused(Kind::conflict, name + " has " + counted(left.units, "unit") + " left to refund");
  book({.kind = "refund",
        .pack = act.pack,
        .from = "available",
        .to = "refunded",
        .amount = share(left, units),
        .note = act.note,
        .at = at});
  return done(
      {.id = act.pack, .count = units, .sentence = counted(units, "unit") + " of " + name + " refunded"});
}

std::int64_t Bookkeeper::revive(std::int64_t pack, core::WallTime at) {
  Amount const expired = balances(pack)["expired"];
  if (expired.units <= 0) return 0;
  book({.kind = "return",
        .pack = pack,
        .from = "expired",
        .to = "available",
        .amount = expired,
        .note = "WeChat has extended the pack",
        .at = at});
  return expired.units;
}

std::int64_t Bookkeeper::open_with(std::int64_t pack, std::int64_t units, core::WallTime at) {
  Amount const left = balances(pack)["available"];
  std::int64_t const opened = std::min(units, left.units);
  if (opened <= 0) return 0;
  book({.kind = "opening",
        .pack = pack,
        .from = "available",
        .to = "before",
        .amount = share(left, opened),
        .at = at});
  return opened;
}

std::vector<std::int64_t> Bookkeeper::end_old_doubts(std::int64_t app, core::Kind kind, core::WallTime at) {
  constexpr auto old = std::chrono::days(2);  // WeChat's figures of that time are whole by now
  std::vector<std::int64_t> doubts;
  {
    Statement list(connection_, admin_sql("list_old_doubts"));
    Rows rows = list.query({app, core::to_string(kind), unix_ms(at - old)});
    while (rows.next()) doubts.push_back(rows.integer(0));
  }
  if (doubts.empty()) return {};
  std::int64_t charged = 0;
  std::int64_t in_doubt = 0;
  {
    Statement compare(connection_, admin_sql("compare_kind"));
    Rows rows = compare.query({app, core::to_string(kind)});
    if (!rows.next() || rows.is_null(0)) return {};
    charged = rows.integer(0);
    in_doubt = rows.integer(1);
    // After a restore WeChat counts what is in no row, too: only a figure that is just the doubt says it.
    bool const is_exact = rows.integer(2) == 0;
    if (charged < in_doubt || (!is_exact && charged > in_doubt)) return {};
  }
  std::string const note = "WeChat's figures charge all codes in doubt: " + counted(charged, "unit") +
                           " without a number, " + std::to_string(in_doubt) + " in doubt";
  std::vector<std::int64_t> ended;
  for (std::int64_t const id : doubts) {
    if (resolve({.consumption = id, .as = core::State::lost, .note = note}, at)) ended.push_back(id);
  }
  return ended;
}

// Every unit gets its share of the price, wherever it is by now; the difference is booked in the open month.
void Bookkeeper::reprice(std::int64_t pack, std::int64_t price_micro_yuan, core::WallTime at) {
  constexpr std::array<std::string_view, 7> accounts{"available", "used",     "doubt",  "lost",
                                                     "before",    "refunded", "expired"};
  Balances booked = balances(pack);
  Amount rest{.units = 0, .micro_yuan = price_micro_yuan};
  for (std::string_view const account : accounts) rest.units += booked[std::string(account)].units;
  for (std::string_view const account : accounts) {
    Amount const now = booked[std::string(account)];
    if (now.units == 0) continue;
    Amount const target = share(rest, now.units);
    rest.units -= target.units;
    rest.micro_yuan -= target.micro_yuan;
    if (target.micro_yuan == now.micro_yuan) continue;
    book({.kind = "reprice",
          .pack = pack,
          .from = "source",
          .to = account,
          .amount = {.units = 0, .micro_yuan = target.micro_yuan - now.micro_yuan},
          .at = at});
  }
}

// Units in doubt stay where they were booked until they are resolved.
std::int64_t Bookkeeper::return_overdraft(std::int64_t app, std::string const& kind, core::WallTime at) {
  std::vector<std::int64_t> packs;
  std::int64_t overdraft = 0;
  {
    Statement find(connection_, admin_sql("find_overdraft"));
    Rows rows = find.query({app, kind});
    if (!rows.next()) return 0;
    overdraft = rows.integer(0);
  }
  {
    Statement list(connection_, admin_sql("list_open_packs"));
    Rows rows = list.query({app, kind, unix_ms(at)});
    while (rows.next()) packs.push_back(rows.integer(0));
  }
  std::int64_t returned = 0;
  for (std::int64_t const pack : packs) {
    for (std::string_view const account : {"used", "lost"}) {
      Amount const owed = balances(overdraft)[std::string(account)];
      Amount const left = balances(pack)["available"];
      std::int64_t const units = std::min(owed.units, left.units);
      if (units <= 0) continue;
      book({.kind = "return",
            .pack = overdraft,
            .from = account,
            .to = "source",
            .amount = share(owed, units),
            .at = at});
      book({.kind = "return",
            .pack = pack,
            .from = "available",
            .to = account,
            .amount = share(left, units),
            .at = at});
      returned += units;
    }
  }
  return returned;
}

std::int64_t Bookkeeper::return_overdrafts(core::WallTime at) {
  std::vector<std::pair<std::int64_t, std::string>> owing;
  {
    Statement list(connection_, admin_sql("list_owing"));
    Rows rows = list.query({});
    while (rows.next()) owing.emplace_back(rows.integer(0), rows.text(1));
  }
  std::int64_t returned = 0;
  for (auto const& [app, kind] : owing) returned += return_overdraft(app, kind, at);
  return returned;
}

int Bookkeeper::expire(core::WallTime at) {
  std::vector<std::int64_t> ended;
  {
    Statement list(connection_, admin_sql("list_ended_packs"));
    Rows rows = list.query({unix_ms(at)});
    while (rows.next()) ended.push_back(rows.integer(0));
  }
  for (std::int64_t const pack : ended) {
    book({.kind = "expire",
          .pack = pack,
          .from = "available",
          .to = "expired",
          .amount = balances(pack)["available"],
          .at = at});
  }
  return static_cast<int>(ended.size());
}

admin::Answer Bookkeeper::erase(admin::ErasePerson const& act, core::WallTime at) {
  if (act.phone_key.has_value() == act.user_key.has_value())
    return refused(Kind::invalid, "name a number or a user, one of them");
  std::vector<core::CallerKey> users = users_of(act);
  // A number is known only where it came: the same users' other codes are found by the user.
  std::vector<admin::ErasePerson> who;
  if (act.phone_key) who.push_back({.phone_key = act.phone_key, .user_key = {}});
  for (core::CallerKey const& user : users) who.push_back({.phone_key = {}, .user_key = user.digest});
  for (admin::ErasePerson const& one : who) {
    Statement under_way(connection_, admin_sql("count_under_way"));
    Rows rows = under_way.query({one.phone_key, one.user_key});
    if (rows.next() && rows.integer(0) > 0)
      return refused(Kind::conflict, "an exchange of this person is under way: try again in a minute");
  }
  std::int64_t const sessions = end_sessions(users);
  std::int64_t count = 0;
  for (admin::ErasePerson const& one : who) {
    Statement codes(connection_, admin_sql("erase_live_codes"));
    codes.run({one.phone_key, one.user_key});
    Statement consumptions(connection_, admin_sql("erase_consumptions"));
    consumptions.run({one.phone_key, one.user_key});
    count += connection_.changes();
  }
  Statement record(connection_, admin_sql("insert_erasure"));
  record.run({act.phone_key ? "phone" : "user", count, unix_ms(at)});
  std::int64_t const erasure = connection_.last_insert_rowid();
  return done({.id = erasure,
               .count = count,
               .sentence = "erased in " + counted(count, "consumption") + " and " +
                           counted(sessions, "session") + "; the entries stay",
               .users = std::move(users)});
}

// A number's users are known from the consumptions that brought it.
std::vector<core::CallerKey> Bookkeeper::users_of(admin::ErasePerson const& act) {
  if (act.user_key) return {{*act.user_key}};
  std::vector<core::CallerKey> users;
  Statement list(connection_, admin_sql("list_users_of_number"));
  Rows rows = list.query({act.phone_key});
  while (rows.next()) users.push_back({digest_in(rows, 0)});
  return users;
}

std::int64_t Bookkeeper::end_sessions(std::vector<core::CallerKey> const& users) {
  Statement sessions(connection_, admin_sql("erase_sessions"));
  Statement session_keys(connection_, admin_sql("erase_session_keys"));
  std::int64_t ended = 0;
  for (core::CallerKey const& user : users) {
    sessions.run({user.digest});
    ended += connection_.changes();
    session_keys.run({user.digest});
  }
  return ended;
}

admin::Answer Bookkeeper::rotate_key(admin::RotateKey const& act, core::WallTime at) {
  std::int64_t resealed = 0;
  std::int64_t unreadable = 0;
  for (SealedColumn const& column : sealed_columns) {
    Statement set(connection_, admin_sql(column.set));
    for (Sealed const& sealed : list_sealed(connection_, column.list)) {
      auto const anew = act.reseal(column.field, sealed.row, sealed.bytes);
      if (!anew && column.field == core::crypto::SealedField::pepper)
        return refused(Kind::conflict, "the ledger's pepper does not open: nothing was changed");
      // No key opens it any more, so it is as good as gone.
      if (!anew) ++unreadable;
      if (!anew) continue;
      set.run({std::visit([](auto const& key) { return Parameter(key); }, sealed.key), *anew});
      ++resealed;
    }
  }
  Statement update(connection_, admin_sql("set_key_fingerprint"));
  update.run({act.key_fingerprint});
  core::crypto::KeyId const id = core::crypto::Keyring::key_id_of(act.key_fingerprint);
  Statement record(connection_, admin_sql("insert_key_rotation"));
  record.run({std::span<unsigned char const>(id), unix_ms(at)});
  return done(
      {.id = connection_.last_insert_rowid(),
       .count = resealed,
       .sentence =
           "the ledger has another data key; secrets sealed anew: " + std::to_string(resealed) +
           (unreadable > 0 ? ", " + std::to_string(unreadable) + " opened under no key" : std::string())});
}

void Bookkeeper::book(Entry const& entry) {
  Statement insert(connection_, admin_sql("insert_entry"));
  insert.run({entry.kind, entry.pack, entry.consumption, entry.from, entry.to, entry.amount.units,
              entry.amount.micro_yuan, null_if_empty(entry.note), unix_ms(entry.at)});
  Statement add(connection_, admin_sql("add_to_balance"));
  add.run({entry.pack, entry.from, -entry.amount.units, -entry.amount.micro_yuan});
  add.run({entry.pack, entry.to, entry.amount.units, entry.amount.micro_yuan});
}

Bookkeeper::Balances Bookkeeper::balances(std::int64_t pack) {
  Balances found;
  Statement read(connection_, admin_sql("balances"));
  Rows rows = read.query({pack});
  while (rows.next()) found[rows.text(0)] = {.units = rows.integer(1), .micro_yuan = rows.integer(2)};
  return found;
}

// The money of `units` of these units; what the division leaves over goes with the last of them. In two
// steps, so that no product exceeds 64 bits.
Bookkeeper::Amount Bookkeeper::share(Amount const& of, std::int64_t units) {
  std::int64_t const each = of.micro_yuan / of.units;
  std::int64_t const left_over = of.micro_yuan % of.units;
  return {.units = units, .micro_yuan = each * units + left_over * units / of.units};
}

}  // namespace onetap::storage
