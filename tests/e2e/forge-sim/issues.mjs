// SPDX-License-Identifier: Apache-2.0
// Issues and what hangs on them: labels, comments, reactions. A pull request is an issue too.
import { Conflict, fullNameOf, Ground } from './ground.mjs';

export class Issues extends Ground {
  issue(repo, number) {
    const found = repo.issues.get(Number(number));
    if (!found) throw new Conflict('missing', `no issue ${number}`);
    return found;
  }

  openIssue(repo, { title, body = '', labels = [], actor, request, confidential, workItem }) {
    const issue = this.newIssue(repo, { title, body, actor, confidential, workItem });
    issue.labels = labels.map((name) => this.labelMade(repo, name));
    this.changed(
      'issue.opened',
      {
        repo: fullNameOf(repo),
        number: issue.number,
        actor,
        request,
        content: true,
      },
      { repo, issue },
    );
    for (const label of issue.labels) this.#remember(issue, 'labeled', actor, label);
    return issue;
  }

  // Where pull requests are counted apart (GitLab), theirs is below 0 here: the key of both kinds.
  newIssue(repo, { title, body, actor, isPull = false, ...more }) {
    const now = this.stamp(),
      isApart = isPull && this.pullsApart,
      number = isApart ? -repo.nextPull++ : repo.nextNumber++;
    const issue = {
      id: this.id('issue'),
      repo,
      number,
      title,
      body,
      user: actor,
      state: 'open',
      labels: [],
      created: now,
      updated: now,
      closed: null,
      reactions: [],
      events: [],
      assets: [],
      pull: null,
      ...more,
    };
    repo.issues.set(number, issue);
    return issue;
  }

  #remember(issue, event, actor, label) {
    const row = { id: this.id('event'), event, actor, label, at: this.stamp() };
    issue.events.push(row);
    issue.updated = row.at;
    return row;
  }

  editIssue(issue, { title, body, state, draft, base, actor, request }) {
    const before = { title: issue.title, body: issue.body, state: issue.state };
    if (title !== undefined) issue.title = title;
    if (body !== undefined) issue.body = body ?? '';
    if (draft !== undefined && issue.pull) issue.pull.draft = draft;
    if (base !== undefined && issue.pull) issue.pull.base = base;
    issue.updated = this.stamp();
    const kind = issue.pull ? 'pull' : 'issue';
    const where = { repo: fullNameOf(issue.repo), number: issue.number, actor, request };
    if (issue.title !== before.title || issue.body !== before.body) {
      this.changed(
        `${kind}.edited`,
        { ...where, content: true },
        { repo: issue.repo, issue, from: before },
      );
    }
    if (state !== undefined && state !== before.state) {
      issue.state = state;
      issue.closed = state === 'closed' ? issue.updated : null;
      const verb = state === 'closed' ? 'closed' : 'reopened';
      this.#remember(issue, verb, actor);
      this.changed(`${kind}.${verb}`, where, { repo: issue.repo, issue });
    }
    return issue;
  }

  addLabels(issue, labels, { actor, request } = {}) {
    const fresh = labels.filter((l) => !issue.labels.includes(l));
    for (const label of fresh) {
      issue.labels.push(label);
      this.#remember(issue, 'labeled', actor, label);
      this.#labelChanged('labeled', issue, label, { actor, request });
    }
    return issue.labels;
  }

  removeLabels(issue, labels, { actor, request, cleared = false } = {}) {
    for (const label of labels.filter((l) => issue.labels.includes(l))) {
      issue.labels = issue.labels.filter((l) => l !== label);
      this.#remember(issue, 'unlabeled', actor, label);
      this.#labelChanged('unlabeled', issue, label, { actor, request }, cleared);
    }
    return issue.labels;
  }

  #labelChanged(verb, issue, label, by, cleared = false) {
    const kind = issue.pull ? 'pull' : 'issue';
    this.changed(
      `${kind}.${verb}`,
      {
        repo: fullNameOf(issue.repo),
        number: issue.number,
        label: label.name,
        ...by,
      },
      { repo: issue.repo, issue, label, cleared },
    );
  }

  comment(repo, id) {
    const found = repo.comments.get(Number(id));
    if (!found) throw new Conflict('missing', `no comment ${id}`);
    return found;
  }

  commentsOf(issue) {
    return [...issue.repo.comments.values()].filter((c) => c.issue === issue);
  }

  // more: what only some forges know (internal, system, discussion, position).
  createComment(issue, { body, actor, request, ...more }) {
    const now = this.stamp();
    const comment = {
      id: this.id('comment'),
      issue,
      body,
      user: actor,
      created: now,
      updated: now,
      reactions: [],
      assets: [],
      ...more,
    };
    issue.repo.comments.set(comment.id, comment);
    issue.updated = now;
    this.#commentChanged('created', comment, { actor, request, content: true, body });
    return comment;
  }

  editComment(comment, { body, actor, request }) {
    const from = comment.body;
    comment.body = body;
    comment.updated = this.stamp();
    this.#commentChanged('edited', comment, { actor, request, content: true, body }, from);
    return comment;
  }

  deleteComment(comment, { actor, request }) {
    comment.issue.repo.comments.delete(comment.id);
    this.#commentChanged('deleted', comment, { actor, request });
  }

  #commentChanged(verb, comment, fields, from) {
    const { issue } = comment,
      { repo } = issue;
    this.changed(
      `comment.${verb}`,
      {
        repo: fullNameOf(repo),
        number: issue.number,
        id: comment.id,
        ...fields,
      },
      { repo, issue, comment, from },
    );
  }

  // -> {reaction, created}: adding the same again is no change, as on every forge.
  addReaction(target, { content, actor, request }) {
    const known = target.reactions.find((r) => r.content === content && r.user === actor);
    if (known) return { reaction: known, created: false };
    const reaction = { id: this.id('reaction'), content, user: actor, created: this.stamp() };
    target.reactions.push(reaction);
    const issue = target.issue ?? target;
    this.changed('reaction.created', {
      repo: fullNameOf(issue.repo),
      number: issue.number,
      comment: target.issue ? target.id : null,
      content_kind: content,
      actor,
      request,
    });
    return { reaction, created: true };
  }

  removeReaction(target, match, { actor, request }) {
    const before = target.reactions.length;
    target.reactions = target.reactions.filter((r) => !match(r));
    if (target.reactions.length === before) return false;
    const issue = target.issue ?? target;
    this.changed('reaction.deleted', {
      repo: fullNameOf(issue.repo),
      number: issue.number,
      actor,
      request,
    });
    return true;
  }
}
