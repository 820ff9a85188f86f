// SPDX-License-Identifier: Apache-2.0
// kill -9 of random processes at random times under load: the master, a role, a shim, a box, the
// programs between them. Afterwards nothing that was acknowledged is lost and nothing is there twice.
//   script/campaign kill [--count 1000] [--seed S] [--jobs 2]
import { setTimeout as sleep } from 'node:timers/promises';
import { alive, argv, descendants } from '../e2e/lib/proc.mjs';
import { campaign, options } from './lib/campaign.mjs';
import { underLoad } from './lib/load.mjs';

const KILLS = 10; // a round
const WISH = { name: 'campaign-kill' };

// One of ours, the master as often as any other kind.
async function killOne(world, dice) {
  const { bot } = world;
  const pids = [...new Set([bot.master, ...descendants(bot.master), ...bot.strays()])];
  const kinds = new Map();
  for (const pid of pids) {
    const words = argv(pid);
    const kind = pid === bot.master ? 'master' : (words[words.indexOf('--role') + 1] ?? '?');
    kinds.set(kind, [...(kinds.get(kind) ?? []), pid]);
  }
  const kind = dice.pick([...kinds.keys()].sort());
  if (kind === 'master') {
    await bot.restart();
    return kind;
  }
  const pid = dice.pick(kinds.get(kind));
  if (alive(pid)) process.kill(pid, 'SIGKILL');
  return kind;
}

async function storm(world, dice, kills) {
  const said = [];
  for (let i = 0; i < kills; i++) {
    await sleep(dice.between(50, 1200));
    said.push(await killOne(world, dice));
  }
  return said;
}

const round = (dice, kills) =>
  underLoad(WISH, dice, async (world) => `killed ${(await storm(world, dice, kills)).join(' ')}`);

await campaign('kill', options({ count: 1000 }), KILLS, round);
