// SPDX-License-Identifier: Apache-2.0
// The store is lost and a new one begins empty, while tasks are at work and again when they are over.
// What stands on the forge is known again: one comment, one pull request, no label that lies.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { tasks } from './lib/store.mjs';
import { ask, labelled, pullsFor, sticky } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const OFTEN = { reconcile_every: '5s' };
const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };

// The bot has ended; and every copy of its store with it.
function lose(w) {
  for (const dir of ['store', 'backups'])
    rmSync(join(w.dir, 'bot', dir), { recursive: true, force: true });
}

// The delivery of alice's order, once more.
async function tellAgain(forge) {
  const { guid } = (await forge.get('deliveries')).find((d) => d.event === 'issue_comment');
  const { codes } = await forge.do('deliveries/send', { guid });
  assert.deepEqual(codes, [202]);
}

const isAtWork = (issue, bot) =>
  issue.labels.includes('agent:running') && sticky(issue, bot).length === 1;
const says = (words, issue, bot) =>
  !issue.labels.includes('agent:running') && words.test(sticky(issue, bot)[0]?.body ?? '');

// What there is of an order, and of nothing more than one.
async function assertOne(forge, repoName, number, pulls) {
  const { bot, repos } = await forge.state();
  const repo = repos.find((r) => r.full_name === repoName);
  const issue = repo.issues.find((i) => i.number === number);
  assert.equal(sticky(issue, bot).length, 1, 'one comment');
  assert.equal(pullsFor(repo, number).length, pulls, 'pull requests');
  const branches = Object.keys(repo.refs).filter((r) => r.startsWith('refs/heads/agent/'));
  assert.equal(branches.length, 1, 'one branch');
}

// By comment and by label.
async function orders(forge, repo) {
  const said = (await ask(forge, repo, 'the first')).number;
  await forge.do('comment', { repo, number: said, body: '/agent fix', as: 'alice' });
  return [said, await labelled(forge, repo, 'the second')];
}

describe('a store that is lost', { concurrency: 2 }, () => {
  for (const [name, wish] of Object.entries(FORGES)) {
    test(`${wish.dialect}: while tasks are at work, and after it`, () =>
      inWorld({ name: 'lost', forges: { [name]: wish }, agent: 'patient', config: OFTEN }, async (w) => {
        const forge = w.forges[name],
          repo = await makeRepo(forge);
        const letGo = w.hold('agent');
        const [said, set] = await orders(forge, repo);
        const on = (state, number) => state.repos[0].issues.find((i) => i.number === number);
        await forge.until('both run and say so', (state) =>
          [said, set].every((n) => isAtWork(on(state, n), state.bot)),
        );
        await w.bot.blackout();
        lose(w);
        letGo();
        await w.bot.start();
        // The comment stands there still; the label is gone, and with it what was asked for.
        await tellAgain(forge);
        await forge.until('one is done', (s) => says(/: succeeded/, on(s, said), s.bot));
        await forge.until('one is told as lost', (s) =>
          says(/: failed[^]*lost its records/, on(s, set), s.bot),
        );
        await forge.until('labels tell the same', (s) =>
          [on(s, said).labels.includes('agent:done'), on(s, set).labels.includes('agent:failed')].every(
            Boolean,
          ),
        );
        const numbers = (await tasks(w)).map((t) => t.id);
        assert.deepEqual(numbers, [10000, 10001], 'numbers of their own');
        await assertOne(forge, repo, said, 1);
        await assertOne(forge, repo, set, 0);

        await w.bot.stop();
        lose(w);
        await w.bot.start();
        await tellAgain(forge);
        const known = await until('it is known again', async () => {
          const all = await tasks(w);
          return all.length > 0 && all;
        });
        assert.deepEqual(
          known.map((t) => [t.number, t.state]),
          [[said, 'succeeded']],
        );
        await forge.idle();
        await assertOne(forge, repo, said, 1);
        await assertOne(forge, repo, set, 0);
      }));
  }
});
