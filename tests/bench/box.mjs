// SPDX-License-Identifier: Apache-2.0
// From the wish for a box to the first instruction in it, alone and many at once, beside bubblewrap
// and a bare exec, in turns in one run.
//   script/bench box [--json] [--alone=60] [--together=20] [--rounds=8]
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asJson, build, machine, median, option, output, record, scratch, table } from './lib/bench.mjs';

const alone = option('alone', 60);
const together = option('together', 20);
const rounds = option('rounds', 8);
const aims = { alone: 0.25, together: 0.2 };

const dir = scratch();
const tools = join(dir, 'tools');
const stamp = join(tools, 'stamp');
mkdirSync(tools, { mode: 0o755 });
copyFileSync(join(build, 'bench_agent_stamp'), stamp);
chmodSync(stamp, 0o755);

async function measure(parallel, count) {
  const text = await output([join(build, 'bench_box'), stamp, dir, String(parallel), String(count)]);
  const found = { floor: [], box: [], bwrap: [] };
  for (const line of text.trim().split('\n')) {
    const [name, ms] = line.split(' ');
    found[name].push(Number(ms));
  }
  return found;
}

const p10 = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 10)];

try {
  const rows = [];
  for (const [name, parallel, count] of [
    ['alone', 1, alone],
    ['together', together, rounds],
  ]) {
    const found = await measure(parallel, count);
    const [floor, box, bwrap] = ['floor', 'box', 'bwrap'].map((k) => median(found[k]));
    if (asJson) record(`box.${name}`, Number(box.toFixed(3)), 'ms', 'bwrap', Number(bwrap.toFixed(3)));
    for (const k of ['floor', 'box', 'bwrap']) {
      rows.push([
        `${name} (${parallel}) ${k}`,
        found[k].length,
        p10(found[k]).toFixed(2),
        median(found[k]).toFixed(2),
        Math.max(...found[k]).toFixed(1),
        k === 'box' ? (box / bwrap).toFixed(2) : '',
        k === 'box' ? aims[name] : '',
        (median(found[k]) / floor).toFixed(0),
      ]);
    }
  }
  if (!asJson) {
    console.log('\nbox: from the wish to the first instruction;');
    console.log(`${machine()}\n`);
    table(['', 'starts', 'p10 ms', 'median ms', 'max ms', 'of bwrap', 'aim', 'x exec'], rows);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
