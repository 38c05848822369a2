// Prints what a mini program pays for the package, and fails above the budget.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const budgetBytes = 40 * 1024; // minified, as it counts against the mini program's 2 MiB
const budgetGzipBytes = 16 * 1024;

const dist = new URL('../miniprogram_dist/', import.meta.url).pathname;
const files = ['index.js', ...readdirSync(`${dist}phone-button`).map((name) => `phone-button/${name}`)];
let bytes = 0;
let gzipBytes = 0;
for (const file of files) {
  const content = readFileSync(dist + file);
  const gzipped = gzipSync(content, { level: 9 }).length;
  bytes += content.length;
  gzipBytes += gzipped;
  console.log(
    `${file.padEnd(26)} ${String(content.length).padStart(6)}   gzip ${String(gzipped).padStart(5)}`,
  );
}
console.log(`${'together'.padEnd(26)} ${String(bytes).padStart(6)}   gzip ${String(gzipBytes).padStart(5)}`);
console.log(
  `${'budget'.padEnd(26)} ${String(budgetBytes).padStart(6)}   gzip ${String(budgetGzipBytes).padStart(5)}`,
);
// scripts/test shows this line.
console.log(`remark: ${(bytes / 1024).toFixed(1)} KiB minified, ${(gzipBytes / 1024).toFixed(1)} KiB gzip`);
if (bytes > budgetBytes || gzipBytes > budgetGzipBytes) {
  console.error('the package has grown beyond its budget');
  process.exit(1);
}
