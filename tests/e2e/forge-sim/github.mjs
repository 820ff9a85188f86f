// SPDX-License-Identifier: Apache-2.0
// The GitHub dialect: its door (headers, errors, rate limits, ETags) and its webhooks.
// The calls are in github-issues.mjs, github-code.mjs and github-app.mjs.
import { createHash, randomBytes } from 'node:crypto';
import { HttpError, Router, page } from './router.mjs';
import { appRoutes } from './github-app.mjs';
import { codeRoutes } from './github-code.mjs';
import { issueRoutes } from './github-issues.mjs';
import { HOOK_ID, logRoutes } from './github-log.mjs';
import { DOCS } from './github-errors.mjs';
import { shapes } from './github-shapes.mjs';
import { can } from './state.mjs';

export const API_PREFIX = '/api/v3';

export function githubHandler(sim) {
  const shape = shapes(sim);
  const router = new Router([
    ...appRoutes(sim, shape),
    ...issueRoutes(sim, shape),
    ...codeRoutes(sim, shape),
    ...logRoutes(sim, shape),
  ]);
  return {
    shape,
    test: (path) => path === API_PREFIX || path.startsWith(`${API_PREFIX}/`),
    run: async (ctx) => finish(ctx, await serve(sim, router, ctx)),
    error: (ctx, e) => failure(ctx, e.status, e.message, e.headers, e.body),
    conflict: (ctx, e) =>
      failure(
        ctx,
        e.code === 'missing' ? 404 : 422,
        e.code === 'missing' ? 'Not Found' : e.message,
      ),
  };
}

async function serve(sim, router, ctx) {
  if (!ctx.headers['user-agent']) {
    throw new HttpError(
      403,
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header',
    );
  }
  const path = ctx.url.pathname.slice(API_PREFIX.length) || '/';
  const route = router.match(ctx.method, path);
  if (!route.handler) {
    sim.truth.add({ kind: 'unknown_route', n: ctx.request, method: ctx.method, path: ctx.path });
    throw new HttpError(404, 'Not Found');
  }
  if (ctx.who.kind === 'bad') throw new HttpError(401, badCredential(ctx.who.why));
  ctx.params = route.params;
  ctx.route = route.template;
  ctx.input = parse(ctx);
  ctx.by = { actor: ctx.who.user, request: ctx.request };
  ctx.page = (list) => page(ctx, list, { sizeParam: 'per_page', sizeDefault: 30, sizeMax: 100 });
  gate(sim, ctx, route.facts);
  return route.handler(ctx);
}

const badCredential = (why) => (/claim|JSON web token/.test(why) ? why : 'Bad credentials');

function gate(sim, ctx, facts) {
  const { who, params } = ctx;
  if (facts.as === 'app') {
    if (who.kind !== 'app') throw new HttpError(401, 'A JSON web token could not be decoded');
  } else if (who.kind === 'app') {
    throw new HttpError(
      403,
      'You must authenticate with an installation access token in order to use this endpoint.',
    );
  }
  if (facts.as === 'installation' && who.kind !== 'installation') {
    throw new HttpError(
      403,
      'You must authenticate with an installation access token in order to list repositories for an installation.',
    );
  }
  if (facts.as === 'user' && who.kind !== 'user') {
    const status = who.kind === 'none' ? 401 : 403;
    throw new HttpError(
      status,
      who.kind === 'none' ? 'Requires authentication' : 'Resource not accessible by integration',
    );
  }
  if (!params.owner || !params.repo) return;
  ctx.repo = sim.state.findRepo(`${params.owner}/${params.repo}`);
  if (!ctx.repo) throw new HttpError(404, 'Not Found');
  if (facts.as !== 'app') sim.auth.allow(who, ctx.repo, facts.needs);
  if (facts.level && !can(sim.auth.level(who, ctx.repo), facts.level))
    throw new HttpError(403, 'Forbidden');
}

function parse(ctx) {
  if (!ctx.bytes.length) return {};
  try {
    const value = JSON.parse(ctx.bytes.toString('utf8'));
    if (value && typeof value === 'object') return value;
  } catch {
    /* answered below */
  }
  throw new HttpError(400, 'Problems parsing JSON');
}

function common(ctx) {
  const reset = Math.floor(ctx.sim.state.now() / 1000) + 3600;
  const remaining = Math.max(0, 5000 - ctx.request);
  return {
    'x-github-media-type': 'github.v3; format=json',
    'x-github-request-id': randomBytes(12).toString('hex').toUpperCase(),
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-used': String(5000 - remaining),
    'x-ratelimit-reset': String(reset),
    'x-ratelimit-resource': 'core',
    'cache-control': 'private, max-age=60, s-maxage=60',
    'x-github-api-version-selected': '2022-11-28',
    server: 'github.com',
  };
}

// The ETag depends on who asks, as GitHub's does; an unchanged answer costs nothing.
function finish(ctx, reply) {
  const headers = { ...common(ctx), ...reply.headers };
  const status = reply.status ?? 200;
  if (ctx.method !== 'GET' || status !== 200 || Buffer.isBuffer(reply.body))
    return { ...reply, status, headers };
  const seed = `${ctx.who.mark ?? ''}${JSON.stringify(reply.body)}`;
  headers.etag = `W/"${createHash('sha256').update(seed).digest('hex')}"`;
  if (ctx.headers['if-none-match'] === headers.etag) return { status: 304, headers };
  return { status, headers, body: reply.body };
}

function failure(ctx, status, message, headers = {}, body = undefined) {
  const shown = body ?? { message, documentation_url: DOCS, status: String(status) };
  return { status, headers: { ...common(ctx), ...headers }, body: shown };
}

// ---- webhooks ----

const EVENTS = {
  'issue.opened': ['issues', 'opened'],
  'issue.edited': ['issues', 'edited'],
  'issue.closed': ['issues', 'closed'],
  'issue.reopened': ['issues', 'reopened'],
  'issue.labeled': ['issues', 'labeled'],
  'issue.unlabeled': ['issues', 'unlabeled'],
  'comment.created': ['issue_comment', 'created'],
  'comment.edited': ['issue_comment', 'edited'],
  'comment.deleted': ['issue_comment', 'deleted'],
  'pull.opened': ['pull_request', 'opened'],
  'pull.edited': ['pull_request', 'edited'],
  'pull.closed': ['pull_request', 'closed'],
  'pull.reopened': ['pull_request', 'reopened'],
  'pull.labeled': ['pull_request', 'labeled'],
  'pull.unlabeled': ['pull_request', 'unlabeled'],
  'pull.synchronized': ['pull_request', 'synchronize'],
  push: ['push'],
};

// What GitHub sends for one change: for an issue opened with labels, one more for each label.
export async function githubDeliveries(sim, shape, name, data) {
  if (!EVENTS[name]) return [];
  const first = await delivery(sim, shape, name, data);
  if (name !== 'issue.opened') return [first];
  const labels = data.issue.labels.map((label) =>
    delivery(sim, shape, 'issue.labeled', { ...data, label }),
  );
  return [first, ...(await Promise.all(labels))];
}

async function delivery(sim, shape, name, data) {
  const [event, action] = EVENTS[name];
  const { repo, issue, comment, label, from, move, actor } = data;
  const installation = sim.auth.app && sim.auth.installation(repo.owner);
  const body =
    event === 'push'
      ? pushBody(shape, repo, move, actor)
      : {
          action,
          ...(issue && event !== 'pull_request' && { issue: shape.issue(issue) }),
          ...(event === 'pull_request' && {
            number: issue.number,
            pull_request: await shape.pull(issue),
          }),
          ...(comment && { comment: shape.comment(comment) }),
          ...(label && { label: shape.label(repo, label) }),
          ...(action === 'synchronize' && { before: move.old, after: move.new }),
          ...(action === 'edited' && { changes: editOf(comment, from) }),
        };
  Object.assign(body, {
    repository: shape.repo(repo),
    sender: shape.user(actor),
    ...(installation && { installation: { id: installation.id, node_id: `I_${installation.id}` } }),
  });
  return { event, action: action ?? null, repo, body, headers: headersOf(sim, event) };
}

function editOf(comment, from) {
  if (comment) return { body: { from } };
  return { title: { from: from.title }, body: { from: from.body } };
}

function pushBody(shape, repo, move, actor) {
  return {
    ref: move.ref,
    before: move.old,
    after: move.new,
    base_ref: null,
    created: /^0+$/.test(move.old),
    deleted: /^0+$/.test(move.new),
    forced: false,
    commits: [],
    head_commit: null,
    compare: `${shape.repoWeb(repo)}/compare/${move.old}...${move.new}`,
    pusher: { name: actor?.login ?? 'unknown', email: actor?.email ?? null },
  };
}

function headersOf(sim, event) {
  const app = sim.auth.app;
  return {
    accept: '*/*',
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/5e1a2b3',
    'x-github-event': event,
    'x-github-hook-id': String(HOOK_ID),
    'x-github-hook-installation-target-id': String(app ? app.id : 1),
    'x-github-hook-installation-target-type': app ? 'integration' : 'repository',
  };
}
