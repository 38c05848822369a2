-- The statements of alarms, and of what they are judged by. Each stands below the line that names it.

-- One of each subject at a time: a row that an earlier run left behind gives way.
-- name: end_alarm_of_subject
UPDATE alarm SET ended_at = ?5
WHERE name = ?1 AND appid = ?2 AND kind = ?3 AND what = ?4 AND ended_at IS NULL;

-- name: insert_alarm
INSERT INTO alarm (id, name, appid, kind, what, step, severity, facts, units_given, raised_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (id) DO NOTHING;

-- name: end_alarm
UPDATE alarm SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL;

-- name: mark_alarm_sent
UPDATE alarm SET sent_at = ?2 WHERE id = ?1 AND sent_at IS NULL;

-- Ids grow with time: those that began before ?1 and are over.
-- name: forget_alarms
DELETE FROM alarm
WHERE id IN (SELECT a.id FROM alarm AS a WHERE a.ended_at IS NOT NULL ORDER BY a.id LIMIT 10)
  AND raised_at < ?1;

-- Those that are on, and the last ?1 that ended; the newest last.
-- name: list_alarms
SELECT a.id, a.name, a.appid, a.kind, a.what, a.step, a.severity, a.facts, a.units_given, a.raised_at,
  a.ended_at, a.sent_at
FROM alarm AS a
WHERE a.ended_at IS NULL
  OR a.id IN (SELECT l.id FROM alarm AS l WHERE l.ended_at IS NOT NULL ORDER BY l.id DESC LIMIT ?1)
ORDER BY a.id;

-- WeChat's last word on each kind: when it answered, and what it has pushed.
-- name: list_usage_answers
SELECT a.appid, w.kind, w.as_of, w.told_percent, w.told_at
FROM usage_answer AS w
JOIN app AS a ON a.id = w.app
ORDER BY w.app, w.kind;

-- The packs that its last answer listed; one whose end has passed by ?1 is over.
-- name: list_last_usage
SELECT a.appid, p.kind, p.wx_pkg_id,
  iif(s.ends_at IS NOT NULL AND s.ends_at <= ?1, 3, s.status) AS status,
  s.wx_all, s.wx_used, s.starts_at, s.ends_at
FROM usage_answer AS w
JOIN app AS a ON a.id = w.app
JOIN pack AS p ON p.app = w.app AND p.kind = w.kind
JOIN pack_listing AS l ON l.pack = p.id AND l.as_of = w.as_of
JOIN usage_snapshot AS s ON s.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = p.id)
WHERE p.wx_pkg_id IS NOT NULL AND s.status IS NOT NULL
ORDER BY p.app, p.kind, p.id;

-- The newest entry before ?1: a binary search, since ids grow with time.
-- name: last_entry_before
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(e.id) FROM entry AS e), 0) + 1
  UNION ALL
  SELECT iif(e.at < ?1, e.id + 1, s.low), iif(e.at < ?1, s.high, e.id)
  FROM search AS s
  JOIN entry AS e ON e.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT max(s.low) - 1 FROM search AS s;

-- name: newest_entry
SELECT coalesce(max(e.id), 0) FROM entry AS e;

-- Who brought the most codes since ?1, at most ?2 of them: by row id, as count_codes_since in hot.sql.
-- name: top_users
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(c.id) FROM consumption AS c), 0) + 1
  UNION ALL
  SELECT iif(c.created_at < ?1, c.id + 1, s.low), iif(c.created_at < ?1, s.high, c.id)
  FROM search AS s
  JOIN consumption AS c ON c.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT a.appid, lower(hex(substr(c.user_key, 1, 8))) AS user, count(*) AS codes
FROM consumption AS c
JOIN app AS a ON a.id = c.app
WHERE c.id >= (SELECT max(s.low) FROM search AS s) AND c.user_key IS NOT NULL
GROUP BY c.app, c.user_key
ORDER BY codes DESC, user
LIMIT ?2;

-- Units charged, or perhaps charged, by hours since 1970: of the entries after ?1, up to ?2. What the overdraft took
-- for a pack that was seen later is beyond packs no more.
-- name: spending
SELECT a.appid, p.kind, e.at / 3600000 AS hour, count(*) FILTER (WHERE e.kind <> 'return') AS units,
  coalesce(sum(iif(e.kind = 'return', -e.units, 1)) FILTER (WHERE p.source = 'overdraft'), 0) AS beyond_packs
FROM entry AS e
JOIN pack AS p ON p.id = e.pack
JOIN app AS a ON a.id = p.app
WHERE e.id > ?1 AND e.id <= ?2 AND e.kind IN ('use', 'doubt', 'return')
GROUP BY p.app, p.kind, hour;
