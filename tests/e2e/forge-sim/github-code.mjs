// SPDX-License-Identifier: Apache-2.0
// GitHub's calls on code: pull requests, checks, statuses, files, refs, comparisons.
import { HttpError } from './router.mjs';
import { invalid } from './github-errors.mjs';
import { changes, commits, diff, distance, mergeBase, readPath, resolve } from './repo-git.mjs';
import { Conflict, fullNameOf } from './state.mjs';

const R = '/repos/{owner}/{repo}';
const PULLS = { needs: 'pull_requests:read' };
const CODE = { needs: 'contents:read' };
const OUTPUT_MAX = 65535;

const list = async (ctx, rows, shape) => {
  const { items, headers } = ctx.page(rows);
  return { headers, body: await Promise.all(items.map(shape)) };
};

export function codeRoutes(sim, shape) {
  const { state } = sim;

  function pullOf(ctx) {
    const issue = ctx.repo.issues.get(Number(ctx.params.number));
    if (!issue?.pull) throw new HttpError(404, 'Not Found');
    return issue;
  }

  // head must be qualified with its owner; GitHub ignores it otherwise, and so do we.
  function listPulls(ctx) {
    const q = ctx.query,
      wanted = q.get('state') ?? 'open',
      head = q.get('head') ?? '';
    let rows = state.pulls(ctx.repo).reverse();
    if (wanted !== 'all') rows = rows.filter((i) => i.state === wanted);
    if (q.get('base')) rows = rows.filter((i) => i.pull.base === q.get('base'));
    if (head.includes(':')) {
      rows = rows.filter(({ pull }) => `${pull.headRepo.owner.login}:${pull.head}` === head);
    }
    return list(ctx, rows, shape.simplePull);
  }

  async function createPull(ctx) {
    const { title, head, base, body, draft = false } = ctx.input;
    if (!title) throw invalid('PullRequest', 'title', 'missing_field');
    if ([...(body ?? '')].length > 65536)
      throw invalid('PullRequest', 'body', 'custom', 'body is too long');
    const [owner, branch] = String(head).includes(':') ? head.split(':') : [null, head];
    const headRepo = owner && owner !== ctx.repo.owner.login ? forkOf(ctx.repo, owner) : ctx.repo;
    try {
      const issue = await state.openPull(ctx.repo, {
        title,
        body: body ?? '',
        head: branch,
        base,
        headRepo,
        draft,
        ...ctx.by,
      });
      const made = await shape.pull(issue);
      return { status: 201, headers: { location: made.url }, body: made };
    } catch (e) {
      if (!(e instanceof Conflict)) throw e;
      if (e.code === 'exists')
        throw invalid(
          'PullRequest',
          undefined,
          'custom',
          `A pull request already exists for ${ctx.repo.owner.login}:${branch}.`,
        );
      throw invalid(
        'PullRequest',
        e.code === 'empty' ? undefined : e.code,
        e.code === 'empty' ? 'custom' : 'invalid',
        e.message,
      );
    }
  }

  function forkOf(repo, owner) {
    const fork = [...state.repos.values()].find(
      (r) => r.forkOf === repo && r.owner.login === owner,
    );
    if (!fork) throw invalid('PullRequest', 'head', 'invalid');
    return fork;
  }

  async function updatePull(ctx) {
    const { title, body, state: to, base } = ctx.input;
    const issue = state.editIssue(pullOf(ctx), { title, body, state: to, base, ...ctx.by });
    return { body: await shape.pull(issue) };
  }

  async function getPull(ctx) {
    const issue = pullOf(ctx);
    if (!/\.diff\b/.test(ctx.headers.accept ?? '')) return { body: await shape.pull(issue) };
    const text = await diff(ctx.repo.gitDir, issue.pull.baseSha, issue.pull.headSha);
    return {
      headers: { 'content-type': 'application/vnd.github.diff; charset=utf-8' },
      body: Buffer.from(text),
    };
  }

  async function pullFiles(ctx) {
    const { pull } = pullOf(ctx);
    const rows = await changes(ctx.repo.gitDir, pull.baseSha, pull.headSha);
    return list(ctx, rows, (f) => shape.file(ctx.repo, pull.headSha, f));
  }

  async function pullCommits(ctx) {
    const { pull } = pullOf(ctx);
    const rows = await commits(ctx.repo.gitDir, ['--reverse', `${pull.baseSha}..${pull.headSha}`]);
    return list(ctx, rows, (c) => shape.commit(ctx.repo, c));
  }

  function requestReviewers(ctx) {
    const issue = pullOf(ctx),
      wanted = ctx.input.reviewers ?? [];
    for (const login of wanted) {
      const user = state.findUser(login);
      if (!user || user === issue.user)
        throw invalid('PullRequest', 'reviewers', 'custom', 'Review cannot be requested');
      if (!issue.pull.reviewers.includes(user)) issue.pull.reviewers.push(user);
    }
    state.changed('reviewers.requested', {
      repo: fullNameOf(ctx.repo),
      number: issue.number,
      reviewers: wanted,
      ...ctx.by,
    });
    return { status: 201, body: shape.simplePull(issue) };
  }

  async function known(ctx, name) {
    const sha = await resolve(ctx.repo.gitDir, name);
    if (!sha) throw new HttpError(422, `No commit found for SHA: ${name}`);
    return sha;
  }

  function checkFields(input, { creating }) {
    const { status, conclusion, output } = input;
    if (creating && !input.name) throw invalid('CheckRun', 'name', 'missing_field');
    if (status === 'completed' && !conclusion)
      throw invalid('CheckRun', 'conclusion', 'missing_field');
    if (output) {
      if (!output.title || !output.summary) throw invalid('CheckRun', 'output', 'missing_field');
      for (const key of ['summary', 'text']) {
        if ([...(output[key] ?? '')].length > OUTPUT_MAX)
          throw invalid('CheckRun', key, 'too_long');
      }
    }
    const wish = {
      name: input.name,
      status: conclusion ? 'completed' : status,
      conclusion,
      output,
      externalId: input.external_id,
      detailsUrl: input.details_url,
      startedAt: input.started_at,
      completedAt: input.completed_at ?? (conclusion ? state.stamp() : undefined),
    };
    return Object.fromEntries(Object.entries(wish).filter(([, v]) => v !== undefined));
  }

  async function createCheck(ctx) {
    const wish = checkFields(ctx.input, { creating: true });
    if (!ctx.input.head_sha) throw invalid('CheckRun', 'head_sha', 'missing_field');
    const headSha = await known(ctx, ctx.input.head_sha);
    const made = shape.check(state.createCheck(ctx.repo, { ...wish, headSha }, ctx.by));
    return { status: 201, headers: { location: made.url }, body: made };
  }

  function checkOf(ctx) {
    const check = state.checks.get(Number(ctx.params.id));
    if (check?.repo !== ctx.repo) throw new HttpError(404, 'Not Found');
    return check;
  }

  function updateCheck(ctx) {
    const check = checkOf(ctx);
    return { body: shape.check(state.updateCheck(check, checkFields(ctx.input, {}), ctx.by)) };
  }

  async function checksForRef(ctx) {
    const sha = await known(ctx, ctx.params.ref),
      name = ctx.query.get('check_name');
    let rows = state.checksOf(ctx.repo, sha);
    if (name) rows = rows.filter((c) => c.name === name);
    const { items, headers } = ctx.page(rows);
    return { headers, body: { total_count: rows.length, check_runs: items.map(shape.check) } };
  }

  async function createStatus(ctx) {
    const { state: to, context, description, target_url: targetUrl } = ctx.input;
    if (!['error', 'failure', 'pending', 'success'].includes(to))
      throw invalid('Status', 'state', 'invalid');
    const sha = await known(ctx, ctx.params.sha);
    const wish = {
      sha,
      state: to,
      context,
      description: description ?? '',
      targetUrl: targetUrl ?? '',
    };
    return { status: 201, body: shape.status(ctx.repo, state.setStatus(ctx.repo, wish, ctx.by)) };
  }

  async function combinedStatus(ctx) {
    const sha = await known(ctx, ctx.params.ref),
      rows = state.currentStatuses(ctx.repo, sha);
    const url = `${shape.repoApi(ctx.repo)}/commits/${sha}`;
    const worst = rows.some((s) => s.state === 'failure' || s.state === 'error')
      ? 'failure'
      : rows.length && rows.every((s) => s.state === 'success')
        ? 'success'
        : 'pending';
    const simple = rows.map((s) => {
      const { creator, ...rest } = shape.status(ctx.repo, s);
      return rest;
    });
    return {
      body: {
        state: worst,
        statuses: simple,
        sha,
        total_count: rows.length,
        repository: shape.repo(ctx.repo),
        commit_url: url,
        url: `${url}/status`,
      },
    };
  }

  async function statusList(ctx) {
    const sha = await known(ctx, ctx.params.ref);
    const rows = ctx.repo.statuses.filter((s) => s.sha === sha).reverse();
    return list(ctx, rows, (s) => shape.status(ctx.repo, s));
  }

  async function getContent(ctx) {
    const at = ctx.query.get('ref') ?? ctx.repo.defaultBranch;
    const sha = await resolve(ctx.repo.gitDir, at);
    if (!sha) throw new HttpError(404, `No commit found for the ref ${at}`);
    const path = (ctx.params.path ?? '').replace(/^\/+/, '');
    const found = await readPath(ctx.repo.gitDir, sha, path);
    if (!found) throw new HttpError(404, 'Not Found');
    if (found.type === 'tree') return { body: found.entries.map((e) => entry(ctx, sha, path, e)) };
    if (/\.raw\b/.test(ctx.headers.accept ?? '')) {
      return {
        headers: { 'content-type': 'application/vnd.github.raw; charset=utf-8' },
        body: found.bytes,
      };
    }
    return { body: shape.content(ctx.repo, sha, path, found) };
  }

  function entry(ctx, sha, path, e) {
    const whole = path ? `${path}/${e.name}` : e.name;
    const { content, encoding, ...rest } = shape.content(ctx.repo, sha, whole, {
      sha: e.sha,
      bytes: Buffer.alloc(0),
    });
    return { ...rest, size: e.size, type: e.type === 'tree' ? 'dir' : 'file' };
  }

  async function compare(ctx) {
    const [base, head] = ctx.params.basehead.split('...');
    const [from, to] = await Promise.all([base, head].map((n) => resolve(ctx.repo.gitDir, n)));
    if (!from || !to) throw new HttpError(404, 'Not Found');
    const root = await mergeBase(ctx.repo.gitDir, from, to);
    const { ahead, behind } = await distance(ctx.repo.gitDir, from, to);
    const rows = await commits(ctx.repo.gitDir, ['--reverse', `${from}..${to}`]);
    const [baseCommit] = await commits(ctx.repo.gitDir, [from], 1);
    const [rootCommit] = await commits(ctx.repo.gitDir, [root], 1);
    const files = await changes(ctx.repo.gitDir, from, to);
    const url = `${shape.repoApi(ctx.repo)}/compare/${base}...${head}`;
    const html = `${shape.repoWeb(ctx.repo)}/compare/${base}...${head}`;
    const status = ahead && behind ? 'diverged' : ahead ? 'ahead' : behind ? 'behind' : 'identical';
    return {
      body: {
        url,
        html_url: html,
        permalink_url: html,
        diff_url: `${html}.diff`,
        patch_url: `${html}.patch`,
        base_commit: shape.commit(ctx.repo, baseCommit),
        merge_base_commit: shape.commit(ctx.repo, rootCommit),
        status,
        ahead_by: ahead,
        behind_by: behind,
        total_commits: rows.length,
        commits: rows.map((c) => shape.commit(ctx.repo, c)),
        files: files.map((f) => shape.file(ctx.repo, to, f)),
      },
    };
  }

  async function getCommit(ctx) {
    const sha = await known(ctx, ctx.params.ref);
    const [found] = await commits(ctx.repo.gitDir, [sha], 1);
    return { body: shape.commit(ctx.repo, found) };
  }

  function getRef(ctx) {
    const name = `refs/${ctx.params.ref}`,
      sha = ctx.repo.refs.get(name);
    if (!sha) throw new HttpError(404, 'Not Found');
    return { body: shape.ref(ctx.repo, name, sha) };
  }

  function branch(ctx) {
    const name = ctx.params.branch,
      sha = ctx.repo.refs.get(`refs/heads/${name}`);
    if (!sha) throw new HttpError(404, 'Branch not found');
    return {
      body: {
        name,
        commit: { sha, url: `${shape.repoApi(ctx.repo)}/commits/${sha}` },
        protected: false,
      },
    };
  }

  const branches = (ctx) =>
    list(
      ctx,
      [...ctx.repo.refs.keys()].filter((r) => r.startsWith('refs/heads/')),
      (r) => branch({ ...ctx, params: { branch: r.slice(11) } }).body,
    );

  const getRepo = (ctx) => ({ body: shape.fullRepo(ctx.repo, sim.auth.level(ctx.who, ctx.repo)) });

  return [
    ['GET', R, getRepo, { needs: 'metadata:read' }],
    ['GET', `${R}/pulls`, listPulls, PULLS],
    ['POST', `${R}/pulls`, createPull, { needs: 'pull_requests:write' }],
    ['GET', `${R}/pulls/{number}`, getPull, PULLS],
    ['PATCH', `${R}/pulls/{number}`, updatePull, { needs: 'pull_requests:write' }],
    ['GET', `${R}/pulls/{number}/files`, pullFiles, PULLS],
    ['GET', `${R}/pulls/{number}/commits`, pullCommits, PULLS],
    ['GET', `${R}/pulls/{number}/comments`, (ctx) => list(ctx, [], (c) => c), PULLS],
    ['GET', `${R}/pulls/{number}/reviews`, (ctx) => list(ctx, [], (c) => c), PULLS],
    [
      'POST',
      `${R}/pulls/{number}/requested_reviewers`,
      requestReviewers,
      { needs: 'pull_requests:write' },
    ],
    ['POST', `${R}/check-runs`, createCheck, { needs: 'checks:write', as: 'installation' }],
    [
      'GET',
      `${R}/check-runs/{id}`,
      (ctx) => ({ body: shape.check(checkOf(ctx)) }),
      { needs: 'checks:read' },
    ],
    ['PATCH', `${R}/check-runs/{id}`, updateCheck, { needs: 'checks:write', as: 'installation' }],
    ['GET', `${R}/commits/{ref}/check-runs`, checksForRef, { needs: 'checks:read' }],
    ['GET', `${R}/commits/{ref}/status`, combinedStatus, { needs: 'statuses:read' }],
    ['GET', `${R}/commits/{ref}/statuses`, statusList, { needs: 'statuses:read' }],
    ['POST', `${R}/statuses/{sha}`, createStatus, { needs: 'statuses:write' }],
    ['GET', `${R}/contents/{path*}`, getContent, CODE],
    ['GET', `${R}/compare/{basehead*}`, compare, CODE],
    ['GET', `${R}/commits/{ref*}`, getCommit, CODE],
    ['GET', `${R}/git/ref/{ref*}`, getRef, CODE],
    ['GET', `${R}/branches`, branches, CODE],
  ];
}
