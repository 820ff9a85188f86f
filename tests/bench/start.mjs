// SPDX-License-Identifier: Apache-2.0
// From the webhook's last byte to the agent's first instruction: everything that a user waits for
// before the agent is what he waits for. Warm mirror, one at a time and many at once.
//   script/bench start [--json] [--alone=7] [--together=20] [--rounds=3]
//
// The forge's deliveries are caught and sent on by this program, so that it knows when the last
// byte left; the agent (agent/stamp.c) reads the same clock first thing and prints it. Its words are
// read from the store: the pull requests come later, at the pace that a forge allows. What is
// measured next begins when the last attempts have ended and, if it is to be alone, when their pull
// requests are there, too.
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepo } from '../e2e/lib/repos.mjs';
import { labelled } from '../e2e/lib/tasks.mjs';
import { until } from '../e2e/lib/until.mjs';
import { inWorld } from '../e2e/lib/world.mjs';
import { asJson, build, machine, median, option, output, record, table } from './lib/bench.mjs';

const alone = option('alone', 7);
const together = option('together', 20);
const rounds = option('rounds', 3);
const aims = { alone: 30, together: 150 };
const DONE_MS = 120_000;
const QUIET_MS = 1000; // nobody looks while the agents start
const QUERY = `
import re, sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(
    """SELECT number, coalesce(tail, ''), state, (SELECT count(*) FROM effect
       WHERE task = task.id AND purpose IN ('push', 'logs') AND done_ms = 0) FROM task""")
for number, tail, state, pushes in rows:
    stamp = re.search(r"stamp=([0-9]+[.][0-9]+)", tail)
    print(number, stamp.group(1) if stamp else 0, state, pushes)
`;
const PUBLISHING = 4; // store/task.h: from here on no process works at it
const SUCCEEDED = 6;
const clock = () => performance.timeOrigin + performance.now(); // CLOCK_REALTIME, in ms

/** Takes the forge's deliveries and keeps those that start a task. */
class Catcher {
  caught = [];

  async listen() {
    this.server = createServer(async (req, res) => {
      const chunks = [];
      for await (const chunk of req) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const { action, label } = JSON.parse(body);
      // The bot's own state labels come by here too.
      if (action === 'labeled' && label.name === 'agent')
        this.caught.push({ headers: req.headers, body });
      res.writeHead(202).end();
    });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${this.server.address().port}/hook`;
  }

  take() {
    return this.caught.splice(0);
  }
}

/** Sends a delivery on. -> the time when its last byte was handed to the kernel. */
function send(url, { headers, body }) {
  return new Promise((done, fail) => {
    let sent;
    const req = request(url, { method: 'POST', headers: { ...headers, connection: 'close' } });
    req.once('response', (res) => {
      res.resume();
      if (res.statusCode === 202) done(sent);
      else fail(new Error(`the bot answered ${res.statusCode}`));
    });
    req.once('error', fail);
    req.end(body, () => (sent = clock()));
  });
}

/** Labels `count` issues, lets their deliveries go at once. -> milliseconds until each agent ran. */
async function measure(world, catcher, repo, count) {
  const { gh } = world.forges;
  const numbers = [];
  for (let i = 0; i < count; i++) numbers.push(await labelled(gh, repo, `stamp ${i}`));
  await gh.idle();
  const deliveries = catcher.take();
  if (deliveries.length !== count) throw new Error(`${deliveries.length} deliveries, not ${count}`);
  const url = `${world.bot.url}/hook/gh`;
  const sent = await Promise.all(deliveries.map((d) => send(url, d)));
  await new Promise((done) => setTimeout(done, QUIET_MS));
  const stamps = await until(`stamps of ${numbers}`, () => stampsOf(world, numbers), DONE_MS);
  return deliveries.map((d, i) => stamps.get(JSON.parse(d.body).issue.number) * 1000 - sent[i]);
}

/** Issue number -> the agent's first second, when all have one. */
async function stampsOf(world, numbers) {
  const stamps = new Map((await tasks(world)).filter(([, stamp]) => stamp > 0));
  return numbers.every((number) => stamps.has(number)) && stamps;
}

async function tasks(world) {
  const text = await output(['python3', '-c', QUERY, join(world.dir, 'bot/store/nightshift.db')]);
  return text.trim().split('\n').map((line) => line.split(' ').map(Number));
}

/** Until no process works any more: what is left is told to the forge at the pace that it allows. */
const rest = (world, least) =>
  until('the end of what was begun', async () =>
    (await tasks(world)).every(([, , state, pushes]) => state >= least && pushes === 0), DONE_MS);

function report(name, took, aim) {
  const sorted = [...took].sort((a, b) => a - b);
  const mid = median(sorted);
  if (asJson) record(`start.${name}`, Number(mid.toFixed(2)), 'ms', 'aim', aim);
  return [name, took.length, ...[sorted[0], mid, sorted.at(-1), aim].map((ms) => ms.toFixed(1))];
}

const dir = mkdtempSync(join(tmpdir(), 'nightshift-bench-'));
const stamp = join(dir, 'stamp');
chmodSync(dir, 0o755); // the box's user is another
copyFileSync(join(build, 'bench_agent_stamp'), stamp);
const wish = {
  name: 'bench-start',
  forges: { gh: { dialect: 'github' } },
  agent: 'stamp',
  config: {
    boxes: together,
    tasks_per_repo: together,
    agents: { stamp: { command: [stamp] } },
    sandbox: { tools: [dir] },
  },
};

try {
  await inWorld(wish, async (world) => {
    const catcher = new Catcher();
    const repo = await makeRepo(world.forges.gh, { files: { 'README.md': '# stamp\n' } });
    await world.forges.gh.do('hook', { url: await catcher.listen() });
    await measure(world, catcher, repo, 1); // the first one fills the mirror
    const one = [];
    for (let i = 0; i < alone; i++) {
      await rest(world, SUCCEEDED);
      one.push(...(await measure(world, catcher, repo, 1)));
    }
    const many = [];
    for (let i = 0; i < rounds; i++) {
      await rest(world, PUBLISHING);
      many.push(...(await measure(world, catcher, repo, together)));
    }
    catcher.server.close();
    const rows = [
      report('alone', one, aims.alone),
      report(`${together} at once`, many, aims.together),
    ];
    if (asJson) return;
    console.log("\nstart: the webhook's last byte to the agent's first instruction, warm mirror;");
    console.log(`${machine()}\n`);
    table(['', 'runs', 'min ms', 'median ms', 'max ms', 'aim ms'], rows);
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
