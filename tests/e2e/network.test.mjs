// SPDX-License-Identifier: Apache-2.0
// A box that wants to go where it may not: it goes nowhere, its task goes on, and people are told
// where it wanted to go, and when. A gateway that is killed meanwhile takes nothing along.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertDone, labelled } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

test('what a box was refused is listed on the pull request', () =>
  inWorld(
    { name: 'network', forges: { gt: { dialect: 'gitea' } }, agent: 'curious' },
    async (w) => {
      const forge = w.forges.gt;
      const repo = await makeRepo(forge, { files: addRepo() });
      const number = await labelled(forge, repo, 'add() subtracts');
      const { pull } = await assertDone(forge, repo, number);
      const [, list] = /Refused network access:\n\n```\n([\s\S]*?)```/.exec(pull.body) ?? [];
      assert.ok(list, pull.body);
      assert.match(list, /^\d\d:\d\d docs\.evil\.example: not open on this server$/m);
      assert.match(list, /^\d\d:\d\d plain\.evil\.example: /m);
      assert.match(list, /^\d\d:\d\d 127\.0\.0\.2:443: an address instead of a name$/m);
      assert.doesNotMatch(pull.body, /reached http/);
    },
  ));
