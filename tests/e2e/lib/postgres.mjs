// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server of a test's own: its cluster in the test's directory, with a password, reached
// through a socket there and through nothing else.
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, run } from './process.mjs';
import { until } from './until.mjs';

const BASE = '/usr/lib/postgresql';
const NOBODY = 65534; // the server refuses to be root

const program = (name) => {
  const [version] = readdirSync(BASE).sort((a, b) => b - a);
  return join(BASE, version, 'bin', name);
};

// It ends with the test: the signal is set after the user has changed, which would clear it.
const unprivileged = (command, args) =>
  process.getuid() === 0
    ? [
        'setpriv',
        [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--pdeathsig=QUIT', '--', command, ...args],
      ]
    : [command, args];

export class Postgres {
  // settings: what is not as PostgreSQL would have it.
  static async start(dir, password, settings = ['shared_buffers=16MB']) {
    const server = new Postgres();
    server.settings = settings;
    server.dir = join(dir, 'pg');
    server.password = password;
    server.url = `postgres://test@/postgres?host=${encodeURIComponent(server.dir)}`;
    const file = join(server.dir, 'password');
    mkdirSync(server.dir, { recursive: true });
    writeFileSync(file, `${password}\n`, { mode: 0o600 });
    chmodSync(server.dir, 0o755);
    if (process.getuid() === 0) {
      for (const path of [server.dir, file]) chownSync(path, NOBODY, NOBODY);
    }
    const auth = ['-A', 'scram-sha-256', `--pwfile=${file}`];
    const made = await run(
      ...unprivileged(program('initdb'), [
        ...['-D', join(server.dir, 'data'), '-U', 'test', '-N', '-E', 'UTF8', '--locale=C', ...auth],
      ]),
      { cwd: server.dir },
    );
    if (made.code !== 0) throw new Error(`initdb: ${made.stderr}`);
    await server.again();
    return server;
  }

  async again() {
    const set = this.settings.flatMap((one) => ['-c', one]);
    const args = ['-D', join(this.dir, 'data'), '-k', this.dir, '-h', '', ...set];
    this.program = new Program('postgres', ...unprivileged(program('postgres'), args), {
      cwd: this.dir,
    });
    await until('the server answers', async () => (await this.select('SELECT 1')) === '1');
  }

  // As the loss of power would: no checkpoint, recovery at the next start.
  crash() {
    return this.program.kill('SIGQUIT');
  }

  stop() {
    return this.program.stop(10_000, () => this.program.child.kill('SIGINT'));
  }

  // -> what psql prints of it.
  async select(sql) {
    const { code, stdout, stderr } = await run('psql', ['-XAtq', this.url, '-c', sql], {
      env: { ...process.env, PGPASSWORD: this.password },
    });
    if (code !== 0) throw new Error(`psql: ${stderr}`);
    return stdout.trim();
  }
}
