// SPDX-License-Identifier: Apache-2.0
// A forge-sim process in a test's hand.
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkTraffic } from '../check/traffic.mjs';
import { Program } from './process.mjs';
import { until } from './until.mjs';

const MAIN = fileURLToPath(new URL('../forge-sim/main.mjs', import.meta.url));

// One key for all Apps of a test: making one takes a third of a second.
let appKeys;

export class Forge {
  // wish: {dialect, dir, token | app: true, secret, args}
  static async start(wish) {
    const forge = new Forge();
    Object.assign(forge, { token: undefined, args: [] }, wish);
    mkdirSync(forge.dir, { recursive: true });
    forge.logFile = join(forge.dir, 'truth.jsonl');
    const args = [
      '--dialect',
      forge.dialect,
      '--state',
      join(forge.dir, 'state'),
      '--log',
      forge.logFile,
    ];
    if (forge.app) args.push(...forge.#makeApp());
    if (forge.token) args.push('--token', forge.token);
    if (forge.secret) args.push('--secret', forge.secret);
    forge.program = new Program(`forge-sim ${forge.dialect}`, process.execPath, [
      MAIN,
      ...args,
      ...forge.args,
    ]);
    [, forge.url] = await forge.program.line(/^listening (http:\S+)/);
    forge.api = forge.url + { github: '/api/v3', gitea: '/api/v1', gitlab: '/api/v4' }[forge.dialect];
    return forge;
  }

  #makeApp() {
    appKeys ??= generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.appId = 4711;
    this.appKey = appKeys.privateKey.export({ type: 'pkcs1', format: 'pem' });
    const file = join(this.dir, 'app.pub.pem');
    writeFileSync(file, appKeys.publicKey.export({ type: 'spki', format: 'pem' }));
    return ['--app-id', String(this.appId), '--app-public-key', file];
  }

  async #call(method, name, body) {
    const res = await fetch(`${this.url}/_sim/${name}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await res.json();
    if (!res.ok) throw new Error(`${name}: ${answer.error}\n${answer.stack}`);
    return answer;
  }

  get(name) {
    return this.#call('GET', name);
  }

  // What people do: forge.do('issues', {repo, title, ...}); the names are in forge-sim/control.mjs.
  do(name, body = {}) {
    return this.#call('POST', name, body);
  }

  state() {
    return this.get('state');
  }

  truth(since = 0) {
    return this.get(`truth?since=${since}`);
  }

  async effects(name, where = {}) {
    const rows = (await this.truth()).filter(
      (l) => l.kind === 'effect' && (!name || l.effect === name),
    );
    return rows.filter((l) => Object.entries(where).every(([k, v]) => l[k] === v));
  }

  async repo(fullName) {
    return (await this.state()).repos.find((r) => r.full_name === fullName);
  }

  async issue(fullName, number) {
    return (await this.repo(fullName)).issues.find((i) => i.number === number);
  }

  // Where people see a pull request; `number` as issue() takes it.
  pullUrl(fullName, number) {
    const word = { github: 'pull', gitea: 'pulls', gitlab: '-/merge_requests' }[this.dialect];
    return `${this.url}/${fullName}/${word}/${Math.abs(number)}`;
  }

  async pulls(fullName) {
    return (await this.repo(fullName)).issues.filter((i) => i.pull);
  }

  fault(rule) {
    return this.do('faults', rule).then((r) => r.ids[0]);
  }

  // Waits until a request hangs in a hold_* rule. -> the requests that do.
  async held(id, ms = 60_000) {
    const rows = await this.do('faults/held', { id, ms });
    if (!rows?.length) throw new Error(`nothing was held in ${ms} ms`);
    return rows;
  }

  release(id, mode = 'go') {
    return this.do('faults/release', { id, mode });
  }

  // All deliveries that happened so far are sent and answered.
  idle() {
    return this.do('hook/idle');
  }

  until(what, predicate, ms) {
    return until(`${this.dialect}: ${what}`, async () => predicate(await this.state()), ms);
  }

  // The recorded traffic against the forge's official description.
  async check() {
    return checkTraffic(this.dialect, await this.truth());
  }

  stop() {
    return this.program.stop();
  }
}
