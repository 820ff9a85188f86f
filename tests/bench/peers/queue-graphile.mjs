// SPDX-License-Identifier: Apache-2.0
// Jobs through graphile-worker, set up as its manual says for throughput: addJobs in batches, a
// local queue that locks a batch of jobs at once, completions in batches.
//   node queue-graphile.mjs URL BODY_FILE COUNT BATCH
// Prints one line of JSON: enqueue_s, work_s, cpu_ms.
import { readFileSync } from 'node:fs';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { measure } from './queue.mjs';

const [connectionString, file, count, batch] = process.argv.slice(2);
const payload = JSON.parse(readFileSync(file, 'utf8'));
const logger = new Logger(() => () => {});
const n = Number(count);
const size = Number(batch);
const utils = await makeWorkerUtils({ connectionString, logger });
await utils.migrate();

async function enqueue() {
  for (let at = 0; at < n; at += size) {
    const length = Math.min(size, n - at);
    const job = { identifier: 'fix', payload };
    if (size === 1) await utils.addJob(job.identifier, job.payload);
    else await utils.addJobs(Array.from({ length }, () => job));
  }
}

async function work() {
  let left = n;
  let end;
  const isOver = new Promise((resolve) => (end = resolve));
  const batched = { localQueue: { size: 4 * size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  const runner = await run({
    preset: { worker: { connectionString, logger, concurrentJobs: size, ...(size > 1 ? batched : {}) } },
    noHandleSignals: true,
    taskList: { fix: async () => --left || end() },
  });
  await isOver;
  await runner.stop(); // writes what is not yet written
}

const result = await measure(enqueue, work);
const { rows } = await utils.withPgClient((c) => c.query('SELECT count(*)::int AS n FROM graphile_worker.jobs'));
await utils.release();
if (rows[0].n !== 0) throw new Error(`${rows[0].n} jobs are left`);
console.log(JSON.stringify(result));
