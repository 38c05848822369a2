-- What the operators' commands read. Filters: ?1 an appid or '' for all, ?2 a time or day, '' for all of it.

-- name: summary
SELECT app_id, kind, sum(codes) AS codes, sum(ok) AS ok, sum(rejected) AS rejected,
  sum(retryable) AS retryable, sum(in_doubt) AS in_doubt, sum(lost) AS lost, sum(free) AS free,
  sum(wechat_calls) AS wechat_calls, round(sum(amount_yuan), 6) AS amount_yuan,
  round(sum(amount_estimated_yuan), 6) AS amount_estimated_yuan
FROM v_daily
WHERE (?1 = '' OR app_id = ?1) AND day >= ?2
GROUP BY app_id, kind
ORDER BY app_id, kind;

-- name: daily
SELECT app_id, day, kind, codes, ok, rejected, retryable, in_doubt, lost, free, wechat_calls, amount_yuan,
  amount_estimated_yuan
FROM v_daily
WHERE (?1 = '' OR app_id = ?1) AND day >= ?2
ORDER BY day, app_id, kind;

-- Packs that were over before ?2 are left out.
-- name: packs
SELECT pack_id, app_id, kind, wx_pkg_id, source, units, available, used, doubt, lost, expired, refunded,
  used_before, price_yuan, price_known, amount_used_yuan, starts_at, ends_at
FROM v_packs
WHERE (?1 = '' OR app_id = ?1) AND (ends_at IS NULL OR ends_at >= ?2)
ORDER BY app_id, kind, pack_id;

-- name: in_doubt
SELECT id, app_id, kind, cause, since, seconds_left, rid
FROM v_in_doubt
WHERE (?1 = '' OR app_id = ?1) AND since >= ?2
ORDER BY id;

-- ?2 is a month.
-- name: statement
SELECT app_id, month, kind, pack_id, opening, bought, used, lost, doubt, expired, closing, amount_yuan
FROM v_monthly
WHERE (?1 = '' OR app_id = ?1) AND month = ?2
ORDER BY app_id, kind, pack_id;

-- name: gaps
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', g.since / 1000, 'unixepoch') AS since,
  strftime('%Y-%m-%dT%H:%M:%SZ', g.until / 1000, 'unixepoch') AS until
FROM gap AS g
ORDER BY g.id;

-- name: attempts_of
SELECT a.number AS refused_attempt, a.cause, a.errcode, a.rid,
  strftime('%Y-%m-%dT%H:%M:%SZ', a.closed_at / 1000, 'unixepoch') AS at
FROM attempt AS a
WHERE a.consumption = ?1
ORDER BY a.number;

-- name: entries_of
SELECT e.kind AS entry, e.pack, e.from_account || ' to ' || e.to_account AS moved,
  e.micro_yuan / 1000000.0 AS yuan, e.note, strftime('%Y-%m-%dT%H:%M:%SZ', e.at / 1000, 'unixepoch') AS at
FROM entry AS e
WHERE e.consumption = ?1
ORDER BY e.id;

-- The newest ?7 that fit all of: appid ?1, since ?2, phone key ?3, user key ?4, request ?5, out id ?6.
-- name: find
SELECT v.id, v.app_id, v.kind, v.path, v.state, v.attempts, v.request_id, v.phone_mask, v.errcode, v.rid,
  v.scene, v.out_id, v.client_env, v.created_at, v.finished_at
FROM v_consumptions AS v
JOIN consumption AS c ON c.id = v.id
WHERE (?1 = '' OR v.app_id = ?1) AND v.created_at >= ?2 AND (?3 IS NULL OR c.phone_key = ?3)
  AND (?4 IS NULL OR c.user_key = ?4) AND (?5 = '' OR v.request_id = ?5) AND (?6 = '' OR v.out_id = ?6)
ORDER BY v.id DESC
LIMIT ?7;

-- name: apps
SELECT a.appid FROM app AS a;

-- name: meta
SELECT m.mode, m.replay_window_ms FROM meta AS m;

-- name: consumption
SELECT id, app_id, kind, path, state, attempts, request_id, phone_mask, errcode, rid, scene, out_id,
  client_env, created_at, finished_at
FROM v_consumptions
WHERE id = ?1;

-- name: consumptions_of_request
SELECT id, app_id, kind, path, state, attempts, request_id, phone_mask, errcode, rid, scene, out_id,
  client_env, created_at, finished_at
FROM v_consumptions
WHERE request_id = ?1
ORDER BY id;

-- name: latest_consumptions
SELECT id, app_id, kind, path, state, attempts, request_id, phone_mask, errcode, rid, scene, out_id,
  client_env, created_at, finished_at
FROM v_consumptions
ORDER BY id DESC
LIMIT ?1;

-- ?2: 1, those that are over, too.
-- name: alarms
SELECT alarm_id, alarm, severity, app_id, kind, what, step, facts, raised_at, ended_at, sent_at
FROM v_alarms
WHERE (?1 = '' OR app_id IN (?1, '')) AND (?2 = 1 OR ended_at IS NULL)
ORDER BY app_id, alarm_id;

-- name: verify
SELECT rule, id, detail FROM v_verify ORDER BY rule, id;

-- What only the next start sees as left over, and v_verify therefore does not have: the last run's.
-- name: verify_stopped
SELECT 'open_attempt_of_earlier_run' AS rule, c.id AS id,
  'attempt ' || c.attempts || ' of run ' || c.run || ' is still open' AS detail
FROM consumption AS c
WHERE c.state = 'sending' AND c.run >= (SELECT max(r.id) FROM run AS r)
UNION ALL
SELECT 'sealed_number_kept_too_long', c.id, 'a sealed number is kept beyond the replay window'
FROM live_code AS l
JOIN consumption AS c ON c.id = l.consumption
WHERE l.sealed_number IS NOT NULL
  AND c.finished_at + (SELECT m.replay_window_ms FROM meta AS m) + 60000 < unixepoch() * 1000
  AND (SELECT r.ended_at FROM run AS r ORDER BY r.id DESC LIMIT 1) IS NOT NULL
ORDER BY 1, 2;
