import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { fromBase64, toBase64 } from '../../src/bytes';
import { Client } from '../../src/client';
import { codeLifeMs } from '../../src/code_keeper';
import type { PhoneError } from '../../src/errors';
import { signature } from '../../src/signature';
import { forgetMemory } from '../../src/storage';
import type { PhoneNumber, Waiting } from '../../src/types';
import { FakeWx, lost, phone, problem, type Sent } from '../support/fake_wx';
import { ManualClock, settled } from '../support/manual_clock';

const clock = new ManualClock();
const wx = new FakeWx();
const server = 'https://your.server';
const consume = '/phone/consume';
const code = 'e31968a7f94cc5ee25fafc2aef2773f0';
const issued = { errMsg: 'getPhoneNumber:ok', code };
const encrypted = { encryptedData: 'Q2lwaGVy', iv: 'aXZpdg==' };
const minute = 60_000;

/** What has become of a promise so far. */
interface Fate {
  number?: PhoneNumber;
  refused?: PhoneError;
}
function fateOf(promise: Promise<PhoneNumber> | undefined): Fate {
  const fate: Fate = {};
  promise?.then(
    (number) => {
      fate.number = number;
    },
    (failure) => {
      fate.refused = failure;
    },
  );
  return fate;
}

const quiet = () => new Client({ server, events: false });
const codesSent = () => wx.sentTo(consume).map(({ body }) => body.code);
const kept = () =>
  (JSON.parse(wx.storage.get(`onetap:codes:${server}`) ?? '[]') as { id: string }[]).map(({ id }) => id);

function parts({ headers }: Sent): { [name: string]: string } {
  const fields: { [name: string]: string } = {};
  for (const [, name = '', value = ''] of (headers.Authorization ?? '').matchAll(/(\w+)="([^"]*)"/g)) {
    fields[name] = value;
  }
  return fields;
}

beforeEach(() => {
  forgetMemory();
  wx.reset();
  clock.forgetTimers();
});

describe('a code', () => {
  test('becomes a number, inside a session and signed', async () => {
    wx.answer(consume, phone);
    const use = { kind: 'quick', scene: 'checkout', outId: 'order-1' } as const;
    const number = await quiet().phoneNumber(issued, use);
    assert.equal(number.phoneNumber, '13800138000');
    assert.equal(number.scene, 'checkout');
    assert.deepEqual([number.replayed, number.resumed], [false, false]);

    const [login, sent] = wx.sent as [Sent, Sent];
    assert.equal(login.path, '/session');
    assert.deepEqual(login.body, { jsCode: 'js-code-1' });
    assert.deepEqual(sent.body, { code, kind: 'quick', scene: 'checkout', outId: 'order-1' });
    assert.equal(sent.headers['Content-Type'], 'application/json');
    const { session, key, timestamp = '', nonce_str = '', signature: signed } = parts(sent);
    assert.deepEqual([session, key, timestamp], ['session-1', 'session', String(clock.nowMs / 1000)]);
    const request = { method: 'POST', target: consume, body: sent.data };
    assert.equal(
      signed,
      signature('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', request, timestamp, nonce_str),
    );
    assert.deepEqual(kept(), []);
  });

  test('is signed for the path that the page calls, where the server stands behind one', async () => {
    wx.answer('/onetap/phone/consume', phone);
    await new Client({ server: 'https://your.server/onetap/', events: false }).phoneNumber(issued);
    const sent = wx.sentTo('/onetap/phone/consume')[0] as Sent;
    const { timestamp = '', nonce_str = '', signature: signed } = parts(sent);
    const request = { method: 'POST', target: '/onetap/phone/consume', body: sent.data };
    assert.equal(
      signed,
      signature('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', request, timestamp, nonce_str),
    );
  });

  test('is on the phone before it is sent, and until the answer', async () => {
    const answer = wx.answerLater(consume);
    const fate = fateOf(quiet().phoneNumber(issued));
    assert.deepEqual(kept(), [code]);
    await settled();
    assert.deepEqual(kept(), [code]);
    await answer(phone);
    assert.ok(fate.number);
    assert.deepEqual(kept(), []);
  });

  test('that the callback brings twice is presented once', async () => {
    wx.answer(consume, phone);
    const client = quiet();
    const [first, second] = await Promise.all([client.phoneNumber(issued), client.phoneNumber(issued)]);
    assert.equal(first, second);
    assert.deepEqual(codesSent(), [code]);
  });

  test('survives the network: the same code again and again, more slowly, until it is too old', async () => {
    wx.answer(consume, lost);
    const waits: Waiting[] = [];
    const fate = fateOf(quiet().phoneNumber(issued, {}, { onWait: (waiting) => waits.push(waiting) }));
    await clock.advance(16_000);
    assert.equal(codesSent().length, 6);
    assert.deepEqual(new Set(codesSent()), new Set([code]));
    assert.deepEqual(
      waits.map(({ inMs }) => inMs),
      [500, 1000, 2000, 4000, 8000, 15000],
    );
    assert.equal(waits[0]?.because.code, 'NETWORK_LOST');
    assert.deepEqual(kept(), [code]);
    await clock.advance(codeLifeMs);
    assert.equal(fate.refused?.outcome, 'refused');
    assert.equal(fate.refused?.problem.code, 'NETWORK_LOST');
    assert.deepEqual(kept(), []);
    const all = codesSent().length;
    await clock.advance(codeLifeMs);
    assert.equal(codesSent().length, all);
  });

  test('whose reply was lost gets the stored answer', async () => {
    const replayed = { ...phone, headers: { 'IDEMPOTENT-REPLAYED': 'true' } };
    wx.answer(consume, lost, replayed);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(500);
    assert.equal(fate.number?.replayed, true);
  });

  test('waits as long as the server says, and then really comes again', async () => {
    wx.answer(consume, problem('WECHAT_UNAVAILABLE', 503, 'same_code', {}, { 'retry-after': '38' }), phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(37_999);
    wx.connect();
    await settled();
    assert.equal(codesSent().length, 1);
    await clock.advance(1);
    assert.equal(codesSent().length, 2);
    assert.ok(fate.number);
  });

  test('that the server wants only after its life is given up at once, with its sentence', async () => {
    const busy = problem(
      'SERVICE_MISCONFIGURED',
      503,
      'later',
      { requestId: '01J' },
      { 'Retry-After': '301' },
    );
    wx.answer(consume, busy);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    assert.equal(fate.refused?.problem.code, 'SERVICE_MISCONFIGURED');
    assert.equal(fate.refused?.problem.detail, 'sentence of SERVICE_MISCONFIGURED');
    assert.equal(fate.refused?.problem.requestId, '01J');
  });

  test('that is refused for good is not sent again', async () => {
    wx.answer(consume, problem('CODE_INVALID', 422, 'new_code', { charged: 'unknown', reason: 'expired' }));
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(codeLifeMs);
    assert.equal(codesSent().length, 1);
    assert.equal(fate.refused?.problem.reason, 'expired');
    assert.equal(fate.refused?.problem.charged, 'unknown');
    assert.deepEqual(kept(), []);
  });

  test('is asked for at once when the network is back', async () => {
    wx.answer(consume, lost, lost, lost, lost, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(3500);
    assert.equal(codesSent().length, 4);
    wx.connect();
    await settled();
    assert.ok(fate.number);
  });

  test('is not sent from the background, and at once when the app is back', async () => {
    wx.answer(consume, 'request:fail interrupted', phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    wx.hide();
    await clock.advance(minute);
    assert.equal(codesSent().length, 1);
    assert.deepEqual(kept(), [code]);
    wx.show();
    await settled();
    assert.equal(codesSent().length, 2);
    assert.ok(fate.number);
  });

  test('that outlived itself in the background is sent once more: the server may have the answer', async () => {
    wx.answer(consume, lost);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    wx.hide();
    await clock.advance(codeLifeMs + 1);
    wx.show();
    await clock.advance(minute);
    assert.equal(codesSent().length, 2);
    const { code: name, charged } = fate.refused?.problem ?? {};
    assert.deepEqual([name, charged], ['CODE_TOO_OLD', 'unknown']);
  });

  test('is sent for the last time shortly before its end', async () => {
    const tappedAtMs = clock.nowMs;
    wx.answer(consume, () => (clock.nowMs - tappedAtMs < 297_000 ? lost : phone));
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(codeLifeMs);
    assert.ok(fate.number);
  });

  test('that is woken shortly before its end is sent for the last time all the same', async () => {
    const tappedAtMs = clock.nowMs;
    wx.answer(consume, () => (clock.nowMs - tappedAtMs < 297_000 ? lost : phone));
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(290_000);
    wx.connect();
    await clock.advance(10_000);
    assert.ok(fate.number);
  });

  test('waits no longer for a gateway than for anybody', async () => {
    wx.answer(consume, { status: 503, body: '<html>', headers: { 'Retry-After': '3600' } }, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(500);
    assert.ok(fate.number);
  });

  test('is not lost where the server has not had the whole of it', async () => {
    wx.answer(consume, problem('REQUEST_TIMEOUT', 408, 'never'), phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(500);
    assert.ok(fate.number);
  });

  test('is sent on when the clock is set back meanwhile, and for five minutes all the same', async () => {
    wx.answer(consume, lost);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    clock.setBack(60 * minute);
    await clock.advance(minute);
    assert.ok(codesSent().length > 5);
    await clock.advance(codeLifeMs);
    assert.ok(fate.refused);
  });

  test('is sent once more when the clock is set forward meanwhile, and signed anew', async () => {
    const skewed = problem('TIMESTAMP_SKEWED', 401, 'same_code', { serverTime: clock.nowMs / 1000 });
    wx.answer(consume, lost, skewed, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    clock.nowMs += 60 * minute;
    await clock.advance(minute);
    assert.ok(fate.number);
  });

  test('is not sent from the background when the login ends there', async () => {
    const login = wx.answerLater('/session');
    wx.answer(consume, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    wx.hide();
    await login({
      status: 200,
      body: { session: 's', signingKey: toBase64(new Uint8Array(32)), expiresIn: 7200 },
    });
    assert.equal(codesSent().length, 0);
    wx.show();
    await settled();
    assert.ok(fate.number);
  });

  test('is presented whatever the page does with what it hears', async () => {
    const said = mock.method(console, 'error', () => {});
    wx.answer(consume, lost, phone);
    const onWait = () => {
      throw new Error('of the page');
    };
    const fate = fateOf(quiet().phoneNumber(issued, {}, { onWait }));
    await clock.advance(500);
    assert.ok(fate.number);
    assert.equal(said.mock.callCount(), 1);
    said.mock.restore();
  });

  test('stays on the phone where something else fails', async () => {
    wx.answer(consume, phone);
    const client = quiet();
    await client.quota();
    const request = mock.method(wx, 'request', () => {
      throw new TypeError('of the base library');
    });
    const fate = fateOf(client.phoneNumber(issued));
    await settled();
    request.mock.restore();
    assert.equal(fate.refused?.problem.code, 'NETWORK_LOST');
    assert.deepEqual(kept(), [code]);
    const resumed = fateOf(client.resume());
    await settled();
    assert.ok(resumed.number);
  });

  test('whose page has gone keeps its refusal for the next one', async () => {
    const answer = wx.answerLater(consume);
    const refusal = problem('CODE_INVALID', 422, 'new_code');
    let isHere = true;
    const client = quiet();
    const first = fateOf(client.phoneNumber(issued, {}, { isHere: () => isHere }));
    await settled();
    isHere = false;
    await answer(refusal);
    assert.ok(first.refused);
    wx.answer(consume, refusal);
    const next = fateOf(client.resume());
    await settled();
    assert.equal(next.refused?.problem.code, 'CODE_INVALID');
    assert.deepEqual(kept(), []);
  });

  test('is found by the next launch, and asked for by the same user', async () => {
    wx.answer(consume, lost);
    void quiet()
      .phoneNumber(issued, { scene: 'checkout' })
      .catch(() => {});
    await settled();
    clock.forgetTimers(); // the app is closed
    await clock.advance(2 * minute);

    wx.answer(consume, phone);
    const relaunched = quiet();
    assert.equal(relaunched.resume({ scene: 'login' }), undefined);
    assert.equal(relaunched.resume({ scene: 'checkout', kind: 'realtime' }), undefined);
    const fate = fateOf(relaunched.resume({ scene: 'checkout' }));
    await settled();
    assert.equal(fate.number?.resumed, true);
    assert.deepEqual(codesSent(), [code, code]);
    assert.equal(relaunched.resume({ scene: 'checkout' }), undefined);
  });

  test('is forgotten by a launch after its five minutes', async () => {
    wx.answer(consume, lost);
    void quiet()
      .phoneNumber(issued)
      .catch(() => {});
    await settled();
    clock.forgetTimers();
    await clock.advance(codeLifeMs);
    assert.equal(quiet().resume(), undefined);
    assert.deepEqual(kept(), []);
  });

  test('whose page has gone waits for the next one, which gets the stored answer', async () => {
    const answer = wx.answerLater(consume);
    let isHere = true;
    const client = quiet();
    void client.phoneNumber(issued, {}, { isHere: () => isHere });
    await settled();
    isHere = false;
    await answer(phone);
    assert.deepEqual(kept(), [code]);
    wx.answer(consume, { ...phone, headers: { 'Idempotent-Replayed': 'true' } });
    const fate = fateOf(client.resume());
    await settled();
    assert.deepEqual([fate.number?.resumed, fate.number?.replayed], [true, true]);
    assert.deepEqual(kept(), []);
  });

  test('under way is handed to the next page only when its own has gone', async () => {
    const answer = wx.answerLater(consume);
    let isHere = true;
    const client = quiet();
    void client.phoneNumber(issued, {}, { isHere: () => isHere });
    await settled();
    assert.equal(client.resume(), undefined);
    isHere = false;
    const fate = fateOf(client.resume());
    await answer(phone);
    assert.equal(fate.number?.resumed, true);
    assert.deepEqual(codesSent(), [code]);
    assert.deepEqual(kept(), []);
  });

  test("lives from the tap, not from the callback: WeChat's clock began there", async () => {
    wx.answer(consume, lost);
    const fate = fateOf(quiet().phoneNumber(issued, {}, { tappedAtMs: clock.nowMs - 4 * minute }));
    await clock.advance(minute);
    assert.ok(fate.refused);
  });

  test('is not refused for a scene or an id that the server could not take: they are left out', async () => {
    const said = mock.method(console, 'error', () => {});
    wx.answer(consume, lost, phone);
    const client = quiet();
    const use = { scene: '登录', outId: 'order 1' };
    let isHere = true;
    void client.phoneNumber(issued, use, { isHere: () => isHere }).catch(() => {});
    await settled();
    isHere = false;
    const fate = fateOf(client.resume(use));
    await clock.advance(500);
    assert.ok(fate.number);
    assert.deepEqual(wx.sentTo(consume)[0]?.body, { code, kind: 'quick' });
    assert.match(String(said.mock.calls[0]?.arguments[0]), /scene "登录" is left out/);
    said.mock.restore();
  });

  test('stands beside whatever else is found in the storage', async () => {
    wx.storage.set(`onetap:codes:${server}`, '[null, 7, {"id": "x"}]');
    wx.answer(consume, phone);
    assert.ok(await quiet().phoneNumber(issued));
  });

  test('stands beside the others when the storage cannot be read once', async () => {
    wx.answer(consume, lost);
    const client = quiet();
    void client.phoneNumber({ code: 'a1' }).catch(() => {});
    await settled();
    wx.storageWorks = false;
    client.resume();
    void client.phoneNumber({ code: 'b2' }).catch(() => {});
    wx.storageWorks = true;
    void client.phoneNumber({ code: 'c3' }).catch(() => {});
    assert.deepEqual(kept(), ['a1', 'b2', 'c3']);
  });

  test('is kept in memory where the phone stores nothing', async () => {
    wx.storageWorks = false;
    wx.answer(consume, lost, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(500);
    assert.ok(fate.number);
    wx.storageWorks = true;
    assert.equal(quiet().resume(), undefined);
  });

  test('is presented beside another one, each once', async () => {
    wx.answer(consume, phone);
    const client = quiet();
    await Promise.all([client.phoneNumber({ code: 'a1' }), client.phoneNumber({ code: 'b2' })]);
    assert.deepEqual(codesSent(), ['a1', 'b2']);
    assert.equal(wx.logins, 1);
  });
});

describe('encryptedData', () => {
  test('is not sent while WeChat answers, and is where its answer was lost', async () => {
    wx.answer(consume, problem('OUTCOME_UNKNOWN', 502, 'new_code', { charged: 'unknown' }), phone);
    const number = await quiet().phoneNumber({ ...issued, ...encrypted });
    assert.equal(number.phoneNumber, '13800138000');
    const [first, second] = wx.sentTo(consume) as [Sent, Sent];
    assert.deepEqual(first.body, { code, kind: 'quick' });
    assert.deepEqual(second.body, { code, kind: 'quick', ...encrypted });
  });

  test('that does not help either ends in the server’s sentence', async () => {
    wx.answer(consume, problem('OUTCOME_UNKNOWN', 502, 'new_code'));
    const fate = fateOf(quiet().phoneNumber({ ...issued, ...encrypted }));
    await clock.advance(codeLifeMs);
    assert.equal(fate.refused?.problem.code, 'OUTCOME_UNKNOWN');
    assert.equal(codesSent().length, 2);
  });

  test('alone, from an old base library, is decrypted by the server', async () => {
    wx.answer('/phone/decrypt', lost, phone);
    const fate = fateOf(quiet().phoneNumber({ errMsg: 'getPhoneNumber:ok', ...encrypted }));
    await settled();
    assert.deepEqual(kept(), [encrypted.encryptedData]);
    await clock.advance(500);
    assert.ok(fate.number);
    const bodies = wx.sentTo('/phone/decrypt').map(({ body }) => body);
    assert.deepEqual(bodies, [
      { ...encrypted, kind: 'quick' },
      { ...encrypted, kind: 'quick' },
    ]);
    assert.deepEqual(kept(), []);
  });

  test('that the server cannot read is tried once more with a new login', async () => {
    wx.answer('/phone/decrypt', problem('DECRYPT_FAILED', 422, 'login'));
    const fate = fateOf(quiet().phoneNumber({ errMsg: 'getPhoneNumber:ok', ...encrypted }));
    await settled();
    assert.equal(fate.refused?.problem.code, 'DECRYPT_FAILED');
    assert.equal(wx.logins, 2);
    assert.equal(wx.sentTo('/phone/decrypt').length, 2);
  });
});

describe('the session', () => {
  test('is one for all who ask at the same time', async () => {
    const client = quiet();
    await Promise.all([client.quota(), client.quota('realtime'), client.quota()]);
    assert.equal(wx.logins, 1);
    assert.equal(wx.sentTo('/session').length, 1);
  });

  test('that the server no longer knows is opened anew, once for two codes', async () => {
    const expired = problem('SESSION_EXPIRED', 401, 'login');
    wx.answer(consume, expired, expired, phone);
    const client = quiet();
    const both = await Promise.all([client.phoneNumber({ code: 'a1' }), client.phoneNumber({ code: 'b2' })]);
    assert.equal(both.length, 2);
    assert.equal(wx.logins, 2);
    const [first, second, third, fourth] = wx.sentTo(consume).map((sent) => parts(sent).session);
    assert.equal(first, second);
    assert.equal(third, fourth);
    assert.notEqual(first, third);
  });

  test('that replaced it stays when a late answer complains of the old one', async () => {
    const late = wx.answerLater(consume);
    const client = quiet();
    const slow = fateOf(client.phoneNumber({ code: 'a1' }));
    await settled();
    wx.answer(consume, problem('SESSION_EXPIRED', 401, 'login'), phone);
    await client.phoneNumber({ code: 'b2' });
    assert.equal(wx.logins, 2);
    await late(problem('SESSION_EXPIRED', 401, 'login'));
    assert.ok(slow.number);
    assert.equal(wx.logins, 2);
  });

  test('is opened anew a minute before its end', async () => {
    wx.answer(consume, phone);
    const client = quiet();
    await client.phoneNumber({ code: 'a1' });
    await clock.advance(7200_000 - 2 * minute);
    await client.phoneNumber({ code: 'b2' });
    assert.equal(wx.logins, 1);
    await clock.advance(minute);
    await client.phoneNumber({ code: 'c3' });
    assert.equal(wx.logins, 2);
  });

  test('is never written to the phone', async () => {
    wx.answer(consume, lost);
    void quiet()
      .phoneNumber(issued)
      .catch(() => {});
    await settled();
    for (const stored of wx.storage.values()) assert.doesNotMatch(stored, /session-|AAECAwQF/);
  });

  test('that cannot be had keeps the code waiting', async () => {
    wx.loginWorks = false;
    wx.answer(consume, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(1000);
    assert.deepEqual(kept(), [code]);
    wx.loginWorks = true;
    await clock.advance(minute);
    assert.ok(fate.number);
  });

  test('is given up where wx.login never calls back, and asked for anew', async () => {
    wx.loginHangs = true;
    wx.answer(consume, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(9999);
    assert.equal(wx.logins, 1);
    wx.loginHangs = false;
    await clock.advance(501);
    assert.equal(wx.logins, 2);
    assert.ok(fate.number);
  });

  test('that WeChat cannot open right now keeps the code waiting, too', async () => {
    wx.answer('/session', problem('WECHAT_UNAVAILABLE', 503, 'login', {}, { 'Retry-After': '5' }));
    wx.answer(consume, phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await clock.advance(4999);
    assert.equal(wx.sentTo('/session').length, 1);
    wx.answers.delete('/session');
    await clock.advance(1);
    assert.ok(fate.number);
  });

  test('that is refused for good refuses the code, with the sentence', async () => {
    wx.answer('/session', problem('USER_BLOCKED', 403, 'never'));
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    assert.equal(fate.refused?.problem.code, 'USER_BLOCKED');
  });
});

describe('the clock', () => {
  test("is the server's, learnt with the session", async () => {
    wx.answer(consume, phone);
    wx.answer('/session', {
      status: 200,
      body: {
        session: 's',
        signingKey: toBase64(new Uint8Array(32)),
        expiresIn: 7200,
        serverTime: 1_790_100_000,
      },
    });
    clock.nowMs = 1_790_000_000_000;
    await quiet().phoneNumber(issued);
    assert.equal(parts(wx.sentTo(consume)[0] as Sent).timestamp, '1790100000');
  });

  test('is learnt from TIMESTAMP_SKEWED, and the same code signed anew at once', async () => {
    wx.answer(consume, problem('TIMESTAMP_SKEWED', 401, 'same_code', { serverTime: 1_800_000_000 }), phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    assert.ok(fate.number);
    assert.equal(parts(wx.sentTo(consume)[1] as Sent).timestamp, '1800000000');
    assert.equal(wx.logins, 1);
  });

  test('a nonce that was seen is replaced', async () => {
    wx.answer(consume, problem('NONCE_REPLAYED', 401, 'same_code'), phone);
    const fate = fateOf(quiet().phoneNumber(issued));
    await settled();
    assert.ok(fate.number);
    const [first, second] = wx.sentTo(consume).map((sent) => parts(sent).nonce_str);
    assert.notEqual(first, second);
  });
});

describe("the user's own key", () => {
  const userKey = {
    encryptKey: 'VI6BpyrK9XH4i4AIGe86tg==',
    iv: '6003f73ec441c386',
    version: 10,
    expireTime: 0,
  };
  const withUserKey = () => new Client({ server, events: false, userKey: true });

  test('signs where it is asked for', async () => {
    wx.userKey = { ...userKey, expireTime: clock.nowMs / 1000 + 3600 };
    wx.answer(consume, phone);
    await withUserKey().phoneNumber(issued);
    const sent = wx.sentTo(consume)[0] as Sent;
    const { key, timestamp = '', nonce_str = '', signature: signed } = parts(sent);
    assert.equal(key, 'wechat:10');
    assert.equal(fromBase64(userKey.encryptKey).length, 16);
    const request = { method: 'POST', target: consume, body: sent.data };
    assert.equal(signed, signature(userKey.encryptKey, request, timestamp, nonce_str));
  });

  test("gives way to the session's where WeChat has half of one, or says nothing", async () => {
    wx.userKey = { ...userKey, encryptKey: '', expireTime: clock.nowMs / 1000 + 3600 };
    wx.answer(consume, phone);
    await withUserKey().phoneNumber(issued);
    wx.userKeyHangs = true;
    const fate = fateOf(withUserKey().phoneNumber({ code: 'b2' }));
    await clock.advance(1000);
    assert.ok(fate.number);
    assert.deepEqual(
      wx.sentTo(consume).map((sent) => parts(sent).key),
      ['session', 'session'],
    );
  });

  test("gives way to the session's where WeChat has none", async () => {
    wx.answer(consume, phone);
    await withUserKey().phoneNumber(issued);
    assert.equal(parts(wx.sentTo(consume)[0] as Sent).key, 'session');
  });

  test("gives way to the session's where the server does not take it: no code waits for that", async () => {
    wx.userKey = { ...userKey, expireTime: clock.nowMs / 1000 + 3600 };
    wx.answer(consume, problem('SIGNATURE_INVALID', 401, 'login'), phone);
    const fate = fateOf(withUserKey().phoneNumber(issued));
    await settled();
    assert.ok(fate.number);
    assert.deepEqual(
      wx.sentTo(consume).map((sent) => parts(sent).key),
      ['wechat:10', 'session'],
    );
  });
});

describe('the quota', () => {
  test('comes with the session, and is asked for when that is a minute old', async () => {
    const client = quiet();
    assert.equal((await client.quota()).available, true);
    assert.equal(wx.sentTo('/phone/quota').length, 0);
    wx.available.quick = false;
    await clock.advance(minute);
    const later = await client.quota();
    assert.deepEqual([later.available, later.reason], [false, 'exhausted']);
    const asked = wx.sentTo('/phone/quota')[0] as Sent;
    assert.match(asked.url, /\?kind=quick$/);
    assert.ok(parts(asked).signature);
    await client.quota();
    assert.equal(wx.sentTo('/phone/quota').length, 1);
    clock.nowMs -= 60 * minute;
    await client.quota();
    assert.equal(wx.sentTo('/phone/quota').length, 2);
  });

  test('is asked for once by all who ask at the same time', async () => {
    const client = quiet();
    await client.quota();
    await clock.advance(minute);
    await Promise.all([client.quota(), client.quota(), client.quota('realtime')]);
    assert.equal(wx.sentTo('/phone/quota').length, 2);
  });

  test('cannot be had from a server out of reach', async () => {
    wx.answer('/session', lost);
    await assert.rejects(quiet().quota(), ({ problem: { code } }: PhoneError) => code === 'NETWORK_LOST');
    wx.loginWorks = false;
    await assert.rejects(quiet().quota(), ({ problem: { code } }: PhoneError) => code === 'LOGIN_FAILED');
  });

  test('cannot be had behind a gateway that answers for the server', async () => {
    const client = quiet();
    await client.quota();
    await clock.advance(minute);
    wx.answer('/phone/quota', { status: 502, body: '<html>' });
    await assert.rejects(client.quota(), ({ problem: { code } }: PhoneError) => code === 'NETWORK_LOST');
  });

  test('is what it was where the server answers something else', async () => {
    const client = quiet();
    await client.quota();
    await clock.advance(minute);
    wx.answer('/phone/quota', problem('RATE_LIMITED', 429, 'later'));
    assert.equal((await client.quota()).available, true);
    wx.answer('/phone/quota', lost);
    await assert.rejects(client.quota());
  });
});

describe('without a code', () => {
  test('there is no request, and the outcome says why', async () => {
    const client = quiet();
    for (const [detail, outcome] of [
      [{ errMsg: 'getPhoneNumber:fail user deny' }, 'denied'],
      [{ errno: 1400001 }, 'no_quota'],
      [{ errno: 104, errMsg: 'getPhoneNumber:fail privacy permission is not authorized' }, 'privacy'],
      [{ errMsg: 'getPhoneNumber:fail no permission' }, 'permission'],
      [{ errMsg: 'getPhoneNumber:fail' }, 'failed'],
    ] as const) {
      await assert.rejects(client.phoneNumber(detail), (failure: PhoneError) => {
        assert.equal(failure.outcome, outcome);
        assert.ok(failure.problem.detail);
        return failure.problem.charged === 'no';
      });
    }
    assert.equal(wx.sent.length, 0);
  });
});

test('the language goes along with each request', async () => {
  wx.answer(consume, phone);
  await new Client({ server, events: false, lang: 'en' }).phoneNumber(issued);
  wx.language = 'en_GB';
  await quiet().phoneNumber({ code: 'b2' });
  wx.language = 'zh_TW';
  await quiet().phoneNumber({ code: 'c3' });
  await quiet().phoneNumber({ code: 'd4' }, { lang: 'en' });
  const languages = wx.sentTo(consume).map(({ headers }) => headers['Accept-Language']);
  assert.deepEqual(languages, ['en', 'en', 'zh-CN', 'en']);
});
