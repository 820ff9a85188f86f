// SPDX-License-Identifier: Apache-2.0
// Killing at chosen moments. A moment is made to last: a request that the forge holds, a box that
// takes its time, so that nothing depends on how fast the machine is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ROLES } from './bot.mjs';
import { addRepo, makeRepo } from './repos.mjs';
import { tasks } from './store.mjs';
import { ask, assertDone, label, settled, sticky } from './tasks.mjs';
import { until } from './until.mjs';
import { inWorld } from './world.mjs';

export const VICTIMS = [...ROLES, 'master'];
export const SHIM = 'shim'; // of an attempt, and with it its box
const HELD_MS = 60_000;
const SETTLE_MS = 240_000;

export async function killVictim(world, victim) {
  if (victim === 'master') return world.bot.restart();
  if (victim !== SHIM) return world.bot.killRole(victim);
  const shims = world.bot.shims();
  assert.equal(shims.length, 1, 'one attempt, one shim');
  return process.kill(shims[0], 'SIGKILL');
}

// The end that every kill must lead to: everything once.
export async function assertOnce(forge, repoName, number) {
  const { pull, repo, issue, bot } = await assertDone(forge, repoName, number, SETTLE_MS);
  const branches = Object.keys(repo.refs).filter((r) => r.startsWith('refs/heads/agent/'));
  assert.ok(branches.includes(`refs/heads/${pull.pull.head}`));
  const created = await forge.effects('comment.created', { repo: repoName, number, actor: bot });
  assert.equal(created.length, 1, 'one comment was ever created');
  assert.equal(
    (await forge.effects('pull.opened', { repo: repoName })).filter(
      (p) => p.head === pull.pull.head,
    ).length,
    1,
  );
  const pushes = await forge.effects('push', {
    repo: repoName,
    ref: `refs/heads/${pull.pull.head}`,
  });
  assert.equal(
    new Set(pushes.map((p) => p.new)).size,
    1,
    'the same commit, however often it was pushed',
  );
  const [logsRef] = /refs\/agent-logs\/\d+/.exec(pull.body) ?? [];
  const logs = logsRef ? await forge.effects('push', { repo: repoName, ref: logsRef }) : [];
  assert.ok(new Set(logs.map((p) => p.new)).size <= 1, 'the same logs, however often');
  const checks = (await forge.effects('check.created', { repo: repoName })).filter(
    (c) => c.head_sha === pull.pull.head_sha,
  );
  assert.ok(checks.length <= 1, 'one check run');
  const names = pull.assets.map((a) => a.name);
  assert.equal(new Set(names).size, names.length, 'each log is attached once');
  assert.equal(sticky(pull, bot).length, 0);
  assert.ok(!issue.labels.includes('agent:running'));
  return { pull, issue, repo };
}

// Writes of each kind, [name, method, path after /repos/acme/NAME], and git's pushes: of the work, and
// on GitHub of the logs before it. In parts: a task makes some ten writes, and a forge is asked for no
// more than 60 a minute.
const FIRST = [
  ['react', 'POST', '/issues/\\d+/reactions$'],
  ['label-on', 'POST', '/issues/\\d+/labels$'],
  ['label-off', 'DELETE', '/issues/\\d+/labels/'],
  ['comment', 'POST', '/issues/\\d+/comments$'],
];
const LAST = [['edit', 'PATCH', '/issues/comments/\\d+$'], ['pull', 'POST', '/pulls$'], ['push']];
const WRITES = {
  github: { first: FIRST, last: [...LAST, ['logs'], ['check', 'POST', '/check-runs$']] },
  gitea: {
    first: FIRST,
    last: LAST,
    results: [
      ['status', 'POST', '/statuses/'],
      ['asset', 'POST', '/issues/\\d+/assets\\?'],
    ],
  },
};

const PUSHED = { push: ' refs/heads/agent/', logs: ' refs/agent-logs/' };
const rule = ([name, method, path]) =>
  PUSHED[name]
    ? { method: 'POST', path: `/acme/${name}.git/git-receive-pack`, says: PUSHED[name] }
    : { method, path: `/repos/acme/${name}${path}` };

const TOGETHER = 5; // worlds at once: most of their time is waiting

// A world for each victim, moment and part, so that each has the writes of a minute to itself.
export function killAtAllWrites(forge) {
  const wish = { name: 'kill', forges: { it: forge }, config: { boxes: 10 } };
  describe(`killed beside each write to ${forge.dialect}`, { concurrency: TOGETHER }, () => {
    for (const victim of VICTIMS) {
      for (const kind of ['hold_before', 'hold_after']) {
        for (const [part, writes] of Object.entries(WRITES[forge.dialect])) {
          test(`${victim}, ${kind}, ${part}`, () =>
            inWorld(wish, (w) => killAtWrites(w, w.forges.it, { victim, kind, writes })));
        }
      }
    }
  });
}

// In a repository of its own for each kind of write, that write is held directly before or after it
// is made; when all hang, the victim is killed and the answers are lost.
async function killAtWrites(world, forge, { victim, kind, writes }) {
  const rows = [];
  for (const write of writes) {
    rows.push({
      write: write[0],
      repo: await makeRepo(forge, { name: write[0] }),
      rule: await forge.fault({ ...rule(write), kind }),
    });
  }
  for (const row of rows) row.number = (await ask(forge, row.repo)).number;
  await Promise.all(rows.map((row) => label(forge, row.repo, row.number)));
  for (const row of rows) {
    await forge.held(row.rule, HELD_MS).catch((e) => {
      throw new Error(`${row.write}: ${e.message}`);
    });
  }
  // After a restart the bot asks again; those must not hang once more.
  await killVictim(world, victim);
  for (const row of rows) await forge.release(row.rule, 'drop');
  for (const row of rows) {
    await assertOnce(forge, row.repo, row.number).catch((e) => {
      throw new Error(`${victim} killed ${kind.replace('hold_', '')} ${row.write}: ${e.message}`, {
        cause: e,
      });
    });
  }
}

// Each state of a task, and what makes it last. -> a function that lets go.
const MOMENTS = {
  async queued(world, forge) {
    const repo = await makeRepo(forge, { name: `busy-${world.kills}` });
    const letGo = await holdGit(forge, repo, 'upload');
    await label(forge, repo, (await ask(forge, repo)).number);
    await letGo.held();
    return letGo;
  },
  preparing: (world, forge, name) => holdGit(forge, `acme/${name}`, 'upload'),
  running: (world) => world.hold('agent'),
  gating: (world) => world.hold('gate'),
  publishing: (world, forge, name) => holdGit(forge, `acme/${name}`, 'receive'),
};
export const STATES_LIVE = Object.keys(MOMENTS);
export const STATES_OF_SHIM = ['preparing', 'running', 'gating'];

// The forge does not answer git's next fetch ("upload") or push ("receive").
async function holdGit(forge, repo, what) {
  const rule = await forge.fault({ path: `/${repo}.git/git-${what}-pack`, kind: 'hold_before' });
  return Object.assign(() => forge.release(rule, 'go'), { held: () => forge.held(rule, HELD_MS) });
}

// What the bot logs when a task enters the state; the store is asked then, whether it is still so.
const entered = (repo, state) => {
  const event = { queued: 'task.queued', preparing: 'task.claimed' }[state];
  return new RegExp(event ? `${event} .*repo=${repo} ` : `task.state .*repo=${repo} .*to=${state}`);
};

export async function killInState(world, forge, { victim, state }) {
  world.kills = (world.kills ?? 0) + 1;
  const name = `${state}-${victim}-${world.kills}`;
  const files = {
    ...addRepo({ gate: { test: 'sh patient-test.sh' } }),
    'patient-test.sh': `while [ -e ${world.holdFile('gate')} ]; do sleep 0.05; done\nsh test.sh\n`,
  };
  const repo = await makeRepo(forge, { name, files });
  const letGo = await MOMENTS[state](world, forge, name);
  const { number } = await ask(forge, repo);
  await label(forge, repo, number);
  await world.bot.log(entered(repo, state), { ms: HELD_MS });
  await until(
    `${repo} is ${state}`,
    async () => (await tasks(world)).some((t) => t.repo === repo && t.state === state),
    HELD_MS,
  );
  await killVictim(world, victim);
  await letGo();
  // Whether all is there once is looked at in the end, when every comment has had its last edit.
  const end = await settled(forge, repo, number, SETTLE_MS, { told: false });
  assert.equal(end.over, 'agent:done');
  return { repo, number, what: `${victim} killed while ${state}` };
}
