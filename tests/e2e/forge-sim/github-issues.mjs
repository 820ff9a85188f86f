// SPDX-License-Identifier: Apache-2.0
// GitHub's calls on issues: comments, reactions, labels, events, permissions of people.
import { HttpError } from './router.mjs';
import { invalid } from './github-errors.mjs';

const BODY_MAX = 65536;
const REACTIONS = ['+1', '-1', 'laugh', 'confused', 'heart', 'hooray', 'rocket', 'eyes'];
const R = '/repos/{owner}/{repo}';
const READ = { needs: 'issues|pull_requests:read' };
const WRITE = { needs: 'issues|pull_requests:write' };

function text(value, resource, max = BODY_MAX) {
  if (typeof value !== 'string' || value.trim() === '')
    throw invalid(resource, 'body', 'missing_field');
  if ([...value].length > max)
    throw invalid(resource, 'body', 'custom', `body is too long (maximum is ${max} characters)`);
  return value;
}

const list = (ctx, rows, shape) => {
  const { items, headers } = ctx.page(rows);
  return { headers, body: items.map(shape) };
};
const after = (rows, since, key) => (since ? rows.filter((r) => r[key] >= since) : rows);

export function issueRoutes(sim, shape) {
  const { state } = sim;
  const issueOf = (ctx) => state.issue(ctx.repo, ctx.params.number);
  const commentOf = (ctx) => state.comment(ctx.repo, ctx.params.id);

  function listIssues(ctx) {
    const q = ctx.query,
      wanted = q.get('state') ?? 'open';
    const labels = (q.get('labels') ?? '')
      .split(',')
      .filter(Boolean)
      .map((s) => s.toLowerCase());
    let rows = [...ctx.repo.issues.values()].reverse();
    if (wanted !== 'all') rows = rows.filter((i) => i.state === wanted);
    rows = rows.filter((i) =>
      labels.every((n) => i.labels.some((l) => l.name.toLowerCase() === n)),
    );
    rows = after(rows, q.get('since'), 'updated');
    if (q.get('direction') === 'asc') rows.reverse();
    return list(ctx, rows, shape.issue);
  }

  function createIssue(ctx) {
    const { title, body, labels = [] } = ctx.input;
    if (!title) throw invalid('Issue', 'title', 'missing_field');
    const names = labels.map((l) => l.name ?? l);
    const issue = state.openIssue(ctx.repo, { title, body: body ?? '', labels: names, ...ctx.by });
    return { status: 201, body: shape.issue(issue) };
  }

  function updateIssue(ctx) {
    const { title, body, state: to, labels } = ctx.input,
      issue = issueOf(ctx);
    state.editIssue(issue, { title, body, state: to, ...ctx.by });
    if (labels)
      replaceLabels(
        ctx,
        issue,
        labels.map((l) => l.name ?? l),
      );
    return { body: shape.issue(issue) };
  }

  function listComments(ctx) {
    const rows = after(state.commentsOf(issueOf(ctx)), ctx.query.get('since'), 'updated');
    return list(ctx, rows, shape.comment);
  }

  function listAllComments(ctx) {
    let rows = after([...ctx.repo.comments.values()], ctx.query.get('since'), 'updated');
    const key = ctx.query.get('sort') === 'updated' ? 'updated' : 'created';
    rows = rows.sort((a, b) => a[key].localeCompare(b[key]) || a.id - b.id);
    if (ctx.query.get('sort') && ctx.query.get('direction') === 'desc') rows.reverse();
    return list(ctx, rows, shape.comment);
  }

  function createComment(ctx) {
    const body = text(ctx.input.body, 'IssueComment');
    const comment = state.createComment(issueOf(ctx), { body, ...ctx.by });
    const made = shape.comment(comment);
    return { status: 201, headers: { location: made.url }, body: made };
  }

  function ownComment(ctx) {
    const comment = commentOf(ctx);
    if (comment.user !== ctx.who.user)
      throw new HttpError(403, 'Must have admin rights to Repository.');
    return comment;
  }

  function updateComment(ctx) {
    const body = text(ctx.input.body, 'IssueComment');
    return { body: shape.comment(state.editComment(ownComment(ctx), { body, ...ctx.by })) };
  }

  function deleteComment(ctx) {
    state.deleteComment(ownComment(ctx), ctx.by);
    return { status: 204 };
  }

  function react(ctx, target) {
    const { content } = ctx.input;
    if (!REACTIONS.includes(content)) throw invalid('Reaction', 'content', 'invalid');
    const { reaction, created } = state.addReaction(target, { content, ...ctx.by });
    return { status: created ? 201 : 200, body: shape.reaction(reaction) };
  }

  function unreact(ctx, target) {
    const gone = state.removeReaction(target, (r) => r.id === Number(ctx.params.reaction), ctx.by);
    if (!gone) throw new HttpError(404, 'Not Found');
    return { status: 204 };
  }

  function wantedLabels(ctx, names) {
    if (!Array.isArray(names)) throw invalid('Label', 'labels', 'invalid');
    return names.map((n) => state.labelMade(ctx.repo, n.name ?? n, ctx.by));
  }

  function replaceLabels(ctx, issue, names) {
    const wanted = wantedLabels(ctx, names);
    state.removeLabels(
      issue,
      issue.labels.filter((l) => !wanted.includes(l)),
      ctx.by,
    );
    return state.addLabels(issue, wanted, ctx.by);
  }

  const labelNames = (ctx) => (Array.isArray(ctx.input) ? ctx.input : ctx.input.labels);
  const showLabels = (ctx, labels) => ({ body: labels.map((l) => shape.label(ctx.repo, l)) });

  function removeLabel(ctx) {
    const issue = issueOf(ctx);
    const label = issue.labels.find((l) => l.name.toLowerCase() === ctx.params.name.toLowerCase());
    if (!label) throw new HttpError(404, 'Label does not exist');
    return showLabels(ctx, state.removeLabels(issue, [label], ctx.by));
  }

  function createLabel(ctx) {
    const { name, color, description } = ctx.input;
    if (!name) throw invalid('Label', 'name', 'missing_field');
    if (state.label(ctx.repo, name)) throw invalid('Label', 'name', 'already_exists');
    const label = state.createLabel(ctx.repo, { name, color, description }, ctx.by);
    return { status: 201, body: shape.label(ctx.repo, label) };
  }

  function getLabel(ctx) {
    const label = state.label(ctx.repo, ctx.params.name);
    if (!label) throw new HttpError(404, 'Not Found');
    return { body: shape.label(ctx.repo, label) };
  }

  function events(ctx) {
    const issue = issueOf(ctx);
    return list(ctx, issue.events, (e) => shape.event(issue, e));
  }

  function permission(ctx) {
    const user = state.findUser(ctx.params.username);
    if (!user) throw new HttpError(404, 'Not Found');
    const level = state.level(ctx.repo, user);
    const classic = { maintain: 'write', triage: 'read' }[level] ?? level;
    return {
      body: {
        permission: classic,
        role_name: level,
        user: { ...shape.user(user), permissions: shape.permissionsOf(level), role_name: level },
      },
    };
  }

  return [
    ['GET', `${R}/issues`, listIssues, READ],
    ['POST', `${R}/issues`, createIssue, { needs: 'issues:write' }],
    ['GET', `${R}/issues/comments`, listAllComments, READ],
    ['GET', `${R}/issues/comments/{id}`, (ctx) => ({ body: shape.comment(commentOf(ctx)) }), READ],
    ['PATCH', `${R}/issues/comments/{id}`, updateComment, WRITE],
    ['DELETE', `${R}/issues/comments/{id}`, deleteComment, WRITE],
    [
      'GET',
      `${R}/issues/comments/{id}/reactions`,
      (ctx) => list(ctx, commentOf(ctx).reactions, shape.reaction),
      READ,
    ],
    ['POST', `${R}/issues/comments/{id}/reactions`, (ctx) => react(ctx, commentOf(ctx)), WRITE],
    [
      'DELETE',
      `${R}/issues/comments/{id}/reactions/{reaction}`,
      (ctx) => unreact(ctx, commentOf(ctx)),
      WRITE,
    ],
    ['GET', `${R}/issues/{number}`, (ctx) => ({ body: shape.issue(issueOf(ctx)) }), READ],
    ['PATCH', `${R}/issues/{number}`, updateIssue, WRITE],
    ['GET', `${R}/issues/{number}/comments`, listComments, READ],
    ['POST', `${R}/issues/{number}/comments`, createComment, WRITE],
    [
      'GET',
      `${R}/issues/{number}/reactions`,
      (ctx) => list(ctx, issueOf(ctx).reactions, shape.reaction),
      READ,
    ],
    ['POST', `${R}/issues/{number}/reactions`, (ctx) => react(ctx, issueOf(ctx)), WRITE],
    [
      'DELETE',
      `${R}/issues/{number}/reactions/{reaction}`,
      (ctx) => unreact(ctx, issueOf(ctx)),
      WRITE,
    ],
    ['GET', `${R}/issues/{number}/events`, events, READ],
    ['GET', `${R}/issues/{number}/timeline`, events, READ],
    [
      'GET',
      `${R}/issues/{number}/labels`,
      (ctx) => list(ctx, issueOf(ctx).labels, (l) => shape.label(ctx.repo, l)),
      READ,
    ],
    [
      'POST',
      `${R}/issues/{number}/labels`,
      (ctx) =>
        showLabels(ctx, state.addLabels(issueOf(ctx), wantedLabels(ctx, labelNames(ctx)), ctx.by)),
      WRITE,
    ],
    [
      'PUT',
      `${R}/issues/{number}/labels`,
      (ctx) => showLabels(ctx, replaceLabels(ctx, issueOf(ctx), labelNames(ctx))),
      WRITE,
    ],
    ['DELETE', `${R}/issues/{number}/labels/{name}`, removeLabel, WRITE],
    [
      'GET',
      `${R}/labels`,
      (ctx) => list(ctx, ctx.repo.labels, (l) => shape.label(ctx.repo, l)),
      READ,
    ],
    ['POST', `${R}/labels`, createLabel, { needs: 'issues|pull_requests:write' }],
    ['GET', `${R}/labels/{name}`, getLabel, READ],
    ['GET', `${R}/collaborators/{username}/permission`, permission, { needs: 'metadata:read' }],
  ];
}
