import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fromBase64, hex, toBase64, utf8 } from '../../src/bytes';
import { sha256Hex } from '../../src/digest';
import { randomId } from '../../src/random';
import { authorization, signature } from '../../src/signature';
import { FakeWx } from '../support/fake_wx';

// tests/vectors is read by the server's tests, too.
const folder = new URL('../../../../tests/vectors/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')).vectors;

new FakeWx();

describe('the signature', () => {
  const vectors: { [key: string]: string }[] = read('signature.json');
  assert.ok(vectors.length >= 7);
  for (const { name = '', key = '', method = '', target = '', body = '', ...vector } of vectors) {
    test(`agrees with the server's: ${name}`, () => {
      const signed = signature(key, { method, target, body }, vector.timestamp ?? '', vector.nonce_str ?? '');
      assert.equal(signed, vector.signature);
    });
  }

  test('stands in a header with all it was made of', () => {
    const request = { method: 'GET', target: '/phone/quota', body: '' };
    const key = vectors[0]?.key ?? '';
    const header = authorization({ session: 's1', name: 'wechat:3', key }, request, 1790000000);
    const parts =
      /^ONETAP-HMAC-SHA256 session="s1",key="wechat:3",timestamp="1790000000",nonce_str="(\w{32})",signature="(.{44})"$/.exec(
        header,
      );
    assert.ok(parts, header);
    assert.equal(parts[2], signature(key, request, '1790000000', parts[1] ?? ''));
  });
});

describe('the digest of a code', () => {
  for (const { name, text, sha256 } of read('digest.json')) {
    test(`agrees with the server's: ${name}`, () => assert.equal(sha256Hex(text), sha256));
  }
});

describe('bytes', () => {
  test('base64 gives the test vectors of RFC 4648, both ways', () => {
    for (const [plain, encoded] of [
      ['', ''],
      ['f', 'Zg=='],
      ['fo', 'Zm8='],
      ['foo', 'Zm9v'],
      ['foobar', 'Zm9vYmFy'],
    ] as const) {
      assert.equal(toBase64(utf8(plain)), encoded);
      assert.deepEqual(fromBase64(encoded), utf8(plain));
    }
    assert.equal(toBase64(Uint8Array.from([0xfb, 0xff, 0xfe])), '+//+');
    assert.equal(hex(fromBase64('+//+')), 'fbfffe');
  });

  test('utf8 agrees with TextEncoder', () => {
    for (const text of ['', 'a%20', '手机号', '\u0000\u007f\u0080', '😀', 'é\n']) {
      assert.deepEqual(utf8(text), new TextEncoder().encode(text));
    }
  });
});

test('ids are 32 hex digits and never the same', () => {
  const ids = new Set(Array.from({ length: 200 }, randomId));
  assert.equal(ids.size, 200);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});
