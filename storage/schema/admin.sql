-- The statements of the operators' acts. Each stands below the line that names it.

-- name: find_consumption
SELECT c.state, c.app, c.kind, c.pack, p.source
FROM consumption AS c
LEFT JOIN pack AS p ON p.id = c.pack
WHERE c.id = ?1;

-- name: resolve_consumption
UPDATE consumption SET state = ?2, finished_at = ?3 WHERE id = ?1;

-- name: insert_entry
INSERT INTO entry (kind, pack, consumption, from_account, to_account, units, micro_yuan, note, at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: add_to_balance
INSERT INTO pack_balance (pack, account, units, micro_yuan) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (pack, account) DO UPDATE
SET units = units + excluded.units, micro_yuan = micro_yuan + excluded.micro_yuan;

-- name: balances
SELECT b.account, b.units, b.micro_yuan FROM pack_balance AS b WHERE b.pack = ?1;

-- name: find_pack
SELECT p.source, p.units, p.app, p.kind FROM pack AS p WHERE p.id = ?1;

-- name: find_wx_pack
SELECT p.id FROM pack AS p WHERE p.app = ?1 AND p.kind = ?2 AND p.wx_pkg_id = ?3;

-- name: find_trial
SELECT p.id FROM pack AS p WHERE p.app = ?1 AND p.kind = ?2 AND p.source = 'trial';

-- name: insert_pack
INSERT INTO pack (app, kind, source, wx_pkg_id, units, price_micro_yuan, starts_at, ends_at, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: set_price
UPDATE pack SET price_micro_yuan = ?2 WHERE id = ?1;

-- name: find_overdraft
SELECT p.id FROM pack AS p WHERE p.app = ?1 AND p.kind = ?2 AND p.source = 'overdraft';

-- The overdrafts on which a unit is used or lost.
-- name: list_owing
SELECT p.app, p.kind FROM pack AS p
WHERE p.source = 'overdraft' AND EXISTS
  (SELECT 1 FROM pack_balance AS b WHERE b.pack = p.id AND b.account IN ('used', 'lost') AND b.units > 0);

-- In burn order; those that have begun and not ended, and of which something is left.
-- name: list_open_packs
SELECT p.id FROM pack AS p
JOIN pack_balance AS b ON b.pack = p.id AND b.account = 'available'
WHERE p.app = ?1 AND p.kind = ?2 AND p.source <> 'overdraft' AND b.units > 0
  AND coalesce(p.starts_at, ?3) <= ?3 AND coalesce(p.ends_at, ?3 + 1) > ?3
ORDER BY p.source <> 'trial', p.ends_at IS NULL, p.ends_at, p.id;

-- name: list_ended_packs
SELECT p.id FROM pack AS p
JOIN pack_balance AS b ON b.pack = p.id AND b.account = 'available'
WHERE p.ends_at <= ?1 AND b.units > 0;

-- Those that arose before ?3, the oldest first.
-- name: list_old_doubts
SELECT c.id FROM consumption AS c
WHERE c.state = 'in_doubt' AND c.created_at <= ?3 AND c.app = ?1 AND c.kind = ?2 AND c.finished_at <= ?3
ORDER BY c.id
LIMIT 100;

-- What WeChat counts of a kind beyond what is booked, what is in doubt, and whether something makes the first
-- vague: a pack of another size, or a gap. NULL: WeChat has never told. Codes since its figures were asked for
-- only make the first smaller.
-- name: compare_kind
SELECT
  sum(s.wx_used) - (
    SELECT coalesce(sum(b.units), 0) FROM pack_balance AS b
    JOIN pack AS q ON q.id = b.pack
    WHERE q.app = ?1 AND q.kind = ?2 AND b.account IN ('before', 'used', 'lost')),
  (SELECT coalesce(sum(b.units), 0) FROM pack_balance AS b
   JOIN pack AS q ON q.id = b.pack
   WHERE q.app = ?1 AND q.kind = ?2 AND b.account = 'doubt'),
  max(s.wx_all <> p.units) OR EXISTS (SELECT 1 FROM gap)
FROM pack AS p
JOIN usage_snapshot AS s ON s.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id)
WHERE p.app = ?1 AND p.kind = ?2;

-- They scan the history: a person's right is asked for seldom.
-- name: count_under_way
SELECT count(*) FROM consumption AS c
WHERE c.state = 'sending' AND (c.phone_key = ?1 OR c.user_key = ?2);

-- name: erase_live_codes
UPDATE live_code SET sealed_number = NULL, caller_key = NULL
WHERE consumption IN
  (SELECT c.id FROM consumption AS c WHERE c.phone_key = ?1 OR c.user_key = ?2);

-- name: erase_consumptions
UPDATE consumption SET phone_key = NULL, phone_mask = NULL, user_key = NULL
WHERE state <> 'sending' AND (phone_key = ?1 OR user_key = ?2);

-- name: list_users_of_number
SELECT DISTINCT c.user_key FROM consumption AS c WHERE c.phone_key = ?1 AND c.user_key IS NOT NULL;

-- name: erase_sessions
DELETE FROM session WHERE user_key = ?1;

-- name: erase_session_keys
DELETE FROM session_key WHERE user_key = ?1;

-- name: insert_erasure
INSERT INTO erasure (by, consumptions, at) VALUES (?1, ?2, ?3);

-- Whatever is sealed: row (that the seal names, or the digest it comes from), key (of the table, for the
-- update), sealed bytes.
-- name: list_sealed_peppers
SELECT m.id, m.id, m.sealed_pepper FROM meta AS m;

-- name: set_sealed_pepper
UPDATE meta SET sealed_pepper = ?2 WHERE id = ?1;

-- name: list_sealed_numbers
SELECT l.code_key, l.code_key, l.sealed_number FROM live_code AS l WHERE l.sealed_number IS NOT NULL;

-- name: set_sealed_number
UPDATE live_code SET sealed_number = ?2 WHERE code_key = ?1;

-- name: list_sealed_openids
SELECT s.user_key, s.token_digest, s.sealed_openid FROM session AS s;

-- name: set_sealed_openid
UPDATE session SET sealed_openid = ?2 WHERE token_digest = ?1;

-- name: list_sealed_session_keys
SELECT k.user_key, k.id, k.sealed_key FROM session_key AS k;

-- name: set_sealed_session_key
UPDATE session_key SET sealed_key = ?2 WHERE id = ?1;

-- name: list_sealed_tokens
SELECT t.sealed_row, t.app, t.sealed_token FROM access_token AS t;

-- name: set_sealed_token
UPDATE access_token SET sealed_token = ?2 WHERE app = ?1;

-- name: set_key_fingerprint
UPDATE meta SET key_fingerprint = ?1;

-- name: insert_key_rotation
INSERT INTO key_rotation (key_id, at) VALUES (?1, ?2);
