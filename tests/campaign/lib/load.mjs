// SPDX-License-Identifier: Apache-2.0
// The load under which a round misbehaves: two forges, some issues on each that become tasks; and at
// the end everything comes to rest and is judged.
import { setTimeout as sleep } from 'node:timers/promises';
import { makeRepo } from '../../e2e/lib/repos.mjs';
import { ask, label } from '../../e2e/lib/tasks.mjs';
import { World } from '../../e2e/lib/world.mjs';
import { assertInvariants, rest } from './invariants.mjs';

const ISSUES = 4; // of each forge in a round; more would wait for the bucket of content writes
const REST_MS = 120_000;
const WISH = {
  forges: { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } },
  config: { boxes: 6, tasks_per_repo: 6 },
};

async function load(forge, dice, repo) {
  const asked = [];
  for (let i = 0; i < ISSUES; i++) {
    const { number } = await ask(forge, repo, `sum ${i} is wrong`);
    asked.push({ repo, number });
    await sleep(dice.below(1500));
    await label(forge, repo, number);
  }
  return asked;
}

// misbehave(world) -> what it did, for the log. -> that, and what was looked at afterwards.
export async function underLoad(wish, dice, misbehave) {
  const world = await World.start({ ...WISH, ...wish });
  try {
    const forges = Object.entries(world.forges);
    const loads = forges.map(async ([name, f]) => [name, await load(f, dice, await makeRepo(f))]);
    const [said, ...rows] = await Promise.all([misbehave(world), ...loads]);
    await rest(world, wish.restMs ?? REST_MS);
    const looked = await assertInvariants(world, Object.fromEntries(rows));
    await world.stop();
    return `${said}; ${looked}`;
  } catch (e) {
    world.report();
    await world.stop({ quiet: true });
    throw e;
  }
}
