// SPDX-License-Identifier: Apache-2.0
// Each role is killed with -9 directly before and directly after each write to a github, whose answer
// is lost: everything is there once.
import { test } from 'node:test';
import { killAtWrites, VICTIMS } from './lib/kills.mjs';
import { inWorld } from './lib/world.mjs';

const wish = {
  name: 'kill',
  forges: { gh: { dialect: 'github', app: true } },
  config: { boxes: 10 },
};

test('killed directly before and after each write', (t) =>
  inWorld(wish, async (w) => {
    let round = 0;
    for (const victim of VICTIMS) {
      for (const kind of ['hold_before', 'hold_after']) {
        round++;
        await t.test(`${victim}, ${kind}`, () =>
          killAtWrites(w, w.forges.gh, { victim, kind, round }),
        );
      }
    }
  }));
