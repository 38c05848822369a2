// What takes the server long is asked seldom.

const pause_for_each_ms = 20;  // so this page takes a twentieth of the reader's time at most
const age_max_ms = 60_000;     // days begin and codes get old without anything being written

/** Reads `read(query)` when the ledger's revision or the query is another, and not too often. */
export function paced(read) {
  let kept;  // {value, revision, query, at}
  let next = 0;

  return {
    /** What was read last of `query`; undefined before that. */
    async read(revision, query = "") {
      const isOther = kept?.query !== query;
      const isOld = isOther || kept.revision !== revision || Date.now() - kept.at > age_max_ms;
      if (!isOld || (!isOther && Date.now() < next)) return kept.value;
      const begun = Date.now();
      try {
        const value = await read(query);
        kept = { value, revision, query, at: begun };
        return value;
      } finally {
        next = Date.now() + pause_for_each_ms * (Date.now() - begun);
      }
    },
    /** The next read is due at once. */
    hurry() { next = 0; },
  };
}
