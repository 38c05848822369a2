import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { funnelEventOf, readCallback } from '../../src/errors';
import type { CallbackDetail } from '../../src/types';

const outcomeOf = (detail: CallbackDetail | null | undefined) => readCallback(detail).outcome;

describe('the callback', () => {
  test('brings a code', () => {
    const detail = { errMsg: 'getPhoneNumber:ok', code: 'e319', encryptedData: 'ZQ==', iv: 'aXY=' };
    assert.deepEqual(readCallback(detail), {
      outcome: 'code',
      code: 'e319',
      encryptedData: 'ZQ==',
      iv: 'aXY=',
    });
  });

  test('brings a code, whatever it says beside: it is paid for', () => {
    assert.equal(outcomeOf({ code: 'e319' }), 'code');
    assert.equal(outcomeOf({ code: 'e319', errMsg: 'getPhoneNumber:fail user deny', errno: 104 }), 'code');
  });

  test('of an old base library brings encrypted data instead', () => {
    const detail = { errMsg: 'getPhoneNumber:ok', encryptedData: 'ZQ==', iv: 'aXY=' };
    assert.deepEqual(readCallback(detail), { outcome: 'encrypted', encryptedData: 'ZQ==', iv: 'aXY=' });
    assert.equal(outcomeOf({ errMsg: 'getPhoneNumber:ok', encryptedData: 'ZQ==' }), 'failed');
  });

  test('knows an empty pack by its number alone', () => {
    assert.equal(outcomeOf({ errno: 1400001, errMsg: 'getPhoneNumber:fail no enough quota' }), 'no_quota');
    assert.equal(outcomeOf({ errno: 1400001 }), 'no_quota');
    assert.equal(outcomeOf({ errno: '1400001', errMsg: 'getPhoneNumber:fail:user deny' }), 'no_quota');
    assert.equal(outcomeOf({ errMsg: 'getPhoneNumber:fail no enough quota' }), 'failed');
  });

  for (const errMsg of [
    'getPhoneNumber:fail user deny',
    'getPhoneNumber:fail:user deny',
    'getPhoneNumber:user deny',
    'getRealtimePhoneNumber:fail user deny',
    'getPhoneNumber:fail user denied',
    'getPhoneNumber:fail auth deny',
    'getPhoneNumber:fail user cancel',
    'getPhoneNumber:fail User Deny',
  ]) {
    test(`is a refusal of the user: ${errMsg}`, () => assert.equal(outcomeOf({ errMsg }), 'denied'));
  }

  test('tells apart why privacy stands in the way', () => {
    const reasonOf = (detail: CallbackDetail) => {
      const reading = readCallback(detail);
      return reading.outcome === 'privacy' && reading.reason;
    };
    assert.equal(
      reasonOf({ errno: 103, errMsg: 'getPhoneNumber:fail privacy permission is denied' }),
      'denied',
    );
    assert.equal(
      reasonOf({ errno: 104, errMsg: 'getPhoneNumber:fail privacy permission is not authorized' }),
      'unauthorized',
    );
    assert.equal(
      reasonOf({
        errno: 112,
        errMsg: 'getPhoneNumber:fail api scope is not declared in the privacy agreement',
      }),
      'undeclared',
    );
    assert.equal(reasonOf({ errMsg: 'getPhoneNumber:fail privacy permission is not authorized' }), 'unknown');
  });

  for (const errMsg of [
    'getPhoneNumber:fail no permission',
    'getPhoneNumber:fail operateWXData:fail jsapi has no permission',
    'getPhoneNumber:fail jsapi has no permission, event_id=1',
  ]) {
    test(`is a matter of the account: ${errMsg}`, () => assert.equal(outcomeOf({ errMsg }), 'permission'));
  }

  test('may say something else, or nothing', () => {
    assert.equal(outcomeOf({ errMsg: 'getPhoneNumber:fail time out' }), 'failed');
    assert.equal(outcomeOf({ errMsg: 'getPhoneNumber:ok' }), 'failed');
    assert.equal(outcomeOf({ code: '', errMsg: '' }), 'failed');
    assert.equal(outcomeOf(undefined), 'failed');
    assert.equal(outcomeOf(null), 'failed');
  });
});

test('each reading that the server counts has its event', () => {
  const eventOf = (detail: CallbackDetail) => funnelEventOf(readCallback(detail));
  assert.deepEqual(eventOf({ code: 'e319' }), { type: 'issued' });
  assert.deepEqual(eventOf({ encryptedData: 'ZQ==', iv: 'aXY=' }), { type: 'issued' });
  assert.deepEqual(eventOf({ errno: 1400001 }), { type: 'no_quota', errno: 1400001 });
  assert.deepEqual(eventOf({ errMsg: 'getPhoneNumber:fail user deny' }), { type: 'denied' });
  assert.deepEqual(eventOf({ errno: 104 }), { type: 'privacy_denied', errno: 104 });
  assert.equal(eventOf({ errMsg: 'getPhoneNumber:fail no permission' }), undefined);
});
