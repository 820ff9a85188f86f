// SPDX-License-Identifier: Apache-2.0
// F8: a PostgreSQL server that crashes, backends that are ended, answers to COMMIT that are lost,
// before the server has it and after. --count is in such faults. A short form is in script/test.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Node } from '../e2e/lib/nodes.mjs';
import { Postgres } from '../e2e/lib/postgres.mjs';
import { Relay } from '../e2e/lib/relay.mjs';
import { makeRepo } from '../e2e/lib/repos.mjs';
import { ask, assertDone, label } from '../e2e/lib/tasks.mjs';
import { until } from '../e2e/lib/until.mjs';
import { inWorld, secret } from '../e2e/lib/world.mjs';
import { campaign, options } from './lib/campaign.mjs';

const ROUND = 10; // faults
const ISSUES = 4;
const MS = 180_000;
const settings = options({ count: 30, jobs: 1 });

// The next COMMIT that goes by meets this; then the wire is cut.
const isCommit = (bytes) => bytes.includes('COMMIT');

const FAULTS = {
  crash: async ({ pg }) => {
    await pg.crash();
    await pg.again();
  },
  backends: ({ pg }) =>
    pg.select("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightshift'"),
  // It is kept, and with the wire it is gone.
  'commit unheard': (c) => commitLost(c, (wire) => Relay.reset(wire)),
  // It goes through, and its answer is kept until the wire is gone.
  'answer unheard': (c) =>
    commitLost(c, async (wire, bytes) => {
      const from = wire.said.length;
      wire.down.write(bytes);
      await until('the server has answered', () => wire.said.length > from, 5000).catch(() => {});
      Relay.reset(wire);
    }),
};

async function commitLost({ trap }, then) {
  const seen = new Promise((done) => {
    trap.next = done;
  });
  // A queue that has nothing to write has its beats, which are no COMMIT.
  const met = await Promise.race([seen, sleep(5000).then(() => undefined)]);
  trap.next = undefined;
  if (met) await then(met.wire, met.bytes);
}

async function load(forge, repo) {
  const numbers = [];
  for (let i = 0; i < ISSUES; i++) {
    const { number } = await ask(forge, repo, `sum ${i} is wrong`);
    numbers.push(number);
    await label(forge, repo, number);
    await sleep(500);
  }
  return numbers;
}

// A forge whose delivery was refused sends it again.
async function redeliver(forge) {
  const lost = (await forge.get('deliveries')).filter((d) => d.code !== 202);
  for (const { guid } of lost) await forge.do('deliveries/send', { guid });
  return lost.length === 0;
}

async function judge(forge, repo, numbers, pg) {
  await until('every delivery is acknowledged', () => redeliver(forge), MS);
  for (const number of numbers) {
    const { pull, bot } = await assertDone(forge, repo, number, MS);
    const opened = await forge.effects('pull.opened', { repo, head: pull.pull.head });
    assert.equal(opened.length, 1, `#${number}: pull requests`);
    const created = await forge.effects('comment.created', { repo, number, actor: bot });
    assert.equal(created.length, 1, `#${number}: comments`);
  }
  const told = new Set((await forge.get('deliveries')).filter((d) => d.code === 202).map((d) => d.guid));
  const kept = new Set((await pg.select('SELECT guid FROM delivery')).split('\n'));
  const lost = [...told].filter((guid) => !kept.has(guid));
  assert.deepEqual(lost, [], 'acknowledged and not in the store');
  assert.equal(await pg.select(`SELECT count(*) FROM task WHERE state = 6`), String(numbers.length));
  return `${told.size} deliveries`;
}

async function round(dice, n) {
  let pg, said;
  const trap = {};
  const node = new Node('node');
  const done = [];
  const wish = {
    name: 'pg',
    forges: { gt: { dialect: 'gitea' } },
    bot: false,
    config: (w) => ({ store_password_file: w.keep('store', pg.password) }),
  };
  const seeStore = (bytes, wire) => {
    if (!trap.next || !isCommit(bytes)) return false;
    const { next } = trap;
    trap.next = undefined;
    next({ wire, bytes });
    return true;
  };
  try {
    await inWorld(wish, async (w) => {
      pg = await Postgres.start(w.dir, secret('store'));
      try {
        await node.start(w, pg, { seeStore });
        const forge = w.forges.gt,
          repo = await makeRepo(forge);
        await forge.do('hook', { url: `${node.bot.url}/hook/gt` });
        const loaded = load(forge, repo);
        for (let i = 0; i < n; i++) {
          await sleep(dice.below(1500));
          const name = dice.pick(Object.keys(FAULTS));
          await FAULTS[name]({ pg, trap });
          done.push(name);
        }
        said = await judge(forge, repo, await loaded, pg);
      } catch (e) {
        console.error(node.bot?.program?.tail(150));
        throw e;
      } finally {
        await node.stop();
      }
    });
  } finally {
    await pg?.stop();
  }
  return `${done.join(', ')}; ${said}`;
}

await campaign('postgres', settings, ROUND, round);
