import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { hex, utf8 } from './bytes';

export function hmacSha256(key: Uint8Array, message: string): Uint8Array {
  return hmac(sha256, key, utf8(message));
}

/** Lower-case hex: what events tell instead of the code. */
export function sha256Hex(text: string): string {
  return hex(sha256(utf8(text)));
}
