// SPDX-License-Identifier: Apache-2.0
// GitHub's JSON for people and repositories, and the addresses of everything.
import { can, fullNameOf } from './state.mjs';

export const node = (kind, id) =>
  Buffer.from(`${kind}_${id}`).toString('base64').replace(/=+$/, '');
export const nullable = (text) => (text === '' || text === undefined ? null : text);

const REPO_URLS = {
  archive_url: '/{archive_format}{/ref}',
  assignees_url: '/assignees{/user}',
  blobs_url: '/git/blobs{/sha}',
  branches_url: '/branches{/branch}',
  collaborators_url: '/collaborators{/collaborator}',
  comments_url: '/comments{/number}',
  commits_url: '/commits{/sha}',
  compare_url: '/compare/{base}...{head}',
  contents_url: '/contents/{+path}',
  contributors_url: '/contributors',
  deployments_url: '/deployments',
  downloads_url: '/downloads',
  events_url: '/events',
  forks_url: '/forks',
  git_commits_url: '/git/commits{/sha}',
  git_refs_url: '/git/refs{/sha}',
  git_tags_url: '/git/tags{/sha}',
  hooks_url: '/hooks',
  issue_comment_url: '/issues/comments{/number}',
  issue_events_url: '/issues/events{/number}',
  issues_url: '/issues{/number}',
  keys_url: '/keys{/key_id}',
  labels_url: '/labels{/name}',
  languages_url: '/languages',
  merges_url: '/merges',
  milestones_url: '/milestones{/number}',
  notifications_url: '/notifications{?since,all,participating}',
  pulls_url: '/pulls{/number}',
  releases_url: '/releases{/id}',
  stargazers_url: '/stargazers',
  statuses_url: '/statuses/{sha}',
  subscribers_url: '/subscribers',
  subscription_url: '/subscription',
  tags_url: '/tags',
  teams_url: '/teams',
  trees_url: '/git/trees{/sha}',
};

export function places(sim) {
  const web = () => sim.base;
  const api = () => `${sim.base}${sim.apiPrefix}`;
  const repoApi = (repo) => `${api()}/repos/${fullNameOf(repo)}`;
  const repoWeb = (repo) => `${web()}/${fullNameOf(repo)}`;

  function user(u) {
    if (!u) return null;
    const at = `${api()}/users/${encodeURIComponent(u.login)}`;
    return {
      login: u.login,
      id: u.id,
      node_id: node('U', u.id),
      avatar_url: `${web()}/avatars/u/${u.id}`,
      gravatar_id: '',
      url: at,
      html_url: `${web()}/${encodeURIComponent(u.login)}`,
      followers_url: `${at}/followers`,
      following_url: `${at}/following{/other_user}`,
      gists_url: `${at}/gists{/gist_id}`,
      starred_url: `${at}/starred{/owner}{/repo}`,
      subscriptions_url: `${at}/subscriptions`,
      organizations_url: `${at}/orgs`,
      repos_url: `${at}/repos`,
      events_url: `${at}/events{/privacy}`,
      received_events_url: `${at}/received_events`,
      type: u.type,
      user_view_type: 'public',
      site_admin: u.admin,
    };
  }

  function fullUser(u) {
    return {
      ...user(u),
      name: null,
      company: null,
      blog: null,
      location: null,
      email: null,
      hireable: null,
      bio: null,
      public_repos: 0,
      public_gists: 0,
      followers: 0,
      following: 0,
      created_at: u.created,
      updated_at: u.created,
    };
  }

  const permissionsOf = (level) => ({
    admin: can(level, 'admin'),
    maintain: can(level, 'maintain'),
    push: can(level, 'write'),
    triage: can(level, 'triage'),
    pull: can(level, 'read'),
  });

  function repo(r, level) {
    const urls = Object.fromEntries(Object.entries(REPO_URLS).map(([k, v]) => [k, repoApi(r) + v]));
    const open = [...r.issues.values()].filter((i) => i.state === 'open').length;
    const host = new URL(web()).host;
    return {
      id: r.id,
      node_id: node('R', r.id),
      name: r.name,
      full_name: fullNameOf(r),
      private: r.private,
      owner: user(r.owner),
      html_url: repoWeb(r),
      description: nullable(r.description),
      fork: Boolean(r.forkOf),
      url: repoApi(r),
      ...urls,
      created_at: r.created,
      updated_at: r.updated,
      pushed_at: r.updated,
      git_url: `git://${host}/${fullNameOf(r)}.git`,
      ssh_url: `git@${host}:${fullNameOf(r)}.git`,
      clone_url: `${repoWeb(r)}.git`,
      svn_url: repoWeb(r),
      homepage: null,
      size: 1,
      stargazers_count: 0,
      watchers_count: 0,
      language: null,
      has_issues: true,
      has_projects: true,
      has_downloads: true,
      has_wiki: true,
      has_pages: false,
      has_discussions: false,
      forks_count: 0,
      mirror_url: null,
      archived: false,
      disabled: false,
      open_issues_count: open,
      license: null,
      allow_forking: true,
      is_template: false,
      web_commit_signoff_required: false,
      topics: [],
      visibility: r.private ? 'private' : 'public',
      forks: 0,
      open_issues: open,
      watchers: 0,
      default_branch: r.defaultBranch,
      ...(level && { permissions: permissionsOf(level) }),
    };
  }

  const fullRepo = (r, level) => ({ ...repo(r, level), network_count: 0, subscribers_count: 0 });

  return { api, fullRepo, fullUser, permissionsOf, repo, repoApi, repoWeb, user, web };
}
