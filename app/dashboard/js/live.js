// One small question every few seconds, while somebody looks.

import { ApiError } from "./api.js";

const rhythm = 3_000;

/**
 * Asks `ask` again and again; tells `changed` of each answer and `told` of how it goes: "live", "paused" (nobody
 * looks) or "stale" (no answer since the given time). Returns what makes it ask at once.
 */
export function follow(ask, changed, told) {
  let timer;
  let underWay = false;
  let again = false;
  let answeredAt = new Date();

  async function look() {
    clearTimeout(timer);
    again = underWay;
    if (underWay) return;
    if (document.hidden) return told("paused", answeredAt);
    underWay = true;
    let isWelcome = true;  // without a token there is nothing to be had by asking
    try {
      const answer = await ask();
      answeredAt = new Date();
      told("live", answeredAt);
      await changed(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      isWelcome = error.status !== 401;
      if (isWelcome) told("stale", answeredAt, error);
    } finally {
      underWay = false;
      if (isWelcome) timer = setTimeout(look, again ? 0 : rhythm);
    }
  }

  document.addEventListener("visibilitychange", look);
  look();
  return look;
}
