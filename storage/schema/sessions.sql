-- The statements of sessions and session_keys. Each stands below the line that names it.

-- name: insert_session
INSERT INTO session (token_digest, app, user_key, sealed_openid, opened_at, used_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: touch_session
UPDATE session SET used_at = ?2 WHERE token_digest = ?1;

-- name: delete_session
DELETE FROM session WHERE token_digest = ?1;

-- Later than the user's others, even when the clock went back: the newest signs, and the oldest goes.
-- name: put_session_key
INSERT INTO session_key (user_key, key_digest, sealed_key, seen_at)
VALUES (?1, ?2, ?3, max(?4,
  coalesce((SELECT max(k.seen_at) + 1 FROM session_key AS k WHERE k.user_key = ?1), ?4)))
ON CONFLICT (user_key, key_digest) DO UPDATE SET seen_at = excluded.seen_at;

-- name: delete_older_session_keys
DELETE FROM session_key WHERE id IN
  (SELECT k.id FROM session_key AS k WHERE k.user_key = ?1 ORDER BY k.seen_at DESC LIMIT -1 OFFSET 2);

-- name: list_session_keys
SELECT k.sealed_key FROM session_key AS k WHERE k.user_key = ?1 ORDER BY k.seen_at DESC;

-- name: delete_aged_sessions
DELETE FROM session WHERE token_digest IN
  (SELECT s.token_digest FROM session AS s WHERE s.opened_at <= ?1 LIMIT ?2);

-- name: delete_aged_session_keys
DELETE FROM session_key WHERE id IN
  (SELECT k.id FROM session_key AS k WHERE k.seen_at <= ?1 LIMIT ?2);

-- Of the start, which looks at all sessions.
-- name: delete_dead_sessions
DELETE FROM session WHERE used_at <= ?1 OR opened_at <= ?2;

-- name: delete_surplus_sessions
DELETE FROM session WHERE token_digest IN
  (SELECT s.token_digest FROM session AS s ORDER BY s.used_at DESC LIMIT -1 OFFSET ?1);

-- name: list_sessions
SELECT s.token_digest, a.appid, s.user_key, s.sealed_openid, s.opened_at, s.used_at
FROM session AS s
JOIN app AS a ON a.id = s.app
ORDER BY s.used_at DESC;
