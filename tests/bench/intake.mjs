// SPDX-License-Identifier: Apache-2.0
// How many deliveries a second, verified and durably stored, beside servers that verify and store
// nothing. Same payload, same client, same connection rule, interleaved rounds, one machine.
// And how soon ours acknowledges while twenty boxes compute (intake/busy.mjs), on each store.
//   script/bench intake [--json] [--only=peers,busy] [--rounds=3] [--seconds=5] [--connections=64]
//   [--in-hand=8]
import { createRequire } from 'node:module';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  asJson, build, cpuUs, firstLine, freePort, machine, median, nightshift, only, option, output, pssMiB,
  record, scratch, start, table,
} from './lib/bench.mjs';
import { busy } from './intake/busy.mjs';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const require = createRequire(join(here, 'peers/package.json'));
const secret = 'a-webhook-secret-of-the-bench';
const rounds = option('rounds', 3);
const seconds = option('seconds', 5);
const connections = option('connections', 64);
const inHand = option('in-hand', 8);
const parts = only(['peers', 'busy']);
const restMs = 2500; // then what a server holds is what it keeps
const dir = scratch();

// A label that means nothing: every server reads it, none has to act on it.
function payload() {
  const examples = require('@octokit/webhooks-examples').default ?? require('@octokit/webhooks-examples');
  const issues = examples.find((event) => event.name === 'issues').examples;
  return JSON.stringify(issues.find((event) => event.action === 'labeled'));
}

function startNightshift() {
  const state = join(dir, 'state');
  const file = (name, text) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  mkdirSync(state, { recursive: true });
  const config = file('nightshift.yaml', `listen: 127.0.0.1:0
public_url: http://127.0.0.1:8080
state_dir: ${state}
forges:
  bench:
    kind: github
    url: http://127.0.0.1:1
    api_url: http://127.0.0.1:1
    token_file: ${file('token', 'a-token-that-nobody-ever-gave-out')}
    webhook_secret_file: ${file('secret', secret)}
    repos: ["*/*"]
agent: none
agents:
  none: { command: ["/bin/true"] }
`);
  return start([nightshift, 'serve', '-c', config], /serve\.ready .*?listen=\S*?:(\d+)/);
}

const peerVersion = (name) => require(join(here, `peers/node_modules/${name}/package.json`)).version;
const nodePeer = (name) => async () => {
  const port = await freePort();
  return start(['node', join(here, `peers/${name}.mjs`), String(port), secret], /listen=\S*:(\d+)/);
};

const servers = [
  {
    name: 'nightshift',
    version: () => firstLine([nightshift, 'version']),
    command: 'nightshift serve, SQLite WAL, synchronous=FULL',
    path: '/hook/bench',
    start: startNightshift,
    stores: 'fsync',
  },
  {
    name: 'floor',
    version: () => `libmicrohttpd ${firstLine(['pkg-config', '--modversion', 'libmicrohttpd'])}`,
    command: 'bench_floor (tests/bench/floor.c)',
    path: '/hook',
    start: () => start([join(build, 'bench_floor'), secret], /listen=\S*:(\d+)/),
  },
  {
    name: '@octokit/webhooks',
    version: () => `${peerVersion('@octokit/webhooks')}, Node ${process.version}`,
    command: 'node peers/octokit.mjs',
    path: '/hook',
    start: nodePeer('octokit'),
  },
  {
    name: 'probot',
    version: () => `${peerVersion('probot')}, Node ${process.version}`,
    command: 'node peers/probot.mjs, logging errors only',
    path: '/hook',
    start: nodePeer('probot'),
  },
  {
    name: 'webhook',
    version: () => firstLine(['webhook', '-version']),
    command: 'webhook -hooks peers/webhook.json, verifies and starts no command',
    path: '/hooks/hook',
    async start() {
      const port = await freePort();
      const hooks = join(here, 'peers/webhook.json');
      const argv = `webhook -template -verbose -hooks ${hooks} -ip 127.0.0.1 -port ${port}`.split(' ');
      const env = { ...process.env, BENCH_SECRET: secret };
      const server = await start(argv, /serving hooks on/, { env });
      return { ...server, port };
    },
  },
];

function load(server, key, count, time) {
  const argv = [join(build, 'bench_load'), server.port, server.path, key, join(dir, 'body'), count, time];
  return output(argv.map(String)).then(JSON.parse);
}

/** A run counts only if every answer was 2xx, and means something only if a wrong signature is refused. */
async function round(server) {
  Object.assign(server, await server.start());
  try {
    const refused = await load(server, 'not-the-secret', 1, 0.05);
    if (Object.keys(refused.statuses).some((status) => status < 400)) {
      throw new Error(`${server.name} accepts a wrong signature`);
    }
    await load(server, secret, connections, 1);
    await sleep(restMs);
    const idle = pssMiB(server.child.pid);
    const before = cpuUs(server.child.pid);
    const running = load(server, secret, connections, seconds);
    const timer = setTimeout(() => (server.loaded = pssMiB(server.child.pid)), (seconds * 1000) / 2);
    const result = await running;
    clearTimeout(timer);
    const cpu = (cpuUs(server.child.pid) - before) / result.requests;
    const bad = Object.keys(result.statuses).filter((status) => status < 200 || status > 299);
    if (bad.length > 0 || result.failed > 0) {
      throw new Error(`${server.name}: the run is void: ${JSON.stringify(result)}`);
    }
    server.rounds.push({ ...result, idle, cpu, loaded: server.loaded });
  } finally {
    await server.stop();
  }
}

const mid = (server, key) => median(server.rounds.map((r) => r[key]));

function report() {
  const us = servers[0];
  if (asJson) {
    const beside = (name, key, unit) =>
      servers.slice(1).forEach((p) => record(name, mid(us, key), unit, p.name, mid(p, key)));
    beside('intake', 'rps', '1/s');
    beside('intake.p99', 'p99_ms', 'ms');
    beside('intake.cpu', 'cpu', 'us');
    beside('intake.pss_idle', 'idle', 'MiB');
    beside('intake.pss_loaded', 'loaded', 'MiB');
    return;
  }
  console.log(`\nintake: ${connections} connections, a new one per request, ${payload().length} bytes,`);
  console.log(`signed; medians of ${rounds} interleaved rounds of ${seconds} s; ${machine()}\n`);
  table(
    ['', 'req/s', 'p50 ms', 'p99 ms', 'CPU us/req', 'PSS idle MiB', 'PSS loaded MiB', 'stores',
      'nightshift is'],
    servers.map((s) => [
      s.name, mid(s, 'rps').toFixed(0), mid(s, 'p50_ms').toFixed(2), mid(s, 'p99_ms').toFixed(2),
      mid(s, 'cpu').toFixed(0), mid(s, 'idle').toFixed(1), mid(s, 'loaded').toFixed(1), s.stores ?? 'nothing',
      s === us ? '' : `${(mid(us, 'rps') / mid(s, 'rps')).toFixed(2)}x`,
    ]),
  );
  console.log();
  for (const s of servers) console.log(`${s.name}: ${s.version()}: ${s.command}`);
}

function reportBusy({ rows, aim }) {
  if (asJson) {
    for (const r of rows) record(`intake.${r.name}.boxes${r.boxes}.p99`, r.p99_ms, 'ms', 'aim', aim);
    return;
  }
  console.log(`\nintake beside boxes: ${inHand} deliveries in hand all the time for ${seconds} s; ${machine()}\n`);
  table(
    ['', 'boxes that compute', 'req/s', 'p50 ms', 'p99 ms', 'max ms', 'aim'],
    rows.map((r) => [
      r.name, r.boxes, r.rps.toFixed(0), ...[r.p50_ms, r.p99_ms, r.max_ms].map((ms) => ms.toFixed(1)),
      `<= ${aim}`,
    ]),
  );
}

async function besidePeers() {
  writeFileSync(join(dir, 'body'), payload());
  for (const server of servers) server.rounds = [];
  for (let i = 0; i < rounds; i++) {
    for (const server of servers) await round(server);
  }
  report();
}

try {
  if (parts.includes('peers')) await besidePeers();
  if (parts.includes('busy')) reportBusy(await busy({ body: payload(), connections: inHand, seconds }));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
