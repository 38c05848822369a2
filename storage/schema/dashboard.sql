-- What the operators' page reads. It asks again and again while the server works, so nothing here looks at the
-- whole history: the long tables are entered at the row id that first_… found, which grows with time.
-- Times are unix milliseconds; rows are grouped by steps of ?3 milliseconds, in China's time.

-- The first row that came at ?1 or later: a binary search by row id.
-- name: first_consumption
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(c.id) FROM consumption AS c), 0) + 1
  UNION ALL
  SELECT iif(c.created_at < ?1, c.id + 1, s.low), iif(c.created_at < ?1, s.high, c.id)
  FROM search AS s
  JOIN consumption AS c ON c.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT max(s.low) AS id FROM search AS s;

-- name: first_entry
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(e.id) FROM entry AS e), 0) + 1
  UNION ALL
  SELECT iif(e.at < ?1, e.id + 1, s.low), iif(e.at < ?1, s.high, e.id)
  FROM search AS s
  JOIN entry AS e ON e.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT max(s.low) AS id FROM search AS s;

-- name: first_snapshot
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(n.id) FROM usage_snapshot AS n), 0) + 1
  UNION ALL
  SELECT iif(n.as_of < ?1, n.id + 1, s.low), iif(n.as_of < ?1, s.high, n.id)
  FROM search AS s
  JOIN usage_snapshot AS n ON n.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT max(s.low) AS id FROM search AS s;

-- Of one day, as v_daily has it. ?1: the first consumption, ?2: the first entry, ?3: the day's beginning.
-- name: today
WITH part (app, kind, codes, ok, rejected, retryable, in_doubt, lost, free, wechat_calls, micro_yuan,
  estimated) AS (
  SELECT c.app, c.kind, count(*),
    count(*) FILTER (WHERE c.state = 'ok'),
    count(*) FILTER (WHERE c.state = 'rejected'),
    count(*) FILTER (WHERE c.state = 'retryable'),
    count(*) FILTER (WHERE c.state = 'in_doubt'),
    count(*) FILTER (WHERE c.state = 'lost'),
    count(*) FILTER (WHERE c.state = 'free'),
    coalesce(sum(c.attempts - CASE WHEN c.attempts > 1 OR c.cause = 'not_sent' OR c.cause = 'abandoned'
      THEN (SELECT count(*) FROM attempt AS t WHERE t.consumption = c.id AND t.cause = 'not_sent')
      ELSE 0 END), 0),
    0, 0
  FROM consumption AS c
  WHERE c.id >= ?1 AND c.created_at >= ?3
  GROUP BY c.app, c.kind
  UNION ALL
  SELECT p.app, p.kind, 0, 0, 0, 0, 0, 0, 0, 0, m.micro_yuan,
    m.micro_yuan * (p.source <> 'trial' AND p.price_micro_yuan IS NULL)
  FROM (
    SELECT e.pack AS pack,
      sum(iif(e.to_account IN ('used', 'lost'), e.micro_yuan, -e.micro_yuan)) AS micro_yuan
    FROM entry AS e
    WHERE e.id >= ?2 AND e.at >= ?3
      AND (e.to_account IN ('used', 'lost')) <> (e.from_account IN ('used', 'lost'))
    GROUP BY e.pack
  ) AS m
  JOIN pack AS p ON p.id = m.pack
)
SELECT a.appid AS app_id, s.kind AS kind, sum(s.codes) AS codes, sum(s.ok) AS ok,
  sum(s.rejected) AS rejected, sum(s.retryable) AS retryable, sum(s.in_doubt) AS in_doubt,
  sum(s.lost) AS lost, sum(s.free) AS free, sum(s.wechat_calls) AS wechat_calls,
  sum(s.micro_yuan) / 1000000.0 AS amount_yuan, sum(s.estimated) / 1000000.0 AS amount_estimated_yuan
FROM part AS s
JOIN app AS a ON a.id = s.app
GROUP BY s.app, s.kind
ORDER BY app_id, kind;

-- Of one day, as v_funnel has it. ?1: the first consumption, ?2: the day, ?3: its beginning.
-- name: funnel
WITH counted (app, kind, type, number) AS (
  SELECT d.app, d.kind, d.type, d.events
  FROM app AS a
  JOIN event_daily AS d ON d.app = a.id AND d.day = ?2
  UNION ALL
  SELECT c.app, c.kind, iif(c.state = 'ok', 'consumed', 'failed'), 1
  FROM consumption AS c
  WHERE c.id >= ?1 AND c.created_at >= ?3 AND c.state NOT IN ('sending', 'retryable')
)
SELECT a.appid AS app_id, f.kind AS kind,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'tap'), 0) AS taps,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'issued'), 0) AS issued,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'denied'), 0) AS denied,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'no_quota'), 0) AS no_quota,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'privacy_denied'), 0) AS privacy_denied,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'consumed'), 0) AS consumed,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'failed'), 0) AS failed,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'fallback'), 0) AS fallback,
  coalesce(sum(f.number) FILTER (WHERE f.type = 'never_presented'), 0) AS never_presented
FROM counted AS f
JOIN app AS a ON a.id = f.app
GROUP BY f.app, f.kind
ORDER BY app_id, kind;

-- The newest ?1 doubts, with what helps to resolve them.
-- name: doubts
SELECT a.appid AS app_id, d.kind AS kind, d.id AS id, d.cause AS cause,
  strftime('%Y-%m-%dT%H:%M:%SZ', d.finished_at / 1000, 'unixepoch') AS since, d.errcode AS errcode,
  d.rid AS rid, d.request_id AS request_id, d.scene AS scene, d.client_env AS client_env,
  strftime('%Y-%m-%dT%H:%M:%SZ', d.created_at / 1000, 'unixepoch') AS created_at
FROM consumption AS d INDEXED BY consumption_in_doubt
JOIN app AS a ON a.id = d.app
WHERE d.state = 'in_doubt'
ORDER BY d.created_at DESC
LIMIT ?1;

-- name: doubts_by_app
SELECT a.appid AS app_id, d.kind AS kind, count(*) AS in_doubt
FROM consumption AS d INDEXED BY consumption_in_doubt
JOIN app AS a ON a.id = d.app
WHERE d.state = 'in_doubt'
GROUP BY d.app, d.kind
ORDER BY app_id, kind;

-- Codes by what became of them. ?1: the first consumption, ?2: since when, ?4: appid, ?5: kind.
-- name: outcomes
SELECT (c.created_at + 28800000) / ?3 * ?3 - 28800000 AS step, c.state AS state, c.cause AS cause,
  count(*) AS codes
FROM consumption AS c
WHERE c.id >= ?1 AND c.created_at >= ?2 AND c.app = (SELECT a.id FROM app AS a WHERE a.appid = ?4)
  AND c.kind = ?5
GROUP BY step, c.state, c.cause
ORDER BY step, c.state, c.cause;

-- From the code's arrival until its outcome was durable, where WeChat's first answer decided: the nearest-rank
-- percentiles. Parameters as above.
-- name: latency
WITH
  timed AS (
    SELECT (c.created_at + 28800000) / ?3 * ?3 - 28800000 AS step, c.finished_at - c.created_at AS ms
    FROM consumption AS c
    WHERE c.id >= ?1 AND c.created_at >= ?2 AND c.path = 'exchange' AND c.state IN ('ok', 'rejected')
      AND c.attempts = 1 AND c.app = (SELECT a.id FROM app AS a WHERE a.appid = ?4) AND c.kind = ?5
  ),
  ranked AS (
    SELECT t.step, t.ms, row_number() OVER (PARTITION BY t.step ORDER BY t.ms) AS place,
      count(*) OVER (PARTITION BY t.step) AS codes
    FROM timed AS t
  )
SELECT r.step AS step, r.codes AS codes,
  max(r.ms) FILTER (WHERE r.place = (r.codes * 50 + 99) / 100) AS p50_ms,
  max(r.ms) FILTER (WHERE r.place = (r.codes * 90 + 99) / 100) AS p90_ms,
  max(r.ms) FILTER (WHERE r.place = (r.codes * 99 + 99) / 100) AS p99_ms,
  max(r.ms) AS max_ms
FROM ranked AS r
GROUP BY r.step
ORDER BY r.step;

-- Units of the packs by our ledger: what was left at the end of each step in which something moved, from what
-- is left now backward. ?1: the first entry, ?2: since when, ?4: appid, ?5: kind.
-- name: units_left
WITH
  mine AS (
    SELECT p.id FROM pack AS p
    WHERE p.app = (SELECT a.id FROM app AS a WHERE a.appid = ?4) AND p.kind = ?5
  ),
  moved AS (
    SELECT (e.at + 28800000) / ?3 * ?3 - 28800000 AS step,
      sum(iif(e.to_account = 'available', e.units, -e.units)) AS units,
      coalesce(sum(e.units) FILTER (WHERE e.kind = 'purchase'), 0) AS bought,
      coalesce(sum(e.units) FILTER (WHERE e.kind = 'expire'), 0) AS expired
    FROM entry AS e
    WHERE e.id >= ?1 AND e.at >= ?2 AND e.pack IN (SELECT m.id FROM mine AS m)
      AND (e.to_account = 'available') <> (e.from_account = 'available')
    GROUP BY step
  )
SELECT m.step AS step,
  (SELECT coalesce(sum(b.units), 0) FROM pack_balance AS b
   WHERE b.account = 'available' AND b.pack IN (SELECT n.id FROM mine AS n))
  - coalesce(sum(m.units) OVER (ORDER BY m.step DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
    AS units_left,
  m.bought AS bought, m.expired AS expired
FROM moved AS m
ORDER BY m.step;

-- The last that WeChat said of each pack in each step. ?1: the first snapshot, ?2: since when, ?4: appid, ?5: kind.
-- name: wechat_left
SELECT n.pack AS pack, (n.as_of + 28800000) / ?3 * ?3 - 28800000 AS step, max(n.as_of) AS at,
  iif(n.status = 1, max(n.wx_all - n.wx_used, 0), 0) AS units_left
FROM usage_snapshot AS n
JOIN pack AS p ON p.id = n.pack
WHERE n.id >= ?1 AND n.as_of >= ?2 AND p.kind = ?5
  AND p.app = (SELECT a.id FROM app AS a WHERE a.appid = ?4)
GROUP BY n.pack, step
ORDER BY at, n.pack;

-- What WeChat said last is left of the packs in force.
-- name: wechat_now
SELECT a.appid AS app_id, w.kind AS kind, strftime('%Y-%m-%dT%H:%M:%SZ', w.as_of / 1000, 'unixepoch') AS as_of,
  sum(iif(n.status = 1, n.wx_all, 0)) AS units,
  sum(iif(n.status = 1, max(n.wx_all - n.wx_used, 0), 0)) AS units_left
FROM usage_answer AS w
JOIN app AS a ON a.id = w.app
JOIN pack AS p ON p.app = w.app AND p.kind = w.kind
JOIN pack_listing AS l ON l.pack = p.id AND l.as_of = w.as_of
JOIN usage_snapshot AS n ON n.id = (SELECT max(s.id) FROM usage_snapshot AS s WHERE s.pack = p.id)
GROUP BY w.app, w.kind
ORDER BY app_id, kind;

-- The newest ?1 codes of appid ?2 and kind ?3 ('' for all), among the newest hundred thousand.
-- name: newest_consumptions
SELECT v.id, v.app_id, v.kind, v.path, v.state, c.cause, v.attempts, v.request_id, v.phone_mask, v.errcode,
  v.rid, v.scene, v.out_id, v.client_env, v.created_at, v.finished_at
FROM consumption AS c
JOIN v_consumptions AS v ON v.id = c.id
WHERE c.id > (SELECT max(l.id) FROM consumption AS l) - 100000 AND (?2 = '' OR v.app_id = ?2)
  AND (?3 = '' OR v.kind = ?3)
ORDER BY c.id DESC
LIMIT ?1;
