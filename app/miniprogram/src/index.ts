import { Client, type Watcher, withoutSlash } from './client';
import type {
  CallbackDetail,
  FunnelEvent,
  FunnelEventType,
  Kind,
  Options,
  PhoneNumber,
  Quota,
  Use,
} from './types';

export { Client, type Watcher } from './client';
// phone-button shares these with the client: two copies of a class are two classes.
export { codeLifeMs } from './code_keeper';
export { sha256Hex } from './digest';
export { PhoneError, type Reading, readCallback } from './errors';
export type { Messages } from './messages';
export { localProblem, reworded, text } from './messages';
export { onWake } from './pauses';
export { authorization, type Signed, type SigningKey, signature } from './signature';
export { Timer } from './timer';
export * from './types';

const clients: { [server: string]: Client | undefined } = {};
let configured: Options | undefined;

/** Once, in app.js. A component's own `server` goes before it. With other options, buttons drawn from now on get them. */
export function configure(options: Options): Client {
  const { server, lang, events, userKey } = options;
  const isSame =
    configured &&
    configured.server === server &&
    configured.lang === lang &&
    configured.events === events &&
    configured.userKey === userKey;
  if (!isSame) {
    if (events === false) for (const url of Object.keys(clients)) clients[url]?.stopEvents();
    clients[withoutSlash(server)] = undefined;
  }
  configured = options;
  return clientFor(server) as Client;
}

/** One client for each server, so that all its buttons share one login. Undefined where no server is known. */
export function clientFor(server?: string): Client | undefined {
  const url = withoutSlash(server || configured?.server || '');
  if (!url) return undefined;
  let client = clients[url];
  if (!client) {
    client = new Client({ ...configured, server: url });
    clients[url] = client;
  }
  return client;
}

function configuredClient(): Client {
  const client = clientFor();
  if (!client) throw new Error('onetap: call configure({ server }) in app.js first');
  return client;
}

/** For a page with a button of its own: what its callback brought becomes a number, or a PhoneError. */
export function phoneNumber(
  detail: CallbackDetail | null | undefined,
  use?: Use,
  watcher?: Watcher,
): Promise<PhoneNumber> {
  return configuredClient().phoneNumber(detail, use, watcher);
}

/** The number of a tap whose page was closed before the answer came; undefined where there is none. */
export function resume(use?: Use, watcher?: Watcher): Promise<PhoneNumber> | undefined {
  return configuredClient().resume(use, watcher);
}

export function quota(kind?: Kind): Promise<Quota> {
  return configuredClient().quota(kind);
}

/** Tells the server what a button of your own saw (`tap`, `fallback`; phoneNumber() tells the rest). */
export function track(type: FunnelEventType, use?: Use): FunnelEvent {
  return configuredClient().track({ type }, use);
}
