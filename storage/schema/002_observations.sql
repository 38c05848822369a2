-- What WeChat says of its packs, and what the page says of its button: told to us, never acted on by a code.

-- What WeChat's usage answer said of one pack at one time. Figures are compared as of that time, so a snapshot
-- also knows the last code that had come by then.
CREATE TABLE usage_snapshot (
  id INTEGER PRIMARY KEY,
  pack INTEGER NOT NULL REFERENCES pack (id),
  wx_all INTEGER NOT NULL CHECK (wx_all >= 0),
  wx_used INTEGER NOT NULL CHECK (wx_used >= 0),
  status INTEGER,             -- WeChat's: 1 in force, 2 not yet, 3 over
  starts_at INTEGER,
  ends_at INTEGER,            -- NULL: never
  as_of INTEGER NOT NULL,     -- when WeChat was asked
  last_consumption INTEGER NOT NULL CHECK (last_consumption >= 0)  -- its id; 0: none had come
) STRICT;
CREATE INDEX usage_snapshot_pack ON usage_snapshot (pack);

-- The page's funnel, kept for some days. Its unique index is random, but no longer than those days, and no
-- exchange touches it.
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  app INTEGER NOT NULL REFERENCES app (id),
  event_id TEXT NOT NULL CHECK (length(event_id) BETWEEN 16 AND 64),  -- made by the page
  type TEXT NOT NULL CHECK (type IN
    ('tap', 'issued', 'denied', 'no_quota', 'privacy_denied', 'fallback')),
  kind TEXT NOT NULL CHECK (kind IN ('quick', 'realtime')),
  errno INTEGER,
  code_key BLOB CHECK (length(code_key) = 32),
  presented INTEGER CHECK (presented IN (0, 1)),  -- whether the code came; NULL: not known yet, or no code
  scene TEXT,
  client_env TEXT NOT NULL CHECK (client_env IN
    ('release', 'preview', 'devtools', 'backend', 'unknown')),
  at INTEGER NOT NULL,        -- by the page's clock
  received_at INTEGER NOT NULL,
  CHECK (presented IS NULL OR (type = 'issued' AND code_key IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX event_once ON event (app, event_id);
-- Small: an event is in it for some minutes, until it is known whether its code came.
CREATE INDEX event_pending ON event (received_at)
  WHERE type = 'issued' AND code_key IS NOT NULL AND presented IS NULL;

-- Events by China's days, for ever. Written by triggers alone.
CREATE TABLE event_daily (
  app INTEGER NOT NULL REFERENCES app (id),
  day TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('quick', 'realtime')),
  type TEXT NOT NULL CHECK (type IN
    ('tap', 'issued', 'denied', 'no_quota', 'privacy_denied', 'fallback', 'never_presented')),
  events INTEGER NOT NULL CHECK (events > 0),
  PRIMARY KEY (app, day, kind, type)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER usage_snapshot_once BEFORE INSERT ON usage_snapshot
WHEN EXISTS (SELECT 1 FROM usage_snapshot AS s WHERE s.id = new.id)
BEGIN
  SELECT RAISE(ABORT, 'snapshots are append-only');
END;

CREATE TRIGGER usage_snapshot_unchanged BEFORE UPDATE ON usage_snapshot
BEGIN
  SELECT RAISE(ABORT, 'snapshots are append-only');
END;

CREATE TRIGGER usage_snapshot_stays BEFORE DELETE ON usage_snapshot
BEGIN
  SELECT RAISE(ABORT, 'snapshots are append-only');
END;

CREATE TRIGGER event_begins BEFORE INSERT ON event
WHEN new.presented IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'an event cannot know yet whether its code came');
END;

CREATE TRIGGER event_counted AFTER INSERT ON event
BEGIN
  INSERT INTO event_daily (app, day, kind, type, events)
  VALUES (new.app, date(new.at / 1000 + 8 * 3600, 'unixepoch'), new.kind, new.type, 1)
  ON CONFLICT (app, day, kind, type) DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER event_unchanged
BEFORE UPDATE OF id, app, event_id, type, kind, errno, code_key, scene, client_env, at, received_at ON event
BEGIN
  SELECT RAISE(ABORT, 'what an event is never changes');
END;

CREATE TRIGGER event_settled BEFORE UPDATE OF presented ON event
WHEN old.presented IS NOT NULL OR new.presented IS NULL
BEGIN
  SELECT RAISE(ABORT, 'whether a code came is settled once');
END;

CREATE TRIGGER event_never_presented AFTER UPDATE OF presented ON event
WHEN new.presented = 0
BEGIN
  INSERT INTO event_daily (app, day, kind, type, events)
  VALUES (new.app, date(new.at / 1000 + 8 * 3600, 'unixepoch'), new.kind, 'never_presented', 1)
  ON CONFLICT (app, day, kind, type) DO UPDATE SET events = events + 1;
END;

-- Events go by their age, and what they count stays: so not before it is known.
CREATE TRIGGER event_stays BEFORE DELETE ON event
WHEN old.type = 'issued' AND old.code_key IS NOT NULL AND old.presented IS NULL
BEGIN
  SELECT RAISE(ABORT, 'an event stays until it is known whether its code came');
END;

CREATE TRIGGER event_daily_grows BEFORE UPDATE ON event_daily
WHEN new.app <> old.app OR new.day <> old.day OR new.kind <> old.kind OR new.type <> old.type
  OR new.events <> old.events + 1
BEGIN
  SELECT RAISE(ABORT, 'daily counts only grow');
END;

CREATE TRIGGER event_daily_stays BEFORE DELETE ON event_daily
BEGIN
  SELECT RAISE(ABORT, 'daily counts only grow');
END;
