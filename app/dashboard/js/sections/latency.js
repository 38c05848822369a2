// How long an exchange takes, by the ledger: from the code's arrival until its outcome was durable.

import { key, lines, makeChart } from "../charts.js";
import { byId, fill, h } from "../dom.js";
import { milliseconds, number, shortMoment } from "../format.js";
import { t } from "../i18n.js";
import { colour } from "../theme.js";

let chart;
const percentiles = [["p50_ms", "p50", "free"], ["p90_ms", "p90", "in-doubt"], ["p99_ms", "p99", "retryable"]];

function renderFigures(history) {
  const today = history.latency_today.at(-1);
  fill(byId("latency"), h("div", { class: "figures" },
    percentiles.map(([column, name]) => h("dl", { class: "figure" }, h("dt", {}, name),
      h("dd", { "data-figure": column }, milliseconds(today?.[column])))),
    h("dl", { class: "figure" }, h("dt", {}, t("codesCount")), h("dd", {}, number(today?.codes ?? 0)))));
}

function drawing(history) {
  const rows = history.latency;
  if (rows.length < 2) return null;
  const steps = [];
  for (let at = history.first_hour; at <= history.now; at += 3_600_000) steps.push(at);
  const of = new Map(rows.map((row) => [row.step, row]));
  const data = [steps.map((at) => at / 1000),
    ...percentiles.map(([column]) => steps.map((at) => of.get(at)?.[column] ?? null))];
  return {
    ...lines({
      height: 190, data, format: (value) => (value >= 1000 ? `${value / 1000}s` : `${value}ms`),
      words: (i) => [shortMoment(new Date(steps[i])), ...percentiles.map(([, name], j) =>
        `${name} ${milliseconds(data[j + 1][i])}`)],
      series: percentiles.map(([, name, swatch]) => ({ name, colour: colour(swatch), kind: "line", width: 1.5, spanGaps: false })),
    }),
    label: t("latencyChart"),
    legend: percentiles.map(([, name, swatch]) => key(name, `var(--${swatch})`, "line")),
    table: {
      columns: [
        { name: t("time"), of: (row) => shortMoment(new Date(row.step)) },
        { name: t("codesCount"), right: true, of: (row) => number(row.codes) },
        ...[...percentiles, ["max_ms", t("max")]].map(([column, name]) => (
          { name, right: true, of: (row) => milliseconds(row[column]) })),
      ],
      rows: rows.slice().reverse(),
    },
  };
}

export function renderLatency({ history, problems }) {
  chart ??= makeChart(byId("latency-chart"));
  if (!history) return chart.draw(null, problems.history ?? t("reading"));
  renderFigures(history);
  chart.draw(drawing(history), t("nothingYet"));
}
