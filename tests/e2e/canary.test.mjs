// SPDX-License-Identifier: Apache-2.0
// No secret leaves its place. Each secret that a configuration can have, from files and from the
// environment, carries a canary; an agent steals all it can reach; a separate program then looks
// through the box's processes from outside, the store, the logs, the forge and every artefact. A
// planted word, which is no secret, must be found in each of these places, and in each form that a
// secret could have there, else the search itself is broken.
import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
const FORMS = [
  'raw',
  'reversed',
  'hex',
  'HEX',
  'url',
  'json',
  ...['base64', 'base64url'].flatMap((form) => [0, 1, 2].map((n) => `${form}+${n}`)),
];
const PLANTED = ['control', 'marks'];
const MARKS = '/+"?>~?>~?>~'; // agents/thief.py has the same
const canary = (name) => `CANARY/${name}+${randomBytes(16).toString('hex')}`;
const hex = (bytes) => ({ hex: bytes.toString('hex') });

// Of a key: a line of its middle, and what is secret in it as a program holds it.
function needlesOfKey(name, text) {
  const lines = text.split('\n');
  if (!text.includes('OPENSSH')) {
    const { p } = createPrivateKey(text).export({ format: 'jwk' });
    return { [name]: lines[5], [`${name} p`]: hex(Buffer.from(p, 'base64url')) };
  }
  // PROTOCOL.key: the seed and the public key, 64 bytes together.
  const blob = Buffer.from(lines.slice(1, -2).join(''), 'base64');
  const at = blob.indexOf(Buffer.from([0, 0, 0, 64])) + 4;
  return { [name]: lines[3], [`${name} seed`]: hex(blob.subarray(at, at + 32)) };
}

const needlesOf = (world) =>
  Object.assign(
    {},
    ...Object.entries(world.secrets).map(([name, value]) =>
      value.startsWith('-----') ? needlesOfKey(name, value) : { [name]: value },
    ),
  );

// What the worlds of other tests do without: the old webhook secret, a key that signs commits, and
// a secret that comes from the environment. -> what `git verify-commit` needs.
async function addSecrets(world, forge) {
  const key = join(world.dir, 'key');
  const made = await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
  assert.equal(made.code, 0, made.stderr);
  const signers = join(world.dir, 'signers');
  writeFileSync(signers, `nightshift@localhost ${readFileSync(`${key}.pub`, 'utf8')}`);
  const old = world.keep('hook-old', canary('hook-old'));
  const sign = world.keep('sign', readFileSync(key, 'utf8'));
  rmSync(key);
  world.wish.bot = { env: { CANARY_MODEL: world.secrets.model } };
  world.wish.config = {
    forges: { [forge]: { webhook_secret_old_file: old } },
    models: { openai: { key_file: undefined, key_env: 'CANARY_MODEL' } },
    commit: { sign_key_file: sign, signoff: true },
  };
  return signers;
}

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
  const leaks = hits.filter((h) => !PLANTED.includes(h.needle));
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
      {
        name: 'canary',
        forges,
        secrets,
        agent: 'thief',
        scenarios: ['mend-add.json'],
        bot: false,
      },
      async (w) => {
        const forge = w.forges[name];
        const signers = await addSecrets(w, name);
        await w.boot();
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
        const needles = { control, marks: control + MARKS, ...needlesOf(w) };
        await inTheBox(w, needles);
        const { pull } = await assertDone(forge, repo, number);
        await assertCommit(await forge.repo(repo), pull, signers);
        await afterwards(w, forge, needles, pull, repo);
      },
    );
  });
}

// The key was there and did its work; the trailers are as the configuration says.
async function assertCommit({ git_dir: dir }, pull, signers) {
  const git = ['-c', 'safe.directory=*', '-c', `gpg.ssh.allowedSignersFile=${signers}`];
  const sha = pull.pull.head_sha;
  const { code, stderr } = await run('git', [...git, '--git-dir', dir, 'verify-commit', sha]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Good "git" signature for nightshift@localhost/);
  const shown = await run('git', [...git, '--git-dir', dir, 'show', '-s', '--format=%an%n%B', sha]);
  assert.match(shown.stdout, /^nightshift\nSteal /);
  assert.match(
    shown.stdout,
    /\nCo-authored-by: alice <\S+@\S+>\nSigned-off-by: nightshift <\S+>\n/,
  );
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
  const inside = boxed(world.dir).map((pid) => `box=pid:${pid}`);
  assertClean(await scan(needles, inside), ['box:environ', 'box:memory', 'box:root']);
  for (const path of ['secrets', 'bot/store', 'nightshift.yaml']) {
    assert.ok(existsSync(join(world.dir, path)));
    assert.ok(!existsSync(`/proc/${thief}/root${world.dir}/${path}`), `${path} is in the box`);
  }
  // Roles that are to hold no secret, by the design's table; the same scanner, proved just now.
  const { bot } = world;
  const free = {
    ...Object.fromEntries(['web', 'queue', 'decoder', 'runner'].map((r) => [r, bot.role(r)])),
    shim: bot.shims(),
  };
  for (const [role, pids] of Object.entries(free)) assert.equal(pids.length, 1, role);
  const places = Object.entries(free).map(([role, [pid]]) => `${role}=memory:${pid}`);
  assertClean(await scan(needles, places), []);
  // The master must be able to give another keeper what it has from its environment, and no more.
  const { model, ...others } = needles;
  assertClean(await scan(others, [`master=memory:${bot.master}`]), []);
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
  const marks = hits.filter((h) => h.place === 'git' && h.needle === 'marks');
  const forms = new Set(marks.map((h) => h.form));
  assert.deepEqual(
    FORMS.filter((f) => !forms.has(f)),
    [],
    'each form of the planted word is recognised',
  );
}
