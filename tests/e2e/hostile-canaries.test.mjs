// SPDX-License-Identifier: Apache-2.0
// Canaries in every place where something worth stealing can lie, and an agent that looks for them
// wherever it can look. It finds those of its own repository, in each form, and none of the others;
// the same program beside the box, as root, finds them all.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { argv, boxed, children, descendants } from './lib/proc.mjs';
import { run } from './lib/process.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { assertDone, label } from './lib/tasks.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const PLANT = fileURLToPath(new URL('./canary/plant.py', import.meta.url));
const BOX_UID = 100000; // outside, when started by root
const NOBODY = 20002;
const TASK_MS = 240_000;

// Where they lie. The order is their number.
const PLACES = [
  'webhook secret',
  'forge token',
  'model key',
  'model key of the environment',
  'app key',
  'signing key',
  'argument of the master',
  'configuration',
  "another repository's issue",
  "another repository's files",
  "another box's workspace",
  "another box's home",
  "another box's tmp",
  "another box's terminal",
  "another box's environment",
  "another box's file names",
  'state directory',
  'a file of the host',
  'shared memory',
  'key of the kernel',
  'abstract socket',
  'port of the host',
  'socket of the host',
  'memory of the host',
  'environment of the host',
];
const OWN = ['raw', 'reversed', 'hex', 'base64', 'base64 behind one', 'base64 behind two'];

const word = (n) => `NSCANARY${String(n).padStart(2, '0')}${randomBytes(16).toString('hex')}`;
const digest = (text) => createHash('sha256').update(text).digest('hex');
const halves = (text) => `${text.slice(0, 20)} ${text.slice(20)}`;

function makeCanaries() {
  const all = Object.fromEntries(PLACES.map((place, i) => [place, word(i + 1)]));
  const own = Object.fromEntries(OWN.map((form, i) => [form, word(90 + i)]));
  return { all, own };
}

// What seeker.py left. -> {found: [digest...], looked: {kind: bytes}}
function parse(text) {
  const lines = text.trim().split('\n');
  const looked = lines.map((l) => /^looked (.+) (\d+)$/.exec(l)).filter(Boolean);
  return {
    found: lines.filter((l) => /^[0-9a-f]{64} /.test(l)).map((l) => l.split(' ')[0]),
    looked: Object.fromEntries(looked.map(([, kind, size]) => [kind, Number(size)])),
  };
}

const places = (canaries, found) =>
  Object.keys(canaries).filter((place) => found.includes(digest(canaries[place])));

describe('an agent that looks everywhere finds nothing', { concurrency: true }, () => {
  test('started by root', () => look({}));
  test('started by nobody', () => look({ uid: NOBODY }));
});

function look(bot) {
  const { all, own } = makeCanaries();
  const wish = {
    name: 'seek',
    forges: { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } },
    secrets: {
      'gh-hook': all['webhook secret'],
      'gt-token': all['forge token'],
      model: all['model key'],
    },
    scenarios: ['mend-add.json'],
    bot: false,
  };
  return inWorld(wish, async (w) => {
    await keepSecrets(w, all, bot);
    await w.boot();
    const host = await plantOnHost(w, all, bot.uid ?? BOX_UID);
    try {
      await seek(w, all, own, host.pid);
    } finally {
      host.stdin.end();
    }
  });
}

async function keepSecrets(world, all, bot) {
  const key = join(world.dir, 'key');
  const args = ['-q', '-t', 'ed25519', '-N', '', '-C', all['signing key'], '-f', key];
  assert.equal((await run('ssh-keygen', args)).code, 0);
  const sign = world.keep('sign', readFileSync(key, 'utf8'));
  rmSync(key);
  rmSync(`${key}.pub`);
  world.keep('gh-app.pem', `${all['app key']}\n${readFileSync(join(world.dir, 'secrets/gh-app.pem'))}`);
  const dir = join(world.dir, all['argument of the master']);
  mkdirSync(dir);
  world.configFile = () => join(dir, 'nightshift.yaml');
  world.wish.bot = { ...bot, env: { OTHER_KEY: all['model key of the environment'] } };
  world.wish.config = {
    models: { anthropic: { key_file: undefined, key_env: 'OTHER_KEY' } },
    commit: { sign_key_file: sign, name: all.configuration },
  };
}

// -> the process that has them
async function plantOnHost(world, all, uid) {
  const dir = join(world.dir, 'host');
  mkdirSync(dir);
  writeFileSync(join(dir, 'file'), all['a file of the host']);
  writeFileSync(join(world.dir, 'bot', 'secret'), all['state directory']);
  const served = ['shared memory', 'key of the kernel', 'abstract socket', 'port of the host'];
  served.push('socket of the host', 'memory of the host');
  const name = randomBytes(6).toString('hex');
  const child = spawn('python3', ['-B', PLANT, uid, name, ...served.map((place) => all[place])], {
    cwd: dir,
    env: { PATH: process.env.PATH, SECRET: all['environment of the host'] },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((done, fail) => {
    child.stdout.once('data', done);
    child.once('exit', () => fail(new Error('plant.py ended')));
  });
  return child;
}

async function seek(world, all, own, host) {
  const { gt } = world.forges;
  const letGo = world.hold('agent');
  const vault = await makeVault(gt, all);
  await label(gt, vault.repo, vault.number);
  await until('the other box has what is its own', () => sleeper(world, 'hoard.sh'), TASK_MS);
  const { repo, number } = await makeSeekersRepo(gt, own);
  await label(gt, repo, number);
  const from = world.bot.lines.length;
  const seeker = await until('it has looked', () => looked(world, from), TASK_MS);
  await assertOutside(world, all, host);
  process.kill(seeker, 'SIGUSR1');
  const { pull } = await assertDone(gt, repo, number, TASK_MS);
  const { git_dir: git } = await gt.repo(repo);
  const args = ['-c', 'safe.directory=*', '--git-dir', git, 'show', `${pull.pull.head_sha}:FOUND`];
  const inside = parse((await run('git', args)).stdout);
  assert.deepEqual(places(own, inside.found), OWN, 'it finds what is its own, in each form');
  assert.deepEqual(places(all, inside.found), [], 'and nothing else');
  for (const kind of ['file', 'environ', 'cmdline', 'git', 'gateway', 'proc', 'guess'])
    assert.ok(inside.looked[kind] > 0, `it looked at ${kind}`);
  letGo();
  await assertDone(gt, vault.repo, vault.number, TASK_MS);
}

function looked(world, from) {
  const ended = world.bot.lines.slice(from).find((l) => /agent\.ended .*repo=acme\/seek/.test(l));
  if (ended) throw new Error(ended); // told when the time is over
  return sleeper(world, 'seeker.py');
}

// The agent of that name, when it has come to its `sleep`.
function sleeper(world, name) {
  const agents = boxed(world.dir).filter((pid) => argv(pid).some((a) => a.endsWith(name)));
  return agents.find((pid) => children(pid).some((child) => argv(child)[0] === 'sleep'));
}

// The control: root, without a box, beside both.
async function assertOutside(world, all, host) {
  const out = join(world.dir, 'outside');
  const roots = ['bot', 'secrets', 'host', all['argument of the master']];
  const pids = [...new Set([world.bot.master, host, ...descendants(world.bot.master)])];
  const { code, stderr } = await run('python3', [
    '-B',
    join(world.tools, 'seeker.py'),
    out,
    ...roots.map((name) => join(world.dir, name)),
    '--',
    ...pids.map(String),
  ]);
  assert.equal(code, 0, stderr);
  const { found } = parse(readFileSync(out, 'utf8'));
  assert.deepEqual(places(all, found), PLACES, 'outside all are found');
}

// A repository with another agent, whose canaries are whole only in its box, but one in a file
// and one in its issue.
async function makeVault(forge, all) {
  const rows = ['workspace', 'home', 'tmp', 'terminal', 'environment', 'file names'];
  const text = rows.map((r) => `${r.replace('file names', 'name')} ${halves(all[`another box's ${r}`])}\n`);
  const files = { ...addRepo({ agent: 'hoard' }), halves: text.join(''), old: all["another repository's files"] };
  const repo = await makeRepo(forge, { name: 'vault', files });
  const body = all["another repository's issue"];
  const { number } = await forge.do('issues', { repo, title: 'add() subtracts', body, as: 'alice' });
  return { repo, number };
}

async function makeSeekersRepo(forge, own) {
  const files = {
    ...addRepo({ agent: 'seeker' }),
    raw: own.raw,
    reversed: [...own.reversed].reverse().join(''),
    hex: Buffer.from(own.hex).toString('hex').toUpperCase(),
    base64: Buffer.from(own.base64).toString('base64'),
    base64x: Buffer.from(`x${own['base64 behind one']}`).toString('base64'),
    base64xx: Buffer.from(`xx${own['base64 behind two']}`).toString('base64url'),
  };
  const repo = await makeRepo(forge, { name: 'seek', files });
  const { number } = await forge.do('issues', { repo, title: 'Look around', body: 'x', as: 'alice' });
  return { repo, number };
}
