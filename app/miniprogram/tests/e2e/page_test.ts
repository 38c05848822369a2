// The package as it is installed, against a real server over TLS; then the ledger is asked what became of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import type { PhoneError } from '../../src/errors';
import { promisedAnswers, type Row, Server, ServerBesideWechat, testCodes } from '../support/onetap';
import { WxOverHttps } from '../support/wx_over_https';

const wx = new WxOverHttps();
const dist = `${process.cwd()}/miniprogram_dist/index.js`;
const onetap: typeof import('../../src/index') = createRequire(dist)(dist);

const codeLifeMs = 5 * 60 * 1000;

// What a client still wants to tell a server that has ended is not waited for.
const realTimeout = globalThis.setTimeout;
const timers = new Set<NodeJS.Timeout>();
Object.assign(globalThis, {
  setTimeout: (action: () => void, delayMs: number) => {
    const timer = realTimeout(action, delayMs);
    timers.add(timer);
    return timer;
  },
});
after(() => {
  for (const timer of timers) timer.unref();
});

/** A page's client of this server, its quota looked at as before any tap. */
async function clientOf(server: Server) {
  wx.trust(server.url, server.ca);
  const client = new onetap.Client({ server: server.url });
  await client.quota();
  return client;
}

/** A code that WeChat may still take is waited for; here only for so long. */
const within = (seconds: number) => ({ tappedAtMs: Date.now() - codeLifeMs + seconds * 1000 });

/** Until the ledger has the events, which go out two seconds after the first. */
async function eventsTold(server: Server): Promise<Row> {
  for (let tries = 0; tries < 100; tries += 1) {
    const [funnel] = await server.rows('SELECT * FROM v_funnel');
    if (funnel && Number(funnel.taps) > 0) return funnel;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('no events have come');
}

/** Units that codes have moved to an account. */
async function units(server: Server, account: string): Promise<number> {
  const moved = `FROM entry WHERE consumption IS NOT NULL AND to_account = '${account}'`;
  const [row] = await server.rows(`SELECT coalesce(sum(units), 0) AS units ${moved}`);
  return Number(row?.units);
}

/** What the ledger has of a code, by what the page was promised to hear. */
function expectedRow(hears: string): { state: string; used: number; doubt: number } {
  if (hears.startsWith('200')) return { state: 'ok', used: 1, doubt: 0 };
  if (hears.startsWith('422')) return { state: 'rejected', used: 0, doubt: 0 };
  if (hears.startsWith('502')) return { state: 'in_doubt', used: 0, doubt: 1 };
  return { state: 'retryable', used: 0, doubt: 0 };
}

async function playCode(code: string, hears: string): Promise<void> {
  const server = await Server.start();
  try {
    const client = await clientOf(server);
    const scene = { scene: 'e2e' };
    client.track({ type: 'tap' }, scene);
    const told = await client.phoneNumber({ errMsg: 'getPhoneNumber:ok', code }, scene, within(5)).then(
      (number) => ({ heard: '200', requestId: number.requestId, phone: number.phoneNumber }),
      ({ problem: { status, code: name, requestId } }: PhoneError) => ({
        heard: `${status} \`${name}\``,
        requestId,
        phone: '',
      }),
    );
    assert.ok(hears.startsWith(told.heard), `${code}: promised ${hears}, heard ${told.heard}`);
    const expected = expectedRow(hears);
    assert.equal(told.phone !== '', expected.state === 'ok');

    const rows = await server.rows('SELECT * FROM v_consumptions');
    assert.equal(rows.length, 1, 'one tap, one code, one row');
    const row = rows[0] as Row;
    assert.equal(row.state, expected.state, code);
    assert.equal(row.scene, 'e2e');
    const presented = wx.sent.filter(({ url }) => url === `${server.url}/phone/consume`).length;
    const attempts = Number(row.attempts);
    if (expected.state === 'retryable') assert.ok(attempts >= 1 && attempts <= presented);
    else {
      assert.equal(attempts, code === 'sandbox-token-expired' ? 2 : 1, `${code}: one exchange`);
      assert.equal(row.request_id, told.requestId);
    }
    assert.equal(await units(server, 'used'), expected.used, code);
    assert.equal(await units(server, 'doubt'), expected.doubt, code);
    assert.deepEqual(await server.rows('SELECT * FROM v_verify'), []);

    const funnel = await eventsTold(server);
    assert.deepEqual([funnel.taps, funnel.issued, funnel.never_presented], [1, 1, 0]);
  } finally {
    await server.stop();
  }
}

describe('each tap is one code, one exchange, one unit', { concurrency: 4, timeout: 240_000 }, () => {
  const promised = promisedAnswers();
  for (const code of testCodes()) {
    test(code, () => {
      const hears = promised.get(code);
      assert.ok(hears, `docs/sandbox.md does not say what the page hears of ${code}`);
      return playCode(code, hears);
    });
  }
});

describe('a page whose life is hard', { timeout: 120_000 }, () => {
  let server: Server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server.stop());
  const rowsOf = (scene: string) => server.rows(`SELECT * FROM v_consumptions WHERE scene = '${scene}'`);

  test('gets the stored answer where the reply was lost: one row, one exchange', async () => {
    const client = await clientOf(server);
    wx.repliesToLose.set('/phone/consume', 2);
    const number = await client.phoneNumber({ code: 'sandbox-ok-lost' }, { scene: 'lost' }, within(60));
    assert.equal(number.replayed, true);
    assert.deepEqual(
      (await rowsOf('lost')).map(({ state, attempts }) => [state, attempts]),
      [['ok', 1]],
    );
  });

  test('mends its clock and signs anew', async () => {
    const client = await clientOf(server);
    const realNow = Date.now;
    Date.now = () => realNow() + 3600_000;
    try {
      await client.phoneNumber({ code: 'sandbox-ok-clock' }, { scene: 'clock' }, within(60));
    } finally {
      Date.now = realNow;
    }
    assert.equal((await rowsOf('clock')).length, 1);
  });

  test('is one of twenty that tap at the same time', async () => {
    const client = await clientOf(server);
    const taps = Array.from({ length: 20 }, (_, i) => `sandbox-ok-crowd-${i}`);
    const numbers = await Promise.all(
      taps.map((code) => client.phoneNumber({ code }, { scene: 'crowd' }, within(60))),
    );
    assert.equal(new Set(numbers.map(({ requestId }) => requestId)).size, 20);
    const rows = await rowsOf('crowd');
    assert.equal(rows.length, 20);
    for (const { state, attempts } of rows) assert.deepEqual([state, attempts], ['ok', 1]);
    assert.deepEqual(await server.rows('SELECT * FROM v_verify'), []);
  });
});

describe('a phone of its own', { timeout: 120_000 }, () => {
  let server: ServerBesideWechat;
  before(async () => {
    server = await ServerBesideWechat.start();
  });
  after(() => server.stop());

  /** What the button yields for who logged in last. */
  const tap = (testCode?: string) =>
    server.tell('/sandbox/codes', { ...(testCode && { testCode }), jsCode: wx.jsCodes.at(-1) }) as Promise<{
      code: string;
      encryptedData: string;
      iv: string;
    }>;

  test("has its number rescued where WeChat's answer was lost", async () => {
    const client = await clientOf(server);
    const detail = await tap('sandbox-reset');
    const number = await client.phoneNumber(detail, { scene: 'rescue' }, within(60));
    assert.match(number.phoneNumber, /^1\d{10}$/);
    const [row] = await server.rows("SELECT * FROM v_consumptions WHERE scene = 'rescue'");
    assert.deepEqual([row?.state, row?.attempts], ['ok', 1]);
    assert.equal((await server.asked(onetap.sha256Hex(detail.code))).calls, 1);
  });

  test('of an old base library has its number decrypted', async () => {
    const client = await clientOf(server);
    const { encryptedData, iv } = await tap();
    const number = await client.phoneNumber(
      { errMsg: 'getPhoneNumber:ok', encryptedData, iv },
      {},
      within(60),
    );
    assert.match(number.phoneNumber, /^1\d{10}$/);
    const [row] = await server.rows(`SELECT * FROM v_consumptions WHERE request_id = '${number.requestId}'`);
    assert.deepEqual([row?.state, row?.path], ['ok', 'legacy']);
  });

  test("signs with the user's own key", async () => {
    wx.trust(server.url, server.ca);
    const client = new onetap.Client({ server: server.url, userKey: true, events: false });
    wx.userKey = undefined;
    await client.quota();
    const key = await server.tell('/sandbox/user-key', { jsCode: wx.jsCodes.at(-1) });
    wx.userKey = { ...key, expireTime: Date.now() / 1000 + 3600 } as NonNullable<typeof wx.userKey>;
    const before = wx.sent.length;
    await client.phoneNumber(await tap(), { scene: 'user-key' }, within(60));
    const [sent] = wx.sent.slice(before);
    assert.match(sent?.headers.Authorization ?? '', /key="wechat:\d+"/);
    assert.equal(wx.sent.length, before + 1);
  });

  test('logs in anew after the server has crashed, and is known as the same user', async () => {
    const client = await clientOf(server);
    const first = await client.phoneNumber({ code: 'sandbox-ok-crash' }, { scene: 'crash' }, within(60));
    await server.crash();
    const logins = wx.logins;
    const again = await client.phoneNumber({ code: 'sandbox-ok-crash' }, { scene: 'crash' }, within(60));
    assert.equal(wx.logins, logins + 1);
    assert.deepEqual([again.phoneNumber, again.replayed], [first.phoneNumber, true]);
    const rows = await server.rows("SELECT * FROM v_consumptions WHERE scene = 'crash'");
    assert.equal(rows.length, 1);
  });

  test('has no violated invariant in its ledger', async () => {
    assert.deepEqual(await server.rows('SELECT * FROM v_verify'), []);
  });
});

test('the bare page of docs/miniprogram.md works unchanged against ONETAP_VERIFY=origin', async () => {
  const documented = readFileSync('../../docs/miniprogram.md', 'utf8');
  const snippet = /```js\n(Page\(\{\n {2}onGetPhoneNumber\(e\)[\s\S]*?\}\)\n)```/.exec(documented)?.[1] ?? '';
  const server = await Server.start('origin');
  try {
    wx.trust(server.url, server.ca);
    let page: { onGetPhoneNumber(event: object): void } | undefined;
    const define = new Function('Page', 'wx', snippet.replace('https://your.server', server.url));
    define((definition: typeof page) => {
      page = definition;
    }, wx);
    wx.toasts.length = 0;
    page?.onGetPhoneNumber({ detail: { errMsg: 'getPhoneNumber:ok', code: 'sandbox-ok-bare' } });
    for (let tries = 0; tries < 200 && wx.toasts.length === 0; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.deepEqual(wx.toasts, ['获取成功']);
    const [row] = await server.rows('SELECT * FROM v_consumptions');
    assert.equal(row?.state, 'ok');
  } finally {
    await server.stop();
  }
});
