// SPDX-License-Identifier: Apache-2.0
// Each role is killed with -9 while a task is in each of its states: it ends in one pull request and
// one comment all the same.
import { test } from 'node:test';
import { killInState, STATES_LIVE, VICTIMS } from './lib/kills.mjs';
import { inWorld } from './lib/world.mjs';

const wish = { name: 'kill', forges: { gt: { dialect: 'gitea' } }, agent: 'slow' };

test('killed in each state', (t) =>
  inWorld({ ...wish, config: { boxes: 2 } }, async (w) => {
    for (const victim of VICTIMS) {
      for (const state of STATES_LIVE.filter((s) => s !== 'queued')) {
        await t.test(`${victim} while ${state}`, () =>
          killInState(w, w.forges.gt, { victim, state }),
        );
      }
    }
  }));

// One box, and it is taken.
test('killed while it waits for a slot', (t) =>
  inWorld({ ...wish, config: { boxes: 1 } }, async (w) => {
    for (const victim of VICTIMS) {
      await t.test(victim, () => killInState(w, w.forges.gt, { victim, state: 'queued' }));
    }
  }));
