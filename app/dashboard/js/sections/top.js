// Who takes the most codes: digests, never names or addresses.

import { byId, fill, h, table } from "../dom.js";
import { number } from "../format.js";
import { t } from "../i18n.js";

const list = (title, name, rows, of) => h("div", {}, h("h3", {}, title), table([
  { name, of: (row) => h("span", { class: "mono" }, of(row).slice(0, 16)) },
  { name: t("codesCount"), right: true, of: (row) => number(row.codes) },
], rows.slice(0, 8), title));

export function renderTop({ top, appId }) {
  const users = (top?.users ?? []).filter((row) => row.appid === appId);
  const addresses = top?.addresses ?? [];
  byId("top-section").hidden = users.length + addresses.length === 0;
  fill(byId("top"), list(t("topUsers"), t("user"), users, (row) => row.user),
    list(t("topAddresses"), t("address"), addresses, (row) => row.address));
}
