// SPDX-License-Identifier: Apache-2.0
// The demo does what it says, on both kinds of forges: ends with 0, and the addresses it prints were
// of a real pull request and a real transcript.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './lib/process.mjs';

const DEMO = fileURLToPath(new URL('./demo/demo.mjs', import.meta.url));
const SECONDS_MAX = 90;

for (const forge of ['gitea', 'github']) {
  test(`demo --once with ${forge}`, async () => {
    const began = Date.now();
    const { OPENAI_API_KEY: gone, ...env } = process.env;
    const { code, stdout, stderr } = await run(
      process.execPath,
      [DEMO, '--once', '--forge', forge],
      { env },
    );
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^pull request +http:\/\/\S+\/pulls?\/\d+$/m);
    assert.match(stdout, /^transcript +http:\/\/\S+\/t\/[0-9a-f]{32}$/m);
    assert.ok(Date.now() - began < SECONDS_MAX * 1000);
  });
}
