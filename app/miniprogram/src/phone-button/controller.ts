import {
  type CallbackDetail,
  type Client,
  codeLifeMs,
  type FunnelEventType,
  type Kind,
  type Language,
  localProblem,
  type Messages,
  onWake,
  type PhoneButtonEvents,
  type PhoneError,
  type PhoneNumber,
  type Problem,
  type Quota,
  type Reading,
  readCallback,
  reworded,
  Timer,
  text,
  type Use,
} from '../index';

/** The attributes that the page gives. */
export interface Attributes {
  kind: Kind;
  scene: string;
  outId: string;
  lang: string;
  messages: Messages | null;
  agreed: boolean;
  agreePrivacy: boolean;
  useNoQuotaSlot: boolean;
}

/** What is drawn. */
export interface Look {
  /** The button, a notice in its place, or a button that looks for the server once more. */
  face: 'button' | 'no_quota' | 'offline';
  offersFallback: boolean;
  openType: string;
  /** No further tap gets through until the callback. */
  locked: boolean;
  /** A callback has come; until its answer is final, and for good after a number. */
  busy: boolean;
  loading: boolean;
  noQuotaText: string;
  offlineText: string;
  fallbackText: string;
  labelText: string;
}

/** The component as its controller sees it. */
export interface Surface {
  attributes(): Attributes;
  show(look: Partial<Look>): void;
  tell<Name extends keyof PhoneButtonEvents>(name: Name, detail: PhoneButtonEvents[Name]): void;
}

/** A callback that has not come by then does not come: the dialog is modal, and a second tap harmless. */
const lockMaxMs = 15 * 1000;
/** Whoever waits longer is offered the fallback beside it. */
const slowMs = 8 * 1000;
const lookAgainMs = 15 * 1000;

/** What says that the server has not been heard. */
const outOfReach = ['NETWORK_LOST', 'LOGIN_FAILED', 'CODE_TOO_OLD'];

const realtimeSince = [2, 24, 4];
const coupledSince = [2, 33, 0]; // agreePrivacyAuthorization beside another open-type

function baseLibraryHas(since: number[]): boolean {
  let version = '';
  try {
    const info = typeof wx.getAppBaseInfo === 'function' ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
    version = info.SDKVersion || '';
  } catch {}
  const parts = version.split('.').map(Number);
  for (let i = 0; i < since.length; i += 1) {
    const difference = (parts[i] || 0) - (since[i] as number);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Developers only. */
function warn(sentence: string): void {
  try {
    if (wx.getAccountInfoSync().miniProgram.envVersion === 'develop') console.warn(`onetap: ${sentence}`);
  } catch {}
}

/** What one button does, from its being drawn to its number. Knows nothing of Component(). */
export class ButtonController {
  private here = true;
  /** When the tap was whose dialog is open. */
  private tappedAtMs = 0;
  private locked = false;
  private readonly lockTimer = new Timer();
  private readonly lookTimer = new Timer();
  private taken: string[] = [];
  private waitingFor = 0;
  /** A number has been had, and no reset() since. */
  private isDone = false;
  private readonly slowTimer = new Timer();
  private fallbackTold = false;
  private readonly stopWaking: () => void;

  private client: Client | undefined;

  constructor(
    private readonly findClient: () => Client | undefined,
    private readonly surface: Surface,
  ) {
    this.client = findClient();
    this.stopWaking = onWake(() => void this.look());
  }

  /** Draws, logs in, and looks whether a number of an earlier tap is still to be had. */
  start(): void {
    this.redraw();
    if (!this.client) {
      console.error('onetap: no server; call configure({ server }) in app.js, or give the attribute');
      this.beOffline(localProblem('NO_SERVER', this.lang(), 'never'));
      return;
    }
    this.resume();
    void this.look();
  }

  /** The attributes have changed. */
  redraw(): void {
    const { kind, agreed, agreePrivacy, messages } = this.surface.attributes();
    const lang = this.lang();
    const ability = kind === 'realtime' ? 'getRealtimePhoneNumber' : 'getPhoneNumber';
    const coupled = agreePrivacy && baseLibraryHas(coupledSince);
    this.surface.show({
      openType: agreed ? ability + (coupled ? '|agreePrivacyAuthorization' : '') : '',
      fallbackText: text('FALLBACK', lang, messages),
      labelText: text('LABEL', lang, messages),
    });
  }

  /** The page has been shown (again). */
  pageShown(): void {
    this.resume();
    void this.look();
  }

  /** The page has been left for another; not for the background. */
  pageLeft(): void {
    if (this.tappedAtMs > 0) {
      warn(
        'the page was left while the phone number dialog was open: the number is charged, and its code is lost',
      );
    }
  }

  stop(): void {
    this.pageLeft();
    this.here = false;
    this.stopWaking();
    this.lockTimer.stop();
    this.lookTimer.stop();
    this.slowTimer.stop();
  }

  /** The finger; with an open-type, WeChat's dialog opens by itself. */
  tap(): void {
    if (!this.surface.attributes().agreed) {
      this.surface.tell('needagree', {});
      return;
    }
    if (this.locked) return;
    this.tappedAtMs = Date.now();
    this.lock(true);
    this.lockTimer.start(lockMaxMs, () => this.lock(false));
    this.track('tap');
    // Under the dialog, not after it: a session that has ended is opened anew.
    if (this.client) this.client.quota(this.surface.attributes().kind).catch(() => undefined);
  }

  /** What WeChat's callback brought. */
  callback(detail: CallbackDetail | null | undefined): void {
    const reading = readCallback(detail);
    const client = this.client;
    if (!client || this.isTaken(reading)) return;
    // First of all: WeChat's own advice, lest a second tap is charged.
    this.surface.show({ busy: true });
    const tappedAtMs = this.tappedAtMs || Date.now();
    this.tappedAtMs = 0;
    this.lock(false);
    // Kept before anything else: what the page does with an event may throw.
    const answer = client.present(reading, this.use(), this.watcher(tappedAtMs));
    if (reading.outcome === 'code' || reading.outcome === 'encrypted') this.beginWaiting();
    this.settle(answer);
    const told = client.trackCallback(reading, this.use());
    if (told) this.surface.tell('track', told);
  }

  agreedToPrivacy(detail: Record<string, unknown>): void {
    this.surface.tell('agreeprivacy', detail || {});
  }

  /** The person takes the other way, once or more often; told once. */
  fallback(): void {
    if (!this.fallbackTold) this.track('fallback');
    this.fallbackTold = true;
    this.surface.tell('fallback', {});
  }

  /** A number has been had; the page wants another. */
  reset(): void {
    this.isDone = false;
    this.enable();
  }

  /** Whether a tap makes sense; when the server is out of reach, again and again. */
  async look(): Promise<void> {
    this.lookTimer.stop();
    const { kind } = this.surface.attributes();
    if (!this.client) this.client = this.findClient(); // configure() may have come late
    if (!this.client) return;
    if (kind === 'realtime' && !baseLibraryHas(realtimeSince)) {
      this.beOffline(localProblem('UNSUPPORTED', this.lang(), 'never'));
      return;
    }
    try {
      const quota = await this.client.quota(kind);
      if (this.here) this.showQuota(quota);
    } catch (failure) {
      if (!this.here) return;
      const { problem } = failure as PhoneError;
      this.beOffline(problem);
      if (problem.retry === 'never') return;
      const inMs = Math.max(lookAgainMs, (problem.retryAfterS || 0) * 1000);
      this.lookTimer.start(inMs, () => void this.look());
    }
  }

  /** The same callback once more. */
  private isTaken(reading: Reading): boolean {
    const id =
      reading.outcome === 'code' ? reading.code : reading.outcome === 'encrypted' && reading.encryptedData;
    if (!id) return false;
    if (this.taken.indexOf(id) >= 0) return true;
    this.taken.push(id);
    return false;
  }

  private use(): Use {
    const { kind, scene, outId } = this.surface.attributes();
    return { kind, lang: this.lang(), ...(scene && { scene }), ...(outId && { outId }) };
  }

  private lang(): Language {
    const { lang } = this.surface.attributes();
    return lang === 'zh' || lang === 'en' ? lang : this.client?.lang || 'zh';
  }

  private watcher(tappedAtMs: number) {
    return {
      tappedAtMs,
      isHere: () => this.here,
      onWait: (waiting: PhoneButtonEvents['wait']) => {
        const because = reworded(waiting.because, this.surface.attributes().messages);
        if (this.here) this.surface.tell('wait', { ...waiting, because });
      },
    };
  }

  private track(type: FunnelEventType): void {
    if (this.client) this.surface.tell('track', this.client.track({ type }, this.use()));
  }

  private lock(locked: boolean): void {
    this.lockTimer.stop();
    this.locked = locked;
    this.surface.show({ locked });
  }

  private resume(): void {
    const answer = this.client?.resume(this.use(), this.watcher(0));
    if (!answer) return;
    this.beginWaiting();
    this.settle(answer);
  }

  private beginWaiting(): void {
    this.waitingFor += 1;
    this.surface.show({ busy: true, loading: true });
    this.slowTimer.start(slowMs, () => this.surface.show({ offersFallback: true }));
  }

  private settle(answer: Promise<PhoneNumber>): void {
    answer.then(
      (number) => {
        if (!this.here) return;
        this.isDone = true;
        this.endWaiting();
        this.surface.tell('number', number);
      },
      (failure) => {
        if (this.here) this.refused(failure);
      },
    );
  }

  private endWaiting(problem?: Problem): void {
    this.waitingFor -= 1;
    if (this.waitingFor > 0) return;
    this.slowTimer.stop();
    this.surface.show({ loading: false, offersFallback: false });
    // Before the button is back, and until look() knows better: no tap that would burn another unit.
    if (problem && outOfReach.indexOf(problem.code) >= 0) this.beOffline(problem);
    this.enable();
  }

  /** Unless a code still waits, or a number has been had. What was learnt under the dialog is drawn now. */
  private enable(): void {
    if (this.waitingFor > 0 || this.isDone) return;
    this.surface.show({ busy: false });
    void this.look();
  }

  private refused(failure: PhoneError): void {
    const { reading } = failure;
    if (!reading) {
      this.fail(failure.problem);
      return;
    }
    this.enable();
    switch (reading.outcome) {
      case 'no_quota':
        this.noQuota(reading.errno);
        break;
      case 'privacy': {
        const { outcome, ...detail } = reading;
        this.surface.tell('privacy', detail);
        break;
      }
      case 'permission': {
        const { outcome, ...detail } = reading;
        this.surface.tell('permission', detail);
        break;
      }
      case 'denied':
        this.surface.tell('denied', { errMsg: reading.errMsg });
        break;
      default:
        this.tellFailure(failure.problem);
    }
  }

  private fail(problem: Problem): void {
    this.endWaiting(problem);
    if (problem.code === 'QUOTA_EXHAUSTED' && this.client) {
      this.showQuota(this.client.quotaIsExhausted(this.surface.attributes().kind));
    }
    this.tellFailure(problem);
  }

  private tellFailure(problem: Problem): void {
    const { kind, scene, messages } = this.surface.attributes();
    this.surface.tell('fail', { ...reworded(problem, messages), kind, ...(scene && { scene }) });
  }

  private noQuota(errno: number): void {
    const { kind, messages, useNoQuotaSlot } = this.surface.attributes();
    if (this.client) this.showQuota(this.client.quotaIsExhausted(kind));
    this.surface.tell('noquota', { errno });
    if (!useNoQuotaSlot) {
      wx.showToast({ title: text('QUOTA_EXHAUSTED', this.lang(), messages), icon: 'none' });
    }
  }

  private showQuota(quota: Quota): void {
    const { messages } = this.surface.attributes();
    const because = quota.reason === 'service' ? 'QUOTA_SERVICE' : 'QUOTA_EXHAUSTED';
    if (this.mayChangeFace()) {
      this.surface.show({
        face: quota.available ? 'button' : 'no_quota',
        offersFallback: !quota.available,
        noQuotaText: text(because, this.lang(), messages),
      });
    }
    if (quota.reason === 'service') this.lookTimer.start(lookAgainMs, () => void this.look());
    this.surface.tell('quota', quota);
  }

  /** The callback of an open dialog comes to the button that opened it: that one stays. */
  private mayChangeFace(): boolean {
    const dialogMayBeOpen = this.tappedAtMs > 0 && Date.now() - this.tappedAtMs < codeLifeMs;
    return !dialogMayBeOpen && this.waitingFor === 0 && !this.isDone;
  }

  /** In words: what the server said, else that it cannot be reached. */
  private beOffline(problem: Problem): void {
    const { messages } = this.surface.attributes();
    const told = reworded(problem, messages);
    const isSilent = outOfReach.indexOf(problem.code) >= 0;
    const offlineText = isSilent ? text('OFFLINE', this.lang(), messages) : told.detail;
    if (this.mayChangeFace()) this.surface.show({ face: 'offline', offersFallback: true, offlineText });
    this.surface.tell('offline', told);
  }
}
