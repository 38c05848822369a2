/** `quick` is getPhoneNumber, `realtime` is getRealtimePhoneNumber. */
export type Kind = 'quick' | 'realtime';
export type Language = 'zh' | 'en';

/** What the server says to do about a refusal (RFC 9457's problem, `retry`). */
export type Retry = 'same_code' | 'new_code' | 'later' | 'login' | 'never';

/** Why there is no number: the server's problem, or one of LocalProblemCode's. */
export interface Problem {
  code: string;
  /** A sentence for the person who tapped. */
  detail: string;
  retry: Retry;
  /** Whether WeChat took a unit for the code. */
  charged?: 'yes' | 'no' | 'unknown';
  /** What support asks for: the server's log and ledger have it, too. */
  requestId?: string;
  reason?: string;
  status?: number;
  /** The server is not to be asked before; from its Retry-After. */
  retryAfterS?: number;
  wechat?: { errcode: number; rid?: string };
}

/** What went wrong before the server could say anything. */
export type LocalProblemCode =
  | 'NO_SERVER' // neither configure({server}) nor the attribute
  | 'NETWORK_LOST' // no answer as long as the code was good
  | 'LOGIN_FAILED' // wx.login
  | 'CODE_TOO_OLD' // kept for five minutes, and never answered
  | 'UNSUPPORTED' // a base library without this kind of button
  | 'DIALOG_FAILED'; // WeChat's dialog, for a reason that nobody lists

/** What the button is used for; told to the server with each code. */
export interface Use {
  kind?: Kind;
  /** Names the button, 1–32 of `[A-Za-z0-9_.-]`. */
  scene?: string;
  /** The business's own id, up to 64 visible ASCII; only recorded. */
  outId?: string;
  /** Of the server's sentences; the client's unless given. */
  lang?: Language;
}

export interface PhoneNumber {
  /** With the country's prefix where it is a foreign one. */
  phoneNumber: string;
  purePhoneNumber: string;
  countryCode: string;
  kind: Kind;
  requestId: string;
  scene?: string;
  /** The server had the answer already: a reply had been lost on its way. */
  replayed: boolean;
  /** Of a tap before: the page, or the mini program, had been closed meanwhile. */
  resumed: boolean;
}

/** As `GET /phone/quota` answers. */
export interface Quota {
  kind: Kind;
  available: boolean;
  reason?: 'exhausted' | 'service' | 'budget' | 'user_limit';
  level: 'ok' | 'low' | 'exhausted' | 'unknown';
  asOf: number | null;
}

export type FunnelEventType = 'tap' | 'issued' | 'denied' | 'no_quota' | 'privacy_denied' | 'fallback';

/** What the server, and `bind:track`, are told of the button; `at` is in unix seconds. */
export interface FunnelEvent {
  id: string;
  type: FunnelEventType;
  at: number;
  kind: Kind;
  scene?: string;
  errno?: number;
  codeDigest?: string;
}

/** The code is still good and will be presented again in `inMs`. */
export interface Waiting {
  attempts: number;
  inMs: number;
  because: Problem;
}

export type PrivacyReason = 'denied' | 'unauthorized' | 'undeclared' | 'unknown';

/** What WeChat's callback brings. No member is promised: it differs by base library and phone. */
export interface CallbackDetail {
  code?: string;
  errMsg?: string;
  errno?: number | string;
  encryptedData?: string;
  iv?: string;
}

export interface Options {
  /** `https://your.server`, with a path where the server stands behind one. */
  server: string;
  /** Of the server's sentences and our own texts; the phone's language unless given. */
  lang?: Language;
  /** `false`: the server is told nothing of taps. Default true. */
  events?: boolean;
  /** Signs with the user's own key from wx.getUserCryptoManager, where there is one. Default false. */
  userKey?: boolean;
}

/** `event.detail` of phone-button's events, by name. */
export interface PhoneButtonEvents {
  number: PhoneNumber;
  fail: Problem & { kind: Kind; scene?: string };
  wait: Waiting;
  denied: { errMsg: string };
  noquota: { errno: number };
  privacy: { errno?: number; reason: PrivacyReason; errMsg: string };
  agreeprivacy: Record<string, unknown>;
  permission: { errno?: number; errMsg: string };
  needagree: Record<string, never>;
  quota: Quota;
  offline: Problem;
  fallback: Record<string, never>;
  track: FunnelEvent;
}
