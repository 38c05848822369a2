import { settled } from './manual_clock';

export interface Sent {
  method: string;
  path: string;
  url: string;
  headers: { [name: string]: string };
  body: { [key: string]: unknown };
  /** The bytes as they were sent. */
  data: string;
  timeout: number;
}

export interface Reply {
  status: number;
  body: unknown;
  headers?: { [name: string]: string };
}

/** No answer at all. */
export const lost = 'request:fail';
export type Behaviour = (sent: Sent) => Reply | string | Promise<Reply | string>;

export function problem(
  code: string,
  status: number,
  retry: string,
  more: object = {},
  headers: { [name: string]: string } = {},
): Reply {
  return {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: { type: 'urn:x', title: 'x', status, code, detail: `sentence of ${code}`, retry, ...more },
  };
}

export const phone: Reply = {
  status: 200,
  body: {
    phoneNumber: '13800138000',
    purePhoneNumber: '13800138000',
    countryCode: '86',
    kind: 'quick',
    requestId: '01J0000000000000000000000A',
  },
};

type Success<Result> = { success?: (result: Result) => void; fail?: (failure: { errMsg: string }) => void };

/**
 * `wx` as it is documented, as far as the package uses it, and a server behind wx.request that answers as each test
 * says. One for a test file: what listens to the app's coming and going listens once.
 */
export class FakeWx {
  readonly storage = new Map<string, string>();
  readonly sent: Sent[] = [];
  readonly toasts: string[] = [];
  logins = 0;
  loginWorks = true;
  /** Calls back neither way. */
  loginHangs = false;
  storageWorks = true;
  sdkVersion = '3.8.0';
  language = 'zh_CN';
  available: { quick: boolean; realtime: boolean } = { quick: true, realtime: true };
  reason = 'exhausted';
  userKeyHangs = false;
  userKey: { encryptKey: string; iv: string; version: number; expireTime: number } | undefined;
  /** By path; `POST /session`, `GET /phone/quota` and `POST /phone/events` have one that works. */
  readonly answers = new Map<string, Behaviour>();
  private readonly shown: (() => void)[] = [];
  private readonly hidden: (() => void)[] = [];
  private readonly connected: ((status: { isConnected: boolean }) => void)[] = [];
  private sessions = 0;

  constructor() {
    Object.assign(globalThis, { wx: this });
  }

  /** As on a phone that has never seen this mini program. */
  reset(): void {
    this.storage.clear();
    this.sent.length = 0;
    this.toasts.length = 0;
    this.answers.clear();
    this.logins = 0;
    Object.assign(this, { loginWorks: true, loginHangs: false, storageWorks: true });
    Object.assign(this, { sdkVersion: '3.8.0', language: 'zh_CN', userKeyHangs: false });
    this.available = { quick: true, realtime: true };
    this.reason = 'exhausted';
    this.userKey = undefined;
    this.show();
  }

  /** Requests to a path, in their order. */
  sentTo(path: string): Sent[] {
    return this.sent.filter((sent) => sent.path === path);
  }

  /** One behaviour after the other; the last one stays. */
  answer(path: string, ...behaviours: (Behaviour | Reply | string)[]): void {
    let next = 0;
    this.answers.set(path, (sent) => {
      const behaviour = behaviours[Math.min(next, behaviours.length - 1)] as Behaviour | Reply | string;
      next += 1;
      return typeof behaviour === 'function' ? behaviour(sent) : behaviour;
    });
  }

  /** An answer that the test gives when it likes. */
  answerLater(path: string): (reply: Reply | string) => Promise<void> {
    let give: (reply: Reply | string) => void = () => {};
    this.answers.set(
      path,
      () =>
        new Promise<Reply | string>((resolve) => {
          give = resolve;
        }),
    );
    return async (reply) => {
      give(reply);
      await settled();
    };
  }

  hide(): void {
    for (const tell of this.hidden) tell();
  }

  show(): void {
    for (const tell of this.shown) tell();
  }

  connect(): void {
    for (const tell of this.connected) tell({ isConnected: true });
  }

  // What follows is wx.

  login({ success, fail }: Success<{ code: string }>): void {
    this.logins += 1;
    if (this.loginHangs) return;
    if (this.loginWorks) success?.({ code: `js-code-${this.logins}` });
    else fail?.({ errMsg: 'login:fail' });
  }

  request(
    options: Success<{ statusCode: number; data: unknown; header: object }> & {
      url: string;
      method: string;
      header: { [name: string]: string };
      data?: string;
      timeout: number;
    },
  ): void {
    const url = new URL(options.url);
    const data = options.data ?? '';
    const sent: Sent = {
      method: options.method,
      path: url.pathname,
      url: options.url,
      headers: options.header,
      body: data ? JSON.parse(data) : {},
      data,
      timeout: options.timeout,
    };
    this.sent.push(sent);
    const behaviour = this.answers.get(url.pathname) ?? ((one: Sent) => this.usual(one));
    void Promise.resolve(behaviour(sent)).then((reply) => {
      if (typeof reply === 'string') options.fail?.({ errMsg: reply });
      else options.success?.({ statusCode: reply.status, data: reply.body, header: reply.headers ?? {} });
    });
  }

  getStorageSync(key: string): unknown {
    if (!this.storageWorks) throw new Error('getStorageSync:fail');
    const stored = this.storage.get(key);
    return stored === undefined ? '' : JSON.parse(stored);
  }

  setStorageSync(key: string, value: unknown): void {
    if (!this.storageWorks) throw new Error('setStorageSync:fail exceed storage max size');
    this.storage.set(key, JSON.stringify(value));
  }

  removeStorageSync(key: string): void {
    if (!this.storageWorks) throw new Error('removeStorageSync:fail');
    this.storage.delete(key);
  }

  onAppShow(tell: () => void): void {
    this.shown.push(tell);
  }

  onAppHide(tell: () => void): void {
    this.hidden.push(tell);
  }

  onNetworkStatusChange(tell: (status: { isConnected: boolean }) => void): void {
    this.connected.push(tell);
  }

  getAppBaseInfo(): { SDKVersion: string; language: string } {
    return { SDKVersion: this.sdkVersion, language: this.language };
  }

  getAccountInfoSync(): object {
    return { miniProgram: { envVersion: 'develop' } };
  }

  getRandomValues({ length, success }: { length: number } & Success<{ randomValues: ArrayBuffer }>): void {
    success?.({ randomValues: new Uint8Array(length).fill(7).buffer });
  }

  getUserCryptoManager(): object {
    return {
      getLatestUserKey: ({ success, fail }: Success<FakeWx['userKey']>) =>
        this.userKeyHangs ||
        (this.userKey ? success?.(this.userKey) : fail?.({ errMsg: 'getLatestUserKey:fail' })),
    };
  }

  showToast({ title }: { title: string }): void {
    this.toasts.push(title);
  }

  private quotaOf(kind: 'quick' | 'realtime'): object {
    const available = this.available[kind];
    const reason = available ? {} : { reason: this.reason };
    return { kind, available, level: available ? 'ok' : 'exhausted', asOf: 1790000000, ...reason };
  }

  private usual({ path, url }: Sent): Reply {
    if (path.endsWith('/session')) {
      this.sessions += 1;
      return {
        status: 200,
        body: {
          session: `session-${this.sessions}`,
          signingKey: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
          expiresIn: 7200,
          serverTime: Math.floor(Date.now() / 1000),
          quota: { quick: this.quotaOf('quick'), realtime: this.quotaOf('realtime') },
        },
      };
    }
    if (path.endsWith('/phone/quota')) {
      return { status: 200, body: this.quotaOf(url.includes('realtime') ? 'realtime' : 'quick') };
    }
    if (path.endsWith('/phone/events')) return { status: 202, body: { accepted: 1, duplicates: 0 } };
    throw new Error(`the test says nothing about ${path}`);
  }
}
