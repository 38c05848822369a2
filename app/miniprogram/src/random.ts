import { sha256Hex } from './digest';

// Nonces and event ids have to be unique, not secret: a nonce counts only together with a signature, and an id
// only tells a repeat from something new. So what WeChat's generator gives is mixed in where it has come in time
// (base library 2.15.0), and clock, counter and Math.random do where it has not.
let entropy = '';
let drawn = 0;
let asked = false;

function askForEntropy(): void {
  asked = true;
  try {
    wx.getRandomValues({
      length: 16,
      success: ({ randomValues }) => {
        entropy = Array.prototype.join.call(new Uint8Array(randomValues), '.');
      },
      fail: () => {},
    });
  } catch {}
}

/** 32 of `[0-9a-f]`. */
export function randomId(): string {
  if (!asked) askForEntropy();
  drawn += 1;
  return sha256Hex(`${entropy} ${Date.now()} ${drawn} ${Math.random()} ${Math.random()}`).slice(0, 32);
}

/** As when the app is launched. */
export function forgetEntropy(): void {
  entropy = '';
  asked = false;
}
