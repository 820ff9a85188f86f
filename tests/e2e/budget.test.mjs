// SPDX-License-Identifier: Apache-2.0
// A budget that is used up stops a real agent at once, and people are told why.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installed, OTHERS } from './lib/clis.mjs';
import { labelled, settled, sticky } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const STOP_MS = 2000;

const stamp = (lines, pattern) => {
  const line = lines.find((l) => pattern.test(l));
  assert.ok(line, `${pattern} in the log`);
  return Date.parse(line.split(' ')[0]);
};

for (const kind of ['claude', 'codex', ...OTHERS.filter(installed)]) {
  test(`${kind} stops when the budget is used up`, () => stops(kind));
}

async function stops(kind) {
  const wish = {
    name: 'budget',
    forges: { gt: { dialect: 'gitea' } },
    clis: [kind],
    agent: kind,
    scenarios: ['mend-add.json'],
    config: { limits: { tokens: 1000 } },
  };
  const world = await inWorld(wish, async (w) => {
    const forge = w.forges.gt;
    const repo = await makeRepo(forge, { files: addRepo() });
    const number = await labelled(forge, repo, 'add() subtracts');
    const { over, issue, bot } = await settled(forge, repo, number);
    assert.equal(over, 'agent:failed');
    const [comment] = sticky(issue, bot);
    assert.match(comment.body, /budget of tokens is used up/);
    const spent = stamp(w.bot.lines, /gateway\.spent/);
    const ended = stamp(w.bot.lines, /agent\.ended/);
    assert.ok(ended - spent < STOP_MS, `it went on for ${ended - spent} ms`);
  });
  assert.equal(world.verdict.requests, 0, 'the model was not asked');
}
