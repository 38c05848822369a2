-- What can be told of a code that WeChat refuses: when a page got it, and what it became here before.

-- Why WeChat may have refused the code; NULL for all others, and for those of before this column.
ALTER TABLE consumption ADD COLUMN reason TEXT CHECK (reason IS NULL OR state = 'rejected');

-- What an issued code became here, with presented = 1.
ALTER TABLE event ADD COLUMN consumption INTEGER REFERENCES consumption (id);

-- Random, like event_once, and as short-lived; of issued codes only. No exchange writes it.
CREATE INDEX event_code ON event (code_key) WHERE type = 'issued' AND code_key IS NOT NULL;

CREATE TRIGGER consumption_reason BEFORE UPDATE OF reason ON consumption
WHEN new.reason IS NOT old.reason AND old.state <> 'sending'
BEGIN
  SELECT RAISE(ABORT, 'why a code was refused is told with the refusal');
END;

CREATE TRIGGER event_begins_unknown BEFORE INSERT ON event
WHEN new.consumption IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'an event cannot know yet what its code became');
END;

CREATE TRIGGER event_consumption BEFORE UPDATE OF consumption ON event
WHEN new.consumption IS NOT old.consumption AND (old.presented IS NOT NULL OR new.presented IS NOT 1)
BEGIN
  SELECT RAISE(ABORT, 'what a code became is settled with whether it came');
END;
