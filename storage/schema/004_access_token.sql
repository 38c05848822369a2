-- The access_token of each app, sealed: so that a restart asks WeChat for none. A row goes with the next one.

CREATE TABLE access_token (
  app INTEGER PRIMARY KEY REFERENCES app (id),
  sealed_row INTEGER NOT NULL,   -- the identity it is sealed under
  sealed_token BLOB NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
