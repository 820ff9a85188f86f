// SPDX-License-Identifier: Apache-2.0
// GitHub's calls on identity: the App, its installations and tokens, users.
import { HttpError } from './router.mjs';

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

  return [
    ['GET', '/app', () => ({ body: shape.app() }), APP],
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
