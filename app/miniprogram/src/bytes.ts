// Mini programs have no TextEncoder, and atob only by base library.

const base64Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function utf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text);
  const bytes: number[] = [];
  for (let i = 0; i < escaped.length; i += 1) {
    if (escaped.charAt(i) === '%') {
      bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16));
      i += 2;
    } else {
      bytes.push(escaped.charCodeAt(i));
    }
  }
  return Uint8Array.from(bytes);
}

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 1) text += `0${(bytes[i] as number).toString(16)}`.slice(-2);
  return text;
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
    for (let digit = 0; digit < 4; digit += 1) {
      text += i + digit > bytes.length ? '=' : base64Digits.charAt((group >> (18 - 6 * digit)) & 63);
    }
  }
  return text;
}

/** Stops at padding; what is no digit counts as padding. */
export function fromBase64(text: string): Uint8Array {
  const bytes: number[] = [];
  let group = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i += 1) {
    const digit = base64Digits.indexOf(text.charAt(i));
    if (digit < 0) break;
    group = ((group << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((group >> bits) & 255);
    }
  }
  return Uint8Array.from(bytes);
}
