// SPDX-License-Identifier: Apache-2.0
// Gitea's calls on code: pull requests, statuses, files, branches, comparisons.
import { HttpError } from './router.mjs';
import { changes, commits, diff, readPath, resolve } from './repo-git.mjs';
import { Conflict, fullNameOf } from './state.mjs';

const R = '/repos/{owner}/{repo}';
const CODE = { needs: 'contents:read' };
const PULLS = { needs: 'pull_requests:read' };
const PULLS_WRITE = { needs: 'pull_requests:write' };
const STATES = ['pending', 'success', 'error', 'failure', 'warning'];

export function codeRoutes(sim, shape) {
  const { state } = sim;
  const paged = async (ctx, rows, show) => {
    const { items, headers } = ctx.page(rows);
    return { headers, body: await Promise.all(items.map(show)) };
  };

  function pullOf(ctx) {
    const issue = ctx.repo.issues.get(Number(ctx.params.index));
    if (!issue?.pull) throw new HttpError(404, 'Not Found');
    return issue;
  }

  function listPulls(ctx) {
    const wanted = ctx.query.get('state') || 'open';
    let rows = state.pulls(ctx.repo).reverse();
    if (wanted !== 'all') rows = rows.filter((i) => i.state === wanted);
    return paged(ctx, rows, shape.pull);
  }

  async function createPull(ctx) {
    const { title, head, base, body, labels = [] } = ctx.input;
    if (!head || !base || !title) throw new HttpError(422, '[Head]: Required');
    const [owner, branch] = head.includes(':') ? head.split(':') : [null, head];
    const headRepo =
      owner && owner !== ctx.repo.owner.login
        ? [...state.repos.values()].find((r) => r.forkOf === ctx.repo && r.owner.login === owner)
        : ctx.repo;
    if (!headRepo) throw new HttpError(404, 'Not Found');
    try {
      const issue = await state.openPull(ctx.repo, {
        title,
        body: body ?? '',
        head: branch,
        base,
        headRepo,
        ...ctx.by,
      });
      state.addLabels(
        issue,
        ctx.repo.labels.filter((l) => labels.includes(l.id)),
        ctx.by,
      );
      return { status: 201, body: await shape.pull(issue) };
    } catch (e) {
      if (!(e instanceof Conflict) || e.code !== 'exists') throw e;
      throw new HttpError(
        409,
        `pull request already exists for these targets [id: 1, issue_id: 1, head_repo_id: ${headRepo.id}, base_repo_id: ${ctx.repo.id}, head_branch: ${branch}, base_branch: ${base}]`,
      );
    }
  }

  async function editPull(ctx) {
    const { title, body, state: to, base } = ctx.input;
    const issue = state.editIssue(pullOf(ctx), { title, body, state: to, base, ...ctx.by });
    return { status: 201, body: await shape.pull(issue) };
  }

  async function pullByHead(ctx) {
    const { base, head } = ctx.params;
    const [owner, branch] = head.includes(':') ? head.split(':') : [ctx.repo.owner.login, head];
    const found = state
      .pulls(ctx.repo)
      .find(
        (i) =>
          i.state === 'open' &&
          i.pull.base === base &&
          i.pull.head === branch &&
          i.pull.headRepo.owner.login === owner,
      );
    if (!found) throw new HttpError(404, 'pull request does not exist');
    return { body: await shape.pull(found) };
  }

  async function pullText(ctx) {
    const { pull } = pullOf(ctx);
    const text = await diff(ctx.repo.gitDir, pull.baseSha, pull.headSha);
    return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: Buffer.from(text) };
  }

  async function pullFiles(ctx) {
    const { pull } = pullOf(ctx);
    const rows = await changes(ctx.repo.gitDir, pull.baseSha, pull.headSha);
    return paged(ctx, rows, (f) => fileOf(ctx, pull.headSha, f));
  }

  function fileOf(ctx, sha, f) {
    const at = f.path.split('/').map(encodeURIComponent).join('/'),
      web = shape.repoWeb(ctx.repo);
    const status = { removed: 'deleted', modified: 'changed' }[f.status] ?? f.status;
    return {
      filename: f.path,
      status,
      additions: f.additions,
      deletions: f.deletions,
      changes: f.additions + f.deletions,
      html_url: `${web}/src/commit/${sha}/${at}`,
      contents_url: `${shape.repoApi(ctx.repo)}/contents/${at}?ref=${sha}`,
      raw_url: `${web}/raw/commit/${sha}/${at}`,
    };
  }

  async function pullCommits(ctx) {
    const { pull } = pullOf(ctx);
    const rows = await commits(ctx.repo.gitDir, [`${pull.baseSha}..${pull.headSha}`]);
    return paged(ctx, rows, (c) => shape.commit(ctx.repo, c));
  }

  function requestReviewers(ctx) {
    const issue = pullOf(ctx),
      wanted = ctx.input.reviewers ?? [];
    for (const login of wanted) {
      const user = state.findUser(login);
      if (!user) throw new HttpError(404, `user redirect does not exist [name: ${login}]`);
      if (!issue.pull.reviewers.includes(user)) issue.pull.reviewers.push(user);
    }
    state.changed('reviewers.requested', {
      repo: fullNameOf(ctx.repo),
      number: issue.number,
      reviewers: wanted,
      ...ctx.by,
    });
    return { status: 201, body: [] };
  }

  async function known(ctx, name) {
    const sha = await resolve(ctx.repo.gitDir, name);
    if (!sha) throw new HttpError(404, `object does not exist [id: ${name}, rel_path: ]`);
    return sha;
  }

  async function createStatus(ctx) {
    const { state: to, context, description, target_url: targetUrl } = ctx.input;
    if (!STATES.includes(to)) throw new HttpError(422, '[State]: Required');
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

  async function statusList(ctx) {
    const sha = await known(ctx, ctx.params.ref);
    const rows = ctx.repo.statuses.filter((s) => s.sha === sha).reverse();
    return paged(ctx, rows, (s) => shape.status(ctx.repo, s));
  }

  async function combined(ctx) {
    const sha = await known(ctx, ctx.params.ref),
      rows = state.currentStatuses(ctx.repo, sha);
    const rank = ['success', 'warning', 'pending', 'failure', 'error'];
    const worst =
      rows.map((s) => s.state).sort((a, b) => rank.indexOf(b) - rank.indexOf(a))[0] ?? '';
    const url = `${shape.repoApi(ctx.repo)}/commits/${sha}`;
    return {
      body: {
        state: worst,
        sha,
        total_count: rows.length,
        statuses: rows.map((s) => shape.status(ctx.repo, s)),
        repository: shape.repo(ctx.repo),
        commit_url: url,
        url: `${url}/status`,
      },
    };
  }

  async function fileAt(ctx) {
    const at = ctx.query.get('ref') || ctx.repo.defaultBranch;
    const sha = await known(ctx, at);
    const found = await readPath(ctx.repo.gitDir, sha, ctx.params.path.replace(/^\/+/, ''));
    if (!found) throw new HttpError(404, "The target couldn't be found.");
    return { at, sha, found };
  }

  async function getContent(ctx) {
    const { at, sha, found } = await fileAt(ctx),
      path = ctx.params.path;
    if (found.type === 'tree') {
      return {
        body: found.entries.map((e) => ({
          ...shape.content(ctx.repo, at, sha, `${path}/${e.name}`, { type: 'tree', sha: e.sha }),
          type: e.type === 'tree' ? 'dir' : 'file',
          size: e.size,
        })),
      };
    }
    return { body: shape.content(ctx.repo, at, sha, path, found) };
  }

  async function getRaw(ctx) {
    const { found } = await fileAt(ctx);
    if (found.type === 'tree') throw new HttpError(404, 'Not Found');
    return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: found.bytes };
  }

  async function branchNamed(ctx, name) {
    const sha = ctx.repo.refs.get(`refs/heads/${name}`);
    if (!sha) throw new HttpError(404, `branch does not exist [name: ${name}]`);
    const [found] = await commits(ctx.repo.gitDir, [sha], 1);
    return shape.branch(ctx.repo, name, found);
  }

  const branches = (ctx) =>
    paged(
      ctx,
      [...ctx.repo.refs.keys()].filter((r) => r.startsWith('refs/heads/')).map((r) => r.slice(11)),
      (name) => branchNamed(ctx, name),
    );

  function refs(ctx) {
    const prefix = `refs/${ctx.params.ref}`;
    const rows = [...ctx.repo.refs].filter(
      ([name]) => name === prefix || name.startsWith(`${prefix}/`),
    );
    if (!rows.length) throw new HttpError(404, 'Not Found');
    return { body: rows.map(([name, sha]) => shape.ref(ctx.repo, name, sha)) };
  }

  async function gitCommit(ctx) {
    const [found] = await commits(ctx.repo.gitDir, [await known(ctx, ctx.params.sha)], 1);
    return { body: shape.commit(ctx.repo, found) };
  }

  async function compare(ctx) {
    const [base, head] = ctx.params.basehead.split('...');
    const [from, to] = [await known(ctx, base), await known(ctx, head)];
    const rows = await commits(ctx.repo.gitDir, [`${from}..${to}`]);
    return {
      body: { total_commits: rows.length, commits: rows.map((c) => shape.commit(ctx.repo, c)) },
    };
  }

  const getRepo = (ctx) => ({ body: shape.repo(ctx.repo, sim.auth.level(ctx.who, ctx.repo)) });

  return [
    ['GET', R, getRepo, { needs: 'metadata:read' }],
    ['GET', `${R}/pulls`, listPulls, PULLS],
    ['POST', `${R}/pulls`, createPull, PULLS_WRITE],
    ['GET', `${R}/pulls/{index}.diff`, pullText, PULLS],
    ['GET', `${R}/pulls/{index}`, async (ctx) => ({ body: await shape.pull(pullOf(ctx)) }), PULLS],
    ['PATCH', `${R}/pulls/{index}`, editPull, PULLS_WRITE],
    ['GET', `${R}/pulls/{index}/files`, pullFiles, { ...PULLS, since: 18 }],
    ['GET', `${R}/pulls/{index}/commits`, pullCommits, PULLS],
    ['GET', `${R}/pulls/{index}/reviews`, (ctx) => paged(ctx, [], (x) => x), PULLS],
    ['POST', `${R}/pulls/{index}/requested_reviewers`, requestReviewers, PULLS_WRITE],
    ['GET', `${R}/pulls/{base}/{head*}`, pullByHead, { ...PULLS, since: 20 }],
    ['POST', `${R}/statuses/{sha}`, createStatus, { needs: 'statuses:write' }],
    ['GET', `${R}/statuses/{ref}`, statusList, CODE],
    ['GET', `${R}/commits/{ref}/statuses`, statusList, CODE],
    ['GET', `${R}/commits/{ref}/status`, combined, CODE],
    ['GET', `${R}/contents/{path*}`, getContent, CODE],
    ['GET', `${R}/raw/{path*}`, getRaw, CODE],
    ['GET', `${R}/branches`, branches, CODE],
    [
      'GET',
      `${R}/branches/{branch*}`,
      async (ctx) => ({ body: await branchNamed(ctx, ctx.params.branch) }),
      CODE,
    ],
    ['GET', `${R}/git/refs/{ref*}`, refs, CODE],
    ['GET', `${R}/git/commits/{sha}`, gitCommit, CODE],
    ['GET', `${R}/compare/{basehead*}`, compare, CODE],
  ];
}
