// WeChat's count of each pack beside ours, and what explains the difference.

import { post } from "../api.js";
import { byId, fill, h, state } from "../dom.js";
import { number, shortMoment } from "../format.js";
import { language, t, term } from "../i18n.js";

const levels = { AGREES: "good", EXPLAINED_BY_DOUBT: "good", EXPLAINED_BY_LAG: "good", EXPLAINED_BY_SHIFT: "good",
  WECHAT_COUNTS_MORE: "warn", WE_COUNT_MORE: "bad", SIZE_MISMATCH: "bad" };

const signed = (units) => (units > 0 ? `+${number(units)}` : number(units));

function sum(row) {
  const parts = [[t("ourUsed"), row.our_used], [t("ourLost"), row.our_lost], [t("before"), row.used_before],
    [t("ourDoubt"), row.our_doubt]].filter(([, units]) => units > 0);
  return h("p", { class: "sum" }, t("wechatUsed", { used: number(row.wx_used), all: number(row.wx_all) }), " · ",
    parts.map(([name, units], i) => [i > 0 ? ", " : null, `${name} ${number(units)}`]).flat());
}

const sentence = (line, row) => (language() === "en" ? line.text
  : term("explains", line.cause) === line.cause ? line.text : t(`explains.${line.cause}`, { pack: row.pack, units: Math.abs(line.units) }));

function explanation(row) {
  const lines = row.explanation ?? [];
  if (lines.length > 0)
    return h("ul", { class: "lines" }, lines.map((line) => h("li", {}, h("b", {}, signed(line.units)), h("span", {}, sentence(line, row)))));
  return row.unexplained ? h("p", { class: "sum" }, t("unexplained", { n: signed(row.unexplained) })) : null;
}

export function renderReconciliation({ reconciliation, appId }) {
  byId("reconciliation-section").hidden = !reconciliation;
  if (!reconciliation) return;
  const rows = (Array.isArray(reconciliation) ? reconciliation : reconciliation.packs ?? [])
    .filter((row) => row.app_id === appId);
  if (rows.length === 0) return fill(byId("reconciliation"), h("p", { class: "empty" }, t("noUsage")));
  fill(byId("reconciliation"), h("div", { class: "verdicts" }, rows.map((row) => h("article", { class: "verdict" },
    h("header", {},
      h("h3", {}, row.wx_pkg_id ? h("span", { class: "mono" }, row.wx_pkg_id) : t("source.trial"), ` · ${term("kind", row.kind)}`),
      state(levels[row.verdict] ?? "none", term("verdict", row.verdict)),
      h("span", { class: "quiet" }, t("asOf", { time: shortMoment(new Date(row.as_of)) }))),
    sum(row), explanation(row)))));
}

/** `done` is called when WeChat has been asked. */
export function startReconciliation(done) {
  const button = byId("reconcile");
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = t("asking");
    try {
      const { asked } = await post("/api/reconcile", { askOnly: true });
      byId("reconcile-told").textContent = asked ? "" : t("notAsked");
      await done();
    } catch (error) {
      byId("reconcile-told").textContent = error.message;
    } finally {
      button.disabled = false;
      button.textContent = t("reconcileNow");
    }
  });
}
