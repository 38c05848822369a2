-- The ledger. Times are unix milliseconds, money is integer micro-yuan, digests are 32 bytes.
-- Long tables (consumption, attempt, entry) grow at their end only and have no index over their history;
-- what must be found by code lives in the small table live_code.
-- Checks of rows name more than two values by OR: for IN, SQLite would build a table of them for each row, which
-- cost more than half of a commit's CPU.

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  mode TEXT NOT NULL CHECK (mode IN ('real', 'sandbox')),
  key_fingerprint BLOB NOT NULL CHECK (length(key_fingerprint) = 32),
  sealed_pepper BLOB NOT NULL,  -- this ledger's for life; sealed under the data key
  replay_window_ms INTEGER NOT NULL CHECK (replay_window_ms > 0),
  created_at INTEGER NOT NULL,
  copied_at INTEGER           -- this file is a backup of that time, and no server has exchanged on it yet
) STRICT;

-- Between a backup and the first server on it: what happened then is in no row.
CREATE TABLE gap (
  id INTEGER PRIMARY KEY,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT;

-- A person asked to be forgotten: that it was done, and to how many consumptions; not to whom.
CREATE TABLE erasure (
  id INTEGER PRIMARY KEY,
  by TEXT NOT NULL CHECK (by IN ('phone', 'user')),
  consumptions INTEGER NOT NULL CHECK (consumptions >= 0),
  at INTEGER NOT NULL
) STRICT;

-- Another data key took over, and sealed anew whatever is sealed here.
CREATE TABLE key_rotation (
  id INTEGER PRIMARY KEY,
  key_id BLOB NOT NULL CHECK (length(key_id) = 8),  -- of the new key
  at INTEGER NOT NULL
) STRICT;

-- One row for each time a server opened this ledger; ended_at stays NULL when it did not close it.
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  pid INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT;

CREATE TABLE app (
  id INTEGER PRIMARY KEY,
  appid TEXT NOT NULL UNIQUE
) STRICT;

-- Units bought, given (trial), or taken beyond any pack (overdraft: one for each app and kind).
CREATE TABLE pack (
  id INTEGER PRIMARY KEY,
  app INTEGER NOT NULL REFERENCES app (id),
  kind TEXT NOT NULL CHECK (kind IN ('quick', 'realtime')),
  source TEXT NOT NULL CHECK (source = 'trial' OR source = 'paid' OR source = 'overdraft'),
  wx_pkg_id TEXT,             -- WeChat's; '' is the trial pack
  units INTEGER NOT NULL CHECK (units >= 0),
  price_micro_yuan INTEGER CHECK (price_micro_yuan >= 0),  -- paid for the whole pack; NULL: not known
  starts_at INTEGER,
  ends_at INTEGER,
  created_at INTEGER NOT NULL,
  CHECK (source <> 'overdraft' OR (units = 0 AND wx_pkg_id IS NULL AND price_micro_yuan IS NULL))
) STRICT;
CREATE UNIQUE INDEX pack_overdraft ON pack (app, kind) WHERE source = 'overdraft';
CREATE UNIQUE INDEX pack_wx_pkg_id ON pack (app, kind, wx_pkg_id) WHERE wx_pkg_id IS NOT NULL;

-- Derived from entry, written once a batch; v_verify compares. An account that nothing touched has no row.
CREATE TABLE pack_balance (
  pack INTEGER NOT NULL REFERENCES pack (id),
  account TEXT NOT NULL CHECK (account = 'source' OR account = 'available' OR account = 'used'
    OR account = 'doubt' OR account = 'lost'
    OR account = 'expired' OR account = 'refunded' OR account = 'before'),
  units INTEGER NOT NULL,
  micro_yuan INTEGER NOT NULL,
  PRIMARY KEY (pack, account)
) STRICT, WITHOUT ROWID;

-- One row for each code (or legacy blob) that was to reach WeChat. Its latest attempt is in the row itself.
CREATE TABLE consumption (
  id INTEGER PRIMARY KEY,
  app INTEGER NOT NULL REFERENCES app (id),
  kind TEXT NOT NULL CHECK (kind IN ('quick', 'realtime')),
  path TEXT NOT NULL CHECK (path = 'exchange' OR path = 'legacy' OR path = 'rescue'),
  state TEXT NOT NULL CHECK (state = 'sending' OR state = 'ok' OR state = 'rejected' OR state = 'retryable'
    OR state = 'in_doubt' OR state = 'lost' OR state = 'free'),
  cause TEXT NOT NULL,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  run INTEGER NOT NULL REFERENCES run (id),  -- that opened the latest attempt
  attempt_opened_at INTEGER NOT NULL,
  request_id TEXT NOT NULL,                  -- of the first request
  code_key BLOB CHECK (length(code_key) = 32),
  user_key BLOB CHECK (length(user_key) = 32),
  phone_key BLOB CHECK (length(phone_key) = 32),
  phone_mask TEXT,
  errcode INTEGER,
  rid TEXT,
  scene TEXT,
  out_id TEXT,
  client_env TEXT NOT NULL CHECK (client_env = 'release' OR client_env = 'preview' OR client_env = 'devtools'
    OR client_env = 'backend' OR client_env = 'unknown'),
  pack INTEGER REFERENCES pack (id),         -- that the unit was booked on
  micro_yuan INTEGER,                        -- at which amount at that time; what it costs is in the entries
  created_at INTEGER NOT NULL,
  finished_at INTEGER,                       -- when the state came to be; NULL while sending
  CHECK ((state = 'sending') = (finished_at IS NULL)),
  CHECK ((state = 'ok' OR state = 'in_doubt' OR state = 'lost' OR state = 'free') = (pack IS NOT NULL)),
  CHECK ((pack IS NULL) = (micro_yuan IS NULL)),
  CHECK (path <> 'legacy' OR state = 'ok'),
  CHECK (state = 'ok' OR (phone_mask IS NULL AND phone_key IS NULL)),
  CHECK (CASE
    WHEN state = 'sending' OR state = 'ok' OR state = 'rejected' THEN cause = ''
    WHEN state = 'retryable' THEN cause = 'not_sent' OR cause = 'token_refused' OR cause = 'rate_limited'
      OR cause = 'misconfigured' OR cause = 'no_quota'
    ELSE cause = 'timeout' OR cause = 'connection_lost' OR cause = 'malformed_answer' OR cause = 'http_error'
      OR cause = 'system_error' OR cause = 'unknown_errcode' OR cause = 'watermark' OR cause = 'crash'
      OR cause = 'abandoned'
  END)
) STRICT;
-- Small: only rows in these states are in them.
CREATE INDEX consumption_retryable ON consumption (created_at) WHERE state = 'retryable';
CREATE INDEX consumption_in_doubt ON consumption (created_at) WHERE state = 'in_doubt';

-- Where a code is unique: what came within the last hour or so, and what is in doubt.
CREATE TABLE live_code (
  code_key BLOB NOT NULL PRIMARY KEY CHECK (length(code_key) = 32),
  consumption INTEGER NOT NULL REFERENCES consumption (id),
  caller_key BLOB CHECK (length(caller_key) = 32),
  seen_at INTEGER NOT NULL,
  sealed_number BLOB
) STRICT, WITHOUT ROWID;

-- Attempts that WeChat refused before it read the code, or that never left. The one that decided is in
-- the consumption's row.
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  consumption INTEGER NOT NULL REFERENCES consumption (id),
  number INTEGER NOT NULL CHECK (number >= 1),
  run INTEGER NOT NULL REFERENCES run (id),
  cause TEXT NOT NULL CHECK (cause = 'not_sent' OR cause = 'token_refused' OR cause = 'rate_limited'
    OR cause = 'misconfigured' OR cause = 'no_quota'),
  errcode INTEGER,
  rid TEXT,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER NOT NULL,
  UNIQUE (consumption, number)
) STRICT;

-- Double entry: units and their money go from one account of a pack to another.
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  pack INTEGER NOT NULL REFERENCES pack (id),
  consumption INTEGER REFERENCES consumption (id),
  from_account TEXT NOT NULL,
  to_account TEXT NOT NULL,
  units INTEGER NOT NULL CHECK (units >= 0),
  micro_yuan INTEGER NOT NULL,
  note TEXT,
  at INTEGER NOT NULL,
  CHECK (from_account <> to_account),
  CHECK (from_account = 'source' OR from_account = 'available' OR from_account = 'used'
    OR from_account = 'doubt' OR from_account = 'lost'
    OR from_account = 'expired' OR from_account = 'refunded' OR from_account = 'before'),
  CHECK (to_account = 'source' OR to_account = 'available' OR to_account = 'used'
    OR to_account = 'doubt' OR to_account = 'lost'
    OR to_account = 'expired' OR to_account = 'refunded' OR to_account = 'before'),
  CHECK (units > 0 OR kind = 'reprice'),
  CHECK (CASE kind
    WHEN 'purchase' THEN from_account = 'source' AND to_account = 'available'
    WHEN 'opening' THEN from_account = 'available' AND to_account = 'before'
    WHEN 'use' THEN from_account IN ('available', 'source') AND to_account = 'used'
      AND units = 1 AND consumption IS NOT NULL
    WHEN 'doubt' THEN from_account IN ('available', 'source') AND to_account = 'doubt'
      AND units = 1 AND consumption IS NOT NULL
    WHEN 'resolve_used' THEN from_account = 'doubt' AND to_account = 'used'
      AND units = 1 AND consumption IS NOT NULL
    WHEN 'resolve_lost' THEN from_account = 'doubt' AND to_account = 'lost'
      AND units = 1 AND consumption IS NOT NULL
    WHEN 'resolve_free' THEN from_account = 'doubt' AND to_account IN ('available', 'source')
      AND units = 1 AND consumption IS NOT NULL
    WHEN 'expire' THEN from_account = 'available' AND to_account = 'expired'
    WHEN 'refund' THEN from_account = 'available' AND to_account = 'refunded'
    WHEN 'leak' THEN from_account IN ('available', 'source') AND to_account = 'lost' AND note IS NOT NULL
    WHEN 'return' THEN 1
    WHEN 'reprice' THEN units = 0
    ELSE 0
  END)
) STRICT;

-- The state machine.

CREATE TRIGGER consumption_begins BEFORE INSERT ON consumption
WHEN NOT (
  (new.state = 'sending' AND new.path = 'exchange' AND new.attempts = 1 AND new.code_key IS NOT NULL)
  OR (new.state = 'ok' AND new.path = 'legacy' AND new.attempts = 0)
)
BEGIN
  SELECT RAISE(ABORT, 'a consumption begins with a first attempt, or with legacy data decrypted');
END;

-- INSERT OR REPLACE deletes without running the triggers of a deletion; this one, and others named ..._once,
-- stand in its way.
CREATE TRIGGER consumption_once BEFORE INSERT ON consumption
WHEN EXISTS (SELECT 1 FROM consumption AS c WHERE c.id = new.id)
BEGIN
  SELECT RAISE(ABORT, 'consumptions are never replaced');
END;

CREATE TRIGGER consumption_changes BEFORE UPDATE ON consumption
WHEN NOT (
  (old.state = 'sending' AND (new.state = 'ok' OR new.state = 'rejected' OR new.state = 'retryable'
      OR new.state = 'in_doubt')
    AND new.cause <> 'abandoned' AND new.attempts = old.attempts AND new.path = old.path)
  OR (old.state = 'sending' AND new.state = 'sending'
    AND new.attempts = old.attempts + 1 AND new.path = old.path)
  OR (old.state = 'retryable' AND new.state = 'sending'
    AND new.attempts = old.attempts + 1 AND new.path = old.path)
  OR (old.state = 'retryable' AND new.state = 'in_doubt' AND new.cause = 'abandoned'
    AND new.attempts = old.attempts AND new.path = old.path)
  OR (old.state = 'in_doubt' AND new.state = 'ok' AND new.path = 'rescue'
    AND new.attempts = old.attempts AND new.pack = old.pack AND new.micro_yuan = old.micro_yuan)
  OR (old.state = 'in_doubt' AND new.state IN ('lost', 'free') AND new.cause = old.cause
    AND new.attempts = old.attempts AND new.path = old.path
    AND new.pack = old.pack AND new.micro_yuan = old.micro_yuan)
  -- A person's right: what points at them is erased, nothing else moves.
  OR (old.state <> 'sending' AND new.state = old.state
    AND new.cause = old.cause AND new.attempts = old.attempts AND new.path = old.path
    AND new.run = old.run AND new.attempt_opened_at = old.attempt_opened_at
    AND new.errcode IS old.errcode AND new.rid IS old.rid
    AND new.pack IS old.pack AND new.micro_yuan IS old.micro_yuan
    AND new.finished_at = old.finished_at
    AND (new.phone_mask IS NULL OR new.phone_mask IS old.phone_mask)
    AND (new.phone_key IS NULL OR new.phone_key IS old.phone_key))
)
BEGIN
  SELECT RAISE(ABORT, 'a consumption does not change like this');
END;

CREATE TRIGGER consumption_identity
BEFORE UPDATE OF id, app, kind, request_id, code_key, scene, out_id, client_env, created_at ON consumption
BEGIN
  SELECT RAISE(ABORT, 'what a consumption is never changes');
END;

CREATE TRIGGER consumption_user BEFORE UPDATE OF user_key ON consumption
WHEN new.user_key IS NOT NULL AND new.user_key IS NOT old.user_key
BEGIN
  SELECT RAISE(ABORT, 'a user key is erased, never changed');
END;

CREATE TRIGGER consumption_stays BEFORE DELETE ON consumption
BEGIN
  SELECT RAISE(ABORT, 'consumptions are never deleted');
END;

CREATE TRIGGER attempt_once BEFORE INSERT ON attempt
WHEN EXISTS (SELECT 1 FROM attempt AS t WHERE t.id = new.id)
  OR EXISTS (SELECT 1 FROM attempt AS t WHERE t.consumption = new.consumption AND t.number = new.number)
BEGIN
  SELECT RAISE(ABORT, 'attempts are append-only');
END;

CREATE TRIGGER attempt_unchanged BEFORE UPDATE ON attempt
BEGIN
  SELECT RAISE(ABORT, 'attempts are append-only');
END;

CREATE TRIGGER attempt_stays BEFORE DELETE ON attempt
BEGIN
  SELECT RAISE(ABORT, 'attempts are append-only');
END;

CREATE TRIGGER entry_once BEFORE INSERT ON entry
WHEN EXISTS (SELECT 1 FROM entry AS e WHERE e.id = new.id)
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TRIGGER entry_stays BEFORE DELETE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TRIGGER key_rotation_once BEFORE INSERT ON key_rotation
WHEN EXISTS (SELECT 1 FROM key_rotation AS k WHERE k.id = new.id)
BEGIN
  SELECT RAISE(ABORT, 'key rotations are append-only');
END;

CREATE TRIGGER key_rotation_unchanged BEFORE UPDATE ON key_rotation
BEGIN
  SELECT RAISE(ABORT, 'key rotations are append-only');
END;

CREATE TRIGGER key_rotation_stays BEFORE DELETE ON key_rotation
BEGIN
  SELECT RAISE(ABORT, 'key rotations are append-only');
END;

CREATE TRIGGER erasure_once BEFORE INSERT ON erasure
WHEN EXISTS (SELECT 1 FROM erasure AS e WHERE e.id = new.id)
BEGIN
  SELECT RAISE(ABORT, 'erasures are append-only');
END;

CREATE TRIGGER erasure_unchanged BEFORE UPDATE ON erasure
BEGIN
  SELECT RAISE(ABORT, 'erasures are append-only');
END;

CREATE TRIGGER erasure_stays BEFORE DELETE ON erasure
BEGIN
  SELECT RAISE(ABORT, 'erasures are append-only');
END;
