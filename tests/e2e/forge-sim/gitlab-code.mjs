// SPDX-License-Identifier: Apache-2.0
// GitLab's calls on code: merge requests, commit statuses, uploads, files, branches, hooks.
import { quickActions } from './gitlab-threads.mjs';
import { iidOf } from './gitlab-shapes.mjs';
import { readPath, resolve } from './repo-git.mjs';
import { HttpError } from './router.mjs';

const P = '/projects/{project}';
const DEVELOPER = { needs: 'write' };
const MAINTAINER = { needs: 'maintain' };
const STATES = ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'];

const missing = (name) => new HttpError(400, 'x', { body: { error: `${name} is missing` } });

export function codeRoutes(sim, shape) {
  const { state } = sim;
  const paged = (ctx, rows, show) => {
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map(show) };
  };

  // 409 with a sentence in the user's own language: only the number is to be relied upon.
  async function createMergeRequest(ctx) {
    const want = ctx.input;
    for (const name of ['title', 'source_branch', 'target_branch'])
      if (!want[name]) throw missing(name);
    const headRepo = ctx.repo;
    const number = [...state.pulls(ctx.repo)].find(
      (i) => i.state === 'open' && i.pull.head === want.source_branch,
    );
    if (number) {
      const text = `Another open merge request already exists for this source branch: !${iidOf(number)}`;
      throw new HttpError(409, text, { body: { message: [text] } });
    }
    const people = (ids) =>
      [].concat(ids ?? []).flatMap((id) => [...state.users.values()].filter((u) => u.id === Number(id)));
    quickActions(sim, null, want.description, ctx.by);
    const made = await state.openPull(ctx.repo, {
      title: want.title,
      body: want.description ?? '',
      head: want.source_branch,
      base: want.target_branch,
      headRepo,
      draft: /^draft:/i.test(want.title),
      assignees: people(want.assignee_ids ?? want.assignee_id),
      ...ctx.by,
    });
    return { status: 201, body: shape.mergeRequest(made) };
  }

  // The same state again is an error, and a forge that is asked twice says so.
  async function createStatus(ctx) {
    const { state: to, name, context, description = '', target_url: targetUrl = '' } = ctx.input;
    if (!STATES.includes(to)) throw new HttpError(400, 'x', { body: { error: 'state does not have a valid value' } });
    const sha = await resolve(ctx.repo.gitDir, ctx.params.sha);
    if (!sha) throw new HttpError(404, '404 Commit Not Found');
    const wanted = name ?? context ?? 'default';
    const last = state.currentStatuses(ctx.repo, sha).find((s) => s.context === wanted);
    if (last?.state === to) {
      const reason = `Cannot transition status via :${to} from :${to} (Reason(s): Status cannot transition via "${to}")`;
      throw new HttpError(400, reason);
    }
    const made = state.setStatus(
      ctx.repo,
      { sha, state: to, context: wanted, description, targetUrl },
      ctx.by,
    );
    return { status: 201, body: shape.status(made) };
  }

  async function statuses(ctx) {
    const sha = await resolve(ctx.repo.gitDir, ctx.params.sha);
    if (!sha) throw new HttpError(404, '404 Commit Not Found');
    return paged(ctx, state.currentStatuses(ctx.repo, sha), shape.status);
  }

  function upload(ctx) {
    const part = multipart(ctx, 'file');
    ctx.repo.uploads ??= [];
    const target = { repo: ctx.repo, number: null, assets: ctx.repo.uploads };
    const { filename: name, bytes, type } = part;
    const asset = state.addAsset(target, { name, bytes, type, ...ctx.by });
    return { status: 201, body: shape.upload(ctx.repo, asset) };
  }

  async function rawFile(ctx) {
    const sha = await resolve(ctx.repo.gitDir, ctx.query.get('ref') ?? ctx.repo.defaultBranch);
    const found = sha && (await readPath(ctx.repo.gitDir, sha, ctx.params.path));
    if (found?.type !== 'blob') throw new HttpError(404, '404 File Not Found');
    return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: found.bytes };
  }

  const branch = (r, name) => ({
    name,
    commit: { id: r.refs.get(`refs/heads/${name}`), short_id: r.refs.get(`refs/heads/${name}`).slice(0, 8) },
    merged: false,
    protected: name === r.defaultBranch,
    default: name === r.defaultBranch,
    can_push: true,
    web_url: `${shape.projectWeb(r)}/-/tree/${name}`,
  });
  const branchNames = (r) =>
    [...r.refs.keys()].filter((n) => n.startsWith('refs/heads/')).map((n) => n.slice(11));
  function oneBranch(ctx) {
    if (!branchNames(ctx.repo).includes(ctx.params.branch))
      throw new HttpError(404, '404 Branch Not Found');
    return { body: branch(ctx.repo, ctx.params.branch) };
  }

  // ---- the hook of each project: one for all, in this forge ----

  const hook = (ctx) => ({
    id: 1,
    url: sim.hooks.url,
    project_id: ctx.repo.id,
    push_events: false,
    issues_events: true,
    confidential_issues_events: false,
    merge_requests_events: true,
    note_events: true,
    confidential_note_events: false,
    enable_ssl_verification: true,
    alert_status: sim.hooks.health.status(state.now()),
    disabled_until: sim.hooks.health.until(),
    ...sim.hookFlags,
  });
  const hooks = (ctx) => paged(ctx, sim.hooks.url ? [hook(ctx)] : [], (h) => h);

  const getProject = (ctx) => ({ body: shape.project(ctx.repo, sim.auth.level(ctx.who, ctx.repo)) });
  const reviewable = { ...DEVELOPER };
  return [
    ['GET', P, getProject, {}],
    ['GET', `${P}/hooks`, hooks, MAINTAINER],
    ['POST', `${P}/merge_requests`, createMergeRequest, reviewable],
    ['POST', `${P}/statuses/{sha}`, createStatus, DEVELOPER],
    ['GET', `${P}/repository/commits/{sha}/statuses`, statuses, {}],
    ['POST', `${P}/uploads`, upload, {}],
    ['GET', `${P}/repository/files/{path}/raw`, rawFile, {}],
    [
      'GET',
      `${P}/repository/branches`,
      (ctx) => paged(ctx, branchNames(ctx.repo), (n) => branch(ctx.repo, n)),
      {},
    ],
    ['GET', `${P}/repository/branches/{branch}`, oneBranch, {}],
  ];
}

// One part of that name.
function multipart(ctx, field) {
  const boundary = /boundary="?([^";]+)"?/.exec(ctx.headers['content-type'] ?? '')?.[1];
  if (!boundary) throw missing(field);
  const start = ctx.bytes.indexOf(`--${boundary}\r\n`),
    head = ctx.bytes.indexOf('\r\n\r\n', start);
  const end = ctx.bytes.indexOf(`\r\n--${boundary}`, head);
  const headers = ctx.bytes.subarray(start, head).toString('utf8');
  if (start < 0 || head < 0 || end < 0 || !headers.includes(`name="${field}"`)) throw missing(field);
  return {
    filename: /filename="([^"]*)"/.exec(headers)?.[1] ?? 'file',
    type: /content-type: *(\S+)/i.exec(headers)?.[1] ?? 'application/octet-stream',
    bytes: Buffer.from(ctx.bytes.subarray(head + 4, end)),
  };
}

