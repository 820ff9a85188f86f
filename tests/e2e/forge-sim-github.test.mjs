// SPDX-License-Identifier: Apache-2.0
// What only GitHub has: Apps with narrow tokens, and a log of deliveries that can be sent again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { appJwt, client, receiver } from './lib/clients.mjs';
import { Forge } from './lib/forge.mjs';
import { remove, scratch } from './lib/scratch.mjs';
import { until } from './lib/until.mjs';

const SECRET = 'hook-secret-0123456789';

test('a GitHub App: its JWT is checked, its token is narrow, ends, and is unknown elsewhere', async () => {
  const dir = scratch('app');
  const forge = await Forge.start({ dialect: 'github', dir, app: true });
  try {
    const { id } = await forge.do('repos', {
      owner: 'acme',
      name: 'widget',
      files: { 'a.txt': 'one\n' },
    });
    await forge.do('repos', { owner: 'acme', name: 'other', files: { 'a.txt': 'one\n' } });
    const now = Math.floor(Date.now() / 1000);
    const asApp = (claims) => client(forge, `Bearer ${appJwt(forge, claims)}`);
    assert.equal((await asApp()('GET', '/app')).json.slug, 'nightshift');
    assert.match((await asApp({ exp: now + 700 })('GET', '/app')).json.message, /Expiration time/);
    assert.match((await asApp({ iat: now + 120 })('GET', '/app')).json.message, /Issued at/);
    assert.equal((await asApp({ iss: 1 })('GET', '/app')).status, 401);
    assert.equal(
      (await client(forge, `Bearer ${appJwt(forge).slice(0, -6)}AAAAAA`)('GET', '/app')).status,
      401,
    );
    const { json: installation } = await asApp()('GET', '/repos/acme/widget/installation');
    const wish = { repository_ids: [id], permissions: { contents: 'write', issues: 'read' } };
    const minted = await asApp()(
      'POST',
      `/app/installations/${installation.id}/access_tokens`,
      wish,
    );
    assert.equal(minted.status, 201, minted.text);
    assert.ok(minted.json.token.length > 255 && minted.json.token.startsWith('ghs_'));
    const narrow = client(forge, `Bearer ${minted.json.token}`);
    assert.equal((await narrow('GET', '/repos/acme/widget')).status, 200);
    assert.equal((await narrow('GET', '/repos/acme/other')).status, 404);
    const { number } = await forge.do('issues', { repo: 'acme/widget', title: 'x' });
    assert.equal((await narrow('GET', `/repos/acme/widget/issues/${number}`)).status, 200);
    assert.equal(
      (await narrow('POST', `/repos/acme/widget/issues/${number}/comments`, { body: 'x' })).status,
      403,
    );
    const wide = await asApp()('POST', `/app/installations/${installation.id}/access_tokens`, {
      permissions: { administration: 'write' },
    });
    assert.equal(wide.status, 422);
    const first = await narrow('GET', '/repos/acme/widget');
    const unchanged = await narrow('GET', '/repos/acme/widget', undefined, {
      'if-none-match': first.headers.get('etag'),
    });
    assert.equal(unchanged.status, 304);
    await forge.do('tokens/expire');
    assert.equal((await narrow('GET', '/repos/acme/widget')).status, 401);
    const { problems } = await forge.check();
    assert.deepEqual(problems, []);
    assert.ok(
      !readFileSync(forge.logFile, 'utf8').includes(minted.json.token),
      'the log holds no token',
    );
  } finally {
    await forge.stop();
    remove(dir);
  }
});

test("GitHub's delivery log lists, shows and sends again with the same id", async () => {
  const dir = scratch('deliveries'),
    hook = await receiver();
  const forge = await Forge.start({ dialect: 'github', dir, app: true, secret: SECRET });
  try {
    await forge.do('repos', { owner: 'acme', name: 'widget', files: { x: 'y\n' } });
    await forge.do('hook', { url: 'http://127.0.0.1:1/hook/x' });
    await forge.do('issues', { repo: 'acme/widget', title: 'lost', as: 'alice' });
    await forge.idle();
    const asApp = client(forge, `Bearer ${appJwt(forge)}`);
    const [lost] = (await asApp('GET', '/app/hook/deliveries?status=failure')).json;
    assert.equal(lost.event, 'issues');
    assert.equal(
      (await asApp('GET', `/app/hook/deliveries/${lost.id}`)).json.request.payload.issue.title,
      'lost',
    );
    await forge.do('hook', { url: hook.url });
    assert.equal((await asApp('POST', `/app/hook/deliveries/${lost.id}/attempts`)).status, 202);
    await until('the delivery comes', () => hook.got.length === 1, 5000);
    assert.equal(hook.got[0].headers['x-github-delivery'], lost.guid);
    assert.deepEqual((await forge.check()).problems, []);
  } finally {
    await forge.stop();
    hook.close();
    remove(dir);
  }
});
