import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

// WeChat's own compiler comes with miniprogram-simulate as a binary for these machines.
const runsHere = process.arch === 'x64' && ['linux', 'darwin', 'win32'].includes(process.platform);
const skip = !runsHere && 'no compiler of WeChat’s for this machine';

test('WeChat’s own compiler takes the markup of the component, the demo and the example', { skip }, () => {
  const compiler = createRequire(`${process.cwd()}/`)('miniprogram-compiler') as {
    wxmlToJs(folder: string): string | undefined;
  };
  for (const [folder, file] of [
    ['miniprogram_dist', 'phone-button/index.wxml'],
    ['demo', 'pages/index/index.wxml'],
    ['examples/native', 'pages/login/login.wxml'],
  ] as const) {
    const compiled = compiler.wxmlToJs(`${process.cwd()}/${folder}`);
    assert.ok(compiled?.includes(file), `${folder}/${file}`);
  }
});
