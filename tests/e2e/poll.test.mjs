// SPDX-License-Identifier: Apache-2.0
// Nothing is missed when nothing is told: a bot that polls needs no deliveries at all, and one that
// was down finds at its start what happened meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tasks } from './lib/store.mjs';
import { assertDone, labelled, settled, sticky } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = {
  gh: { dialect: 'github', app: true },
  gl: { dialect: 'gitlab' },
  gt: { dialect: 'gitea' },
};

for (const [name, wish] of Object.entries(FORGES)) {
  const { dialect } = wish;
  test(`${dialect}: intake by polling`, () =>
    inWorld(
      {
        name: 'poll',
        forges: { [name]: wish },
        config: { intake: 'poll', poll_every: '5s', forges: { [name]: { repos: ['acme/add'] } } },
      },
      async (w) => {
        const forge = w.forges[name];
        await forge.do('hook/mode', { off: true });
        const repo = await makeRepo(forge);
        await assertDone(forge, repo, await labelled(forge, repo));
        const { number } = await forge.do('issues', { repo, title: 'Said in words', as: 'alice' });
        await forge.do('comment', { repo, number, body: '/agent fix', as: 'alice' });
        const { over, issue, bot } = await settled(forge, repo, number);
        assert.equal(over, 'agent:done');
        assert.equal(sticky(issue, bot).length, 1);
        assert.equal((await tasks(w)).length, 2);

        // It counts who set the label, not who wrote the issue; and an edit gives no orders.
        const wish = { repo, title: 'By a stranger', as: 'mallory' };
        const theirs = (await forge.do('issues', wish)).number;
        const said = { repo, number: theirs, body: 'nothing yet', as: 'alice' };
        const { id } = await forge.do('comment', said);
        await forge.do('clock', { offset_s: 2 });
        await forge.do('comment/edit', { repo, id, body: '/agent run away', as: 'alice' });
        await forge.do('label', { repo, number: theirs, label: 'agent', as: 'alice' });
        await assertDone(forge, repo, theirs);
        assert.equal((await tasks(w)).length, 3);
        const deliveries = (await forge.truth()).filter((l) => l.kind === 'delivery');
        assert.deepEqual(deliveries, [], 'nothing was delivered');
      },
    ));

  test(`${dialect}: what happened while the bot was down`, () =>
    inWorld({ name: 'down', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      await assertDone(forge, repo, await labelled(forge, repo, 'first'));
      await w.bot.stop();
      const number = await labelled(forge, repo, 'second');
      await forge.idle();
      await w.bot.start();
      await assertDone(forge, repo, number);
      assert.equal((await tasks(w)).length, 2);
    }));
}
