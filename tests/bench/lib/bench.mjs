// SPDX-License-Identifier: Apache-2.0
// What the benchmarks share: processes that tell where they listen, memory, tables.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';

export const build = resolve(process.env.NIGHTSHIFT_BUILD ?? 'build/release');
export const nightshift = process.env.NIGHTSHIFT_BIN ?? join(build, 'nightshift');
export const asJson = process.argv.includes('--json');

/** A number after --name=, or the default. */
export function option(name, fallback) {
  const arg = process.argv.find((a) => a.startsWith(`--${name}=`));
  return arg ? Number(arg.slice(name.length + 3)) : fallback;
}

/** On the disk of the build, not in a tmpfs: fsync must cost what it costs. Roles may enter it. */
export function scratch() {
  const dir = mkdtempSync(join(build, 'bench-'));
  chmodSync(dir, 0o755);
  return dir;
}

export const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts argv and resolves when its output matches `ready`, whose group 1 is the port if any. */
export function start(argv, ready, options = {}) {
  const child = spawn(argv[0], argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let text = '';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill();
      reject(new Error(`${argv.join(' ')}: not ready in 20 s\n${text}`));
    }, 20_000);
    const look = (chunk) => {
      text = (text + chunk).slice(-65536);
      const match = ready.exec(text);
      if (!match) return;
      clearTimeout(timer);
      resolve({ child, port: Number(match[1]), stop: () => (child.kill(), ended) });
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('error', reject);
    ended.then((code) => reject(new Error(`${argv.join(' ')} ended with ${code}\n${text}`)));
  });
}

/** Runs argv to its end and gives its standard output. */
export function output(argv) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${argv[0]} ended with ${code}`)));
  });
}

/** A process and all its descendants. */
function family(pid) {
  const children = new Map();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // it ended while we looked
    }
  }
  const all = [pid];
  for (let i = 0; i < all.length; i++) all.push(...(children.get(all[i]) ?? []));
  return all;
}

/** The sum over a process and all its descendants of what `read` gives. */
function sum(pid, read) {
  return family(pid).reduce((n, one) => {
    try {
      return n + read(one);
    } catch {
      return n; // likewise
    }
  }, 0);
}

const proc = (...path) => readFileSync(`/proc/${path.join('/')}`, 'latin1');

/** Proportional set size in MiB of a process and all its descendants. */
export const pssMiB = (pid) =>
  sum(pid, (one) => Number(/^Pss:\s+(\d+)/m.exec(proc(one, 'smaps_rollup'))[1])) / 1024;

const threadNs = (pid, thread) => Number(proc(pid, 'task', thread, 'schedstat').split(' ')[0]);

/** Processor time in microseconds that a process and all its descendants have used. */
export const cpuUs = (pid) =>
  sum(pid, (one) =>
    readdirSync(`/proc/${one}/task`).reduce((ns, thread) => ns + threadNs(one, thread), 0),
  ) / 1000;

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

export const firstLine = (argv) => execFileSync(argv[0], argv.slice(1)).toString().trim().split('\n')[0];

export const machine = () =>
  `${cpus().length} x ${cpus()[0].model}, Linux ${firstLine(['uname', '-r'])}, ${new Date().toISOString()}`;

/** Columns as wide as their widest cell; numbers to the right. */
export function table(head, rows) {
  const all = [head, ...rows].map((row) => row.map(String));
  const width = head.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  for (const row of all) {
    console.log(row.map((cell, i) => (i ? cell.padStart(width[i]) : cell.padEnd(width[i]))).join('  '));
  }
}

/** One measurement for machines: {name,value,unit,peer,peer_value,ratio}. */
export function record(name, value, unit, peer = null, peerValue = null) {
  const ratio = peerValue ? Number((value / peerValue).toFixed(3)) : null;
  console.log(JSON.stringify({ name, value, unit, peer, peer_value: peerValue, ratio }));
}
