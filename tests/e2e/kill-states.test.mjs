// SPDX-License-Identifier: Apache-2.0
// Each role is killed with -9 while a task is in each of its states: it ends in one pull request and
// one comment all the same. A world for each victim, side by side: most of the time is waiting.
import { describe, test } from 'node:test';
import {
  assertOnce,
  killInState,
  SHIM,
  STATES_LIVE,
  STATES_OF_SHIM,
  VICTIMS,
} from './lib/kills.mjs';
import { inWorld } from './lib/world.mjs';

// One box, so that a task can be made to wait for it.
const wish = {
  name: 'kill',
  forges: { gt: { dialect: 'gitea' } },
  agent: 'patient',
  config: { boxes: 1 },
};

// Kills in each state, then looks at what all of them have left.
async function campaign(t, world, victim) {
  const forge = world.forges.gt,
    killed = [];
  for (const state of victim === SHIM ? STATES_OF_SHIM : STATES_LIVE) {
    await t.test(`while ${state}`, async () => {
      killed.push(await killInState(world, forge, { victim, state }));
    });
  }
  for (const { repo, number, what } of killed) {
    await t.test(`${what}: everything is there once`, () => assertOnce(forge, repo, number));
  }
}

const victims = [...VICTIMS, SHIM];
describe('killed in each state', { concurrency: victims.length }, () => {
  for (const victim of victims) {
    test(victim, (t) => inWorld(wish, (w) => campaign(t, w, victim)));
  }
});
