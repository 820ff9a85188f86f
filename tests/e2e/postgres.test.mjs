// SPDX-License-Identifier: Apache-2.0
// The whole way with the store on a PostgreSQL server, which crashes in the middle and comes back:
// a delivery in between is refused, not lost, and the work ends in one pull request.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Postgres } from './lib/postgres.mjs';
import { run } from './lib/process.mjs';
import { makeRepo } from './lib/repos.mjs';
import { assertDone, labelled } from './lib/tasks.mjs';
import { inWorld, secret } from './lib/world.mjs';

const NIGHTSHIFT = process.env.NIGHTSHIFT_BIN;

test('a label becomes a pull request through a crash of the server', async () => {
  let pg;
  const wish = {
    name: 'postgres',
    forges: { gt: { dialect: 'gitea' } },
    agent: 'patient',
    bot: false,
    config: (w) => ({
      store: pg.url,
      store_password_file: w.keep('store', pg.password),
    }),
  };
  try {
    await inWorld(wish, async (w) => {
      pg = await Postgres.start(w.dir, secret('store'));
      w.wish.bot = {};
      await w.boot();
      const forge = w.forges.gt,
        repo = await makeRepo(forge),
        letGo = w.hold('agent'),
        number = await labelled(forge, repo);
      await forge.until('it runs', ({ repos }) =>
        repos[0].issues[0].labels.includes('agent:running'),
      );
      await pg.crash();
      await pg.again();
      letGo();
      const { pull } = await assertDone(forge, repo, number);
      await assertStore(w, pg, pull);
      await assertCommand(w, pg);
    });
  } finally {
    await pg?.stop();
  }
});

async function assertStore(w, pg, pull) {
  assert.ok(!existsSync(join(w.dir, 'bot', 'store', 'nightshift.db')), 'nothing is kept beside it');
  assert.equal(await pg.select('SELECT count(*) FROM task WHERE state = 6'), '1');
  assert.equal(await pg.select('SELECT count(*) FROM transcript'), '1');
  assert.equal(await pg.select('SELECT count(*) FROM store_node'), '1');
  // Its page is served from there.
  const page = /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(pull.body)[0];
  const text = await (await fetch(page)).text();
  assert.match(text, /add\(\) subtracts/);
}

const store = (w, ...args) => run(NIGHTSHIFT, ['store', ...args, '-c', w.configFile()]);

// `nightshift store` knows where the store is: what works beside the bot, and what waits for its end.
async function assertCommand(w, pg) {
  const looked = await store(w, 'check');
  assert.equal(looked.code, 0, looked.stdout + looked.stderr);
  assert.match(looked.stdout, /^ok +store\.tasks +1 accepted = 1 final/m);
  assert.equal((await store(w, 'backup')).code, 69);
  const target = `sqlite:${join(w.dir, 'copy')}`;
  assert.equal((await store(w, 'copy', pg.url, target)).code, 75, 'not while it runs');
  await w.bot.stop();
  const copied = await store(w, 'copy', pg.url, target);
  assert.equal(copied.code, 0, copied.stderr);
  assert.match(copied.stdout, /^\d+ rows copied, and they add up\n.*store: sqlite$/m);
}
