// Precompresses what `vite build` wrote, and holds the first load to its budget.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** JavaScript of a first load, bytes after gzip: the entry and one page, with all that they import. */
const BUDGET = 250 * 1024;

const dist = new URL('../dist/', import.meta.url);
const sizes = new Map();
for (const name of readdirSync(dist, { recursive: true })) {
  if (!/\.(js|css|html|svg)$/.test(name)) continue;
  const file = new URL(name, dist);
  const content = readFileSync(file);
  const gzip = gzipSync(content, { level: 9 });
  writeFileSync(`${file.pathname}.gz`, gzip);
  writeFileSync(
    `${file.pathname}.br`,
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }),
  );
  sizes.set(name, gzip.length);
}

const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));
// It is for us, not for browsers.
rmSync(new URL('.vite', dist), { recursive: true });
/** The chunk and all that it imports at once. */
const chunksOf = (key, seen = new Set()) => {
  if (!seen.has(key)) {
    seen.add(key);
    for (const next of manifest[key].imports ?? []) chunksOf(next, seen);
  }
  return seen;
};
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const pages = manifest[entry].dynamicImports ?? [];
let over = pages.length === 0;
for (const page of pages) {
  const chunks = new Set([...chunksOf(entry), ...chunksOf(page)]);
  const bytes = [...chunks].reduce((sum, key) => sum + sizes.get(manifest[key].file), 0);
  over ||= bytes > BUDGET;
  console.log(`${page.padEnd(28)} ${(bytes / 1024).toFixed(1).padStart(7)} KiB of JavaScript, gzip`);
}
if (over) throw new Error(`a first load is over its budget of ${BUDGET / 1024} KiB`);
