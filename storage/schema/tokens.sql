-- The statements of access_tokens. Each stands below the line that names it.

-- name: put_token
INSERT INTO access_token (app, sealed_row, sealed_token, expires_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (app) DO UPDATE SET sealed_token = excluded.sealed_token, expires_at = excluded.expires_at;

-- name: list_tokens
SELECT a.appid, t.sealed_token, t.expires_at
FROM access_token AS t
JOIN app AS a ON a.id = t.app
WHERE t.expires_at > ?1;
