// SPDX-License-Identifier: Apache-2.0
// Gitea's JSON: field names and order as a real server sends them (tests/golden/gitea/deliveries
// are the wire truth, the types of npm gitea-js the second opinion).
import { createHash } from 'node:crypto';
import { mergeBase } from './repo-git.mjs';
import { can, fullNameOf } from './state.mjs';

const EPOCH = '0001-01-01T00:00:00Z';

export function shapes(sim) {
  const web = () => sim.base;
  const api = () => `${sim.base}${sim.apiPrefix}`;
  const repoApi = (r) => `${api()}/repos/${fullNameOf(r)}`;
  const repoWeb = (r) => `${web()}/${fullNameOf(r)}`;
  const isNew = () => sim.giteaMinor >= 19;

  function user(u) {
    if (!u) return null;
    const md5 = createHash('md5').update(u.email).digest('hex');
    return {
      id: u.id,
      login: u.login,
      ...(isNew() && { login_name: '', source_id: 0 }),
      full_name: '',
      email: u.type === 'Organization' ? '' : u.email,
      avatar_url: `${web()}/avatars/${md5}`,
      ...(isNew() && { html_url: `${web()}/${u.login}` }),
      language: '',
      is_admin: u.admin,
      last_login: EPOCH,
      created: u.created,
      restricted: false,
      active: false,
      prohibit_login: false,
      location: '',
      website: '',
      description: '',
      visibility: 'public',
      followers_count: 0,
      following_count: 0,
      starred_repos_count: 0,
      username: u.login,
    };
  }

  const permissionsOf = (level) => ({
    admin: can(level, 'admin'),
    push: can(level, 'write'),
    pull: can(level, 'read'),
  });

  function repo(r, level = 'none') {
    const open = (isPull) =>
      [...r.issues.values()].filter((i) => i.state === 'open' && Boolean(i.pull) === isPull).length;
    return {
      id: r.id,
      owner: user(r.owner),
      name: r.name,
      full_name: fullNameOf(r),
      description: r.description,
      empty: false,
      private: r.private,
      fork: Boolean(r.forkOf),
      template: false,
      parent: null,
      mirror: false,
      size: 93,
      html_url: repoWeb(r),
      ...(isNew() && {
        url: repoApi(r),
        link: '',
        language: '',
        languages_url: `${repoApi(r)}/languages`,
      }),
      ssh_url: `git@${new URL(web()).host}:${fullNameOf(r)}.git`,
      clone_url: `${repoWeb(r)}.git`,
      original_url: '',
      website: '',
      stars_count: 0,
      forks_count: 0,
      watchers_count: 1,
      open_issues_count: open(false),
      open_pr_counter: open(true),
      release_counter: 0,
      default_branch: r.defaultBranch,
      archived: false,
      created_at: r.created,
      updated_at: r.updated,
      permissions: permissionsOf(level),
      has_issues: true,
      internal_tracker: {
        enable_time_tracker: true,
        allow_only_contributors_to_track_time: true,
        enable_issue_dependencies: true,
      },
      has_wiki: true,
      has_pull_requests: true,
      has_projects: true,
      ignore_whitespace_conflicts: false,
      allow_merge_commits: true,
      allow_rebase: true,
      allow_rebase_explicit: true,
      allow_squash_merge: true,
      default_merge_style: 'merge',
      avatar_url: '',
      internal: false,
      mirror_interval: '',
      repo_transfer: null,
    };
  }

  const label = (r, l) => ({
    id: l.id,
    name: l.name,
    ...(isNew() && { exclusive: false, is_archived: false }),
    color: l.color,
    description: l.description,
    url: `${repoApi(r)}/labels/${l.id}`,
  });

  const issueWeb = (i) => `${repoWeb(i.repo)}/${i.pull ? 'pulls' : 'issues'}/${i.number}`;

  const asset = (a) => ({
    id: a.id,
    name: a.name,
    size: a.size,
    download_count: 0,
    created_at: a.created,
    uuid: a.uuid,
    browser_download_url: `${web()}/attachments/${a.uuid}`,
  });

  function issue(i) {
    const r = i.repo;
    return {
      id: i.id,
      url: `${repoApi(r)}/issues/${i.number}`,
      html_url: issueWeb(i),
      number: i.number,
      user: user(i.user),
      original_author: '',
      original_author_id: 0,
      title: i.title,
      body: i.body,
      ref: '',
      ...(isNew() && { assets: i.assets.map(asset) }),
      labels: i.labels.map((l) => label(r, l)),
      milestone: null,
      assignee: null,
      assignees: null,
      state: i.state,
      is_locked: false,
      comments: sim.state.commentsOf(i).length,
      created_at: i.created,
      updated_at: i.updated,
      closed_at: i.closed,
      due_date: null,
      pull_request: i.pull ? { merged: Boolean(i.pull.merged), merged_at: i.pull.merged } : null,
      repository: { id: r.id, name: r.name, owner: r.owner.login, full_name: fullNameOf(r) },
      ...(isNew() && { pin_order: 0 }),
    };
  }

  function comment(c) {
    const at = issueWeb(c.issue);
    return {
      id: c.id,
      html_url: `${at}#issuecomment-${c.id}`,
      pull_request_url: c.issue.pull ? at : '',
      issue_url: c.issue.pull ? '' : at,
      user: user(c.user),
      original_author: '',
      original_author_id: 0,
      body: c.body,
      ...(isNew() && { assets: c.assets.map(asset) }),
      created_at: c.created,
      updated_at: c.updated,
    };
  }

  const reaction = (x) => ({ user: user(x.user), content: x.content, created_at: x.created });

  // Gitea's timeline says "1" for a label that was put on and "" for one that was taken off.
  const TIMELINE = {
    labeled: ['label', '1'],
    unlabeled: ['label', ''],
    closed: ['close', ''],
    reopened: ['reopen', ''],
  };
  function event(i, e) {
    const [type, body] = TIMELINE[e.event];
    const at = issueWeb(i);
    return {
      id: e.id,
      type,
      html_url: `${at}#issuecomment-${e.id}`,
      pull_request_url: i.pull ? at : '',
      issue_url: i.pull ? '' : at,
      user: user(e.actor),
      body,
      created_at: e.at,
      updated_at: e.at,
      old_project_id: 0,
      project_id: 0,
      old_milestone: null,
      milestone: null,
      tracked_time: null,
      old_title: '',
      new_title: '',
      old_ref: '',
      new_ref: '',
      ref_issue: null,
      ref_comment: null,
      ref_action: '',
      ref_commit_sha: '',
      review_id: 0,
      label: e.label ? label(i.repo, e.label) : null,
      assignee: null,
      assignee_team: null,
      removed_assignee: false,
      resolve_doer: null,
      dependent_issue: null,
    };
  }

  const side = (r, ref, sha) => ({ label: ref, ref, sha, repo_id: r.id, repo: repo(r) });

  async function pull(i) {
    const r = i.repo,
      p = i.pull,
      at = issueWeb(i);
    return {
      id: p.id,
      url: at,
      number: i.number,
      user: user(i.user),
      title: i.title,
      body: i.body,
      labels: i.labels.map((l) => label(r, l)),
      milestone: null,
      assignee: null,
      assignees: null,
      ...(isNew() && {
        requested_reviewers: p.reviewers.map(user),
        draft: /^(WIP:|\[WIP\])/i.test(i.title),
      }),
      state: i.state,
      is_locked: false,
      comments: sim.state.commentsOf(i).length,
      html_url: at,
      diff_url: `${at}.diff`,
      patch_url: `${at}.patch`,
      mergeable: true,
      merged: Boolean(p.merged),
      merged_at: p.merged,
      merge_commit_sha: null,
      merged_by: null,
      ...(isNew() && { allow_maintainer_edit: false }),
      base: side(r, p.base, p.baseSha),
      head: side(p.headRepo, p.head, p.headSha),
      merge_base: (await mergeBase(r.gitDir, p.baseSha, p.headSha)) ?? '',
      due_date: null,
      created_at: i.created,
      updated_at: i.updated,
      closed_at: i.closed,
      ...(isNew() && { pin_order: 0 }),
    };
  }

  const status = (r, s) => ({
    id: s.id,
    status: s.state,
    target_url: s.targetUrl,
    description: s.description,
    url: `${repoApi(r)}/statuses/${s.sha}`,
    context: s.context,
    creator: user(s.creator),
    created_at: s.created,
    updated_at: s.updated,
  });

  const author = (who) => ({ name: who.name, email: who.email, username: '' });

  const payloadCommit = (r, c) => ({
    id: c.sha,
    message: `${c.message}\n`,
    url: `${repoWeb(r)}/commit/${c.sha}`,
    author: author(c.author),
    committer: author(c.committer),
    verification: null,
    timestamp: c.committer.date,
    added: null,
    removed: null,
    modified: null,
  });

  const branch = (r, name, c) => ({
    name,
    commit: payloadCommit(r, c),
    protected: false,
    required_approvals: 0,
    enable_status_check: false,
    status_check_contexts: [],
    user_can_push: true,
    user_can_merge: true,
    effective_branch_protection_name: '',
  });

  function commit(r, c) {
    const url = `${repoApi(r)}/git/commits/${c.sha}`;
    return {
      url,
      sha: c.sha,
      created: c.committer.date,
      html_url: `${repoWeb(r)}/commit/${c.sha}`,
      commit: {
        url,
        author: c.author,
        committer: c.committer,
        message: `${c.message}\n`,
        tree: { url: `${repoApi(r)}/git/trees/${c.tree}`, sha: c.tree, created: EPOCH },
      },
      author: null,
      committer: null,
      parents: c.parents.map((sha) => ({
        url: `${repoApi(r)}/git/commits/${sha}`,
        sha,
        created: EPOCH,
      })),
      files: null,
    };
  }

  const ref = (r, name, sha) => ({
    ref: name,
    url: `${repoApi(r)}/git/${name}`,
    object: { type: 'commit', sha, url: `${repoApi(r)}/git/commits/${sha}` },
  });

  function content(r, at, commitSha, path, found) {
    const isFile = found.type === 'blob';
    const url = `${repoApi(r)}/contents/${path}?ref=${at}`;
    const html = `${repoWeb(r)}/src/branch/${at}/${path}`;
    const gitUrl = `${repoApi(r)}/git/blobs/${found.sha}`;
    return {
      name: path.split('/').pop(),
      path,
      sha: found.sha,
      last_commit_sha: commitSha,
      type: isFile ? 'file' : 'dir',
      size: isFile ? found.bytes.length : 0,
      encoding: isFile ? 'base64' : null,
      content: isFile ? found.bytes.toString('base64') : null,
      target: null,
      url,
      html_url: html,
      git_url: gitUrl,
      download_url: isFile ? `${repoWeb(r)}/raw/branch/${at}/${path}` : null,
      submodule_git_url: null,
      _links: { self: url, git: gitUrl, html },
    };
  }

  return {
    asset,
    branch,
    comment,
    commit,
    content,
    event,
    issue,
    label,
    payloadCommit,
    permissionsOf,
    pull,
    reaction,
    ref,
    repo,
    repoApi,
    repoWeb,
    status,
    user,
  };
}
