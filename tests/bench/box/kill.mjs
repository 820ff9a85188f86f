// SPDX-License-Identifier: Apache-2.0
// From the kill to the last process of a fork storm: sessions of their own, parents gone, signals
// ignored, forking on while it dies.  --processes=150 --repeats=200
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, command, option, output, Run, scratch } from '../lib/bench.mjs';

const processes = option('processes', 150);
const repeats = option('repeats', 200);
const AIM_MS = 2000; // of the slowest

export default async function kill() {
  const dir = scratch();
  const tools = join(dir, 'tools');
  const storm = join(tools, 'storm');
  const run = new Run('kill', `the kill to the last of ${processes} processes`, 'ms');
  mkdirSync(tools, { mode: 0o755 });
  copyFileSync(join(build, 'bench_agent_storm'), storm);
  chmodSync(storm, 0o755);
  const argv = [join(build, 'bench_box_kill'), storm, String(processes), String(repeats)];
  try {
    const lines = (await output(argv)).trim().split('\n').map((line) => line.split(' ').map(Number));
    const took = lines.map(([ms]) => ms);
    if (took.length !== repeats) throw new Error(`kill: ${took.length} of ${repeats} storms`);
    if (Math.max(...took) > AIM_MS) throw new Error(`kill: ${Math.max(...took)} ms, over ${AIM_MS}`);
    run.says(command(argv), `${repeats} storms, 0 survivors; the slowest may take ${AIM_MS} ms`);
    run.row('storm', took);
    run.print();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
