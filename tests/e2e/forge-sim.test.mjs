// SPDX-License-Identifier: Apache-2.0
// forge-sim is the ground that every other end-to-end test stands on, so it is proved first: by
// independent clients (npm gitea-js, git, a signature check of our own), by the forges' official
// descriptions, by real deliveries - and the judges themselves by traffic that is wrong on purpose.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkTraffic } from './check/traffic.mjs';
import { Bans } from './forge-sim/bans.mjs';
import { client, git, receiver } from './lib/clients.mjs';
import { Forge } from './lib/forge.mjs';
import { remove, scratch } from './lib/scratch.mjs';

const TOKEN = 'tok-e2e-0123456789abcdef';
const SECRET = 'hook-secret-0123456789';

for (const dialect of ['github', 'gitea']) {
  describe(`forge-sim as ${dialect}`, () => {
    let dir, forge, hook, call;
    before(async () => {
      dir = scratch('sim');
      forge = await Forge.start({
        dialect,
        dir,
        token: TOKEN,
        secret: SECRET,
        args: ['--page-size', '3'],
      });
      hook = await receiver();
      await forge.do('hook', { url: hook.url });
      await forge.do('repos', {
        owner: 'acme',
        name: 'widget',
        files: { 'a.txt': 'one\n', 'd/b.txt': 'x\n' },
        members: { alice: 'write', carol: 'read' },
        labels: ['agent'],
      });
      await forge.do('repos', { owner: 'acme', name: 'secret', files: { x: 'y\n' } });
      call = client(forge, `token ${TOKEN}`);
    });
    after(async () => {
      await forge.stop();
      hook.close();
      remove(dir);
    });

    test('git clones and pushes with the token, and only with it', async () => {
      const clone = `${forge.url}/acme/widget.git`,
        here = join(dir, 'clone');
      const basic = (user, password) => [
        '-c',
        `http.extraHeader=Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
      ];
      assert.notEqual((await git(['clone', '-q', clone, here], dir)).code, 0);
      assert.notEqual(
        (await git([...basic('x-access-token', 'wrong'), 'clone', '-q', clone, here], dir)).code,
        0,
      );
      const good = basic('x-access-token', TOKEN);
      const cloned = await git([...good, 'clone', '-q', clone, here], dir);
      assert.equal(cloned.code, 0, cloned.stderr);
      assert.equal(readFileSync(join(here, 'a.txt'), 'utf8'), 'one\n');
      await git(['checkout', '-q', '-b', 'topic'], here);
      await git(['commit', '-q', '--allow-empty', '-m', 'empty'], here);
      const pushed = await git(
        [...good, 'push', '-q', 'origin', 'topic', 'HEAD:refs/agent-logs/7'],
        here,
      );
      assert.equal(pushed.code, 0, pushed.stderr);
      const pushes = await forge.effects('push', { repo: 'acme/widget' });
      assert.deepEqual(pushes.map((p) => p.ref).sort(), ['refs/agent-logs/7', 'refs/heads/topic']);
      assert.equal(pushes[0].old, '0'.repeat(40));
      assert.equal(pushes[0].actor, 'nightshift');
    });

    test('comments, reactions and labels, with pages and without repetition', async () => {
      const { number } = await forge.do('issues', {
        repo: 'acme/widget',
        title: 'Crash',
        body: 'x',
        as: 'alice',
      });
      const at = `/repos/acme/widget/issues/${number}`;
      for (let i = 0; i < 7; i++)
        assert.equal((await call('POST', `${at}/comments`, { body: `c${i}` })).status, 201);
      const pages = [];
      for (let next = `${at}/comments`; next;) {
        const { json, headers } = await call('GET', next);
        pages.push(json.length);
        next = /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1].replace(forge.api, '');
      }
      assert.deepEqual(pages, dialect === 'github' ? [3, 3, 1] : [7]);
      assert.equal((await call('POST', `${at}/reactions`, { content: 'eyes' })).status, 201);
      assert.equal((await call('POST', `${at}/reactions`, { content: 'eyes' })).status, 200);
      const level = (login) => call('GET', `/repos/acme/widget/collaborators/${login}/permission`);
      if (dialect === 'github') {
        assert.equal((await level('alice')).json.permission, 'write');
        assert.equal((await level('carol')).json.permission, 'read');
      } else {
        assert.equal((await level('alice')).status, 403, 'only administrators may ask');
        assert.equal((await level('nightshift')).json.permission, 'write');
        const { json } = await call('GET', '/repos/acme/widget/assignees');
        assert.deepEqual(json.map((u) => u.login).sort(), ['alice', 'nightshift']);
      }
    });

    test('a pull request: opened once, found by its head, its head moves with the branch', async () => {
      await forge.do('commit', {
        repo: 'acme/widget',
        branch: 'agent/9-x',
        files: { 'a.txt': 'two\n' },
        as: 'alice',
      });
      const wish = { title: 'Mend', head: 'agent/9-x', base: 'main', body: 'b' };
      const made = await call('POST', '/repos/acme/widget/pulls', wish);
      assert.equal(made.status, 201, made.text);
      assert.equal(
        (await call('POST', '/repos/acme/widget/pulls', wish)).status,
        dialect === 'github' ? 422 : 409,
      );
      assert.notEqual(
        (await call('POST', '/repos/acme/widget/pulls', { ...wish, head: 'absent' })).status,
        201,
      );
      const found =
        dialect === 'github'
          ? (await call('GET', '/repos/acme/widget/pulls?state=open&head=acme:agent/9-x')).json[0]
          : (await call('GET', '/repos/acme/widget/pulls/main/agent/9-x')).json;
      assert.equal(found.number, made.json.number);
      const { sha } = await forge.do('commit', {
        repo: 'acme/widget',
        branch: 'agent/9-x',
        files: { 'a.txt': 'three\n' },
        as: 'alice',
      });
      assert.equal(
        (await call('GET', `/repos/acme/widget/pulls/${found.number}`)).json.head.sha,
        sha,
      );
      const page = await (await fetch(found.html_url)).text();
      assert.match(page, /\+three/);
    });

    test("webhooks carry the dialect's headers and a signature that holds", async () => {
      await forge.idle(); /* what the tests before have caused */
      const from = hook.got.length;
      const { number } = await forge.do('issues', {
        repo: 'acme/widget',
        title: '<b>Ünï</b> & more',
        labels: ['agent'],
        as: 'alice',
      });
      await forge.do('comment', { repo: 'acme/widget', number, body: '/agent fix', as: 'alice' });
      await forge.idle();
      const seen = hook.got.slice(from).map(({ headers, body }) => {
        const mac = createHmac('sha256', SECRET).update(body).digest('hex');
        assert.equal(headers['x-hub-signature-256'], `sha256=${mac}`);
        if (dialect === 'gitea') assert.equal(headers['x-gitea-signature'], mac);
        return [
          headers[dialect === 'gitea' ? 'x-gitea-event' : 'x-github-event'],
          JSON.parse(body).action,
        ];
      });
      const opened =
        dialect === 'github'
          ? [
              ['issues', 'opened'],
              ['issues', 'labeled'],
            ]
          : [['issues', 'opened']];
      assert.deepEqual(seen, [...opened, ['issue_comment', 'created']]);
      const { codes, guid } = await forge.do('deliveries/send', {
        event: 'issue_comment',
        times: 20,
      });
      assert.deepEqual(new Set(codes), new Set([202]));
      const again = hook.got.slice(-20).map((d) => d.headers['x-github-delivery']);
      assert.deepEqual(new Set(again), new Set([guid]));
      await forge.do('deliveries/send', { event: 'issue_comment', forged: true });
      const forged = hook.got.at(-1);
      assert.notEqual(
        forged.headers['x-hub-signature-256'],
        `sha256=${createHmac('sha256', SECRET).update(forged.body).digest('hex')}`,
      );
    });

    test('each fault does what its name says', async () => {
      const { number } = await forge.do('issues', {
        repo: 'acme/widget',
        title: 'Faults',
        as: 'alice',
      });
      const post = (body) => call('POST', `/repos/acme/widget/issues/${number}/comments`, { body });
      const bodies = async () =>
        (await forge.issue('acme/widget', number)).comments.map((c) => c.body);
      const rule = (more) =>
        forge.fault({ method: 'POST', path: `/issues/${number}/comments$`, ...more });
      await rule({ kind: 'reset_before' });
      await assert.rejects(post('a'));
      await rule({ kind: 'reset_after' });
      await assert.rejects(post('b'));
      assert.deepEqual(await bodies(), ['b']);
      await rule({ kind: 'secondary_limit', after: 7 });
      const limited = await post('c');
      assert.deepEqual([limited.status, limited.headers.get('retry-after')], [403, '7']);
      await rule({ kind: 'too_many', after: 3 });
      assert.equal((await post('c')).status, 429);
      await rule({ kind: 'unauthorized' });
      assert.equal((await post('c')).status, 401);
      await rule({ kind: 'bad_gateway' });
      assert.equal((await post('c')).status, 502);
      await rule({ kind: 'truncate' });
      const cut = await post('d');
      assert.deepEqual([cut.status, cut.json], [201, undefined]);
      await rule({ kind: 'wrong_length' });
      await assert.rejects(post('e'));
      await rule({ kind: 'redirect', to: `${forge.url}/elsewhere`, status: 307 });
      assert.equal((await post('f')).headers.get('location'), `${forge.url}/elsewhere`);
      assert.deepEqual(await bodies(), ['b', 'd', 'e']);
      assert.equal((await post('g')).status, 201);
    });

    test('a held request waits before or after the change, and can be dropped', async () => {
      const { number } = await forge.do('issues', {
        repo: 'acme/widget',
        title: 'Held',
        as: 'alice',
      });
      const count = async () => (await forge.issue('acme/widget', number)).comments.length;
      const attempt = async (kind, mode) => {
        const id = await forge.fault({ method: 'POST', path: `/issues/${number}/comments$`, kind });
        const answer = call('POST', `/repos/acme/widget/issues/${number}/comments`, {
          body: kind,
        }).catch(() => 'lost');
        await forge.held(id, 5000);
        const during = await count();
        await forge.release(id, mode);
        return [during, (await answer).status ?? 'lost', await count()];
      };
      assert.deepEqual(await attempt('hold_before', 'drop'), [0, 'lost', 0]);
      assert.deepEqual(await attempt('hold_before', 'go'), [0, 201, 1]);
      assert.deepEqual(await attempt('hold_after', 'drop'), [2, 'lost', 2]);
      assert.deepEqual(await attempt('hold_after', 'go'), [3, 201, 3]);
    });

    test('wrong credentials and foreign repositories are refused', async () => {
      assert.equal((await client(forge, 'token wrong')('GET', '/repos/acme/widget')).status, 401);
      assert.equal((await client(forge)('GET', '/repos/acme/widget')).status, 404);
      await forge.do('users', { login: 'mallory', token: 'tok-mallory' });
      assert.equal(
        (await client(forge, 'token tok-mallory')('GET', '/repos/acme/secret')).status,
        404,
      );
    });

    test('the traffic so far agrees with the official description', async () => {
      const { requests, replies, problems } = await forge.check();
      assert.deepEqual(problems, []);
      assert.ok(requests > 30 && replies > 25, `${requests} requests, ${replies} replies`);
    });
  });

  test(`the judge of ${dialect} traffic finds what is wrong`, async () => {
    const prefix = dialect === 'github' ? '/api/v3' : '/api/v1';
    const headers = { 'content-type': 'application/json', 'user-agent': 'x' };
    const asked = async (method, path, body) => {
      const line = { kind: 'request', n: 1, method, path: prefix + path, headers, body };
      return (await checkTraffic(dialect, [line])).problems;
    };
    assert.deepEqual(await asked('POST', '/repos/a/b/issues/1/comments', { body: 'x' }), []);
    assert.match(
      (await asked('POST', '/repos/a/b/issues/1/comments', { bodi: 'x' }))[0],
      /bodi|required/,
    );
    assert.match(
      (
        await asked('POST', '/repos/a/b/pulls', { title: 't', head: 'h', base: 'b', drfat: true })
      )[0],
      /drfat/,
    );
    assert.match((await asked('POST', '/repos/a/b/issues/1/comments', { body: 7 }))[0], /string/);
    assert.match((await asked('POST', '/repos/a/b/issues/1/coments', { body: 'x' }))[0], /not in/);
    assert.match((await asked('GET', '/repos/a/b/issues?stat=open'))[0], /stat/);
    const get = {
      kind: 'request',
      n: 1,
      method: 'GET',
      path: `${prefix}/repos/a/b/issues/1`,
      headers,
    };
    const answer = {
      kind: 'reply',
      n: 1,
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: { number: 'one' },
    };
    assert.match((await checkTraffic(dialect, [get, answer])).problems.join(), /number/);
  });
}

test('peace is kept or broken by who has heard that it was asked for', () => {
  let now = 0;
  const bans = new Bans(() => now),
    who = { kind: 'user', user: { login: 'bot' } };
  const askAt = (ms) => {
    now = ms;
    bans.look({ who, method: 'GET', path: '/x' });
    return bans.broken.length;
  };
  bans.ask(who, 6000);
  assert.equal(askAt(3000), 0, 'it was not read yet, however late that is');
  bans.heard();
  assert.equal(askAt(3900), 0, 'it was under way');
  assert.equal(askAt(4100), 1);
  assert.equal(askAt(6000), 1, 'it is over');
});
