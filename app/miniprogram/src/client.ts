import { CodeKeeper, codeLifeMs, type KeptCode } from './code_keeper';
import { afterCode, afterLogin, type Progress, type Step } from './decision';
import { sha256Hex } from './digest';
import { funnelEventOf, PhoneError, type Reading, readCallback } from './errors';
import { EventQueue } from './events';
import { languageOfPhone, localProblem, type Text, text } from './messages';
import { onWake, pause } from './pauses';
import { QuotaMemory } from './quota';
import { NoSession, type Session, SessionKeeper, UserKeys } from './session';
import { authorization, type SigningKey } from './signature';
import { type Answer, problemIn, send } from './transport';
import type {
  CallbackDetail,
  FunnelEvent,
  Kind,
  Language,
  LocalProblemCode,
  Options,
  PhoneNumber,
  Problem,
  Quota,
  Retry,
  Use,
  Waiting,
} from './types';

/** Who waits for a code's answer. */
export interface Watcher {
  /** The code is still good, and will be presented again. */
  onWait?: (waiting: Waiting) => void;
  /** False once nobody can be handed the number any more: then the code is kept for who comes next. */
  isHere?: () => boolean;
  /** When the tap was, in unix milliseconds; a code's life begins there. Now, unless given. */
  tappedAtMs?: number;
}

/** A code that is being presented. */
interface Run {
  answer: Promise<PhoneNumber>;
  watchers: Watcher[];
  resumed: boolean;
}

interface Call {
  method: 'GET' | 'POST';
  path: string;
  body: string;
}

/** So long before the end of a code's life it is presented for the last time. */
const lastTryMs = 2000;

const isHere = ({ isHere: here }: Watcher): boolean => !here || here();

function tellWaiting(watchers: Watcher[], waiting: Waiting): void {
  for (const { onWait } of watchers) {
    try {
      if (onWait) onWait(waiting);
    } catch (failure) {
      console.error(failure); // the page's, not the code's
    }
  }
}

export function withoutSlash(server: string): string {
  return server.replace(/\/+$/, '');
}

/** Left out where it is ill-formed: the server would refuse the code for it, and each tap would cost a unit. */
function wellFormed(use: Use): Use {
  const { scene, outId, ...rest } = use;
  const isGood = (name: string, value: string | undefined, form: RegExp): boolean => {
    if (!value) return false;
    if (form.test(value)) return true;
    console.error(`onetap: ${name} "${value}" is left out: it has to be ${form}`);
    return false;
  };
  return {
    ...rest,
    ...(isGood('scene', scene, /^[A-Za-z0-9_.-]{1,32}$/) && { scene }),
    ...(isGood('outId', outId, /^[!-~]{1,64}$/) && { outId }),
  } as Use;
}

/** What a page needs of one server: quota, codes exchanged, events told. Works without Component(). */
export class Client {
  readonly server: string;
  readonly lang: Language;
  private readonly codes: CodeKeeper;
  private readonly quotas = new QuotaMemory();
  private readonly sessions: SessionKeeper;
  private readonly userKeys: UserKeys | undefined;
  private readonly events: EventQueue;
  private readonly asked: { [kind: string]: Promise<Quota> | undefined } = {};
  private readonly runs: { [id: string]: Run | undefined } = {};

  constructor(options: Options) {
    this.server = withoutSlash(options.server);
    this.lang = options.lang || languageOfPhone();
    this.userKeys = options.userKey ? new UserKeys() : undefined;
    this.codes = new CodeKeeper(this.server);
    this.sessions = new SessionKeeper(
      (body) => this.send({ method: 'POST', path: '/session', body }),
      (quotas) => this.quotas.learnAll(quotas),
    );
    this.events = new EventQueue(
      this.server,
      options.events !== false,
      (body) => this.sendEvents(body).catch(() => undefined),
      () => this.sessions.clockOffsetMs,
    );
    onWake(() => this.events.wake());
  }

  /**
   * Whether a tap makes sense: from the session's answer, then from `GET /phone/quota`, at most a minute old.
   * Rejects with PhoneError when the server cannot be reached at all: then a tap would only burn a unit.
   */
  quota(kind: Kind = 'quick'): Promise<Quota> {
    const asked = this.asked[kind];
    if (asked) return asked;
    const answer = this.askQuota(kind);
    this.asked[kind] = answer;
    const done = (): void => {
      this.asked[kind] = undefined;
    };
    answer.then(done, done);
    return answer;
  }

  private async askQuota(kind: Kind): Promise<Quota> {
    let answer: Answer | undefined;
    try {
      await this.sessions.get();
      const fresh = this.quotas.fresh(kind);
      if (fresh) return fresh;
      answer = await this.ask({ method: 'GET', path: `/phone/quota?kind=${kind}`, body: '' });
    } catch (failure) {
      throw this.unreachable(failure);
    }
    if (!answer) throw this.unreachable(undefined);
    if (answer.status === 200 && typeof answer.body.available === 'boolean') {
      this.quotas.learn(answer.body as unknown as Quota);
    }
    const problem = problemIn(answer);
    if (answer.status !== 200 && !problem) throw this.unreachable(undefined);
    const known = this.quotas.last(kind);
    if (known) return known;
    throw problem ? new PhoneError('refused', problem) : this.unreachable(undefined);
  }

  /** WeChat's button said that nothing is left. */
  quotaIsExhausted(kind: Kind = 'quick'): Quota {
    return this.quotas.exhaust(kind);
  }

  /** Tells the server what the button saw; returns what was told. */
  track(event: Pick<FunnelEvent, 'type' | 'errno' | 'codeDigest'>, use: Use = {}): FunnelEvent {
    const { kind = 'quick', scene } = wellFormed(use);
    return this.events.add({ ...event, kind, ...(scene && { scene }) });
  }

  /** The server is told nothing from now on. */
  stopEvents(): void {
    this.events.stop();
  }

  /** What to tell of a callback, if anything. */
  trackCallback(reading: Reading, use: Use = {}): FunnelEvent | undefined {
    const event = funnelEventOf(reading);
    if (!event) return undefined;
    const codeDigest = reading.outcome === 'code' ? sha256Hex(reading.code) : undefined;
    return this.track({ ...event, ...(codeDigest && { codeDigest }) }, use);
  }

  /**
   * The number, for what the button's callback brought. A code is kept on the phone and presented until its
   * answer is final. Rejects with PhoneError: `outcome` says what the callback was, or `refused`.
   */
  phoneNumber(
    detail: CallbackDetail | null | undefined,
    use: Use = {},
    watcher: Watcher = {},
  ): Promise<PhoneNumber> {
    const reading = readCallback(detail);
    // First of all, the code is kept.
    const answer = this.present(reading, use, watcher);
    this.trackCallback(reading, use);
    return answer;
  }

  /** The same, of a reading that has been told of already. */
  present(reading: Reading, use: Use = {}, watcher: Watcher = {}): Promise<PhoneNumber> {
    if (reading.outcome === 'no_quota') this.quotas.exhaust(use.kind || 'quick');
    if (reading.outcome !== 'code' && reading.outcome !== 'encrypted') {
      return Promise.reject(
        new PhoneError(reading.outcome, problemOf(reading, use.lang || this.lang), reading),
      );
    }
    const { outcome, ...brought } = reading;
    const code: KeptCode = {
      kind: 'quick',
      ...wellFormed(use),
      ...brought,
      id: outcome === 'code' ? reading.code : reading.encryptedData,
      tappedAtMs: watcher.tappedAtMs || Date.now(),
    };
    const run = this.runs[code.id];
    if (run) return this.join(run, watcher);
    this.codes.keep(code);
    return this.begin(code, watcher, false);
  }

  /**
   * A code of a tap before, of the same kind and scene, that nobody waits for: its page was closed, or the app.
   * Undefined where there is none.
   */
  resume(use: Use = {}, watcher: Watcher = {}): Promise<PhoneNumber> | undefined {
    const { kind = 'quick', scene } = wellFormed(use);
    for (const code of this.codes.all()) {
      if (code.kind !== kind || code.scene !== scene) continue;
      const run = this.runs[code.id];
      if (!run) return this.begin(code, watcher, true);
      if (!run.watchers.some(isHere)) {
        run.resumed = true;
        return this.join(run, watcher);
      }
    }
    return undefined;
  }

  private join(run: Run, watcher: Watcher): Promise<PhoneNumber> {
    run.watchers.push(watcher);
    return run.answer;
  }

  private begin(code: KeptCode, watcher: Watcher, resumed: boolean): Promise<PhoneNumber> {
    const watchers = [watcher];
    const run: Run = {
      watchers,
      resumed,
      answer: this.carry(code, watchers).then(
        (number) => {
          this.runs[code.id] = undefined;
          // Not handed over yet: whoever comes next gets the server's stored answer.
          if (watchers.some(isHere)) this.codes.forget(code.id);
          return { ...number, resumed: run.resumed };
        },
        (failure) => {
          this.runs[code.id] = undefined;
          if (!(failure instanceof PhoneError)) throw this.lostPaid('NETWORK_LOST', code);
          if (watchers.some(isHere)) this.codes.forget(code.id);
          throw failure;
        },
      ),
    };
    this.runs[code.id] = run;
    return run.answer;
  }

  /** Presents the code until a step is final. */
  private async carry(code: KeptCode, watchers: Watcher[]): Promise<PhoneNumber> {
    const endsAtMs = code.tappedAtMs + codeLifeMs;
    let waitedMs = 0; // the clock may be set while the code waits
    let isLast = false;
    const progress: Progress = {
      attempts: 0,
      loginsAnew: 0,
      signedAnew: 0,
      rescuable: code.code !== undefined && code.encryptedData !== undefined,
    };
    let withData = code.code === undefined;
    for (;;) {
      await pause(0, false);
      isLast = isLast || Date.now() >= endsAtMs;
      progress.attempts += 1;
      const step = await this.attempt(code, withData, progress);
      switch (step.to) {
        case 'deliver':
          return {
            ...step.number,
            ...(code.scene && { scene: code.scene }),
            replayed: step.replayed,
            resumed: false,
          };
        case 'refuse':
          throw new PhoneError('refused', step.problem);
        case 'rescue':
          withData = true;
          progress.rescuable = false;
          break;
        case 'log_in_anew':
          progress.loginsAnew += 1;
          break;
        default: {
          if (step.inMs === 0) break;
          const beganMs = Date.now();
          const restMs = Math.min(endsAtMs - beganMs, codeLifeMs - waitedMs);
          const failure = step.problem
            ? new PhoneError('refused', step.problem)
            : this.lostPaid(restMs > 0 ? 'NETWORK_LOST' : 'CODE_TOO_OLD', code);
          if (isLast || (step.firm && step.inMs >= restMs)) throw failure;
          // Once more before the end: the server may have the answer by then.
          const untilLastMs = Math.max(0, restMs - lastTryMs);
          const inMs = step.firm ? step.inMs : Math.min(step.inMs, untilLastMs);
          tellWaiting(watchers, { attempts: progress.attempts, inMs, because: failure.problem });
          await pause(inMs, step.firm);
          const tookMs = Date.now() - beganMs;
          const countedMs = tookMs >= 0 && tookMs < inMs ? tookMs : inMs;
          waitedMs += countedMs;
          isLast = restMs - countedMs <= lastTryMs;
        }
      }
    }
  }

  /** Whether it was charged, only the server could say. */
  private lostPaid(name: 'NETWORK_LOST' | 'CODE_TOO_OLD', { lang = this.lang }: KeptCode): PhoneError {
    return new PhoneError('refused', { ...localProblem(name, lang), charged: 'unknown' });
  }

  private async attempt(code: KeptCode, withData: boolean, progress: Progress): Promise<Step> {
    let session: Session;
    try {
      session = await this.sessions.get();
    } catch (failure) {
      return afterLogin(failure instanceof NoSession ? failure.answer : undefined, progress);
    }
    await pause(0, false);
    const answer = await this.sendSigned(callOf(code, withData), session, code.lang);
    const step = afterCode(answer, progress);
    if (step.to === 'log_in_anew') this.dropSession(session, step.problem);
    if (step.to === 'repeat' && step.problem) this.learnFrom(answer, progress);
    return step;
  }

  /** A skewed timestamp tells the server's; a nonce is always a new one. */
  private learnFrom(answer: Answer | undefined, progress: Progress): void {
    if (answer?.status !== 401) return;
    progress.signedAnew += 1;
    this.sessions.learnClock(answer.body.serverTime);
  }

  private async sendEvents(body: () => string): Promise<Answer | undefined> {
    await this.sessions.get();
    return this.ask({ method: 'POST', path: '/phone/events', body: body() });
  }

  /** Once more where the session has ended, or the clock is off. Throws NoSession. */
  private async ask(call: Call): Promise<Answer | undefined> {
    const session = await this.sessions.get();
    const answer = await this.sendSigned(call, session);
    const problem = answer && problemIn(answer);
    if (!answer || !problem || answer.status !== 401) return answer;
    if (problem.retry === 'login') this.dropSession(session, problem);
    this.sessions.learnClock(answer.body.serverTime);
    return this.sendSigned(call, await this.sessions.get());
  }

  private dropSession(session: Session, because: Problem): void {
    this.sessions.drop(session);
    if (this.userKeys && because.code === 'SIGNATURE_INVALID') this.userKeys.distrust();
  }

  private async sendSigned(call: Call, session: Session, lang?: Language): Promise<Answer | undefined> {
    const key: SigningKey = this.userKeys
      ? await this.userKeys.signingKey(session)
      : { session: session.id, name: 'session', key: session.signingKey };
    const target = this.server.replace(/^[a-z]+:\/\/[^/]*/i, '') + call.path;
    return this.send(call, lang, authorization(key, { ...call, target }, this.sessions.nowS()));
  }

  private send(
    { method, path, body }: Call,
    lang = this.lang,
    authorized?: string,
  ): Promise<Answer | undefined> {
    const headers: { [name: string]: string } = { 'Accept-Language': lang === 'en' ? 'en' : 'zh-CN' };
    if (body) headers['Content-Type'] = 'application/json';
    if (authorized) headers.Authorization = authorized;
    return send({ method, url: this.server + path, body, headers });
  }

  private unreachable(failure: unknown): PhoneError {
    const { answer, loggedIn = true } =
      failure instanceof NoSession ? failure : { answer: undefined, loggedIn: true };
    const problem =
      (answer && problemIn(answer)) ||
      localProblem(loggedIn ? 'NETWORK_LOST' : 'LOGIN_FAILED', this.lang, 'later');
    return new PhoneError('refused', problem);
  }
}

/** Without a code nothing has been charged. */
function problemOf(reading: Reading, lang: Language): Problem {
  const said = (code: string, name: Text | LocalProblemCode, retry: Retry): Problem => ({
    code,
    detail: text(name, lang),
    retry,
    charged: 'no',
  });
  switch (reading.outcome) {
    case 'no_quota':
      return said('QUOTA_EXHAUSTED', 'QUOTA_EXHAUSTED', 'later');
    case 'denied':
      return said('DENIED', 'DENIED', 'new_code');
    case 'privacy':
      return said('PRIVACY', 'PRIVACY', 'new_code');
    case 'permission':
      return said('PERMISSION', 'PERMISSION', 'never');
    default:
      return said('DIALOG_FAILED', 'DIALOG_FAILED', 'new_code');
  }
}

function callOf(code: KeptCode, withData: boolean): Call {
  const { kind, scene, outId, encryptedData, iv } = code;
  const encrypted = withData ? { encryptedData, iv } : undefined;
  return code.code === undefined
    ? { method: 'POST', path: '/phone/decrypt', body: JSON.stringify({ ...encrypted, kind }) }
    : {
        method: 'POST',
        path: '/phone/consume',
        body: JSON.stringify({ code: code.code, kind, scene, outId, ...encrypted }),
      };
}
