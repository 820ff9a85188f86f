// SPDX-License-Identifier: Apache-2.0
// The machine's clock is set while the bot works: by a second, an hour, ten years, forwards and
// backwards, over the change to summer time, to 1970, past 2038; the bot goes on, or is started anew
// by it. Nothing is done twice, nothing is dropped or put off, and forges still know the App.
//   script/campaign clock [--count 1000] [--seed S] [--jobs 2]
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { campaign, options } from './lib/campaign.mjs';
import { underLoad } from './lib/load.mjs';

const STEPS = 5; // a round
const SECOND = 1;
const HOUR = 3600;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const NOTICED = 3; // and what is less is nobody's harm
const EPOCH = 3 * HOUR; // so that what was done before a step was done after 1970, too
const now = () => Date.now() / 1000;

// Seconds by which the clock is wrong from then on.
const KINDS = {
  second: (dice, was) => was + dice.pick([-1, 1]) * SECOND,
  minutes: (dice, was) => was + dice.pick([-1, 1]) * dice.between(2, 59) * 60,
  hour: (dice, was) => was + dice.pick([-1, 1]) * HOUR,
  days: (dice, was) => was + dice.pick([-1, 1]) * dice.between(1, 60) * DAY,
  years: (dice) => dice.pick([-10, 10]) * YEAR,
  1970: () => EPOCH - now(),
  // The bot and what it is made of count seconds in 64 bits; a forge's JSON, too.
  2038: (dice) => 2 ** 31 - now() + dice.between(-5, 5),
  'summer time': () => Date.UTC(2027, 2, 28, 0, 59, 55) / 1000 - now(),
  'leap day': () => Date.UTC(2028, 1, 28, 23, 59, 55) / 1000 - now(),
  right: () => 0,
};

// A mount namespace in which every program gets the library before all others.
class Clock {
  constructor(dir) {
    this.etc = join(dir, 'etc');
    mkdirSync(this.etc);
    const library = join(dirname(process.env.NIGHTSHIFT_BIN), 'libfault_clock.so');
    writeFileSync(join(this.etc, 'ld.so.preload'), `${library}\n`);
    this.file = join(this.etc, 'nightshift-clock');
    writeFileSync(this.file, Buffer.alloc(8));
    this.wrong = 0;
  }

  wrap() {
    const words = `mount -t overlay -o lowerdir=${this.etc}:/etc overlay /etc && exec "$@"`;
    return ['unshare', '--fork', '--mount', 'sh', '-c', words, 'sh'];
  }

  set(seconds) {
    this.wrong = seconds;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(seconds * 1e9)));
    // In place: processes have it mapped.
    const fd = openSync(this.file, 'r+');
    writeSync(fd, bytes, 0, 8, 0);
    closeSync(fd);
  }
}

async function storm(world, dice, steps) {
  const { bot, clock } = world;
  const said = [];
  for (let i = 0; i < steps; i++) {
    await sleep(dice.between(300, 3000));
    const kind = dice.pick(Object.keys(KINDS));
    const from = bot.lines.length;
    const before = clock.wrong;
    // No kernel can be told a time before 1970.
    clock.set(Math.max(KINDS[kind](dice, before), EPOCH - now()));
    const isNoticedLater = dice.below(4) === 0;
    if (isNoticedLater) await bot.restart();
    if (Math.abs(clock.wrong - before) > NOTICED) await bot.log(/clock\.stepped/, { from });
    said.push(isNoticedLater ? `${kind} (restarted)` : kind);
  }
  // To the right time, or to one that is wrong by less than what the keeper refuses to sign for: then
  // the forge's own clock counts.
  clock.set(dice.pick([0, 0, 20 * HOUR, -540]));
  return said;
}

const WISH = {
  name: 'campaign-clock',
  bot(world) {
    world.clock = new Clock(world.dir);
    return { wrap: world.clock.wrap() };
  },
};
const round = (dice, steps) =>
  underLoad(WISH, dice, async (w) => `set to ${(await storm(w, dice, steps)).join(', ')}`);

await campaign('clock', options({ count: 1000 }), STEPS, round);
