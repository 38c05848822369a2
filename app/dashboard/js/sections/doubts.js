// Codes of which nobody knows whether WeChat charged, and the dialog that resolves one.

import { post } from "../api.js";
import { byId, fill, h, state, table } from "../dom.js";
import { duration, moment, number, shortMoment } from "../format.js";
import { t, term } from "../i18n.js";

let doubt;
let resolved = () => {};

function open(row) {
  doubt = row;
  byId("resolve-form").reset();
  byId("resolve-title").textContent = t("resolveTitle", { id: row.id });
  byId("resolve-facts").textContent = [term("cause", row.cause), moment(new Date(row.created_at)), term("kind", row.kind),
    row.app_id, row.scene, row.request_id, row.rid ? `rid ${row.rid}` : null].filter(Boolean).join(" · ");
  byId("resolve-problem").hidden = true;
  byId("resolve").showModal();
}

async function submit(event) {
  event.preventDefault();
  const form = byId("resolve-form");
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const note = byId("resolve-note").value.trim();
    if (note === "") throw new Error(t("noteNeeded"));
    await post(`/api/consumptions/${doubt.id}/resolve`, { as: form.elements.as.value, note });
    byId("resolve").close();
    await resolved();
  } catch (error) {
    byId("resolve-problem").textContent = error.message;
    byId("resolve-problem").hidden = false;
  } finally {
    button.disabled = false;
  }
}

/** `done` is called when one was resolved. */
export function startDoubts(done) {
  resolved = done;
  byId("resolve-form").addEventListener("submit", submit);
  byId("resolve-cancel").addEventListener("click", () => byId("resolve").close());
}

const age = (row, now) => duration((now - new Date(row.since)) / 1000);

export function renderDoubts({ summary, live }) {
  if (!summary) return;
  const now = new Date(live.now);
  const total = summary.doubts_by_app.reduce((sum, row) => sum + row.in_doubt, 0);
  if (total === 0) return fill(byId("doubts"), h("p", { class: "empty" }, state("good", t("noDoubts"))));
  const severalApps = live.apps.length > 1;
  fill(byId("doubts"),
    table([
      { name: t("id"), of: (row) => String(row.id) },
      ...(severalApps ? [{ name: t("miniProgram"), more: true, of: (row) => h("span", { class: "mono" }, row.app_id) }] : []),
      { name: t("kind"), more: true, of: (row) => term("kind", row.kind) },
      { name: t("cause"), of: (row) => term("cause", row.cause) },
      { name: t("since"), of: (row) => h("span", {}, h("span", { class: "nowrap" }, shortMoment(new Date(row.since))), " ",
        h("span", { class: "nowrap quiet" }, age(row, now))) },
      { name: t("scene"), more: true, of: (row) => row.scene ?? "–" },
      { name: t("env"), more: true, of: (row) => term("env", row.client_env) },
      { name: t("request"), more: true, of: (row) => h("span", { class: "mono" }, row.request_id) },
      { name: "", hidden: t("resolve"), right: true, of: (row) => h("button", { type: "button", class: "plain", "data-key": `resolve-${row.id}`,
        "aria-label": t("resolveTitle", { id: row.id }), onclick: () => open(row) }, t("resolve")) },
    ], summary.doubts, t("doubts")),
    total > summary.doubts.length
      ? h("p", { class: "quiet" }, t("moreDoubts", { shown: number(summary.doubts.length), n: number(total) })) : null);
}
