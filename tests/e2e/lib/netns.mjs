// SPDX-License-Identifier: Apache-2.0
// A network namespace in a test's hand, with one cable to this one: a machine of its own, as far as
// the network can tell. Needs root. It goes with the process that holds it, and that goes with the test.
import { randomInt } from 'node:crypto';
import { Program, run } from './process.mjs';

const HOLD = ['--net', 'sh', '-c', 'echo ready; exec sleep infinity'];

async function must(command, ...args) {
  const { code, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

export class Netns {
  static async start(name) {
    const net = new Netns();
    net.holder = new Program(`network of ${name}`, 'unshare', HOLD);
    try {
      await net.holder.line(/^ready$/);
      await net.#connect();
    } catch (e) {
      await net.stop();
      throw e;
    }
    return net;
  }

  // Four addresses of RFC 2544, which nobody routes: here is the first, there the second of two.
  async #connect() {
    const { pid } = this.holder;
    const [third, fourth] = [randomInt(256), 4 * randomInt(64)];
    const at = (i) => `198.${18 + (pid % 2)}.${third}.${fourth + i}`;
    [this.here, this.there] = [at(1), at(2)];
    this.link = `ns${pid}`;
    this.path = `/proc/${pid}/ns/net`;
    const inside = (...args) => must('nsenter', `--net=${this.path}`, 'ip', ...args);
    await must('ip', 'link', 'add', this.link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${pid}`);
    await must('ip', 'address', 'add', `${this.here}/30`, 'dev', this.link);
    await must('ip', 'link', 'set', this.link, 'up');
    await inside('address', 'add', `${this.there}/30`, 'dev', 'eth0');
    await inside('link', 'set', 'lo', 'up');
    await inside('link', 'set', 'eth0', 'up');
  }

  // What becomes a command in there.
  get enter() {
    return ['nsenter', `--net=${this.path}`, '--'];
  }

  // Nothing comes through any more, and nobody is told: packets are lost.
  unplug() {
    return must('ip', 'link', 'set', this.link, 'down');
  }

  plug() {
    return must('ip', 'link', 'set', this.link, 'up');
  }

  stop() {
    return this.holder.kill();
  }
}
