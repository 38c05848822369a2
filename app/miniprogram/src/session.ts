import type { SigningKey } from './signature';
import type { Answer } from './transport';
import type { Quota } from './types';

export interface Session {
  id: string;
  /** base64 of 32 bytes */
  signingKey: string;
  endsAtMs: number;
}

/** Why there is no session: the server's answer, or none; `wx.login` may have failed before. */
export class NoSession extends Error {
  readonly answer: Answer | undefined;
  readonly loggedIn: boolean;

  constructor(answer: Answer | undefined, loggedIn: boolean) {
    super('no session');
    this.answer = answer;
    this.loggedIn = loggedIn;
  }
}

const loginMaxMs = 10 * 1000;

function login(): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new NoSession(undefined, false));
    // Of our own beside WeChat's: it may never call back.
    setTimeout(fail, loginMaxMs);
    wx.login({ timeout: loginMaxMs, success: ({ code }) => (code ? resolve(code) : fail()), fail });
  });
}

/** A session is left alone for so long before its end. */
const marginMs = 60 * 1000;

type Post = (body: string) => Promise<Answer | undefined>;

/**
 * One session for all buttons, one login in flight. Opened before the tap: a wx.login in the callback may change
 * the session_key that encryptedData needs. Never stored: it holds a key.
 */
export class SessionKeeper {
  private current: Session | undefined;
  private opening: Promise<Session> | undefined;
  /** The server's clock less the phone's. */
  clockOffsetMs = 0;

  /** `post` sends to `/session`; `learn` is told the quota that comes along. */
  constructor(
    private readonly post: Post,
    private readonly learn: (quota: { [kind: string]: Quota }) => void,
  ) {}

  /** Throws NoSession. */
  get(): Promise<Session> {
    if (this.current && Date.now() < this.current.endsAtMs - marginMs) return Promise.resolve(this.current);
    if (!this.opening) {
      const done = (): void => {
        this.opening = undefined;
      };
      this.opening = this.open();
      this.opening.then(done, done);
    }
    return this.opening;
  }

  /** The server no longer takes `session`; a newer one stays. */
  drop(session: Session): void {
    if (this.current === session) this.current = undefined;
  }

  learnClock(serverTimeS: unknown): void {
    if (typeof serverTimeS === 'number') this.clockOffsetMs = serverTimeS * 1000 - Date.now();
  }

  /** The server's, in unix seconds. */
  nowS(): number {
    return Math.round((Date.now() + this.clockOffsetMs) / 1000);
  }

  private async open(): Promise<Session> {
    const jsCode = await login();
    const answer = await this.post(JSON.stringify({ jsCode }));
    const { session, signingKey, expiresIn, serverTime, quota } = answer?.body || {};
    if (answer?.status !== 200 || typeof session !== 'string' || typeof signingKey !== 'string') {
      throw new NoSession(answer, true);
    }
    this.learnClock(serverTime);
    this.current = { id: session, signingKey, endsAtMs: Date.now() + (Number(expiresIn) || 0) * 1000 };
    if (quota) this.learn(quota as { [kind: string]: Quota });
    return this.current;
  }
}

const distrustMs = 10 * 60 * 1000;
const userKeyMaxMs = 1000; // a code may wait for it

/** The user's own key, which WeChat renews each hour; where there is none, or the server could not get it, the session's. */
export class UserKeys {
  private latest: { name: string; key: string; endsAtMs: number } | undefined;
  private distrustedUntilMs = 0;

  async signingKey({ id, signingKey }: Session): Promise<SigningKey> {
    const latest = await this.get();
    return latest
      ? { session: id, name: latest.name, key: latest.key }
      : { session: id, name: 'session', key: signingKey };
  }

  /** The server refused a signature: no code is to wait for the reason. */
  distrust(): void {
    this.latest = undefined;
    this.distrustedUntilMs = Date.now() + distrustMs;
  }

  private get(): Promise<{ name: string; key: string } | undefined> {
    if (Date.now() < this.distrustedUntilMs) return Promise.resolve(undefined);
    if (this.latest && Date.now() < this.latest.endsAtMs - marginMs) return Promise.resolve(this.latest);
    return new Promise((resolve) => {
      const none = (): void => resolve(undefined);
      setTimeout(none, userKeyMaxMs);
      try {
        wx.getUserCryptoManager().getLatestUserKey({
          success: ({ encryptKey, version, expireTime }) => {
            if (!encryptKey || !version) return none();
            // In seconds, or milliseconds: WeChat's page does not say.
            const endsAtMs = expireTime > 1e12 ? expireTime : expireTime * 1000;
            this.latest = { name: `wechat:${version}`, key: encryptKey, endsAtMs };
            return resolve(this.latest);
          },
          fail: none,
        });
      } catch {
        none(); // an old base library
      }
    });
  }
}
