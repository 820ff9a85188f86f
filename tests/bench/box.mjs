// SPDX-License-Identifier: Apache-2.0
// The box beside what else there is, in turns in one run: how soon it starts (box/start), how surely
// it ends (box/kill).
//   script/bench box [--json] [--only=start,kill] and the options that each part names
// A start that fails, a process that survives, a byte that is missing: the whole run is void.
import { machine, asJson, only } from './lib/bench.mjs';

const PARTS = ['start', 'workspace', 'kill', 'terminal', 'gateway'];

if (!asJson) console.log(`\nbox: ${machine()}`);
for (const name of only(PARTS)) {
  const { default: run } = await import(`./box/${name}.mjs`);
  await run();
}
