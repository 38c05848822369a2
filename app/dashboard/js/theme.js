// The system's theme, unless a person has chosen one here.

const key = "onetap-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

export function startTheme(changed) {
  const kept = localStorage.getItem(key);
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  system.addEventListener("change", changed);
}

export function toggleTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem(key, next);
}

/** The value of a colour of css/theme.css. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
