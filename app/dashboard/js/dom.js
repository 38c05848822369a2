// Elements are made by hand; text is only ever text.

/** An element; attributes set to null or false are left out; children are elements or texts. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Puts `children` in the place of what is in `element`, and keeps the focus where it was by `data-key`. */
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = [...element.querySelectorAll("details[open]")].map((each) => each.dataset.key);
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  for (const each of element.querySelectorAll("details")) each.open = open.includes(each.dataset.key);
  if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/**
 * A table of `rows`. `columns`: {name, of(row), right?, more?}; what is `more` is left out on a narrow screen.
 * `label` is for those who do not see the heading above it.
 */
export function table(columns, rows, label) {
  const looks = (column) => [column.right ? "right" : null, column.more ? "more" : null].filter(Boolean).join(" ") || null;
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label },
    h("table", {},
      h("caption", { class: "sr" }, label),
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: looks(column) },
        column.name || h("span", { class: "sr" }, column.hidden))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((column) =>
        h("td", { class: looks(column) }, column.of(row))))))));
}

/** Buttons of which one is pressed. `choices`: [value, label]. */
export function fillSwitch(element, choices, chosen, choose) {
  fill(element, choices.map(([value, label]) =>
    h("button", { type: "button", "aria-pressed": String(value === chosen), "data-key": value,
      onclick: () => choose(value) }, label)));
}

/** A state as a sign and a word. `level`: good, warn, bad or none. */
export const state = (level, word) => h("span", { class: `state ${level}` }, word);
