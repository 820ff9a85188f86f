// SPDX-License-Identifier: Apache-2.0
// The store's disk is small, and somebody else fills it, to the last page or nearly; or it has no inode
// left, or is read-only all of a sudden. Whoever delivers then is told 202 or to come again; what was
// acknowledged is there afterwards, once; work goes on by itself when there is room.
//   script/campaign disk [--count 500] [--seed S] [--jobs 2]
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Program, run } from '../e2e/lib/process.mjs';
import { until } from '../e2e/lib/until.mjs';
import { campaign, options } from './lib/campaign.mjs';
import { underLoad } from './lib/load.mjs';

const FAULTS = 4; // a round
const BACK_MS = 30_000; // after which it must accept again

async function command(...words) {
  const { code, stderr } = await run(words[0], words.slice(1));
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
}

// A tmpfs in the place of the store's directory, in a mount namespace that only the bot is in: boxes
// of others would have a copy of it. Somebody who does nothing holds that namespace.
class Disk {
  constructor(dir, mebibytes) {
    this.mebibytes = mebibytes;
    this.point = join(dir, 'bot', 'store');
    mkdirSync(this.point, { recursive: true });
  }

  async mount() {
    const mount = `mount -t tmpfs -o size=${this.mebibytes}m none ${this.point}`;
    this.holder = new Program('disk', 'unshare', [
      '--mount',
      ...['sh', '-c', `${mount} && echo mounted && exec sleep 1000000`],
    ]);
    await this.holder.line(/mounted/);
    this.dir = `/proc/${this.holder.pid}/root${this.point}`;
    this.filler = join(this.dir, 'filler');
  }

  enter(...words) {
    return ['nsenter', `--mount=/proc/${this.holder.pid}/ns/mnt`, ...words];
  }

  wrap() {
    return ['sh', '-c', '"$@"; exit $?', 'sh', ...this.enter()];
  }

  remount(how) {
    return command(...this.enter('mount', '-o', `remount,${how}`, this.point));
  }

  // All but so many bytes.
  fill(leave) {
    const fd = openSync(this.filler, 'a');
    const page = Buffer.alloc(4096);
    for (;;) {
      const { bavail, bsize } = statfsSync(this.dir);
      if (bavail * bsize <= leave) break;
      writeSync(fd, page);
    }
    closeSync(fd);
  }

  clear() {
    rmSync(this.filler, { force: true });
  }
}

// What is done, and what undoes it.
const KINDS = {
  full: async (disk) => disk.fill(0),
  'nearly full': async (disk, dice) => disk.fill(4096 * dice.between(1, 64)),
  'no inodes': async (disk) => {
    const { files, ffree } = statfsSync(disk.dir);
    await disk.remount(`nr_inodes=${Math.max(1, files - ffree)}`);
  },
  'read-only': (disk) => disk.remount('ro'),
};

async function heal(disk) {
  await disk.remount('rw,nr_inodes=100000');
  disk.clear();
}

// How the bot answers a delivery now.
async function knock(world) {
  try {
    const res = await fetch(`${world.bot.url}/hook/gt`, { method: 'POST', body: '{}' });
    return res.status;
  } catch {
    return 0; // nobody listens: it is being started
  }
}

async function storm(world, dice, faults) {
  const said = [];
  for (let i = 0; i < faults; i++) {
    await sleep(dice.between(200, 2500));
    const kind = dice.pick(Object.keys(KINDS));
    // Files that are open for writing stand in the way of a read-only disk.
    const done = await KINDS[kind](world.disk, dice).then(
      () => true,
      (e) => {
        if (kind !== 'read-only') throw e;
        return false;
      },
    );
    said.push(done ? kind : `${kind} (busy)`);
    const lasts = dice.between(300, 4000);
    for (let passed = 0; passed < lasts; passed += 200) {
      const status = await knock(world);
      assert.ok([0, 401, 429, 503].includes(status), `a delivery was answered with ${status}`);
      await sleep(200);
    }
    if (dice.below(4) === 0) {
      await world.bot.kill(); // and it cannot even begin
      said.push('killed');
      const starts = world.bot.start();
      await sleep(dice.between(0, 2000));
      await heal(world.disk);
      await starts;
    }
    await heal(world.disk);
    await until('the bot is ready again', async () => (await ready(world)) === 200, BACK_MS);
  }
  return said;
}

const ready = (world) =>
  fetch(`${world.bot.url}/readyz`).then(
    (res) => res.status,
    () => 0,
  );

const wish = (dice) => ({
  name: 'campaign-disk',
  async before(world) {
    world.disk = new Disk(world.dir, dice.pick([2, 4, 8, 16, 64]));
    await world.disk.mount();
    world.enter = world.disk.enter();
    world.after = () => world.disk.holder.stop(5000);
  },
  bot: (world) => ({ wrap: world.disk.wrap() }),
});
const round = (dice, faults) =>
  underLoad(
    wish(dice),
    dice,
    async (w) => `${w.disk.mebibytes} MiB: ${(await storm(w, dice, faults)).join(', ')}`,
  );

await campaign('disk', options({ count: 500 }), FAULTS, round);
