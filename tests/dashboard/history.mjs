// Four weeks of a mini program's life, as SQL for a new ledger of this schema: for tests and pictures only. The
// same each time, but for the time it ends at.

const minute = 60_000;
const day = 24 * 60 * minute;
const unit = 30_000;  // micro-yuan: ¥0.03

const trial = { id: 101, kind: "quick", source: "trial", name: "", units: 1_000, price: 0, from: -60, to: null };
const first = { id: 102, kind: "quick", source: "paid", name: "ZY7300000000000184201", units: 5_000, price: unit, from: -29, to: 12 };
const second = { id: 103, kind: "quick", source: "paid", name: "ZY7300000000000213377", units: 5_000, price: unit, from: -4, to: 361 };
const realtime = { id: 104, kind: "realtime", source: "paid", name: "ZY7300000000000198450", units: 2_000, price: 40_000, from: -25, to: 155 };
const all = [trial, first, second, realtime];

// mulberry32: small, and good enough for pictures.
function dice(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const text = (value) => (value === null ? "NULL" : `'${String(value).replaceAll("'", "''")}'`);
const hex = (random, bytes) => Array.from({ length: bytes }, () => Math.floor(random() * 256).toString(16).padStart(2, "0")).join("");

// How busy an hour in China is, of its day.
const busy = [0.35, 0.2, 0.12, 0.1, 0.12, 0.25, 0.5, 0.9, 1.2, 1.35, 1.4, 1.5, 1.6, 1.35, 1.25, 1.2, 1.2, 1.25, 1.4, 1.6, 1.8, 1.7, 1.3, 0.7];
const busiest = Math.max(...busy);

/** Times of codes from `since` until `now`, as many a day as `a_day` says of its number. */
function times(random, since, now, a_day) {
  const found = [];
  for (let midnight = since; midnight < now; midnight += day) {
    const wanted = a_day(Math.round((midnight - since) / day));
    const end = Math.min(midnight + day, now - 20_000);
    for (let i = 0; i < wanted; ++i) {
      const at = midnight + Math.floor(random() * day);
      if (random() < busy[Math.floor((at - midnight) / (60 * minute))] / busiest && at < end) found.push(at);
    }
    // Pictures are taken at any hour; a day has to have begun.
    if (midnight + day > now) for (let i = 0; i < 40; ++i) found.push(midnight + Math.floor(random() * (end - midnight)));
  }
  return found.sort((a, b) => a - b);
}

function fate(random, at, now, doubts) {
  const hours = (now - at) / (60 * minute);
  const bad = hours > 30 && hours < 33;  // WeChat had a bad evening
  const roll = random();
  if (hours < 20 && hours > 0.2 && doubts < 5 && roll > 0.97)
    return { state: "in_doubt", cause: ["timeout", "connection_lost", "http_error", "system_error", "timeout"][doubts] };
  if (roll < 0.021) return { state: "rejected", errcode: random() < 0.8 ? 40029 : 40163 };
  if (roll < (bad ? 0.12 : 0.0235)) {
    const cause = ["timeout", "timeout", "connection_lost", "system_error", "http_error"][Math.floor(random() * 5)];
    const roll_of_end = random();
    if (hours < 20) return { state: "ok" };
    return { state: roll_of_end < 0.75 ? "lost" : "free", cause };
  }
  return { state: "ok" };
}

const scenes = ["login", "login", "login", "checkout", "coupon"];

/** {sql, used}: `used` by a pack's name is what WeChat would have counted. */
export function historySql(appid, now) {
  const random = dice(20261123);
  const midnight = Math.floor((now + 8 * 60 * minute) / day) * day - 8 * 60 * minute;
  const since = midnight - 27 * day;
  const out = ["PRAGMA foreign_keys = ON;", "BEGIN;",
    `INSERT INTO app (appid) SELECT ${text(appid)} WHERE NOT EXISTS (SELECT 1 FROM app WHERE appid = ${text(appid)});`];
  const app = `(SELECT id FROM app WHERE appid = ${text(appid)})`;
  for (const kind of ["quick", "realtime"]) {
    out.push(`INSERT INTO pack (app, kind, source, units, created_at) SELECT ${app}, '${kind}', 'overdraft', 0, ${since}
      WHERE NOT EXISTS (SELECT 1 FROM pack WHERE app = ${app} AND kind = '${kind}' AND source = 'overdraft');`);
  }
  const left = new Map();
  const used = {};
  const entry = (kind, pack, consumption, from, to, units, price, at, note = null) => out.push(
    `INSERT INTO entry (kind, pack, consumption, from_account, to_account, units, micro_yuan, note, at) VALUES ('${kind}', ${pack.id},
      ${consumption}, '${from}', '${to}', ${units}, ${units * price}, ${text(note)}, ${at});`);
  for (const pack of all) {
    const begins = midnight + pack.from * day;
    const ends = pack.to === null ? "NULL" : midnight + pack.to * day;
    out.push(`INSERT INTO pack (id, app, kind, source, wx_pkg_id, units, price_micro_yuan, starts_at, ends_at, created_at) VALUES
      (${pack.id}, ${app}, '${pack.kind}', '${pack.source}', ${text(pack.name)}, ${pack.units},
      ${pack.source === "trial" ? "NULL" : pack.units * pack.price}, ${begins}, ${ends}, ${Math.max(begins, since)});`);
    left.set(pack, 0);
    used[pack.name] = 0;
  }
  const buy = (pack, at) => {
    entry("purchase", pack, "NULL", "source", "available", pack.units, pack.price, at);
    left.set(pack, pack.units);
  };
  buy(trial, since - day);
  entry("opening", trial, "NULL", "available", "before", 940, 0, since - day);
  used[trial.name] = 940;
  left.set(trial, 60);
  buy(first, since - day);

  const codes = [
    ...times(random, since, now, (n) => 330 + 40 * Math.sin(n / 1.1) + 2 * n).map((at) => ({ at, kind: "quick" })),
    ...times(random, since + 3 * day, now, (n) => 36 + n).map((at) => ({ at, kind: "realtime" })),
  ].sort((a, b) => a.at - b.at);
  const snapshot = (at, last) => {
    for (const pack of all) {
      if (left.get(pack) === 0 && used[pack.name] === 0) continue;
      out.push(`INSERT INTO usage_snapshot (pack, wx_all, wx_used, status, starts_at, ends_at, as_of, last_consumption) VALUES
        (${pack.id}, ${pack.units}, ${used[pack.name]}, 1, NULL, ${pack.to === null ? "NULL" : midnight + pack.to * day}, ${at},
        ${last === 0 ? 0 : `(SELECT coalesce(max(id), 0) FROM consumption)`});`);
    }
  };
  let nextSnapshot = since;
  let count = 0;
  let leaks = 0;
  let doubts = 0;
  const bought = new Set([trial, first]);
  for (const { at, kind } of codes) {
    for (const pack of [second, realtime]) {
      if (bought.has(pack) || at < midnight + pack.from * day + 10 * 60 * minute) continue;
      bought.add(pack);
      buy(pack, midnight + pack.from * day + 10 * 60 * minute);
    }
    while (nextSnapshot <= at) { snapshot(nextSnapshot, count); nextSnapshot += 3 * 60 * minute; }
    const pack = all.find((each) => each.kind === kind && left.get(each) > 0);
    if (!pack) continue;
    ++count;
    const { state, cause = "", errcode = null } = fate(random, at, now, doubts);
    if (state === "in_doubt") ++doubts;
    const took = Math.round(90 + 60 * random() + 110 * random() ** 3 + (random() < 0.02 ? 700 * random() : 0));
    const finished = at + (cause === "timeout" ? 3000 : took);
    const digest = hex(random, 32);
    const charged = state !== "rejected";
    const booked = charged ? `pack = ${pack.id}, micro_yuan = ${pack.price}` : "pack = NULL, micro_yuan = NULL";
    out.push(`INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, request_id, code_key, user_key, scene,
      client_env, created_at) VALUES (${app}, '${kind}', 'exchange', 'sending', '', 1, (SELECT max(id) FROM run), ${at}, '${hex(random, 13)}',
      x'${digest}', x'${hex(random, 32)}', '${scenes[Math.floor(random() * scenes.length)]}', '${random() < 0.97 ? "release" : "preview"}', ${at});`);
    const id = "(SELECT max(id) FROM consumption)";
    const update = (set) => out.push(`UPDATE consumption SET ${set} WHERE id = ${id};`);
    if (state === "ok") {
      const mask = `1${["38", "39", "50", "86", "77"][Math.floor(random() * 5)]}****${String(Math.floor(random() * 10_000)).padStart(4, "0")}`;
      update(`state = 'ok', finished_at = ${finished}, phone_mask = '${mask}', phone_key = x'${hex(random, 32)}', errcode = 0, ${booked}`);
      entry("use", pack, id, "available", "used", 1, pack.price, finished);
    } else if (state === "rejected") {
      update(`state = 'rejected', finished_at = ${finished}, errcode = ${errcode}, ${booked}`);
    } else {
      update(`state = 'in_doubt', cause = '${cause}', finished_at = ${finished}, ${booked}`);
      entry("doubt", pack, id, "available", "doubt", 1, pack.price, finished);
      if (state === "in_doubt") out.push(`INSERT INTO live_code (code_key, consumption, seen_at) VALUES (x'${digest}', ${id}, ${at});`);
      if (state !== "in_doubt") {
        update(`state = '${state}', finished_at = ${finished + 5 * 60 * minute}`);
        entry(state === "lost" ? "resolve_lost" : "resolve_free", pack, id, "doubt", state === "lost" ? "lost" : "available", 1, pack.price,
          finished + 5 * 60 * minute, state === "lost" ? "WeChat's usage moved by one" : "WeChat's usage did not move");
      }
    }
    if (charged && state !== "free") left.set(pack, left.get(pack) - 1);
    if (state === "ok" || state === "lost" || (state === "in_doubt" && random() < 0.5)) ++used[pack.name];
    if (pack === realtime && leaks < 3 && random() < 0.02) { ++used[pack.name]; ++leaks; }
  }
  snapshot(now - 5 * minute, count);
  const today = (kind) => `(SELECT count(*) FROM consumption WHERE kind = '${kind}' AND created_at >= ${midnight})`;
  const events = [["tap", 1.46], ["issued", 1.02], ["denied", 0.33], ["no_quota", 0], ["privacy_denied", 0.06], ["fallback", 0.11],
    ["never_presented", 0.015]];
  const dayName = new Date(midnight + 8 * 60 * minute).toISOString().slice(0, 10);
  for (const kind of ["quick", "realtime"]) {
    for (const [type, times_codes] of events) {
      out.push(`INSERT INTO event_daily (app, day, kind, type, events) SELECT ${app}, '${dayName}', '${kind}', '${type}',
        cast(round(${times_codes} * ${today(kind)}) AS INTEGER) WHERE round(${times_codes} * ${today(kind)}) > 0;`);
    }
  }
  out.push(`INSERT INTO pack_balance (pack, account, units, micro_yuan)
    SELECT pack, account, sum(units), sum(micro_yuan) FROM (
      SELECT pack, to_account AS account, units, micro_yuan FROM entry
      UNION ALL SELECT pack, from_account, -units, -micro_yuan FROM entry)
    WHERE true GROUP BY pack, account
    ON CONFLICT (pack, account) DO UPDATE SET units = excluded.units, micro_yuan = excluded.micro_yuan;`, "COMMIT;");
  return { sql: out.join("\n"), used };
}

/** The same packs as the sandbox is told of them. */
export function packs(kind, used) {
  const midnight = Math.floor((Date.now() + 8 * 60 * minute) / day) * day - 8 * 60 * minute;
  return all.filter((pack) => pack.kind === kind).map((pack) => ({
    pkgId: pack.name, all: pack.units, used: used[pack.name],
    startTime: Math.floor((midnight + pack.from * day) / 1000),
    ...(pack.to === null ? {} : { endTime: Math.floor((midnight + pack.to * day) / 1000) }),
  }));
}
