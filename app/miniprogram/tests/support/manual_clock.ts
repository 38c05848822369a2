interface Timer {
  id: number;
  atMs: number;
  action: () => void;
}

const realImmediate = setImmediate;

/** Everything that is ready has run, promises of promises included. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise<void>((resolve) => realImmediate(resolve));
}

/** Time that stands still until it is told: stands in for Date.now and setTimeout. */
export class ManualClock {
  nowMs = 1_790_000_000_000;
  private timers: Timer[] = [];
  private made = 0;

  constructor() {
    Date.now = () => this.nowMs;
    const begin = (action: () => void, delayMs = 0): number => {
      this.made += 1;
      this.timers.push({ id: this.made, atMs: this.nowMs + delayMs, action });
      return this.made;
    };
    const end = (id: number): void => {
      this.timers = this.timers.filter((timer) => timer.id !== id);
    };
    Object.assign(globalThis, { setTimeout: begin, clearTimeout: end });
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await settled();
    for (;;) {
      const [next] = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.action();
      await settled();
    }
    this.nowMs = untilMs;
  }

  /** The phone's clock is set; what was planned comes when it would have come. */
  setBack(ms: number): void {
    this.nowMs -= ms;
    for (const timer of this.timers) timer.atMs -= ms;
  }

  /** What was planned is forgotten, as when the app is closed. */
  forgetTimers(): void {
    this.timers = [];
  }
}
