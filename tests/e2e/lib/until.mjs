// SPDX-License-Identifier: Apache-2.0
// Waiting for a fact, with a deadline and a reason. Never a bare sleep.
// Who has waited long looks less often: many worlds wait side by side, and looking is their work.
const STEP_MS = 25;
const STEP_MS_MAX = 250;

// Calls predicate until it gives something truthy. -> that. `what` is for the error message.
export async function until(what, predicate, ms = 60_000) {
  const began = Date.now();
  let last;
  for (;;) {
    try {
      const value = await predicate();
      if (value) return value;
      last = undefined;
    } catch (e) {
      last = e;
    }
    const waited = Date.now() - began;
    if (waited >= ms) break;
    const step = Math.min(Math.max(waited / 10, STEP_MS), STEP_MS_MAX, ms - waited);
    await new Promise((done) => setTimeout(done, step));
  }
  throw new Error(`waited ${ms} ms for: ${what}${last ? ` (last: ${last.message})` : ''}`);
}
