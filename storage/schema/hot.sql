-- The statements of the running server. Each stands below the line that names it.

-- name: find_live_code
SELECT c.id, c.state, c.cause, c.attempts, c.app, c.kind, c.errcode, c.rid, c.created_at, c.finished_at,
  l.caller_key, l.sealed_number, c.reason, c.request_id
FROM live_code AS l
JOIN consumption AS c ON c.id = l.consumption
WHERE l.code_key = ?1;

-- name: begin_insert_consumption
INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, request_id,
  code_key, user_key, scene, out_id, client_env, created_at)
VALUES (?1, ?2, 'exchange', 'sending', '', 1, ?3, ?9, ?4, ?5, ?10, ?6, ?7, ?8, ?9);

-- name: begin_insert_live_code
INSERT INTO live_code (code_key, consumption, caller_key, seen_at) VALUES (?1, ?2, ?3, ?4);

-- name: begin_again
UPDATE consumption
SET state = 'sending', cause = '', attempts = attempts + 1, run = ?2, attempt_opened_at = ?3,
  errcode = NULL, rid = NULL, finished_at = NULL
WHERE id = ?1;

-- name: begin_take_up
UPDATE live_code SET caller_key = ?2 WHERE code_key = ?1 AND caller_key IS NULL;

-- name: read_attempt
SELECT c.id, c.state, c.cause, c.attempts, c.app, c.kind, c.run, c.attempt_opened_at, c.code_key,
  c.created_at
FROM consumption AS c
WHERE c.id = ?1;

-- name: resend_consumption
UPDATE consumption SET state = 'sending', attempts = attempts + 1, run = ?2, attempt_opened_at = ?3
WHERE id = ?1;

-- name: insert_attempt
INSERT INTO attempt (consumption, number, run, cause, errcode, rid, opened_at, closed_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- name: settle_consumption
UPDATE consumption
SET state = ?2, cause = ?3, errcode = ?4, rid = ?5, phone_mask = ?6, phone_key = ?7, pack = ?8,
  micro_yuan = ?9, finished_at = ?10, reason = ?11
WHERE id = ?1;

-- name: settle_live_code
UPDATE live_code SET sealed_number = ?2 WHERE code_key = ?1;

-- name: doubt_consumption
UPDATE consumption SET state = 'in_doubt', cause = ?2, pack = ?3, micro_yuan = ?4, finished_at = ?5
WHERE id = ?1;

-- name: insert_decryption
INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, request_id,
  code_key, user_key, phone_key, phone_mask, client_env, pack, micro_yuan, created_at, finished_at)
VALUES (?1, ?2, 'legacy', 'ok', '', 0, ?3, ?12, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12);

-- name: insert_live_number
INSERT INTO live_code (code_key, consumption, caller_key, seen_at, sealed_number)
VALUES (?1, ?2, ?3, ?4, ?5);

-- name: rescue_consumption
UPDATE consumption
SET state = 'ok', path = 'rescue', cause = '', phone_mask = ?2, phone_key = ?3, finished_at = ?4
WHERE id = ?1;

-- Seen as late as its blob: neither goes before the number does.
-- name: rescue_live_code
UPDATE live_code SET sealed_number = ?2, seen_at = ?3 WHERE code_key = ?1;

-- name: insert_entry
INSERT INTO entry (kind, pack, consumption, from_account, to_account, units, micro_yuan, at)
VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7);

-- name: add_to_balance
INSERT INTO pack_balance (pack, account, units, micro_yuan) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (pack, account) DO UPDATE
SET units = units + excluded.units, micro_yuan = micro_yuan + excluded.micro_yuan;

-- name: list_apps
SELECT a.id, a.appid FROM app AS a;

-- name: insert_app
INSERT INTO app (appid) VALUES (?1);

-- name: insert_overdraft
INSERT INTO pack (app, kind, source, units, created_at) VALUES (?1, ?2, 'overdraft', 0, ?3);

-- Packs of which something is left, and the packs of last resort.
-- name: list_packs
SELECT p.id, p.app, p.kind, p.source, p.starts_at, p.ends_at,
  coalesce(b.units, 0) AS available_units, coalesce(b.micro_yuan, 0) AS available_micro_yuan
FROM pack AS p
LEFT JOIN pack_balance AS b ON b.pack = p.id AND b.account = 'available'
WHERE p.source = 'overdraft' OR b.units > 0;

-- name: insert_run
INSERT INTO run (pid, started_at) VALUES (?1, ?2);

-- name: end_run
UPDATE run SET ended_at = ?2 WHERE id = ?1;

-- Every open attempt has its live code, so recovery never looks at the history.
-- name: list_live_codes
SELECT l.code_key, c.id, c.state, c.app, c.kind, c.run, c.finished_at, l.sealed_number IS NOT NULL AS sealed
FROM live_code AS l
JOIN consumption AS c ON c.id = l.consumption;

-- name: list_retryable
SELECT c.id, c.created_at FROM consumption AS c
WHERE c.state = 'retryable';

-- name: erase_number
UPDATE live_code SET sealed_number = NULL WHERE code_key = ?1;

-- name: purge_live_code
DELETE FROM live_code
WHERE code_key = ?1 AND seen_at <= ?2
  AND (SELECT c.state <> 'sending' AND c.state <> 'retryable' AND c.state <> 'in_doubt'
    FROM consumption AS c WHERE c.id = live_code.consumption);

-- name: read_meta
SELECT m.mode, m.key_fingerprint, m.copied_at, m.sealed_pepper FROM meta AS m;

-- name: insert_meta
INSERT INTO meta (id, mode, key_fingerprint, sealed_pepper, replay_window_ms, created_at)
VALUES (1, ?1, ?2, ?3, ?4, ?5);

-- name: set_replay_window
UPDATE meta SET replay_window_ms = ?1;

-- name: insert_gap
INSERT INTO gap (since, until) SELECT m.copied_at, ?1 FROM meta AS m WHERE m.copied_at IS NOT NULL;

-- name: clear_copied_at
UPDATE meta SET copied_at = NULL;

-- By row id, which grows with time: one binary search, then the rows of the day.
-- name: count_codes_since
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(c.id) FROM consumption AS c), 0) + 1
  UNION ALL
  SELECT iif(c.created_at < ?1, c.id + 1, s.low), iif(c.created_at < ?1, s.high, c.id)
  FROM search AS s
  JOIN consumption AS c ON c.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT a.appid, c.user_key, count(*)
FROM consumption AS c
JOIN app AS a ON a.id = c.app
WHERE c.id >= (SELECT max(s.low) FROM search AS s) AND c.state IN ('ok', 'in_doubt', 'lost', 'sending')
GROUP BY c.app, c.user_key;
