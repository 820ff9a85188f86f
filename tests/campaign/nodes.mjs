// SPDX-License-Identifier: Apache-2.0
// Three nodes on one PostgreSQL, each in a network of its own with one cable; one cable is unplugged
// and one node switched off in the middle of sixty tasks: all end once, by the third. --count is in
// tasks; a round has sixty. Needs root. A short form is tests/e2e/nodes.test.mjs.
import { threeNodes } from '../e2e/lib/three-nodes.mjs';
import { campaign, options } from './lib/campaign.mjs';

const TASKS = 60;
const FORGES = ['one', 'two']; // a forge takes 400 writes an hour from us, and a task makes eight
const settings = options({ count: TASKS, jobs: 1 });

await campaign('nodes', settings, TASKS, async (dice, n) => {
  await threeNodes({ tasks: n, lease: '15s', boxes: 4, ms: 1_200_000, forges: FORGES, areApart: true });
  return `${n} tasks, ${n} pull requests`;
});
