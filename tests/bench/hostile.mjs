// SPDX-License-Identifier: Apache-2.0
// What honest tasks and the intake notice of a hostile one (tests/hostile): rounds of nineteen
// honest tasks with another honest one, and with an agent that means harm, in turns in one run.
//   script/bench hostile [--json] [--seed=1] [--count=N] [--only=forks,heap]   N: all of them
//
// A task's time is from the moment it is queued until its tests have passed, by the bot's log: what
// follows has the forge's pace. Signed deliveries that start nothing are sent all the time, and
// their answers timed. Each hostile task
// must end in one of its own ways, and all honest ones must succeed, or the whole run is void.
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import {
  assertEnd,
  attacks,
  boot,
  honest,
  plant,
  run,
  shuffled,
  wishFor,
} from '../e2e/lib/hostile.mjs';
import { label } from '../e2e/lib/tasks.mjs';
import { until } from '../e2e/lib/until.mjs';
import { inWorld } from '../e2e/lib/world.mjs';
import { asJson, machine, median, only, option, record, table } from './lib/bench.mjs';

const BOXES = 20;
const FORGES = 16; // as many as may be; one is written to no more than sixty times a minute
const AIM = 2;
const EVERY_MS = 25;
const DONE_MS = 300_000;
const seed = option('seed', 1);
const count = option('count', attacks().length);
const BODY = JSON.stringify({ action: 'nothing', repository: { id: 1, full_name: 'acme/x' } });

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const quantile = (q, numbers) =>
  [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(q * numbers.length))];

/** One delivery. -> milliseconds to its answer. */
function deliver(world, n) {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(BODY),
    'x-gitea-event': 'watch',
    'x-gitea-delivery': `bench-${n}`,
    'x-gitea-signature': createHmac('sha256', world.secrets['f0-hook']).update(BODY).digest('hex'),
  };
  const began = performance.now();
  return new Promise((done, fail) => {
    const req = request(`${world.bot.url}/hook/f0`, { method: 'POST', headers, agent: false });
    req.once('error', fail);
    req.once('response', (res) => {
      res.resume();
      if (res.statusCode === 202) done(performance.now() - began);
      else fail(new Error(`the bot answered ${res.statusCode}`));
    });
    req.end(BODY);
  });
}

/** Deliveries until stop() is called. -> their times */
function intake(world) {
  const times = [];
  let isOver = false;
  const ended = (async () => {
    for (intake.n ??= 0; !isOver; intake.n++) {
      times.push(await deliver(world, intake.n));
      await wait(EVERY_MS);
    }
  })();
  return async () => {
    isOver = true;
    await ended;
    return times;
  };
}

const stamp = (line) => Date.parse(line.slice(0, 24));

/** Milliseconds that a repository's one task took, or undefined. */
function timeOf(lines, repo) {
  const of = (pattern) => lines.find((l) => l.includes(`repo=${repo} `) && pattern.test(l));
  const [queued, ended] = [of(/ task\.queued /), of(/ attempt\.ended .*outcome=green/)];
  return queued && ended && stamp(ended) - stamp(queued);
}

/** -> {honest: [ms], intake: [ms]} */
async function round(world, name, attack) {
  const rows = honest(BOXES - (attack ? 1 : 0)).map((row) => ({ name: `${name}-${row.name}` }));
  const tasks = await plant(world, rows);
  const [enemy] = attack ? await plant(world, [attack], FORGES - 1) : [];
  const from = world.bot.lines.length;
  const stop = intake(world);
  const hostile = enemy && run(enemy, DONE_MS);
  await Promise.all(tasks.map((task) => label(task.forge, task.repo, task.number)));
  const times = await until(`the end of ${name}`, () => {
    const lines = world.bot.lines.slice(from);
    const all = tasks.slice(0, BOXES - 1).map(({ repo }) => timeOf(lines, repo));
    return all.every(Boolean) && all;
  }, DONE_MS);
  const answers = await stop();
  if (hostile) assertEnd(await hostile);
  return { honest: times, intake: answers };
}

function report(name, alone, beside) {
  const [ours, theirs] = [beside, alone].map((ms) => Number(ms.toFixed(1)));
  if (asJson) record(`hostile.${name}`, ours, 'ms', 'alone', theirs);
  return [name, alone.toFixed(1), beside.toFixed(1), (beside / alone).toFixed(2), String(AIM)];
}

const wanted = only(attacks().map(({ name }) => name));
const all = shuffled(attacks(), seed)
  .filter(({ name }) => wanted.includes(name))
  .slice(0, count);
// What is said to forges is judged by tests; here there is a lot of it.
const wish = { ...wishFor({ boxes: BOXES, agent: 'busy' }, FORGES), end: { quiet: true } };

await inWorld(wish, async (world) => {
  await boot(world);
  await round(world, 'warm');
  const rounds = { alone: [], beside: [] };
  for (const attack of all) {
    rounds.alone.push(await round(world, `alone-${attack.name}`));
    rounds.beside.push({ ...attack, ...(await round(world, `beside-${attack.name}`, attack)) });
  }
  const [a, b] = [rounds.alone, rounds.beside].map((v) => ({
    honest: v.flatMap((r) => r.honest),
    intake: v.flatMap((r) => r.intake),
  }));
  const rows = [
    report('task median', median(a.honest), median(b.honest)),
    report('task p95', quantile(0.95, a.honest), quantile(0.95, b.honest)),
    report('intake median', median(a.intake), median(b.intake)),
    report('intake p99', quantile(0.99, a.intake), quantile(0.99, b.intake)),
  ];
  const base = median(a.honest);
  const worst = rounds.beside
    .map((r) => [r.name, median(r.honest), quantile(0.99, r.intake)])
    .sort((x, y) => y[1] - x[1])
    .slice(0, 5);
  if (asJson) return;
  console.log(`\nhostile: ${BOXES - 1} honest tasks and the intake beside one of ${all.length}`);
  console.log(`agents that mean harm (seed ${seed}), and beside an honest one; ${machine()}\n`);
  table(['', 'alone ms', 'beside ms', 'ratio', 'aim'], rows);
  console.log('\nthe worst neighbours\n');
  table(['', 'task median ms', 'ratio', 'intake p99 ms'],
    worst.map(([name, ms, p99]) => [name, ms.toFixed(0), (ms / base).toFixed(2), p99.toFixed(1)]));
});
