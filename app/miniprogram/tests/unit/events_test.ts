import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { Client } from '../../src/client';
import { sha256Hex } from '../../src/digest';
import { forgetEntropy, randomId } from '../../src/random';
import { forgetMemory } from '../../src/storage';
import { FakeWx, lost, phone, problem } from '../support/fake_wx';
import { ManualClock, settled } from '../support/manual_clock';

const clock = new ManualClock();
const wx = new FakeWx();
const server = 'https://your.server';
const path = '/phone/events';
const gather = 2000;
const minute = 60_000;

type Told = { [key: string]: unknown };
const batches = () => wx.sentTo(path).map(({ body }) => body.events as Told[]);
const stored = () => JSON.parse(wx.storage.get(`onetap:events:${server}`) ?? '[]') as Told[];

beforeEach(() => {
  forgetMemory();
  wx.reset();
  clock.forgetTimers();
});

describe('events', () => {
  test('gather for two seconds and go together', async () => {
    wx.answer('/phone/consume', phone);
    const client = new Client({ server });
    const atS = clock.nowMs / 1000;
    client.track({ type: 'tap' }, { kind: 'quick', scene: 'checkout' });
    await clock.advance(1000);
    await client.phoneNumber({ code: 'sandbox-ok-42' }, { scene: 'checkout' });
    await clock.advance(gather);
    assert.equal(batches().length, 1);
    const [tap, issued] = batches()[0] as [Told, Told];
    assert.deepEqual(tap, { id: tap.id, type: 'tap', at: atS, kind: 'quick', scene: 'checkout' });
    assert.deepEqual(issued, {
      id: issued.id,
      type: 'issued',
      at: atS + 1,
      kind: 'quick',
      scene: 'checkout',
      codeDigest: sha256Hex('sandbox-ok-42'),
    });
    assert.match(String(tap.id), /^[0-9a-f]{32}$/);
    assert.notEqual(tap.id, issued.id);
    assert.deepEqual(stored(), []);
  });

  test("are told by the server's clock, which comes with the session", async () => {
    const login = wx.answerLater('/session');
    const client = new Client({ server });
    client.track({ type: 'tap' });
    await clock.advance(gather);
    await login({
      status: 200,
      body: { session: 's', signingKey: 'AAAA', expiresIn: 7200, serverTime: 1_700_000_000 },
    });
    const [tap] = batches()[0] as [Told];
    assert.equal(tap.at, 1_700_000_000 - gather / 1000);
  });

  test('tell of a code once, however often its callback is read', async () => {
    wx.answer('/phone/consume', phone);
    const client = new Client({ server });
    await client.phoneNumber({ code: 'sandbox-ok-42' });
    await client.phoneNumber({ code: 'sandbox-ok-42' });
    await clock.advance(gather);
    await client.phoneNumber({ code: 'sandbox-ok-42' });
    await clock.advance(gather);
    const ids = batches().flatMap((batch) => batch.map(({ id }) => id));
    assert.equal(batches()[0]?.length, 1);
    assert.equal(new Set(ids).size, 1);
  });

  test("have their ids where WeChat's generator throws", async () => {
    const random = mock.method(wx, 'getRandomValues', () => {
      throw new Error('of the base library');
    });
    forgetEntropy();
    assert.match(randomId(), /^[0-9a-f]{32}$/);
    assert.equal(random.mock.callCount(), 1);
    random.mock.restore();
  });

  test('never stand before the code', async () => {
    wx.answer('/phone/consume', phone);
    const client = new Client({ server });
    const track = mock.method(client, 'trackCallback', () => {
      throw new Error('no event');
    });
    assert.throws(() => client.phoneNumber({ code: 'sandbox-ok-42' }));
    track.mock.restore();
    assert.match(wx.storage.get(`onetap:codes:${server}`) ?? '', /sandbox-ok-42/);
    await settled();
    assert.equal(wx.sentTo('/phone/consume').length, 1);
  });

  test('never hold the code', async () => {
    wx.answer('/phone/consume', phone);
    wx.answer(path, lost);
    const client = new Client({ server });
    await client.phoneNumber({ code: 'sandbox-ok-42' });
    await clock.advance(gather);
    assert.doesNotMatch(JSON.stringify(wx.sentTo(path)), /sandbox-ok-42/);
    assert.doesNotMatch(wx.storage.get(`onetap:events:${server}`) ?? '', /sandbox-ok-42/);
  });

  test('go out at most fifty at a time', async () => {
    const client = new Client({ server });
    for (let i = 0; i < 120; i += 1) client.track({ type: 'tap' });
    await clock.advance(gather);
    await clock.advance(gather);
    await clock.advance(gather);
    assert.deepEqual(
      batches().map((batch) => batch.length),
      [50, 50, 20],
    );
    assert.equal(new Set(batches().flatMap((batch) => batch.map(({ id }) => id))).size, 120);
  });

  test('wait on the phone for the network, with the same ids and times', async () => {
    wx.answer(path, lost);
    const client = new Client({ server });
    client.track({ type: 'tap' });
    await clock.advance(gather);
    assert.equal(stored().length, 1);
    wx.answers.delete(path);
    await clock.advance(minute);
    assert.equal(batches().length, 2);
    assert.deepEqual(batches()[0], batches()[1]);
    assert.deepEqual(stored(), []);
  });

  test('are told by the next launch', async () => {
    wx.answer(path, lost);
    new Client({ server }).track({ type: 'denied' });
    await settled();
    clock.forgetTimers();
    await clock.advance(minute);
    wx.answers.delete(path);
    new Client({ server });
    await clock.advance(gather);
    assert.equal(batches().at(-1)?.[0]?.type, 'denied');
    assert.deepEqual(stored(), []);
  });

  test('keep to what the server says about its limits', async () => {
    wx.answer(path, problem('RATE_LIMITED', 429, 'later', {}, { 'Retry-After': '30' }), {
      status: 202,
      body: {},
    });
    const client = new Client({ server });
    client.track({ type: 'tap' });
    await clock.advance(gather);
    client.track({ type: 'tap' });
    await clock.advance(29_000);
    assert.equal(batches().length, 1);
    await clock.advance(1000);
    assert.equal(batches()[1]?.length, 2);
  });

  test('lose the one that the server cannot take, and only that', async () => {
    const refusal = problem('INVALID_REQUEST', 400, 'never', { detail: '请求有误：events[1].scene' });
    wx.answer(path, refusal, { status: 202, body: {} });
    const client = new Client({ server });
    client.track({ type: 'tap' });
    client.track({ type: 'tap' }, { scene: 'unknown' });
    client.track({ type: 'denied' });
    await clock.advance(gather);
    await clock.advance(gather);
    assert.deepEqual(
      batches()[1]?.map(({ type }) => type),
      ['tap', 'denied'],
    );
    assert.deepEqual(stored(), []);
  });

  test('too old for the server are dropped', async () => {
    wx.answer(path, lost);
    new Client({ server }).track({ type: 'tap' });
    await settled();
    clock.forgetTimers();
    await clock.advance(7 * 24 * 60 * minute);
    wx.answers.delete(path);
    new Client({ server });
    await clock.advance(gather);
    assert.equal(batches().length, 0);
    assert.deepEqual(stored(), []);
  });

  test('stay where they are when the page opts out; the page itself still hears of them', async () => {
    new Client({ server }).track({ type: 'tap' });
    const client = new Client({ server, events: false });
    assert.deepEqual(stored(), []);
    clock.forgetTimers();
    const told = client.track({ type: 'tap' }, { scene: 'login' });
    assert.deepEqual([told.type, told.scene], ['tap', 'login']);
    await clock.advance(minute);
    assert.equal(batches().length, 0);
  });
});
