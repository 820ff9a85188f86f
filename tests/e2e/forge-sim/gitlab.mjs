// SPDX-License-Identifier: Apache-2.0
// The GitLab dialect: its door, its errors, its limits. What it tells is in gitlab-hooks.mjs.
import { Router, HttpError, page } from './router.mjs';
import { codeRoutes } from './gitlab-code.mjs';
import { shapes } from './gitlab-shapes.mjs';
import { threadRoutes } from './gitlab-threads.mjs';
import { can } from './state.mjs';

export const API_PREFIX = '/api/v4';

// Without a charset; there are clients to which anything more is something else.
const JSON_TYPE = { 'content-type': 'application/json' };
const MINUTE_MS = 60_000;
const REQUESTS_MAX = 2000;

// What a second of a full house looks like: so many in a minute, for each person.
export class Window {
  constructor(max) {
    this.max = max;
    this.seen = new Map();
  }

  // -> how many there are with this one, which is not counted if it is too many.
  take(key, now) {
    const rows = (this.seen.get(key) ?? []).filter((t) => now - t < MINUTE_MS);
    if (rows.length < this.max) rows.push(now);
    else rows.push(now - 1); // GitLab counts the refused ones too
    this.seen.set(key, rows);
    return rows.length;
  }
}

export function gitlabHandler(sim) {
  const shape = shapes(sim);
  sim.limits = { requests: new Window(REQUESTS_MAX), notes: new Window(sim.notesPerMinute ?? 60) };
  const router = new Router([
    ...metaRoutes(sim, shape),
    ...codeRoutes(sim, shape),
    ...threadRoutes(sim, shape),
  ]);
  const failure = (ctx, status, message, headers = {}, body = { message }) => ({
    status,
    headers: { ...JSON_TYPE, ...ctx.limits, ...headers },
    body,
  });
  const STATUS = { missing: 404, exists: 409, head: 400, base: 400, empty: 400 };
  return {
    shape,
    test: (path) => path.startsWith(`${API_PREFIX}/`),
    run: async (ctx) => {
      const reply = await serve(sim, router, ctx);
      return { ...reply, headers: { ...JSON_TYPE, ...ctx.limits, ...reply.headers } };
    },
    error: (ctx, e) => failure(ctx, e.status, e.message, e.headers, e.body),
    conflict: (ctx, e) =>
      failure(ctx, STATUS[e.code] ?? 400, e.code === 'missing' ? '404 Not found' : [e.message]),
  };
}

// A token in any of the places where GitLab takes one.
export function credentials(sim, headers) {
  const own = headers['private-token'];
  return sim.auth.who(own ? `Bearer ${own}` : headers.authorization);
}

async function serve(sim, router, ctx) {
  const route = router.match(ctx.method, ctx.url.pathname.slice(API_PREFIX.length));
  limit(sim, ctx);
  if (!route.handler) {
    sim.truth.add({ kind: 'unknown_route', n: ctx.request, method: ctx.method, path: ctx.path });
    throw new HttpError(
      route.methods?.length ? 405 : 404,
      route.methods?.length ? '405 Method Not Allowed' : '404 Not Found',
      { body: { error: '404 Not Found' } },
    );
  }
  if (ctx.who.kind === 'bad') throw new HttpError(401, '401 Unauthorized');
  ctx.params = route.params;
  ctx.input = parse(ctx);
  ctx.by = { actor: ctx.who.user, request: ctx.request };
  ctx.page = (list) => paged(ctx, list);
  gate(sim, ctx, route.facts);
  return route.handler(ctx);
}

// RateLimit-* on each answer, 429 with Retry-After when there are too many.
function limit(sim, ctx) {
  const now = sim.state.now();
  const key = ctx.who.user?.login ?? 'nobody';
  const seen = sim.limits.requests.take(key, now);
  ctx.limits = {
    'ratelimit-limit': String(REQUESTS_MAX),
    'ratelimit-name': 'throttle_authenticated_api',
    'ratelimit-observed': String(seen),
    'ratelimit-remaining': String(Math.max(0, REQUESTS_MAX - seen)),
    'ratelimit-reset': String(Math.ceil((now + MINUTE_MS) / 1000)),
  };
  if (seen > REQUESTS_MAX)
    throw new HttpError(429, 'Retry later', { headers: { 'retry-after': '60' } });
}

export function tooManyNotes(sim, ctx) {
  if (sim.limits.notes.take(ctx.who.user.login, sim.state.now()) <= sim.limits.notes.max) return;
  const error = 'This endpoint has been requested too many times. Try again later.';
  const headers = { 'retry-after': '60' };
  throw new HttpError(429, error, { headers, body: { message: { error } } });
}

function paged(ctx, list) {
  const sizes = { sizeParam: 'per_page', sizeDefault: 20, sizeMax: 100 };
  const { items, headers } = page(ctx, list, sizes);
  const size = Math.min(
    Number(ctx.query.get('per_page')) || 20,
    100,
    ctx.sim.pageSize || Infinity,
  );
  const number = Math.max(1, Number(ctx.query.get('page')) || 1);
  const last = Math.max(1, Math.ceil(list.length / size));
  return {
    items,
    headers: {
      ...headers,
      'x-page': String(number),
      'x-per-page': String(size),
      'x-next-page': number < last ? String(number + 1) : '',
      'x-prev-page': number > 1 ? String(number - 1) : '',
      'x-total': String(list.length),
      'x-total-pages': String(last),
    },
  };
}

function parse(ctx) {
  const type = ctx.headers['content-type'] ?? '';
  const query = Object.fromEntries(ctx.query);
  if (!ctx.bytes.length || type.startsWith('multipart/')) return query;
  const text = ctx.bytes.toString('utf8');
  if (type.startsWith('application/x-www-form-urlencoded'))
    return { ...query, ...Object.fromEntries(new URLSearchParams(text)) };
  if (!type.startsWith('application/json')) {
    const error = "The provided content-type '' is not supported.";
    throw new HttpError(406, error, { body: { error } });
  }
  try {
    return { ...query, ...JSON.parse(text) };
  } catch {
    throw new HttpError(400, 'bad', { body: { error: 'message body does not match declared format' } });
  }
}

// facts: {project: the level that is needed in it, scope}
function gate(sim, ctx, facts) {
  if (ctx.who.kind === 'none') throw new HttpError(401, '401 Unauthorized');
  const scopes = ctx.who.user === sim.bot ? sim.scopes : ['api'];
  const isRead = ctx.method === 'GET';
  if (!scopes.includes('api') && !(isRead && scopes.includes('read_api')) && !facts.free) {
    const body = {
      error: 'insufficient_scope',
      error_description: 'The request requires higher privileges than provided by the access token.',
      scope: isRead ? 'api read_api' : 'api',
    };
    throw new HttpError(403, 'insufficient_scope', { body });
  }
  if (ctx.params.project === undefined) return;
  ctx.repo = sim.projectNamed(ctx.params.project);
  const level = ctx.repo ? sim.auth.level(ctx.who, ctx.repo) : 'none';
  if (!can(level, 'read')) throw new HttpError(404, '404 Project Not Found');
  if (facts.needs && !can(level, facts.needs)) throw new HttpError(403, '403 Forbidden');
}

function metaRoutes(sim, shape) {
  const { state, auth } = sim;
  sim.projectNamed = (name) =>
    /^\d+$/.test(name) ? state.repos.get(Number(name)) : state.findRepo(name);
  const personOf = (id) => {
    const found = [...state.users.values()].find((u) => String(u.id) === id);
    if (!found) throw new HttpError(404, '404 User Not Found');
    return found;
  };
  const people = (ctx) => {
    const name = ctx.query.get('username');
    const rows = [...state.users.values()].filter((u) => !name || u.login === name);
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map(shape.person) };
  };
  const projects = (ctx) => {
    const rows = [...state.repos.values()].filter((r) => auth.level(ctx.who, r) !== 'none');
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map((r) => shape.project(r, auth.level(ctx.who, r))) };
  };
  // Who does not belong to it is not found, an administrator of the server neither.
  const member = (ctx) => {
    const found = [...state.users.values()].find((u) => String(u.id) === ctx.params.user);
    const level = found ? state.level(ctx.repo, found) : 'none';
    const isMember = found && (ctx.repo.members.has(found.id) || found.id === ctx.repo.owner.id);
    if (!isMember || level === 'none') throw new HttpError(404, '404 Not found');
    return { body: shape.member(found, level) };
  };
  const members = (ctx) => {
    const rows = [...state.users.values()].filter((u) => ctx.repo.members.has(u.id));
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map((u) => shape.member(u, state.level(ctx.repo, u))) };
  };
  const self = (ctx) => {
    if (ctx.who.user !== sim.bot) throw new HttpError(404, '404 Not found');
    return { body: shape.token(sim.bot, sim.scopes) };
  };
  return [
    ['GET', '/version', () => ({ body: { version: '18.4.1', revision: 'b4e0a5d9f2c' } }), {}],
    ['GET', '/user', (ctx) => ({ body: shape.me(ctx.who.user) }), { free: true }],
    ['GET', '/users', people, {}],
    ['GET', '/users/{id}', (ctx) => ({ body: shape.fullPerson(personOf(ctx.params.id)) }), {}],
    ['GET', '/personal_access_tokens/self', self, { free: true }],
    ['GET', '/projects', projects, {}],
    ['GET', '/projects/{project}/members/all', members, {}],
    ['GET', '/projects/{project}/members/all/{user}', member, {}],
  ];
}
