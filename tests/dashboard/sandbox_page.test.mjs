// The drawn phone of `onetap serve --sandbox`, tapped in Chromium, beside what the ledger says.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { Stage } from "./stage.mjs";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const stage = new Stage();
let opened;

before(async () => {
  stage.server = await stage.start("server", ["operator", "public"],
    ["serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--db", stage.database]);
  await stage.startBrowser();
  opened = await stage.open({ locale: "en-GB" }, `http://${stage.server.operator}/sandbox`);
  await opened.page.locator("#path option").first().waitFor({ state: "attached" });
});

after(async () => {
  await stage.browser?.close();
  await stage.close();
});

const rows = () => stage.sql("SELECT state, attempts, phone_mask FROM v_consumptions ORDER BY id");
const steps = (page) => page.locator("#exchange li");
const result = (page) => page.locator("#result").textContent();

/** Chooses how WeChat answers, taps, and allows it. */
async function tap(page, path) {
  await page.locator("#path").selectOption(path);
  await page.locator("#tap").click();
  await page.locator("#allow").click();
  await page.locator("#tap:not([disabled])").waitFor();
}

test("a tap is one code, one call, one number, one row; presented again it is replayed, and a stranger gets none", async () => {
  const { page } = opened;
  await tap(page, "sandbox-ok");
  assert.match(await result(page), /^\+?\d{11,}$/);
  assert.equal(await steps(page).count(), 4);
  await page.locator("#same").click();
  await page.getByText("WeChat was not called again").waitFor();
  assert.match(await result(page), /^\+?\d{11,}$/);
  await page.locator("#stranger").click();
  await page.getByText("409 CODE_ALREADY_USED").waitFor();
  assert.doesNotMatch(await result(page), /\d{11}/);
  assert.deepEqual(rows().map((row) => [row.state, row.attempts]), [["ok", 1]]);
  await page.locator("#rows tr").getByText(rows()[0].phone_mask).waitFor();
});

test("a dead access_token is told, and the number comes by the second call", async () => {
  const { page } = opened;
  await tap(page, "sandbox-token-expired");
  assert.equal(await page.getByText("onetap → WeChat").count(), 2);
  assert.match(await result(page), /^\+?\d{11,}$/);
  assert.deepEqual(rows().at(-1).attempts, 2);
});

test("a lost answer is a code in doubt, in the ledger and on the phone", async () => {
  const { page } = opened;
  await tap(page, "sandbox-reset");
  await page.getByText("502 OUTCOME_UNKNOWN").waitFor();
  assert.equal(rows().at(-1).state, "in_doubt");
  await page.locator("#rows .state").getByText("in doubt").waitFor();
});

test("what ends on the page yields no code and reaches no server", async () => {
  const { page } = opened;
  const before = rows().length;
  await page.locator("#path").selectOption("sandbox-ok");
  await page.locator("#tap").click();
  await page.locator("#deny").click();
  await page.getByText("getPhoneNumber:fail user deny", { exact: true }).waitFor();
  await page.locator("#path").selectOption("page-quota");
  await page.locator("#tap").click();
  await page.getByText("getPhoneNumber:fail, errno 1400001", { exact: true }).waitFor();
  assert.equal(rows().length, before);
});

test("it speaks Chinese, fits a phone, breaks no rule of accessibility, and asks nobody else", async () => {
  const { page, seen } = opened;
  await page.locator("#language").click();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await page.locator("#tap", { hasText: "一键获取手机号" }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 390, height: 844 });
    const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(isTooWide, false);
    // The policy lets no script in by address; the browser's own door stays open.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    assert.deepEqual(serious.map(({ id, nodes }) => `${id} ${nodes[0].html}`), []);
  }
  assert.deepEqual(seen.errors, []);
  assert.deepEqual(seen.elsewhere, []);
});
