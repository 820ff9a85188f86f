// SPDX-License-Identifier: Apache-2.0
// kill -9 of random processes at random times under load: the master, a role, a shim, a box, the
// programs between them. Afterwards nothing that was acknowledged is lost and nothing is there twice.
//   script/campaign kill [--count 1000] [--seed S] [--jobs 2]
import { setTimeout as sleep } from 'node:timers/promises';
import { alive, argv, descendants } from '../e2e/lib/proc.mjs';
import { makeRepo } from '../e2e/lib/repos.mjs';
import { ask, label } from '../e2e/lib/tasks.mjs';
import { World } from '../e2e/lib/world.mjs';
import { campaign, options } from './lib/campaign.mjs';
import { assertInvariants, rest } from './lib/invariants.mjs';

const KILLS = 10; // a round
const ISSUES = 4; // of each forge in a round; more would wait for the bucket of content writes
const REST_MS = 120_000;
const WISH = {
  name: 'campaign-kill',
  forges: { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } },
  config: { boxes: 6, tasks_per_repo: 6 },
};

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

async function load(forge, dice, repo) {
  const asked = [];
  for (let i = 0; i < ISSUES; i++) {
    const { number } = await ask(forge, repo, `sum ${i} is wrong`);
    asked.push({ repo, number });
    await sleep(dice.below(1500));
    await label(forge, repo, number);
  }
  return asked;
}

async function storm(world, dice, kills) {
  const said = [];
  for (let i = 0; i < kills; i++) {
    await sleep(dice.between(50, 1200));
    said.push(await killOne(world, dice));
  }
  return said;
}

async function round(dice, kills) {
  const world = await World.start(WISH);
  try {
    const forges = Object.entries(world.forges);
    const loads = forges.map(async ([name, f]) => [name, await load(f, dice, await makeRepo(f))]);
    const [said, ...rows] = await Promise.all([storm(world, dice, kills), ...loads]);
    await rest(world, REST_MS);
    const looked = await assertInvariants(world, Object.fromEntries(rows));
    await world.stop();
    return `killed ${said.join(' ')}; ${looked}`;
  } catch (e) {
    world.report();
    await world.stop({ quiet: true });
    throw e;
  }
}

await campaign('kill', options({ count: 1000 }), KILLS, round);
