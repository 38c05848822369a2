// What the operator is told of without asking.

import { byId, fill, h, state } from "../dom.js";
import { moment } from "../format.js";
import { language, t, term } from "../i18n.js";

const particulars = (alarm) => [alarm.appid, alarm.kind && term("kind", alarm.kind), alarm.what].filter(Boolean).join(" · ");

const row = (alarm) => h("li", {},
  state(alarm.endedAt ? "none" : alarm.severity === "critical" ? "bad" : "warn", term("alarm", alarm.alarm)),
  h("span", {}, language() === "zh" ? alarm.zh : alarm.en),
  h("span", { class: "quiet" }, [particulars(alarm), moment(new Date(alarm.raisedAt * 1000)),
    alarm.endedAt ? t("endedAt", { time: moment(new Date(alarm.endedAt * 1000)) }) : null].filter(Boolean).join(" · ")));

export function renderAlarms({ alarms }) {
  const over = (alarms?.last ?? []).filter((alarm) => alarm.endedAt).reverse().slice(0, 10);
  const active = alarms?.active ?? [];
  byId("alarms-section").hidden = active.length + over.length === 0;
  fill(byId("alarms"), active.map(row), active.length > 0 ? null : h("li", {}, state("good", t("noAlarms"))),
    over.length === 0 ? null : h("li", {}, h("details", { "data-key": "over" }, h("summary", {}, t("pastAlarms", { n: over.length })),
      h("ul", { class: "alarms" }, over.map(row)))));
}
