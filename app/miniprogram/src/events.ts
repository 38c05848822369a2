import { sha256Hex } from './digest';
import { randomId } from './random';
import { load, save } from './storage';
import { Timer } from './timer';
import type { Answer } from './transport';
import type { FunnelEvent } from './types';

/** With the phone's clock, whose offset may not be known yet. */
type StoredEvent = Omit<FunnelEvent, 'at'> & { atMs: number };

const batchMax = 50; // POST /phone/events
const storedMax = 200;
const ageMaxMs = 7 * 24 * 60 * 60 * 1000 - 60 * 60 * 1000; // the server takes a week
const gatherMs = 2000;
const pauseMs = 60 * 1000; // after a failure, unless the server says

/** The body is built when the session is there: only then the server's clock is known. */
type Send = (body: () => string) => Promise<Answer | undefined>;

/** What is told of the button: kept on the phone until the server has it, at most 50 at a time. */
export class EventQueue {
  private readonly key: string;
  private readonly timer = new Timer();
  private sending = false;
  private notBeforeMs = 0;

  /** `send` posts to `/phone/events`; `clockOffsetMs` is the server's clock less the phone's. */
  constructor(
    server: string,
    private enabled: boolean,
    private readonly send: Send,
    private readonly clockOffsetMs: () => number,
  ) {
    this.key = `onetap:events:${server}`;
    if (!enabled) this.stop();
    else if (load(this.key).length > 0) this.flushSoon();
  }

  /** Nothing more is told, and what was kept is forgotten. */
  stop(): void {
    this.enabled = false;
    this.timer.stop();
    save(this.key, []);
  }

  /** The event as it will be told; with events switched off it goes nowhere else. */
  add(event: Omit<FunnelEvent, 'id' | 'at'>): FunnelEvent {
    // A code is issued once, however often its callback is read: the server knows a repeat by its id.
    const id = event.codeDigest ? sha256Hex(event.type + event.codeDigest).slice(0, 32) : randomId();
    const stored: StoredEvent = { ...event, id, atMs: Date.now() };
    if (this.enabled) {
      const others = load<StoredEvent>(this.key).filter((other) => other.id !== id);
      save(this.key, others.concat(stored).slice(-storedMax));
      this.flushSoon();
    }
    return this.told(stored);
  }

  /** The app has come back, or the network. */
  wake(): void {
    if (this.enabled && load(this.key).length > 0) this.flushSoon();
  }

  private told({ atMs, ...event }: StoredEvent): FunnelEvent {
    return { ...event, at: Math.round((atMs + this.clockOffsetMs()) / 1000) };
  }

  private flushSoon(): void {
    if (this.timer.isRunning() || this.sending) return;
    const inMs = Math.max(gatherMs, this.notBeforeMs - Date.now());
    this.timer.start(inMs, () => void this.flush());
  }

  private async flush(): Promise<void> {
    const oldestMs = Date.now() - ageMaxMs;
    const stored = load<StoredEvent>(this.key).filter(({ atMs }) => atMs > oldestMs);
    save(this.key, stored);
    const batch = stored.slice(0, batchMax);
    if (batch.length === 0) return;
    this.sending = true;
    const answer = await this.send(() => JSON.stringify({ events: batch.map((event) => this.told(event)) }));
    this.sending = false;
    this.settle(batch, answer);
    if (load(this.key).length > 0) this.flushSoon();
  }

  private settle(batch: StoredEvent[], answer: Answer | undefined): void {
    const status = answer ? answer.status : 0;
    if (status === 202) {
      this.remove(batch);
    } else if (status === 400 || status === 413) {
      // One that the server cannot take refuses them all, and is named.
      const named = /events\[(\d+)\]/.exec(String(answer?.body.detail));
      const bad = named ? batch[Number(named[1])] : undefined;
      this.remove(bad ? [bad] : batch);
    } else {
      const retryAfterS = answer?.retryAfterS;
      this.notBeforeMs = Date.now() + (retryAfterS === undefined ? pauseMs : retryAfterS * 1000);
    }
  }

  private remove(events: StoredEvent[]): void {
    const ids = events.map(({ id }) => id);
    save(
      this.key,
      load<StoredEvent>(this.key).filter(({ id }) => ids.indexOf(id) < 0),
    );
  }
}
