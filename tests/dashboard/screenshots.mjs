// Makes docs/dashboard/*.png: both widths, both themes, both languages. Looks best with a Chinese font
// (fonts-noto-cjk).

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { Stage, repository } from "./stage.mjs";

const folder = process.argv[2] ?? join(repository, "docs/dashboard");
const stage = new Stage();
mkdirSync(folder, { recursive: true });
try {
  await stage.startWithHistory();
  const codes = [...Array.from({ length: 12 }, (_, i) => `sandbox-ok-${i}`), "sandbox-expired-1", "sandbox-garbage-1"];
  await stage.tell(codes.flatMap((code, i) => stage.tapWith(code, i)));
  for (const code of codes) await stage.consume(code);
  await stage.startBrowser();
  for (const [width, colorScheme, locale] of [[1440, "light", "zh-CN"], [1440, "dark", "en-GB"], [390, "light", "en-GB"],
    [390, "dark", "zh-CN"]]) {
    const { page, context } = await stage.open({ viewport: { width, height: 900 }, colorScheme, locale,
      deviceScaleFactor: width === 390 ? 2 : 1 });
    await page.locator("#codes table").waitFor({ timeout: 20_000 });
    await page.locator("#quota-chart canvas").waitFor({ timeout: 20_000 });
    await page.waitForTimeout(1_000);
    const file = join(folder, `${width}-${colorScheme}.png`);
    await page.screenshot({ path: file, fullPage: true });
    console.log(file);
    await context.close();
  }
} finally {
  await stage.browser?.close();
  await stage.close();
}
