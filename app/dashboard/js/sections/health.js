// How the server is: token, breaker, storage, certificate.

import { byId, fill, h, state } from "../dom.js";
import { bytes, duration, lastDay, number } from "../format.js";
import { t, term } from "../i18n.js";

const chip = (key, name, level, word, more) => h("li", { class: "chip", "data-chip": key },
  h("b", {}, name), state(level, word), more ? h("small", {}, more) : null);

function server(live) {
  const more = t("upFor", { time: duration((new Date(live.now) - new Date(live.started)) / 1000) });
  if (live.unready.length === 0) return chip("server", t("server"), "good", t("ready"), more);
  return chip("server", t("server"), "bad", t("notReady"), live.unready.join("; "));
}

function token({ token: held }) {
  if (held.held) return ["good", t("tokenHeld"), t("validFor", { time: duration(held.seconds_left) })];
  return held.misconfigured ? ["bad", t("tokenRefused"), t("seeLog")] : ["warn", t("tokenNone"), null];
}

function breaker({ breaker: circuit, in_flight: inFlight }) {
  if (circuit.position === "closed") return ["good", t("breakerClosed"), t("underWay", { n: number(inFlight) })];
  return [circuit.position === "open" ? "bad" : "warn", t(circuit.position === "open" ? "breakerOpen" : "breakerTrial"),
    term("outage", circuit.cause)];
}

function storage(live, summary) {
  const size = summary ? t("storageSize", { db: bytes(summary.database_bytes), wal: bytes(summary.wal_bytes) }) : null;
  if (!live.storage.writable) return chip("storage", t("storage"), "bad", t("storageNot"), size);
  if (live.storage.queued > 500) {
    return chip("storage", t("storage"), "warn", t("storageQueue", { n: number(live.storage.queued) }), size);
  }
  return chip("storage", t("storage"), "good", t("storageOk"), size);
}

function certificate(live) {
  const name = t("certificate");
  if (!live.certificate) return chip("certificate", name, "none", t("certificateNone"), null);
  const days = Math.floor((new Date(live.certificate.until) - new Date(live.now)) / 86_400_000);
  const until = t("until", { day: lastDay(live.certificate.until) });
  if (days < 0) return chip("certificate", name, "bad", t("certificateOver"), until);
  return chip("certificate", name, days < 14 ? "warn" : "good", t("days", { n: days }), until);
}

export function renderHealth({ live, summary, appId }) {
  const app = live.apps.find((each) => each.app_id === appId) ?? live.apps[0];
  fill(byId("health"),
    server(live),
    chip("token", t("accessToken"), ...token(app)),
    chip("breaker", t("breaker"), ...breaker(app)),
    storage(live, summary),
    certificate(live));
}
