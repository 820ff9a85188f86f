// SPDX-License-Identifier: Apache-2.0
// The story of nodes.test.mjs, for as many tasks as wanted.
import assert from 'node:assert/strict';
import { Node } from './nodes.mjs';
import { Postgres } from './postgres.mjs';
import { makeRepo } from './repos.mjs';
import { ask, assertDone, label } from './tasks.mjs';
import { until } from './until.mjs';
import { inWorld, secret } from './world.mjs';

const STEP_MS = 60_000;

const isPush = (bytes) => /^POST \S*git-receive-pack/.test(bytes.toString('latin1', 0, 200));

// How many nodes are at work.
const running = async (pg) =>
  Number(await pg.select("SELECT count(DISTINCT node) FROM task WHERE state BETWEEN 1 AND 3 AND node <> ''"));

async function labelAll(forge, n) {
  const repo = await makeRepo(forge);
  const asked = [];
  for (let i = 0; i < n; i++) {
    const { number } = await ask(forge, repo, `sum ${i} is wrong`);
    asked.push({ repo, number });
  }
  await Promise.all(asked.map(({ repo, number }) => label(forge, repo, number)));
  return asked;
}

// Everything once, at the forge: pull requests, comments, and one push for each attempt at most. Who
// is switched off when the forge has taken his push told nobody, and whoever repeats the task pushes.
async function assertOnce(pg, name, forge, asked, ms) {
  const deadline = Date.now() + ms;
  for (const { repo, number } of asked) {
    const left = Math.max(1000, deadline - Date.now());
    const { pull, bot } = await assertDone(forge, repo, number, left);
    const head = pull.pull.head;
    const opened = await forge.effects('pull.opened', { repo, head });
    assert.equal(opened.length, 1, `${repo} ${head}: pull requests ever opened`);
    const pushes = await forge.effects('push', { repo, ref: `refs/heads/${head}` });
    const attempts = await pg.select(`SELECT attempt FROM task WHERE forge = '${name}' AND number = ${number}`);
    const isOnce = pushes.length >= 1 && pushes.length <= Number(attempts);
    assert.ok(isOnce, `${repo} ${head}: ${pushes.length} pushes were taken of ${attempts} attempts`);
    const created = await forge.effects('comment.created', { repo, number, actor: bot });
    assert.equal(created.length, 1, `${repo}#${number}: comments ever created`);
  }
  const { repos } = await forge.state();
  const pulls = repos.flatMap((r) => r.issues.filter((i) => i.pull));
  assert.equal(pulls.length, asked.length, 'pull requests');
}

async function assertStore(pg, n) {
  const one = (sql) => pg.select(sql);
  assert.equal(await one('SELECT count(*) FROM task WHERE state = 6'), String(n));
  // No two attempts of a task have the same fence, and none is open.
  assert.equal(await one('SELECT count(*) FROM (SELECT task, fence FROM attempt GROUP BY 1, 2 HAVING count(*) > 1) AS d'), '0');
  assert.equal(await one('SELECT count(*) FROM attempt WHERE ended_ms = 0'), '0');
  assert.equal(await one('SELECT count(*) FROM effect WHERE state < 2'), '0');
  assert.ok(Number(await one('SELECT count(*) FROM attempt WHERE number > 1')) > 0, 'some were repeated');
}

// The page of every task is served by whichever node is asked.
async function assertPages(pg, nodes) {
  const pages = (await pg.select('SELECT page FROM task')).split('\n');
  for (const node of nodes) {
    for (const page of pages) {
      const answer = await fetch(`${node.bot.url}/t/${page}`);
      assert.equal(answer.status, 200, `${node.name} /t/${page}`);
      assert.match(await answer.text(), /mended|waiting/);
    }
  }
}

async function story(w, pg, nodes, { tasks, ms }, late) {
  const forges = Object.entries(w.forges);
  const [first, second, third] = nodes;
  for (const [name, forge] of forges)
    await forge.do('hook', { url: `${third.bot.url}/hook/${name}` });
  const letGo = w.hold('agent');
  const asked = [];
  for (const [name, forge] of forges)
    asked.push([name, forge, await labelAll(forge, tasks / forges.length)]);
  const assertAll = async (left) => {
    for (const [name, forge, some] of asked) await assertOnce(pg, name, forge, some, left);
  };
  await until('all three are at work', async () => (await running(pg)) === 3, STEP_MS);
  letGo();
  await until('the first one pushes', () => late.wire, STEP_MS);
  await first.cut();
  await second.bot.blackout();
  await assertAll(ms);
  await first.heal();
  await until('the late push is answered', () => /\r\n\r\n[^]+/.test(late.wire.said.slice(late.from)), STEP_MS);
  assert.match(late.wire.said.slice(late.from), /ng refs\/heads\/agent\//, 'the late push is refused');
  await first.bot.log(/node\.given_up|queue\.begin|node\.joined/, { from: late.line, ms: STEP_MS });
  await until('the first one is back', async () => (await pg.select('SELECT count(*) FROM store_node')) === '2', STEP_MS);
  await assertAll(STEP_MS);
  await assertStore(pg, tasks);
  await assertPages(pg, [first, third]);
}

// areApart: each in a network of its own, which only root can make.
export async function threeNodes({ tasks, lease, boxes, ms, forges = ['gt'], areApart = false }) {
  let pg;
  const nodes = ['first', 'second', 'third'].map((name) => new Node(name, { isApart: areApart }));
  const late = {};
  const wish = {
    name: 'nodes',
    forges: Object.fromEntries(forges.map((name) => [name, { dialect: 'gitea' }])),
    agent: 'patient',
    bot: false,
    config: (w) => ({
      boxes,
      tasks_per_repo: 4 * boxes,
      node_lease: lease,
      store_password_file: w.keep('store', pg.password),
      marker_key_file: w.keep('marker', 'a secret of all the nodes together'),
    }),
  };
  const keepPush = (bytes, wire) => {
    if (late.wire || !isPush(bytes)) return false;
    Object.assign(late, { wire, from: wire.said.length, line: nodes[0].bot.lines.length });
    return true;
  };
  try {
    await inWorld(wish, async (w) => {
      pg = await Postgres.start(w.dir, secret('store'));
      try {
        const [first, second, third] = nodes;
        await first.start(w, pg, { see: keepPush });
        await second.start(w, pg);
        await third.start(w, pg, { config: { boxes: 2 * boxes } }); // the others' work is its in the end
        await story(w, pg, nodes, { tasks, ms }, late);
      } catch (e) {
        for (const node of nodes) console.error(node.bot?.program?.tail(150));
        throw e;
      } finally {
        await Promise.all(nodes.map((node) => node.stop()));
      }
    });
  } finally {
    await pg?.stop();
  }
}
