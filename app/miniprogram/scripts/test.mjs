// Bundles the tests of one kind (`unit`, `e2e`) and runs them: node scripts/test.mjs unit [part of a file's name]
import { spawn } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const [kind = 'unit', part = ''] = process.argv.slice(2);
const folder = new URL('..', import.meta.url).pathname;
const output = `${folder}build/${kind}`;
const entries = readdirSync(`${folder}tests/${kind}`).filter(
  (name) => name.endsWith('_test.ts') && name.includes(part),
);

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

// Each file in a process of its own, without the runner's: that one reads results from what a test prints.
function run(name) {
  const file = `${output}/${name.replace(/\.ts$/, '.mjs')}`;
  const options = ['--enable-source-maps', '--test-reporter=spec', file];
  const child = spawn(process.execPath, options, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk));
  return new Promise((resolve) => {
    child.on('close', (status) => {
      const text = Buffer.concat(said).toString();
      const passed = Number(/pass (\d+)/.exec(text)?.[1] ?? 0);
      const failed = Number(/fail (\d+)/.exec(text)?.[1] ?? 0);
      if (status !== 0) console.log(text);
      console.log(`${name}: ${passed} passed, ${failed} failed${status === 0 ? '' : ` (status ${status})`}`);
      resolve({ passed, ok: status === 0 && passed > 0 });
    });
  });
}

const results = await Promise.all(entries.map(run));
console.log(`${kind}: ${results.reduce((sum, { passed }) => sum + passed, 0)} tests passed`);
process.exit(entries.length > 0 && results.every(({ ok }) => ok) ? 0 : 1);
