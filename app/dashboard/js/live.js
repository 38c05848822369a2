// One small question every few seconds, while somebody looks.

const rhythm = 3_000;

/**
 * Asks `ask` again and again; tells `changed` of each answer and `told` of how it goes: "live", "paused" (nobody
 * looks) or "stale" (no answer since the given time).
 */
export function follow(ask, changed, told) {
  let timer;
  let underWay = false;
  let answeredAt = new Date();

  async function look() {
    clearTimeout(timer);
    if (underWay) return;
    if (document.hidden) return told("paused", answeredAt);
    underWay = true;
    try {
      const answer = await ask();
      answeredAt = new Date();
      told("live", answeredAt);
      await changed(answer);
    } catch (error) {
      if (error.status !== 401) told("stale", answeredAt, error);
    } finally {
      underWay = false;
      timer = setTimeout(look, rhythm);
    }
  }

  document.addEventListener("visibilitychange", look);
  look();
  return look;
}
