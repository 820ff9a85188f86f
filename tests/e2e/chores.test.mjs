// SPDX-License-Identifier: Apache-2.0
// A chore is begun by the clock: a pull request, which the next time adds to; another one only when
// that is closed; nothing at all when nothing had to be done. The bot is told that it was down for
// years, so a schedule of once a year is due at its start.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, lookedAt, select, tasks } from './lib/store.mjs';
import { makeRepo } from './lib/repos.mjs';
import { TASK_MS } from './lib/tasks.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };
const CHORES = {
  deps: {
    repos: ['acme/*'],
    schedule: '30 2 1 feb *',
    zone: 'Europe/Berlin',
    prompt: 'Keep add() right\nIt is to add.',
  },
  idle: { repos: ['acme/add'], schedule: '@yearly', prompt: 'Do nothing', agent: 'nothing' },
  elsewhere: { repos: ['other/*'], schedule: '@yearly', prompt: 'Not here' },
};

const yearsAgo = (n) => Date.now() - n * 366 * 24 * 3600_000;
const chores = (w) => select(w, "SELECT key FROM kv WHERE key LIKE 'chore:%'");

// Down since then; up again, and every chore that was due has been done. -> the repository
async function after(w, forge, repo, since, expected) {
  await w.bot.stop();
  assert.equal(await lookedAt(w, since), 2, 'the chores of this repository');
  const from = w.bot.lines.length;
  await w.bot.start();
  for (const name of ['deps', 'idle'])
    await w.bot.log(new RegExp(`chore\\.due .*name=${name}`), { ms: TASK_MS, from });
  await until(
    `${expected} tasks are over`,
    async () => {
      const all = await tasks(w);
      return all.length === expected && all.every((t) => t.state === 'succeeded');
    },
    TASK_MS,
  );
  await forge.idle();
  const { repos } = await forge.state();
  return repos.find((r) => r.full_name === repo);
}

const pulls = (repo) => repo.issues.filter((i) => i.pull);
const branches = (repo) => Object.keys(repo.refs).filter((r) => r.startsWith('refs/heads/agent/'));

for (const [name, wish] of Object.entries(FORGES)) {
  test(`${wish.dialect}: chores`, () =>
    inWorld(
      {
        name: 'chores',
        bot: false,
        forges: { [name]: wish },
        config: { chores: CHORES, forges: { [name]: { repos: ['acme/add'] } } },
      },
      async (w) => {
        const forge = w.forges[name],
          repo = await makeRepo(forge);
        await w.boot();
        await until('the chores are known', async () => (await chores(w)).length === 2, TASK_MS);
        assert.equal(await count(w, 'task'), 0, 'a chore begins in the future');

        const first = await after(w, forge, repo, yearsAgo(4), 2);
        const [pull] = pulls(first);
        assert.equal(pulls(first).length, 1, 'of the chore that had something to do');
        assert.equal(branches(first).length, 1);
        assert.match(pull.title, /Keep add\(\) right/);
        assert.match(pull.body, /The chore `deps`/);
        assert.deepEqual([pull.comments, pull.labels], [[], []]);
        const [head] = branches(first).map((b) => first.refs[b]);

        // The same time again is no new one.
        const again = await after(w, forge, repo, yearsAgo(4), 2);
        assert.deepEqual(again.refs, first.refs);

        const second = await after(w, forge, repo, yearsAgo(3), 4);
        assert.equal(pulls(second).length, 1, 'the one that is open is added to');
        assert.deepEqual(branches(second), branches(first));
        assert.notEqual(second.refs[branches(second)[0]], head);
        await forge.until('it is told so', (state) => {
          const [told] = pulls(state.repos.find((r) => r.full_name === repo));
          return told.comments.length === 1;
        });

        await forge.do('close', { repo, number: pull.number, as: 'alice' });
        const third = await after(w, forge, repo, yearsAgo(2), 6);
        assert.equal(pulls(third).length, 2, 'that one is closed');
        assert.equal(branches(third).length, 2);
      },
    ));
}
