// SPDX-License-Identifier: Apache-2.0
// Strikes at one system call of one process while a task goes its way: tests/fault/strike.c does it.
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROLES } from '../../e2e/lib/bot.mjs';
import { alive } from '../../e2e/lib/proc.mjs';
import { Program } from '../../e2e/lib/process.mjs';
import { makeRepo } from '../../e2e/lib/repos.mjs';
import { tasks } from '../../e2e/lib/store.mjs';
import { ask, label } from '../../e2e/lib/tasks.mjs';
import { until } from '../../e2e/lib/until.mjs';
import { World } from '../../e2e/lib/world.mjs';
import { assertInvariants, FINAL, redeliver, rest } from './invariants.mjs';

const TASK_MS = 120_000;
const READY_MS = 60_000;
const EVER_MS = 3000;
const WISH = {
  forges: { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } },
  config: { boxes: 4, tasks_per_repo: 4 },
};

// Who is struck: a role in the middle of its life; one that starts, below the master, since the one
// before it was killed; the master while it does that; the next attempt's shim.
export const TARGETS = [
  { name: 'master', kills: 'decoder' },
  ...ROLES.map((name) => ({ name })),
  ...ROLES.map((name) => ({
    name: `${name}'s start`,
    child: name,
    below: 'master',
    kills: name,
  })),
  { name: 'shim', child: 'shim', below: 'runner' },
];

class Strike {
  // how: {at, ever, calls}; without `at` it counts. Calls that have an error (`write=5`) fail, else the
  // process is killed.
  static async start(bot, target, how = {}) {
    const pidOf = (name) => (name === 'master' ? bot.master : bot.role(name)[0]);
    const pid = await until(target.name, () => pidOf(target.below ?? target.name), READY_MS);
    const words = ['--pid', pid];
    if (target.child) words.push('--child', target.child);
    if (how.at) words.push('--at', how.at);
    if (how.ever) words.push('--ever');
    const program = join(dirname(process.env.NIGHTSHIFT_BIN), 'fault_strike');
    const self = new Strike();
    self.program = new Program(`strike ${target.name}`, program, [
      ...words.map(String),
      ...(how.calls ?? []),
    ]);
    await self.program.line(/^ready$/, { ms: READY_MS });
    if (target.kills) {
      process.kill(await until('a victim', () => pidOf(target.kills), READY_MS), 'SIGKILL');
    }
    return self;
  }

  // A call that fails for ever fails until somebody has made room: work resumes by itself then.
  async lift(ms) {
    await this.program.line(/^struck /, { ms: TASK_MS }).then(
      () => sleep(ms),
      () => {}, // it was never reached
    );
    await this.program.stop();
  }

  async stop() {
    await this.program.stop();
    return this.told();
  }

  // -> {struck: the call's name or undefined, counted}
  told() {
    const said = (pattern) => this.program.lines.map((l) => pattern.exec(l)).find(Boolean)?.[1];
    return { struck: said(/^struck (\S+)$/), counted: Number(said(/^counted (\d+)$/) ?? 0) };
  }
}

async function oneTask(world, forgeName, repo, work) {
  const forge = world.forges[forgeName];
  const { number } = await ask(forge, repo, `sum ${Date.now()} is wrong`);
  const isMine = (t) => t.forge === forgeName && t.number === number;
  await label(forge, repo, number);
  await work(async () => {
    await redeliver(forge); // it may have been down just then
    const found = (await tasks(world)).filter(isMine);
    return found.length > 0 && found.every((t) => FINAL.has(t.state) || t.state === 'publishing');
  });
  return { repo, number };
}

// The master has nobody who starts it again but us.
async function keepUp(world) {
  if (!world.bot.program.running || !alive(world.bot.master)) {
    await world.bot.program.exited;
    await world.bot.start();
  }
}

// A process can be followed by one only, so a shim's runner is not counted in the same task.
async function countTask(world, repo, targets, calls) {
  const counters = await Promise.all(targets.map((t) => Strike.start(world.bot, t, { calls })));
  const asked = await oneTask(world, 'gt', repo, (isOver) => until('a task', isOver, TASK_MS));
  const told = await Promise.all(counters.map((one) => one.stop()));
  return { asked, found: targets.map((t, i) => [t.name, told[i].counted]) };
}

async function countStart(world, target, calls) {
  const [before] = world.bot.role(target.child);
  const one = await Strike.start(world.bot, target, { calls });
  const next = () => world.bot.role(target.child).find((pid) => pid !== before);
  const pid = await until(`a new ${target.child}`, next, READY_MS);
  await world.bot.log(new RegExp(`role\\.ready pid=${pid}$`));
  return [target.name, (await one.stop()).counted];
}

// How many calls a target makes in a task of which nothing goes wrong: looked at once in all worlds,
// for all roles at the same time. -> count; the tasks that it took are added to asked.
const counts = new Map();
function countOf(world, repo, target, asked, calls) {
  const group = target.below === undefined ? 'roles' : target.name;
  const look = async () => {
    if (target.below === 'master') return Object.fromEntries([await countStart(world, target, calls)]);
    const targets = TARGETS.filter((t) => t.below === target.below);
    const told = await countTask(world, repo, targets, calls);
    asked.push(told.asked);
    return Object.fromEntries(told.found);
  };
  if (!counts.has(group)) counts.set(group, look());
  return counts.get(group).then((found) => found[target.name]);
}

async function strikeOnce(world, dice, { repos, asked, calls, choose, judge }) {
  let target, count;
  do {
    target = dice.pick(TARGETS);
    count = await countOf(world, repos.gt, target, asked.gt, calls);
  } while (!count); // in a quiet task a keeper asks for nothing that may fail
  const how = choose(dice, count);
  const what = `${target.name} at ${how.at} of ${count}${how.ever ? ' for ever' : ''}`;
  const forgeName = dice.pick(Object.keys(repos));
  const from = world.bot.lines.length;
  const strike = await Strike.start(world.bot, target, how);
  const lifted = how.ever && strike.lift(EVER_MS);
  const isOver = async (isDone) => {
    await keepUp(world);
    return isDone();
  };
  try {
    const one = await oneTask(world, forgeName, repos[forgeName], (isDone) =>
      until(`a task while ${what} is struck`, () => isOver(isDone), TASK_MS),
    );
    asked[forgeName].push(one);
    await keepUp(world);
    judge(world.bot.lines.slice(from), how, strike.told());
  } catch (e) {
    const { struck } = strike.told();
    const error = how.calls?.find((call) => call.startsWith(`${struck}=`)) ?? struck;
    throw new Error(`${what}:${error}: ${e.message}`, { cause: e });
  } finally {
    await strike.stop();
    await lifted;
  }
  return `${what}:${strike.told().struck ?? 'not reached'}`;
}

// n strikes in one world, one a task. choose(dice, count) -> how; calls: which are counted;
// judge(lines of the log since, how, told) throws if somebody died who may not.
export async function strikes(name, dice, n, { calls, choose, judge = () => {} }) {
  const world = await World.start({ ...WISH, name });
  const said = [];
  try {
    const repos = {};
    const asked = { gh: [], gt: [] };
    for (const [key, forge] of Object.entries(world.forges)) repos[key] = await makeRepo(forge);
    for (let i = 0; i < n; i++) {
      said.push(await strikeOnce(world, dice, { repos, asked, calls, choose, judge }));
    }
    await rest(world, TASK_MS);
    const looked = await assertInvariants(world, asked);
    await world.stop();
    return `${said.join(', ')}; ${looked}`;
  } catch (e) {
    console.error(`strikes until then: ${said.join(', ')}`);
    world.report();
    await world.stop({ quiet: true });
    throw e;
  }
}
