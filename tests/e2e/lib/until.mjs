// SPDX-License-Identifier: Apache-2.0
// Waiting for a fact, with a deadline and a reason. Never a bare sleep.
const STEP_MS = 25;

// Calls predicate until it gives something truthy. -> that. `what` is for the error message.
export async function until(what, predicate, ms = 30_000) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await predicate();
      if (value) return value;
      last = undefined;
    } catch (e) {
      last = e;
    }
    if (Date.now() >= deadline) break;
    await new Promise((done) => setTimeout(done, STEP_MS));
  }
  throw new Error(`waited ${ms} ms for: ${what}${last ? ` (last: ${last.message})` : ''}`);
}
