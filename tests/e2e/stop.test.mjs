// SPDX-License-Identifier: Apache-2.0
// `/agent stop` ends a running box at once, whatever runs in it - when it is said by a person who may.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alive, boxed } from './lib/proc.mjs';
import { labelled, sticky } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const STOP_MS = 5000;
const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };

for (const [name, wish] of Object.entries(FORGES)) {
  test(`${wish.dialect}: a box with processes that ignore signals is gone in under 5 s`, () =>
    inWorld({ name: 'stop', forges: { [name]: wish }, agent: 'idle' }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      const number = await labelled(forge, repo);
      const pids = await until('the agent and its grandchild run', () => {
        const found = boxed(w.dir);
        return found.length >= 3 && found;
      });
      await forge.do('comment', { repo, number, body: '/agent stop', as: 'bob' });
      await w.bot.log(/delivery\.ignored .*write permission is needed/);
      assert.ok(boxed(w.dir).length >= 3, 'bob may not stop it');
      const began = Date.now();
      await forge.do('comment', { repo, number, body: '/agent stop', as: 'alice' });
      await until(
        'the box is empty',
        () => !pids.some(alive) && boxed(w.dir).length === 0,
        STOP_MS,
      );
      const took = Date.now() - began;
      assert.ok(took < STOP_MS, `${took} ms`);
      await forge.until('the comment and the labels say so', ({ repos, bot }) => {
        const found = repos[0].issues.find((i) => i.number === number);
        return (
          /stopped/.test(sticky(found, bot)[0]?.body ?? '') &&
          !found.labels.includes('agent:running')
        );
      });
      assert.equal((await forge.pulls(repo)).length, 0);
    }));

  test(`${wish.dialect}: taking the label off stops it, if the person may`, () =>
    inWorld({ name: 'off', forges: { [name]: wish }, agent: 'idle' }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      const number = await labelled(forge, repo);
      await until('the agent and its grandchild run', () => boxed(w.dir).length >= 3);
      const label = 'agent:running';
      const labelsHave = (what) =>
        forge.until(what, ({ repos }) => repos[0].issues[0].labels.includes(label));
      await labelsHave('it says that it runs');
      await forge.do('unlabel', { repo, number, label, as: 'bob' });
      await w.bot.log(/delivery\.ignored .*the task goes on: write permission is needed/);
      assert.ok(boxed(w.dir).length >= 3, 'bob may not stop it');
      await forge.do('label', { repo, number, label, as: 'bob' });
      await labelsHave('it is there again');
      await forge.do('unlabel', { repo, number, label, as: 'alice' });
      await until('the box is empty', () => boxed(w.dir).length === 0, STOP_MS);
      await forge.until('the comment says so', ({ repos, bot }) =>
        /stopped/.test(sticky(repos[0].issues[0], bot)[0]?.body ?? ''),
      );
      assert.equal((await forge.pulls(repo)).length, 0);
    }));
}
