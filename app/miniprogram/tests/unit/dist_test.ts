import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

const dist = `${process.cwd()}/miniprogram_dist/`;
const vector = JSON.parse(readFileSync('../../tests/vectors/signature.json', 'utf8')).vectors[3];

/** The language alone, and wx: no TextEncoder, crypto, BigInt, fetch, process or globalThis. */
function loadBare(): { exports: typeof import('../../src/index'); registered: object[] } {
  const registered: object[] = [];
  const module = { exports: {} };
  const context = vm.createContext({
    wx: { getAppBaseInfo: () => ({ language: 'zh_CN', SDKVersion: '3.0.1' }) },
    module,
    exports: module.exports,
    console,
    Component: (definition: object) => registered.push(definition),
    require: (name: string) => {
      assert.equal(name, '../index.js');
      return module.exports;
    },
  });
  vm.runInContext(
    'delete globalThis.BigInt; delete globalThis.WebAssembly; delete globalThis.globalThis',
    context,
  );
  // Each file is a function's body, as in a mini program.
  const run = (file: string) =>
    vm.runInContext(`(() => {${readFileSync(dist + file, 'utf8')}\n})()`, context, { filename: file });
  run('index.js');
  const exports = module.exports as typeof import('../../src/index');
  Object.assign(context, { module: { exports: {} } });
  run('phone-button/index.js');
  return { exports, registered };
}

test('what is installed runs on the language alone, and signs as the server expects', () => {
  const { exports, registered } = loadBare();
  const { key, method, target, body, timestamp, nonce_str, signature } = vector;
  assert.equal(exports.signature(key, { method, target, body }, timestamp, nonce_str), signature);
  assert.equal(registered.length, 1);
});

test('what is installed is written in the language of 2015', () => {
  for (const file of ['index.js', 'phone-button/index.js']) {
    const code = readFileSync(dist + file, 'utf8').replace(/"[^"]*"|`[^`]*`/g, '""');
    assert.doesNotMatch(code, /\basync\b|\?\.[a-z]|\?\?|\.\.\.\w+\s*}/i, file);
  }
});
