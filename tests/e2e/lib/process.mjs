// SPDX-License-Identifier: Apache-2.0
// Programs that a test starts: known by pid, asked to end, killed by pid when they do not.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const TAIL_MAX = 512 << 10;
const CLOSE_MS = 500;
// A test that is killed by its time limit takes its programs along.
const WITH_US = ['--pdeathsig', 'KILL', '--'];

export class Program {
  constructor(name, command, args, options = {}) {
    this.name = name;
    this.lines = [];
    this.output = '';
    this.listeners = new Set();
    this.child = spawn('setpriv', [...WITH_US, command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    this.pid = this.child.pid;
    this.exited = new Promise((done) => {
      this.child.once('error', (e) => {
        this.#line(`cannot start: ${e.message}`);
        done({ error: e });
      });
      // What it said last is read, unless somebody else has the pipe open too: shims outlive the bot.
      this.child.once('exit', (code, signal) => {
        const over = () => done({ code, signal });
        this.child.once('close', over);
        setTimeout(over, CLOSE_MS).unref();
      });
    });
    this.exited.then((how) => {
      this.how = how;
      this.#wake();
    });
    for (const stream of [this.child.stdout, this.child.stderr]) this.#follow(stream);
  }

  #follow(stream) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      this.output = (this.output + text).slice(-TAIL_MAX);
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.#line(line);
    });
  }

  #line(line) {
    this.lines.push(line);
    if (process.env.NIGHTSHIFT_E2E_LOG) console.error(`${this.name}: ${line}`);
    this.#wake();
  }

  #wake() {
    for (const tell of this.listeners) tell();
  }

  get running() {
    return !this.how;
  }

  // The first line from number `from` on that matches, waiting up to ms for it.
  async line(pattern, { ms = 60_000, from = 0 } = {}) {
    const find = () => this.lines.slice(from).find((l) => pattern.test(l));
    const deadline = Date.now() + ms;
    for (;;) {
      const found = find();
      if (found !== undefined) return pattern.exec(found);
      const left = deadline - Date.now();
      if (!this.running || left <= 0) {
        throw new Error(
          `${this.name}: no line ${pattern} ${this.running ? `in ${ms} ms` : `(ended: ${JSON.stringify(this.how)})`}\n${this.tail()}`,
        );
      }
      await new Promise((done) => {
        const timer = setTimeout(wake, left);
        const { listeners } = this;
        function wake() {
          clearTimeout(timer);
          listeners.delete(wake);
          done();
        }
        listeners.add(wake);
      });
    }
  }

  tail(lines = 60) {
    return this.lines
      .slice(-lines)
      .map((l) => `  ${this.name}| ${l}`)
      .join('\n');
  }

  kill(signal = 'SIGKILL') {
    if (this.running) this.child.kill(signal);
    return this.exited;
  }

  // Asks with SIGTERM, insists after ms. -> how it ended. `ask` is another way to ask.
  async stop(ms = 10_000, ask = () => this.child.kill('SIGTERM')) {
    if (!this.running) return this.how;
    const timer = setTimeout(() => {
      this.insisted = true;
      this.child.kill('SIGKILL');
    }, ms);
    ask();
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }
}

export async function run(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const out = [],
    complaints = [];
  child.stdout.on('data', (c) => out.push(c));
  child.stderr.on('data', (c) => complaints.push(c));
  const [code, signal] = await once(child, 'close');
  return {
    code,
    signal,
    stdout: Buffer.concat(out).toString('utf8'),
    stderr: Buffer.concat(complaints).toString('utf8'),
  };
}
