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

// utime, stime, and both of the children that have ended: hundredths of a second.
const everTicks = (one) => {
  const stat = proc(one, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 15).reduce((n, ticks) => n + Number(ticks), 0);
};

/** The same in milliseconds, of descendants that have ended, too. */
export const cpuEverMs = (pid) => sum(pid, everTicks) * 10;

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

/** Parts named by --only=a,b; all without it. */
export function only(parts) {
  const arg = process.argv.find((a) => a.startsWith('--only='));
  const names = arg ? arg.slice('--only='.length).split(',') : parts;
  const unknown = names.filter((name) => !parts.includes(name));
  if (unknown.length) throw new Error(`no part named ${unknown}; there are ${parts.join(', ')}`);
  return names;
}

/** A command line as one would type it, with the directories of this run left out. */
export const command = (argv) => argv.map((word) => word.replace(/\S*\/build\/[^/]+\//, '')).join(' ');

/** The value that a tenth are below: what the machine does when nobody disturbs it. */
export const p10 = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 10)];

/** Of the medians; what disturbs one side of an interleaved run disturbs the other. */
export const ratio = (ours, theirs) => median(ours) / median(theirs);

const digits = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));

/** Rows of one part of a benchmark: printed as a table, or one object a line. */
export class Run {
  rows = [];
  notes = [];

  constructor(name, what, unit) {
    Object.assign(this, { name, what, unit });
  }

  says(...lines) {
    this.notes.push(...lines);
  }

  /** of: ratios by the name of whom it is beside; aim: the most that the one named `by` may be. */
  row(name, values, { cpu = null, of = {}, aim = null, by = null } = {}) {
    this.rows.push({ name, values, cpu, of, aim, by });
  }

  print() {
    if (asJson) return this.rows.forEach((row) => this.record(row));
    const peers = [...new Set(this.rows.flatMap((row) => Object.keys(row.of)))];
    const hasCpu = this.rows.some((row) => row.cpu);
    const head = ['', 'n', 'p10', 'median', 'max', ...(hasCpu ? ['cpu ms'] : []), ...peers.map((p) => `x ${p}`), 'aim'];
    console.log(`\n${this.name}: ${this.what}, ${this.unit}`);
    for (const note of this.notes) console.log(`  ${note}`);
    table(head, this.rows.map(({ name, values, cpu, of, aim }) => [
      name, values.length, digits(p10(values)), digits(median(values)), digits(Math.max(...values)),
      ...(hasCpu ? [cpu ? digits(median(cpu)) : ''] : []),
      ...peers.map((p) => (of[p] === undefined ? '' : digits(of[p]))), aim === null ? '' : `<= ${aim}`,
    ]));
  }

  record({ name, values, of, by }) {
    const value = median(values);
    const key = `box.${this.name}.${name.replaceAll(/[^a-z0-9]+/gi, '_')}`;
    record(key, Number(value.toFixed(3)), this.unit, by, by ? Number((value / of[by]).toFixed(3)) : null);
  }
}

/** One measurement for machines: {name,value,unit,peer,peer_value,ratio}. */
export function record(name, value, unit, peer = null, peerValue = null) {
  const ratio = peerValue ? Number((value / peerValue).toFixed(3)) : null;
  console.log(JSON.stringify({ name, value, unit, peer, peer_value: peerValue, ratio }));
}
