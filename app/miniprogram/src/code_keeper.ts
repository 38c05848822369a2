import { load, save } from './storage';
import type { Kind, Language } from './types';

/** A paid code, or what an old base library gives in its place. */
export interface KeptCode {
  /** The code, or the encryptedData that came without one. */
  id: string;
  code?: string;
  encryptedData?: string;
  iv?: string;
  kind: Kind;
  scene?: string;
  outId?: string;
  lang?: Language;
  /** Unix milliseconds, by the phone's clock. WeChat counts from the tap. */
  tappedAtMs: number;
}

/** A code is good for so long (facts of getuserphonenumber). */
export const codeLifeMs = 5 * 60 * 1000;

const keptMax = 8;

/** Codes whose answer has not been handed over yet, on the phone's storage: they outlive page and app. */
export class CodeKeeper {
  private readonly key: string;

  constructor(server: string) {
    this.key = `onetap:codes:${server}`;
  }

  /** The oldest first; those that WeChat has forgotten are forgotten here. */
  all(): KeptCode[] {
    const nowMs = Date.now();
    const kept = load<KeptCode>(this.key);
    const alive = kept.filter(({ tappedAtMs }) => {
      const ageMs = nowMs - tappedAtMs;
      return ageMs < codeLifeMs && ageMs > -codeLifeMs;
    });
    if (alive.length !== kept.length) save(this.key, alive);
    return alive;
  }

  keep(code: KeptCode): void {
    const others = this.all().filter(({ id }) => id !== code.id);
    save(this.key, others.concat(code).slice(-keptMax));
  }

  forget(id: string): void {
    const all = this.all();
    const others = all.filter((code) => code.id !== id);
    if (others.length !== all.length) save(this.key, others);
  }
}
