// Chinese and English.

import { english } from "./words/en.js";
import { chinese } from "./words/zh.js";

const key = "onetap-language";
const words = { zh: chinese, en: english };
let current = "zh";

export const language = () => current;

/** The words for `name`, with {n} and the like filled in. What has no words is shown as it is. */
export function t(name, values = {}) {
  const text = words[current][name] ?? words.en[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (all, each) => String(values[each] ?? all));
}

/** The words for a value of the server's, such as a state; the value itself where it is new. */
export const term = (group, value) => words[current][`${group}.${value}`] ?? value;

export function setLanguage(next) {
  current = next;
  localStorage.setItem(key, next);
  apply();
}

export function startLanguage() {
  const kept = localStorage.getItem(key);
  const asked = (navigator.language ?? "zh").toLowerCase().startsWith("zh") ? "zh" : "en";
  current = kept === "zh" || kept === "en" ? kept : asked;
  apply();
}

function apply() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-t-label]"))
    each.setAttribute("aria-label", t(each.dataset.tLabel));
}
