// SPDX-License-Identifier: Apache-2.0
// What the programs of script/bench queue say.

const seconds = async (step) => {
  const begun = performance.now();
  await step();
  return Number(((performance.now() - begun) / 1000).toFixed(3));
};

/** The two steps one after the other; processor time of this process for both. */
export async function measure(enqueue, work) {
  const before = process.cpuUsage();
  const enqueue_s = await seconds(enqueue);
  const work_s = await seconds(work);
  const { user, system } = process.cpuUsage(before);
  return { enqueue_s, work_s, cpu_ms: Math.round((user + system) / 1000) };
}
