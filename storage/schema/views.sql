-- What operators query. Times are ISO 8601 UTC, days are China's, money is yuan.
-- Dropped and made anew with every migration.

CREATE VIEW v_consumptions AS
SELECT
  c.id AS id,
  a.appid AS app_id,
  c.kind AS kind,
  c.path AS path,
  c.state AS state,
  c.attempts AS attempts,
  c.request_id AS request_id,
  c.phone_mask AS phone_mask,
  c.errcode AS errcode,
  c.rid AS rid,
  c.scene AS scene,
  c.out_id AS out_id,
  c.client_env AS client_env,
  strftime('%Y-%m-%dT%H:%M:%SZ', c.created_at / 1000, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', c.finished_at / 1000, 'unixepoch') AS finished_at
FROM consumption AS c
JOIN app AS a ON a.id = c.app;

-- Codes by the day on which they came; wechat_calls leaves out attempts of which no byte left. Money by the
-- day on which it was booked, repricing included, so that a month's days sum up to its lines in v_monthly:
-- amount_yuan is what used and lost units cost; amount_estimated_yuan is the part of it that rests on the
-- configured price, because the pack's own is not known.
CREATE VIEW v_daily AS
WITH
  part (app, day, kind, codes, ok, rejected, retryable, in_doubt, lost, free, wechat_calls, micro_yuan,
    estimated) AS (
    SELECT
      c.app,
      date(c.created_at / 1000 + 8 * 3600, 'unixepoch') AS day,
      c.kind,
      count(*),
      count(*) FILTER (WHERE c.state = 'ok'),
      count(*) FILTER (WHERE c.state = 'rejected'),
      count(*) FILTER (WHERE c.state = 'retryable'),
      count(*) FILTER (WHERE c.state = 'in_doubt'),
      count(*) FILTER (WHERE c.state = 'lost'),
      count(*) FILTER (WHERE c.state = 'free'),
      coalesce(sum(c.attempts - CASE WHEN c.attempts > 1 OR c.cause = 'not_sent' OR c.cause = 'abandoned'
        THEN (SELECT count(*) FROM attempt AS t WHERE t.consumption = c.id AND t.cause = 'not_sent')
        ELSE 0 END), 0),
      0,
      0
    FROM consumption AS c
    GROUP BY c.app, day, c.kind
    UNION ALL
    SELECT p.app, m.day, p.kind, 0, 0, 0, 0, 0, 0, 0, 0,
      m.micro_yuan, m.micro_yuan * (p.source <> 'trial' AND p.price_micro_yuan IS NULL)
    FROM (
      SELECT e.pack AS pack, date(e.at / 1000 + 8 * 3600, 'unixepoch') AS day,
        sum(iif(e.to_account IN ('used', 'lost'), e.micro_yuan, -e.micro_yuan)) AS micro_yuan
      FROM entry AS e
      WHERE (e.to_account IN ('used', 'lost')) <> (e.from_account IN ('used', 'lost'))
      GROUP BY e.pack, day
    ) AS m
    JOIN pack AS p ON p.id = m.pack
  )
SELECT
  a.appid AS app_id,
  s.day AS day,
  s.kind AS kind,
  sum(s.codes) AS codes,
  sum(s.ok) AS ok,
  sum(s.rejected) AS rejected,
  sum(s.retryable) AS retryable,
  sum(s.in_doubt) AS in_doubt,
  sum(s.lost) AS lost,
  sum(s.free) AS free,
  sum(s.wechat_calls) AS wechat_calls,
  sum(s.micro_yuan) / 1000000.0 AS amount_yuan,
  sum(s.estimated) / 1000000.0 AS amount_estimated_yuan
FROM part AS s
JOIN app AS a ON a.id = s.app
GROUP BY a.appid, s.day, s.kind
HAVING sum(s.codes) <> 0 OR sum(s.micro_yuan) <> 0 OR sum(s.estimated) <> 0;

-- From the entries, by the month in which they were booked: a finished month's lines never change. A pack of
-- which something is left has a line for a month in which nothing moved, too, up to the current month.
-- opening + bought = used + lost + doubt + expired + closing. bought leaves out what WeChat had counted
-- before the pack was seen, and what was refunded; of the overdraft it is what was taken beyond all packs,
-- less what moved to a pack later. amount_yuan is what used and lost units cost, repricing included.
CREATE VIEW v_monthly AS
WITH
  moved (pack, month, account, units, micro_yuan) AS (
    SELECT pack, strftime('%Y-%m', at / 1000 + 8 * 3600, 'unixepoch'), to_account, units, micro_yuan
    FROM entry
    UNION ALL
    SELECT pack, strftime('%Y-%m', at / 1000 + 8 * 3600, 'unixepoch'), from_account, -units, -micro_yuan
    FROM entry
  ),
  change (pack, month, available, bought, used, lost, doubt, expired, micro_yuan) AS (
    SELECT
      pack,
      month,
      sum(units * (account = 'available')),
      -sum(units * (account IN ('source', 'before', 'refunded'))),
      sum(units * (account = 'used')),
      sum(units * (account = 'lost')),
      sum(units * (account = 'doubt')),
      sum(units * (account = 'expired')),
      sum(micro_yuan * (account IN ('used', 'lost')))
    FROM moved
    GROUP BY pack, month
  ),
  first (pack, month) AS (SELECT pack, min(month) FROM change GROUP BY pack),
  calendar (month) AS (
    SELECT min(month) FROM change
    UNION ALL
    SELECT strftime('%Y-%m', month || '-01', '+1 month') FROM calendar
    WHERE month < max(strftime('%Y-%m', 'now', '+8 hours'), (SELECT max(month) FROM change))
  ),
  line (pack, month, moved, opening, bought, used, lost, doubt, expired, closing, micro_yuan) AS (
    SELECT
      f.pack,
      m.month,
      c.pack IS NOT NULL,
      sum(coalesce(c.available, 0)) OVER months - coalesce(c.available, 0),
      coalesce(c.bought, 0),
      coalesce(c.used, 0),
      coalesce(c.lost, 0),
      coalesce(c.doubt, 0),
      coalesce(c.expired, 0),
      sum(coalesce(c.available, 0)) OVER months,
      coalesce(c.micro_yuan, 0)
    FROM first AS f
    JOIN calendar AS m ON m.month >= f.month
    LEFT JOIN change AS c ON c.pack = f.pack AND c.month = m.month
    WINDOW months AS (PARTITION BY f.pack ORDER BY m.month)
  )
SELECT
  a.appid AS app_id,
  l.month AS month,
  p.kind AS kind,
  p.id AS pack_id,
  l.opening AS opening,
  l.bought AS bought,
  l.used AS used,
  l.lost AS lost,
  l.doubt AS doubt,
  l.expired AS expired,
  l.closing AS closing,
  l.micro_yuan / 1000000.0 AS amount_yuan
FROM line AS l
JOIN pack AS p ON p.id = l.pack
JOIN app AS a ON a.id = p.app
WHERE l.moved OR l.closing <> 0;

-- By button, and by where the page ran; codes and money by the days of v_daily. Money that is no single
-- code's (repricing, leaks, what moved between packs) is in lines of no scene and no place. issued is NULL
-- where no single event of it is kept.
CREATE VIEW v_scenes AS
WITH seen (app, day, kind, scene, client_env, issued, ok, lost, micro_yuan) AS (
  SELECT c.app, date(c.created_at / 1000 + 8 * 3600, 'unixepoch'), c.kind, c.scene, c.client_env,
    NULL, c.state = 'ok', c.state = 'lost', 0
  FROM consumption AS c
  UNION ALL
  SELECT p.app, date(b.at / 1000 + 8 * 3600, 'unixepoch'), p.kind, c.scene, c.client_env, NULL, 0, 0,
    iif(b.to_account IN ('used', 'lost'), b.micro_yuan, -b.micro_yuan)
  FROM entry AS b
  JOIN pack AS p ON p.id = b.pack
  LEFT JOIN consumption AS c ON c.id = b.consumption
  WHERE (b.to_account IN ('used', 'lost')) <> (b.from_account IN ('used', 'lost')) AND b.micro_yuan <> 0
  UNION ALL
  SELECT e.app, date(e.at / 1000 + 8 * 3600, 'unixepoch'), e.kind, e.scene, e.client_env, 1, 0, 0, 0
  FROM event AS e
  WHERE e.type = 'issued'
)
SELECT
  a.appid AS app_id,
  s.day AS day,
  s.kind AS kind,
  s.scene AS scene,
  s.client_env AS client_env,
  sum(s.issued) AS issued,
  sum(s.ok) AS ok,
  sum(s.lost) AS lost,
  sum(s.micro_yuan) / 1000000.0 AS amount_yuan
FROM seen AS s
JOIN app AS a ON a.id = s.app
GROUP BY a.appid, s.day, s.kind, s.scene, s.client_env;

CREATE VIEW v_packs AS
SELECT
  p.id AS pack_id,
  a.appid AS app_id,
  p.kind AS kind,
  p.wx_pkg_id AS wx_pkg_id,
  p.source AS source,
  p.units AS units,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'available'), 0) AS available,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'used'), 0) AS used,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'doubt'), 0) AS doubt,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'lost'), 0) AS lost,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'expired'), 0) AS expired,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'refunded'), 0) AS refunded,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'before'), 0) AS used_before,
  CASE WHEN p.source = 'trial' THEN 0.0 ELSE p.price_micro_yuan / 1000000.0 END AS price_yuan,
  p.source = 'trial' OR p.price_micro_yuan IS NOT NULL AS price_known,
  coalesce(sum(b.micro_yuan) FILTER (WHERE b.account = 'used'), 0) / 1000000.0 AS amount_used_yuan,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.starts_at / 1000, 'unixepoch') AS starts_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.ends_at / 1000, 'unixepoch') AS ends_at
FROM pack AS p
JOIN app AS a ON a.id = p.app
LEFT JOIN pack_balance AS b ON b.pack = p.id
GROUP BY p.id;

-- since: when the doubt arose. seconds_left: of the code's five minutes, 0 when they are over.
CREATE VIEW v_in_doubt AS
SELECT
  c.id AS id,
  a.appid AS app_id,
  c.kind AS kind,
  c.cause AS cause,
  strftime('%Y-%m-%dT%H:%M:%SZ', c.finished_at / 1000, 'unixepoch') AS since,
  max(0, c.created_at / 1000 + 300 - unixepoch()) AS seconds_left,
  c.rid AS rid
FROM consumption AS c
JOIN app AS a ON a.id = c.app
WHERE c.state = 'in_doubt';

-- The latest answer of WeChat's about each pack, beside ours of the codes that had come by then; what became
-- of them since counts, later codes do not. unexplained is what doubt cannot account for; below zero, what we
-- counted too much.
CREATE VIEW v_reconciliation AS
WITH
  latest AS (
    SELECT p.id AS pack, p.app AS app, p.kind AS kind, p.wx_pkg_id AS wx_pkg_id, p.units AS units,
      s.as_of AS as_of, s.wx_all AS wx_all, s.wx_used AS wx_used, s.last_consumption AS last_consumption,
      coalesce(p.ends_at <= s.as_of, 0) AS over
    FROM pack AS p
    JOIN usage_snapshot AS s
      ON s.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id)
  ),
  -- Nothing is booked on a pack after its end, so codes since then need no look. CROSS and the plus keep
  -- SQLite from beginning with all consumptions.
  ours (pack, account, units) AS (
    SELECT b.pack, b.account, b.units FROM pack_balance AS b
    UNION ALL
    SELECT s.pack, CASE c.state WHEN 'ok' THEN 'used' WHEN 'in_doubt' THEN 'doubt' ELSE c.state END, -1
    FROM latest AS s
    CROSS JOIN consumption AS c ON c.id > s.last_consumption AND +c.pack = s.pack
    WHERE NOT s.over
  ),
  compared AS (
    SELECT s.*,
      coalesce(sum(o.units) FILTER (WHERE o.account = 'before'), 0) AS used_before,
      coalesce(sum(o.units) FILTER (WHERE o.account = 'used'), 0) AS our_used,
      coalesce(sum(o.units) FILTER (WHERE o.account = 'lost'), 0) AS our_lost,
      coalesce(sum(o.units) FILTER (WHERE o.account = 'doubt'), 0) AS our_doubt
    FROM latest AS s
    LEFT JOIN ours AS o ON o.pack = s.pack
    GROUP BY s.pack
  ),
  judged AS (
    SELECT *, wx_used - used_before - our_used - our_lost AS gap FROM compared
  )
SELECT
  a.appid AS app_id,
  j.kind AS kind,
  j.wx_pkg_id AS wx_pkg_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', j.as_of / 1000, 'unixepoch') AS as_of,
  j.wx_all AS wx_all,
  j.wx_used AS wx_used,
  j.used_before AS used_before,
  j.our_used AS our_used,
  j.our_lost AS our_lost,
  j.our_doubt AS our_doubt,
  min(j.gap, 0) + max(j.gap - j.our_doubt, 0) AS unexplained,
  CASE
    WHEN j.wx_all <> j.units THEN 'SIZE_MISMATCH'
    WHEN j.gap < 0 THEN 'WE_COUNT_MORE'
    WHEN j.gap > j.our_doubt THEN 'WECHAT_COUNTS_MORE'
    WHEN j.our_doubt > 0 THEN 'EXPLAINED_BY_DOUBT'
    ELSE 'AGREES'
  END AS verdict
FROM judged AS j
JOIN app AS a ON a.id = j.app;

-- From the tap to the number, by day and kind. consumed and failed are the ledger's, by the day on which the
-- code came: failed codes are over without a number, or in doubt. The rest are the page's events.
-- never_presented: codes that had not come five minutes after they were issued and told of.
CREATE VIEW v_funnel AS
WITH
  outcome (app, day, kind, type, number) AS (
    SELECT c.app, date(c.created_at / 1000 + 8 * 3600, 'unixepoch') AS day, c.kind,
      CASE c.state
        WHEN 'ok' THEN 'consumed'
        WHEN 'sending' THEN NULL
        WHEN 'retryable' THEN NULL
        ELSE 'failed'
      END AS type,
      count(*)
    FROM consumption AS c
    GROUP BY c.app, day, c.kind, type
  ),
  counted (app, day, kind, type, number) AS (
    SELECT d.app, d.day, d.kind, d.type, d.events FROM event_daily AS d
    UNION ALL
    SELECT app, day, kind, type, number FROM outcome
  )
SELECT
  a.appid AS app_id,
  c.day AS day,
  c.kind AS kind,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'tap'), 0) AS taps,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'issued'), 0) AS issued,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'denied'), 0) AS denied,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'no_quota'), 0) AS no_quota,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'privacy_denied'), 0) AS privacy_denied,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'consumed'), 0) AS consumed,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'failed'), 0) AS failed,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'fallback'), 0) AS fallback,
  coalesce(sum(c.number) FILTER (WHERE c.type = 'never_presented'), 0) AS never_presented
FROM counted AS c
JOIN app AS a ON a.id = c.app
GROUP BY a.appid, c.day, c.kind;

-- One row for each violated invariant; id is the pack's or the consumption's.
CREATE VIEW v_verify AS
WITH
  posting (pack, account, units, micro_yuan) AS (
    SELECT pack, to_account, units, micro_yuan FROM entry
    UNION ALL
    SELECT pack, from_account, -units, -micro_yuan FROM entry
  ),
  -- What the entries say about each consumption, and how many of its attempts were refused.
  net (consumption, used, doubt, lost, doubts, micro_yuan) AS (
    SELECT
      consumption,
      sum(units * ((to_account = 'used') - (from_account = 'used'))),
      sum(units * ((to_account = 'doubt') - (from_account = 'doubt'))),
      sum(units * ((to_account = 'lost') - (from_account = 'lost'))),
      count(*) FILTER (WHERE kind = 'doubt'),
      sum(micro_yuan) FILTER (WHERE kind IN ('use', 'doubt'))
    FROM entry
    WHERE consumption IS NOT NULL AND kind <> 'return' AND kind <> 'reprice'
    GROUP BY consumption
  ),
  refused (consumption, attempts, last) AS (
    SELECT consumption, count(*), max(number) FROM attempt GROUP BY consumption
  ),
  known AS (
    SELECT
      c.id AS id, c.state AS state, c.cause AS cause, c.path AS path, c.attempts AS attempts,
      c.run AS run,
      coalesce(n.used, 0) AS used, coalesce(n.doubt, 0) AS doubt, coalesce(n.lost, 0) AS lost,
      coalesce(n.doubts, 0) AS doubts, coalesce(n.micro_yuan, 0) AS booked,
      coalesce(c.micro_yuan, 0) AS micro_yuan,
      coalesce(r.attempts, 0) AS refused, coalesce(r.last, 0) AS last_refused
    FROM consumption AS c
    LEFT JOIN net AS n ON n.consumption = c.id
    LEFT JOIN refused AS r ON r.consumption = c.id
  )
SELECT 'pack_balance' AS rule, pack AS id,
  account || ' differs from its entries by ' || sum(units) || ' units and '
    || sum(micro_yuan) || ' micro-yuan' AS detail
FROM (
  SELECT pack, account, units, micro_yuan FROM pack_balance
  UNION ALL
  SELECT pack, account, -units, -micro_yuan FROM posting
)
GROUP BY pack, account
HAVING sum(units) <> 0 OR sum(micro_yuan) <> 0
UNION ALL
SELECT 'pack_sum', pack, 'the accounts of the pack do not sum to zero'
FROM pack_balance
GROUP BY pack
HAVING sum(units) <> 0 OR sum(micro_yuan) <> 0
UNION ALL
SELECT 'pack_negative', pack, account || ' is below zero'
FROM pack_balance
WHERE account <> 'source' AND (units < 0 OR micro_yuan < 0)
UNION ALL
SELECT 'pack_price', p.id,
  'its units cost ' || -coalesce(b.micro_yuan, 0) || ' micro-yuan, its price is '
    || coalesce(p.price_micro_yuan, 0)
FROM pack AS p
LEFT JOIN pack_balance AS b ON b.pack = p.id AND b.account = 'source'
WHERE (p.source = 'trial' OR p.price_micro_yuan IS NOT NULL)
  AND coalesce(b.micro_yuan, 0) <> -coalesce(p.price_micro_yuan, 0)
UNION ALL
SELECT 'state_and_entries', id,
  'state ' || state || ' with net use ' || used || ', doubt ' || doubt || ', lost ' || lost
FROM known
WHERE used <> (state = 'ok') OR doubt <> (state = 'in_doubt') OR lost <> (state = 'lost')
UNION ALL
SELECT 'amount', id, 'booked at ' || booked || ' micro-yuan, noted as ' || micro_yuan
FROM known
WHERE booked <> micro_yuan
UNION ALL
SELECT 'ok_once', id, 'ok by ' || path || ' with ' || attempts || ' attempts, ' || refused || ' refused'
FROM known
WHERE state = 'ok' AND CASE path
  WHEN 'exchange' THEN attempts <> refused + 1
  WHEN 'legacy' THEN attempts <> 0
  ELSE attempts NOT IN (refused, refused + 1)
END
UNION ALL
SELECT 'attempt_after_doubtful_one', id,
  attempts || ' attempts, of which only ' || refused || ' were refused'
FROM known
WHERE attempts > refused + 1 OR last_refused > attempts
UNION ALL
SELECT 'refusal_unrecorded', id, 'retryable without the refusal of its last attempt'
FROM known
WHERE (state = 'retryable' OR cause = 'abandoned') AND (refused <> attempts OR last_refused <> attempts)
UNION ALL
SELECT 'open_attempt_of_earlier_run', id, 'attempt ' || attempts || ' of run ' || run || ' is still open'
FROM known
WHERE state = 'sending' AND run < (SELECT max(run.id) FROM run)
UNION ALL
SELECT 'sealed_number_without_ok', c.id, 'a sealed number is kept in state ' || c.state
FROM live_code AS l
JOIN consumption AS c ON c.id = l.consumption
WHERE l.sealed_number IS NOT NULL AND c.state <> 'ok'
UNION ALL
-- A stopped server erases nothing; it does so first thing when it starts.
SELECT 'sealed_number_kept_too_long', c.id, 'a sealed number is kept beyond the replay window, or the wall clock was set ahead within it'
FROM live_code AS l
JOIN consumption AS c ON c.id = l.consumption
WHERE l.sealed_number IS NOT NULL
  AND c.finished_at + (SELECT m.replay_window_ms FROM meta AS m) + 60000 < unixepoch() * 1000
  AND (SELECT r.ended_at FROM run AS r ORDER BY r.id DESC LIMIT 1) IS NULL
UNION ALL
SELECT 'doubt_is_sticky', id, 'state ' || state || ' after doubt'
FROM known
WHERE doubts > 0 AND (state IN ('sending', 'rejected', 'retryable') OR (state = 'ok' AND path <> 'rescue'))
UNION ALL
SELECT 'refusal_after_doubt', id, 'in doubt by ' || cause || ', yet its last attempt was refused'
FROM known
WHERE doubts > 0 AND cause NOT IN ('', 'abandoned') AND last_refused >= attempts
UNION ALL
SELECT 'live_code_missing', c.id, 'nothing keeps this code from being sent again'
FROM consumption AS c
WHERE c.path = 'exchange' AND c.state IN ('sending', 'retryable', 'in_doubt')
  AND NOT EXISTS (
    SELECT 1 FROM live_code AS l WHERE l.code_key = c.code_key AND l.consumption = c.id
  );

-- What operators were told without asking; ended_at is NULL while it is on, sent_at while no receiver has it.
CREATE VIEW v_alarms AS
SELECT
  a.id AS alarm_id,
  a.name AS alarm,
  a.severity AS severity,
  a.appid AS app_id,
  a.kind AS kind,
  a.what AS what,
  a.step AS step,
  a.facts AS facts,
  strftime('%Y-%m-%dT%H:%M:%SZ', a.raised_at / 1000, 'unixepoch') AS raised_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', a.ended_at / 1000, 'unixepoch') AS ended_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', a.sent_at / 1000, 'unixepoch') AS sent_at
FROM alarm AS a;
