import type { CallbackDetail, FunnelEvent, PrivacyReason, Problem } from './types';

/** What the button's callback says, whatever the base library and the phone. */
export type Reading =
  | { outcome: 'code'; code: string; encryptedData?: string; iv?: string }
  | { outcome: 'encrypted'; encryptedData: string; iv: string } // before base library 2.21.2
  | { outcome: 'no_quota'; errno: number }
  | { outcome: 'privacy'; reason: PrivacyReason; errno?: number; errMsg: string }
  | { outcome: 'denied'; errMsg: string }
  | { outcome: 'permission'; errno?: number; errMsg: string }
  | { outcome: 'failed'; errno?: number; errMsg: string };

const noQuota = 1400001;
const privacyReasons: { [errno: number]: PrivacyReason } = {
  103: 'denied',
  104: 'unauthorized',
  112: 'undeclared',
};

/**
 * A code comes first, whatever else is said: it is paid for. Then numbers, then words within errMsg; never the
 * whole of it, which differs by phone ("getPhoneNumber:fail user deny", "getPhoneNumber:fail:user deny",
 * "getPhoneNumber:user deny").
 */
export function readCallback(detail: CallbackDetail | null | undefined): Reading {
  const { code, encryptedData, iv, errMsg = '', errno: said } = detail || {};
  const encrypted = encryptedData && iv ? { encryptedData, iv } : undefined;
  if (code) return { outcome: 'code', code, ...encrypted };
  if (encrypted) return { outcome: 'encrypted', ...encrypted };
  const errno = said === undefined || said === null || said === '' ? Number.NaN : Number(said);
  if (errno === noQuota) return { outcome: 'no_quota', errno };
  const told = Number.isNaN(errno) ? { errMsg } : { errno, errMsg };
  const reason = privacyReasons[errno];
  if (reason || /privacy/i.test(errMsg)) return { outcome: 'privacy', reason: reason || 'unknown', ...told };
  if (/permission|unauthori[sz]ed|jsapi/i.test(errMsg)) return { outcome: 'permission', ...told };
  if (/deny|denied|cancel/i.test(errMsg)) return { outcome: 'denied', errMsg };
  return { outcome: 'failed', ...told };
}

/** The event that tells the server of it; none for faults that are not in its list. */
export function funnelEventOf(reading: Reading): Pick<FunnelEvent, 'type' | 'errno'> | undefined {
  switch (reading.outcome) {
    case 'code':
    case 'encrypted':
      return { type: 'issued' };
    case 'no_quota':
      return { type: 'no_quota', errno: reading.errno };
    case 'denied':
      return { type: 'denied' };
    case 'privacy':
      return {
        type: 'privacy_denied',
        ...(reading.errno === undefined ? undefined : { errno: reading.errno }),
      };
    default:
      return undefined;
  }
}

/** What phoneNumber() rejects with. */
export class PhoneError extends Error {
  /** The callback's, or `refused` where the server had the last word. */
  readonly outcome: 'no_quota' | 'privacy' | 'denied' | 'permission' | 'failed' | 'refused';
  readonly problem: Problem;
  readonly reading: Reading | undefined;

  constructor(outcome: PhoneError['outcome'], problem: Problem, reading?: Reading) {
    super(problem.detail);
    this.name = 'PhoneError';
    this.outcome = outcome;
    this.problem = problem;
    this.reading = reading;
  }
}
