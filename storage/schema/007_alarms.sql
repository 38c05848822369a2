-- What operators were told without asking, so that a restart tells nothing twice.

CREATE TABLE alarm (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 26),  -- a ULID
  name TEXT NOT NULL,
  appid TEXT NOT NULL,        -- '': of the whole server
  kind TEXT NOT NULL CHECK (kind IN ('', 'quick', 'realtime')),
  what TEXT NOT NULL,         -- a pack's pkgId, a task's name; mostly ''
  step INTEGER NOT NULL,      -- of 20, 10, 5, 0 % or 15, 7, 3, 1 days; else 0
  severity TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
  facts TEXT NOT NULL CHECK (length(facts) BETWEEN 2 AND 2048),  -- its particulars, a JSON object
  units_given INTEGER NOT NULL,
  raised_at INTEGER NOT NULL,
  ended_at INTEGER,
  sent_at INTEGER             -- to ONETAP_ALERT_URL, which took it
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alarm_active ON alarm (name, appid, kind, what) WHERE ended_at IS NULL;

CREATE TRIGGER alarm_unchanged
BEFORE UPDATE OF id, name, appid, kind, what, step, severity, facts, units_given, raised_at ON alarm
BEGIN
  SELECT RAISE(ABORT, 'what an alarm is never changes');
END;

CREATE TRIGGER alarm_ends_once BEFORE UPDATE OF ended_at ON alarm
WHEN old.ended_at IS NOT NULL OR new.ended_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'an alarm ends once');
END;

CREATE TRIGGER alarm_stays BEFORE DELETE ON alarm
WHEN old.ended_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'an alarm stays as long as it is on');
END;
