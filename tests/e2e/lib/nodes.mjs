// SPDX-License-Identifier: Apache-2.0
// Several bots on one PostgreSQL, each on a wire of its own to the store and to the forge, so that
// each can be cut off alone: by its relays, or, in a network of its own, by its cable.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bot } from './bot.mjs';
import { Netns } from './netns.mjs';
import { Relay } from './relay.mjs';
import { ownAddress } from './world.mjs';
import { yaml } from './yaml.mjs';

export class Node {
  // isApart: a network namespace of its own.
  constructor(name, { isApart = false } = {}) {
    Object.assign(this, { name, isApart });
    this.forges = []; // a relay to each
  }

  // see, seeStore: of what this node says to the forge and to the store (Relay).
  async start(world, pg, { see, seeStore, config = {} } = {}) {
    const node = this;
    node.dir = join(world.dir, node.name);
    mkdirSync(node.dir);
    if (node.isApart) node.net = await Netns.start(node.name);
    const url = await node.#reachStore(pg, seeStore);
    const base = world.config();
    const forges = {};
    for (const [name, forge] of Object.entries(world.forges)) {
      const { hostname: host, port } = new URL(forge.url);
      const relay = await Relay.start({ host: node.#here(), port: 0 }, { host, port }, see);
      const base_url = `http://${node.#here()}:${relay.address.port}`;
      node.forges.push(relay);
      const api_url = base.forges[name].api_url.replace(forge.url, base_url);
      forges[name] = { ...base.forges[name], url: base_url, api_url };
    }
    const listen = node.net ? `${node.net.there}:8080` : await ownAddress();
    const file = join(node.dir, 'nightshift.yaml');
    const whole = {
      ...base,
      ...config,
      listen,
      public_url: `http://${listen}`,
      state_dir: join(node.dir, 'bot'),
      store: url,
      forges,
    };
    writeFileSync(file, yaml(whole), { mode: 0o644 });
    node.bot = new Bot({ config: file, dir: node.dir, enter: node.net?.enter });
    await node.bot.start();
  }

  // Where its relays are.
  #here() {
    return this.net?.here ?? '127.0.0.1';
  }

  // -> how it is told to reach the store.
  async #reachStore(pg, seeStore) {
    const name = '.s.PGSQL.5432';
    const from = this.net ? { host: this.#here(), port: 0 } : { path: join(this.dir, name) };
    this.store = await Relay.start(from, { path: join(pg.dir, name) }, seeStore);
    return this.net
      ? `postgres://test@${this.#here()}:${this.store.address.port}/postgres`
      : `postgres://test@/postgres?host=${encodeURIComponent(this.dir)}`;
  }

  async cut() {
    if (this.net) return this.net.unplug();
    for (const relay of [this.store, ...this.forges]) relay.cut();
  }

  async heal() {
    await this.net?.plug();
    for (const relay of [this.store, ...this.forges]) relay.heal();
  }

  async stop() {
    try {
      if (this.bot?.program?.running && this.bot.master) await this.bot.stop();
    } finally {
      await this.bot?.sweep();
      await this.store?.stop();
      for (const forge of this.forges) await forge.stop();
      await this.net?.stop();
    }
  }
}
