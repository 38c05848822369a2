"""A ledger with a long history, made from a short one: its rows, many times over."""
import pathlib
import sqlite3

from processes import BenchError

COPIED = ("consumption", "entry")  # what an exchange leaves for good
BALANCES = """\
UPDATE pack_balance SET
  units = (SELECT ifnull(sum(CASE WHEN to_account = account THEN units ELSE -units END), 0) FROM entry
           WHERE entry.pack = pack_balance.pack AND account IN (from_account, to_account)),
  micro_yuan = (SELECT ifnull(sum(CASE WHEN to_account = account THEN micro_yuan ELSE -micro_yuan END), 0) FROM entry
           WHERE entry.pack = pack_balance.pack AND account IN (from_account, to_account))"""


def copied_column(table: str, column: str, shift: int) -> str:
    """What stands in a copy's column: its own id and code, and otherwise the same."""
    if (table, column) == ("entry", "id"):
        return "id + (SELECT max(id) FROM entry)"
    if (table, column) in (("consumption", "id"), ("entry", "consumption")):
        return "%s + %d" % (column, shift)
    return "randomblob(32)" if column == "code_key" else column


def double(ledger: sqlite3.Connection, rows: int) -> None:
    """Copies so many of the rows, from the first."""
    shift, first = ledger.execute("SELECT max(id), min(id) FROM consumption").fetchone()
    for table in COPIED:
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(%s)" % table)]
        copies = ", ".join(copied_column(table, column, shift) for column in columns)
        key = "id" if table == "consumption" else "consumption"
        ledger.execute("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s BETWEEN %d AND %d"
                       % (table, ", ".join(columns), copies, table, key, first, first + rows - 1))


def lengthen(path: pathlib.Path, codes: int) -> None:
    """So that it has so many codes behind it. The triggers that forbid such a history stand aside."""
    ledger = sqlite3.connect(path, isolation_level=None)
    try:
        ledger.execute("PRAGMA synchronous = OFF")
        ledger.execute("BEGIN")
        triggers = ledger.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            ledger.execute("DROP TRIGGER %s" % name)
        while (count := ledger.execute("SELECT count(*) FROM consumption").fetchone()[0]) < codes:
            if count == 0:
                raise BenchError("a ledger without codes cannot be made longer")
            double(ledger, min(count, codes - count))
        ledger.execute(BALANCES)
        for _, sql in triggers:
            ledger.execute(sql)
        ledger.execute("COMMIT")
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        ledger.close()
