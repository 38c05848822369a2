import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { afterCode, afterLogin, type Progress } from '../../src/decision';
import type { Answer } from '../../src/transport';

const start: Progress = { attempts: 1, loginsAnew: 0, signedAnew: 0, rescuable: false };

function answered(code: string, retry: string, more: object = {}, retryAfterS?: number): Answer {
  return {
    status: 503,
    body: { code, detail: `sentence of ${code}`, retry, ...more },
    replayed: false,
    ...(retryAfterS !== undefined && { retryAfterS }),
  };
}

/** In short: what is done, and when. */
function inShort(answer: Answer | undefined, progress: Partial<Progress> = {}): string {
  const step = afterCode(answer, { ...start, ...progress });
  return step.to === 'repeat' ? `repeat in ${step.inMs}${step.firm ? ' firmly' : ''}` : step.to;
}

describe('after an answer about a code', () => {
  test('a number is delivered', () => {
    assert.equal(inShort({ status: 200, body: { phoneNumber: '138' }, replayed: false }), 'deliver');
  });

  test('no answer, or none of the server, is asked for again, more and more slowly', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 60].map((attempts) => inShort(undefined, { attempts })),
      [500, 1000, 2000, 4000, 8000, 15000, 15000].map((ms) => `repeat in ${ms}`),
    );
    const portal: Answer = { status: 200, body: {}, replayed: false };
    assert.equal(inShort(portal), 'repeat in 500');
    assert.equal(inShort({ ...portal, status: 502 }), 'repeat in 500');
    assert.equal(inShort({ ...portal, status: 503, retryAfterS: 3600 }), 'repeat in 500');
    assert.equal(inShort(answered('NOT_OURS', 'whatever', {}, 3600)), 'repeat in 500');
    assert.equal(inShort({ ...answered('REQUEST_TIMEOUT', 'never'), status: 408 }), 'repeat in 500');
  });

  test('the same code follows where the server says so, and when it says so', () => {
    assert.equal(inShort(answered('WECHAT_UNAVAILABLE', 'same_code', {}, 38)), 'repeat in 38000 firmly');
    assert.equal(inShort(answered('SERVER_BUSY', 'same_code')), 'repeat in 500');
    assert.equal(inShort(answered('RATE_LIMITED', 'later', {}, 2)), 'repeat in 2000 firmly');
    assert.equal(inShort(answered('SERVICE_MISCONFIGURED', 'later', {}, 60)), 'repeat in 60000 firmly');
    assert.equal(inShort(answered('INTERNAL', 'later')), 'repeat in 500');
    assert.equal(inShort(answered('SERVER_BUSY', 'same_code', {}, 0)), 'repeat in 500 firmly');
  });

  test('a code that cost nothing is not worth a wait', () => {
    assert.equal(inShort(answered('QUOTA_EXHAUSTED', 'later', { charged: 'no' }, 60)), 'refuse');
  });

  test('one new login, not two', () => {
    assert.equal(inShort(answered('SESSION_EXPIRED', 'login')), 'log_in_anew');
    assert.equal(inShort(answered('SESSION_EXPIRED', 'login'), { loginsAnew: 1 }), 'refuse');
  });

  test('a bad clock or nonce is mended at once, twice; then slowly', () => {
    assert.equal(inShort(answered('TIMESTAMP_SKEWED', 'same_code')), 'repeat in 0');
    assert.equal(inShort(answered('NONCE_REPLAYED', 'same_code'), { signedAnew: 1 }), 'repeat in 0');
    assert.equal(
      inShort(answered('TIMESTAMP_SKEWED', 'same_code'), { signedAnew: 2, attempts: 3 }),
      'repeat in 2000',
    );
  });

  test('a doubtful outcome asks for what came encrypted, once', () => {
    assert.equal(inShort(answered('OUTCOME_UNKNOWN', 'new_code'), { rescuable: true }), 'rescue');
    assert.equal(inShort(answered('OUTCOME_UNKNOWN', 'new_code')), 'refuse');
    assert.equal(inShort(answered('CODE_INVALID', 'new_code'), { rescuable: true }), 'refuse');
  });

  for (const [code, retry] of [
    ['CODE_INVALID', 'new_code'],
    ['CODE_ALREADY_USED', 'new_code'],
    ['CODE_IN_PROGRESS', 'never'],
    ['WATERMARK_MISMATCH', 'new_code'],
    ['INVALID_REQUEST', 'never'],
    ['ORIGIN_FORBIDDEN', 'never'],
  ] as const) {
    test(`${code} is final`, () => assert.equal(inShort(answered(code, retry)), 'refuse'));
  }
});

describe('after a login, while a code waits behind it', () => {
  const toward = (answer: Answer | undefined) => afterLogin(answer, start).to;
  test('everything but a final refusal is tried again', () => {
    assert.equal(toward(undefined), 'repeat');
    assert.equal(toward(answered('WECHAT_UNAVAILABLE', 'login')), 'repeat');
    assert.equal(toward(answered('CODE_INVALID', 'login')), 'repeat');
    assert.equal(toward({ ...answered('REQUEST_TIMEOUT', 'never'), status: 408 }), 'repeat');
    assert.equal(toward(answered('USER_BLOCKED', 'never')), 'refuse');
  });
});
