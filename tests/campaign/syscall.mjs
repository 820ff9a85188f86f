// SPDX-License-Identifier: Apache-2.0
// kill -9 at a system call: of the master, of each role in the middle of its life and at its start, of
// an attempt's shim. Each strike has a task of its own. Afterwards nothing that was acknowledged is lost
// and nothing is there twice.
//   script/campaign syscall [--count 1000] [--seed S] [--jobs 2]
import { campaign, options } from './lib/campaign.mjs';
import { strikes } from './lib/strike.mjs';

const STRIKES = 8; // in one world

const round = (dice, n) =>
  strikes('campaign-syscall', dice, n, {
    choose: (d, count) => ({ at: d.between(1, count) }),
  });

await campaign('syscall', options({ count: 1000 }), STRIKES, round);
