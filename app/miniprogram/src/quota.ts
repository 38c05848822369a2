import type { Kind, Quota } from './types';

/** As long as the server's own answer is taken for what it is. */
const freshMs = 60 * 1000;

/** What is known of the quota, by kind. */
export class QuotaMemory {
  private readonly known: { [kind: string]: { quota: Quota; atMs: number } | undefined } = {};

  learn(quota: Quota): void {
    this.known[quota.kind] = { quota, atMs: Date.now() };
  }

  learnAll(quotas: { [kind: string]: Quota }): void {
    for (const kind of Object.keys(quotas)) {
      const quota = quotas[kind];
      if (quota && typeof quota.available === 'boolean') this.learn({ ...quota, kind: kind as Kind });
    }
  }

  /** WeChat itself said so, at the button. */
  exhaust(kind: Kind): Quota {
    const quota: Quota = { kind, available: false, reason: 'exhausted', level: 'exhausted', asOf: null };
    this.learn(quota);
    return quota;
  }

  fresh(kind: Kind): Quota | undefined {
    const entry = this.known[kind];
    if (!entry) return undefined;
    const ageMs = Date.now() - entry.atMs;
    return ageMs >= 0 && ageMs < freshMs ? entry.quota : undefined; // the clock may have been set back
  }

  /** However old. */
  last(kind: Kind): Quota | undefined {
    const entry = this.known[kind];
    return entry?.quota;
  }
}
