// SPDX-License-Identifier: Apache-2.0
// How soon a delivery is acknowledged while agents use every processor that they are given: twenty
// real boxes, each with an agent that only computes (burn.sh), beside the same bot a moment before.
// On SQLite and on PostgreSQL.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Postgres } from '../../e2e/lib/postgres.mjs';
import { makeRepo } from '../../e2e/lib/repos.mjs';
import { labelled } from '../../e2e/lib/tasks.mjs';
import { until } from '../../e2e/lib/until.mjs';
import { inWorld, secret } from '../../e2e/lib/world.mjs';
import { build, freePort, output } from '../lib/bench.mjs';

const BOXES = 20;
const START_MS = 120_000;
const AIM_MS = 100;
const RUNNING = 2; // store/task.h
const QUERY = `
import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(db.execute("SELECT count(*) FROM task WHERE state = ${RUNNING}").fetchone()[0])
`;

const stores = {
  SQLite: {
    config: () => ({}),
    running: (world) => output(['python3', '-c', QUERY, join(world.dir, 'bot/store/nightshift.db')]),
  },
  PostgreSQL: {
    async start(world) {
      world.pg = await Postgres.start(world.dir, secret('store'), []);
    },
    config: (world) => ({ store: world.pg.url, store_password_file: world.keep('store', world.pg.password) }),
    running: (world) => world.pg.select(`SELECT count(*) FROM task WHERE state = ${RUNNING}`),
    stop: (world) => world.pg?.stop(),
  },
};

async function measure(name, { body, connections, seconds }) {
  const store = stores[name];
  const rows = [];
  let pg;
  const wish = {
    name: 'bench-intake',
    forges: { gh: { dialect: 'github' } },
    agentDirs: [join(import.meta.dirname)],
    agent: 'burn',
    async before(world) {
      world.address = `127.0.0.1:${await freePort()}`; // bench_load knows no other host
      await store.start?.(world);
      pg = world;
    },
    config: (world) => ({ boxes: BOXES, tasks_per_repo: BOXES, ...store.config(world) }),
    end: { quiet: true }, // with the boxes at work
  };
  const load = async (world, boxes) => {
    const [, port] = world.address.split(':');
    const argv = [join(build, 'bench_load'), port, '/hook/gh', world.secrets['gh-hook'], join(world.dir, 'body')];
    const result = JSON.parse(await output([...argv, connections, seconds].map(String)));
    const bad = Object.keys(result.statuses).filter((status) => status < 200 || status > 299);
    if (bad.length > 0 || result.failed > 0) throw new Error(`the run is void: ${JSON.stringify(result)}`);
    rows.push({ name, boxes, ...result });
  };
  try {
    await inWorld(wish, async (world) => {
      const { gh } = world.forges;
      writeFileSync(join(world.dir, 'body'), body);
      await load(world, 0);
      const repo = await makeRepo(gh, { files: { 'README.md': '# burn\n' } });
      for (let i = 0; i < BOXES; i++) await labelled(gh, repo, `burn ${i}`);
      const atWork = async () => Number(await store.running(world)) === BOXES;
      await until(`${BOXES} agents at work`, atWork, START_MS);
      await load(world, BOXES);
    });
  } finally {
    await store.stop?.(pg);
  }
  return rows;
}

/** -> rows of {name, boxes, rps, p50_ms, p99_ms, max_ms}: idle and busy, for each store. */
export async function busy(what) {
  const rows = [];
  for (const name of Object.keys(stores)) rows.push(...(await measure(name, what)));
  return { rows, aim: AIM_MS };
}
