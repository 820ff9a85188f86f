// SPDX-License-Identifier: Apache-2.0
// A look into the bot's store from outside, read only but for what time alone would do. Through Python's sqlite3, which is there on
// every machine that builds nightshift, as Node's own is not before 22.
import { join } from 'node:path';
import { run } from './process.mjs';

const READ = `
import json, sqlite3, sys
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True, timeout=5)
db.row_factory = sqlite3.Row
rows = [dict(r) for r in db.execute(sys.argv[2], json.loads(sys.argv[3]))]
print(json.dumps(rows, default=lambda b: {"bytes": len(b)}))
`;

const MARK = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=5)
n = db.execute("UPDATE kv SET value = ? WHERE key LIKE 'chore:%'", [sys.argv[2]]).rowcount
db.commit()
db.close()
print(n)
`;

// While the bot is down: all chores were last looked at then. -> how many there are
export async function lookedAt(world, ms) {
  const { code, stdout, stderr } = await run('python3', ['-c', MARK, database(world), String(ms)]);
  if (code !== 0) throw new Error(`lookedAt: ${stderr}`);
  return Number(stdout);
}

// The numbers of store/task.h.
export const STATES = [
  'queued',
  'preparing',
  'running',
  'gating',
  'publishing',
  'waiting',
  'succeeded',
  'failed',
  'stopped',
  'quarantined',
];

export const database = (world) => join(world.dir, 'bot', 'store', 'nightshift.db');

export async function select(world, sql, values = []) {
  const [command, ...args] = [
    ...(world.enter ?? []), // the bot's disk may be where only it is
    ...['python3', '-c', READ, database(world), sql, JSON.stringify(values)],
  ];
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`select: ${stderr}`);
  return JSON.parse(stdout);
}

export async function tasks(world) {
  const rows = await select(
    world,
    'SELECT id, forge, repo, number, state, attempt, outcome, reason FROM task ORDER BY id',
  );
  return rows.map((r) => ({ ...r, state: STATES[r.state] }));
}

export const count = async (world, table) =>
  (await select(world, `SELECT count(*) AS n FROM ${table}`))[0].n;
