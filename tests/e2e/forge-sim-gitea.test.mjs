// SPDX-License-Identifier: Apache-2.0
// forge-sim as a Gitea before an independent client (npm gitea-js) and beside real deliveries.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { giteaApi } from 'gitea-js';
import { client, receiver } from './lib/clients.mjs';
import { Forge } from './lib/forge.mjs';
import { remove, scratch } from './lib/scratch.mjs';

const TOKEN = 'tok-e2e-0123456789abcdef';
const SECRET = 'hook-secret-0123456789';
const GOLDEN = fileURLToPath(new URL('../golden/gitea/deliveries/', import.meta.url));

test('npm gitea-js works with forge-sim as with a Gitea', async () => {
  const dir = scratch('giteajs');
  const args = ['--bot-permission', 'admin'];
  const forge = await Forge.start({ dialect: 'gitea', dir, token: TOKEN, args });
  try {
    await forge.do('repos', {
      owner: 'acme',
      name: 'widget',
      files: { 'a.txt': 'one\n' },
      members: { alice: 'write' },
      labels: ['agent', 'bug'],
    });
    const api = giteaApi(forge.url, { token: TOKEN });
    const at = ['acme', 'widget'];
    const { data: issue } = await api.repos.issueCreateIssue(...at, { title: 'Crash', body: 'b' });
    const { data: labels } = await api.repos.issueListLabels(...at);
    const { data: put } = await api.repos.issueAddLabel(...at, issue.number, {
      labels: [labels[0].id],
    });
    assert.deepEqual(
      put.map((l) => l.name),
      ['agent'],
    );
    await api.repos.issueRemoveLabel(...at, issue.number, labels[0].id);
    const { data: comment } = await api.repos.issueCreateComment(...at, issue.number, {
      body: 'hello',
    });
    await api.repos.issueEditComment(...at, comment.id, { body: 'better' });
    await api.repos.issuePostCommentReaction(...at, comment.id, { content: 'eyes' });
    const { data: comments } = await api.repos.issueGetComments(...at, issue.number);
    assert.deepEqual(
      comments.map((c) => c.body),
      ['better'],
    );
    const attachment = new File(['\u001b[31mred\u001b[0m\n'], 'task.log');
    const { data: asset } = await api.repos.issueCreateIssueAttachment(...at, issue.number, {
      attachment,
    });
    assert.equal(
      await (await fetch(asset.browser_download_url)).text(),
      '\u001b[31mred\u001b[0m\n',
    );
    await assert.rejects(
      api.repos.issueCreateIssueAttachment(...at, issue.number, {
        attachment: new File(['x'], 'task.exe'),
      }),
    );
    const { sha } = await forge.do('commit', {
      repo: 'acme/widget',
      branch: 'topic',
      files: { 'a.txt': 'two\n' },
      as: 'alice',
    });
    const { data: pull } = await api.repos.repoCreatePullRequest(...at, {
      title: 'WIP: Mend',
      head: 'topic',
      base: 'main',
    });
    assert.equal(pull.draft, true);
    await api.repos.repoCreateStatus(...at, sha, { state: 'success', context: 'nightshift' });
    const { data: combined } = await api.repos.repoGetCombinedStatusByRef(...at, sha);
    assert.equal(combined.state, 'success');
    const { data: permission } = await api.repos.repoGetRepoPermissions(...at, 'alice');
    assert.equal(permission.permission, 'write');
    assert.deepEqual((await forge.check()).problems, []);
  } finally {
    await forge.stop();
    remove(dir);
  }
});

test('an old Gitea lacks what an old Gitea lacks', async () => {
  const dir = scratch('old');
  const forge = await Forge.start({
    dialect: 'gitea',
    dir,
    token: TOKEN,
    args: ['--gitea-version', '1.16.9'],
  });
  try {
    await forge.do('repos', {
      owner: 'acme',
      name: 'widget',
      files: { x: 'y\n' },
      members: { alice: 'write' },
    });
    const { number } = await forge.do('issues', { repo: 'acme/widget', title: 'x', as: 'alice' });
    const call = client(forge, `token ${TOKEN}`);
    assert.equal((await call('GET', '/version')).json.version, '1.16.9');
    const asked = await call('GET', '/repos/acme/widget/collaborators/alice/permission');
    assert.equal(asked.status, 404);
    assert.equal((await call('GET', '/repos/acme/widget/collaborators/alice')).status, 204);
    assert.equal((await call('GET', `/repos/acme/widget/issues/${number}/assets`)).status, 404);
    assert.equal(
      (await call('POST', `/repos/acme/widget/issues/${number}/labels`, { labels: ['agent'] }))
        .status,
      422,
    );
  } finally {
    await forge.stop();
    remove(dir);
  }
});

// Every key that a real Gitea sent is in ours, with the same type: so nothing that the bot reads
// in a real delivery can be missing here.
test("Gitea's webhooks have the shape of real deliveries", async () => {
  const dir = scratch('shape'),
    hook = await receiver();
  const forge = await Forge.start({
    dialect: 'gitea',
    dir,
    token: TOKEN,
    secret: SECRET,
    args: ['--gitea-version', '1.17.0'],
  });
  try {
    await forge.do('hook', { url: hook.url });
    const repo = 'acme/widget';
    await forge.do('repos', {
      owner: 'acme',
      name: 'widget',
      files: { x: 'y\n' },
      members: { alice: 'write' },
      labels: ['agent'],
    });
    const { number } = await forge.do('issues', { repo, title: 'x', as: 'alice' });
    await forge.do('label', { repo, number, label: 'agent', as: 'alice' });
    const { id } = await forge.do('comment', { repo, number, body: 'a', as: 'alice' });
    await forge.do('comment/edit', { repo, id, body: 'b', as: 'alice' });
    await forge.do('comment/delete', { repo, id, as: 'alice' });
    await forge.do('unlabel', { repo, number, label: 'agent', as: 'alice', cleared: true });
    await forge.do('close', { repo, number, as: 'alice' });
    await forge.do('commit', { repo, branch: 'topic', files: { x: 'z\n' }, as: 'alice' });
    const pull = await forge.do('pulls', {
      repo,
      head: 'topic',
      base: 'main',
      title: 'p',
      as: 'alice',
    });
    await forge.do('comment', { repo, number: pull.number, body: '/agent fix', as: 'alice' });
    await forge.do('commit', { repo, branch: 'topic', files: { x: 'zz\n' }, as: 'alice' });
    await forge.do('label', { repo, number: pull.number, label: 'agent', as: 'alice' });
    await forge.idle();
    const compared = [];
    for (const { headers, body } of hook.got) {
      const sent = JSON.parse(body);
      const name = `${headers['x-gitea-event-type']}.${sent.action ?? 'none'}.http`;
      const file =
        existsSync(GOLDEN) && readdirSync(GOLDEN).find((f) => f === name || f.endsWith(`/${name}`));
      assert.ok(file, `a real delivery named ${name}`);
      const raw = readFileSync(join(GOLDEN, file), 'utf8'),
        at = raw.search(/\r?\n\r?\n/);
      const names = [...raw.slice(0, at).matchAll(/^(x-[^:]+):/gim)].map((m) => m[1].toLowerCase());
      assert.deepEqual(
        names.filter((n) => !(n in headers)),
        [],
        `${name}: headers`,
      );
      assert.deepEqual(missing(JSON.parse(raw.slice(at)), sent), [], name);
      compared.push(name);
    }
    assert.ok(new Set(compared).size >= 11, [...new Set(compared)].join());
  } finally {
    await forge.stop();
    hook.close();
    remove(dir);
  }
});

// Paths of the real value that ours does not have, or has with another type. null fits everything.
function missing(real, ours, at = '') {
  if (real === null || ours === null) return [];
  const kind = (v) => (Array.isArray(v) ? 'array' : typeof v);
  if (kind(real) !== kind(ours)) return [`${at}: ${kind(ours)}, not ${kind(real)}`];
  if (Array.isArray(real))
    return real.length && ours.length ? missing(real[0], ours[0], `${at}[]`) : [];
  if (typeof real !== 'object') return [];
  return Object.keys(real).flatMap((k) =>
    k in ours ? missing(real[k], ours[k], `${at}.${k}`) : [`${at}.${k} is missing`],
  );
}
