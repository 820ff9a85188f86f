// SPDX-License-Identifier: Apache-2.0
// Jobs through BullMQ, set up as its manual says for throughput and production: addBulk, a worker
// with concurrency, completed jobs removed.
//   node queue-bullmq.mjs SOCKET BODY_FILE COUNT BATCH
// Prints one line of JSON: enqueue_s, work_s, cpu_ms.
import { readFileSync } from 'node:fs';
import { Queue, Worker } from 'bullmq';
import { measure } from './queue.mjs';

const [path, file, count, batch] = process.argv.slice(2);
const data = JSON.parse(readFileSync(file, 'utf8'));
const n = Number(count);
const size = Number(batch);
const connection = { path, maxRetriesPerRequest: null };
const opts = { removeOnComplete: true };
const queue = new Queue('bench', { connection });
await queue.waitUntilReady();

async function enqueue() {
  for (let at = 0; at < n; at += size) {
    const length = Math.min(size, n - at);
    if (size === 1) await queue.add('fix', data, opts);
    else await queue.addBulk(Array.from({ length }, () => ({ name: 'fix', data, opts })));
  }
}

async function work() {
  let left = n;
  let end;
  const isOver = new Promise((resolve) => (end = resolve));
  const worker = new Worker('bench', async () => {}, { connection, concurrency: size });
  worker.on('completed', () => --left || end());
  await isOver;
  await worker.close();
}

const result = await measure(enqueue, work);
const counts = await queue.getJobCounts();
await queue.close();
if (Object.values(counts).some((left) => left > 0)) throw new Error(`jobs are left: ${JSON.stringify(counts)}`);
console.log(JSON.stringify(result));
