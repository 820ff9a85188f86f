// SPDX-License-Identifier: Apache-2.0
// What all campaigns have: a count, a seed, rounds of which some run side by side, and a last line
// that says how many passed. The seed of a round is printed with its failure; with `--round SEED`
// only that one is run.
import { parseArgs } from 'node:util';
import { seeded } from '../../e2e/forge-sim/faults.mjs';

export function options(defaults) {
  const named = Object.fromEntries(
    Object.keys({ count: 0, seed: 0, jobs: 0, round: 0, ...defaults }).map((name) => [
      name,
      { type: 'string' },
    ]),
  );
  const { values } = parseArgs({ options: named });
  const numbers = Object.fromEntries(Object.entries(values).map(([k, v]) => [k, Number(v)]));
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} is to be a number`);
  }
  return { seed: Date.now() % 1_000_000, jobs: 2, ...defaults, ...numbers };
}

export class Dice {
  constructor(seed) {
    this.seed = seed;
    this.next = seeded(seed);
  }

  below(n) {
    return Math.floor(this.next() * n);
  }

  between(from, to) {
    return from + this.below(to - from + 1);
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}

// play(dice, n) -> what was done, a number that is counted; it throws if an invariant is broken.
// Rounds go on until `count` is reached.
export async function campaign(name, { count, seed, jobs, round }, size, play) {
  const began = Date.now();
  let [passed, failed, planned, n] = [0, 0, 0, 0];
  const worker = async () => {
    while (planned < count) {
      const mine = Math.min(size, count - planned);
      planned += mine;
      const own = round || seed + n++;
      try {
        const done = await play(new Dice(own), mine);
        passed += mine;
        console.log(`${name}: round ${own}: ${done}; ${passed + failed} of ${count}`);
      } catch (e) {
        failed += mine;
        console.error(`${name}: round ${own} FAILED (again with --round ${own}): ${e.stack}`);
      }
    }
  };
  console.log(`${name}: ${count} with seed ${seed}`);
  await Promise.all(Array.from({ length: jobs }, worker));
  console.log(`${name}: ${Math.round((Date.now() - began) / 1000)} s, seed ${seed}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}
