// SPDX-License-Identifier: Apache-2.0
// The forge's own look into its bare repositories: made from a directory, committed to by people,
// compared for a pull request. Plumbing only; nothing here is reachable from the network.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BYTES_MAX = 64 << 20;

export const GIT_ENV = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  LANG: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
};

const person = (who) => ({
  GIT_AUTHOR_NAME: who.login,
  GIT_AUTHOR_EMAIL: who.email,
  GIT_COMMITTER_NAME: who.login,
  GIT_COMMITTER_EMAIL: who.email,
});

export async function git(gitDir, args, { env, input } = {}) {
  const options = { env: { ...GIT_ENV, ...env }, maxBuffer: BYTES_MAX, encoding: 'utf8' };
  if (input === undefined)
    return (await run('git', ['--git-dir', gitDir, ...args], options)).stdout;
  return execFileSync('git', ['--git-dir', gitDir, ...args], { ...options, input });
}

export async function gitBytes(gitDir, args) {
  const options = { env: GIT_ENV, maxBuffer: BYTES_MAX, encoding: 'buffer' };
  return (await run('git', ['--git-dir', gitDir, ...args], options)).stdout;
}

const SETTINGS = {
  'http.receivepack': 'true',
  'uploadpack.allowFilter': 'true',
  'uploadpack.allowAnySHA1InWant': 'true',
  'receive.denyDeleteCurrent': 'true',
  'gc.auto': '0',
};

// A forge refuses a push that touches workflows when the credential may not write them.
const PRE_RECEIVE = `#!/bin/sh
[ -n "$SIM_NO_WORKFLOWS" ] || exit 0
while read -r old new ref; do
  case "$new" in *[!0]*) ;; *) continue ;; esac
  if git rev-list --objects "$new" --not --all | grep -q ' \\.github/workflows/'; then
    echo "refusing to allow a GitHub App to create or update workflow without \\\`workflows\\\` permission" >&2
    exit 1
  fi
done
`;

export async function createBare(gitDir, branch) {
  mkdirSync(dirname(gitDir), { recursive: true });
  await run('git', ['init', '-q', '--bare', '-b', branch, gitDir], { env: GIT_ENV });
  for (const [key, value] of Object.entries(SETTINGS)) await git(gitDir, ['config', key, value]);
  mkdirSync(join(gitDir, 'hooks'), { recursive: true });
  writeFileSync(join(gitDir, 'hooks', 'pre-receive'), PRE_RECEIVE);
  chmodSync(join(gitDir, 'hooks', 'pre-receive'), 0o755);
}

// One commit of a whole directory: a test's or the demo's repository begins with this.
export async function commitDirectory(gitDir, { from, branch, message, who, at }) {
  const index = join(gitDir, 'index.import');
  const env = { GIT_INDEX_FILE: index, ...person(who), ...dates(at) };
  const workTree = ['--work-tree', from];
  await git(gitDir, [...workTree, 'add', '-A', '--force', '.'], { env });
  const tree = (await git(gitDir, ['write-tree'], { env })).trim();
  rmSync(index, { force: true });
  const sha = (await git(gitDir, ['commit-tree', tree, '-m', message], { env })).trim();
  await git(gitDir, ['update-ref', `refs/heads/${branch}`, sha]);
  return sha;
}

const dates = (at) => ({
  GIT_AUTHOR_DATE: `${Math.floor(at / 1000)} +0000`,
  GIT_COMMITTER_DATE: `${Math.floor(at / 1000)} +0000`,
});

// files: path -> content (text or bytes), {text, executable}, {gitlink: sha}, or null to delete it.
export async function commitFiles(gitDir, { branch, parent, files, message, who, at }) {
  const scratch = mkdtempSync(join(gitDir, 'commit-'));
  const env = { GIT_INDEX_FILE: join(scratch, 'index'), ...person(who), ...dates(at) };
  try {
    if (parent) await git(gitDir, ['read-tree', parent], { env });
    for (const [path, content] of Object.entries(files)) {
      if (content === null) {
        await git(gitDir, ['update-index', '--force-remove', path], { env });
        continue;
      }
      if (content.gitlink) {
        const entry = `160000,${content.gitlink},${path}`;
        await git(gitDir, ['update-index', '--add', '--cacheinfo', entry], { env });
        continue;
      }
      const text = typeof content === 'string' ? content : content.text;
      const mode = content.executable ? '100755' : '100644';
      const blob = (await git(gitDir, ['hash-object', '-w', '--stdin'], { input: text })).trim();
      await git(gitDir, ['update-index', '--add', '--cacheinfo', `${mode},${blob},${path}`], {
        env,
      });
    }
    const tree = (await git(gitDir, ['write-tree'], { env })).trim();
    const parents = parent ? ['-p', parent] : [];
    const sha = (
      await git(gitDir, ['commit-tree', tree, ...parents, '-m', message], { env })
    ).trim();
    await git(gitDir, ['update-ref', `refs/heads/${branch}`, sha]);
    return sha;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export async function readRefs(gitDir) {
  const out = await git(gitDir, ['for-each-ref', '--format=%(refname) %(objectname)']);
  return new Map(
    out
      .split('\n')
      .filter(Boolean)
      .map((l) => l.split(' ')),
  );
}

// A fork begins with the branches of its origin.
export const copyBranches = (gitDir, fromDir) =>
  git(gitDir, ['fetch', '-q', '--no-tags', fromDir, '+refs/heads/*:refs/heads/*']);

// Points ref at a commit, which is first copied when it lives in another repository (a fork).
export async function takeRef(gitDir, ref, fromDir, sha) {
  if (fromDir !== gitDir) await git(gitDir, ['fetch', '-q', '--no-tags', fromDir, sha]);
  await git(gitDir, ['update-ref', ref, sha]);
}

export function refMoves(before, after) {
  const names = new Set([...before.keys(), ...after.keys()]);
  const zero = '0'.repeat(40);
  return [...names]
    .filter((r) => before.get(r) !== after.get(r))
    .map((ref) => ({ ref, old: before.get(ref) ?? zero, new: after.get(ref) ?? zero }));
}

export async function resolve(gitDir, name) {
  try {
    return (await git(gitDir, ['rev-parse', '--verify', '--quiet', `${name}^{commit}`])).trim();
  } catch {
    return undefined;
  }
}

const SEP = '\x1f';
const LOG_FORMAT = ['%H', '%T', '%P', '%an', '%ae', '%aI', '%cn', '%ce', '%cI', '%B'].join('%x1f');

function commitOf(record) {
  const [sha, tree, parents, an, ae, ad, cn, ce, cd, message] = record.split(SEP);
  const utc = (s) => new Date(s).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    sha,
    tree,
    parents: parents ? parents.split(' ') : [],
    message: message.replace(/\n+$/, ''),
    author: { name: an, email: ae, date: utc(ad) },
    committer: { name: cn, email: ce, date: utc(cd) },
  };
}

export async function commits(gitDir, range, max = 250) {
  const args = ['log', '-z', `--max-count=${max}`, `--format=${LOG_FORMAT}`, ...range];
  return (await git(gitDir, args))
    .split('\0')
    .filter((r) => r.trim())
    .map(commitOf);
}

const STATUS = { A: 'added', D: 'removed', M: 'modified', T: 'changed', R: 'renamed', C: 'copied' };

// What a pull request shows: the files between the merge base and the head.
export async function changes(gitDir, base, head) {
  const range = `${base}...${head}`;
  const numbers = await git(gitDir, ['diff', '--no-renames', '--numstat', '-z', range]);
  const states = (await git(gitDir, ['diff', '--no-renames', '--raw', '--abbrev=40', '-z', range]))
    .split('\0')
    .filter(Boolean);
  const byPath = new Map();
  for (let i = 0; i + 1 < states.length; i += 2) {
    const [, , , blob, letter] = states[i].split(' ');
    byPath.set(states[i + 1], { status: STATUS[letter[0]] ?? 'modified', blob });
  }
  return numbers
    .split('\0')
    .filter(Boolean)
    .map((row) => {
      const [plus, minus, path] = row.split('\t');
      const known = byPath.get(path) ?? { status: 'modified', blob: null };
      return { path, additions: Number(plus) || 0, deletions: Number(minus) || 0, ...known };
    });
}

export const diff = (gitDir, base, head) => git(gitDir, ['diff', `${base}...${head}`]);

export async function mergeBase(gitDir, a, b) {
  try {
    return (await git(gitDir, ['merge-base', a, b])).trim();
  } catch {
    return undefined;
  }
}

export async function distance(gitDir, base, head) {
  const out = await git(gitDir, ['rev-list', '--left-right', '--count', `${base}...${head}`]);
  const [behind, ahead] = out.trim().split('\t').map(Number);
  return { behind, ahead };
}

// -> {type: 'blob', sha, bytes} or {type: 'tree', entries} or undefined
export async function readPath(gitDir, commit, path) {
  let line;
  try {
    line = (await git(gitDir, ['ls-tree', '-l', commit, '--', path])).trimEnd();
  } catch {
    return undefined;
  }
  if (path === '') return listTree(gitDir, `${commit}:`);
  if (!line) return undefined;
  const [meta] = line.split('\t');
  const [mode, type, sha] = meta.split(/\s+/);
  if (type === 'tree') return listTree(gitDir, sha);
  return { type, mode, sha, bytes: await gitBytes(gitDir, ['cat-file', 'blob', sha]) };
}

async function listTree(gitDir, tree) {
  const rows = (await git(gitDir, ['ls-tree', '-l', tree])).split('\n').filter(Boolean);
  const entries = rows.map((row) => {
    const [meta, name] = row.split('\t');
    const [mode, type, sha, size] = meta.split(/\s+/);
    return { name, mode, type, sha, size: Number(size) || 0 };
  });
  return { type: 'tree', entries };
}
