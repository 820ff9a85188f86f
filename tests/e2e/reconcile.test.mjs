// SPDX-License-Identifier: Apache-2.0
// What was not delivered is found: in the forge's own log of what failed, and by looking at labels,
// comments and the issues under work. Soon, and once.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tasks } from './lib/store.mjs';
import { ask, assertDone, label, labelled, settled, sticky } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };
const OFTEN = { reconcile_every: '5s', boxes: 6, tasks_per_repo: 6 };
const ISSUES = 6; // as many as the writes of a minute do for
const SEED = 4;

const say = (forge, repo, number, body) => forge.do('comment', { repo, number, body, as: 'alice' });

// Half of the orders by label, half by comment.
async function order(forge, repo, i) {
  const { number } = await ask(forge, repo, `sum ${i}`);
  if (i % 2) await label(forge, repo, number);
  else await say(forge, repo, number, '/agent fix');
  return number;
}

describe('deliveries that do not arrive', { concurrency: 2 }, () => {
  for (const [name, wish] of Object.entries(FORGES)) {
    test(`${wish.dialect}: 30 of 100 are dropped, and the bot is down for a while`, () =>
      inWorld({ name: 'dropped', forges: { [name]: wish }, config: OFTEN }, async (w) => {
        const forge = w.forges[name],
          repo = await makeRepo(forge);
        await forge.do('faults/seed', { seed: SEED });
        await forge.do('hook/mode', { drop: '.', p: 0.3 });
        const numbers = [await labelled(forge, repo, 'the first')];
        await assertDone(forge, repo, numbers[0]);
        for (let i = 0; i < ISSUES / 2; i++) numbers.push(await order(forge, repo, i));
        await forge.idle();
        await w.bot.stop();
        for (let i = ISSUES / 2; i < ISSUES; i++) numbers.push(await order(forge, repo, i));
        await forge.idle();
        await w.bot.start();
        for (const number of numbers) await assertDone(forge, repo, number);
        assert.equal((await tasks(w)).length, numbers.length, 'one task for each order');
        const lost = (await forge.truth()).filter((l) => l.kind === 'delivery' && l.dropped);
        assert.ok(lost.length >= 3, `${lost.length} deliveries were dropped`);
      }));

    test(`${wish.dialect}: a label that is taken off and an issue that is closed unheard`, () =>
      inWorld(
        { name: 'unheard', forges: { [name]: wish }, agent: 'patient', config: OFTEN },
        async (w) => {
          const forge = w.forges[name],
            repo = await makeRepo(forge);
          const letGo = w.hold('agent');
          const [first, second] = [
            await labelled(forge, repo, 'one'),
            await labelled(forge, repo, 'two'),
          ];
          await forge.until('both run', ({ repos }) =>
            repos[0].issues.every((i) => i.labels.includes('agent:running')),
          );
          await forge.do('hook/mode', { drop: '.' });
          await forge.do('unlabel', { repo, number: first, label: 'agent:running', as: 'alice' });
          await forge.do('close', { repo, number: second, as: 'alice' });
          await forge.until('both were stopped', ({ repos, bot }) =>
            repos[0].issues.every((i) => /stopped/.test(sticky(i, bot)[0]?.body ?? '')),
          );
          letGo();
          assert.deepEqual(
            (await tasks(w)).map((t) => t.state),
            ['stopped', 'stopped'],
          );
        },
      ));
  }

  test('github: of a repository that nobody has named and that had no task yet', () =>
    inWorld({ name: 'unknown', forges: { gh: FORGES.gh }, config: OFTEN }, async (w) => {
      const forge = w.forges.gh;
      await w.bot.stop();
      const repo = await makeRepo(forge, { name: 'fresh' });
      const { number } = await forge.do('issues', { repo, title: 'In words', as: 'alice' });
      await say(forge, repo, number, '/agent fix');
      await forge.idle();
      await w.bot.start();
      await assertDone(forge, repo, number);
      const log = await w.bot.log(/poll\.undelivered .*event=issue_comment/, { from: 0 });
      assert.ok(log, 'it came out of the log of the App');
    }));

  test('gitea: of a repository that nobody has named and that had no task yet', () =>
    inWorld({ name: 'unknown', forges: { gt: FORGES.gt }, config: OFTEN }, async (w) => {
      const forge = w.forges.gt;
      await w.bot.stop();
      const repo = await makeRepo(forge, { name: 'fresh' });
      const number = await labelled(forge, repo);
      await forge.idle();
      await w.bot.start();
      await assertDone(forge, repo, number);
    }));

  test('github: the log of a hook, for a personal token', () =>
    inWorld(
      {
        name: 'hook-log',
        forges: { gh: { dialect: 'github', args: ['--bot-permission', 'admin'] } },
        config: { ...OFTEN, forges: { gh: { repos: ['acme/add'] } } },
      },
      async (w) => {
        const forge = w.forges.gh;
        await w.bot.stop();
        const repo = await makeRepo(forge);
        const { number } = await forge.do('issues', { repo, title: 'In words', as: 'alice' });
        await say(forge, repo, number, '/agent fix');
        await forge.idle();
        await w.bot.start();
        await w.bot.log(/poll\.undelivered .*event=issue_comment/, { from: 0 });
        const { over } = await settled(forge, repo, number);
        assert.equal(over, 'agent:done');
        assert.equal((await tasks(w)).length, 1, 'found twice, done once');
      },
    ));
});
