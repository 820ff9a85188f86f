// SPDX-License-Identifier: Apache-2.0
// However often and in whatever order a forge tells the same thing, it becomes one task.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { tasks } from './lib/store.mjs';
import { assertDone, labelled } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const COPIES = 50;
const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };
const branches = (repo) => Object.keys(repo.refs).filter((r) => r.startsWith('refs/heads/agent/'));

// The same bytes under another id: a repository hook and an App hook both fire.
async function post(url, { headers, body }, guid) {
  const twins = Object.fromEntries(
    Object.keys(headers)
      .filter((k) => k.endsWith('-delivery'))
      .map((k) => [k, guid]),
  );
  const { status } = await fetch(url, { method: 'POST', headers: { ...headers, ...twins }, body });
  return status;
}

for (const [name, wish] of Object.entries(FORGES)) {
  const { dialect } = wish;
  test(`${dialect}: one delivery ${COPIES} times at once`, () =>
    inWorld({ name: 'once', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      await forge.do('hook/mode', { times: COPIES });
      const number = await labelled(forge, repo);
      await forge.do('hook/mode', {});
      await forge.idle();
      const sent = (await forge.truth()).filter(
        (l) => l.kind === 'delivery' && l.event === 'issues',
      );
      assert.ok(sent.length >= COPIES, `${sent.length} deliveries`);
      assert.deepEqual(new Set(sent.map((d) => d.status)), new Set([202]));
      const action = dialect === 'github' ? 'labeled' : 'label_updated';
      const raw = await forge.get(`deliveries/raw?event=issues&action=${action}`);
      const other = await Promise.all(
        Array.from({ length: 10 }, () => post(`${w.bot.url}/hook/${name}`, raw, randomUUID())),
      );
      assert.deepEqual(new Set(other), new Set([202]), 'the same event under other ids');
      const done = await assertDone(forge, repo, number);
      await forge.do('deliveries/send', { event: 'issues', action, times: 5 });
      assert.equal(branches(done.repo).length, 1);
      assert.equal((await tasks(w)).length, 1, 'one task in the store');
    }));

  test(`${dialect}: opened with the label, and labelled, in reverse order`, () =>
    inWorld({ name: 'order', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      await forge.do('hook/mode', { reorder: 2 });
      const { number } = await forge.do('issues', {
        repo,
        title: 'add() subtracts',
        labels: ['agent'],
        as: 'alice',
      });
      if (dialect === 'gitea') {
        // Gitea says nothing of labels at creation; an edit of the title is the second delivery.
        await forge.do('edit', { repo, number, title: 'add() really subtracts', as: 'alice' });
      }
      await forge.do('hook/mode', {});
      const done = await assertDone(forge, repo, number);
      assert.equal(branches(done.repo).length, 1);
      assert.equal((await tasks(w)).length, 1);
    }));
}
