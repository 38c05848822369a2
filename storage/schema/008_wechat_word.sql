-- WeChat's last word on each kind, so that a restart knows it: a snapshot is written only when something changed.

CREATE TABLE usage_answer (
  app INTEGER NOT NULL REFERENCES app (id),
  kind TEXT NOT NULL CHECK (kind IN ('quick', 'realtime')),
  as_of INTEGER,              -- when WeChat was asked last and answered; NULL: it has only pushed
  told_percent INTEGER CHECK (told_percent BETWEEN 0 AND 100),  -- pushed, and not overtaken by figures since
  told_at INTEGER,
  PRIMARY KEY (app, kind),
  CHECK ((told_percent IS NULL) = (told_at IS NULL))
) STRICT, WITHOUT ROWID;

-- When an answer named a pack last: one that the last answer leaves out is over for WeChat.
CREATE TABLE pack_listing (
  pack INTEGER PRIMARY KEY REFERENCES pack (id),
  as_of INTEGER NOT NULL
) STRICT;

INSERT INTO usage_answer (app, kind, as_of)
SELECT p.app, p.kind, max(s.as_of)
FROM pack AS p
JOIN usage_snapshot AS s ON s.pack = p.id
GROUP BY p.app, p.kind;

INSERT INTO pack_listing (pack, as_of)
SELECT p.id, a.as_of
FROM pack AS p
JOIN usage_answer AS a ON a.app = p.app AND a.kind = p.kind
WHERE EXISTS (SELECT 1 FROM usage_snapshot AS s WHERE s.pack = p.id);
