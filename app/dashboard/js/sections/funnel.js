// Today, from the tap to the number; and what it cost.

import { byId, fill, h } from "../dom.js";
import { number, share, yuan } from "../format.js";
import { t } from "../i18n.js";

const none = { taps: 0, issued: 0, denied: 0, no_quota: 0, privacy_denied: 0, consumed: 0, failed: 0, fallback: 0,
  never_presented: 0 };

function stage(name, key, value, first, before) {
  return h("div", { class: "stage" },
    h("span", {}, name),
    h("b", { "data-figure": key }, number(value), before === null ? null : h("small", {}, share(value, before))),
    h("div", { class: "track", "aria-hidden": "true" }, h("i", { "--share": first > 0 ? Math.min(value / first, 1) : 0 })));
}

const drops = (...each) => {
  const some = each.filter(([, , value]) => value > 0);
  return some.length === 0 ? null : h("div", { class: "drops" },
    some.map(([name, key, value]) => h("span", {}, `${name} `, h("b", { "data-figure": key }, number(value)))));
};

export function renderFunnel({ summary, appId, kind }) {
  if (!summary) return;
  byId("day").textContent = summary.day;
  const mine = (row) => row.app_id === appId && row.kind === kind;
  const funnel = summary.funnel.find(mine) ?? none;
  const today = summary.today.find(mine);
  const came = funnel.consumed + funnel.failed;
  const hasEvents = funnel.taps + funnel.issued > 0;
  const first = Math.max(funnel.taps, funnel.issued, came);
  fill(byId("funnel"), h("div", { class: "funnel" },
    hasEvents ? stage(t("taps"), "taps", funnel.taps, first, null) : null,
    hasEvents ? drops([t("denied"), "denied", funnel.denied], [t("noQuota"), "no-quota", funnel.no_quota],
      [t("privacyDenied"), "privacy-denied", funnel.privacy_denied], [t("fallback"), "fallback", funnel.fallback]) : null,
    hasEvents ? stage(t("issued"), "issued", funnel.issued, first, funnel.taps) : null,
    hasEvents ? drops([t("neverPresented"), "never-presented", funnel.never_presented]) : null,
    stage(t("presented"), "presented", came, first, hasEvents ? funnel.issued : null),
    drops([t("failed"), "failed", funnel.failed]),
    stage(t("consumed"), "consumed", funnel.consumed, first, came)),
    hasEvents ? null : h("p", { class: "empty" }, t("noEvents")),
    h("p", { class: "money" }, h("span", { class: "quiet" }, t("costToday")),
      h("b", { "data-figure": "amount-today" }, yuan(today?.amount_yuan ?? 0),
        today?.amount_estimated_yuan > 0 ? h("small", { class: "quiet" }, ` ${t("estimated")}`) : null)));
}
