// SPDX-License-Identifier: Apache-2.0
// Each limit that a box can meet ends it with a sentence of its own, in the issue and on the task's
// page; with groups of the kernel where we are root, with the shim's own eyes where not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelled, settled, sticky } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const NOBODY = 65534;
const LIMITS = {
  memory: '128MiB',
  idle: '4s',
  output: '1MiB',
  processes: 64,
};
const MUCH_MEMORY = 'head -c 300m /dev/zero >/tmp/much\nsleep 20\n';
const MANY = '(for i in $(seq 90); do sleep 3 & done)\nexit 4\n';
const MEND = "sed -i 's/ - / + /' add.sh\n";

// What the agent does, or other files of the repository, and what is said in the end. Without
// rights only what somebody else keeps then is asked again.
const ENDS = [
  {
    name: 'wall',
    want: 'while :; do :; done\n',
    more: { limits: { wall: '5s' } },
    says: /the agent was stopped after 5s and had changed nothing/,
  },
  {
    name: 'idle',
    byLooking: true,
    want: `${MEND}sleep 60\n`,
    says: /the agent was stopped after 4s without output, network traffic or work; what it had done by then is kept/,
  },
  {
    name: 'memory',
    byLooking: true,
    want: MUCH_MEMORY,
    says: /the agent was stopped because it needed more than its 128MiB of memory and had changed nothing/,
  },
  {
    name: 'less-memory',
    want: 'head -c 90m /dev/zero >/tmp/much\nsleep 20\n',
    more: { limits: { memory: '64MiB' } },
    says: /the agent was stopped because it needed more than its 64MiB of memory/,
  },
  {
    name: 'output',
    want: 'yes\n',
    says: /the agent was stopped because it printed more than 1MiB and had changed nothing/,
  },
  {
    name: 'processes',
    want: MANY,
    says: /the agent ended with exit code 4 and had met its limit of 64 processes/,
  },
  {
    name: 'gate-memory',
    byLooking: true,
    want: MEND,
    files: { 'test.sh': MUCH_MEMORY },
    says: /the tests did not end: `sh test.sh` was stopped because it needed more than its 128MiB of memory/,
  },
  {
    name: 'gate-idle',
    want: MEND,
    files: { 'test.sh': 'sleep 60\n' },
    says: /the tests did not end: `sh test.sh` was stopped after 4s without output, network traffic or work/,
  },
  {
    name: 'gate-red',
    want: MEND,
    files: { 'test.sh': 'exit 3\n' },
    says: /the tests failed: `sh test.sh` ended with exit code 3/,
  },
  {
    name: 'setup-output',
    want: MEND,
    files: { 'setup.sh': 'yes\n' },
    more: { setup: ['sh setup.sh'] },
    says: /setup: `sh setup.sh` was stopped because it printed more than 1MiB/,
  },
  {
    name: 'setup-memory',
    want: MEND,
    files: { 'setup.sh': MUCH_MEMORY },
    more: { setup: ['sh setup.sh'] },
    says: /setup: `sh setup.sh` was stopped because it needed more than its 128MiB of memory/,
  },
];

async function meets(w, { name, want, more, files, says }) {
  const { gt: forge } = w.forges;
  const repo = await makeRepo(forge, {
    name,
    files: { ...addRepo(more), 'want.sh': want, ...files },
  });
  const number = await labelled(forge, repo);
  const { over, issue, bot } = await settled(forge, repo, number, 120_000);
  const [comment] = sticky(issue, bot);
  assert.equal(over, 'agent:failed', `${name}: ${comment.body}`);
  assert.match(comment.body.replaceAll('\\', ''), says); // signs of Markdown are escaped
  const [page] = comment.body.match(/https?:\/\/[^\s)]+\/t\/[0-9a-f]{32}/) ?? [];
  assert.ok(page, comment.body);
  const text = (await (await fetch(page)).text()).replaceAll('&#39;', "'");
  assert.match(text, says, `${name}: the page`);
}

for (const [tier, bot] of [
  ['as root', {}],
  ['as a user without rights', { bot: { uid: NOBODY } }],
])
  test(`each end of a box is told, ${tier}`, () =>
    inWorld(
      {
        name: 'limits',
        forges: { gt: { dialect: 'gitea' } },
        agent: 'want',
        config: { limits: LIMITS, tasks_per_repo: 1 },
        ...bot,
      },
      async (w) => {
        const ends = ENDS.filter((end) => end.byLooking || !bot.bot);
        await Promise.all(ends.map((end) => meets(w, end)));
      },
    ));
