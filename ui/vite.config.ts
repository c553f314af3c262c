import { defineConfig } from 'vite';

// Relative addresses: a proxy may put the page into a folder. Nothing is put into the page itself,
// which its Content-Security-Policy would refuse.
export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2022',
    cssTarget: 'chrome111',
  },
  // `npm run dev` beside `leveret serve`.
  server: { proxy: { '/api': 'http://127.0.0.1:15672' } },
});
