// SPDX-License-Identifier: Apache-2.0
// The real program under test: started with a configuration, watched by its log, its roles killed.
import { chmodSync, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './process.mjs';
import { alive, boxed, descendants, rolePids, running, shimsBelow } from './proc.mjs';
import { until } from './until.mjs';

const READY_MS = 90_000; // a role has a minute
const GONE_MS = 30_000; // whoever does not end is killed after ten seconds
export const ROLES = ['web', 'queue', 'decoder', 'courier', 'keeper', 'gateway', 'runner'];

// A copy in the test's own directory: the uids that roles become may not reach a checkout below
// somebody's home, and /proc/PID/exe then says which processes are this test's.
function binary(dir) {
  const path = process.env.NIGHTSHIFT_BIN;
  if (!path || !existsSync(path)) {
    throw new Error('NIGHTSHIFT_BIN is to be the path of the built nightshift program');
  }
  const copy = join(dir, 'nightshift');
  copyFileSync(path, copy);
  chmodSync(copy, 0o755);
  return copy;
}

export class Bot {
  // wrap: a command to run it under, for instance strace; `{dir}` in it is the test's directory.
  // enter: a command that becomes it, as nsenter does. uid: who starts it; default: ourselves.
  constructor({ config, dir, wrap = [], enter = [], env = {}, uid }) {
    Object.assign(this, { config, dir, wrap, enter, env, uid, bin: binary(dir), lines: [], runs: 0 });
  }

  async start() {
    const wrap = this.wrap.map((word) => word.replace('{dir}', this.dir));
    const [command, ...args] = [...this.enter, ...wrap, this.bin, 'serve', '-c', this.config];
    const env = { PATH: process.env.PATH, LANG: 'C.UTF-8', ...this.env };
    this.program = new Program(`nightshift#${++this.runs}`, command, args, {
      cwd: this.dir,
      env,
      ...(this.uid && { uid: this.uid, gid: this.uid }),
    });
    this.program.lines = this.lines; // one log over all runs
    const from = this.lines.length;
    const [, listen] = await this.program.line(/serve\.ready .*listen=(\S+)/, {
      ms: READY_MS,
      from,
    });
    this.listen = listen;
    this.url = `http://${listen}`;
    this.master = this.wrap.length ? descendants(this.program.pid)[0] : this.program.pid;
    return this;
  }

  // A log line after number `from`.
  log(pattern, options) {
    return this.program.line(pattern, options);
  }

  role(name) {
    return rolePids(this.master, name);
  }

  // Of the attempts that are under way.
  shims() {
    return shimsBelow(this.dir);
  }

  // Kills a role with SIGKILL and waits until the master has put another in its place.
  async killRole(name) {
    const [pid] = this.role(name);
    if (!pid) throw new Error(`no process with --role ${name}`);
    process.kill(pid, 'SIGKILL');
    await until(
      `a new ${name}`,
      () => {
        const now = this.role(name);
        return now.length && !now.includes(pid) && !alive(pid);
      },
      GONE_MS,
    );
    return pid;
  }

  // Kills the master and all roles with SIGKILL, at once. Boxes go on.
  async crash() {
    const pids = [this.master, ...ROLES.flatMap((name) => this.role(name))];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await this.program.exited;
    await until('the roles are gone', () => !pids.some(alive), GONE_MS);
  }

  // As if the machine had been switched off: nothing lives on.
  async blackout() {
    process.kill(this.master, 'SIGKILL');
    await this.program.exited;
    return this.sweep();
  }

  // Kills the master with SIGKILL; its roles must follow by themselves. Boxes go on.
  async kill() {
    const roles = ROLES.flatMap((name) => this.role(name));
    process.kill(this.master, 'SIGKILL');
    await this.program.exited;
    await until('the roles follow their master', () => !roles.some(alive), GONE_MS);
  }

  async restart() {
    await this.kill();
    return this.start();
  }

  async stop() {
    const how = await this.program.stop(GONE_MS, () => process.kill(this.master, 'SIGTERM'));
    if (this.program.insisted)
      throw new Error(`nightshift did not end in ${GONE_MS} ms after SIGTERM`);
    return how;
  }

  // What is left of us: our program, shims, and processes in our boxes.
  strays() {
    return [...new Set([...running(this.bin), ...this.shims(), ...boxed(this.dir)])];
  }

  async sweep() {
    const left = this.strays();
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        /* it went by itself */
      }
    }
    await until('nothing is left', () => this.strays().length === 0, GONE_MS);
    return left;
  }
}
