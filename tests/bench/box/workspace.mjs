// SPDX-License-Identifier: Apache-2.0
// From a known commit to a program that has read a file of it in its own writable workspace: ours,
// box and all, beside git's ways to a working tree, in a large repository and in a small one, alone
// and many at once.  --files=50000 --few=500 --alone=30 --together=20 --rounds=3 --patience=10
//
// Who is not done within --patience seconds is stopped: the table says how many were.
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, command, firstLine, median, option, output, ratio, Run, scratch } from '../lib/bench.mjs';

const sizes = [option('files', 50_000), option('few', 500)];
const alone = option('alone', 30);
const together = option('together', 20);
const rounds = option('rounds', 3);
const patience = option('patience', 10) * 1000;
const A_DIRECTORY = 100; // files
const AIM_MS = 10;

const git = (...words) => ['git', '-c', 'gc.auto=0', '-c', 'advice.detachedHead=false', ...words];

/** A bare repository with one commit of so many small files. -> its name */
async function makeMirror(dir, files) {
  const mirror = join(dir, 'mirror.git');
  await output(git('init', '-q', '--bare', '-b', 'main', mirror));
  const child = spawn('git', ['-C', mirror, 'fast-import', '--quiet'], { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = new Promise((done) => child.once('close', done));
  child.stdin.write('commit refs/heads/main\ncommitter bench <bench@localhost> 1600000000 +0000\ndata 4\nbase\n');
  for (let i = 0; i < files; i++) {
    const text = `// file ${i}\n${`const value_${i} = ${i};\n`.repeat(10 + (i % 20))}`;
    const path = fileOf(i);
    if (!child.stdin.write(`M 100644 inline ${path}\ndata ${text.length}\n${text}`))
      await new Promise((done) => child.stdin.once('drain', done));
  }
  child.stdin.end('done\n');
  if ((await ended) !== 0) throw new Error('git fast-import failed');
  return mirror;
}

const fileOf = (i) => `src/part_${Math.floor(i / A_DIRECTORY)}/file_${i}.js`;

/** Milliseconds, or null if it took longer than anybody waits. */
function timed(argv) {
  return new Promise((done, fail) => {
    const began = performance.now();
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let text = '';
    let late = false;
    child.stderr.on('data', (chunk) => (text += chunk));
    const timer = setTimeout(() => {
      late = true;
      process.kill(-child.pid, 'SIGKILL'); // git and its helpers
    }, patience);
    child.once('error', fail);
    child.once('close', (code) => {
      clearTimeout(timer);
      if (late) done(null);
      else if (code === 0) done(performance.now() - began);
      else fail(new Error(`${argv.join(' ')}: ${text}`));
    });
  });
}

const PEERS = {
  'clone --shared': (mirror, to) => git('clone', '-q', '--shared', mirror, to),
  // Two at once fail on each other's half-made entries, so that part is taken in turns.
  'worktree add': (mirror, to) => ['sh', '-c',
    'flock "$0" git -C "$0" worktree add -q --no-checkout --detach "$1" main && exec git -C "$1" reset -q --hard',
    mirror, to],
  'clone --depth 1': (mirror, to) => git('clone', '-q', '--depth', '1', `file://${mirror}`, to),
};

/** -> {took, unready}: of `count` at once. */
async function peer(make, mirror, dir, count) {
  const trees = Array.from({ length: count }, (_, i) => join(dir, `tree-${i}`));
  const ended = await Promise.allSettled(trees.map((to) => timed(make(mirror, to))));
  const failed = ended.find(({ reason }) => reason);
  if (failed) throw failed.reason;
  const all = ended.map(({ value }) => value);
  await output(['rm', '-rf', ...trees]);
  await output(git('-C', mirror, 'worktree', 'prune'));
  const took = all.filter((ms) => ms !== null);
  return { took: all.map((ms) => ms ?? patience), unready: count - took.length };
}

async function ours(dir, sha, files, parallel, count) {
  const argv = [join(build, 'bench_box_workspace'), 'use', join(dir, 'trees'), sha,
    join(dir, '../tools/stamp'), fileOf(files - 1), dir, String(parallel), String(count)];
  const found = { ready: [], bare: [] };
  for (const line of (await output(argv)).trim().split('\n')) {
    const [name, ms] = line.split(' ');
    found[name].push(Number(ms));
  }
  if (found.ready.length !== parallel * count) throw new Error(`workspace: ${found.ready.length} ready`);
  return found;
}

async function measure(run, dir, files) {
  mkdirSync(dir, { mode: 0o755 });
  const mirror = await makeMirror(dir, files);
  const sha = firstLine(['git', '-C', mirror, 'rev-parse', 'main']);
  const began = performance.now();
  await output([join(build, 'bench_box_workspace'), 'make', mirror, join(dir, 'trees'), sha]);
  run.says(`${files} files: the frozen checkout took ${((performance.now() - began) / 1000).toFixed(1)} s, once`);
  const mediansAlone = [];
  for (const [parallel, count] of [[1, alone], [together, rounds]]) {
    const name = `${files} files, ${parallel === 1 ? 'alone' : `${parallel} at once`}`;
    const found = await ours(dir, sha, files, parallel, count);
    const peers = {};
    for (const [word, make] of Object.entries(PEERS)) peers[word] = await peer(make, mirror, dir, parallel);
    const of = Object.fromEntries(Object.entries(peers).map(([word, { took }]) => [word, ratio(found.ready, took)]));
    run.row(`${name}: box and workspace`, found.ready, {
      of, by: 'worktree add', aim: parallel === 1 ? `${AIM_MS} ms` : null,
    });
    run.row(`${name}: box without`, found.bare);
    run.says(`${name}: of box and workspace ${(median(found.ready) - median(found.bare)).toFixed(1)} ms are the workspace's`);
    for (const [word, { took, unready }] of Object.entries(peers))
      run.row(`${name}: ${word}${unready ? `, ${unready} not done` : ''}`, took);
    if (parallel === 1) mediansAlone.push(median(found.ready));
  }
  return mediansAlone;
}

export default async function workspace() {
  const dir = scratch();
  const run = new Run('workspace', 'a known commit to a file of it read in a writable workspace', 'ms');
  const stamp = join(dir, 'tools/stamp');
  mkdirSync(join(dir, 'tools'), { mode: 0o755 });
  copyFileSync(join(build, 'bench_agent_stamp'), stamp);
  chmodSync(stamp, 0o755);
  try {
    run.says(firstLine(['git', '--version']));
    run.says(...Object.values(PEERS).map((make) => command(make('MIRROR', 'TREE'))));
    const [[large], [small]] = [
      await measure(run, join(dir, 'large'), sizes[0]),
      await measure(run, join(dir, 'small'), sizes[1]),
    ];
    run.says(`${sizes[0] / sizes[1]} times the files take ${(large / small).toFixed(2)} times as long`);
    run.print();
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
