// SPDX-License-Identifier: Apache-2.0
// The Gitea dialect: its door, its errors and its webhooks. `--gitea-version 1.16` takes away what
// that release did not have (permission look-up, attachments over the API, labels by name).
import { Router, HttpError, page } from './router.mjs';
import { codeRoutes } from './gitea-code.mjs';
import { issueRoutes } from './gitea-issues.mjs';
import { shapes } from './gitea-shapes.mjs';
import { commits } from './repo-git.mjs';

export const API_PREFIX = '/api/v1';

export function giteaHandler(sim) {
  const shape = shapes(sim);
  const router = new Router([
    ...metaRoutes(sim, shape),
    ...issueRoutes(sim, shape),
    ...codeRoutes(sim, shape),
  ]);
  const failure = (ctx, status, message, headers = {}) => ({
    status,
    headers,
    body: { message, url: `${sim.base}/api/swagger` },
  });
  const STATUS = { missing: 404, exists: 409, head: 404, base: 404, empty: 422 };
  return {
    shape,
    test: (path) => path.startsWith(`${API_PREFIX}/`),
    run: (ctx) => serve(sim, router, ctx),
    error: (ctx, e) => failure(ctx, e.status, e.message, e.headers),
    conflict: (ctx, e) => failure(ctx, STATUS[e.code] ?? 422, e.message),
  };
}

async function serve(sim, router, ctx) {
  const route = router.match(ctx.method, ctx.url.pathname.slice(API_PREFIX.length));
  const isAbsent = route.facts?.since > sim.giteaMinor;
  if (!route.handler || isAbsent) {
    sim.truth.add({
      kind: 'unknown_route',
      n: ctx.request,
      method: ctx.method,
      path: ctx.path,
      known_later: isAbsent,
    });
    throw new HttpError(route.methods?.length ? 405 : 404, 'Not Found');
  }
  if (ctx.who.kind === 'bad') throw new HttpError(401, 'user does not exist [uid: 0, name: ]');
  ctx.params = route.params;
  ctx.input = parse(ctx);
  ctx.by = { actor: ctx.who.user, request: ctx.request };
  ctx.page = (list) => {
    const { items, headers } = page(ctx, list, {
      sizeParam: 'limit',
      sizeDefault: 30,
      sizeMax: 50,
    });
    return { items, headers: { ...headers, 'x-total-count': String(list.length) } };
  };
  gate(sim, ctx, route.facts);
  return route.handler(ctx);
}

function gate(sim, ctx, facts) {
  if (facts.user && ctx.who.kind === 'none') throw new HttpError(401, 'token is required');
  if (!ctx.params.owner || !ctx.params.repo) return;
  ctx.repo = sim.state.findRepo(`${ctx.params.owner}/${ctx.params.repo}`);
  if (!ctx.repo) throw new HttpError(404, "The target couldn't be found.");
  sim.auth.allow(ctx.who, ctx.repo, facts.needs);
}

function parse(ctx) {
  const type = ctx.headers['content-type'] ?? '';
  if (!ctx.bytes.length || type.startsWith('multipart/')) return {};
  if (!type.startsWith('application/json')) throw new HttpError(422, '[]: Empty Content-Type');
  try {
    return JSON.parse(ctx.bytes.toString('utf8')) ?? {};
  } catch (e) {
    throw new HttpError(422, `[]: ${e.message}`);
  }
}

function metaRoutes(sim, shape) {
  const { state, auth } = sim;
  const userOf = (ctx) => {
    const found = state.findUser(ctx.params.username);
    if (!found)
      throw new HttpError(404, `user redirect does not exist [name: ${ctx.params.username}]`);
    return found;
  };
  const mine = (ctx) => [...state.repos.values()].filter((r) => auth.level(ctx.who, r) !== 'none');
  const shown = (ctx, items) => items.map((r) => shape.repo(r, auth.level(ctx.who, r)));
  const settings = {
    max_response_items: 50,
    default_paging_num: 30,
    default_git_trees_per_page: 1000,
    default_max_blob_size: 10485760,
  };
  return [
    ['GET', '/version', () => ({ body: { version: sim.giteaVersion } }), {}],
    ['GET', '/settings/api', () => ({ body: settings }), {}],
    ['GET', '/user', (ctx) => ({ body: shape.user(ctx.who.user) }), { user: true }],
    ['GET', '/users/{username}', (ctx) => ({ body: shape.user(userOf(ctx)) }), {}],
    [
      'GET',
      '/user/repos',
      (ctx) => {
        const { items, headers } = ctx.page(mine(ctx));
        return { headers, body: shown(ctx, items) };
      },
      { user: true },
    ],
    [
      'GET',
      '/repos/search',
      (ctx) => {
        const { items, headers } = ctx.page(mine(ctx));
        return { headers, body: { ok: true, data: shown(ctx, items) } };
      },
      {},
    ],
  ];
}

// ---- webhooks ----

// name -> [X-Gitea-Event, X-Gitea-Event-Type, action]
const EVENTS = {
  'issue.opened': ['issues', 'issues', 'opened'],
  'issue.edited': ['issues', 'issues', 'edited'],
  'issue.closed': ['issues', 'issues', 'closed'],
  'issue.reopened': ['issues', 'issues', 'reopened'],
  'issue.labeled': ['issues', 'issue_label', 'label_updated'],
  'issue.unlabeled': ['issues', 'issue_label', 'label_updated'],
  'comment.created': ['issue_comment', 'issue_comment', 'created'],
  'comment.edited': ['issue_comment', 'issue_comment', 'edited'],
  'comment.deleted': ['issue_comment', 'issue_comment', 'deleted'],
  'pull.opened': ['pull_request', 'pull_request', 'opened'],
  'pull.edited': ['pull_request', 'pull_request', 'edited'],
  'pull.closed': ['pull_request', 'pull_request', 'closed'],
  'pull.reopened': ['pull_request', 'pull_request', 'reopened'],
  'pull.labeled': ['pull_request', 'pull_request_label', 'label_updated'],
  'pull.unlabeled': ['pull_request', 'pull_request_label', 'label_updated'],
  'pull.synchronized': ['pull_request', 'pull_request_sync', 'synchronized'],
  push: ['push', 'push'],
};

// Gitea fires nothing for the labels that an issue is opened with: they are in `opened`.
export async function giteaDeliveries(sim, shape, name, data) {
  const row = EVENTS[name];
  if (!row) return [];
  const { repo, issue, comment, from, move, actor, cleared } = data;
  const [event, plainType, plainAction] = row;
  const action = cleared ? 'label_cleared' : plainAction;
  const onPull = comment && issue.pull;
  const type = onPull ? 'pull_request_comment' : plainType;
  const repository = shape.repo(repo, 'write'),
    sender = shape.user(actor);
  if (name === 'push') {
    const body = { ...(await pushBody(shape, repo, move)), repository, pusher: sender, sender };
    return [{ event, action: null, repo, body, headers: headersOf(sim, event, type) }];
  }
  const body = {
    action,
    ...(!comment && { number: issue.number }),
    ...(event === 'pull_request'
      ? { pull_request: await shape.pull(issue) }
      : { issue: shape.issue(issue) }),
    ...(comment && { comment: shape.comment(comment) }),
    ...(action === 'edited' && {
      changes: comment ? { body: { from } } : { title: { from: from.title } },
    }),
    repository,
    sender,
    ...(comment && { is_pull: Boolean(issue.pull) }),
    ...(event === 'pull_request' && { review: null }),
  };
  return [{ event, action, repo, body, headers: headersOf(sim, event, type) }];
}

async function pushBody(shape, repo, move) {
  const isGone = /^0+$/.test(move.new);
  const range = /^0+$/.test(move.old) ? [move.new, '-n', '1'] : [`${move.old}..${move.new}`];
  const rows = isGone ? [] : await commits(repo.gitDir, range);
  const shown = rows.map((c) => shape.payloadCommit(repo, c));
  return {
    ref: move.ref,
    before: move.old,
    after: move.new,
    compare_url: `${shape.repoWeb(repo)}/compare/${move.old}...${move.new}`,
    commits: shown,
    head_commit: shown[0] ?? null,
  };
}

// Gitea sends GitHub's and Gogs' headers too; the signature headers are added by the sender.
function headersOf(sim, event, type) {
  const twins = {};
  for (const family of [
    'github',
    'gitea',
    'gogs',
    ...(sim.flavor === 'forgejo' ? ['forgejo'] : []),
  ]) {
    twins[`x-${family}-event`] = event;
    twins[`x-${family}-event-type`] = type;
  }
  return {
    'user-agent': 'Go-http-client/1.1',
    'content-type': 'application/json',
    'accept-encoding': 'gzip',
    ...twins,
  };
}
