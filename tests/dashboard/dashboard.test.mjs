// The operators' page, as a person sees it in Chromium, beside what SQL says.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Stage, appid, repository } from "./stage.mjs";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const stage = new Stage();
const patience = { timeout: 15_000 };

before(async () => {
  await stage.startWithHistory();
  for (let i = 0; i < 6; ++i) assert.equal((await stage.consume(`sandbox-ok-${i}`)).status, 200);
  assert.equal((await stage.consume("sandbox-expired-1")).status, 422);
  assert.equal((await stage.consume("sandbox-reset-1")).status, 502);
  await stage.startBrowser();
});

after(async () => {
  await stage.browser?.close();
  await stage.close();
});

/** A figure of the page, as a number. */
const figure = async (page, name) => Number((await page.locator(`[data-figure="${name}"]`).first().evaluate(
  (element) => element.firstChild.textContent)).replace(/[^\d.]/g, ""));

/** Once everything is there: the codes are what is read last. */
async function ready(page) {
  await page.locator("#codes table").waitFor(patience);
  await page.locator("#quota-chart canvas").waitFor(patience);
}

const holds = (page, words) => page.waitForFunction((text) => document.body.innerText.includes(text), words, patience);
/** The page follows the ledger: sooner or later what it says is so. */
async function until(holdsNow) {
  for (const end = Date.now() + patience.timeout; !(await holdsNow());) assert.ok(Date.now() < end, "it never came to be so");
}

const mine = `app_id = '${appid}' AND kind = 'quick'`;

test("the page loads without an error, from this server alone, in the language and theme of the browser", async () => {
  const { page, seen, context } = await stage.open();
  await ready(page);
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await holds(page, "剩余额度");
  await page.locator("#en").click();
  await holds(page, "Quota left");
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await ground(), light);
  await page.locator("#theme").click();
  assert.equal(await ground(), light, "what is chosen here goes before the system's theme");
  assert.deepEqual(seen.errors, []);
  assert.deepEqual(seen.elsewhere, []);
  await context.close();
});

test("its figures are those of the SQL views", async () => {
  const { page, seen, context } = await stage.open();
  await ready(page);
  const [packs] = stage.sql(`SELECT sum(available) AS units FROM v_packs WHERE ${mine}`);
  assert.equal(await figure(page, "units-left"), packs.units);
  for (const pack of stage.sql(`SELECT pack_id, available FROM v_packs WHERE ${mine} AND source <> 'overdraft'`))
    assert.equal(await figure(page, `pack-${pack.pack_id}`), pack.available);

  const day = await page.locator("#day").textContent();
  const [funnel] = stage.sql(`SELECT * FROM v_funnel WHERE ${mine} AND day = '${day}'`);
  assert.ok(funnel.taps > 0 && funnel.consumed >= 6 && funnel.failed >= 2);
  assert.equal(await figure(page, "taps"), funnel.taps);
  assert.equal(await figure(page, "issued"), funnel.issued);
  assert.equal(await figure(page, "presented"), funnel.consumed + funnel.failed);
  assert.equal(await figure(page, "consumed"), funnel.consumed);
  assert.equal(await figure(page, "failed"), funnel.failed);
  assert.equal(await figure(page, "denied"), funnel.denied);
  assert.equal(await figure(page, "never-presented"), funnel.never_presented);

  const [today] = stage.sql(`SELECT amount_yuan FROM v_daily WHERE ${mine} AND day = '${day}'`);
  assert.equal(await figure(page, "amount-today"), Number(today.amount_yuan.toFixed(2)));

  const doubts = stage.sql("SELECT id FROM v_in_doubt").map((row) => row.id);
  const shown = (await page.locator("#doubts tbody tr td:first-child").allTextContents()).map(Number);
  assert.ok(doubts.length >= 6);
  const sorted = (ids) => ids.slice().sort((a, b) => a - b);
  assert.deepEqual(sorted(shown), sorted(doubts));
  assert.deepEqual(seen.errors, []);
  await context.close();
});

test("what the API answers is what the views say, whole rows of it", async () => {
  const get = async (path) => (await fetch(new URL(path, stage.page))).json();
  const summary = await get("/api/summary");
  const wanted = (view) => stage.sql(`SELECT * FROM ${view} WHERE day = '${summary.day}' ORDER BY app_id, kind`);
  const rounded = (rows) => rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== "day")
    .map(([name, value]) => [name, typeof value === "number" ? Number(value.toFixed(6)) : value])));
  assert.deepEqual(rounded(summary.today), rounded(wanted("v_daily")));
  assert.deepEqual(rounded(summary.funnel), rounded(wanted("v_funnel")));
  const { packs } = await get("/api/packs");
  assert.deepEqual(packs, stage.sql("SELECT * FROM v_packs ORDER BY app_id, kind, pack_id"));

  const history = await get(`/api/history?app=${appid}&kind=quick`);
  const days = stage.sql(`SELECT sum(ok) AS ok, sum(rejected) AS rejected, sum(lost) AS lost, sum(free) AS free,
    sum(in_doubt) AS in_doubt FROM v_daily WHERE ${mine} AND day >= '${new Date(history.first_day + 8 * 3.6e6).toISOString().slice(0, 10)}'`)[0];
  for (const [state, codes] of Object.entries(days))
    assert.equal(history.days.filter((row) => row.state === state).reduce((sum, row) => sum + row.codes, 0), codes, state);
  const [left] = stage.sql(`SELECT sum(available) AS units FROM v_packs WHERE ${mine}`);
  assert.equal(history.units_left.at(-1).units_left, left.units, "the line ends at what is left");
  for (const row of history.latency) assert.ok(row.p50_ms <= row.p90_ms && row.p90_ms <= row.p99_ms && row.p99_ms <= row.max_ms);
});

test("WeChat's count of each pack stands beside ours, is asked for anew, and what is left is said to last", async () => {
  const { page, seen, context } = await stage.open({ locale: "en-GB" });
  await ready(page);
  const grouped = (value) => new Intl.NumberFormat("en-GB").format(value);
  const told = async () => {
    const text = await page.locator("#reconciliation").innerText();
    return stage.sql("SELECT wx_pkg_id, wx_used, wx_all, our_used, our_doubt FROM v_reconciliation").every((row) =>
      text.includes(`WeChat has counted ${grouped(row.wx_used)} of ${grouped(row.wx_all)} · ours used ${grouped(row.our_used)}`));
  };
  await until(told);
  assert.equal(await page.locator("#reconciliation article").count(), stage.sql("SELECT 1 FROM v_reconciliation").length);
  await stage.consume("sandbox-ok-asked");
  await page.locator("#reconcile").click();
  await page.locator("#reconcile:enabled").waitFor(patience);
  await until(told);
  const { forecasts } = await (await fetch(new URL("/api/forecast", stage.page))).json();
  const days = forecasts.find((each) => each.appid === appid && each.kind === "quick").daysLeft;
  await holds(page, `about ${Math.floor(days)} days`);
  assert.deepEqual(seen.errors, []);
  await context.close();
});

test("no number is on the page or in what it reads but by its mask", async () => {
  const { page, context } = await stage.open();
  await ready(page);
  const answers = await Promise.all(["/api/live", "/api/summary", "/api/packs", "/api/consumptions?limit=200",
    `/api/history?app=${appid}&kind=quick`].map(async (path) => (await fetch(new URL(path, stage.page))).text()));
  const texts = [await page.locator("body").innerText(), ...answers];
  for (const each of texts) assert.doesNotMatch(each, /(?<![\w*])1[3-9]\d{9}(?!\w)/);
  assert.ok(texts.some((each) => /1\d{2}\*{4}\d{4}/.test(each)), "masks are there");
  await context.close();
});

test("a tap shows without a reload", async () => {
  const { page, seen, context } = await stage.open();
  await ready(page);
  await page.evaluate(() => { window.isTheSamePage = true; });
  const before = await figure(page, "consumed");
  await stage.consume("sandbox-ok-live");
  await page.waitForFunction((wanted) => Number(document.querySelector('[data-figure="consumed"]').firstChild.textContent) === wanted,
    before + 1, patience);
  assert.ok(await page.evaluate(() => window.isTheSamePage));
  assert.deepEqual(seen.errors, []);
  await context.close();
});

test("a doubt is resolved in the page, with the keyboard alone, and with a note", async () => {
  const { page, seen, context } = await stage.open({ locale: "en-GB" });
  await ready(page);
  const [{ id }] = stage.sql("SELECT id FROM v_in_doubt ORDER BY id DESC LIMIT 1");
  await page.locator(`[data-key="resolve-${id}"]`).focus();
  await page.keyboard.press("Enter");
  await page.locator("#resolve[open]").waitFor(patience);
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  await press("Space");  // what is focused first is what WeChat may have done: charged
  assert.ok(await page.locator('input[value="lost"]').isChecked());
  await press("Tab", "Tab", "Tab", "Enter");
  assert.ok(await page.locator("#resolve[open]").isVisible(), "without a note nothing is done");
  assert.equal(stage.sql(`SELECT state FROM v_consumptions WHERE id = ${id}`)[0].state, "in_doubt");
  await page.locator("#resolve-note:focus").waitFor(patience);
  await page.keyboard.type("<b>usage</b> moved by one");
  await press("Tab", "Tab", "Enter");
  await page.locator("#resolve[open]").waitFor({ state: "hidden", ...patience });
  await page.locator(`[data-key="resolve-${id}"]`).waitFor({ state: "detached", ...patience });
  assert.equal(stage.sql(`SELECT state FROM v_consumptions WHERE id = ${id}`)[0].state, "lost");
  assert.equal(stage.sql(`SELECT note FROM entry WHERE consumption = ${id} AND kind = 'resolve_lost'`)[0].note,
    "<b>usage</b> moved by one");
  assert.deepEqual(seen.errors, []);
  await context.close();
});

test("what another resolved meanwhile is told as a sentence", async () => {
  const { page, context } = await stage.open({ locale: "en-GB" });
  await ready(page);
  const [{ id }] = stage.sql("SELECT id FROM v_in_doubt ORDER BY id DESC LIMIT 1");
  await page.locator(`[data-key="resolve-${id}"]`).click();
  const answer = await fetch(new URL(`/api/consumptions/${id}/resolve`, stage.page), { method: "POST",
    headers: { "Content-Type": "application/json" }, body: JSON.stringify({ as: "free", note: "another operator" }) });
  assert.equal(answer.status, 200);
  await page.locator('input[value="lost"]').check();
  await page.locator("#resolve-note").fill("too late");
  await page.locator("#resolve-form button[type=submit]").click();
  await page.locator("#resolve-problem:not([hidden])").waitFor(patience);
  assert.notEqual(await page.locator("#resolve-problem").textContent(), "");
  await page.keyboard.press("Escape");
  assert.equal(stage.sql(`SELECT state FROM v_consumptions WHERE id = ${id}`)[0].state, "free");
  await context.close();
});

for (const width of [1440, 390]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const locale of ["zh-CN", "en-GB"]) {
      test(`axe finds no serious violation, and nothing is cut off: ${width} px, ${colorScheme}, ${locale}`, async () => {
        const { page, seen, context } = await stage.open({ viewport: { width, height: 900 }, colorScheme, locale, bypassCSP: true });
        await ready(page);
        const look = async () => {
          const { violations } = await page.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] }));
          return violations.filter((each) => ["serious", "critical"].includes(each.impact))
            .map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ").slice(0, 300)}`);
        };
        await page.evaluate(axe);
        assert.deepEqual(await look(), []);
        await page.locator('[data-key^="resolve-"]').first().click();
        assert.deepEqual(await look(), []);
        await page.keyboard.press("Escape");
        assert.equal(await page.evaluate(() => document.scrollingElement.scrollWidth), width);
        assert.deepEqual(seen.errors, []);
        await context.close();
      });
    }
  }
}

test("an inline script and a request to elsewhere are refused by the policy", async () => {
  const { page, context } = await stage.open();
  await ready(page);
  const refused = await page.evaluate(async () => {
    const told = [];
    document.addEventListener("securitypolicyviolation", (event) => told.push(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.ranInline = true";
    document.body.append(script);
    await fetch("https://example.com/").catch(() => {});
    await new Promise((done) => { setTimeout(done, 200); });
    return { told, ran: window.ranInline === true };
  });
  assert.equal(refused.ran, false);
  assert.ok(refused.told.includes("script-src-elem") && refused.told.includes("connect-src"), refused.told.join());
  await context.close();
});

test("when the server is gone the page says since when, and goes on when it is back", async () => {
  const { page, context } = await stage.open({ locale: "en-GB" });
  await ready(page);
  await stage.end(stage.server.child);
  await page.locator("#stale:not([hidden])").waitFor(patience);
  assert.match(await page.locator("#stale").textContent(), /has not answered since \d\d:\d\d:\d\d/);
  assert.equal(await page.locator("#live").getAttribute("data-state"), "stale");
  await stage.startServer();
  await page.locator("#stale").waitFor({ state: "hidden", ...patience });
  assert.equal(await page.locator("#live").getAttribute("data-state"), "live");
  await context.close();
});

test("with a token the page asks for it, keeps it for its tab only, and reads nothing before", async () => {
  await stage.end(stage.server.child);
  await stage.startServer({ ONETAP_ADMIN_TOKEN: "0123456789abcdef0123456789abcdef" });
  const { page, context } = await stage.open({ locale: "en-GB" });
  await page.locator("#sign-in[open]").waitFor(patience);
  assert.equal(await page.locator("#quota").textContent(), "");
  assert.equal((await fetch(new URL("/api/summary", stage.page))).status, 401);
  await page.locator("#token").fill("another");
  await page.keyboard.press("Enter");
  await holds(page, "The server does not know this token.");
  await page.locator("#token").fill("0123456789abcdef0123456789abcdef");
  await page.keyboard.press("Enter");
  await ready(page);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("0123456789abcdef")), false);
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.reload();
  await ready(page);
  await context.close();
  await stage.end(stage.server.child);
  await stage.startServer();
});

test("the chart library that is shipped is npm's, to the byte", () => {
  const shipped = (name) => readFileSync(join(repository, "app/dashboard/vendor/uplot", name));
  const published = (name) => readFileSync(join(repository, "tests/dashboard/node_modules/uplot", name));
  const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(digest(shipped("uplot.js")), digest(published("dist/uPlot.iife.min.js")));
  assert.equal(digest(shipped("uplot.css")), digest(published("dist/uPlot.min.css")));
  assert.equal(digest(shipped("LICENSE")), digest(published("LICENSE")));
});
