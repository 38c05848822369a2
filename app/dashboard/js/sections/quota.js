// What is left, and how it went down.

import { key, lines, makeChart } from "../charts.js";
import { byId, fill, h, state } from "../dom.js";
import { number, share, shortMoment } from "../format.js";
import { t, term } from "../i18n.js";
import { colour } from "../theme.js";

let chart;
const hour_s = 3600;
const horizon_days_max = 45;

/** Of the packs in use, ours: units of it, and what is left. */
export function ourUnits({ packs, as_of: asOf }, appId, kind) {
  const now = new Date(asOf);
  const mine = packs.filter((pack) => pack.app_id === appId && pack.kind === kind);
  const open = mine.filter((pack) => pack.source !== "overdraft" && (!pack.ends_at || new Date(pack.ends_at) > now));
  return {
    left: mine.reduce((sum, pack) => sum + pack.available, 0),
    units: open.reduce((sum, pack) => sum + pack.units, 0),
  };
}

const levels = { ok: "good", low: "warn", exhausted: "bad", unknown: "none" };

const figure = (name, value, more, extra = "") => h("dl", { class: `figure ${extra}` },
  h("dt", {}, name), h("dd", {}, value, more ? h("small", {}, " ", more) : null));

function renderFigures({ live, packs, summary, forecast, appId, kind }) {
  const ours = ourUnits(packs, appId, kind);
  const wechat = summary.wechat_now.find((each) => each.app_id === appId && each.kind === kind);
  const quota = live.apps.find((each) => each.app_id === appId)?.quota.find((each) => each.kind === kind);
  const level = quota?.level ?? "unknown";
  fill(byId("quota"),
    h("dl", { class: "figure big" }, h("dt", {}, t("unitsLeft")),
      h("dd", {}, h("span", { "data-figure": "units-left" }, number(ours.left)),
        h("small", {}, ` / ${number(ours.units)} · ${share(ours.left, ours.units)}`))),
    h("dl", { class: "figure" }, h("dt", {}, t("pagesAreTold")),
      h("dd", {}, state(levels[level] ?? "none", term("level", level)))),
    wechat ? figure(t("wechatSays"), number(wechat.units_left), t("asOf", { time: shortMoment(new Date(wechat.as_of)) })) : null,
    forecast ? figure(t("lasts"), forecast.days_left === null || forecast.days_left === undefined
      ? t("notInSight") : t("aboutDays", { n: number(Math.floor(forecast.days_left)) }),
      forecast.a_day ? t("aDay", { n: number(Math.round(forecast.a_day)) }) : null) : null,
    forecast?.units_unused > 0 ? figure(t("willExpire"), number(forecast.units_unused), t("unused")) : null);
}

/** Each pack keeps what WeChat said last: sums at the times at which any of them was told. */
function wechatLine(rows) {
  const last = new Map();
  const times = [];
  const sums = [];
  for (const row of rows) {
    last.set(row.pack, row.units_left);
    const sum = [...last.values()].reduce((all, each) => all + each, 0);
    const at = Math.floor(row.at / 1000);
    if (times.at(-1) === at) sums[sums.length - 1] = sum;
    else { times.push(at); sums.push(sum); }
  }
  return { times, values: sums };
}

function ourLine(rows, now, left) {
  const times = rows.map((row) => Math.min(row.step / 1000 + hour_s, now));
  const values = rows.map((row) => row.units_left);
  if (times.at(-1) === now) values[values.length - 1] = left;
  else { times.push(now); values.push(left); }
  return { times, values };
}

/** From what is left now, at the forecast's rate, to nothing or to the edge of the chart. */
function forecastLine(forecast, now, left) {
  if (!forecast?.a_day || left <= 0) return { times: [], values: [] };
  const days = Math.min(left / forecast.a_day, horizon_days_max);
  return { times: [now, now + Math.round(days * 24 * hour_s)], values: [left, Math.max(0, left - days * forecast.a_day)] };
}

/** One table of times for lines that each have their own. */
function join(all) {
  const times = [...new Set(all.flatMap((each) => each.times))].sort((a, b) => a - b);
  const column = (line) => {
    const at = new Map(line.times.map((time, i) => [time, line.values[i]]));
    return times.map((time) => at.get(time) ?? undefined);
  };
  return [times, ...all.map(column)];
}

function drawing({ packs, history, forecast, appId, kind }) {
  const now = Math.floor(history.now / 1000);
  const { left } = ourUnits(packs, appId, kind);
  const ours = ourLine(history.units_left, now, left);
  const wechat = wechatLine(history.wechat_left);
  const ahead = forecastLine(forecast, now, left);
  if (ours.times.length < 2 && wechat.times.length < 2) return null;
  const data = join([ours, wechat, ahead]);
  const from = Math.max(data[0][0], history.first_day / 1000);
  const to = Math.max(now, ahead.times.at(-1) ?? now);
  const words = (i) => [shortMoment(new Date(data[0][i] * 1000)),
    ...[t("byLedger"), t("byWeChat"), t("forecast")].map((name, j) => [name, data[j + 1][i]])
      .filter(([, value]) => value !== undefined).map(([name, value]) => `${name} ${number(Math.round(value))}`)];
  const made = lines({
    height: 250, data, words, xRange: [from, Math.max(to, from + hour_s)],
    series: [
      { name: t("byLedger"), colour: colour("ok"), kind: "step", filled: true },
      { name: t("byWeChat"), colour: colour("wechat"), kind: "points" },
      { name: t("forecast"), colour: colour("forecast"), kind: "line", dashed: true },
    ],
  });
  const byDay = history.units_left.filter((row, i, rows) =>
    i + 1 === rows.length || Math.floor((row.step + 8 * 3.6e6) / 8.64e7) !== Math.floor((rows[i + 1].step + 8 * 3.6e6) / 8.64e7));
  return {
    ...made,
    label: t("quotaChart", { n: number(left) }),
    legend: [key(t("byLedger"), "var(--ok)", "line"), key(t("byWeChat"), "var(--wechat)", "dot"),
      ahead.times.length > 0 ? key(t("forecast"), "var(--forecast)", "dashed") : null].filter(Boolean),
    table: {
      columns: [
        { name: t("time"), of: (row) => shortMoment(new Date(row.step + 3.6e6)) },
        { name: t("unitsLeft"), right: true, of: (row) => number(row.units_left) },
        { name: t("bought"), right: true, of: (row) => number(row.bought) },
        { name: t("expired"), right: true, of: (row) => number(row.expired) },
      ],
      rows: byDay.slice().reverse(),
    },
  };
}

export function renderQuota(data) {
  if (!data.packs || !data.summary) return;
  renderFigures(data);
  chart ??= makeChart(byId("quota-chart"));
  if (!data.history) return chart.draw(null, data.problems.history ?? t("reading"));
  chart.draw(drawing(data), t("nothingYet"));
}
