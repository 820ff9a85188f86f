// SPDX-License-Identifier: Apache-2.0
// forge-sim as a GitLab before an independent client (Debian's python3-gitlab), with the limits and
// the hooks of the real one.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { receiver } from './lib/clients.mjs';
import { Forge } from './lib/forge.mjs';
import { run } from './lib/process.mjs';
import { remove, scratch } from './lib/scratch.mjs';

const CLIENT = fileURLToPath(new URL('check/gitlab-client.py', import.meta.url));
const TOKEN = 'glpat-e2e-0123456789abcdef';
const KEY = 'c2VjcmV0LW9mLXRoZS1ob29r';

async function withForge(wish, work) {
  const dir = scratch('gitlab-sim');
  const forge = await Forge.start({ dialect: 'gitlab', dir, token: TOKEN, ...wish });
  try {
    await forge.do('repos', {
      owner: 'acme/tools',
      name: 'widget',
      files: { 'a.txt': 'one\n' },
      members: { alice: 'write' },
      labels: ['agent', 'bug'],
    });
    await work(forge, 'acme/tools/widget');
  } finally {
    await forge.stop();
    remove(dir);
  }
}

const post = async (forge, path, body) => {
  const res = await fetch(`${forge.api}${path}`, {
    method: 'POST',
    headers: { 'private-token': TOKEN, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: res.status, headers: res.headers, body: await res.json() };
};

test('python3-gitlab works with forge-sim as with a GitLab', () =>
  withForge({ args: ['--bot-permission', 'maintain'] }, async (forge, repo) => {
    const files = { 'more.txt': 'more\n' };
    await forge.do('commit', { repo, branch: 'topic', files, as: 'alice' });
    await forge.do('hook', { url: 'http://127.0.0.1:9/hook/x' });
    await forge.do('hook/mode', { off: true });
    const { stdout } = await run('/usr/bin/python3', ['-B', CLIENT, forge.url, TOKEN]);
    assert.deepEqual(JSON.parse(stdout), {
      me: 'nightshift',
      project: repo,
      version: '18.4.1',
      labels: ['agent', 'bug'],
      listed: [1],
      events: [
        ['add', 'bug'],
        ['add', 'agent'],
      ],
      note: ['second'],
      emoji: ['eyes'],
      emoji_again: 404,
      internal: true,
      paged: 7,
      mr: [1, true, 'topic', 'nightshift', 'opened'],
      mr_again: 409,
      talk: ['here', 'answer'],
      line: 1,
      upload: '[log.txt]',
      status: ['success'],
      level: 40,
      stranger: 404,
      said: 9,
      hook: ['executable'],
      scopes: ['api', 'write_repository'],
      closed: 'closed',
    });
    const unknown = (await forge.truth()).filter((l) => l.kind === 'unknown_route');
    assert.deepEqual(unknown, []);
  }));

test('limits: so many requests are told, and so many notes a minute are taken', () =>
  withForge({ args: ['--notes-per-minute', '2'] }, async (forge, repo) => {
    const { number } = await forge.do('issues', { repo, title: 'Crash' });
    const say = () => post(forge, `/projects/1/issues/${number}/notes`, { body: 'x' });
    const first = await say();
    assert.equal(first.status, 201);
    assert.equal(first.headers.get('ratelimit-limit'), '2000');
    assert.equal(first.headers.get('ratelimit-remaining'), '1999');
    assert.equal((await say()).status, 201);
    const third = await say();
    assert.equal(third.status, 429);
    assert.equal(third.headers.get('retry-after'), '60');
    await forge.do('clock', { offset_s: 61 });
    assert.equal((await say()).status, 201);
  }));

test('a token without its scope, a wrong one, a project that is not seen', () =>
  withForge({ args: ['--scopes', 'read_api', '--bot-permission', 'none'] }, async (forge) => {
    const refused = await post(forge, '/projects/1/issues/1/notes', { body: 'x' });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.error, 'insufficient_scope');
    const get = async (path, token) =>
      (await fetch(forge.api + path, { headers: { authorization: `Bearer ${token}` } })).status;
    assert.equal(await get('/user', 'glpat-wrong'), 401);
    assert.equal(await get('/projects/1', TOKEN), 404);
    assert.equal(await get('/user', TOKEN), 200);
  }));

test('hooks: the secret token, or a signature over id, time and body, the same id again', () =>
  withForge({ secret: 'plain' }, async (forge, repo) => {
    const place = await receiver();
    try {
      await forge.do('hook', { url: place.url });
      const { number } = await forge.do('issues', { repo, title: 'Crash', labels: ['bug'] });
      await forge.idle();
      await forge.do('hook', { secret: `whsec_${KEY}` });
      await forge.do('label', { repo, number, label: 'agent' });
      await forge.idle();
      await forge.do('deliveries/send', { event: 'Issue Hook' });
      const [token, signed, again] = place.got;
      assert.equal(token.headers['x-gitlab-token'], 'plain');
      assert.equal(token.headers['x-gitlab-event'], 'Issue Hook');
      const h = signed.headers;
      assert.equal(h['x-gitlab-token'], undefined);
      assert.equal(h['webhook-id'], h['idempotency-key']);
      const mac = createHmac('sha256', Buffer.from(KEY, 'base64'))
        .update(`${h['webhook-id']}.${h['webhook-timestamp']}.${signed.body}`)
        .digest('base64');
      assert.equal(h['webhook-signature'], `v1,${mac}`);
      assert.equal(again.headers['idempotency-key'], h['idempotency-key']);
      const { changes, object_attributes: o } = JSON.parse(signed.body);
      const titles = (list) => list.map((l) => l.title);
      assert.deepEqual(titles(changes.labels.previous), ['bug']);
      assert.deepEqual(titles(changes.labels.current), ['bug', 'agent']);
      assert.equal(o.action, 'update');
    } finally {
      place.close();
    }
  }));

test('hooks: four failures switch it off for a minute, any success makes it well', () =>
  withForge({ secret: 'plain' }, async (forge, repo) => {
    let answer = 404;
    const server = http.createServer((req, res) => {
      req.resume();
      req.on('end', () => res.writeHead(answer).end());
    });
    await new Promise((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    try {
      await forge.do('hook', { url: `http://127.0.0.1:${server.address().port}/` });
      const { number } = await forge.do('issues', { repo, title: 'Crash' });
      const say = async () => {
        await forge.do('comment', { repo, number, body: 'x' });
        await forge.idle();
        return forge.get('hook/health');
      };
      await say();
      assert.deepEqual(await say(), { status: 'executable', failures: 3 });
      assert.deepEqual(await say(), { status: 'temporarily_disabled', failures: 4 });
      assert.deepEqual(await say(), { status: 'temporarily_disabled', failures: 4 });
      const off = (await forge.truth()).filter((l) => l.kind === 'delivery' && l.disabled);
      assert.equal(off.length, 1, 'the fifth was not sent');
      answer = 202;
      await forge.do('clock', { offset_s: 61 });
      assert.deepEqual(await say(), { status: 'executable', failures: 0 });
    } finally {
      server.close();
    }
  }));
