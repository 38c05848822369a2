// Line and stacked charts by uPlot. Each has a legend in words and a table of the same figures.

import { h, table } from "./dom.js";
import { minute, shortDay } from "./format.js";
import { t } from "./i18n.js";
import { colour } from "./theme.js";

const hour = 3600;
const day = 24 * hour;
const china = 8 * hour;

// Steps that begin with China's hours and days, so that a tick is where a day begins there.
function ticks(_plot, _axis, from, to, increment) {
  const found = [];
  for (let at = Math.ceil((from + china) / increment) * increment - china; at <= to; at += increment) found.push(at);
  return found;
}

function tickWords(_plot, splits, _axis, _space, increment) {
  return splits.map((at) => {
    const time = new Date(at * 1000);
    return increment >= day || (at + china) % day === 0 ? shortDay(time) : minute(time);
  });
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function axes(format) {
  const stroke = colour("quiet");
  const grid = { stroke: colour("grid"), width: 1 };
  const font = "11px system-ui, sans-serif";
  return [
    { stroke, font, grid: { show: false }, ticks: { show: false }, size: 28, space: 48, splits: ticks, values: tickWords,
      incrs: [hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 5 * day, 10 * day, 15 * day, 30 * day] },
    { stroke, font, grid, ticks: { show: false }, size: 46, space: 34,
      values: (_plot, splits) => splits.map(format ?? ((value) => compact.format(value))) },
  ];
}

const translucent = (hex, alpha) => `${hex}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;

/** Draws once its element is on the page, and anew when its width changes. */
class Chart {
  constructor(element) {
    this.plotElement = h("div", { class: "plot", role: "img" });
    this.legend = h("div", { class: "legend" });
    this.figures = h("div");
    element.replaceChildren(this.plotElement, this.legend, this.figures);
    new ResizeObserver(() => {
      const width = this.plotElement.clientWidth;
      if (this.plot && width > 0) this.plot.setSize({ width, height: this.height });
    }).observe(this.plotElement);
  }

  /** `drawing`: {options, data, label, legend, table: {columns, rows}}, or null: there is nothing to draw. */
  draw(drawing, emptyWords) {
    this.plot?.destroy();
    this.plot = undefined;
    const open = this.figures.querySelector("details")?.open ?? false;
    this.plotElement.hidden = drawing === null;
    if (drawing === null) {
      this.legend.replaceChildren();
      this.figures.replaceChildren(h("p", { class: "empty" }, emptyWords));
      return;
    }
    this.height = drawing.options.height;
    this.plotElement.setAttribute("aria-label", drawing.label);
    this.legend.replaceChildren(...drawing.legend);
    this.figures.replaceChildren(h("details", { open }, h("summary", {}, t("asTable")),
      table(drawing.table.columns, drawing.table.rows, drawing.label)));
    const width = Math.max(this.plotElement.clientWidth, 200);
    this.plot = new window.uPlot({ width, legend: { show: false }, ...drawing.options }, drawing.data,
      this.plotElement);
  }
}

export const makeChart = (element) => new Chart(element);

/** A key of the legend. `shape`: "", "line", "dashed" or "dot". */
export const key = (name, swatch, shape, value) => h("span", {},
  h("i", { class: shape || null, "--swatch": swatch }), name, value === undefined ? null : h("b", {}, value));

const cursor = { y: false, drag: { x: false, y: false }, points: { size: 6 } };

/** What the pointer is at, in words, in a box beside it. */
function tooltip(words) {
  const box = h("div", { class: "tip", hidden: true });
  return {
    hooks: {
      init: (plot) => plot.over.append(box),
      setCursor: (plot) => {
        const { idx, left } = plot.cursor;
        box.hidden = idx === null || idx === undefined || left < 0;
        if (box.hidden) return;
        box.replaceChildren(...words(idx).map((line) => h("div", {}, line)));
        const right = left > plot.over.clientWidth / 2;
        box.style.left = right ? "" : `${left + 12}px`;
        box.style.right = right ? `${plot.over.clientWidth - left + 12}px` : "";
      },
    },
  };
}

/** Steps and lines over time; `series`: {name, colour, kind: "step" | "line" | "points", dashed?, filled?}. */
export function lines({ height, data, series, format, words, range, xRange }) {
  const { linear, stepped } = window.uPlot.paths;
  return {
    data,
    options: {
      height,
      cursor,
      axes: axes(format),
      scales: {
        x: { time: true, range: xRange ? () => xRange : undefined },
        y: { range: range ?? ((_plot, _from, to) => [0, to > 0 ? to * 1.08 : 1]) },
      },
      plugins: words ? [tooltip(words)] : [],
      series: [{}, ...series.map((each) => ({
        label: each.name,
        stroke: each.colour,
        width: each.width ?? 2,
        dash: each.dashed ? [6, 5] : undefined,
        fill: each.filled ? translucent(each.colour, 0.13) : undefined,
        spanGaps: each.spanGaps ?? true,
        paths: { step: stepped({ align: 1 }), line: linear(), points: () => null }[each.kind],
        points: { show: each.kind === "points", size: innerWidth < 640 ? 3 : 4.5, width: 1.25, fill: colour("card"), stroke: each.colour },
      }))],
    },
  };
}

/** Columns on columns; `series`: {name, colour, values}. */
export function stack({ height, times, step, series, words }) {
  const sums = times.map(() => 0);
  const heaps = series.map((each) => each.values.map((value, i) => (sums[i] += value)));
  const bars = window.uPlot.paths.bars({ size: [0.82, 40], align: 1 });
  return {
    data: [times, ...heaps.slice().reverse()],
    options: {
      height,
      cursor: { ...cursor, points: { show: false } },
      axes: axes(),
      scales: {
        x: { time: true, range: () => [times[0], times[times.length - 1] + step] },
        y: { range: (_plot, _from, to) => [0, Math.max(to * 1.08, 4)] },
      },
      plugins: [tooltip(words)],
      series: [{}, ...series.slice().reverse().map((each) => ({
        label: each.name, stroke: each.colour, fill: each.colour, width: 0, paths: bars, points: { show: false },
      }))],
    },
  };
}
