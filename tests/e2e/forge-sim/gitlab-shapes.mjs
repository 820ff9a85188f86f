// SPDX-License-Identifier: Apache-2.0
// GitLab's JSON, by docs.gitlab.com/api: what it answers. What it sends is in gitlab-hooks.mjs.
import { fullNameOf } from './state.mjs';

const LEVELS = { none: 0, read: 10, triage: 20, write: 30, maintain: 40, admin: 50 };
export const levelNumber = (level) => LEVELS[level];

// The API's times have milliseconds.
const time = (stamp) => stamp && stamp.replace(/(:\d\d)Z$/, '$1.000Z');
export const iidOf = (i) => Math.abs(i.number);
export const stateOf = (i) => {
  if (i.pull?.merged) return 'merged';
  return i.state === 'open' ? 'opened' : 'closed';
};
// "/uploads/0a1b.../name": relative to the project, as it stands in a text.
export const uploadPath = (a) => `/uploads/${a.uuid.replaceAll('-', '')}/${a.name}`;
export const isBot = (u) => /^((project|group)_\d+_bot|service_account_)/.test(u.login);

export function shapes(sim) {
  const web = () => sim.base;
  const projectWeb = (r) => `${web()}/${fullNameOf(r)}`;
  const threadWeb = (i) =>
    `${projectWeb(i.repo)}/-/${i.pull ? 'merge_requests' : 'issues'}/${iidOf(i)}`;

  const person = (u) =>
    u && {
      id: u.id,
      username: u.login,
      public_email: '',
      name: u.login,
      state: 'active',
      locked: false,
      avatar_url: null,
      web_url: `${web()}/${u.login}`,
    };

  const fullPerson = (u) => ({
    ...person(u),
    created_at: time(u.created),
    bio: '',
    location: '',
    bot: isBot(u),
    job_title: '',
    followers: 0,
    following: 0,
    is_followed: false,
  });

  const me = (u) => ({
    ...fullPerson(u),
    email: u.email,
    two_factor_enabled: false,
    external: false,
    private_profile: false,
    namespace_id: u.id,
  });

  const member = (u, level) => ({
    ...person(u),
    access_level: LEVELS[level],
    created_at: time(u.created),
    expires_at: null,
    membership_state: 'active',
  });

  const token = (u, scopes) => ({
    id: 7,
    name: 'nightshift',
    revoked: false,
    created_at: time(u.created),
    description: null,
    scopes,
    user_id: u.id,
    last_used_at: null,
    active: true,
    expires_at: '2099-01-01',
  });

  const project = (r, level = 'none') => ({
    id: r.id,
    description: r.description || null,
    name: r.name,
    name_with_namespace: fullNameOf(r).split('/').join(' / '),
    path: r.name,
    path_with_namespace: fullNameOf(r),
    created_at: time(r.created),
    default_branch: r.defaultBranch,
    tag_list: [],
    topics: [],
    ssh_url_to_repo: `git@${new URL(web()).host}:${fullNameOf(r)}.git`,
    http_url_to_repo: `${projectWeb(r)}.git`,
    web_url: projectWeb(r),
    readme_url: null,
    forks_count: 0,
    avatar_url: null,
    star_count: 0,
    last_activity_at: time(r.updated),
    namespace: {
      id: r.owner.id,
      name: r.owner.login,
      path: r.owner.login,
      kind: r.owner.type === 'Organization' ? 'group' : 'user',
      full_path: r.owner.login,
      parent_id: null,
      avatar_url: null,
      web_url: `${web()}/groups/${r.owner.login}`,
    },
    archived: false,
    visibility: r.private ? 'private' : 'public',
    issues_enabled: true,
    merge_requests_enabled: true,
    permissions: {
      project_access: level === 'none' ? null : { access_level: LEVELS[level], notification_level: 3 },
      group_access: null,
    },
  });

  const thread = (i) => ({
    id: i.pull?.id ?? i.id,
    iid: iidOf(i),
    project_id: i.repo.id,
    title: i.title,
    description: i.body,
    state: stateOf(i),
    created_at: time(i.created),
    updated_at: time(i.updated),
    closed_at: time(i.closed),
    labels: i.labels.map((l) => l.name),
    milestone: null,
    assignees: (i.assignees ?? []).map(person),
    assignee: person(i.assignees?.[0]) ?? null,
    author: person(i.user),
    user_notes_count: sim.state.commentsOf(i).length,
    upvotes: 0,
    downvotes: 0,
    web_url: threadWeb(i),
    references: {
      short: `${i.pull ? '!' : '#'}${iidOf(i)}`,
      relative: `${i.pull ? '!' : '#'}${iidOf(i)}`,
      full: `${fullNameOf(i.repo)}${i.pull ? '!' : '#'}${iidOf(i)}`,
    },
  });

  const issue = (i) => ({
    ...thread(i),
    type: (i.workItem ?? 'Issue').toUpperCase().replace(' ', '_'),
    issue_type: (i.workItem ?? 'issue').toLowerCase().replace(' ', '_'),
    confidential: Boolean(i.confidential),
    discussion_locked: null,
    due_date: null,
    weight: null,
  });

  const mergeRequest = (i) => ({
    ...thread(i),
    target_branch: i.pull.base,
    source_branch: i.pull.head,
    source_project_id: i.pull.headRepo.id,
    target_project_id: i.repo.id,
    draft: isDraft(i),
    work_in_progress: isDraft(i),
    reviewers: i.pull.reviewers.map(person),
    merge_status: 'can_be_merged',
    detailed_merge_status: 'mergeable',
    merged_at: time(i.pull.merged),
    merge_when_pipeline_succeeds: false,
    sha: i.pull.headSha,
    merge_commit_sha: null,
    squash: false,
    should_remove_source_branch: null,
    force_remove_source_branch: false,
    has_conflicts: false,
    blocking_discussions_resolved: true,
    diff_refs: { base_sha: i.pull.baseSha, head_sha: i.pull.headSha, start_sha: i.pull.baseSha },
  });

  const note = (c) => ({
    id: c.id,
    type: c.position ? 'DiffNote' : null,
    body: c.body,
    author: person(c.user),
    created_at: time(c.created),
    updated_at: time(c.updated),
    system: Boolean(c.system),
    noteable_id: c.issue.pull?.id ?? c.issue.id,
    noteable_type: c.issue.pull ? 'MergeRequest' : 'Issue',
    project_id: c.issue.repo.id,
    resolvable: Boolean(c.position),
    confidential: Boolean(c.internal),
    internal: Boolean(c.internal),
    imported: false,
    noteable_iid: iidOf(c.issue),
    commands_changes: {},
    ...(c.position && { position: c.position, resolved: false, resolved_by: null }),
  });

  const discussion = (notes) => ({
    id: notes[0].discussion ?? notes[0].id.toString(16).padStart(40, '0'),
    individual_note: !notes[0].discussion,
    notes: notes.map(note),
  });

  // The one list of all that people said in a project.
  const event = (c) => ({
    id: c.id + 100_000,
    project_id: c.issue.repo.id,
    action_name: 'commented on',
    target_id: c.id,
    target_iid: c.id,
    target_type: c.position ? 'DiffNote' : 'Note',
    author_id: c.user.id,
    target_title: c.issue.title,
    created_at: time(c.created),
    note: note(c),
    author: person(c.user),
    author_username: c.user.login,
  });

  const label = (l) => ({
    id: l.id,
    name: l.name,
    color: `#${l.color}`,
    description: l.description || null,
    text_color: '#FFFFFF',
    subscribed: false,
    priority: null,
    is_project_label: true,
  });

  const labelEvent = (i, e) => ({
    id: e.id,
    user: person(e.actor),
    created_at: time(e.at),
    resource_type: i.pull ? 'MergeRequest' : 'Issue',
    resource_id: i.pull?.id ?? i.id,
    label: e.label ? { id: e.label.id, name: e.label.name, color: `#${e.label.color}` } : null,
    action: e.event === 'labeled' ? 'add' : 'remove',
  });

  const emoji = (target, x) => ({
    id: x.id,
    name: x.content,
    user: person(x.user),
    created_at: time(x.created),
    updated_at: time(x.created),
    awardable_id: target.id,
    awardable_type: target.issue ? 'Note' : 'Issue',
    url: null,
  });

  const status = (s) => ({
    id: s.id,
    sha: s.sha,
    ref: s.ref ?? null,
    status: s.state,
    name: s.context,
    target_url: s.targetUrl || null,
    description: s.description || null,
    created_at: time(s.created),
    started_at: null,
    finished_at: time(s.updated),
    allow_failure: false,
    coverage: null,
    pipeline_id: 1,
    author: person(s.creator),
  });

  const upload = (r, a) => ({
    id: a.id,
    alt: a.name,
    url: uploadPath(a),
    full_path: `/-/project/${r.id}${uploadPath(a)}`,
    markdown: `[${a.name}](${uploadPath(a)})`,
  });

  return {
    discussion,
    emoji,
    event,
    fullPerson,
    issue,
    label,
    labelEvent,
    me,
    member,
    mergeRequest,
    note,
    person,
    project,
    projectWeb,
    status,
    threadWeb,
    token,
    upload,
    web,
  };
}

export const isDraft = (i) => /^(draft:|\[draft\]|\(draft\))/i.test(i.title);
