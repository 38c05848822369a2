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

-- WeChat's latest figures of each pack beside ours, in burn order. ?1 an appid or ''.
-- name: reconciliation
SELECT v.app_id, v.kind, p.id AS pack, v.wx_pkg_id, p.units, s.as_of, v.wx_all, v.wx_used, v.used_before,
  v.our_used, v.our_lost, v.our_doubt, s.last_consumption
FROM v_reconciliation AS v
JOIN app AS a ON a.appid = v.app_id
JOIN pack AS p ON p.app = a.id AND p.kind = v.kind AND p.wx_pkg_id = v.wx_pkg_id
JOIN usage_snapshot AS s ON s.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id)
WHERE ?1 = '' OR v.app_id = ?1
ORDER BY v.app_id, v.kind, p.source <> 'trial', p.ends_at IS NULL, p.ends_at, p.id;

-- The same within a time, ?2 to ?3: between WeChat's last figures before it and its last ones in it. Of a pack
-- that was first seen in it, since its beginning.
-- name: reconciliation_within
SELECT a.appid AS app_id, p.kind, p.id AS pack, p.wx_pkg_id, p.units, e.as_of, e.wx_all,
  e.wx_used - coalesce(b.wx_used,
    (SELECT o.units FROM pack_balance AS o WHERE o.pack = p.id AND o.account = 'before'), 0) AS wx_used,
  e.last_consumption, coalesce(b.last_consumption, 0) AS first_consumption, b.as_of AS since
FROM pack AS p
JOIN app AS a ON a.id = p.app
JOIN usage_snapshot AS e
  ON e.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id AND n.as_of < ?3)
LEFT JOIN usage_snapshot AS b
  ON b.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id AND n.as_of < ?2)
WHERE (?1 = '' OR a.appid = ?1) AND e.as_of >= ?2
ORDER BY a.appid, p.kind, p.source <> 'trial', p.ends_at IS NULL, p.ends_at, p.id;

-- Of the codes after ?2 up to ?3 those that were booked on pack ?1.
-- name: codes_of_pack
SELECT count(*) FILTER (WHERE c.state = 'ok') AS used, count(*) FILTER (WHERE c.state = 'lost') AS lost,
  count(*) FILTER (WHERE c.state = 'in_doubt') AS doubt
FROM consumption AS c
WHERE c.id > ?2 AND c.id <= ?3 AND +c.pack = ?1;

-- What is booked on packs that WeChat does not name, of app ?1 and kind ?2.
-- name: units_elsewhere
SELECT coalesce(sum(b.units), 0) AS units
FROM pack AS p
JOIN app AS a ON a.id = p.app
JOIN pack_balance AS b ON b.pack = p.id AND b.account IN ('used', 'lost')
WHERE a.appid = ?1 AND p.kind = ?2
  AND NOT EXISTS (SELECT 1 FROM usage_snapshot AS s WHERE s.pack = p.id);

-- The same of the codes after ?3 up to ?4.
-- name: units_elsewhere_within
SELECT count(*) AS units
FROM consumption AS c
JOIN pack AS p ON p.id = c.pack
JOIN app AS a ON a.id = p.app
WHERE c.id > ?3 AND c.id <= ?4 AND c.state IN ('ok', 'lost') AND a.appid = ?1 AND p.kind = ?2
  AND NOT EXISTS (SELECT 1 FROM usage_snapshot AS s WHERE s.pack = p.id);

-- WeChat's figures of pack ?1 before and after a gap, ?2 to ?3; they lag by up to ten minutes.
-- name: figures_around
SELECT coalesce(b.wx_used,
    (SELECT o.units FROM pack_balance AS o WHERE o.pack = p.id AND o.account = 'before'), 0) AS used_at_first,
  coalesce(b.last_consumption, 0) AS first_consumption, e.wx_used AS used_at_last,
  e.last_consumption AS last_consumption
FROM pack AS p
LEFT JOIN usage_snapshot AS b
  ON b.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id AND n.as_of <= ?2)
JOIN usage_snapshot AS e
  ON e.id = coalesce(
    (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id AND n.as_of > ?2 AND n.as_of <= ?3 + 600000),
    (SELECT min(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id AND n.as_of > ?2))
WHERE p.id = ?1;

-- Those that end after ?1 and begin before ?2.
-- name: gaps_within
SELECT g.since, g.until FROM gap AS g WHERE g.until > ?1 AND g.since < ?2 ORDER BY g.id;

-- Of app ?1, kind ?2 and day ?3, or all of them; an event is counted when its code has not come in time.
-- name: never_presented
SELECT coalesce(sum(d.events), 0) AS codes
FROM event_daily AS d
JOIN app AS a ON a.id = d.app
WHERE a.appid = ?1 AND d.kind = ?2 AND d.type = 'never_presented' AND (?3 = '' OR d.day = ?3);

-- name: leaks_of_kind
SELECT coalesce(sum(e.units), 0) AS units
FROM entry AS e
JOIN pack AS p ON p.id = e.pack
JOIN app AS a ON a.id = p.app
WHERE e.kind = 'leak' AND a.appid = ?1 AND p.kind = ?2;

-- name: leaks_of_pack_since
SELECT coalesce(sum(e.units), 0) AS units FROM entry AS e WHERE e.kind = 'leak' AND e.pack = ?1 AND e.at >= ?2;

-- Codes that WeChat would not exchange, though it may have charged them: not those of wx.login, nor those of
-- which this server had the number. ?3 and ?4 a time.
-- name: rejected_codes
SELECT count(*) AS codes
FROM consumption AS c
JOIN app AS a ON a.id = c.app
WHERE c.state = 'rejected' AND coalesce(c.reason, 'unknown') IN ('unknown', 'expired')
  AND a.appid = ?1 AND c.kind = ?2 AND c.created_at >= ?3 AND c.created_at < ?4;

-- Every code of a time, ?2 to ?3, and every one that a page got and that has no row; in China's time.
-- name: evidence
SELECT a.appid AS app_id, c.kind AS kind,
  strftime('%Y-%m-%dT%H:%M:%S+08:00', c.created_at / 1000 + 28800, 'unixepoch') AS came_at,
  'code' AS what, c.state AS state,
  CASE WHEN c.state IN ('ok', 'lost') THEN 'yes' WHEN c.state = 'free' THEN 'no' ELSE 'unknown' END AS charged,
  p.wx_pkg_id AS wx_pkg_id, c.errcode AS errcode, c.rid AS rid, c.id AS id, c.request_id AS request_id,
  c.out_id AS out_id, c.scene AS scene, c.client_env AS client_env,
  strftime('%Y-%m-%dT%H:%M:%S+08:00', c.finished_at / 1000 + 28800, 'unixepoch') AS finished_at
FROM consumption AS c
JOIN app AS a ON a.id = c.app
LEFT JOIN pack AS p ON p.id = c.pack
WHERE (?1 = '' OR a.appid = ?1) AND c.created_at >= ?2 AND c.created_at < ?3
UNION ALL
SELECT a.appid, e.kind, strftime('%Y-%m-%dT%H:%M:%S+08:00', e.at / 1000 + 28800, 'unixepoch'),
  'issued', 'never_presented', 'yes', NULL, NULL, NULL, NULL, NULL, NULL, e.scene, e.client_env, NULL
FROM event AS e
JOIN app AS a ON a.id = e.app
WHERE e.type = 'issued' AND e.presented = 0 AND (?1 = '' OR a.appid = ?1) AND e.at >= ?2 AND e.at < ?3
ORDER BY 1, 2, 3;

-- For the metrics: a few rows of a few packs, of what is in doubt now, and of daily counts.

-- name: metrics_units
SELECT a.appid AS app_id, p.kind AS kind, b.account AS account, sum(b.units) AS units
FROM pack AS p
JOIN app AS a ON a.id = p.app
JOIN pack_balance AS b ON b.pack = p.id
WHERE b.account <> 'source'
GROUP BY a.appid, p.kind, b.account
ORDER BY a.appid, p.kind, b.account;

-- Also of a mini program without doubts: a rule that compares has something to compare with.
-- name: metrics_doubts
SELECT a.appid AS app_id, k.kind AS kind, count(c.id) AS codes, min(c.finished_at) AS oldest_ms
FROM app AS a
CROSS JOIN (SELECT 'quick' AS kind UNION ALL SELECT 'realtime') AS k
LEFT JOIN (
  SELECT d.id, d.app, d.kind, d.finished_at FROM consumption AS d WHERE d.state = 'in_doubt'
) AS c ON c.app = a.id AND c.kind = k.kind
GROUP BY a.appid, k.kind
ORDER BY a.appid, k.kind;

-- name: metrics_events
SELECT a.appid AS app_id, d.kind AS kind, d.type AS type, sum(d.events) AS events
FROM event_daily AS d
JOIN app AS a ON a.id = d.app
GROUP BY a.appid, d.kind, d.type
ORDER BY a.appid, d.kind, d.type;

-- Of the seven days up to ?1, in unix milliseconds; days are China's.
-- name: metrics_leaks
SELECT a.appid AS app_id, d.kind AS kind,
  sum(d.events) FILTER (WHERE d.type = 'issued') AS issued,
  coalesce(sum(d.events) FILTER (WHERE d.type = 'never_presented'), 0) AS never_presented
FROM event_daily AS d
JOIN app AS a ON a.id = d.app
WHERE d.day > date(?1 / 1000 + 8 * 3600, 'unixepoch', '-7 days') AND d.type IN ('issued', 'never_presented')
GROUP BY a.appid, d.kind
HAVING issued > 0
ORDER BY a.appid, d.kind;
