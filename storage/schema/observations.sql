-- The statements of usage and events. Each stands below the line that names it. Times are unix milliseconds.

-- name: find_pack_of_wechat
SELECT p.id FROM pack AS p WHERE p.app = ?1 AND p.kind = ?2 AND p.wx_pkg_id = ?3;

-- An operator has added it before WeChat could be asked: so many units, no name yet, and no other end by more
-- than two days.
-- name: find_unnamed_pack
SELECT p.id FROM pack AS p
WHERE p.app = ?1 AND p.kind = ?2 AND p.source = 'paid' AND p.wx_pkg_id IS NULL AND p.units = ?3
  AND (p.ends_at IS NULL OR abs(p.ends_at - ?4) <= 172800000)
LIMIT 2;

-- name: name_pack
UPDATE pack SET wx_pkg_id = ?2 WHERE id = ?1;

-- name: set_pack_times
UPDATE pack SET starts_at = ?2, ends_at = ?3
WHERE id = ?1 AND (starts_at IS NOT ?2 OR ends_at IS NOT ?3);

-- Writes nothing where WeChat and we say what we said within the hour; of a pack that is over, where WeChat does.
-- But once more when the newest code is ten minutes old: then WeChat has counted it, or it never will.
-- ?7 is when WeChat was asked: from the newest code back to the first that had come by then.
-- name: insert_usage_snapshot
INSERT INTO usage_snapshot (pack, wx_all, wx_used, status, starts_at, ends_at, as_of, last_consumption)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, newest.id
FROM (SELECT coalesce(
  (SELECT c.id FROM consumption AS c WHERE c.created_at <= ?7 ORDER BY c.id DESC LIMIT 1), 0) AS id) AS newest
WHERE NOT EXISTS (
  SELECT 1 FROM usage_snapshot AS s
  WHERE s.id = (SELECT max(n.id) FROM usage_snapshot AS n WHERE n.pack = ?1)
    AND s.wx_all = ?2 AND s.wx_used = ?3 AND s.status IS ?4 AND s.starts_at IS ?5 AND s.ends_at IS ?6
    AND (?4 = 3 OR (s.last_consumption = newest.id AND NOT (
      s.as_of <= ?7 - 600000
      AND EXISTS (SELECT 1 FROM consumption AS c WHERE c.id = newest.id AND c.created_at > s.as_of - 600000))))
    AND s.as_of BETWEEN ?7 - 3600000 AND ?7
);

-- name: keep_pack_listing
INSERT INTO pack_listing (pack, as_of) VALUES (?1, ?2)
ON CONFLICT (pack) DO UPDATE SET as_of = excluded.as_of;

-- name: keep_usage_answer
INSERT INTO usage_answer (app, kind, as_of) VALUES (?1, ?2, ?3)
ON CONFLICT (app, kind) DO UPDATE SET as_of = excluded.as_of;

-- name: keep_told_percent
INSERT INTO usage_answer (app, kind, told_percent, told_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (app, kind) DO UPDATE SET told_percent = excluded.told_percent, told_at = excluded.told_at;

-- Whether a pack that is named at ?4 and starts at ?3 (NULL: not known) is older than this ledger: then it
-- started before the first run, or was named when WeChat was asked for the first time.
-- name: is_older_pack
SELECT CASE WHEN ?3 IS NOT NULL THEN ?3 <= (SELECT r.started_at FROM run AS r ORDER BY r.id LIMIT 1)
  ELSE NOT EXISTS (
    SELECT 1 FROM pack AS p JOIN usage_snapshot AS s ON s.pack = p.id
    WHERE p.app = ?1 AND p.kind = ?2 AND s.as_of < ?4)
  END;

-- name: insert_pack_opening
INSERT INTO pack_opening (pack, seen_at) VALUES (?1, ?2);

-- What is booked of a pack whose opening may still grow.
-- name: find_pack_opening
SELECT o.seen_at, o.units_max,
  coalesce(sum(b.units) FILTER (WHERE b.account = 'before'), 0),
  coalesce(sum(b.units) FILTER (WHERE b.account IN ('used', 'lost')), 0),
  coalesce(sum(b.units) FILTER (WHERE b.account = 'doubt'), 0)
FROM pack_opening AS o
LEFT JOIN pack_balance AS b ON b.pack = o.pack
WHERE o.pack = ?1
GROUP BY o.pack;

-- name: set_pack_opening
UPDATE pack_opening SET units_max = ?2 WHERE pack = ?1;

-- Codes of this pack that came after ?2 and were charged, by row id, which grows with time: one binary search.
-- name: count_codes_of_pack_since
WITH RECURSIVE search (low, high) AS (
  SELECT 1, coalesce((SELECT max(c.id) FROM consumption AS c), 0) + 1
  UNION ALL
  SELECT iif(c.created_at < ?2, c.id + 1, s.low), iif(c.created_at < ?2, s.high, c.id)
  FROM search AS s
  JOIN consumption AS c ON c.id = (s.low + s.high) / 2
  WHERE s.low < s.high
)
SELECT count(*)
FROM consumption AS c
WHERE c.id >= (SELECT max(s.low) FROM search AS s) AND +c.pack = ?1 AND c.state IN ('ok', 'lost');

-- Changes no row when the app has sent this event before.
-- name: insert_event
INSERT INTO event (app, event_id, type, kind, errno, code_key, scene, client_env, at, received_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (app, event_id) DO NOTHING;

-- How many are kept at most: ids grow, and the oldest go first.
-- name: count_events
SELECT coalesce((SELECT max(e.id) FROM event AS e) - (SELECT min(e.id) FROM event AS e) + 1, 0);

-- What is known of a refused code: a page that told of it at once got it no later than we heard of it, whatever
-- its clock says; one that kept the event is believed but for a minute by which its clock may be behind. Whoever
-- tells of a code a thousand times is believed a few times.
-- name: trace_code
SELECT min(e.at + 60000, e.received_at) AS issued_at, c.id, c.request_id, c.finished_at
FROM event AS e
LEFT JOIN consumption AS c ON c.id = e.consumption AND c.state IN ('ok', 'lost')
WHERE e.type = 'issued' AND e.code_key = ?1
LIMIT 8;

-- Whether a code came is asked five minutes after it was issued and told of: then it is dead, and what came is
-- in live_code for an hour. ?1: now; ?2: at most so many. Events that are told of too late for that are
-- find_late_events' to answer.
-- name: settle_events
UPDATE event
SET presented = EXISTS (SELECT 1 FROM live_code AS l WHERE l.code_key = event.code_key),
  consumption = (SELECT l.consumption FROM live_code AS l WHERE l.code_key = event.code_key)
WHERE id IN (
  SELECT e.id FROM event AS e
  WHERE e.type = 'issued' AND e.code_key IS NOT NULL AND e.presented IS NULL
    AND e.received_at <= ?1 - 300000 AND e.at <= ?1 - 300000 AND e.received_at - e.at <= 2700000
  ORDER BY e.received_at
  LIMIT ?2
);

-- An event that the page kept for more than 45 minutes: its code is looked for in the history, among those
-- that came around that time (by row id, which grows with time: two binary searches, then a quarter of an
-- hour's rows). NULL: it never came. For a reader, so that no exchange waits for it. ?1: now; ?2: at most so
-- many.
-- name: find_late_events
SELECT
  e.id AS id,
  coalesce((SELECT l.consumption FROM live_code AS l WHERE l.code_key = e.code_key), (
    WITH RECURSIVE search (bound, low, high) AS (
      SELECT e.at - 300000, 1, coalesce((SELECT max(c.id) FROM consumption AS c), 0) + 1
      UNION ALL
      SELECT e.at + 600000, 1, coalesce((SELECT max(c.id) FROM consumption AS c), 0) + 1
      UNION ALL
      SELECT s.bound, iif(c.created_at < s.bound, c.id + 1, s.low), iif(c.created_at < s.bound, s.high, c.id)
      FROM search AS s
      JOIN consumption AS c ON c.id = (s.low + s.high) / 2
      WHERE s.low < s.high
    ),
    found (bound, id) AS (SELECT bound, max(low) FROM search GROUP BY bound)
    SELECT c.id FROM consumption AS c
    WHERE c.id >= (SELECT min(f.id) FROM found AS f) AND c.id < (SELECT max(f.id) FROM found AS f)
      AND c.code_key = e.code_key
    ORDER BY c.id
    LIMIT 1
  )) AS consumption
FROM event AS e
WHERE e.type = 'issued' AND e.code_key IS NOT NULL AND e.presented IS NULL
  AND e.received_at <= ?1 - 300000 AND e.received_at - e.at > 2700000
ORDER BY e.received_at
LIMIT ?2;

-- name: settle_late_event
UPDATE event SET presented = (?2 IS NOT NULL), consumption = ?2 WHERE id = ?1 AND presented IS NULL;

-- Those received before ?1, the oldest first, at most ?2 at a time. Not before eight days: an event that is a
-- week old may still be sent again, and must be known then.
-- name: forget_events
DELETE FROM event
WHERE id IN (SELECT oldest.id FROM event AS oldest ORDER BY oldest.id LIMIT ?2)
  AND received_at < ?1
  AND (type <> 'issued' OR code_key IS NULL OR presented IS NOT NULL);
