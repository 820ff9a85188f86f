// SPDX-License-Identifier: Apache-2.0
// 202 means: it is on the disk. Seen from the kernel: between reading a delivery and answering it
// an fsync of the write-ahead log has finished. With the store's sync switched off the same look
// finds none, so the look is a good one.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inWorld } from './lib/world.mjs';

const DELIVERIES = 5;
const CALLS =
  'read,recvfrom,recvmsg,readv,write,writev,sendto,sendmsg,fsync,fdatasync,sync_file_range';

const STRACE = `strace -f -qq -y -s 64 -e trace=${CALLS} -e signal=none -o {dir}/trace`.split(' ');

async function deliver(world) {
  for (let i = 0; i < DELIVERIES; i++) {
    const body = JSON.stringify({ action: 'nothing', n: i });
    const mac = createHmac('sha256', world.secrets['gh-hook']).update(body).digest('hex');
    const { status } = await fetch(`${world.bot.url}/hook/gh`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'watch',
        'x-github-delivery': `d-${i}`,
        'x-hub-signature-256': `sha256=${mac}`,
      },
    });
    assert.equal(status, 202);
  }
}

// -> for each delivery, how many syncs of the log finished between its reading and its answer.
function syncs(trace) {
  const counts = [],
    begun = new Map();
  let open;
  for (const line of trace.split('\n')) {
    const pid = line.split(' ')[0];
    if (/"POST \/hook\/gh/.test(line) && !/unfinished/.test(line)) open ??= 0;
    if (/\b(fsync|fdatasync)\(.*-wal/.test(line) && /unfinished/.test(line)) begun.set(pid, true);
    const isWhole = /\b(fsync|fdatasync)\(.*-wal.*\) += 0/.test(line);
    const isResumed = /<\.\.\. (fsync|fdatasync) resumed>\) += 0/.test(line) && begun.delete(pid);
    if (open !== undefined && (isWhole || isResumed)) open++;
    if (/"HTTP\/1\.[01] 202/.test(line)) {
      counts.push(open);
      open = undefined;
    }
  }
  return counts;
}

async function traced(config) {
  let counts;
  await inWorld(
    {
      name: 'durable',
      forges: { gh: { dialect: 'github', app: true } },
      config,
      bot: {
        wrap: STRACE,
      },
    },
    async (w) => {
      await deliver(w);
      await w.bot.stop();
      counts = syncs(readFileSync(join(w.dir, 'trace'), 'utf8'));
    },
  );
  return counts;
}

test('each 202 comes after a finished fsync of the log', async () => {
  const counts = await traced({});
  assert.equal(counts.length, DELIVERIES);
  assert.ok(
    counts.every((n) => n >= 1),
    counts.join(),
  );
});

test('without the sync the same look finds none', async () => {
  const counts = await traced({ store_synchronous: 'off' });
  assert.equal(counts.length, DELIVERIES);
  assert.deepEqual(counts, Array(DELIVERIES).fill(0));
});
