import { fromBase64, toBase64 } from './bytes';
import { hmacSha256 } from './digest';
import { randomId } from './random';

/** What a request is signed with. */
export interface SigningKey {
  session: string;
  /** `session`, or `wechat:<version>`. */
  name: string;
  /** base64 */
  key: string;
}

export interface Signed {
  method: string;
  /** Path and query, as the server sees them. */
  target: string;
  body: string;
}

/** The contract's five lines, each ended by a line feed. */
export function signature(
  key: string,
  { method, target, body }: Signed,
  timestamp: string,
  nonce: string,
): string {
  const message = `${method}\n${target}\n${timestamp}\n${nonce}\n${body}\n`;
  return toBase64(hmacSha256(fromBase64(key), message));
}

/** `nowS`: the server's time, as far as it is known. */
export function authorization(signing: SigningKey, request: Signed, nowS: number): string {
  const timestamp = String(nowS);
  const nonce = randomId();
  const signed = signature(signing.key, request, timestamp, nonce);
  return (
    `ONETAP-HMAC-SHA256 session="${signing.session}",key="${signing.name}",timestamp="${timestamp}",` +
    `nonce_str="${nonce}",signature="${signed}"`
  );
}
