// How numbers and times are written. Days are China's, as WeChat's are.

import { language, t } from "./i18n.js";

const zone = "Asia/Shanghai";
const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

export const number = (value) => new Intl.NumberFormat(locale()).format(value);
export const share = (part, whole) => (whole > 0
  ? new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 1 }).format(part / whole) : "–");
export const yuan = (value) => `¥${new Intl.NumberFormat(locale(),
  { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value)}`;

export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), units.length - 1);
  return `${(value / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 1000 ? `${value} ms` : `${(value / 1000).toFixed(2)} s`;
}

/** "3 d", "5 h", "12 min", "40 s" */
export function duration(seconds) {
  if (seconds >= 2 * 86400) return t("days", { n: Math.floor(seconds / 86400) });
  if (seconds >= 2 * 3600) return t("hours", { n: Math.floor(seconds / 3600) });
  if (seconds >= 120) return t("minutes", { n: Math.floor(seconds / 60) });
  return t("seconds", { n: Math.max(0, Math.floor(seconds)) });
}

function parts(time) {
  const made = new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit",
    day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(time);
  return Object.fromEntries(made.map(({ type, value }) => [type, value]));
}

/** "2026-11-23" */
export function day(time) { const p = parts(time); return `${p.year}-${p.month}-${p.day}`; }
/** "11-23" */
export function shortDay(time) { const p = parts(time); return `${p.month}-${p.day}`; }
/** "17:03" */
export function minute(time) { const p = parts(time); return `${p.hour}:${p.minute}`; }
/** "17:03:21" */
export function second(time) { const p = parts(time); return `${p.hour}:${p.minute}:${p.second}`; }
/** "11-23 17:03:21" */
export const moment = (time) => `${shortDay(time)} ${second(time)}`;
/** "11-23 17:03" */
export const shortMoment = (time) => `${shortDay(time)} ${minute(time)}`;
/** The last day before a time that ends something. */
export const lastDay = (iso) => day(new Date(new Date(iso).getTime() - 1000));
