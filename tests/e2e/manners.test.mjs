// SPDX-License-Identifier: Apache-2.0
// A forge that asks for peace gets it: from whom it asked, until the time it named, also from a bot that
// is killed and started again meanwhile.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertOnce } from './lib/kills.mjs';
import { makeRepo } from './lib/repos.mjs';
import { select } from './lib/store.mjs';
import { ask, label } from './lib/tasks.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };
const ISSUES = 3;
const PEACE_S = 6;

describe('a forge that asks for peace', { concurrency: 3 }, () => {
  for (const [name, wish] of Object.entries(FORGES)) {
    for (const how of ['goes on', 'is killed whole', 'loses its courier']) {
      test(`${wish.dialect}: peace is kept by a bot that ${how}`, () =>
        inWorld({ name: 'peace', forges: { [name]: wish } }, async (w) => {
          const forge = w.forges[name],
            repo = await makeRepo(forge);
          const numbers = [];
          for (let i = 0; i < ISSUES; i++) numbers.push((await ask(forge, repo, `sum ${i}`)).number);
          await forge.fault({
            method: 'POST',
            path: '/issues/\\d+/comments$',
            kind: 'secondary_limit',
            after: PEACE_S,
          });
          await Promise.all(numbers.map((number) => label(forge, repo, number)));
          await until('it is on the disk that the forge asked', async () => {
            const rows = await select(w, "SELECT value FROM kv WHERE key = 'pace.closed'");
            return rows.length > 0;
          });
          await forge.do('bans/heard');
          if (how === 'is killed whole') await w.bot.restart();
          if (how === 'loses its courier') await w.bot.killRole('courier');
          for (const number of numbers) await assertOnce(forge, repo, number);
          const { bans, calls_in_bans } = await forge.get('stats');
          assert.equal(bans, 1);
          assert.deepEqual(calls_in_bans, []);
        }));
    }
  }
});
