// SPDX-License-Identifier: Apache-2.0
// GitLab's calls on issues and merge requests alike: notes, discussions, labels, emoji, events.
import { createHash } from 'node:crypto';
import { tooManyNotes } from './gitlab.mjs';
import { iidOf, stateOf } from './gitlab-shapes.mjs';
import { HttpError } from './router.mjs';

const P = '/projects/{project}';
const WRITE = { needs: 'read' }; // whoever sees it may talk
const TRIAGE = { needs: 'triage' };
const KINDS = { issues: false, merge_requests: true };

const words = (list) =>
  (Array.isArray(list) ? list : String(list ?? '').split(',')).map((s) => s.trim()).filter(Boolean);

// A line that starts with one of these is an order, unless it is code or a quotation.
const ORDER = /^\/(approve|assign|close|confidential|label|merge|rebase|reopen|title|unlabel)\b.*$/gm;
const CODE = /^(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1[`~]*\s*$|^>[^\n]*$/gm;

// -> the text without its orders. They are followed, if the writer may.
export function quickActions(sim, issue, text, by) {
  const seen = (text ?? '').replace(CODE, '').match(ORDER) ?? [];
  for (const order of seen) {
    sim.state.changed('quick_action', { order, number: issue?.number ?? null, ...by });
    if (/^\/close\b/.test(order) && issue) sim.state.editIssue(issue, { state: 'closed', ...by });
  }
  return text;
}

export function threadRoutes(sim, shape) {
  const { state } = sim;

  const numberOf = (isPull, iid) => (isPull ? -Number(iid) : Number(iid));

  function threadOf(ctx) {
    const isPull = KINDS[ctx.params.kind];
    const found = ctx.repo.issues.get(numberOf(isPull, ctx.params.iid));
    const isHidden = found?.confidential && !sim.mayReadAll(ctx);
    if (isPull === undefined || !found || isHidden)
      throw new HttpError(404, isPull ? '404 Not found' : '404 Issue Not Found');
    return found;
  }
  sim.mayReadAll = (ctx) => ['triage', 'write', 'maintain', 'admin'].includes(
    sim.auth.level(ctx.who, ctx.repo),
  );

  const shown = (i) => (i.pull ? shape.mergeRequest(i) : shape.issue(i));
  const paged = (ctx, rows, show) => {
    const { items, headers } = ctx.page(rows);
    return { headers, body: items.map(show) };
  };

  function noteOf(ctx) {
    const found = ctx.repo.comments.get(Number(ctx.params.note));
    if (found?.issue !== threadOf(ctx)) throw new HttpError(404, '404 Not found');
    return found;
  }

  function list(ctx) {
    const isPull = KINDS[ctx.params.kind],
      q = ctx.query;
    if (isPull === undefined) throw new HttpError(404, '404 Not Found');
    let rows = [...ctx.repo.issues.values()].filter((i) => Boolean(i.pull) === isPull);
    rows = rows.filter((i) => !i.confidential || sim.mayReadAll(ctx));
    const filters = {
      state: (i, v) => v === 'all' || stateOf(i) === v,
      labels: (i, v) => words(v).every((n) => i.labels.some((l) => l.name === n)),
      updated_after: (i, v) => i.updated >= v.replace(/\.\d+Z$/, 'Z'),
      confidential: (i, v) => String(Boolean(i.confidential)) === v,
      source_branch: (i, v) => i.pull?.head === v,
      target_branch: (i, v) => i.pull?.base === v,
      search: (i, v) => i.title.includes(v),
    };
    for (const [name, keep] of Object.entries(filters))
      if (q.has(name)) rows = rows.filter((i) => keep(i, q.get(name)));
    const key = q.get('order_by') === 'updated_at' ? 'updated' : 'created';
    rows.sort((a, b) => a[key].localeCompare(b[key]) || iidOf(a) - iidOf(b));
    if (q.get('sort') !== 'asc') rows.reverse();
    return paged(ctx, rows, shown);
  }

  function createIssue(ctx) {
    const { title, description, labels, confidential, issue_type: type } = ctx.input;
    if (!title) throw new HttpError(400, 'x', { body: { error: 'title is missing' } });
    const made = state.openIssue(ctx.repo, {
      title,
      body: description ?? '',
      labels: words(labels),
      confidential: Boolean(confidential),
      workItem: type,
      ...ctx.by,
    });
    return { status: 201, body: shape.issue(made) };
  }

  function createLabel(ctx) {
    const { name, color, description } = ctx.input;
    const made = state.createLabel(ctx.repo, { name, color, description }, ctx.by);
    return { status: 201, body: shape.label(made) };
  }

  // One request may change labels, text and state; each is told on its own.
  function update(ctx) {
    const thread = threadOf(ctx),
      want = ctx.input;
    const isOwn = thread.user === ctx.who.user;
    if (!isOwn && !sim.mayReadAll(ctx)) throw new HttpError(403, '403 Forbidden');
    const without = (names) => thread.labels.filter((l) => !names.includes(l.name));
    const named = (list) => words(list).map((n) => state.labelMade(ctx.repo, n, ctx.by));
    if (want.add_labels !== undefined) state.addLabels(thread, named(want.add_labels), ctx.by);
    if (want.remove_labels !== undefined) {
      const gone = words(want.remove_labels);
      state.removeLabels(thread, thread.labels.filter((l) => gone.includes(l.name)), ctx.by);
    }
    if (want.labels !== undefined) {
      state.removeLabels(thread, without(words(want.labels)), ctx.by);
      state.addLabels(thread, named(want.labels), ctx.by);
    }
    const to = { close: 'closed', reopen: 'open' }[want.state_event];
    quickActions(sim, thread, want.description, ctx.by);
    const { title, description: body, target_branch: base } = want;
    state.editIssue(thread, { title, body, state: to, base, ...ctx.by });
    return { body: shown(thread) };
  }

  function textOf(ctx) {
    if (typeof ctx.input.body !== 'string' || !ctx.input.body)
      throw new HttpError(400, 'x', { body: { error: 'body is missing' } });
    return ctx.input.body;
  }

  function createNote(ctx, more = {}) {
    const thread = threadOf(ctx),
      body = textOf(ctx);
    tooManyNotes(sim, ctx);
    quickActions(sim, thread, body, ctx.by);
    const internal = [true, 'true'].includes(ctx.input.internal ?? ctx.input.confidential);
    return state.createComment(thread, { body, internal, ...more, ...ctx.by });
  }

  function editNote(ctx) {
    const note = noteOf(ctx);
    if (note.user !== ctx.who.user) throw new HttpError(403, '403 Forbidden');
    const body = textOf(ctx);
    quickActions(sim, note.issue, body, ctx.by);
    return { body: shape.note(state.editComment(note, { body, ...ctx.by })) };
  }

  function deleteNote(ctx) {
    const note = noteOf(ctx);
    if (note.user !== ctx.who.user) throw new HttpError(403, '403 Forbidden');
    state.deleteComment(note, ctx.by);
    return { status: 204 };
  }

  const notesOf = (ctx) => {
    const rows = state.commentsOf(threadOf(ctx)).filter((c) => !c.internal || sim.mayReadAll(ctx));
    return ctx.query.get('sort') === 'asc' ? rows : rows.reverse();
  };

  function award(ctx, target) {
    const { name } = ctx.input;
    if (!name) throw new HttpError(400, 'x', { body: { error: 'name is missing' } });
    const { reaction, created } = state.addReaction(target, { content: name, ...ctx.by });
    if (!created)
      throw new HttpError(404, '404 Award Emoji Name has already been taken Not Found');
    return { status: 201, body: shape.emoji(target, reaction) };
  }

  const awards = (ctx, target) => paged(ctx, target.reactions, (r) => shape.emoji(target, r));
  const labelEvents = (ctx) => {
    const thread = threadOf(ctx);
    const rows = thread.events.filter((e) => ['labeled', 'unlabeled'].includes(e.event));
    return paged(ctx, rows, (e) => shape.labelEvent(thread, e));
  };

  // ---- discussions: threads in a merge request, on a line or not ----

  function startDiscussion(ctx) {
    const { position } = ctx.input;
    const seed = `${ctx.request}:${textOf(ctx)}`;
    const discussion = createHash('sha1').update(seed).digest('hex');
    const note = createNote(ctx, { discussion, position });
    return { status: 201, body: shape.discussion([note]) };
  }

  function discussionOf(ctx) {
    const rows = state.commentsOf(threadOf(ctx));
    const found = rows.filter((c) => c.discussion === ctx.params.discussion);
    if (!found.length) throw new HttpError(404, '404 Discussion Not Found');
    return found;
  }

  function discussions(ctx) {
    const rows = state.commentsOf(threadOf(ctx));
    const keys = [...new Set(rows.map((c) => c.discussion ?? c.id))];
    const groups = keys.map((k) => rows.filter((c) => (c.discussion ?? c.id) === k));
    return paged(ctx, groups, shape.discussion);
  }

  function reply(ctx) {
    const [first] = discussionOf(ctx);
    const { discussion, position } = first;
    return { status: 201, body: shape.note(createNote(ctx, { discussion, position })) };
  }

  // ---- what happened in the project ----

  function events(ctx) {
    const day = (stamp) => stamp.slice(0, 10);
    const { after, before } = Object.fromEntries(ctx.query);
    let rows = [...ctx.repo.comments.values()];
    if (after) rows = rows.filter((c) => day(c.created) > after);
    if (before) rows = rows.filter((c) => day(c.created) < before);
    if (ctx.query.get('sort') !== 'asc') rows.reverse();
    return paged(ctx, rows, shape.event);
  }

  const T = `${P}/{kind}/{iid}`;
  const created = (note) => ({ status: 201, body: shape.note(note) });
  return [
    ['GET', `${P}/events`, events, {}],
    ['GET', `${P}/labels`, (ctx) => paged(ctx, ctx.repo.labels, shape.label), {}],
    ['POST', `${P}/labels`, createLabel, TRIAGE],
    ['POST', `${P}/issues`, createIssue, WRITE],
    ['GET', `${P}/{kind}`, list, {}],
    ['GET', T, (ctx) => ({ body: shown(threadOf(ctx)) }), {}],
    ['PUT', T, update, WRITE],
    ['GET', `${T}/notes`, (ctx) => paged(ctx, notesOf(ctx), shape.note), {}],
    ['POST', `${T}/notes`, (ctx) => created(createNote(ctx)), WRITE],
    ['GET', `${T}/notes/{note}`, (ctx) => ({ body: shape.note(noteOf(ctx)) }), {}],
    ['PUT', `${T}/notes/{note}`, editNote, WRITE],
    ['DELETE', `${T}/notes/{note}`, deleteNote, WRITE],
    ['GET', `${T}/award_emoji`, (ctx) => awards(ctx, threadOf(ctx)), {}],
    ['POST', `${T}/award_emoji`, (ctx) => award(ctx, threadOf(ctx)), WRITE],
    ['GET', `${T}/notes/{note}/award_emoji`, (ctx) => awards(ctx, noteOf(ctx)), {}],
    ['POST', `${T}/notes/{note}/award_emoji`, (ctx) => award(ctx, noteOf(ctx)), WRITE],
    ['GET', `${T}/resource_label_events`, labelEvents, {}],
    ['GET', `${T}/discussions`, discussions, {}],
    ['POST', `${T}/discussions`, startDiscussion, WRITE],
    [
      'GET',
      `${T}/discussions/{discussion}`,
      (ctx) => ({ body: shape.discussion(discussionOf(ctx)) }),
      {},
    ],
    ['POST', `${T}/discussions/{discussion}/notes`, reply, WRITE],
  ];
}
