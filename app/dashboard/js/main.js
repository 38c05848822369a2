// The page: what it asks, what is chosen, and who draws what.

import { get, onTokenWanted, useToken } from "./api.js";
import { byId, fill, fillSwitch, h } from "./dom.js";
import { second } from "./format.js";
import { language, setLanguage, startLanguage, t, term } from "./i18n.js";
import { follow } from "./live.js";
import { paced } from "./pace.js";
import { renderAlarms } from "./sections/alarms.js";
import { renderCodes } from "./sections/codes.js";
import { renderDoubts, startDoubts } from "./sections/doubts.js";
import { renderFunnel } from "./sections/funnel.js";
import { renderHealth } from "./sections/health.js";
import { renderLatency } from "./sections/latency.js";
import { renderOutcomes } from "./sections/outcomes.js";
import { renderPacks } from "./sections/packs.js";
import { renderQuota } from "./sections/quota.js";
import { renderReconciliation, startReconciliation } from "./sections/reconciliation.js";
import { renderTop } from "./sections/top.js";
import { isDark, startTheme, toggleTheme } from "./theme.js";

const data = { kind: "quick", problems: {} };
const query = () => `?${new URLSearchParams({ app: data.appId, kind: data.kind })}`;
// Of all mini programs; and of the one that is chosen.
const ofAll = {
  summary: paced(() => get("/api/summary")),
  packs: paced(() => get("/api/packs")),
  forecasts: paced(() => get("/api/forecast")),
  alarms: paced(() => get("/api/alarms")),
  reconciliation: paced(() => get("/api/reconciliation")),
  top: paced(() => get("/api/top")),
};
const ofChosen = {
  history: paced((chosenQuery) => get(`/api/history${chosenQuery}`)),
  codes: paced((chosenQuery) => get(`/api/consumptions${chosenQuery}&limit=12`)),
};
let lookAgain = () => {};
let standing = { state: "live", at: new Date() };

/** A forecast as the sections want it, of what is chosen. */
function forecastOf(all) {
  const mine = all?.forecasts?.find((each) => each.appid === data.appId && each.kind === data.kind);
  if (!mine?.metered) return null;
  return { days_left: mine.daysLeft, units_unused: mine.unitsUnused,
    a_day: Math.max(mine.unitsADay?.ours ?? 0, mine.unitsADay?.wechat ?? 0) };
}

/** Mini program and kind: what was chosen, else what has most to show. */
function choose() {
  const apps = data.live.apps.map((app) => app.app_id);
  if (apps.includes(data.appId)) return;
  const hash = new URLSearchParams(location.hash.slice(1));
  const busiest = [...(data.summary?.today ?? [])].sort((a, b) => b.codes - a.codes).find((row) => apps.includes(row.app_id));
  const pack = data.packs?.packs.find((each) => apps.includes(each.app_id) && each.available > 0);
  data.appId = apps.find((app) => app === hash.get("app")) ?? busiest?.app_id ?? pack?.app_id ?? apps[0];
  data.kind = ["quick", "realtime"].find((kind) => kind === hash.get("kind")) ?? busiest?.kind ?? pack?.kind ?? "quick";
}

function chosen() {
  history.replaceState(null, "", `#${new URLSearchParams({ app: data.appId, kind: data.kind })}`);
  data.forecast = forecastOf(data.forecasts);
  for (const name of Object.keys(ofChosen)) data[name] = undefined;
  draw();
  lookAgain();
}

function drawChoice() {
  const apps = data.live.apps.map((app) => app.app_id);
  byId("app-choice").hidden = apps.length < 2;
  byId("app-name").hidden = apps.length >= 2;
  byId("app-name").textContent = data.appId;
  if ([...byId("app").options].map((each) => each.value).join() !== apps.join())
    fill(byId("app"), apps.map((app) => h("option", { value: app }, app)));
  byId("app").value = data.appId;
  fillSwitch(byId("kinds"), ["quick", "realtime"].map((kind) => [kind, term("kind", kind)]), data.kind,
    (kind) => { data.kind = kind; chosen(); });
}

function drawTools() {
  for (const each of ["zh", "en"]) byId(each).setAttribute("aria-pressed", String(language() === each));
  byId("theme").textContent = t(isDark() ? "light" : "dark");
}

/** What stands there is said to be old when it is. */
function drawStanding() {
  const { state, at, error } = standing;
  const words = { live: "live", paused: "paused", stale: "stale" };
  byId("live").dataset.state = state;
  byId("live").textContent = t(words[state], { time: second(at) });
  byId("stale").hidden = state !== "stale";
  if (state !== "stale") return;
  byId("stale").textContent = error?.status ? t("staleRefused", { time: second(at), why: error.message })
    : t("staleGone", { time: second(at) });
}

function draw() {
  drawTools();
  drawStanding();
  if (!data.live) return;
  byId("version").textContent = data.live.version;
  byId("sandbox").hidden = !data.live.sandbox;
  drawChoice();
  renderHealth(data);
  renderAlarms(data);
  renderQuota(data);
  renderFunnel(data);
  renderOutcomes(data);
  renderLatency(data);
  renderDoubts(data);
  renderPacks(data);
  renderReconciliation(data);
  renderCodes(data);
  renderTop(data);
}

/** Puts what `parts` read into `data`; true when some of it is new. What takes too long just now stays as it was. */
async function read(parts, revision, of = "") {
  const found = await Promise.all(Object.entries(parts).map(async ([name, part]) => {
    try {
      return [name, await part.read(revision, of), null];
    } catch (error) {
      if (error.status !== 503) throw error;
      return [name, data[name], error.message];
    }
  }));
  if (of !== "" && of !== query()) return false;  // another was chosen meanwhile
  const isNew = found.some(([name, value, problem]) => data[name] !== value || (data.problems[name] ?? null) !== problem);
  for (const [name, value, problem] of found) {
    data[name] = value;
    data.problems[name] = problem;
  }
  return isNew;
}

async function changed(live) {
  const isFirst = !data.live;
  data.live = live;
  const isNew = await read(ofAll, live.revision);
  choose();
  data.forecast = forecastOf(data.forecasts);
  const isNewToo = await read(ofChosen, live.revision, query());
  if (isFirst || isNew || isNewToo) draw();
  else renderHealth(data);
}

function told(state, at, error) {
  const isNews = state !== standing.state;
  standing = { state, at, error };
  if (isNews || state === "live") drawStanding();
}

/** After something was done here, what it changed is read at once. */
async function readNow() {
  for (const part of [...Object.values(ofAll), ...Object.values(ofChosen)]) part.hurry();
  await changed(await get("/api/live"));
}

function startSignIn() {
  onTokenWanted((wasRefused) => {
    byId("sign-in-problem").hidden = !wasRefused;
    byId("sign-in-problem").textContent = t("tokenWrong");
    if (!byId("sign-in").open) byId("sign-in").showModal();
  });
  byId("sign-in").addEventListener("cancel", (event) => event.preventDefault());
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useToken(byId("token").value.trim());
    byId("token").value = "";
    byId("sign-in").close();
    lookAgain();
  });
}

startLanguage();
startTheme(draw);
startSignIn();
startDoubts(readNow);
startReconciliation(readNow);
for (const each of ["zh", "en"]) byId(each).addEventListener("click", () => { setLanguage(each); draw(); });
byId("theme").addEventListener("click", () => { toggleTheme(); draw(); });
byId("app").addEventListener("change", () => { data.appId = byId("app").value; chosen(); });
drawTools();
lookAgain = follow(() => get("/api/live"), changed, told);
