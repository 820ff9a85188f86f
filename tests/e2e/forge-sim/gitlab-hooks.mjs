// SPDX-License-Identifier: Apache-2.0
// GitLab's webhooks: what they say, how they are signed, and how one is switched off that fails.
import { createHmac, randomUUID } from 'node:crypto';
import { iidOf, isDraft, stateOf } from './gitlab-shapes.mjs';
import { fullNameOf } from './state.mjs';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const FAILURES_TEMPORARY = 4;
const FAILURES_FOR_GOOD = 40;

// Older payloads write times like this, newer ones as the API does.
const time = (stamp) => stamp && stamp.replace('T', ' ').replace('Z', ' UTC');
const plain = (stamp) => stamp;

// A secret of one kind is sent as it is, of the other it signs.
export const isSigningKey = (secret) => Boolean(secret) && secret.startsWith('whsec_');

// Four failures in a row switch a hook off for a minute, then longer; forty for good. An answer of
// 4xx counts like any other.
export class Health {
  failures = 0;
  offUntil = 0;

  failed(now) {
    this.failures++;
    if (this.failures < FAILURES_TEMPORARY) return;
    const wait = Math.min(MINUTE_MS * 2 ** (this.failures - FAILURES_TEMPORARY), DAY_MS);
    this.offUntil = this.failures >= FAILURES_FOR_GOOD ? Infinity : now + wait;
  }

  worked() {
    this.failures = 0;
    this.offUntil = 0;
  }

  status(now) {
    if (this.offUntil === Infinity) return 'disabled';
    return this.offUntil > now ? 'temporarily_disabled' : 'executable';
  }

  until() {
    return this.offUntil && this.offUntil !== Infinity ? new Date(this.offUntil).toISOString() : null;
  }
}

// Of one sending: the id stays the same when it is sent again, the time does not.
export function signed(delivery, secret, now) {
  const headers = {
    'idempotency-key': delivery.guid,
    'x-gitlab-event-uuid': delivery.eventId ?? randomUUID(),
  };
  if (!secret) return headers;
  if (!isSigningKey(secret)) return { ...headers, 'x-gitlab-token': secret };
  const at = Math.floor(now / 1000);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key)
    .update(`${delivery.guid}.${at}.`)
    .update(delivery.raw)
    .digest('base64');
  return {
    ...headers,
    'webhook-id': delivery.guid,
    'webhook-timestamp': String(at),
    'webhook-signature': `v1,${mac}`,
  };
}

// name -> [X-Gitlab-Event, object_kind, action]
const EVENTS = {
  'issue.opened': ['Issue Hook', 'issue', 'open'],
  'issue.edited': ['Issue Hook', 'issue', 'update'],
  'issue.closed': ['Issue Hook', 'issue', 'close'],
  'issue.reopened': ['Issue Hook', 'issue', 'reopen'],
  'issue.labeled': ['Issue Hook', 'issue', 'update'],
  'issue.unlabeled': ['Issue Hook', 'issue', 'update'],
  'comment.created': ['Note Hook', 'note', 'create'],
  'comment.edited': ['Note Hook', 'note', 'update'],
  'pull.opened': ['Merge Request Hook', 'merge_request', 'open'],
  'pull.edited': ['Merge Request Hook', 'merge_request', 'update'],
  'pull.closed': ['Merge Request Hook', 'merge_request', 'close'],
  'pull.reopened': ['Merge Request Hook', 'merge_request', 'reopen'],
  'pull.labeled': ['Merge Request Hook', 'merge_request', 'update'],
  'pull.unlabeled': ['Merge Request Hook', 'merge_request', 'update'],
  'pull.synchronized': ['Merge Request Hook', 'merge_request', 'update'],
  push: ['Push Hook', 'push'],
};

const person = (sim, u) => ({
  id: u.id,
  name: u.login,
  username: u.login,
  avatar_url: null,
  email: '[REDACTED]',
});

const projectOf = (sim, r) => ({
  id: r.id,
  name: r.name,
  description: r.description,
  web_url: `${sim.base}/${fullNameOf(r)}`,
  avatar_url: null,
  git_ssh_url: `git@${new URL(sim.base).host}:${fullNameOf(r)}.git`,
  git_http_url: `${sim.base}/${fullNameOf(r)}.git`,
  namespace: r.owner.login,
  visibility_level: r.private ? 0 : 20,
  path_with_namespace: fullNameOf(r),
  default_branch: r.defaultBranch,
  ci_config_path: null,
});

const labelOf = (repo) => (l) => ({
  id: l.id,
  title: l.name,
  color: `#${l.color}`,
  project_id: repo.id,
  created_at: time(repo.created),
  updated_at: time(repo.created),
  template: false,
  description: l.description,
  type: 'ProjectLabel',
  group_id: null,
});

function threadOf(sim, i) {
  return {
    id: i.pull?.id ?? i.id,
    iid: iidOf(i),
    title: i.title,
    description: i.body,
    author_id: i.user.id,
    assignee_ids: (i.assignees ?? []).map((u) => u.id),
    state: stateOf(i),
    created_at: time(i.created),
    updated_at: time(i.updated),
    labels: i.labels.map(labelOf(i.repo)),
    ...(i.pull ? mergeRequest(sim, i) : issueFields(i)),
  };
}

const issueFields = (i) => ({
  project_id: i.repo.id,
  confidential: Boolean(i.confidential),
  discussion_locked: null,
  due_date: null,
  milestone_id: null,
  type: i.workItem ?? 'Issue',
  severity: 'unknown',
});

const mergeRequest = (sim, i) => ({
  source_branch: i.pull.head,
  target_branch: i.pull.base,
  source_project_id: i.pull.headRepo.id,
  target_project_id: i.repo.id,
  source: projectOf(sim, i.pull.headRepo),
  target: projectOf(sim, i.repo),
  merge_status: 'can_be_merged',
  detailed_merge_status: 'mergeable',
  draft: isDraft(i),
  work_in_progress: isDraft(i),
  last_commit: {
    id: i.pull.headSha,
    message: '',
    timestamp: plain(i.updated),
    author: { name: i.user.login, email: i.user.email },
  },
});

// What an update says of itself: before and after.
function changesOf(sim, name, { repo, issue, label, from }) {
  const verb = name.split('.')[1];
  const rows = issue.labels.map(labelOf(repo));
  if (verb === 'labeled')
    return { labels: { previous: rows.filter((l) => l.title !== label.name), current: rows } };
  if (verb === 'unlabeled')
    return { labels: { previous: [...rows, labelOf(repo)(label)], current: rows } };
  if (verb !== 'edited') return {};
  const changes = {};
  if (from.title !== issue.title) changes.title = { previous: from.title, current: issue.title };
  if (from.body !== issue.body)
    changes.description = { previous: from.body, current: issue.body };
  return changes;
}

function noteBody(sim, action, { repo, issue, comment, actor }) {
  const kind = issue.pull ? 'merge_request' : 'issue';
  const isFew = comment.internal || issue.confidential;
  return {
    object_kind: 'note',
    event_type: isFew ? 'confidential_note' : 'note',
    user: person(sim, actor),
    project_id: repo.id,
    project: projectOf(sim, repo),
    object_attributes: {
      attachment: null,
      author_id: comment.user.id,
      change_position: null,
      commit_id: null,
      created_at: time(comment.created),
      discussion_id: comment.discussion ?? comment.id.toString(16).padStart(40, '0'),
      id: comment.id,
      internal: Boolean(comment.internal),
      line_code: null,
      note: comment.body,
      noteable_id: issue.pull?.id ?? issue.id,
      noteable_type: issue.pull ? 'MergeRequest' : 'Issue',
      original_position: null,
      position: comment.position ?? null,
      project_id: repo.id,
      resolved_at: null,
      st_diff: null,
      system: Boolean(comment.system),
      type: comment.position ? 'DiffNote' : null,
      updated_at: time(comment.updated),
      updated_by_id: null,
      description: comment.body,
      url: `${sim.base}/${fullNameOf(repo)}/-/${kind}s/${iidOf(issue)}#note_${comment.id}`,
      action,
    },
    repository: { name: repo.name, url: '', description: '', homepage: '' },
    [kind]: threadOf(sim, issue),
  };
}

const threadBody = (sim, kind, action, name, data) => ({
  object_kind: data.issue.workItem ? 'work_item' : kind,
  event_type: data.issue.confidential ? 'confidential_issue' : kind,
  user: person(sim, data.actor),
  project: projectOf(sim, data.repo),
  object_attributes: {
    ...threadOf(sim, data.issue),
    ...(name === 'pull.synchronized' && { oldrev: data.move.old }),
    action,
  },
  labels: data.issue.labels.map(labelOf(data.repo)),
  changes: changesOf(sim, name, data),
  repository: { name: data.repo.name, url: '', description: '', homepage: '' },
});

const pushBody = (sim, { repo, move, actor }) => ({
  object_kind: 'push',
  event_name: 'push',
  before: move.old,
  after: move.new,
  ref: move.ref,
  checkout_sha: /^0+$/.test(move.new) ? null : move.new,
  user_id: actor?.id ?? null,
  user_username: actor?.login ?? null,
  project_id: repo.id,
  project: projectOf(sim, repo),
  commits: [],
  total_commits_count: 0,
});

// What is not for everybody goes out only to hooks that ask for it; these do, as the worst case.
export async function gitlabDeliveries(sim, shape, name, data) {
  const row = EVENTS[name];
  if (!row) return [];
  const { repo, issue, comment } = data;
  const [plainEvent, kind, action] = row;
  const isFew = comment?.internal || issue?.confidential;
  const event = isFew ? `Confidential ${plainEvent}` : plainEvent;
  let body;
  if (name === 'push') body = pushBody(sim, data);
  else if (comment) body = noteBody(sim, action, data);
  else body = threadBody(sim, kind, action, name, data);
  return [{ event, action: action ?? null, repo, body, headers: headersOf(sim, event) }];
}

const headersOf = (sim, event) => ({
  'user-agent': 'GitLab/18.4.1',
  'content-type': 'application/json',
  'x-gitlab-event': event,
  'x-gitlab-instance': sim.base,
  'x-gitlab-webhook-uuid': '0c2c4d1c-3f4e-4a7e-9e1f-6e1d3b3b4a5f',
});

