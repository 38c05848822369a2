-- What the operators' commands read.

-- name: daily
SELECT app_id, day, kind, codes, ok, rejected, retryable, in_doubt, lost, free, wechat_calls, amount_yuan,
  amount_estimated_yuan
FROM v_daily
ORDER BY day, app_id, kind;

-- name: packs
SELECT pack_id, app_id, kind, wx_pkg_id, source, units, available, used, doubt, lost, expired, refunded,
  used_before, price_yuan, price_known, amount_used_yuan, starts_at, ends_at
FROM v_packs
ORDER BY app_id, kind, pack_id;

-- name: in_doubt
SELECT id, app_id, kind, cause, since, seconds_left, rid FROM v_in_doubt ORDER BY id;

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
