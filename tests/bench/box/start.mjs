// SPDX-License-Identifier: Apache-2.0
// From the wish for a box to the first instruction in it, alone and many at once, beside bubblewrap,
// crun and a bare exec.  --alone=100 --together=20 --rounds=8 --starts=1000
//
// `box` is born into a network that was made ahead, as root's runner has it; `own` makes it itself.
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, command, firstLine, option, output, ratio, Run, scratch } from '../lib/bench.mjs';

const VARIANTS = ['floor', 'box', 'own', 'bwrap', 'crun'];
const NAMESPACES = ['user', 'mount', 'pid', 'network', 'ipc', 'uts', 'cgroup'];
const alone = option('alone', 100);
const together = option('together', 20);
const rounds = option('rounds', 8);
const starts = option('starts', 1000);

/** What bench_box_start gives bubblewrap, in crun's words. */
function bundle(dir, tools) {
  const bind = (path, source = path) => ({
    destination: path, type: 'bind', source, options: ['rbind', 'ro', 'nosuid', 'nodev'],
  });
  const fs = (path, type, ...options) => ({ destination: path, type, source: type, options });
  const ids = [{ containerID: 1000, hostID: process.getuid() || 100000, size: 1 }];
  const config = {
    ociVersion: '1.0.2',
    process: {
      terminal: false, user: { uid: 1000, gid: 1000 }, args: ['/stamp/stamp'],
      env: ['PATH=/usr/bin:/bin'], cwd: '/workspace', noNewPrivileges: true, capabilities: {},
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'box',
    mounts: [
      fs('/proc', 'proc'),
      fs('/dev', 'tmpfs', 'nosuid', 'mode=755'),
      fs('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
      fs('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777'),
      bind('/usr'), bind('/etc/ssl'), bind('/etc/alternatives'), bind('/stamp', tools),
      ...['/tmp', '/home/agent', '/workspace'].map((path) => fs(path, 'tmpfs')),
    ],
    linux: {
      namespaces: NAMESPACES.map((type) => ({ type })), uidMappings: ids, gidMappings: ids,
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/scsi'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
  for (const { destination } of config.mounts)
    mkdirSync(join(dir, 'rootfs', destination), { recursive: true, mode: 0o755 });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  return dir;
}

/** -> variant -> milliseconds of each start; "variant.cpu" -> of processors. */
async function measure(argv, count, variants) {
  const found = Object.fromEntries(variants.flatMap((v) => [[v, []], [`${v}.cpu`, []]]));
  for (const line of (await output(argv)).trim().split('\n')) {
    const [name, ms] = line.split(' ');
    if (!found[name] || !(Number(ms) >= 0)) throw new Error(`start: ${line}`);
    found[name].push(Number(ms));
  }
  for (const v of variants) {
    if (found[v].length !== count) throw new Error(`start: ${found[v].length} of ${count} ${v}`);
  }
  return found;
}

function report(run, name, found, aim) {
  for (const v of VARIANTS) {
    run.row(`${name} ${v}`, found[v], {
      cpu: found[`${v}.cpu`],
      of: { bwrap: ratio(found[v], found.bwrap), crun: ratio(found[v], found.crun), exec: ratio(found[v], found.floor) },
      aim: v === 'box' ? aim : null,
      by: 'bwrap',
    });
  }
}

export default async function start() {
  const dir = scratch();
  const tools = join(dir, 'tools');
  const stamp = join(tools, 'stamp');
  const run = new Run('start', 'the wish for a box to the first instruction in it', 'ms');
  mkdirSync(tools, { mode: 0o755 });
  copyFileSync(join(build, 'bench_agent_stamp'), stamp);
  chmodSync(stamp, 0o755);
  const argv = (parallel, count, variants) =>
    [join(build, 'bench_box_start'), stamp, dir, bundle(dir, tools), String(parallel), String(count), ...variants];
  try {
    run.says(firstLine(['bwrap', '--version']), firstLine(['crun', '--version']));
    run.says(command(argv(1, alone, VARIANTS)));
    report(run, 'alone', await measure(argv(1, alone, VARIANTS), alone, VARIANTS), 0.25);
    const many = await measure(argv(together, rounds, VARIANTS), together * rounds, VARIANTS);
    report(run, `${together} at once`, many, 0.2);
    const done = 2 * (alone + together * rounds);
    const rest = Math.max(0, Math.ceil((starts - done) / together));
    if (rest > 0) await measure(argv(together, rest, ['box']), together * rest, ['box']);
    run.says(`${done + rest * together} boxes started, 0 failed`);
    run.print();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
