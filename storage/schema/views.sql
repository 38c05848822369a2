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

-- By the day on which the code came. wechat_calls leaves out attempts of which no byte left.
-- amount_yuan is what used and lost units cost; amount_estimated_yuan is the part of it that rests on the
-- configured price, because the pack's own is not known.
CREATE VIEW v_daily AS
SELECT
  a.appid AS app_id,
  date(c.created_at / 1000 + 8 * 3600, 'unixepoch') AS day,
  c.kind AS kind,
  count(*) AS codes,
  count(*) FILTER (WHERE c.state = 'ok') AS ok,
  count(*) FILTER (WHERE c.state = 'rejected') AS rejected,
  count(*) FILTER (WHERE c.state = 'retryable') AS retryable,
  count(*) FILTER (WHERE c.state = 'in_doubt') AS in_doubt,
  count(*) FILTER (WHERE c.state = 'lost') AS lost,
  count(*) FILTER (WHERE c.state = 'free') AS free,
  coalesce(sum(c.attempts - CASE WHEN c.attempts > 1 OR c.cause = 'not_sent' OR c.cause = 'abandoned'
    THEN (SELECT count(*) FROM attempt AS t WHERE t.consumption = c.id AND t.cause = 'not_sent')
    ELSE 0 END), 0) AS wechat_calls,
  coalesce(sum(c.micro_yuan) FILTER (WHERE c.state IN ('ok', 'lost')), 0) / 1000000.0 AS amount_yuan,
  coalesce(sum(c.micro_yuan) FILTER (WHERE c.state IN ('ok', 'lost') AND p.source <> 'trial'
    AND p.price_micro_yuan IS NULL), 0) / 1000000.0 AS amount_estimated_yuan
FROM consumption AS c
JOIN app AS a ON a.id = c.app
LEFT JOIN pack AS p ON p.id = c.pack
GROUP BY a.appid, day, c.kind;

-- From the entries, by the month in which they were booked: a finished month's lines never change.
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
  )
SELECT
  a.appid AS app_id,
  c.month AS month,
  p.kind AS kind,
  p.id AS pack_id,
  sum(c.available) OVER months - c.available AS opening,
  c.bought AS bought,
  c.used AS used,
  c.lost AS lost,
  c.doubt AS doubt,
  c.expired AS expired,
  sum(c.available) OVER months AS closing,
  c.micro_yuan / 1000000.0 AS amount_yuan
FROM change AS c
JOIN pack AS p ON p.id = c.pack
JOIN app AS a ON a.id = p.app
WINDOW months AS (PARTITION BY c.pack ORDER BY c.month);

-- By button, and by where the page ran. issued stays NULL as long as no page reports its events.
CREATE VIEW v_scenes AS
SELECT
  a.appid AS app_id,
  date(c.created_at / 1000 + 8 * 3600, 'unixepoch') AS day,
  c.kind AS kind,
  c.scene AS scene,
  c.client_env AS client_env,
  CAST(NULL AS INTEGER) AS issued,
  count(*) FILTER (WHERE c.state = 'ok') AS ok,
  count(*) FILTER (WHERE c.state = 'lost') AS lost,
  coalesce(sum(c.micro_yuan) FILTER (WHERE c.state IN ('ok', 'lost')), 0) / 1000000.0 AS amount_yuan
FROM consumption AS c
JOIN app AS a ON a.id = c.app
GROUP BY a.appid, day, c.kind, c.scene, c.client_env;

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
      sum(micro_yuan * ((to_account IN ('used', 'doubt', 'lost'))
        - (from_account IN ('used', 'doubt', 'lost'))))
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
      CASE WHEN c.state = 'free' THEN 0 ELSE coalesce(c.micro_yuan, 0) END AS micro_yuan,
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
SELECT 'sealed_number_kept_too_long', c.id, 'a sealed number is kept beyond the replay window'
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
