// SPDX-License-Identifier: Apache-2.0
// What must hold when everything has come to rest, whatever was done to the bot before: nothing that
// it acknowledged is lost, nothing happened twice, everything has an end that is told.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { select, tasks } from '../../e2e/lib/store.mjs';
import { sticky } from '../../e2e/lib/tasks.mjs';
import { until } from '../../e2e/lib/until.mjs';

const FINAL = new Set(['succeeded', 'failed', 'stopped', 'quarantined']);
const ATTEMPTS_MAX = 3;

// A forge that was not answered sends again, by itself or by a person's hand: here, until it is.
export async function redeliver(forge) {
  const lost = (await forge.get('deliveries')).filter((d) => d.code !== 202);
  for (const { guid } of lost) await forge.do('deliveries/send', { guid });
  return lost.length;
}

// Waits until nothing is under way, at the forges and in the store.
export async function rest(world, ms) {
  const forges = Object.values(world.forges);
  await until(
    'every delivery is acknowledged',
    async () => {
      const lost = await Promise.all(forges.map((f) => redeliver(f)));
      return lost.every((n) => n === 0);
    },
    ms,
  );
  await until(
    'every task is final and every effect done',
    async () => {
      const open = (await tasks(world)).filter((t) => !FINAL.has(t.state));
      const [{ n }] = await select(world, 'SELECT count(*) AS n FROM effect WHERE state < 2');
      const [{ m }] = await select(world, 'SELECT count(*) AS m FROM delivery WHERE state = 0');
      if (open.length || n || m)
        throw new Error(`${JSON.stringify(open)}, ${n} effects, ${m} deliveries`);
      return true;
    },
    ms,
  );
}

async function assertKept(world, name, forge) {
  const kept = await select(world, 'SELECT guid FROM delivery WHERE forge = ?', [name]);
  const guids = new Set(kept.map((r) => r.guid));
  const acknowledged = (await forge.get('deliveries')).filter((d) => d.code === 202);
  const lost = acknowledged.filter((d) => !guids.has(d.guid));
  assert.deepEqual(
    lost.map((d) => [d.event, d.action]),
    [],
    `${name}: acknowledged and not in the store`,
  );
  return acknowledged.length;
}

// One task, at most one pull request, one comment with the last word, for each issue that asked.
async function assertOnce(world, name, forge, asked) {
  const { repos, bot } = await forge.state();
  const found = (await tasks(world)).filter((t) => t.forge === name);
  for (const { repo, number } of asked) {
    const what = `${name} ${repo}#${number}`;
    const mine = found.filter((t) => t.repo === repo && t.number === number);
    assert.equal(mine.length, 1, `${what}: tasks`);
    assert.ok(mine[0].attempt <= ATTEMPTS_MAX, `${what}: ${mine[0].attempt} attempts`);
    const opened = (await forge.effects('pull.opened', { repo })).filter((p) =>
      p.head.startsWith(`agent/${mine[0].id}-`),
    );
    assert.ok(opened.length <= 1, `${what}: ${opened.length} pull requests`);
    assert.equal(
      opened.length,
      mine[0].state === 'succeeded' ? 1 : opened.length,
      `${what}: no pull request`,
    );
    const issue = repos.find((r) => r.full_name === repo).issues.find((i) => i.number === number);
    const created = await forge.effects('comment.created', { repo, number, actor: bot });
    assert.equal(created.length, 1, `${what}: comments`);
    assert.equal(sticky(issue, bot).length, 1, `${what}: comments that are left`);
    const labels = issue.labels.filter((l) => l.startsWith('agent:'));
    assert.equal(labels.length, 1, `${what}: ${labels}`);
    assert.match(labels[0], /^agent:(done|failed)$/, what);
    const pushes = await forge.effects('push', { repo });
    const work = pushes.filter((p) => p.ref.startsWith(`refs/heads/agent/${mine[0].id}-`));
    assert.ok(new Set(work.map((p) => p.new)).size <= 1, `${what}: two commits were pushed`);
  }
  assert.equal(found.length, asked.length, `${name}: tasks for what was asked`);
}

async function assertStore(world) {
  const [row] = await select(world, 'PRAGMA integrity_check');
  assert.equal(row.integrity_check, 'ok');
}

// asked: forge name -> [{repo, number}]. -> what was looked at, for the log.
export async function assertInvariants(world, asked) {
  let deliveries = 0;
  for (const [name, forge] of Object.entries(world.forges)) {
    deliveries += await assertKept(world, name, forge);
    await assertOnce(world, name, forge, asked[name]);
  }
  await assertStore(world);
  const run = join(world.dir, 'bot', 'boxes', 'run');
  await until('no attempt leaves anything', () => readdirSync(run).length === 0, 30_000);
  return `${deliveries} deliveries, ${Object.values(asked).flat().length} tasks`;
}
