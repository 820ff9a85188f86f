// SPDX-License-Identifier: Apache-2.0
// A forge with a bad day: lost answers, limits, refusals, half answers. Everything still happens once.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertOnce } from './lib/kills.mjs';
import { ask, label } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };
const SEED = 20261122;
const ISSUES = 4;
const API = '^/api/v[13]/';

// Each with its share of all API requests.
const BAD_DAY = [
  { kind: 'reset_before', p: 0.04 },
  { kind: 'reset_after', p: 0.04 },
  { kind: 'bad_gateway', p: 0.04 },
  { kind: 'secondary_limit', p: 0.02, after: 1 },
  { kind: 'too_many', p: 0.02, after: 1 },
  { kind: 'truncate', p: 0.02 },
  { kind: 'wrong_length', p: 0.02 },
  { kind: 'unauthorized', p: 0.02 },
  { kind: 'slow', p: 0.02, ms: 500 },
  { kind: 'delay', p: 0.02, ms: 500 },
];

describe('a fifth of all answers goes wrong', { concurrency: 2 }, () => {
  for (const [name, wish] of Object.entries(FORGES)) {
    test(`${wish.dialect} (seed ${SEED})`, () =>
      inWorld({ name: 'flaky', forges: { [name]: wish } }, async (w) => {
        const forge = w.forges[name],
          repo = await makeRepo(forge);
        const numbers = [];
        for (let i = 0; i < ISSUES; i++) numbers.push((await ask(forge, repo, `sum ${i}`)).number);
        await forge.do('faults/seed', { seed: SEED });
        await forge.do(
          'faults',
          BAD_DAY.map((rule) => ({ ...rule, path: API, times: 0 })),
        );
        await Promise.all(numbers.map((number) => label(forge, repo, number)));
        for (const number of numbers) await assertOnce(forge, repo, number);
        const spoiled = (await forge.truth()).filter((l) => l.fault);
        assert.ok(spoiled.length >= 5, `${spoiled.length} answers were spoiled`);
      }));
  }
});
