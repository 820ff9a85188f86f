// SPDX-License-Identifier: Apache-2.0
// What a forge remembers: people, repositories, issues, pull requests and all that hangs on them.
//
// The dialects read and change it only through these methods, so every change is written into the
// truth log and told to the webhooks once, whatever road it came by (API, git push, a person).
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Conflict, fullNameOf } from './ground.mjs';
import { Issues } from './issues.mjs';
import { commitFiles, readRefs, refMoves, resolve, takeRef } from './repo-git.mjs';

export { can, Conflict, fullNameOf } from './ground.mjs';

export class State extends Issues {
  pulls(repo) {
    return [...repo.issues.values()].filter((i) => i.pull);
  }

  async openPull(
    repo,
    { title, body = '', head, base, headRepo = repo, draft = false, assignees = [], ...by },
  ) {
    const open = this.pulls(repo).find(
      (i) =>
        i.state === 'open' &&
        i.pull.head === head &&
        i.pull.base === base &&
        i.pull.headRepo === headRepo,
    );
    if (open) throw new Conflict('exists', `A pull request already exists for ${head}.`);
    const headSha = headRepo.refs.get(`refs/heads/${head}`);
    const baseSha = repo.refs.get(`refs/heads/${base}`);
    if (!headSha) throw new Conflict('head', `no branch ${head}`);
    if (!baseSha) throw new Conflict('base', `no branch ${base}`);
    if (headSha === baseSha) throw new Conflict('empty', `No commits between ${base} and ${head}`);
    const issue = this.newIssue(repo, { title, body, actor: by.actor, isPull: true, assignees });
    issue.pull = {
      id: this.id('pull'),
      head,
      base,
      headRepo,
      draft,
      headSha,
      baseSha,
      merged: null,
      reviewers: [],
      reviews: [],
    };
    await this.#showPull(issue);
    this.changed(
      'pull.opened',
      {
        repo: fullNameOf(repo),
        number: issue.number,
        head,
        base,
        head_sha: headSha,
        draft,
        title,
        body,
        content: true,
        ...by,
      },
      { repo, issue },
    );
    return issue;
  }

  createCheck(repo, wish, by) {
    const check = {
      id: this.id('check'),
      repo,
      suite: this.id('suite'),
      created: this.stamp(),
      status: 'queued',
      conclusion: null,
      output: {},
      externalId: null,
      detailsUrl: null,
      ...wish,
    };
    this.checks.set(check.id, check);
    this.#checkChanged('created', check, by);
    return check;
  }

  updateCheck(check, wish, by) {
    Object.assign(check, wish);
    this.#checkChanged('updated', check, by);
    return check;
  }

  #checkChanged(verb, check, by) {
    this.changed(`check.${verb}`, {
      repo: fullNameOf(check.repo),
      id: check.id,
      name: check.name,
      head_sha: check.headSha,
      external_id: check.externalId,
      status: check.status,
      conclusion: check.conclusion,
      content: true,
      ...by,
    });
  }

  checksOf(repo, sha) {
    return [...this.checks.values()].filter((c) => c.repo === repo && c.headSha === sha);
  }

  setStatus(repo, { sha, state, context = 'default', description = '', targetUrl = '' }, by) {
    const now = this.stamp();
    const status = {
      id: this.id('status'),
      sha,
      state,
      context,
      description,
      targetUrl,
      creator: by.actor,
      created: now,
      updated: now,
    };
    repo.statuses.push(status);
    this.changed('status.set', {
      repo: fullNameOf(repo),
      sha,
      state,
      context,
      content: true,
      ...by,
    });
    return status;
  }

  // Newest first, one a context: what counts for the commit.
  currentStatuses(repo, sha) {
    const rows = repo.statuses.filter((s) => s.sha === sha).reverse();
    return rows.filter((s, i) => rows.findIndex((o) => o.context === s.context) === i);
  }

  addAsset(target, { name, bytes, type, ...by }) {
    const uuid = randomUUID();
    const file = join(this.dir, 'assets', uuid);
    writeFileSync(file, bytes);
    const asset = {
      id: this.id('asset'),
      uuid,
      name,
      size: bytes.length,
      type,
      file,
      created: this.stamp(),
      sha256: createHash('sha256').update(bytes).digest('hex'),
    };
    target.assets.push(asset);
    this.assets.set(uuid, asset);
    const issue = target.issue ?? target;
    this.changed('asset.added', {
      repo: fullNameOf(issue.repo),
      number: issue.number,
      comment: target.issue ? target.id : null,
      name,
      size: asset.size,
      sha256: asset.sha256,
      content: true,
      ...by,
    });
    return asset;
  }

  // Called under the repository's queue, after anything that can move a ref.
  async refsMoved(repo, by) {
    const before = repo.refs;
    repo.refs = await readRefs(repo.gitDir);
    const moves = refMoves(before, repo.refs).filter((m) => !/^refs\/(pull|merge-requests)\//.test(m.ref));
    for (const move of moves) {
      this.changed('push', { repo: fullNameOf(repo), ...move, ...by }, { repo, move });
      await this.#followPulls(repo, move, by);
    }
    return moves;
  }

  // The head of a pull request is a ref of the base repository too, also when it is a fork's.
  async #showPull(issue) {
    const { repo, pull } = issue,
      place = this.pullsApart ? 'merge-requests' : 'pull',
      ref = `refs/${place}/${Math.abs(issue.number)}/head`;
    await takeRef(repo.gitDir, ref, pull.headRepo.gitDir, pull.headSha);
    repo.refs.set(ref, pull.headSha);
  }

  async #followPulls(repo, move, by) {
    const branch = move.ref.replace(/^refs\/heads\//, '');
    if (branch === move.ref || /^0+$/.test(move.new)) return;
    for (const target of this.repos.values()) {
      for (const issue of this.pulls(target)) {
        const { pull } = issue;
        if (issue.state !== 'open') continue;
        if (target === repo && pull.base === branch) pull.baseSha = move.new;
        if (pull.headRepo !== repo || pull.head !== branch) continue;
        pull.headSha = move.new;
        await this.#showPull(issue);
        issue.updated = this.stamp();
        this.changed(
          'pull.synchronized',
          {
            repo: fullNameOf(target),
            number: issue.number,
            before: move.old,
            after: move.new,
            ...by,
          },
          { repo: target, issue, move },
        );
      }
    }
  }

  // A person's commit on a branch, made at the forge.
  async commit(repo, { branch, from, files, message = 'Change', actor }) {
    return this.locked(repo, async () => {
      const start =
        repo.refs.get(`refs/heads/${branch}`) ??
        (await resolve(repo.gitDir, from ?? repo.defaultBranch));
      const sha = await commitFiles(repo.gitDir, {
        branch,
        parent: start,
        files,
        message,
        who: actor,
        at: this.now(),
      });
      await this.refsMoved(repo, { actor });
      return sha;
    });
  }
}
