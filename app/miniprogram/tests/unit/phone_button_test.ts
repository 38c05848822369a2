import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { FakeWx, lost, phone, problem } from '../support/fake_wx';
import { ManualClock, settled } from '../support/manual_clock';
import { prepare, RenderedButton } from '../support/rendered';

const clock = new ManualClock();
const wx = new FakeWx();
const onetap = prepare(wx);
const consume = '/phone/consume';
const issued = { errMsg: 'getPhoneNumber:ok', code: 'e31968a7f94cc5ee' };
const denied = { errMsg: 'getPhoneNumber:fail user deny' };
const noQuota = { errMsg: 'getPhoneNumber:fail no enough quota', errno: 1400001 };
const minute = 60_000;

// A server of its own for each test, so that no login, quota or code is left over from the one before.
let servers = 0;
let server = '';
let pages: object[] = [];
const render = (attributes: object = {}, slots = '') =>
  RenderedButton.render({ server, ...attributes }, slots);
const codesSent = () => wx.sentTo(consume).map(({ body }) => body.code);

beforeEach(() => {
  wx.reset();
  clock.forgetTimers();
  servers += 1;
  server = `https://server-${servers}`;
  pages = [{ route: 'pages/login' }];
  Object.assign(globalThis, { getCurrentPages: () => pages });
});

afterEach(() => {
  const said = mock.method(console, 'warn', () => {});
  RenderedButton.closeAll();
  said.mock.restore();
});

describe('the button', () => {
  test('is drawn enabled, with a label, and without WeChat’s own no-quota sheet', async () => {
    const button = await render();
    assert.equal(button.attribute('open-type'), 'getPhoneNumber');
    assert.equal(button.attribute('phone-number-no-quota-toast'), false);
    assert.equal(button.attribute('aria-label'), '一键获取手机号');
    assert.match(String(button.attribute('class')), /^button-class /);
    assert.ok(button.isEnabled());
    assert.match(button.words(), /一键获取手机号/);
  });

  test('asks for the kind that the page wants', async () => {
    const button = await render({ kind: 'realtime' });
    assert.equal(button.attribute('open-type'), 'getRealtimePhoneNumber');
    wx.answer(consume, phone);
    await button.tap();
    await button.answer(issued, 'getrealtimephonenumber');
    assert.equal(wx.sentTo(consume)[0]?.body.kind, 'realtime');
    assert.deepEqual(button.names(), ['number']);
  });

  test('is enabled before anybody has answered', async () => {
    const answer = wx.answerLater('/session');
    const button = await render();
    assert.ok(button.isEnabled());
    await answer(lost);
  });

  test('logs in before the tap, never in the callback', async () => {
    wx.answer(consume, phone);
    const button = await render();
    assert.equal(wx.logins, 1);
    await button.tapAndAnswer(issued);
    assert.equal(wx.logins, 1);
  });

  test('renews at the tap a session that has ended meanwhile', async () => {
    wx.answer(consume, phone);
    const button = await render();
    await clock.advance(7200_000);
    await button.tap();
    assert.equal(wx.logins, 2);
    await button.answer(issued);
    assert.equal(wx.logins, 2);
    assert.deepEqual(button.names(), ['number']);
  });

  test('goes to another server when the page says so', async () => {
    const button = await render();
    wx.answer(consume, lost);
    await button.tapAndAnswer(issued);
    wx.sent.length = 0;
    wx.answer(consume, phone);
    await button.set({ server: `${server}-other` });
    assert.ok(button.isEnabled());
    await button.tapAndAnswer(issued);
    assert.equal(wx.sentTo(consume)[0]?.url, `${server}-other${consume}`);
  });

  test('is quick where no kind is given', async () => {
    const button = await render({ kind: '' });
    assert.ok(button.isEnabled());
    await clock.advance(minute);
    await button.pageLifetime('show');
    assert.match(String(wx.sentTo('/phone/quota')[0]?.url), /kind=quick$/);
  });

  test('agrees to the privacy guide with the same tap, where the base library can', async () => {
    const button = await render({ agreePrivacy: true });
    assert.equal(button.attribute('open-type'), 'getPhoneNumber|agreePrivacyAuthorization');
    await button.answer({ errMsg: 'agreePrivacyAuthorization:ok' }, 'agreeprivacyauthorization');
    assert.deepEqual(button.names(), ['agreeprivacy']);
    wx.sdkVersion = '2.32.3';
    assert.equal((await render({ agreePrivacy: true })).attribute('open-type'), 'getPhoneNumber');
  });

  test('without agreement fires needagree: no dialog, no charge, no event', async () => {
    const button = await render({ agreed: false });
    assert.equal(button.attribute('open-type'), '');
    await button.tap();
    assert.deepEqual(button.names(), ['needagree']);
    assert.deepEqual(button.tracked(), []);
    assert.ok(!button.isLocked());
    await button.set({ agreed: true });
    assert.equal(button.attribute('open-type'), 'getPhoneNumber');
  });

  test('speaks English where the phone, or the page, does', async () => {
    assert.equal((await render({ lang: 'en' })).attribute('aria-label'), 'Get my phone number');
    wx.language = 'en_US';
    server += '/en';
    assert.equal((await render()).attribute('aria-label'), 'Get my phone number');
  });
});

describe('a tap', () => {
  test('becomes a number; the button stays disabled until the page resets it', async () => {
    wx.answer(consume, phone);
    const button = await render({ scene: 'checkout', outId: 'order-1' });
    await button.tapAndAnswer(issued);
    assert.deepEqual(button.names(), ['number']);
    const number = button.last('number');
    assert.deepEqual([number.phoneNumber, number.scene], ['13800138000', 'checkout']);
    const { code, scene, outId } = wx.sentTo(consume)[0]?.body ?? {};
    assert.deepEqual([code, scene, outId], [issued.code, 'checkout', 'order-1']);
    assert.ok(!button.isEnabled());
    button.call('reset');
    await settled();
    assert.ok(button.isEnabled());
  });

  test('locks the button until its callback', async () => {
    const button = await render();
    await button.tap();
    assert.ok(button.isLocked());
    await button.tap();
    assert.deepEqual(button.tracked(), ['tap']);
    await button.answer(denied);
    assert.ok(!button.isLocked());
    await button.tap();
    assert.deepEqual(button.tracked(), ['tap', 'denied', 'tap']);
  });

  test('that comes twice before the lock is drawn counts once', async () => {
    const button = await render();
    await button.tapTwiceAtOnce();
    assert.deepEqual(button.tracked(), ['tap']);
  });

  test('whose callback never comes locks for a quarter of a minute', async () => {
    const button = await render();
    await button.tap();
    await clock.advance(14_999);
    assert.ok(button.isLocked());
    await clock.advance(1);
    assert.ok(!button.isLocked());
  });

  test('disables the button in the callback, before anything is asked', async () => {
    const answer = wx.answerLater(consume);
    const button = await render();
    await button.tapAndAnswer(issued);
    assert.ok(!button.isEnabled());
    assert.equal(button.attribute('loading'), true);
    assert.equal(button.attribute('aria-busy'), true);
    await answer(phone);
    assert.equal(button.attribute('loading'), false);
  });

  test('whose callback comes twice is presented, told and delivered once', async () => {
    wx.answer(consume, phone);
    const button = await render();
    await button.tap();
    await button.answer(issued);
    await button.answer(issued);
    assert.deepEqual(codesSent(), [issued.code]);
    assert.deepEqual(button.names(), ['number']);
    assert.deepEqual(button.tracked(), ['tap', 'issued']);
  });

  test('with two callbacks of different codes presents both: both are paid for', async () => {
    wx.answer(consume, phone);
    const button = await render();
    await button.tap();
    await button.answer({ code: 'a1' });
    await button.answer({ code: 'b2' });
    assert.deepEqual(codesSent(), ['a1', 'b2']);
  });

  test('keeps the button disabled while its code waits, whatever comes beside', async () => {
    const answer = wx.answerLater(consume);
    const button = await render();
    await button.tap();
    await button.answer(issued);
    await button.answer(denied);
    assert.ok(!button.isEnabled());
    button.call('reset');
    await settled();
    assert.ok(!button.isEnabled());
    await answer(phone);
    assert.deepEqual(button.names(), ['denied', 'number']);
  });

  test('that became a number leaves the button where it is, whatever the quota', async () => {
    wx.answer(consume, phone);
    const button = await render();
    await button.tapAndAnswer(issued);
    wx.available.quick = false;
    await clock.advance(minute);
    await button.pageLifetime('show');
    assert.ok(button.hasButton());
    assert.ok(!button.isEnabled());
    button.call('reset');
    await settled();
    assert.ok(!button.hasButton());
  });

  test('of an old base library is decrypted', async () => {
    wx.sdkVersion = '2.20.0';
    wx.answer('/phone/decrypt', phone);
    const button = await render();
    await button.tapAndAnswer({ errMsg: 'getPhoneNumber:ok', encryptedData: 'ZQ==', iv: 'aXY=' });
    assert.deepEqual(wx.sentTo('/phone/decrypt')[0]?.body, {
      encryptedData: 'ZQ==',
      iv: 'aXY=',
      kind: 'quick',
    });
    assert.deepEqual(button.names(), ['number']);
  });
});

describe('a callback without a code', () => {
  test('of who declines: the event, and the button again', async () => {
    const button = await render();
    for (const errMsg of [
      'getPhoneNumber:fail user deny',
      'getPhoneNumber:fail:user deny',
      'getPhoneNumber:user deny',
    ]) {
      await button.tapAndAnswer({ errMsg });
      assert.equal(button.last('denied').errMsg, errMsg);
      assert.ok(button.isEnabled());
    }
    assert.deepEqual(button.names(), ['denied', 'denied', 'denied']);
    assert.equal(wx.sentTo(consume).length, 0);
  });

  test('for want of quota: a toast, the event, and a notice in place of the button', async () => {
    const button = await render();
    await button.tapAndAnswer(noQuota);
    assert.deepEqual(wx.toasts, ['当前额度不足']);
    assert.equal(button.last('noquota').errno, 1400001);
    assert.ok(!button.hasButton());
    assert.match(button.words(), /当前额度不足/);
    assert.match(button.words(), /使用短信验证码/);
    assert.deepEqual(button.tracked(), ['tap', 'no_quota']);
  });

  test('for want of quota, where the page has a slot: no toast, the slot', async () => {
    const slot = '<view slot="no-quota">请联系客服充值</view>';
    const button = await render({ useNoQuotaSlot: true }, slot);
    assert.doesNotMatch(button.words(), /客服/);
    await button.tapAndAnswer(noQuota);
    assert.deepEqual(wx.toasts, []);
    assert.match(button.words(), /请联系客服充值/);
    assert.doesNotMatch(button.words(), /当前额度不足/);
  });

  for (const [errno, reason] of [
    [103, 'denied'],
    [104, 'unauthorized'],
    [112, 'undeclared'],
  ] as const) {
    test(`for privacy, errno ${errno}`, async () => {
      const button = await render();
      await button.tapAndAnswer({ errno, errMsg: 'getPhoneNumber:fail privacy permission' });
      assert.deepEqual(button.names(), ['privacy']);
      const detail = button.last('privacy');
      assert.deepEqual([detail.errno, detail.reason], [errno, reason]);
      assert.deepEqual(button.tracked(), ['tap', 'privacy_denied']);
      assert.ok(button.isEnabled());
    });
  }

  test('for want of permission', async () => {
    const button = await render();
    await button.tapAndAnswer({ errMsg: 'getPhoneNumber:fail operateWXData:fail jsapi has no permission' });
    assert.deepEqual(button.names(), ['permission']);
    assert.ok(button.isEnabled());
  });

  test('for a reason that nobody lists', async () => {
    const button = await render({ scene: 'login' });
    await button.tapAndAnswer({ errMsg: 'getPhoneNumber:fail time out' });
    const { code, charged, scene } = button.last('fail');
    assert.deepEqual([code, charged, scene], ['DIALOG_FAILED', 'no', 'login']);
    assert.ok(button.isEnabled());
  });
});

describe('a refusal of the server', () => {
  test('is told in its words, with the id that support asks for, and the button is back', async () => {
    wx.answer(consume, problem('CODE_INVALID', 422, 'new_code', { charged: 'unknown', requestId: '01J7' }));
    const button = await render();
    await button.tapAndAnswer(issued);
    const { code, detail, requestId, charged, retry, kind } = button.last('fail');
    assert.deepEqual(
      [code, detail, requestId, charged, retry, kind],
      ['CODE_INVALID', 'sentence of CODE_INVALID', '01J7', 'unknown', 'new_code', 'quick'],
    );
    assert.ok(button.isEnabled());
    assert.equal(button.attribute('loading'), false);
  });

  test("is told in the page's words, where it has some", async () => {
    wx.answer(consume, problem('CODE_INVALID', 422, 'new_code'));
    const button = await render({ messages: { CODE_INVALID: '再点一次吧', QUOTA_EXHAUSTED: '今天没有了' } });
    await button.tapAndAnswer(issued);
    assert.equal(button.last('fail').detail, '再点一次吧');
    await button.tapAndAnswer(noQuota);
    assert.deepEqual(wx.toasts, ['今天没有了']);
  });

  test('for want of quota puts the notice in place of the button', async () => {
    wx.answer(consume, problem('QUOTA_EXHAUSTED', 402, 'later', { charged: 'no' }, { 'Retry-After': '60' }));
    const button = await render();
    await button.tapAndAnswer(issued);
    assert.equal(button.last('fail').code, 'QUOTA_EXHAUSTED');
    assert.ok(!button.hasButton());
  });
});

describe('a paid code', () => {
  test('is asked for again while the network is bad; the page hears of it, and offers another way in time', async () => {
    wx.answer(consume, lost, lost, lost, lost, lost, phone);
    const button = await render();
    await button.tapAndAnswer(issued);
    await clock.advance(7999);
    assert.doesNotMatch(button.words(), /使用短信验证码/);
    await clock.advance(1);
    assert.match(button.words(), /使用短信验证码/);
    assert.ok(!button.isEnabled());
    await clock.advance(8000);
    assert.deepEqual(button.names(), ['wait', 'wait', 'wait', 'wait', 'wait', 'number']);
    assert.equal(new Set(codesSent()).size, 1);
    assert.doesNotMatch(button.words(), /使用短信验证码/);
  });

  test('survives the background in the middle', async () => {
    wx.answer(consume, 'request:fail interrupted', phone);
    const button = await render();
    await button.tapAndAnswer(issued);
    wx.hide();
    await button.pageLifetime('hide');
    await clock.advance(minute);
    assert.deepEqual(button.names(), ['wait']);
    wx.show();
    await button.pageLifetime('show');
    await settled();
    assert.deepEqual(button.names(), ['wait', 'number']);
    assert.deepEqual(codesSent(), [issued.code, issued.code]);
  });

  test('survives its page: the next button of its scene gets the number', async () => {
    const answer = wx.answerLater(consume);
    const first = await render({ scene: 'login' });
    await first.tapAndAnswer(issued);
    await first.close();
    await answer(phone);
    assert.deepEqual(first.names(), []);

    wx.answer(consume, { ...phone, headers: { 'Idempotent-Replayed': 'true' } });
    const other = await render({ scene: 'checkout' });
    assert.deepEqual(other.names(), []);
    const next = await render({ scene: 'login' });
    assert.deepEqual(next.names(), ['number']);
    const { resumed, replayed } = next.last('number');
    assert.deepEqual([resumed, replayed], [true, true]);
    assert.equal(new Set(codesSent()).size, 1);
  });

  test('under way when its page closes is taken over by the next one', async () => {
    wx.answer(consume, lost, lost, phone);
    const first = await render();
    await first.tapAndAnswer(issued);
    await first.close();
    const next = await render();
    assert.ok(!next.isEnabled());
    await clock.advance(minute);
    assert.deepEqual(first.names(), ['wait']);
    assert.deepEqual(next.names(), ['wait', 'number']);
  });

  test('is not taken from the button that waits for it', async () => {
    const answer = wx.answerLater(consume);
    const first = await render();
    await first.tapAndAnswer(issued);
    const second = await render();
    await second.pageLifetime('show');
    await answer(phone);
    assert.deepEqual(first.names(), ['number']);
    assert.deepEqual(second.names(), []);
    assert.deepEqual(codesSent(), [issued.code]);
  });
});

describe('after a code that nobody answered', () => {
  test('the button does not come back before the server does', async () => {
    wx.answer(consume, lost);
    const button = await render();
    await button.tapAndAnswer(issued);
    wx.answer('/phone/quota', lost);
    await clock.advance(5 * minute);
    assert.equal(button.last('fail').code, 'NETWORK_LOST');
    assert.ok(!button.hasButton());
    wx.answers.delete('/phone/quota');
    await clock.advance(15_000);
    assert.ok(button.isEnabled());
  });

  test('the page hears of it in its own words meanwhile', async () => {
    wx.answer(consume, lost, phone);
    const button = await render({ messages: { NETWORK_LOST: '稍等' } });
    await button.tapAndAnswer(issued);
    assert.equal(button.last('wait').because.detail, '稍等');
  });
});

describe('two buttons on a page', () => {
  test('share one login', async () => {
    await Promise.all([render({ scene: 'top' }), render({ scene: 'bottom' })]);
    assert.equal(wx.logins, 1);
    assert.equal(wx.sentTo('/session').length, 1);
  });

  test('each get the number of their own tap', async () => {
    wx.answer(consume, phone);
    const [top, bottom] = [await render({ scene: 'top' }), await render({ scene: 'bottom' })];
    await top.tapAndAnswer({ code: 'a1' });
    await bottom.tapAndAnswer({ code: 'b2' });
    assert.deepEqual([top.last('number').scene, bottom.last('number').scene], ['top', 'bottom']);
    assert.deepEqual(codesSent(), ['a1', 'b2']);
  });
});

describe('the quota', () => {
  test('that is used up shows in place of a button that would fail', async () => {
    wx.available.quick = false;
    const button = await render();
    assert.ok(!button.hasButton());
    assert.match(button.words(), /当前额度不足/);
    assert.equal(button.last('quota').reason, 'exhausted');
    const realtime = await render({ kind: 'realtime' });
    assert.ok(realtime.hasButton());
  });

  test('that is not to be had right now is told apart', async () => {
    wx.available.quick = false;
    wx.reason = 'service';
    const button = await render();
    assert.match(button.words(), /服务繁忙/);
    wx.available.quick = true;
    await clock.advance(minute);
    assert.ok(button.isEnabled());
  });

  test('that is back brings the button back when the page is shown', async () => {
    wx.available.quick = false;
    const button = await render();
    wx.available.quick = true;
    await clock.advance(minute);
    await button.pageLifetime('show');
    assert.ok(button.isEnabled());
    assert.doesNotMatch(button.words(), /当前额度不足/);
  });

  test('never takes the button away from under an open dialog', async () => {
    wx.answer(consume, phone);
    const button = await render();
    await button.tap();
    wx.available.quick = false;
    await clock.advance(minute);
    await button.pageLifetime('show');
    assert.ok(button.hasButton());
    await button.answer(issued);
    assert.deepEqual(button.names(), ['number']);
  });
});

describe('what was learnt under an open dialog', () => {
  test('is drawn when the person declines', async () => {
    const button = await render();
    await button.tap();
    wx.available.quick = false;
    await clock.advance(minute);
    await button.pageLifetime('show');
    await button.answer(denied);
    assert.ok(!button.hasButton());
  });
});

describe('without the server', () => {
  test('the fallback is offered, and no tap that would burn a unit', async () => {
    wx.answer('/session', lost);
    const button = await render();
    assert.ok(!button.hasButton());
    assert.equal(button.last('offline').code, 'NETWORK_LOST');
    assert.match(button.words(), /网络异常，点击重试/);
    await button.tap('.onetap-fallback');
    await button.tap('.onetap-fallback');
    assert.deepEqual(button.names(), ['offline', 'fallback', 'fallback']);
    assert.deepEqual(button.tracked(), ['fallback']);
  });

  test('that lets nobody log in, its sentence is shown', async () => {
    wx.answer('/session', problem('SERVICE_MISCONFIGURED', 503, 'later', { requestId: '01J7' }));
    const button = await render();
    assert.match(button.words(), /sentence of SERVICE_MISCONFIGURED/);
    assert.equal(button.last('offline').requestId, '01J7');
    await button.set({ messages: {} });
    assert.match(button.words(), /sentence of SERVICE_MISCONFIGURED/);
  });

  test('it is not looked for before it wants to be', async () => {
    const headers = { 'Retry-After': '60' };
    wx.answer('/session', problem('SERVICE_MISCONFIGURED', 503, 'later', {}, headers));
    await render();
    await clock.advance(59_999);
    assert.equal(wx.sentTo('/session').length, 1);
    await clock.advance(1);
    assert.equal(wx.sentTo('/session').length, 2);
  });

  test('that refuses for good is not asked again and again', async () => {
    wx.answer('/session', problem('USER_BLOCKED', 403, 'never'));
    await render();
    await clock.advance(minute);
    assert.equal(wx.sentTo('/session').length, 1);
  });

  test('it is looked for again, and the button comes back', async () => {
    wx.answer('/session', lost);
    const button = await render();
    wx.answers.delete('/session');
    await clock.advance(15_000);
    assert.ok(button.isEnabled());
  });

  test('it is looked for at once when the network is back', async () => {
    wx.answer('/session', lost);
    const button = await render();
    wx.answers.delete('/session');
    wx.connect();
    await settled();
    assert.ok(button.isEnabled());
  });

  test('the page may have a fallback of its own, or none', async () => {
    wx.answer('/session', lost);
    const own = await render({ useFallbackSlot: true }, '<view slot="fallback">输入手机号</view>');
    assert.match(own.words(), /输入手机号/);
    assert.doesNotMatch(own.words(), /使用短信验证码/);
    assert.doesNotMatch((await render({ fallback: false })).words(), /使用短信验证码/);
  });

  test('a base library that has no realtime button is offered the fallback', async () => {
    wx.sdkVersion = '2.24.3';
    const realtime = await render({ kind: 'realtime' });
    assert.ok(!realtime.hasButton());
    assert.match(realtime.words(), /微信版本过低.*使用短信验证码/s);
    assert.ok((await render()).hasButton());
    wx.sdkVersion = '2.24.4';
    assert.ok((await render({ kind: 'realtime' })).hasButton());
  });
});

describe('configure', () => {
  test('gives all buttons their server; one that has none says so', async () => {
    const said = mock.method(console, 'error', () => {});
    const lone = await render({ server: '' });
    assert.equal(lone.last('offline').code, 'NO_SERVER');
    assert.equal(said.mock.callCount(), 1);
    said.mock.restore();

    onetap.configure({ server, lang: 'en' });
    wx.answer(consume, phone);
    const button = await render({ server: '' });
    await button.tapAndAnswer(issued);
    assert.deepEqual(button.names(), ['number']);
    assert.equal(wx.sentTo(consume)[0]?.url, `${server}${consume}`);
    assert.equal(wx.sentTo(consume)[0]?.headers['Accept-Language'], 'en');
  });

  test('is one client for a server, however it is written and however often', async () => {
    const client = onetap.configure({ server });
    assert.equal(onetap.configure({ server }), client);
    assert.equal(onetap.clientFor(`${server}/`), client);
    assert.notEqual(onetap.configure({ server, lang: 'en' }), client);
  });

  test('without events stops those of the buttons that are drawn, too', async () => {
    onetap.configure({ server });
    const button = await render();
    onetap.configure({ server, events: false });
    await button.tap();
    await clock.advance(minute);
    assert.equal(wx.sentTo('/phone/events').length, 0);
    onetap.configure({ server });
  });

  test('that comes late is found when the offline button is tapped', async () => {
    const said = mock.method(console, 'error', () => {});
    onetap.configure({ server: '' });
    const button = await render({ server: '' });
    assert.equal(button.last('offline').code, 'NO_SERVER');
    onetap.configure({ server });
    await button.tap('.onetap-button');
    assert.ok(button.isEnabled());
    said.mock.restore();
  });

  test('is enough for a page with a button of its own', async () => {
    onetap.configure({ server });
    wx.answer(consume, phone, problem('CODE_INVALID', 422, 'new_code', { requestId: '01J7' }));
    onetap.track('tap', { scene: 'own' });
    const number = await onetap.phoneNumber(issued, { scene: 'own' });
    assert.equal(number.phoneNumber, '13800138000');
    await assert.rejects(onetap.phoneNumber({ code: 'b2' }), (failure) => {
      assert.ok(failure instanceof onetap.PhoneError);
      assert.deepEqual([failure.outcome, failure.problem.requestId], ['refused', '01J7']);
      return true;
    });
    assert.equal(onetap.resume({ scene: 'own' }), undefined);
    assert.equal((await onetap.quota()).available, true);
    await clock.advance(2000);
    const told = wx.sentTo('/phone/events')[0]?.body.events as { type: string }[];
    assert.deepEqual(
      told.map(({ type }) => type),
      ['tap', 'issued', 'issued'],
    );
  });
});

describe('a developer', () => {
  test('is warned when the page is left while the dialog is open', async () => {
    const warned = mock.method(console, 'warn', () => {});
    const button = await render();
    await button.tap();
    pages.push({ route: 'pages/other' });
    await button.pageLifetime('hide');
    await clock.advance(0);
    assert.equal(warned.mock.callCount(), 1);
    assert.match(String(warned.mock.calls[0]?.arguments[0]), /charged/);
    warned.mock.restore();
  });

  test('is warned when the page is closed, too', async () => {
    const warned = mock.method(console, 'warn', () => {});
    const button = await render();
    await button.tap();
    await button.close();
    assert.equal(warned.mock.callCount(), 1);
    warned.mock.restore();
  });

  test('is not warned of the background, nor once the callback has come', async () => {
    const warned = mock.method(console, 'warn', () => {});
    const button = await render();
    await button.tap();
    await button.pageLifetime('hide');
    await clock.advance(0);
    await button.answer(denied);
    pages.push({ route: 'pages/other' });
    await button.pageLifetime('hide');
    await clock.advance(0);
    await button.close();
    assert.equal(warned.mock.callCount(), 0);
    warned.mock.restore();
  });
});
