#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// forge-sim: a forge in one process, for tests and the demo. Speaks GitHub's, Gitea's or GitLab's API,
// serves git over HTTP, sends webhooks, shows pages, keeps a truth log, misbehaves when told to.
import { createPublicKey } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Auth } from './auth.mjs';
import { Bans } from './bans.mjs';
import { controlHandler } from './control.mjs';
import { Faults } from './faults.mjs';
import { gitHandler } from './git.mjs';
import * as gitea from './gitea.mjs';
import * as github from './github.mjs';
import * as gitlab from './gitlab.mjs';
import { gitlabDeliveries } from './gitlab-hooks.mjs';
import { Hooks } from './hooks.mjs';
import { lfsHandler } from './lfs.mjs';
import { pagesHandler } from './pages.mjs';
import { Server } from './server.mjs';
import { State } from './state.mjs';
import { Truth } from './truth.mjs';

const USAGE = `usage: main.mjs --dialect github|gitea|gitlab --state DIR [--listen 127.0.0.1:0]
  [--token T | --app-id N --app-public-key FILE] [--hook URL --secret S] [--log truth.jsonl]
  [--gitea-version 1.23.5] [--flavor gitea|forgejo] [--page-size N] [--bot LOGIN]
  [--notes-per-minute N] [--scopes api,write_repository]`;

const APP_PERMISSIONS = {
  metadata: 'read',
  contents: 'write',
  issues: 'write',
  pull_requests: 'write',
  checks: 'write',
  statuses: 'write',
  actions: 'read',
};
const APP_EVENTS = ['issues', 'issue_comment', 'pull_request', 'push'];

const DIALECTS = {
  gitea: { ...gitea, handler: gitea.giteaHandler, deliveries: gitea.giteaDeliveries },
  github: { ...github, handler: github.githubHandler, deliveries: github.githubDeliveries },
  gitlab: { ...gitlab, handler: gitlab.gitlabHandler, deliveries: gitlabDeliveries },
};

function options() {
  const text = { type: 'string' };
  try {
    const { values } = parseArgs({
      options: {
        dialect: text,
        state: text,
        listen: { ...text, default: '127.0.0.1:0' },
        token: text,
        'app-id': text,
        'app-public-key': text,
        hook: text,
        secret: text,
        log: text,
        'gitea-version': { ...text, default: '1.23.5' },
        flavor: { ...text, default: 'gitea' },
        'page-size': text,
        bot: { ...text, default: 'nightshift' },
        'bot-permission': { ...text, default: 'write' },
        'notes-per-minute': { ...text, default: '60' },
        scopes: { ...text, default: 'api,write_repository' },
      },
    });
    if (!DIALECTS[values.dialect] || !values.state)
      throw new Error('--dialect and --state are needed');
    return values;
  } catch (e) {
    console.error(`${e.message}\n${USAGE}`);
    return process.exit(2);
  }
}

function application(o) {
  if (!o['app-id']) return undefined;
  const publicKey = createPublicKey(readFileSync(o['app-public-key']));
  return {
    id: Number(o['app-id']),
    publicKey,
    slug: o.bot,
    permissions: APP_PERMISSIONS,
    events: APP_EVENTS,
  };
}

function assemble(o) {
  const dialect = DIALECTS[o.dialect];
  mkdirSync(o.state, { recursive: true });
  const truth = new Truth(o.log);
  const state = new State({
    dir: o.state,
    truth,
    firstId: o.dialect === 'github' ? 3_000_000_001 : 1,
    pullsApart: o.dialect === 'gitlab',
  });
  const app = application(o);
  const sim = {
    truth,
    state,
    dialect: o.dialect,
    flavor: o.flavor,
    giteaVersion: o['gitea-version'],
    giteaMinor: Number(o['gitea-version'].split('.')[1]),
    pageSize: Number(o['page-size']) || 0,
    apiPrefix: dialect.API_PREFIX,
    base: 'http://127.0.0.1',
    faults: new Faults(),
    bans: new Bans(),
    notesPerMinute: Number(o['notes-per-minute']),
    scopes: o.scopes.split(','),
    credentials: (headers) =>
      o.dialect === 'gitlab'
        ? gitlab.credentials(sim, headers)
        : sim.auth.who(headers.authorization),
    botMember: app ? undefined : o['bot-permission'],
  };
  sim.auth = new Auth({ state, dialect: o.dialect, app });
  sim.bot = state.createUser({
    login: app ? `${o.bot}[bot]` : o.bot,
    type: app ? 'Bot' : 'User',
    token: o.token,
  });
  sim.auth.bot = sim.bot;
  return sim;
}

async function main() {
  const o = options(),
    sim = assemble(o);
  const { handler, deliveries: make } = DIALECTS[o.dialect];
  const api = handler(sim);
  sim.hooks = new Hooks({ sim, deliveries: (name, data) => make(sim, api.shape, name, data) });
  sim.hooks.configure({ url: o.hook, secret: o.secret });
  sim.state.on((name, data) => sim.hooks.happened(name, data));
  const handlers = [gitHandler(sim), lfsHandler(sim), api, pagesHandler(sim)];
  const server = new Server(sim, handlers, controlHandler(sim));
  const [host, port] = o.listen.split(':');
  const address = await server.listen(host, Number(port));
  sim.base = `http://${host}:${address.port}`;
  console.log(`listening ${sim.base}`);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      sim.faults.clear();
      await server.close();
      process.exit(0);
    });
  }
}

await main();
