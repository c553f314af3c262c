// Figures of the page with very many queues: frames while scrolling, how long a change takes to be
// seen, what an open page costs the broker. With a program that is optimised:
//
//     LEVERET_BINARY=../target/release/leveret node tests/measure.js [QUEUES [SECONDS]]
import { readFileSync } from 'node:fs';
import { launch, logIn, open, visit } from './support/browser.js';
import { Server } from './support/server.js';

const [many = '10000', seconds = '30'] = process.argv.slice(2);
const server = await Server.start();
const browser = await launch();

const CLOCK_TICKS = 100;

/** CPU time of the server in seconds, and its memory in MiB. */
function used() {
  const stat = readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1];
  return { cpu: (Number(stat[11]) + Number(stat[12])) / CLOCK_TICKS, memory: Number(rss) / 1024 };
}

const pause = (s) => new Promise((resolve) => setTimeout(resolve, s * 1000));
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1);

try {
  const queues = Array.from({ length: Number(many) }, (_, n) => ({
    name: `queue-${String(n).padStart(5, '0')}`, vhost: '/', durable: false, auto_delete: false, arguments: {},
  }));
  await server.call('POST', 'definitions', { queues });
  await pause(6);
  const idle = used();
  await pause(Number(seconds));
  const alone = (used().cpu - idle.cpu) / Number(seconds);

  const page = await open(browser, server);
  await logIn(page);
  for (const hash of ['#/', '#/queues']) {
    await visit(page, hash);
    await pause(3);
    const before = used();
    await pause(Number(seconds));
    const after = used();
    const share = ((after.cpu - before.cpu) / Number(seconds) - alone) * 100;
    console.log(`${hash}: ${share.toFixed(2)} % of a core, ${(after.memory - idle.memory).toFixed(1)} MiB more than without a page`);
  }

  const frames = await page.evaluate(async () => {
    const table = document.querySelector('.table');
    const frames = [];
    let last = performance.now();
    for (let frame = 0; frame < 300; frame += 1) {
      table.scrollTop = frame * 1000;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      frames.push(now - last);
      last = now;
    }
    return frames.sort((one, other) => one - other);
  });
  console.log(`scrolling ${many} rows: median ${at(frames, 0.5)} ms a frame, 95 % within ${at(frames, 0.95)} ms`);

  const updates = [];
  for (let n = 0; n < 10; n += 1) {
    await page.getByRole('searchbox').fill('');
    await pause(0.2);
    const took = await page.evaluate(async (search) => {
      const box = document.querySelector('main [data-search]');
      const began = performance.now();
      box.value = search;
      box.dispatchEvent(new Event('input', { bubbles: true }));
      while (document.querySelectorAll('.tbody .tr').length !== 10) await new Promise(requestAnimationFrame);
      return performance.now() - began;
    }, `queue-0${n}99[0-9]$`);
    updates.push(took);
  }
  updates.sort((one, other) => one - other);
  console.log(`searching them: median ${at(updates, 0.5)} ms until the rows are there, slowest ${at(updates, 1)} ms`);
} finally {
  await browser.close();
  await server.stop();
}
