// SPDX-License-Identifier: Apache-2.0
// Twenty issues are labelled at once: twenty pull requests, one comment each, and the forge is not
// overrun.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, assertDone, label, pullsFor } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const ISSUES = 20;
const ALL_MS = 500_000;
// What GitHub allows in content creation; the bot keeps below it by its own bucket of 60.
const PER_MINUTE_MAX = 80;

test('twenty labelled issues at once', () =>
  inWorld(
    { name: 'many', forges: { gt: { dialect: 'gitea' } }, config: { boxes: 8, tasks_per_repo: 8 } },
    async (w) => {
      const forge = w.forges.gt,
        repo = await makeRepo(forge);
      const numbers = [];
      for (let i = 0; i < ISSUES; i++)
        numbers.push((await ask(forge, repo, `sum ${i} is wrong`)).number);
      await Promise.all(numbers.map((number) => label(forge, repo, number)));
      const deadline = Date.now() + ALL_MS;
      const heads = new Set();
      for (const number of numbers) {
        const { pull } = await assertDone(
          forge,
          repo,
          number,
          Math.max(1000, deadline - Date.now()),
        );
        heads.add(pull.pull.head);
      }
      assert.equal(heads.size, ISSUES, 'each on a branch of its own');
      const { issues } = await forge.repo(repo);
      assert.equal(issues.filter((i) => i.pull).length, ISSUES);
      const whole = { issues };
      assert.ok(numbers.every((n) => pullsFor(whole, n).length === 1));
      const { max_per_minute: most } = await forge.get('stats');
      assert.ok(most <= PER_MINUTE_MAX, `${most} content writes in a minute`);
    },
  ));
