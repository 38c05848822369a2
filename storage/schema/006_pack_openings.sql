-- How much WeChat had counted of a pack before this ledger: not known at first sight, since its figures lag.

-- Of packs that are older than the ledger. Their opening may still grow: by what WeChat's figures tell of the
-- time before, and by nothing else.
CREATE TABLE pack_opening (
  pack INTEGER PRIMARY KEY REFERENCES pack (id),
  seen_at INTEGER NOT NULL,   -- when WeChat was asked and first named it
  units_max INTEGER CHECK (units_max >= 0)  -- NULL: what was burnt before may still be in no figure
) STRICT;

-- Small: leaks are booked by hand.
CREATE INDEX entry_leak ON entry (pack) WHERE kind = 'leak';
