// SPDX-License-Identifier: Apache-2.0
// A forge of which 30 of 100 answers go wrong, in each way that answers do. Afterwards nothing is there
// twice, and every task has come to an end that was told.
//   script/campaign forge [--count 500] [--seed S] [--jobs 2]
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { campaign, options } from './lib/campaign.mjs';
import { underLoad } from './lib/load.mjs';

const P = 0.3;
const LASTS_MS = 15_000;
// A push whose answer was cut off ends after 45 s; a closed door is tried again after 60.
const REST_MS = 240_000;
const KINDS = [
  { kind: 'reset_before' },
  { kind: 'reset_after' },
  ...[500, 502, 503].map((status) => ({ kind: 'status_before', status, body: 'no' })),
  ...[500, 502].map((status) => ({ kind: 'status_after', status, body: 'no' })),
  { kind: 'too_many', after: 1 },
  { kind: 'secondary_limit', after: 1 },
  { kind: 'unauthorized' },
  { kind: 'truncate' },
  { kind: 'wrong_length' },
  { kind: 'slow', ms: 800 },
  { kind: 'delay', ms: 600 },
];

// Rules are asked in turn, each of those that reach it: so that all together play P.
const rules = () => {
  const each = 1 - (1 - P) ** (1 / KINDS.length);
  return KINDS.map((kind) => ({ ...kind, p: each, times: 0 }));
};

const round = (dice) =>
  underLoad({ name: 'campaign-forge', restMs: REST_MS }, dice, async (world) => {
    const forges = Object.values(world.forges);
    for (const forge of forges) {
      await forge.do('faults/seed', { seed: dice.seed });
      await forge.do('faults', rules());
    }
    await sleep(LASTS_MS);
    const views = await Promise.all(forges.map((forge) => forge.get('faults')));
    for (const forge of forges) await forge.do('faults/clear');
    for (const forge of forges) assert.deepEqual((await forge.get('stats')).calls_in_bans, []);
    return `${views.flat().reduce((n, rule) => n + rule.played, 0)} faults`;
  });

await campaign('forge', options({ count: 500 }), 1, round);
