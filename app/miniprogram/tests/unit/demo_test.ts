import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { readCallback } from '../../src/errors';
import { promisedAnswers } from '../support/onetap';

interface Path {
  id: string;
  title: string;
  outcome?: string;
  code?: string;
  detail?: object;
}
const demo = `${process.cwd()}/demo/`;
const { paths } = createRequire(demo)('./paths') as { paths: Path[] };

describe('the demo', () => {
  for (const { id, outcome, code, detail } of paths) {
    if (!outcome) continue;
    test(`plays a callback that is read as ${outcome}: ${id}`, () => {
      const encrypted = outcome === 'encrypted' && { encryptedData: 'ZQ==', iv: 'aXY=' };
      assert.equal(readCallback({ ...detail, ...(code && { code }), ...encrypted }).outcome, outcome);
      if (code) assert.ok(promisedAnswers().has(code), 'the sandbox has no such code');
    });
  }

  test('has a path for every outcome', () => {
    const outcomes = new Set(paths.map(({ outcome }) => outcome));
    for (const outcome of ['code', 'encrypted', 'no_quota', 'privacy', 'denied', 'permission', 'failed']) {
      assert.ok(outcomes.has(outcome), outcome);
    }
  });

  test('binds handlers that its page has', () => {
    const wxml = readFileSync(`${demo}pages/index/index.wxml`, 'utf8');
    let page: { [name: string]: unknown } = {};
    const script = new Function('require', 'Page', readFileSync(`${demo}pages/index/index.js`, 'utf8'));
    const modules = createRequire(`${demo}pages/index/index.js`);
    const require = (name: string) => (name === 'onetap-miniprogram' ? {} : modules(name));
    script(require, (definition: typeof page) => {
      page = definition;
    });
    const bound = Array.from(wxml.matchAll(/bind:?[a-z]+="(\w+)"/g), ([, name = '']) => name);
    assert.ok(bound.length > 20);
    for (const name of bound) assert.equal(typeof page[name], 'function', name);
  });

  test('has the files that its app.json names', () => {
    const { pages } = JSON.parse(readFileSync(`${demo}app.json`, 'utf8')) as { pages: string[] };
    for (const name of pages) {
      for (const kind of ['js', 'json', 'wxml', 'wxss']) assert.ok(existsSync(`${demo}${name}.${kind}`));
    }
  });
});
