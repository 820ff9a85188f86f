// SPDX-License-Identifier: Apache-2.0
// Each role is killed with -9 while a task is in each of its states: it ends in one pull request and
// one comment all the same.
import { test } from 'node:test';
import { assertOnce, killInState, STATES_LIVE, VICTIMS } from './lib/kills.mjs';
import { inWorld } from './lib/world.mjs';

const wish = { name: 'kill', forges: { gt: { dialect: 'gitea' } }, agent: 'slow' };

// Kills in all combinations, then looks at what all of them have left.
async function campaign(t, world, states) {
  const forge = world.forges.gt,
    killed = [];
  for (const victim of VICTIMS) {
    for (const state of states) {
      await t.test(`${victim} while ${state}`, async () => {
        killed.push(await killInState(world, forge, { victim, state }));
      });
    }
  }
  for (const { repo, number, what } of killed) {
    await t.test(`${what}: everything is there once`, () => assertOnce(forge, repo, number));
  }
}

test('killed in each state', (t) =>
  inWorld({ ...wish, config: { boxes: 2 } }, (w) =>
    campaign(
      t,
      w,
      STATES_LIVE.filter((s) => s !== 'queued'),
    ),
  ));

// One box, and it is taken.
test('killed while it waits for a slot', (t) =>
  inWorld({ ...wish, config: { boxes: 1 } }, (w) => campaign(t, w, ['queued'])));
