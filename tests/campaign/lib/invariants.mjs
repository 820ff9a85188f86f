// SPDX-License-Identifier: Apache-2.0
// What must hold when everything has come to rest, whatever was done to the bot before: nothing that
// it acknowledged is lost, nothing happened twice, everything has an end that is told.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES } from '../../e2e/lib/bot.mjs';
import { boxed } from '../../e2e/lib/proc.mjs';
import { run } from '../../e2e/lib/process.mjs';
import { select, tasks } from '../../e2e/lib/store.mjs';
import { sticky } from '../../e2e/lib/tasks.mjs';
import { until } from '../../e2e/lib/until.mjs';

export const FINAL = new Set(['succeeded', 'failed', 'stopped', 'quarantined']);
const ATTEMPTS_MAX = 3;
const FDS_MAX = 64;
const PSS_MIB_MAX = 64;
const GONE_MS = 60_000;

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

// Nothing was written by the bot but to what was asked about, and to what came of it.
async function assertAllowed(world, name, forge, asked) {
  const { bot } = await forge.state();
  const mine = (await forge.effects()).filter((row) => row.actor === bot && row.repo);
  const places = new Set(asked.map(({ repo, number }) => `${repo}#${number}`));
  for (const { repo, number } of mine.filter((row) => row.effect === 'pull.opened'))
    places.add(`${repo}#${number}`);
  const repos = new Set(asked.map(({ repo }) => repo));
  for (const row of mine) {
    assert.ok(repos.has(row.repo), `${name}: ${JSON.stringify(row)}`);
    if (row.number) assert.ok(places.has(`${row.repo}#${row.number}`), JSON.stringify(row));
    if (row.effect === 'push') assert.match(row.ref, /^refs\/(heads\/agent\/|agent-logs\/)/);
  }
}

// One attempt of a task begins when the one before it is over, as the store knows it.
async function assertOneAtATime(world) {
  const rows = await select(
    world,
    'SELECT a.task, a.number FROM attempt a LEFT JOIN attempt b ON a.task = b.task AND' +
      ' b.number = a.number + 1 WHERE a.ended_ms = 0 OR a.ended_ms > b.started_ms',
  );
  assert.deepEqual(rows, [], 'two attempts of one task at a time');
}

// A secret is in nothing that people are told.
async function assertSecret(world) {
  const told = [['the log', world.bot.lines.join('\n')]];
  for (const [name, forge] of Object.entries(world.forges)) {
    told.push([name, JSON.stringify([await forge.state(), await forge.effects()])]);
  }
  for (const [name, value] of Object.entries(world.secrets)) {
    const lines = value.split('\n').filter((line) => line.length > 16 && !line.startsWith('-----'));
    for (const [where, text] of told) {
      assert.ok(!lines.some((line) => text.includes(line)), `${name} is told in ${where}`);
    }
  }
}

// What was taken for tasks has been given back: boxes, their directories, groups and mounts; roles have
// no children and no more descriptors than one that has just begun to work.
async function assertGivenBack(world) {
  const { bot, dir } = world;
  const attempts = join(dir, 'bot', 'boxes', 'run');
  await until('no attempt leaves anything', () => readdirSync(attempts).length === 0, GONE_MS);
  await until(
    'no box is left',
    () => !bot.shims().length && !boxed(dir, bot.master).length,
    GONE_MS,
  );
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(`${dir}/bot/boxes`), 'a mount');
  for (const name of ROLES) {
    const pids = await until(`one ${name}`, () => bot.role(name).length === 1 && bot.role(name));
    await until(
      `the ${name} gives back its descriptors`,
      () => {
        const n = readdirSync(`/proc/${pids[0]}/fd`).length;
        if (n > FDS_MAX) throw new Error(`${n} descriptors`);
        return true;
      },
      GONE_MS,
    );
  }
}

const pssOf = (pid) =>
  Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

function assertSmall(world) {
  const { bot } = world;
  const pids = [bot.master, ...ROLES.flatMap((name) => bot.role(name))];
  const mib = Math.round(pids.reduce((sum, pid) => sum + pssOf(pid), 0) / 1024);
  const isChecked = readFileSync(`/proc/${bot.master}/maps`, 'utf8').includes('libasan');
  assert.ok(isChecked || mib <= PSS_MIB_MAX, `${mib} MiB`);
  return mib;
}

// Pages, indexes and keys are whole, and what came in still exists or has a reason not to.
async function assertStore(world) {
  const { bin, config } = world.bot;
  const [command, ...args] = [...(world.enter ?? []), bin, 'store', 'check', '-c', config];
  const { code, stdout, stderr } = await run(command, args);
  assert.equal(code, 0, stdout + stderr);
}

// asked: forge name -> [{repo, number}]. -> what was looked at, for the log. I1 to I11 of the twelve
// invariants; the twelfth, that everything comes to an end, is rest() above.
export async function assertInvariants(world, asked) {
  let deliveries = 0;
  for (const [name, forge] of Object.entries(world.forges)) {
    deliveries += await assertKept(world, name, forge); // I1
    await assertOnce(world, name, forge, asked[name]); // I2, I3, I5
    await assertAllowed(world, name, forge, asked[name]); // I4
  }
  await assertOneAtATime(world); // I6
  await assertSecret(world); // I7
  await assertGivenBack(world); // I8
  const mib = assertSmall(world); // I9
  await assertStore(world); // I10, I11
  return `${deliveries} deliveries, ${Object.values(asked).flat().length} tasks, ${mib} MiB`;
}
