// SPDX-License-Identifier: Apache-2.0
// What the queue asks its store every second, with few tasks waiting and with a million: the times are
// to be the same, and the memory, too. SQLite.
//   script/bench backlog [--json] [--few=1000] [--many=1000000] [--repos=1000]
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { asJson, build, machine, option, output, record, scratch, table } from './lib/bench.mjs';

const counts = [option('few', 1000), option('many', 1_000_000)];
const repos = option('repos', 1000);
const keys = ['claim_ms', 'due_ms', 'place_ms', 'page_ms', 'pss_mib'];
const dir = scratch();

try {
  const rows = [];
  for (const count of counts) {
    const line = await output([join(build, 'bench_backlog'), join(dir, `${count}`), count, repos].map(String));
    rows.push(JSON.parse(line));
  }
  const [few, many] = rows;
  if (asJson) {
    for (const key of keys)
      record(`backlog.${key}`, many[key], key.slice(key.indexOf('_') + 1), `${counts[0]} tasks`, few[key]);
  } else {
    console.log(`\nbacklog: queued tasks of ${repos} repositories, each with a comment that is due; ${machine()}\n`);
    table(['queued', ...keys, 'fill_s'], rows.map((row, i) => [counts[i], ...keys.map((k) => row[k]), row.fill_s]));
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
