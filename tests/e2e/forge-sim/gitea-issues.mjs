// SPDX-License-Identifier: Apache-2.0
// Gitea's calls on issues: comments, reactions, labels by id, timeline, attachments.
import { HttpError } from './router.mjs';
import { can } from './state.mjs';

const R = '/repos/{owner}/{repo}';
const READ = { needs: 'issues:read' };
const WRITE = { needs: 'issues:write' };
const ASSETS_SINCE = 19;
const ASSET_TYPES = new Set(
  (
    '.csv .docx .gif .gz .jpeg .jpg .json .jsonc .log .md .mov .mp4 .odf .odg .odp' +
    ' .ods .odt .patch .pdf .png .pptx .svg .tgz .txt .webm .webp .xls .xlsx .zip .zst'
  ).split(' '),
);

// The words and the status of the real server changed with 1.22 and 1.23.
const forbiddenType = (minor) =>
  new HttpError(
    minor < 22 ? 500 : 422,
    minor < 23
      ? 'This file extension or type is not allowed to be uploaded.'
      : 'This file cannot be uploaded or modified due to a forbidden file extension or type.',
  );

const after = (rows, since, key) => (since ? rows.filter((r) => r[key] >= since) : rows);

export function issueRoutes(sim, shape) {
  const { state } = sim;
  const issueOf = (ctx) => state.issue(ctx.repo, ctx.params.index);
  const commentOf = (ctx) => state.comment(ctx.repo, ctx.params.id);
  const paged = (ctx, rows, show) => {
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map(show) };
  };

  function listIssues(ctx) {
    const q = ctx.query,
      wanted = q.get('state') || 'open',
      type = q.get('type');
    const labels = (q.get('labels') ?? '')
      .split(',')
      .filter(Boolean)
      .map((s) => s.toLowerCase());
    let rows = [...ctx.repo.issues.values()].reverse();
    if (wanted !== 'all') rows = rows.filter((i) => i.state === wanted);
    if (type === 'issues') rows = rows.filter((i) => !i.pull);
    if (type === 'pulls') rows = rows.filter((i) => i.pull);
    rows = rows.filter((i) =>
      labels.every((n) => i.labels.some((l) => l.name.toLowerCase() === n)),
    );
    return paged(ctx, after(rows, q.get('since'), 'updated'), shape.issue);
  }

  function createIssue(ctx) {
    const { title, body, labels = [] } = ctx.input;
    if (!title) throw new HttpError(422, '[Title]: Required');
    const names = ctx.repo.labels.filter((l) => labels.includes(l.id)).map((l) => l.name);
    const issue = state.openIssue(ctx.repo, { title, body: body ?? '', labels: names, ...ctx.by });
    return { status: 201, body: shape.issue(issue) };
  }

  function editIssue(ctx) {
    const { title, body, state: to } = ctx.input;
    return {
      status: 201,
      body: shape.issue(state.editIssue(issueOf(ctx), { title, body, state: to, ...ctx.by })),
    };
  }

  // The comments of one issue come whole: Gitea has no pages here.
  function listComments(ctx) {
    let rows = after(state.commentsOf(issueOf(ctx)), ctx.query.get('since'), 'updated');
    const before = ctx.query.get('before');
    if (before) rows = rows.filter((c) => c.updated < before);
    return { headers: { 'x-total-count': String(rows.length) }, body: rows.map(shape.comment) };
  }

  const listAllComments = (ctx) =>
    paged(
      ctx,
      after([...ctx.repo.comments.values()], ctx.query.get('since'), 'updated'),
      shape.comment,
    );

  function textOf(ctx) {
    if (typeof ctx.input.body !== 'string' || !ctx.input.body)
      throw new HttpError(422, '[Body]: Required');
    return ctx.input.body;
  }

  const createComment = (ctx) => ({
    status: 201,
    body: shape.comment(state.createComment(issueOf(ctx), { body: textOf(ctx), ...ctx.by })),
  });

  function ownComment(ctx) {
    const comment = commentOf(ctx);
    if (comment.user !== ctx.who.user) throw new HttpError(403, 'Forbidden');
    return comment;
  }

  const editComment = (ctx) => ({
    body: shape.comment(state.editComment(ownComment(ctx), { body: textOf(ctx), ...ctx.by })),
  });

  function deleteComment(ctx) {
    state.deleteComment(ownComment(ctx), ctx.by);
    return { status: 204 };
  }

  function react(ctx, target) {
    const { content } = ctx.input;
    if (!content) throw new HttpError(422, '[Content]: Required');
    const { reaction, created } = state.addReaction(target, { content, ...ctx.by });
    return { status: created ? 201 : 200, body: shape.reaction(reaction) };
  }

  function unreact(ctx, target) {
    state.removeReaction(
      target,
      (r) => r.content === ctx.input.content && r.user === ctx.who.user,
      ctx.by,
    );
    return { status: 200 };
  }

  // Unknown ids and names are passed over in silence, as the real server does.
  function wanted(ctx) {
    const asked = ctx.input.labels ?? [];
    if (sim.giteaMinor < ASSETS_SINCE && asked.some((l) => typeof l !== 'number')) {
      throw new HttpError(422, 'json: cannot unmarshal string into Go struct field of type int64');
    }
    return ctx.repo.labels.filter((l) => asked.includes(l.id) || asked.includes(l.name));
  }

  const show = (ctx, labels) => ({ body: labels.map((l) => shape.label(ctx.repo, l)) });

  function replaceLabels(ctx) {
    const issue = issueOf(ctx),
      keep = wanted(ctx);
    state.removeLabels(
      issue,
      issue.labels.filter((l) => !keep.includes(l)),
      ctx.by,
    );
    return show(ctx, state.addLabels(issue, keep, ctx.by));
  }

  function removeLabel(ctx) {
    const label = ctx.repo.labels.find((l) => String(l.id) === ctx.params.id);
    if (!label) throw new HttpError(422, `label does not exist [label_id: ${ctx.params.id}]`);
    state.removeLabels(issueOf(ctx), [label], ctx.by);
    return { status: 204 };
  }

  function clearLabels(ctx) {
    const issue = issueOf(ctx);
    state.removeLabels(issue, [...issue.labels], { ...ctx.by, cleared: true });
    return { status: 204 };
  }

  function createLabel(ctx) {
    const { name, color, description } = ctx.input;
    if (!name) throw new HttpError(422, '[Name]: Required');
    if (!/^#?[0-9a-f]{6}$/i.test(color ?? '')) throw new HttpError(422, `bad color: ${color}`);
    return {
      status: 201,
      body: shape.label(
        ctx.repo,
        state.createLabel(ctx.repo, { name, color, description }, ctx.by),
      ),
    };
  }

  function getLabel(ctx) {
    const label = ctx.repo.labels.find((l) => String(l.id) === ctx.params.id);
    if (!label) throw new HttpError(404, 'label does not exist');
    return { body: shape.label(ctx.repo, label) };
  }

  function timeline(ctx) {
    const issue = issueOf(ctx);
    return paged(ctx, after(issue.events, ctx.query.get('since'), 'at'), (e) =>
      shape.event(issue, e),
    );
  }

  // Only an administrator of the repository may ask about others.
  function permission(ctx) {
    const user = state.findUser(ctx.params.collaborator);
    if (!user) {
      throw new HttpError(404, `user redirect does not exist [name: ${ctx.params.collaborator}]`);
    }
    if (user !== ctx.who.user && !can(sim.auth.level(ctx.who, ctx.repo), 'admin')) {
      throw new HttpError(
        403,
        'Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own',
      );
    }
    const level = state.level(ctx.repo, user);
    const isOwner = user.id === ctx.repo.owner.id;
    const shown = isOwner ? 'owner' : ({ triage: 'read', maintain: 'write' }[level] ?? level);
    return { body: { permission: shown, role_name: shown, user: shape.user(user) } };
  }

  // "All users that have write access and can be assigned to issues."
  const assignees = (ctx) =>
    [...state.users.values()].filter(
      (u) => u.type === 'User' && can(state.level(ctx.repo, u), 'write'),
    );

  function orgLabels(ctx) {
    const org = state.findUser(ctx.params.org);
    if (org?.type !== 'Organization') throw new HttpError(404, 'user redirect does not exist');
    return paged(ctx, [], (l) => l);
  }

  const members = (ctx) => [...state.users.values()].filter((u) => ctx.repo.members.has(u.id));

  function isMember(ctx) {
    if (members(ctx).some((u) => u.login === ctx.params.collaborator)) return { status: 204 };
    throw new HttpError(404, 'Not Found');
  }

  function addAsset(ctx, target) {
    const part = multipart(ctx);
    const name = ctx.query.get('name') || part.filename;
    if (!ASSET_TYPES.has(name.slice(name.lastIndexOf('.')).toLowerCase())) {
      throw forbiddenType(sim.giteaMinor);
    }
    return {
      status: 201,
      body: shape.asset(
        state.addAsset(target, { name, bytes: part.bytes, type: part.type, ...ctx.by }),
      ),
    };
  }

  const listAssets = (ctx, target) => ({ body: target.assets.map(shape.asset) });

  function removeAsset(ctx, target) {
    const before = target.assets.length;
    target.assets = target.assets.filter((a) => String(a.id) !== ctx.params.asset);
    if (target.assets.length === before) throw new HttpError(404, 'Not Found');
    return { status: 204 };
  }

  const withAssets = { ...WRITE, since: ASSETS_SINCE };
  const readAssets = { ...READ, since: ASSETS_SINCE };
  return [
    ['GET', `${R}/issues`, listIssues, READ],
    ['POST', `${R}/issues`, createIssue, WRITE],
    ['GET', `${R}/issues/comments`, listAllComments, READ],
    ['GET', `${R}/issues/comments/{id}`, (ctx) => ({ body: shape.comment(commentOf(ctx)) }), READ],
    ['PATCH', `${R}/issues/comments/{id}`, editComment, WRITE],
    ['DELETE', `${R}/issues/comments/{id}`, deleteComment, WRITE],
    [
      'GET',
      `${R}/issues/comments/{id}/reactions`,
      (ctx) => ({ body: commentOf(ctx).reactions.map(shape.reaction) }),
      READ,
    ],
    ['POST', `${R}/issues/comments/{id}/reactions`, (ctx) => react(ctx, commentOf(ctx)), WRITE],
    ['DELETE', `${R}/issues/comments/{id}/reactions`, (ctx) => unreact(ctx, commentOf(ctx)), WRITE],
    [
      'GET',
      `${R}/issues/comments/{id}/assets`,
      (ctx) => listAssets(ctx, commentOf(ctx)),
      readAssets,
    ],
    [
      'POST',
      `${R}/issues/comments/{id}/assets`,
      (ctx) => addAsset(ctx, commentOf(ctx)),
      withAssets,
    ],
    ['GET', `${R}/issues/{index}`, (ctx) => ({ body: shape.issue(issueOf(ctx)) }), READ],
    ['PATCH', `${R}/issues/{index}`, editIssue, WRITE],
    ['GET', `${R}/issues/{index}/comments`, listComments, READ],
    ['POST', `${R}/issues/{index}/comments`, createComment, WRITE],
    [
      'GET',
      `${R}/issues/{index}/reactions`,
      (ctx) => paged(ctx, issueOf(ctx).reactions, shape.reaction),
      READ,
    ],
    ['POST', `${R}/issues/{index}/reactions`, (ctx) => react(ctx, issueOf(ctx)), WRITE],
    ['DELETE', `${R}/issues/{index}/reactions`, (ctx) => unreact(ctx, issueOf(ctx)), WRITE],
    ['GET', `${R}/issues/{index}/timeline`, timeline, READ],
    ['GET', `${R}/issues/{index}/labels`, (ctx) => show(ctx, issueOf(ctx).labels), READ],
    [
      'POST',
      `${R}/issues/{index}/labels`,
      (ctx) => show(ctx, state.addLabels(issueOf(ctx), wanted(ctx), ctx.by)),
      WRITE,
    ],
    ['PUT', `${R}/issues/{index}/labels`, replaceLabels, WRITE],
    ['DELETE', `${R}/issues/{index}/labels`, clearLabels, WRITE],
    ['DELETE', `${R}/issues/{index}/labels/{id}`, removeLabel, WRITE],
    ['GET', `${R}/issues/{index}/assets`, (ctx) => listAssets(ctx, issueOf(ctx)), readAssets],
    ['POST', `${R}/issues/{index}/assets`, (ctx) => addAsset(ctx, issueOf(ctx)), withAssets],
    [
      'DELETE',
      `${R}/issues/{index}/assets/{asset}`,
      (ctx) => removeAsset(ctx, issueOf(ctx)),
      withAssets,
    ],
    [
      'GET',
      `${R}/labels`,
      (ctx) => paged(ctx, ctx.repo.labels, (l) => shape.label(ctx.repo, l)),
      READ,
    ],
    ['POST', `${R}/labels`, createLabel, WRITE],
    ['GET', `${R}/labels/{id}`, getLabel, READ],
    [
      'GET',
      `${R}/collaborators`,
      (ctx) => paged(ctx, members(ctx), shape.user),
      { ...READ, user: true },
    ],
    ['GET', `${R}/assignees`, (ctx) => ({ body: assignees(ctx).map(shape.user) }), READ],
    ['GET', '/orgs/{org}/labels', orgLabels, {}],
    ['GET', `${R}/collaborators/{collaborator}`, isMember, READ],
    ['GET', `${R}/collaborators/{collaborator}/permission`, permission, { ...READ, since: 17 }],
  ];
}

// One part named `attachment`, as the API asks for.
function multipart(ctx) {
  const boundary = /boundary="?([^";]+)"?/.exec(ctx.headers['content-type'] ?? '')?.[1];
  if (!boundary) throw new HttpError(400, "request Content-Type isn't multipart/form-data");
  const start = ctx.bytes.indexOf(`--${boundary}\r\n`),
    head = ctx.bytes.indexOf('\r\n\r\n', start);
  const end = ctx.bytes.indexOf(`\r\n--${boundary}`, head);
  if (start < 0 || head < 0 || end < 0) throw new HttpError(500, 'multipart: NextPart: EOF');
  const headers = ctx.bytes.subarray(start, head).toString('utf8');
  if (!/name="attachment"/.test(headers)) throw new HttpError(500, 'http: no such file');
  return {
    filename: /filename="([^"]*)"/.exec(headers)?.[1] ?? 'attachment',
    type: /content-type: *(\S+)/i.exec(headers)?.[1] ?? 'application/octet-stream',
    bytes: Buffer.from(ctx.bytes.subarray(head + 4, end)),
  };
}
