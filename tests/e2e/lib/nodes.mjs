// SPDX-License-Identifier: Apache-2.0
// Several bots on one PostgreSQL, each on a wire of its own to the store and to the forge, so that
// each can be cut off alone.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bot } from './bot.mjs';
import { Relay } from './relay.mjs';
import { ownAddress } from './world.mjs';
import { yaml } from './yaml.mjs';

export class Node {
  constructor(name) {
    this.name = name;
    this.forges = []; // a relay to each
  }

  // see, seeStore: of what this node says to the forge and to the store (Relay).
  async start(world, pg, { see, seeStore, config = {} } = {}) {
    const node = this;
    node.dir = join(world.dir, node.name);
    mkdirSync(node.dir);
    node.store = await Relay.start(
      { path: join(node.dir, '.s.PGSQL.5432') },
      { path: join(pg.dir, '.s.PGSQL.5432') },
      seeStore,
    );
    const base = world.config();
    const forges = {};
    for (const [name, forge] of Object.entries(world.forges)) {
      const { hostname: host, port } = new URL(forge.url);
      const relay = await Relay.start({ host: '127.0.0.1', port: 0 }, { host, port }, see);
      const url = `http://127.0.0.1:${relay.address.port}`;
      node.forges.push(relay);
      forges[name] = { ...base.forges[name], url, api_url: base.forges[name].api_url.replace(forge.url, url) };
    }
    const listen = await ownAddress();
    const file = join(node.dir, 'nightshift.yaml');
    const whole = {
      ...base,
      ...config,
      listen,
      public_url: `http://${listen}`,
      state_dir: join(node.dir, 'bot'),
      store: `postgres://test@/postgres?host=${encodeURIComponent(node.dir)}`,
      forges,
    };
    writeFileSync(file, yaml(whole), { mode: 0o644 });
    node.bot = new Bot({ config: file, dir: node.dir });
    await node.bot.start();
  }

  cut() {
    this.store.cut();
    for (const forge of this.forges) forge.cut();
  }

  heal() {
    this.store.heal();
    for (const forge of this.forges) forge.heal();
  }

  async stop() {
    try {
      if (this.bot?.program?.running && this.bot.master) await this.bot.stop();
    } finally {
      await this.bot?.sweep();
      await this.store?.stop();
      for (const forge of this.forges) await forge.stop();
    }
  }
}
