// Bundles the tests of one kind (`unit`, `e2e`) and runs them: node scripts/test.mjs unit [part of a file's name]
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const [kind = 'unit', part = ''] = process.argv.slice(2);
const folder = new URL('..', import.meta.url).pathname;
const entries = readdirSync(`${folder}tests/${kind}`).filter(
  (name) => name.endsWith('_test.ts') && name.includes(part),
);
const output = `${folder}build/${kind}`;

rmSync(output, { recursive: true, force: true });
await build({
  entryPoints: entries.map((name) => `${folder}tests/${kind}/${name}`),
  outdir: output,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node18',
  sourcemap: 'inline',
});
const files = entries.map((name) => `${output}/${name.replace(/\.ts$/, '.mjs')}`);
const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-reporter=spec', ...files],
  {
    cwd: folder,
    stdio: 'inherit',
  },
);
process.exit(status ?? 1);
