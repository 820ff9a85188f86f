// SPDX-License-Identifier: Apache-2.0
// Tasks enqueued, claimed and completed, beside job queues on the same servers and disk, and beside
// the least that one could do (queue_floor.c). As durable as each other: nothing is told to be done
// before an fsync. One after the other, in turns, on one machine.
//   script/bench queue [--json] [--count=20000] [--batch=20] [--repos=20] [--rounds=1]
// Of ours a task is a delivery with its body, a trigger, a prompt, an attempt, and a choice among
// repositories; of the peers a job with the same body, and first come first served.
import { createRequire } from 'node:module';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Postgres } from '../e2e/lib/postgres.mjs';
import {
  asJson, build, command, cpuEverMs, firstLine, machine, median, nightshift, option, record, scratch, start,
  table,
} from './lib/bench.mjs';

const here = import.meta.dirname;
const require = createRequire(join(here, 'peers/package.json'));
const count = option('count', 20_000);
const batch = option('batch', 20);
const repos = option('repos', 20);
const rounds = option('rounds', 1);
const dir = scratch();
const body = join(dir, 'body');
const servers = {};
let serial = 0;

const payload = () => {
  const examples = require('@octokit/webhooks-examples').default ?? require('@octokit/webhooks-examples');
  const issues = examples.find((event) => event.name === 'issues').examples;
  return JSON.stringify(issues.find((event) => event.action === 'labeled'));
};

async function startPostgres() {
  const pg = await Postgres.start(dir, 'a-password-of-the-bench', []);
  const version = await pg.select('SHOW server_version');
  const database = async () => {
    const name = `bench${serial++}`;
    await pg.select(`CREATE DATABASE ${name}`);
    return pg.url.replace('/postgres?', `/${name}?`);
  };
  return { pid: pg.program.pid, version: `PostgreSQL ${version}`, password: pg.password, place: database, stop: () => pg.stop() };
}

async function startRedis() {
  const path = join(dir, 'redis.sock');
  const argv = ['redis-server', '--port', '0', '--unixsocket', path, '--dir', dir, '--appendonly', 'yes',
    '--appendfsync', 'always', '--save', '', '--maxmemory-policy', 'noeviction'];
  const { child, stop } = await start(argv, /ready to accept connections/);
  const [, version] = /v=(\S+)/.exec(firstLine(['redis-server', '--version']));
  return { pid: child.pid, version: `Redis ${version} --appendfsync always`, place: () => path, stop };
}

const ourVersion = () => firstLine([nightshift, 'version']);
const peerVersion = (name) =>
  `${name} ${JSON.parse(readFileSync(join(here, 'peers/node_modules', name, 'package.json'))).version}, Node ${process.version}`;
const file = (name) => () => join(dir, `${name}${serial++}`);
const program = (...argv) => [join(build, argv[0]), ...argv.slice(1)];
const peer = (name) => ['node', join(here, `peers/${name}.mjs`)];

// on: of which server; its processes count. argv: where and the numbers follow.
const contenders = [
  { name: 'nightshift, SQLite', argv: program('bench_queue'), place: file('store'), last: [repos],
    version: ourVersion },
  { name: 'nightshift, PostgreSQL', argv: program('bench_queue'), on: 'postgres', last: [repos], version: ourVersion },
  { name: 'graphile-worker', argv: peer('queue-graphile'), on: 'postgres', version: () => peerVersion('graphile-worker') },
  { name: 'BullMQ', argv: peer('queue-bullmq'), on: 'redis', version: () => peerVersion('bullmq') },
  { name: 'floor: append', argv: program('bench_queue_floor', 'append'), place: file('append') },
  { name: 'floor: SQLite', argv: program('bench_queue_floor', 'sqlite'), place: file('floor') },
  { name: 'floor: PostgreSQL', argv: program('bench_queue_floor', 'postgres'), on: 'postgres' },
];

async function round(contender) {
  const server = servers[contender.on];
  const place = await (server?.place ?? contender.place)();
  const argv = [...contender.argv, place, body, count, batch, ...(contender.last ?? [])].map(String);
  contender.line ??= command(argv).replace(here, 'tests/bench');
  const env = { ...process.env, NODE_ENV: 'production', PGPASSWORD: server?.password };
  const before = server ? cpuEverMs(server.pid) : 0;
  const { stdout } = await promisify(execFile)(argv[0], argv.slice(1), { env });
  const { enqueue_s, work_s, cpu_ms } = JSON.parse(stdout);
  const server_ms = server ? cpuEverMs(server.pid) - before : 0;
  contender.rounds.push({
    enqueue: count / enqueue_s, work: count / work_s, all: count / (enqueue_s + work_s),
    cpu: ((cpu_ms + server_ms) * 1000) / count,
  });
}

const mid = (c, key) => median(c.rounds.map((r) => r[key]));

function report() {
  const [sqlite, postgres] = contenders;
  const beside = (c) => (us) => (c === us ? '' : `${(mid(us, 'all') / mid(c, 'all')).toFixed(2)}x`);
  if (asJson) {
    for (const us of [sqlite, postgres]) {
      const name = `queue.${us === sqlite ? 'sqlite' : 'postgres'}`;
      for (const c of contenders.slice(2)) record(name, mid(us, 'all'), '1/s', c.name, mid(c, 'all'));
    }
    return;
  }
  console.log(`\nqueue: ${count} tasks of ${payload().length} bytes, ${batch} at once, ours of ${repos} repositories;`);
  console.log(`medians of ${rounds} rounds; every commit is on the disk; ${machine()}\n`);
  table(
    ['tasks/s', 'enqueue', 'claim+complete', 'all', 'CPU us/task', 'SQLite is', 'PostgreSQL is'],
    contenders.map((c) => [
      c.name, ...['enqueue', 'work', 'all', 'cpu'].map((key) => mid(c, key).toFixed(0)),
      ...[sqlite, postgres].map(beside(c)),
    ]),
  );
  console.log('\nCPU is of the program and its server together; background writers are not counted.\n');
  for (const c of contenders) {
    const versions = [c.version?.(), servers[c.on]?.version].filter(Boolean);
    console.log(`${c.name}: ${versions.length ? `${versions.join(', ')}: ` : ''}${c.line}`);
  }
}

try {
  mkdirSync(dir, { recursive: true });
  writeFileSync(body, payload());
  servers.postgres = await startPostgres();
  servers.redis = await startRedis();
  for (const c of contenders) c.rounds = [];
  for (let i = 0; i < rounds; i++) {
    for (const c of contenders) await round(c);
  }
  report();
} finally {
  for (const server of Object.values(servers)) await server.stop();
  rmSync(dir, { recursive: true, force: true });
}
