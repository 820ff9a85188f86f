// SPDX-License-Identifier: Apache-2.0
// A budget that is used up stops a real agent, and people are told why: at once where it does not
// last for the first question, and in the middle of a session, where the agent stops by itself. That
// nobody stopped it can be told because nobody could: its shim is held until it has ended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absent, installed, OTHERS } from './lib/clis.mjs';
import { alive, argv, boxed, descendants } from './lib/proc.mjs';
import { labelled, settled, sticky } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const STOP_MS = 2000;
const TRIES = 3;
const SLOW_MS = 180_000; // some take ten seconds to start
const STARTERS = { root: {}, nobody: { uid: 20004 } };

console.log(absent());

const stamp = (lines, pattern) => {
  const line = lines.find((l) => pattern.test(l));
  assert.ok(line, `${pattern} in the log`);
  return Date.parse(line.split(' ')[0]);
};

const wishFor = (kind, bot) => ({
  name: 'budget',
  forges: { gt: { dialect: 'gitea' } },
  clis: [kind],
  agent: kind,
  bot,
  scenarios: ['mend-spent.json'],
  config: { limits: { tokens: 5_000_000 } },
});

for (const kind of ['claude', 'codex', ...OTHERS.filter(installed)]) {
  test(`${kind}, started by root, stops when the budget is used up`, () =>
    inWorld(wishFor(kind, STARTERS.root), async (w) => {
      await stopsAtOnce(w);
      await stopsByItself(w);
    }));
  test(`${kind}, started by nobody, stops by itself`, () =>
    inWorld(wishFor(kind, STARTERS.nobody), stopsByItself));
}

// -> what people are told.
async function spent(world, repo, number) {
  const { over, issue, bot } = await settled(world.forges.gt, repo, number, SLOW_MS);
  assert.equal(over, 'agent:failed');
  const [comment] = sticky(issue, bot);
  assert.match(comment.body, /budget of tokens is used up/);
  return comment.body;
}

// It does not last for one question. A machine that stands still for a second may make it late, but
// not each time.
async function stopsAtOnce(w) {
  const files = addRepo({ limits: { tokens: 1000 } });
  const repo = await makeRepo(w.forges.gt, { name: 'poor', files });
  const took = [];
  while (took.length < TRIES && !took.some((ms) => ms < STOP_MS)) {
    const from = w.bot.lines.length;
    await spent(w, repo, await labelled(w.forges.gt, repo, 'add() subtracts'));
    const lines = w.bot.lines.slice(from);
    took.push(stamp(lines, /agent\.ended/) - stamp(lines, /gateway\.spent/));
  }
  assert.ok(Math.min(...took) < STOP_MS, `it went on for ${took.join(', ')} ms`);
  assert.equal(w.model.requests().length, 0, 'the model was not asked');
}

// The third answer takes all that is left.
async function stopsByItself(w) {
  const from = w.bot.lines.length;
  const letGo = w.hold('agent');
  const repo = await makeRepo(w.forges.gt);
  const number = await labelled(w.forges.gt, repo, 'add() subtracts');
  const waits = (pid) => argv(pid).some((word) => word.includes(w.holdFile('agent')));
  const waiting = () => boxed(w.dir).find(waits);
  const pid = await until('its command waits', waiting, SLOW_MS);
  const shim = w.bot.shims().find((one) => descendants(one).includes(pid));
  const box = descendants(shim);
  process.kill(shim, 'SIGSTOP');
  try {
    letGo();
    await w.bot.log(/gateway\.spent/, { ms: SLOW_MS, from });
    await until('the agent has ended', () => !box.some(alive), SLOW_MS);
  } finally {
    process.kill(shim, 'SIGCONT');
  }
  assert.doesNotMatch(await spent(w, repo, number), /was stopped/);
}
