// The newest codes; numbers are masked in the ledger already.

import { byId, fill, h, state, table } from "../dom.js";
import { moment } from "../format.js";
import { t, term } from "../i18n.js";

const levels = { ok: "good", rejected: "none", retryable: "warn", in_doubt: "warn", lost: "bad", free: "none", sending: "none" };

export function renderCodes({ codes }) {
  if (!codes) return;
  const rows = codes.consumptions;
  if (rows.length === 0) return fill(byId("codes"), h("p", { class: "empty" }, t("nothingYet")));
  fill(byId("codes"), table([
    { name: t("id"), more: true, of: (row) => String(row.id) },
    { name: t("time"), of: (row) => h("span", { class: "nowrap" }, moment(new Date(row.created_at))) },
    { name: t("outcome"), of: (row) => state(levels[row.state] ?? "none", term("state", row.state)) },
    { name: t("number"), of: (row) => row.phone_mask ?? "–" },
    { name: t("cause"), more: true, of: (row) => (row.cause ? term("cause", row.cause) : row.errcode ? String(row.errcode) : "–") },
    { name: t("scene"), more: true, of: (row) => row.scene ?? "–" },
    { name: t("env"), more: true, of: (row) => term("env", row.client_env) },
    { name: t("request"), more: true, of: (row) => h("span", { class: "mono" }, row.request_id) },
  ], rows, t("codes")));
}
