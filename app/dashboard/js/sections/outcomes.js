// What became of the codes, and why, over time.

import { key, makeChart, stack } from "../charts.js";
import { byId, fill, fillSwitch, h, state, table } from "../dom.js";
import { minute, number, share, shortDay, shortMoment } from "../format.js";
import { t, term } from "../i18n.js";
import { colour } from "../theme.js";

const states = [["ok", "ok"], ["rejected", "rejected"], ["retryable", "retryable"], ["in_doubt", "in-doubt"],
  ["lost", "lost"], ["free", "free"]];
const swatchOf = (name) => states.find(([each]) => each === name)?.[1] ?? "rejected";
const choice = { range: "hours", scope: "all" };
let chart;

function steps(history) {
  const length = choice.range === "hours" ? 3_600_000 : 86_400_000;
  const first = choice.range === "hours" ? history.first_hour : history.first_day;
  const times = [];
  for (let at = first; at <= history.now; at += length) times.push(at);
  return { length, times };
}

function series(history) {
  const { length, times } = steps(history);
  const place = new Map(times.map((time, i) => [time, i]));
  const all = states.map(([name, swatch]) => ({ state: name, swatch, values: times.map(() => 0) }));
  for (const row of history[choice.range]) {
    const of = all.find((each) => each.state === row.state);
    const at = place.get(row.step);
    if (of && at !== undefined) of.values[at] += row.codes;
  }
  const shown = choice.scope === "all" ? all : all.filter((each) => each.state !== "ok");
  return { length, times, shown, all };
}

const sum = (values) => values.reduce((all, each) => all + each, 0);

function drawing(history) {
  const { length, times, shown } = series(history);
  if (shown.every((each) => sum(each.values) === 0)) return null;
  const name = (at) => (choice.range === "hours"
    ? `${shortDay(new Date(at))} ${minute(new Date(at))}–${minute(new Date(at + length))}` : shortDay(new Date(at)));
  const present = shown.filter((each) => sum(each.values) > 0);
  return {
    ...stack({
      height: 230, times: times.map((at) => at / 1000), step: length / 1000,
      series: present.map((each) => ({ name: term("state", each.state), colour: colour(each.swatch), values: each.values })),
      words: (i) => [name(times[i]), ...present.filter((each) => each.values[i] > 0)
        .map((each) => `${term("state", each.state)} ${number(each.values[i])}`)],
    }),
    label: t(choice.range === "hours" ? "outcomesChartHours" : "outcomesChartDays"),
    legend: present.map((each) => key(term("state", each.state), `var(--${each.swatch})`, "", number(sum(each.values)))),
    table: {
      columns: [{ name: t("time"), of: (i) => name(times[i]) }, ...present.map((each) => ({
        name: term("state", each.state), right: true, of: (i) => number(each.values[i]) }))],
      rows: times.map((_, i) => i).reverse(),
    },
  };
}

/** The causes behind what is no number, the most frequent first. */
function causes(history) {
  const counts = new Map();
  let codes = 0;
  for (const row of history[choice.range]) {
    codes += row.codes;
    if (row.state === "ok" || row.state === "sending") continue;
    const name = `${row.state} ${row.cause}`;
    const count = counts.get(name) ?? { state: row.state, cause: row.cause, codes: 0, last: 0 };
    count.codes += row.codes;
    count.last = Math.max(count.last, row.step);
    counts.set(name, count);
  }
  return { codes, rows: [...counts.values()].sort((a, b) => b.codes - a.codes) };
}

function renderCauses(history) {
  byId("causes-range").textContent = t(choice.range === "hours" ? "last48h" : "last30d");
  const { codes, rows } = causes(history);
  if (rows.length === 0) return fill(byId("causes"), h("p", { class: "empty" }, state("good", t("noFailures"))));
  fill(byId("causes"), table([
    { name: t("outcome"), of: (row) => h("span", { class: "outcome" }, h("i", { "--swatch": `var(--${swatchOf(row.state)})` }),
      h("span", {}, term("state", row.state), h("small", { class: "quiet" }, row.cause === "" ? t("byWeChatItself") : term("cause", row.cause)))) },
    { name: t("lastSeen"), right: true, more: true, of: (row) => h("span", { class: "nowrap quiet" }, choice.range === "hours"
      ? shortMoment(new Date(row.last)) : shortDay(new Date(row.last))) },
    { name: t("codesCount"), right: true, of: (row) => h("span", { class: "nowrap" }, number(row.codes),
      h("small", { class: "quiet" }, ` ${share(row.codes, codes)}`)) },
  ], rows.slice(0, 8), t("causes")));
}

export function renderOutcomes(data) {
  const again = (name) => (value) => { choice[name] = value; renderOutcomes(data); };
  fillSwitch(byId("outcomes-range"), [["hours", t("last48h")], ["days", t("last30d")]], choice.range, again("range"));
  fillSwitch(byId("outcomes-scope"), [["all", t("allCodes")], ["failed", t("failedOnly")]], choice.scope, again("scope"));
  chart ??= makeChart(byId("outcomes-chart"));
  if (!data.history) return chart.draw(null, data.problems.history ?? t("reading"));
  chart.draw(drawing(data.history), t(choice.scope === "all" ? "nothingYet" : "noFailures"));
  renderCauses(data.history);
}
