// The resource packs, as the ledger has them.

import { byId, fill, h, state, table } from "../dom.js";
import { duration, lastDay, number, yuan } from "../format.js";
import { t, term } from "../i18n.js";

const parts = [["used", "ok"], ["used_before", "rejected"], ["doubt", "in-doubt"], ["lost", "lost"],
  ["expired", "retryable"], ["refunded", "free"]];

function bar(pack) {
  const words = [["available", null], ...parts].filter(([name]) => pack[name] > 0)
    .map(([name]) => `${t(`pack.${name}`)} ${number(pack[name])}`).join(", ");
  return h("div", { class: "bar", role: "img", "aria-label": words, title: words },
    parts.filter(([name]) => pack[name] > 0 && pack.units > 0)
      .map(([name, swatch]) => h("i", { "--share": pack[name] / pack.units, "--swatch": `var(--${swatch})` })));
}

const name = (pack) => h("span", {}, term("source", pack.source), " ",
  pack.wx_pkg_id ? h("span", { class: "mono quiet" }, pack.wx_pkg_id) : null);

function end(pack, now) {
  if (pack.source === "overdraft") return "–";
  if (!pack.ends_at) return t("never");
  const left = (new Date(pack.ends_at) - now) / 1000;
  const day = lastDay(pack.ends_at);
  const on = h("span", { class: "nowrap" }, day);
  if (left <= 0) return h("span", {}, state("none", t("over")), " ", on);
  const near = left < 7 * 86400 && pack.available > 0;
  return h("span", {}, near ? state("warn", t("endsIn", { time: duration(left) })) : null, " ", on);
}

export function renderPacks({ packs, live, appId }) {
  if (!packs) return;
  const now = new Date(live.now);
  const mine = packs.packs.filter((pack) => pack.app_id === appId && (pack.source !== "overdraft" || pack.used + pack.doubt + pack.lost > 0));
  if (mine.length === 0) return fill(byId("packs"), h("p", { class: "empty" }, t("noPacks")));
  fill(byId("packs"), table([
    { name: t("pack"), of: name },
    { name: t("kind"), more: true, of: (pack) => term("kind", pack.kind) },
    { name: t("usage"), of: bar },
    { name: t("left"), right: true, of: (pack) => h("b", { "data-figure": `pack-${pack.pack_id}` }, number(pack.available)) },
    { name: t("units"), right: true, more: true, of: (pack) => number(pack.units) },
    { name: t("price"), right: true, more: true, of: (pack) => (pack.price_known ? yuan(pack.price_yuan) : t("priceUnknown")) },
    { name: t("ends"), right: true, of: (pack) => end(pack, now) },
  ], mine, t("packs")),
  h("div", { class: "legend" }, parts.filter(([column]) => mine.some((pack) => pack[column] > 0))
    .map(([column, swatch]) => h("span", {}, h("i", { "--swatch": `var(--${swatch})` }), t(`pack.${column}`)))));
}
