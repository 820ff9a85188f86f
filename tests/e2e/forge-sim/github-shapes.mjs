// SPDX-License-Identifier: Apache-2.0
// GitHub's JSON: how each thing of the state looks in its API and in its webhooks.
// The field lists follow GitHub's OpenAPI description, which checks every reply (see ../check).
import { changes, commits } from './repo-git.mjs';
import { node, nullable, places } from './github-places.mjs';

export function shapes(sim) {
  const place = places(sim);
  const { api, repo, repoApi, repoWeb, user, web } = place;

  const label = (r, l) => ({
    id: l.id,
    node_id: node('LA', l.id),
    url: `${repoApi(r)}/labels/${encodeURIComponent(l.name)}`,
    name: l.name,
    color: l.color,
    default: false,
    description: nullable(l.description),
  });

  function rollup(target, url) {
    const count = (c) => target.reactions.filter((x) => x.content === c).length;
    const names = ['+1', '-1', 'laugh', 'hooray', 'confused', 'heart', 'rocket', 'eyes'];
    return {
      url: `${url}/reactions`,
      total_count: target.reactions.length,
      ...Object.fromEntries(names.map((n) => [n, count(n)])),
    };
  }

  // GitHub's hint, which is wrong for private members on purpose: it must not decide anything.
  const association = (r, u) => (u && u.id === r.owner.id ? 'OWNER' : 'NONE');

  const issueWeb = (i) => `${repoWeb(i.repo)}/${i.pull ? 'pull' : 'issues'}/${i.number}`;
  const issueApi = (i) => `${repoApi(i.repo)}/issues/${i.number}`;

  function issue(i) {
    const r = i.repo,
      url = issueApi(i);
    const pullApi = `${repoApi(r)}/pulls/${i.number}`;
    return {
      url,
      repository_url: repoApi(r),
      labels_url: `${url}/labels{/name}`,
      comments_url: `${url}/comments`,
      events_url: `${url}/events`,
      html_url: issueWeb(i),
      id: i.id,
      node_id: node('I', i.id),
      number: i.number,
      title: i.title,
      user: user(i.user),
      labels: i.labels.map((l) => label(r, l)),
      state: i.state,
      locked: false,
      assignee: null,
      assignees: [],
      milestone: null,
      comments: sim.state.commentsOf(i).length,
      created_at: i.created,
      updated_at: i.updated,
      closed_at: i.closed,
      author_association: association(r, i.user),
      active_lock_reason: null,
      ...(i.pull && {
        draft: i.pull.draft,
        pull_request: {
          url: pullApi,
          html_url: issueWeb(i),
          diff_url: `${issueWeb(i)}.diff`,
          patch_url: `${issueWeb(i)}.patch`,
          merged_at: i.pull.merged,
        },
      }),
      body: nullable(i.body),
      closed_by: null,
      reactions: rollup(i, url),
      timeline_url: `${url}/timeline`,
      performed_via_github_app: null,
      state_reason: i.state === 'closed' ? 'completed' : null,
    };
  }

  function comment(c) {
    const url = `${repoApi(c.issue.repo)}/issues/comments/${c.id}`;
    return {
      url,
      html_url: `${issueWeb(c.issue)}#issuecomment-${c.id}`,
      issue_url: issueApi(c.issue),
      id: c.id,
      node_id: node('IC', c.id),
      user: user(c.user),
      created_at: c.created,
      updated_at: c.updated,
      author_association: association(c.issue.repo, c.user),
      body: c.body,
      reactions: rollup(c, url),
      performed_via_github_app: null,
    };
  }

  const reaction = (x) => ({
    id: x.id,
    node_id: node('REA', x.id),
    user: user(x.user),
    content: x.content,
    created_at: x.created,
  });

  function event(i, e) {
    return {
      id: e.id,
      node_id: node('EV', e.id),
      url: `${repoApi(i.repo)}/issues/events/${e.id}`,
      actor: user(e.actor),
      event: e.event,
      commit_id: null,
      commit_url: null,
      created_at: e.at,
      performed_via_github_app: null,
      ...(e.label && { label: { name: e.label.name, color: e.label.color } }),
    };
  }

  function side(r, ref, sha) {
    return { label: `${r.owner.login}:${ref}`, ref, sha, user: user(r.owner), repo: repo(r) };
  }

  function simplePull(i) {
    const r = i.repo,
      url = `${repoApi(r)}/pulls/${i.number}`,
      html = issueWeb(i),
      { pull } = i;
    const statuses = `${repoApi(r)}/statuses/${pull.headSha}`;
    const links = {
      self: url,
      html,
      issue: issueApi(i),
      comments: `${issueApi(i)}/comments`,
      review_comments: `${url}/comments`,
      review_comment: `${repoApi(r)}/pulls/comments{/number}`,
      commits: `${url}/commits`,
      statuses,
    };
    return {
      url,
      id: pull.id,
      node_id: node('PR', pull.id),
      html_url: html,
      diff_url: `${html}.diff`,
      patch_url: `${html}.patch`,
      issue_url: issueApi(i),
      number: i.number,
      state: i.state,
      locked: false,
      title: i.title,
      user: user(i.user),
      body: nullable(i.body),
      created_at: i.created,
      updated_at: i.updated,
      closed_at: i.closed,
      merged_at: pull.merged,
      merge_commit_sha: null,
      assignee: null,
      assignees: [],
      requested_reviewers: pull.reviewers.map(user),
      requested_teams: [],
      labels: i.labels.map((l) => label(r, l)),
      milestone: null,
      draft: pull.draft,
      commits_url: links.commits,
      review_comments_url: links.review_comments,
      review_comment_url: links.review_comment,
      comments_url: links.comments,
      statuses_url: statuses,
      head: side(pull.headRepo, pull.head, pull.headSha),
      base: side(r, pull.base, pull.baseSha),
      _links: Object.fromEntries(Object.entries(links).map(([k, href]) => [k, { href }])),
      author_association: association(r, i.user),
      auto_merge: null,
      active_lock_reason: null,
    };
  }

  async function pull(i) {
    const { pull: p, repo: r } = i;
    const files = await changes(r.gitDir, p.baseSha, p.headSha);
    const list = await commits(r.gitDir, [`${p.baseSha}..${p.headSha}`]);
    const sum = (key) => files.reduce((n, f) => n + f[key], 0);
    return {
      ...simplePull(i),
      merged: Boolean(p.merged),
      mergeable: true,
      rebaseable: true,
      mergeable_state: 'clean',
      merged_by: null,
      comments: sim.state.commentsOf(i).length,
      review_comments: 0,
      maintainer_can_modify: false,
      commits: list.length,
      additions: sum('additions'),
      deletions: sum('deletions'),
      changed_files: files.length,
    };
  }

  function file(r, sha, f) {
    const at = f.path.split('/').map(encodeURIComponent).join('/');
    return {
      sha: f.status === 'removed' ? null : f.blob,
      filename: f.path,
      status: f.status,
      additions: f.additions,
      deletions: f.deletions,
      changes: f.additions + f.deletions,
      blob_url: `${repoWeb(r)}/blob/${sha}/${at}`,
      raw_url: `${repoWeb(r)}/raw/${sha}/${at}`,
      contents_url: `${repoApi(r)}/contents/${at}?ref=${sha}`,
    };
  }

  function commit(r, c) {
    const url = `${repoApi(r)}/commits/${c.sha}`,
      html = `${repoWeb(r)}/commit/${c.sha}`;
    return {
      sha: c.sha,
      node_id: node('C', c.sha),
      url,
      html_url: html,
      comments_url: `${url}/comments`,
      commit: {
        author: c.author,
        committer: c.committer,
        message: c.message,
        tree: { sha: c.tree, url: `${repoApi(r)}/git/trees/${c.tree}` },
        url: `${repoApi(r)}/git/commits/${c.sha}`,
        comment_count: 0,
        verification: {
          verified: false,
          reason: 'unsigned',
          signature: null,
          payload: null,
          verified_at: null,
        },
      },
      author: null,
      committer: null,
      parents: c.parents.map((sha) => ({
        sha,
        url: `${repoApi(r)}/commits/${sha}`,
        html_url: `${repoWeb(r)}/commit/${sha}`,
      })),
    };
  }

  function app() {
    const { app: a, bot } = sim.auth;
    return {
      id: a.id,
      client_id: `Iv1.${a.id}`,
      slug: a.slug,
      node_id: node('A', a.id),
      owner: user(sim.state.users.get(bot.login.toLowerCase())),
      name: a.slug,
      description: null,
      external_url: web(),
      html_url: `${web()}/apps/${a.slug}`,
      created_at: bot.created,
      updated_at: bot.created,
      permissions: a.permissions,
      events: a.events,
      installations_count: 1,
    };
  }

  function installation(x) {
    return {
      id: x.id,
      client_id: `Iv1.${sim.auth.app.id}`,
      account: user(x.owner),
      repository_selection: 'all',
      access_tokens_url: `${api()}/app/installations/${x.id}/access_tokens`,
      repositories_url: `${api()}/installation/repositories`,
      html_url: `${web()}/settings/installations/${x.id}`,
      app_id: sim.auth.app.id,
      app_slug: sim.auth.app.slug,
      target_id: x.owner.id,
      target_type: x.owner.type,
      permissions: sim.auth.app.permissions,
      events: sim.auth.app.events,
      created_at: x.created,
      updated_at: x.created,
      single_file_name: null,
      suspended_by: null,
      suspended_at: null,
    };
  }

  function check(c) {
    const url = `${repoApi(c.repo)}/check-runs/${c.id}`;
    const { title = null, summary = null, text = null, annotations = [] } = c.output;
    return {
      id: c.id,
      name: c.name,
      node_id: node('CR', c.id),
      head_sha: c.headSha,
      external_id: c.externalId ?? '',
      url,
      html_url: `${repoWeb(c.repo)}/runs/${c.id}`,
      details_url: c.detailsUrl,
      status: c.status,
      conclusion: c.conclusion,
      started_at: c.startedAt ?? c.created,
      completed_at: c.completedAt ?? null,
      output: {
        title,
        summary,
        text,
        annotations_count: annotations.length,
        annotations_url: `${url}/annotations`,
      },
      check_suite: { id: c.suite },
      app: sim.auth.app ? app() : null,
      pull_requests: [],
    };
  }

  const status = (r, s) => ({
    url: `${repoApi(r)}/statuses/${s.sha}`,
    avatar_url: null,
    id: s.id,
    node_id: node('SC', s.id),
    state: s.state,
    description: nullable(s.description),
    target_url: nullable(s.targetUrl),
    context: s.context,
    created_at: s.created,
    updated_at: s.updated,
    creator: user(s.creator),
  });

  const ref = (r, name, sha) => ({
    ref: name,
    node_id: node('REF', name),
    url: `${repoApi(r)}/git/${name}`,
    object: { sha, type: 'commit', url: `${repoApi(r)}/git/commits/${sha}` },
  });

  function content(r, commitSha, path, blob) {
    const at = path.split('/').map(encodeURIComponent).join('/');
    const url = `${repoApi(r)}/contents/${at}?ref=${commitSha}`;
    const gitUrl = `${repoApi(r)}/git/blobs/${blob.sha}`;
    const html = `${repoWeb(r)}/blob/${commitSha}/${at}`;
    return {
      name: path.split('/').pop(),
      path,
      sha: blob.sha,
      size: blob.bytes.length,
      url,
      html_url: html,
      git_url: gitUrl,
      download_url: `${repoWeb(r)}/raw/${commitSha}/${at}`,
      type: 'file',
      content: blob.bytes.toString('base64').replace(/(.{60})/g, '$1\n'),
      encoding: 'base64',
      _links: { self: url, git: gitUrl, html },
    };
  }

  return {
    ...place,
    app,
    check,
    comment,
    commit,
    content,
    event,
    file,
    installation,
    issue,
    issueApi,
    label,
    pull,
    reaction,
    ref,
    simplePull,
    status,
  };
}
