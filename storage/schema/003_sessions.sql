-- Who has logged in: the sessions that outlive a restart, and the session_keys that open what a page encrypts.
-- A token is kept as its SHA-256 only; openid and session_key are sealed. Rows go when they are over, and all
-- of a person's go when that person is erased.

CREATE TABLE session (
  token_digest BLOB NOT NULL PRIMARY KEY CHECK (length(token_digest) = 32),
  app INTEGER NOT NULL REFERENCES app (id),
  user_key BLOB NOT NULL CHECK (length(user_key) = 32),
  sealed_openid BLOB NOT NULL,
  opened_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL    -- some minutes behind
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user_key);
CREATE INDEX session_age ON session (opened_at);

-- The newest two of each user; a user is one person in one app.
CREATE TABLE session_key (
  id INTEGER PRIMARY KEY,
  user_key BLOB NOT NULL CHECK (length(user_key) = 32),
  key_digest BLOB NOT NULL CHECK (length(key_digest) = 32),  -- keyed; tells one that came again
  sealed_key BLOB NOT NULL,
  seen_at INTEGER NOT NULL,   -- with a login; in order for each user, whatever the clock says
  UNIQUE (user_key, key_digest)
) STRICT;
CREATE INDEX session_key_age ON session_key (seen_at);

CREATE TRIGGER session_identity BEFORE UPDATE OF token_digest, app, user_key, opened_at ON session
BEGIN
  SELECT RAISE(ABORT, 'what a session is never changes');
END;

CREATE TRIGGER session_key_identity BEFORE UPDATE OF id, user_key, key_digest ON session_key
BEGIN
  SELECT RAISE(ABORT, 'what a session key is never changes');
END;
