// SPDX-License-Identifier: Apache-2.0
// Tasks whose agent is one of tests/hostile, each in a repository of its own, and honest ones
// beside them, over several forges: one forge is written to no more than sixty times a minute.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { boxed } from './proc.mjs';
import { addRepo, makeRepo } from './repos.mjs';
import { ask, label, settled, sticky } from './tasks.mjs';
import { until } from './until.mjs';

const FORGES = 8;
const GONE_MS = 30_000;
const PROGRAM = join(
  process.env.NIGHTSHIFT_BUILD ?? dirname(process.env.NIGHTSHIFT_BIN ?? '.'),
  'hostile',
);

// -> [{name, ends: [...]}], as the program itself says.
export const attacks = () =>
  execFileSync(PROGRAM, ['list'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name, ends]) => ({ name, ends: ends.split('|') }));

// In an order of its own for each seed (mulberry32, Fisher and Yates).
export function shuffled(all, seed) {
  const out = [...all];
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let i = out.length - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1));
    [out[i], out[k]] = [out[k], out[i]];
  }
  return out;
}

export const honest = (n) => Array.from({ length: n }, (_, i) => ({ name: `honest-${i}` }));

// How a task ended, by the sentence that the forge was told.
const REASONS = {
  idle: /was stopped after \w+ without output/,
  wall: /was stopped after/,
  memory: /was stopped because it needed more than its \w+ of memory/,
  disk: /was stopped because it wrote more than its \w+ of disk|its disk of [\w ]+ was full/,
  output: /was stopped because it printed more than/,
  refused: /the changes (were refused|could not be taken out of the box)/,
  red: /the tests failed/,
};

// Past the first 8 MiB a box may print 1 MiB a second: a flood meets `output` after 8 s, well before
// `wall`.
const LIMITS = {
  wall: '25s',
  idle: '15s',
  memory: '256MiB',
  disk: '512MiB',
  output: '16MiB',
  processes: 256,
  setup: '1m',
  gate: '1m',
  attempts: 2,
};

// A wish for a world; its bot is started by boot().
export function wishFor(config = {}, count = FORGES) {
  const forges = {};
  for (let i = 0; i < count; i++) forges[`f${i}`] = { dialect: 'gitea' };
  return {
    name: 'hostile',
    forges,
    bot: false,
    config: (world) => ({
      boxes: 20,
      agents: { hostile: { command: [join(world.tools, 'hostile')] } },
      limits: LIMITS,
      ...config,
    }),
  };
}

export async function boot(world) {
  const path = join(world.tools, 'hostile');
  copyFileSync(PROGRAM, path);
  chmodSync(path, 0o755);
  await world.boot();
}

// Makes repository and issue of each; nothing runs yet. -> tasks
export async function plant(world, rows, first = 0) {
  const forges = Object.values(world.forges);
  const tasks = [];
  for (const [i, row] of rows.entries()) {
    const forge = forges[(first + i) % forges.length];
    const files = row.ends
      ? { ...addRepo({ agent: 'hostile' }), attack: `${row.name}\n` }
      : addRepo();
    const repo = await makeRepo(forge, { name: row.name, files });
    const { number } = await ask(forge, repo, 'add() subtracts');
    tasks.push({ ...row, forge, repo, number });
  }
  return tasks;
}

// Lets it begin, and waits until the forge was told its end. -> the task with what is there then.
export async function run(task, ms) {
  const began = performance.now();
  await label(task.forge, task.repo, task.number);
  const { over, issue, bot, repo } = await settled(task.forge, task.repo, task.number, ms);
  const [comment] = sticky(issue, bot);
  const took = performance.now() - began;
  return { ...task, over, comment: comment.body, issue, found: repo, took };
}

// The sentence below the headline.
export const reasonOf = ({ comment }) => comment.split('\n\n')[1] ?? '';

export function endOf({ over, comment }) {
  if (over === 'agent:done') return 'done';
  return Object.keys(REASONS).find((name) => REASONS[name].test(comment)) ?? 'other';
}

// isWatched: no cgroup of its own counts a box's memory.
export function assertEnd(result, isWatched) {
  const end = endOf(result);
  const ends = result.ends ?? ['done'];
  assert.ok(
    ends.includes(end) || (isWatched && ends.includes(`watched:${end}`)),
    `${result.name} ended as "${end}", not ${result.ends}:\n${result.comment}`,
  );
}

// Collects the shims of a world while it works, by whose number their groups are named.
export function watchShims(world) {
  const seen = new Set();
  const timer = setInterval(() => world.bot.shims().forEach((pid) => seen.add(pid)), 200);
  return () => {
    clearInterval(timer);
    return seen;
  };
}

function groupsBelow(dir) {
  let entries = [];
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch {
    /* it was removed meanwhile */
  }
  const dirs = entries.filter((e) => e.isDirectory()).map((e) => join(dir, e.name));
  return [...dirs, ...dirs.flatMap(groupsBelow)];
}

const backing = () =>
  readdirSync('/sys/block')
    .map((name) => `/sys/block/${name}/loop/backing_file`)
    .filter(existsSync)
    .map((file) => readFileSync(file, 'utf8'));

// No process, group, mount, disk or directory of a box is left.
export async function assertNothingLeft(world, shims) {
  await until('the boxes are gone', () => boxed(world.dir).length === 0, GONE_MS);
  const runs = join(world.dir, 'bot', 'boxes', 'run');
  await until('their directories too', () => readdirSync(runs).length === 0, GONE_MS);
  const groups = groupsBelow('/sys/fs/cgroup').filter((dir) =>
    shims.has(Number(/nightshift-(\d+)-\d+-\d+$/.exec(dir)?.[1])),
  );
  assert.deepEqual(groups, [], 'no control group');
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(world.dir), 'no mount');
  // Disks are made ahead of boxes; they go with the bot.
  await world.bot.stop();
  await until('no disk', () => !backing().some((file) => file.includes(world.dir)), GONE_MS);
}
