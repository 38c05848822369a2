import type { Answer } from './transport';
import { problemIn } from './transport';
import type { Kind, Problem } from './types';

/** The server's phone object. */
export interface Delivered {
  phoneNumber: string;
  purePhoneNumber: string;
  countryCode: string;
  kind: Kind;
  requestId: string;
}

/** What to do next about a code. */
export type Step =
  | { to: 'deliver'; number: Delivered; replayed: boolean }
  | { to: 'refuse'; problem: Problem }
  /** The same code again; `firm`: not earlier, even when the network comes back. */
  | { to: 'repeat'; inMs: number; firm: boolean; problem?: Problem }
  | { to: 'log_in_anew'; problem: Problem }
  /** The same code, with the number that came along encrypted: WeChat's own answer was lost. */
  | { to: 'rescue'; problem: Problem };

/** What has been done for the code so far. */
export interface Progress {
  attempts: number;
  loginsAnew: number;
  signedAnew: number;
  /** encryptedData is at hand, and has not been sent. */
  rescuable: boolean;
}

/** The request has not come whole: as good as no answer. */
const requestTimeout = 408;

const backOffMs = [500, 1000, 2000, 4000, 8000];
const backOffMaxMs = 15000;

function backOff({ attempts }: Progress): number {
  return backOffMs[attempts - 1] || backOffMaxMs;
}

function repeat(answer: Answer | undefined, progress: Progress, problem?: Problem): Step {
  // A gateway's Retry-After knows nothing of a code's five minutes.
  const told = problem && answer?.retryAfterS;
  return {
    to: 'repeat',
    inMs: Math.max(backOff(progress), (told || 0) * 1000),
    firm: told !== undefined,
    ...(problem && { problem }),
  };
}

/** Of `POST /session`: as long as a code waits behind it, every refusal but a final one is tried again. */
export function afterLogin(answer: Answer | undefined, progress: Progress): Step {
  const problem = answer && problemIn(answer);
  if (problem && problem.retry === 'never' && problem.status !== requestTimeout) {
    return { to: 'refuse', problem };
  }
  return repeat(answer, progress, problem);
}

/** Of `POST /phone/consume` and `/phone/decrypt`. */
export function afterCode(answer: Answer | undefined, progress: Progress): Step {
  if (!answer) return repeat(answer, progress);
  if (answer.status === 200 && typeof answer.body.phoneNumber === 'string') {
    return { to: 'deliver', number: answer.body as unknown as Delivered, replayed: answer.replayed };
  }
  const problem = problemIn(answer);
  if (!problem || answer.status === requestTimeout) return repeat(answer, progress, problem);
  if (problem.code === 'OUTCOME_UNKNOWN' && progress.rescuable) return { to: 'rescue', problem };
  if (problem.charged === 'no') return { to: 'refuse', problem };
  if (problem.code === 'TIMESTAMP_SKEWED' || problem.code === 'NONCE_REPLAYED') {
    const inMs = progress.signedAnew < 2 ? 0 : backOff(progress);
    return { to: 'repeat', inMs, firm: false, problem };
  }
  if (problem.retry === 'same_code' || problem.retry === 'later') return repeat(answer, progress, problem);
  if (problem.retry === 'login' && progress.loginsAnew < 1) return { to: 'log_in_anew', problem };
  return { to: 'refuse', problem };
}
