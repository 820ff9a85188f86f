// SPDX-License-Identifier: Apache-2.0
// No secret leaves its place. Each secret of the configuration carries a canary; an agent steals
// all it can reach; a separate program then looks through the box's processes from outside, the
// store, the logs, the forge and every artefact. A planted word, which is no secret, must be found
// in each of these places first, else the search itself is broken.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { argv, boxed, children } from './lib/proc.mjs';
import { run } from './lib/process.mjs';
import { addRepo } from './lib/repos.mjs';
import { database } from './lib/store.mjs';
import { assertDone, label } from './lib/tasks.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const SCAN = fileURLToPath(new URL('./canary/scan.py', import.meta.url));
const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };
const FORMS = ['raw', 'reversed', 'hex', 'HEX', 'base64+0', 'base64+1', 'base64+2'];
const canary = (name) => `CANARY/${name}+${randomBytes(16).toString('hex')}`;

// The private part of a PEM file is its own canary: a line of its middle.
const needlesOf = (world) =>
  Object.fromEntries(
    Object.entries(world.secrets).map(([name, value]) => [
      name,
      value.startsWith('-----') ? value.split('\n')[5] : value,
    ]),
  );

async function scan(needles, places) {
  const dir = mkdtempSync(join(tmpdir(), 'nightshift-needles-'));
  const file = join(dir, 'needles.json');
  writeFileSync(file, JSON.stringify(needles), { mode: 0o600 });
  const { code, stdout, stderr } = await run('python3', ['-B', SCAN, file, ...places]);
  rmSync(dir, { recursive: true });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

function assertClean(hits, wanted) {
  const leaks = hits.filter((h) => h.needle !== 'control');
  assert.deepEqual(leaks, [], 'no secret is anywhere');
  const found = new Set(hits.map((h) => h.place));
  assert.deepEqual(
    wanted.filter((place) => !found.has(place)),
    [],
    'the planted word is in each place',
  );
}

for (const [name, wish] of Object.entries(FORGES)) {
  test(`${wish.dialect}: canaries stay in their cage`, () => {
    const secrets = Object.fromEntries(
      [`${name}-hook`, `${name}-token`, 'model'].map((s) => [s, canary(s)]),
    );
    const forges = { [name]: wish };
    return inWorld(
      { name: 'canary', forges, secrets, agent: 'thief', scenarios: ['mend-add.json'] },
      async (w) => {
        const forge = w.forges[name];
        const control = `CONTROL-${randomBytes(12).toString('hex')}`;
        const repo = `acme/${control}`;
        await forge.do('repos', {
          owner: 'acme',
          name: control,
          files: addRepo(),
          members: { alice: 'write' },
          labels: ['agent'],
        });
        const { number } = await forge.do('issues', {
          repo,
          title: `Steal ${control}`,
          body: control,
          as: 'alice',
        });
        await label(forge, repo, number);
        const needles = { control, ...needlesOf(w) };
        await inTheBox(w, needles);
        const { pull } = await assertDone(forge, repo, number);
        await afterwards(w, forge, needles, pull, repo);
      },
    );
  });
}

async function inTheBox(world, needles) {
  const thief = await until(
    'the thief has stolen',
    () => {
      const pids = boxed(world.dir);
      const sleeper = pids.find((pid) => argv(pid)[0] === 'sleep');
      return (
        sleeper &&
        pids.find(
          (pid) => argv(pid).some((a) => a.endsWith('thief.py')) && argv(pid)[0] !== 'sleep',
        )
      );
    },
    60_000,
  );
  await until('it waits', () => children(thief).length > 0);
  const places = boxed(world.dir).map((pid) => `box=pid:${pid}`);
  assertClean(await scan(needles, places), ['box:environ', 'box:memory', 'box:root']);
  // Roles that are to hold no secret, by the design's table; the same scanner, proved just now.
  const roles = ['web', 'queue', 'runner'].flatMap((role) =>
    world.bot.role(role).map((pid) => `${role}=memory:${pid}`),
  );
  assert.equal(roles.length, 3);
  assertClean(await scan(needles, roles), []);
  process.kill(thief, 'SIGUSR1');
}

async function afterwards(world, forge, needles, pull, repo) {
  const out = join(world.dir, 'artefacts');
  mkdirSync(out);
  writeFileSync(join(out, 'bot.log'), world.bot.lines.join('\n'));
  writeFileSync(join(out, 'forge.json'), JSON.stringify(await forge.state()));
  const page = /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(pull.body)[0];
  for (const [name, suffix] of Object.entries({
    'page.html': '',
    'page.cast': '/task.cast',
    'page.txt': '/task.txt',
  })) {
    const res = await fetch(page + suffix);
    assert.equal(res.status, 200, page + suffix);
    writeFileSync(join(out, name), Buffer.from(await res.arrayBuffer()));
  }
  const { git_dir: git } = await forge.repo(repo);
  const hits = await scan(needles, [
    `log=file:${join(out, 'bot.log')}`,
    `effects=file:${join(out, 'forge.json')}`,
    `truth=file:${forge.logFile}`,
    ...['html', 'cast', 'txt'].map((s) => `page.${s}=file:${join(out, `page.${s}`)}`),
    `store=sqlite:${database(world)}`,
    `git=git:${git}`,
    `state=tree:${join(world.dir, 'bot')}`,
    ...(forge.dialect === 'gitea' ? [`assets=tree:${join(forge.dir, 'state', 'assets')}`] : []),
  ]);
  const places = [
    'log',
    'effects',
    'truth',
    'page.html',
    'page.cast',
    'page.txt',
    'store',
    'git',
    'state',
  ];
  assertClean(hits, forge.dialect === 'gitea' ? [...places, 'assets'] : places);
  const forms = new Set(hits.filter((h) => h.place === 'git').map((h) => h.form));
  assert.deepEqual(
    FORMS.filter((f) => !forms.has(f)),
    [],
    'each form of the planted word is recognised',
  );
}
