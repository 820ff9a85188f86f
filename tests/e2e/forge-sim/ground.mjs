// SPDX-License-Identifier: Apache-2.0
// The ground of a forge's memory: clock, ids, people, repositories, and the one place where a change
// is written into the truth log and told to the webhooks.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { commitDirectory, commitFiles, copyBranches, createBare, readRefs } from './repo-git.mjs';

export const LEVELS = ['none', 'read', 'triage', 'write', 'maintain', 'admin'];
export const can = (level, wanted) => LEVELS.indexOf(level) >= LEVELS.indexOf(wanted);

export class Conflict extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Ground {
  // firstId: GitHub's ids do not fit into 32 bits, Gitea's begin at 1 for each kind of thing.
  constructor({ dir, truth, firstId = 1, pullsApart = false }) {
    this.dir = dir;
    this.truth = truth;
    this.firstId = firstId;
    this.pullsApart = pullsApart; // counted apart from issues, as GitLab does
    this.counters = new Map();
    this.users = new Map();
    this.repos = new Map();
    this.checks = new Map();
    this.assets = new Map();
    this.listeners = [];
    this.clockOffset = 0;
    mkdirSync(join(dir, 'git'), { recursive: true });
    mkdirSync(join(dir, 'assets'), { recursive: true });
  }

  now() {
    return Date.now() + this.clockOffset;
  }

  stamp() {
    return new Date(this.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  id(kind) {
    const next = (this.counters.get(kind) ?? this.firstId - 1) + 1;
    this.counters.set(kind, next);
    return next;
  }

  on(listener) {
    this.listeners.push(listener);
  }

  // One change: into the truth log, then out to the webhooks. `content` marks what a forge's
  // limit on content creation counts.
  changed(name, { actor, request, content = false, ...fields }, event) {
    this.truth.effect(name, {
      n: request ?? null,
      actor: actor?.login ?? null,
      ...(content && { content }),
      ...fields,
    });
    if (event) for (const tell of this.listeners) tell(name, { actor, ...event });
  }

  user(login) {
    const found = this.users.get(login.toLowerCase());
    if (!found) throw new Conflict('missing', `no user ${login}`);
    return found;
  }

  findUser(login) {
    return this.users.get(String(login).toLowerCase());
  }

  createUser({ login, type = 'User', email, admin = false, token }) {
    const known = this.findUser(login);
    if (known) return Object.assign(known, token && { token });
    const created = this.stamp();
    const made = {
      id: this.id('user'),
      login,
      type,
      admin,
      token,
      created,
      email: email ?? `${login.replace(/\[bot\]$/, '')}@example.invalid`,
    };
    this.users.set(login.toLowerCase(), made);
    return made;
  }

  repo(fullName) {
    const found = this.findRepo(fullName);
    if (!found) throw new Conflict('missing', `no repository ${fullName}`);
    return found;
  }

  findRepo(fullName) {
    const wanted = fullName.toLowerCase();
    return [...this.repos.values()].find((r) => fullNameOf(r).toLowerCase() === wanted);
  }

  async createRepo(wish) {
    const { owner, name, from, files, members = {}, labels = [], forkOf } = wish;
    const branch = wish.defaultBranch ?? 'main';
    const ownerUser = this.createUser({ login: owner, type: wish.ownerType ?? 'Organization' });
    const id = this.id('repo');
    const repo = {
      id,
      owner: ownerUser,
      name,
      private: wish.private ?? true,
      defaultBranch: branch,
      description: wish.description ?? '',
      members: new Map(),
      labels: [],
      issues: new Map(),
      comments: new Map(),
      statuses: [],
      nextNumber: 1,
      nextPull: 1,
      created: this.stamp(),
      updated: this.stamp(),
      gitDir: join(this.dir, 'git', owner, `${name}.git`),
      forkOf: forkOf ? this.repo(forkOf) : null,
      refs: new Map(),
      queue: Promise.resolve(),
    };
    await createBare(repo.gitDir, branch);
    const at = this.now(),
      who = ownerUser;
    if (from) await commitDirectory(repo.gitDir, { from, branch, message: 'Begin', who, at });
    if (files) await commitFiles(repo.gitDir, { branch, files, message: 'Begin', who, at });
    if (repo.forkOf) await copyBranches(repo.gitDir, repo.forkOf.gitDir);
    repo.refs = await readRefs(repo.gitDir);
    this.repos.set(id, repo);
    for (const [login, level] of Object.entries(members)) this.setMember(repo, login, level);
    for (const label of labels) this.createLabel(repo, { name: label });
    this.changed('repo.created', { repo: fullNameOf(repo), id });
    return repo;
  }

  setMember(repo, login, level) {
    const user = this.createUser({ login });
    if (level === 'none') repo.members.delete(user.id);
    else repo.members.set(user.id, level);
    return user;
  }

  level(repo, user) {
    if (!user) return repo.private ? 'none' : 'read';
    if (user.id === repo.owner.id || user.admin) return 'admin';
    return repo.members.get(user.id) ?? (repo.private ? 'none' : 'read');
  }

  createLabel(repo, { name, color = 'ededed', description = '' }, by = {}) {
    if (repo.labels.some((l) => l.name.toLowerCase() === name.toLowerCase())) {
      throw new Conflict('exists', `label ${name} exists`);
    }
    const label = { id: this.id('label'), name, color: color.replace(/^#/, ''), description };
    repo.labels.push(label);
    this.changed('label.created', { repo: fullNameOf(repo), label: name, ...by });
    return label;
  }

  label(repo, name) {
    const found = repo.labels.find((l) => l.name.toLowerCase() === String(name).toLowerCase());
    return found ?? null;
  }

  labelMade(repo, name, by) {
    return this.label(repo, name) ?? this.createLabel(repo, { name }, by);
  }

  // Everything that moves refs of one repository happens one after the other.
  locked(repo, work) {
    const next = repo.queue.then(work, work);
    repo.queue = next.catch(() => {});
    return next;
  }
}

export const fullNameOf = (repo) => `${repo.owner.login}/${repo.name}`;
