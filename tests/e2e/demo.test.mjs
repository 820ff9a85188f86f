// SPDX-License-Identifier: Apache-2.0
// The demo does what it says, on both kinds of forges: ends with 0, and the addresses it prints were
// of a real pull request and a real transcript.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Model } from './lib/model.mjs';
import { run } from './lib/process.mjs';
import { remove, scratch } from './lib/scratch.mjs';

const DEMO = fileURLToPath(new URL('./demo/demo.mjs', import.meta.url));
const SECONDS_MAX = 90;

async function demo(args, more = {}) {
  const { OPENAI_API_KEY: gone, ...env } = process.env;
  const { code, stdout, stderr } = await run(process.execPath, [DEMO, '--once', ...args], {
    env: { ...env, ...more },
  });
  return { code, said: stdout + stderr };
}

function assertShown({ code, said }) {
  assert.equal(code, 0, said);
  assert.match(said, /^pull request +http:\/\/\S+\/pulls?\/\d+$/m);
  assert.match(said, /^transcript +http:\/\/\S+\/t\/[0-9a-f]{32}$/m);
}

for (const forge of ['gitea', 'github']) {
  test(`demo --once with ${forge}`, async () => {
    const began = Date.now();
    assertShown(await demo(['--forge', forge]));
    assert.ok(Date.now() - began < SECONDS_MAX * 1000);
  });
}

test('demo with a key: Codex is offered, and works when it is chosen', async () => {
  const dir = scratch('demo-codex');
  const key = 'sk-demo-0123456789abcdef';
  const model = await Model.start({ dir, key, scenarios: ['mend-humane.json'] });
  const env = { OPENAI_API_KEY: key, OPENAI_BASE_URL: `${model.url}/v1` };
  try {
    assertShown(await demo(['--agent', 'codex'], env));
    const { said } = await demo([], { ...env, OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' });
    assert.match(said, /`--agent codex` lets Codex do the work/);
  } finally {
    const { missed, errors } = await model.stop();
    remove(dir);
    assert.deepEqual([missed, errors], [[], []], 'each turn was played, with the real key');
  }
  assert.equal((await demo(['--agent', 'codex'])).code, 1, 'not without a key');
});
