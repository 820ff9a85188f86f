// SPDX-License-Identifier: Apache-2.0
// A world for one test: forges, a model, a configuration with secrets in files, and the bot.
import { randomBytes, randomInt } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bot } from './bot.mjs';
import { copyTree, provide } from './clis.mjs';
import { Forge } from './forge.mjs';
import { Model } from './model.mjs';
import { remove, scratch } from './scratch.mjs';
import { yaml } from './yaml.mjs';

const runtime = process.env.NIGHTSHIFT_E2E_RUNTIME;
const AGENTS = fileURLToPath(new URL('../agents/', import.meta.url));

export const secret = (name) => `${name}-${randomBytes(18).toString('hex')}`;

// The kernel's choice, given back at once: the address must be in public_url before the bot starts,
// and the same after each restart. Each world has a loopback address of its own, so that while the
// bot is down no other world and no outgoing connection can take the port.
export function ownAddress() {
  const host = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
  return new Promise((done, fail) => {
    const server = net.createServer();
    server.once('error', fail);
    server.listen(0, host, () => {
      const { port } = server.address();
      server.close(() => done(`${host}:${port}`));
    });
  });
}

export class World {
  // wish: {name, forges: {gh: {dialect, app}}, clis: ['codex'], scenarios, agent, config, repo...}
  static async start(wish) {
    const world = new World();
    world.wish = wish;
    world.dir = scratch(wish.name);
    world.forges = {};
    world.secrets = {};
    try {
      await world.#start();
    } catch (e) {
      world.report();
      await world.stop({ quiet: true });
      throw e;
    }
    return world;
  }

  async #start() {
    const { wish, dir } = this;
    mkdirSync(join(dir, 'secrets'), { mode: 0o700 });
    this.tools = join(dir, 'tools');
    for (const from of wish.agentDirs ?? [AGENTS]) copyTree(from, this.tools);
    for (const name of readdirSync(this.tools)) chmodSync(join(this.tools, name), 0o755);
    this.scripts = readdirSync(this.tools);
    this.clis = Object.fromEntries(
      (wish.clis ?? []).map((kind) => [kind, provide(kind, this.tools)]),
    );
    for (const [name, one] of Object.entries(wish.forges)) await this.#forge(name, one);
    if (wish.scenarios) await this.#model();
    this.address = await ownAddress();
    await wish.before?.(this);
    if (wish.bot !== false) await this.boot();
  }

  configFile() {
    return join(this.dir, 'nightshift.yaml');
  }

  // What a bot that is not root must be able to read and write.
  #giveTo(uid) {
    mkdirSync(join(this.dir, 'bot'), { recursive: true });
    const secrets = join(this.dir, 'secrets');
    const files = readdirSync(secrets).map((name) => join(secrets, name));
    for (const path of [join(this.dir, 'bot'), secrets, ...files]) chownSync(path, uid, uid);
  }

  // Writes a secret into a file that only its owner reads. -> the file's path.
  keep(name, value) {
    this.secrets[name] = value;
    const file = join(this.dir, 'secrets', name);
    writeFileSync(file, value, { mode: 0o600 });
    return file;
  }

  async #forge(name, one) {
    const hook = this.wish.secrets?.[`${name}-hook`] ?? secret('hook');
    const token = one.app ? undefined : (this.wish.secrets?.[`${name}-token`] ?? secret('token'));
    this.keep(`${name}-hook`, hook);
    if (token) this.keep(`${name}-token`, token);
    this.forges[name] = await Forge.start({
      dir: join(this.dir, name),
      secret: hook,
      token,
      ...one,
    });
    if (one.app) this.keep(`${name}-app.pem`, this.forges[name].appKey);
  }

  async #model() {
    const key = this.wish.secrets?.model ?? secret('sk-model');
    this.keep('model', key);
    const { scenarios } = this.wish;
    const vars = { tools: this.tools };
    this.model = await Model.start({ dir: this.dir, key, scenarios, vars });
  }

  config() {
    const { wish, dir } = this,
      at = (name) => join(dir, 'secrets', name);
    const forges = Object.fromEntries(
      Object.entries(this.forges).map(([name, f]) => [
        name,
        {
          kind: f.kind ?? f.dialect,
          url: f.url,
          api_url: f.api,
          ...(f.app
            ? { app_id: f.appId, app_key_file: at(`${name}-app.pem`) }
            : { token_file: at(`${name}-token`) }),
          webhook_secret_file: at(`${name}-hook`),
        },
      ]),
    );
    const commands = Object.fromEntries(
      this.scripts.map((file) => [
        basename(file).replace(/\.\w+$/, ''),
        { command: [join(this.tools, file), ...(wish.agentArgs?.[file] ?? [])] },
      ]),
    );
    const clis = Object.entries(this.clis).map(([kind, { path, model }]) => [
      kind,
      { path, model },
    ]);
    const seen = Object.values(this.clis).flatMap((cli) => cli.tools);
    const key_file = at('model');
    const base = {
      listen: this.address,
      public_url: `http://${this.address}`,
      state_dir: join(dir, 'bot'),
      boxes: 4,
      forges,
      models: this.model && {
        openai: { url: `${this.model.url}/v1`, key_file },
        anthropic: { url: this.model.url, key_file },
        gemini: { url: this.model.url, key_file },
      },
      agent: wish.agent ?? 'mend',
      agents: { ...commands, ...Object.fromEntries(clis) },
      sandbox: {
        tools: [this.tools, ...seen, ...nodePrefix()],
        ...(runtime && { runtime }),
      },
      limits: { wall: '5m', setup: '2m', gate: '2m', attempts: 3 },
    };
    const more = typeof wish.config === 'function' ? wish.config(this) : wish.config;
    return merge(base, more ?? {});
  }

  // Writes the configuration and starts the bot; a test that adds to it says `bot: false` first.
  async boot() {
    writeFileSync(this.configFile(), yaml(this.config()), { mode: 0o644 });
    const wish = typeof this.wish.bot === 'function' ? this.wish.bot(this) : this.wish.bot;
    if (wish?.uid) this.#giveTo(wish.uid);
    this.bot = new Bot({ config: this.configFile(), dir: this.dir, ...wish });
    await this.bot.start();
    for (const [name, forge] of Object.entries(this.forges)) {
      await forge.do('hook', { url: `${this.bot.url}/hook/${name}` });
    }
  }

  // A step that looks for this file among the tools, which its box shows, waits for as long as it is
  // there: agents/patient.sh, or a test command that a test writes. -> a function that lets go.
  hold(step) {
    writeFileSync(this.holdFile(step), '');
    return () => rmSync(this.holdFile(step));
  }

  holdFile(step) {
    return join(this.tools, `hold-${step}`);
  }

  // On failure: what the bot said, and what happened at the forges.
  report() {
    if (this.bot?.program) console.error(this.bot.program.tail(200));
    for (const forge of Object.values(this.forges)) {
      if (forge.program) console.error(forge.program.tail(20));
      for (const line of forge.tail ?? []) console.error(JSON.stringify(line).slice(0, 400));
    }
  }

  // The end of a test: traffic judged, everything stopped, nothing left running.
  async stop({ quiet = false, strays = 'none' } = {}) {
    const problems = [];
    const attempt = async (what, work) => {
      try {
        return await work();
      } catch (e) {
        problems.push(`${what}: ${e.message}`);
        return undefined;
      }
    };
    for (const [name, forge] of Object.entries(this.forges)) {
      if (quiet || !forge.program?.running) continue;
      await attempt('idle', () => forge.do('faults/clear'));
      const judged = await attempt('check', () => forge.check());
      problems.push(...(judged?.problems ?? []).map((p) => `${name}: ${p}`));
    }
    if (this.bot?.program) {
      await attempt('stop', () => this.bot.stop());
      if (this.after) await attempt('after', this.after);
      const left = await attempt('sweep', () => this.bot.sweep());
      if (left?.length && strays === 'none')
        problems.push(`left running after the end: ${left.join(', ')}`);
    }
    for (const forge of Object.values(this.forges)) await attempt('forge', () => forge.stop());
    if (this.model) this.verdict = await attempt('model', () => this.model.stop());
    remove(this.dir);
    if (problems.length && !quiet) throw new Error(problems.join('\n'));
  }
}

// Node may live outside /usr, where the box would not see it.
const nodePrefix = () => {
  const prefix = dirname(dirname(process.execPath));
  return prefix === '/usr' || prefix === '/usr/local' ? [] : [prefix];
};

function merge(base, more) {
  if (!more || typeof more !== 'object' || Array.isArray(more)) return more;
  const out = { ...base };
  for (const [key, value] of Object.entries(more)) {
    out[key] =
      value && typeof value === 'object' && !Array.isArray(value)
        ? merge(base?.[key], value)
        : value;
  }
  return out;
}

// Runs a test in a world: what failed is reported with the logs, and the world ends in any case.
export async function inWorld(wish, work) {
  const world = await World.start(wish);
  let failure;
  try {
    await work(world);
  } catch (e) {
    failure = e;
    for (const forge of Object.values(world.forges)) {
      forge.tail = (await forge.truth().catch(() => [])).slice(-60);
    }
    world.report();
  }
  await world.stop({ quiet: Boolean(failure), ...wish.end });
  if (failure) throw failure;
  return world;
}
