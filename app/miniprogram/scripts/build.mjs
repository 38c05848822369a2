// Builds what is installed: miniprogram_dist (CommonJS, ES2015, nothing else needed) and types.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const folder = new URL('..', import.meta.url).pathname;
const dist = `${folder}miniprogram_dist`;

// The component shares the package's own module, and with it the one client, its login and its codes.
const sharedModule = {
  name: 'shared-module',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index$/ }, () => ({ path: '../index.js', external: true }));
  },
};

async function bundle(entry, output, plugins = []) {
  await build({
    entryPoints: [`${folder}src/${entry}`],
    outfile: `${dist}/${output}`,
    bundle: true,
    minify: true,
    format: 'cjs',
    platform: 'neutral',
    target: 'es2015',
    legalComments: 'none',
    banner: { js: '/* onetap-miniprogram; contains @noble/hashes, (c) Paul Miller, MIT License */' },
    plugins,
  });
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(`${dist}/phone-button`, { recursive: true });
await bundle('index.ts', 'index.js');
await bundle('phone-button/index.ts', 'phone-button/index.js', [sharedModule]);
for (const kind of ['json', 'wxml', 'wxss']) {
  copyFileSync(`${folder}src/phone-button/index.${kind}`, `${dist}/phone-button/index.${kind}`);
}
if (!process.argv.includes('--no-types')) {
  execFileSync(process.execPath, [`${folder}node_modules/typescript/bin/tsc`, '--emitDeclarationOnly'], {
    cwd: folder,
    stdio: 'inherit',
  });
}
