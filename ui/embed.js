// Puts the files that Vite has built into the broker's sources, compressed. With --check it only
// tells whether those that are there are what the sources build.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';

const here = import.meta.dirname;
const built = join(here, 'dist');
const target = join(here, '..', 'src', 'management', 'page', 'built');

const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

// What a file is called in the sources: without the hash, so that a change is one.
const plain = (name) => name.replace(/-[\w-]{8}(\.\w+)$/, '$1');

const assets = readdirSync(join(built, 'assets'))
  .sort()
  .map((name) => ({
    name,
    file: plain(name),
    type: types[extname(name)],
    content: readFileSync(join(built, 'assets', name)),
  }));

const table = () => {
  const row = ({ name, file, type }) => `    Asset {
        name: ${JSON.stringify(name)},
        content_type: ${JSON.stringify(type)},
        brotli: include_bytes!(${JSON.stringify(`${file}.br`)}),
        gzip: include_bytes!(${JSON.stringify(`${file}.gz`)}),
    },
`;
  return `//! The files of the page. Made by \`npm run build\` in \`ui/\`, not by hand.

use crate::management::page::asset::Asset;

/// The page.
pub(super) const INDEX: &str = include_str!("index.html");

/// The files that it names.
pub(super) const FILES: &[Asset] = &[
${assets.map(row).join('')}];
`;
};

function write() {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'index.html'), readFileSync(join(built, 'index.html')));
  writeFileSync(join(target, 'mod.rs'), table());
  for (const { file, content } of assets) {
    const brotli = brotliCompressSync(content, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
      },
    });
    const gzip = gzipSync(content, { level: 9 });
    writeFileSync(join(target, `${file}.br`), brotli);
    writeFileSync(join(target, `${file}.gz`), gzip);
    const sizes = [content, brotli, gzip].map(({ length }) => `${(length / 1000).toFixed(1)} kB`);
    console.log(`${file}: ${sizes[0]}, ${sizes[1]} as brotli, ${sizes[2]} as gzip`);
  }
}

// What is compressed may differ from one version of the compressor to the next; what comes out of
// it may not.
function check() {
  const differs = [];
  const compare = (file, expected, read = (octets) => octets) => {
    try {
      if (!read(readFileSync(join(target, file))).equals(Buffer.from(expected))) differs.push(file);
    } catch (error) {
      differs.push(`${file} (${error.message})`);
    }
  };
  compare('index.html', readFileSync(join(built, 'index.html')));
  compare('mod.rs', table());
  for (const { file, content } of assets) {
    compare(`${file}.br`, content, brotliDecompressSync);
    compare(`${file}.gz`, content, gunzipSync);
  }
  if (differs.length) {
    console.error(`not what the sources build: ${differs.join(', ')}; run npm run build in ui/`);
    process.exit(1);
  }
  console.log('the files of the page are what their sources build');
}

if (process.argv.includes('--check')) check();
else write();
