// SPDX-License-Identifier: Apache-2.0
// GitHub's calls on identity: the App, its installations and tokens, its delivery log, users.
import { HttpError } from './router.mjs';
import { invalid } from './github-errors.mjs';

const APP = { as: 'app' };

export function appRoutes(sim, shape) {
  const { state, auth } = sim;

  function installationOf(ctx) {
    const found = auth.installationById(ctx.params.id);
    if (!found) throw new HttpError(404, 'Integration not found');
    return found;
  }

  function repoInstallation(ctx) {
    return { body: shape.installation(auth.installation(ctx.repo.owner)) };
  }

  // Narrowed as asked: repositories by id or name, permissions up to those of the App.
  function mint(ctx) {
    const installation = installationOf(ctx),
      { input } = ctx;
    if (installation.suspended) throw new HttpError(403, 'This installation has been suspended');
    const own = [...state.repos.values()].filter((r) => r.owner === installation.owner);
    const ids = input.repository_ids,
      names = input.repositories;
    const wanted = ids
      ? own.filter((r) => ids.includes(r.id))
      : names
        ? own.filter((r) => names.includes(r.name))
        : own;
    if ((ids && wanted.length !== ids.length) || (names && wanted.length !== names.length)) {
      throw new HttpError(
        422,
        'There is at least one repository that does not exist or is not accessible to the parent installation.',
      );
    }
    const permissions = { metadata: 'read', ...(input.permissions ?? auth.app.permissions) };
    for (const [name, access] of Object.entries(permissions)) {
      const held = auth.app.permissions[name];
      if (held === 'write' || held === access) continue;
      throw new HttpError(422, 'The permissions requested are not granted to this installation.');
    }
    const narrowed = Boolean(ids ?? names);
    const made = auth.mint(installation, {
      permissions,
      repoIds: narrowed ? new Set(wanted.map((r) => r.id)) : null,
    });
    state.changed('token.minted', {
      installation: installation.id,
      repos: wanted.map((r) => r.id),
      narrowed,
      permissions,
      ...ctx.by,
    });
    return {
      status: 201,
      body: {
        token: made.token,
        expires_at: made.expires,
        permissions,
        repository_selection: narrowed ? 'selected' : 'all',
        ...(narrowed && { repositories: wanted.map((r) => shape.repo(r)) }),
      },
    };
  }

  function installations(ctx) {
    const { items, headers } = ctx.page([...auth.installations.values()]);
    return { headers, body: items.map(shape.installation) };
  }

  function installationRepos(ctx) {
    const rows = [...state.repos.values()].filter((r) => auth.level(ctx.who, r) !== 'none');
    const { items, headers } = ctx.page(rows);
    return {
      headers,
      body: {
        total_count: rows.length,
        repository_selection: 'all',
        repositories: items.map((r) => shape.repo(r)),
      },
    };
  }

  function userRepos(ctx) {
    const rows = [...state.repos.values()].filter((r) => auth.level(ctx.who, r) !== 'none');
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map((r) => shape.repo(r, auth.level(ctx.who, r))) };
  }

  function listDeliveries(ctx) {
    const wanted = ctx.query.get('status');
    let rows = [...sim.hooks.log].reverse();
    if (wanted === 'failure') rows = rows.filter((d) => !isOk(d));
    if (wanted === 'success') rows = rows.filter(isOk);
    const size = Math.min(Number(ctx.query.get('per_page')) || 30, 100, sim.pageSize || Infinity);
    const cursor = ctx.query.get('cursor');
    const start = cursor ? rows.findIndex((d) => String(d.id) === cursor) : 0;
    const shown = rows.slice(start, start + size),
      next = rows[start + size];
    const headers = {};
    if (next) {
      const url = new URL(ctx.path, sim.base);
      url.searchParams.set('cursor', String(next.id));
      headers.link = `<${url.href}>; rel="next"`;
    }
    return { headers, body: shown.map(deliveryItem) };
  }

  const isOk = (d) => d.code >= 200 && d.code < 400;

  function deliveryItem(d) {
    return {
      id: d.id,
      guid: d.guid,
      delivered_at: d.at,
      redelivery: d.redelivery,
      duration: d.ms / 1000,
      status: isOk(d)
        ? 'OK'
        : d.code
          ? `Invalid HTTP Response: ${d.code}`
          : 'failed to connect to host',
      status_code: d.code,
      event: d.event,
      action: d.action,
      installation_id: d.installation,
      repository_id: d.repo,
      throttled_at: null,
    };
  }

  function deliveryOf(ctx) {
    const found = sim.hooks.log.find((d) => d.id === Number(ctx.params.id));
    if (!found) throw new HttpError(404, 'Not Found');
    return found;
  }

  function getDelivery(ctx) {
    const d = deliveryOf(ctx);
    return {
      body: {
        ...deliveryItem(d),
        url: sim.hooks.url ?? '',
        request: { headers: d.headers, payload: JSON.parse(d.raw.toString('utf8')) },
        response: { headers: {}, payload: '' },
      },
    };
  }

  function redeliver(ctx) {
    const d = deliveryOf(ctx);
    sim.hooks.redeliver(d);
    state.changed('delivery.redelivered', { guid: d.guid, ...ctx.by });
    return { status: 202, body: {} };
  }

  function getUser(ctx) {
    const found = state.findUser(ctx.params.username);
    if (!found) throw new HttpError(404, 'Not Found');
    return { body: shape.fullUser(found) };
  }

  function rateLimit() {
    const one = {
      limit: 5000,
      used: 0,
      remaining: 5000,
      reset: Math.floor(state.now() / 1000) + 3600,
    };
    return { body: { resources: { core: one, search: one }, rate: one } };
  }

  function revoke(ctx) {
    const token = ctx.headers.authorization.split(' ').pop();
    auth.tokens.get(token).revoked = true;
    state.changed('token.revoked', ctx.by);
    return { status: 204 };
  }

  function hookConfig(ctx) {
    if (ctx.method === 'GET') return { body: sim.hooks.config() };
    if (ctx.input.url && !/^https?:/.test(ctx.input.url)) throw invalid('Hook', 'url', 'invalid');
    return { body: sim.hooks.configure(ctx.input) };
  }

  return [
    ['GET', '/app', () => ({ body: shape.app() }), APP],
    ['GET', '/app/hook/config', hookConfig, APP],
    ['PATCH', '/app/hook/config', hookConfig, APP],
    ['GET', '/app/hook/deliveries', listDeliveries, APP],
    ['GET', '/app/hook/deliveries/{id}', getDelivery, APP],
    ['POST', '/app/hook/deliveries/{id}/attempts', redeliver, APP],
    ['GET', '/app/installations', installations, APP],
    [
      'GET',
      '/app/installations/{id}',
      (ctx) => ({ body: shape.installation(installationOf(ctx)) }),
      APP,
    ],
    ['POST', '/app/installations/{id}/access_tokens', mint, APP],
    ['GET', '/repos/{owner}/{repo}/installation', repoInstallation, APP],
    ['GET', '/installation/repositories', installationRepos, { as: 'installation' }],
    ['DELETE', '/installation/token', revoke, { as: 'installation' }],
    ['GET', '/user', (ctx) => ({ body: shape.fullUser(ctx.who.user) }), { as: 'user' }],
    ['GET', '/user/repos', userRepos, { as: 'user' }],
    ['GET', '/users/{username}', getUser, {}],
    ['GET', '/rate_limit', rateLimit, {}],
  ];
}
