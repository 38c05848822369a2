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
