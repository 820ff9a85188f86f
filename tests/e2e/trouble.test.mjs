// SPDX-License-Identifier: Apache-2.0
// A forge with ways of its own: redirects, tokens that end, a clock that is wrong, an old version.
// Everything still happens once, and credentials go to nobody else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiver } from './lib/clients.mjs';
import { ask, assertDone, label, labelled, sticky } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };

for (const [name, wish] of Object.entries(FORGES)) {
  const { dialect } = wish;
  test(`${dialect}: a redirect to another host gets no credentials`, async () => {
    const stranger = await receiver();
    try {
      await inWorld({ name: 'redirect', forges: { [name]: wish } }, async (w) => {
        const forge = w.forges[name],
          repo = await makeRepo(forge);
        const { number } = await ask(forge, repo);
        await forge.fault({
          method: 'GET',
          path: `/issues/${number}$`,
          kind: 'redirect',
          to: `${stranger.url}/stolen`,
          status: 302,
        });
        await forge.fault({
          method: 'POST',
          path: `/issues/${number}/comments$`,
          kind: 'redirect',
          to: `${stranger.url}/stolen`,
          status: 307,
        });
        await label(forge, repo, number);
        await assertDone(forge, repo, number);
        for (const { headers, body } of stranger.got) {
          assert.equal(headers.authorization, undefined);
          assert.ok(
            !JSON.stringify([headers, body.toString()]).includes(
              w.secrets[`${name}-token`] ?? 'ghs_',
            ),
          );
        }
      });
    } finally {
      stranger.close();
    }
  });
}

test('github: tokens that end in the middle of a task', () =>
  inWorld({ name: 'expire', forges: { gh: FORGES.gh }, agent: 'patient' }, async (w) => {
    const forge = w.forges.gh,
      repo = await makeRepo(forge);
    const letGo = w.hold('agent');
    const number = await labelled(forge, repo);
    await forge.until('it runs', ({ repos }) =>
      repos[0].issues[0].labels.includes('agent:running'),
    );
    const { expired } = await forge.do('tokens/expire');
    assert.ok(expired >= 1);
    letGo();
    await assertDone(forge, repo, number);
    const minted = await forge.effects('token.minted');
    const [one, more] = [true, false].map((is) => minted.filter((m) => m.narrowed === is));
    assert.ok(one.length > 1);
    assert.ok(
      one.every((m) => m.repos.length === 1),
      'each token is for one repository',
    );
    for (const { permissions } of more)
      assert.deepEqual(permissions, { metadata: 'read' }, 'or tells their names, and no more');
  }));

// The forge's date tells by how much; both ways, each within what the keeper signs for.
for (const [how, offset_s] of [
  ['behind the forge', 590],
  ['an hour ahead of the forge', -3600],
])
  test(`github: our clock is ${how}`, () =>
    inWorld({ name: 'clock', forges: { gh: FORGES.gh } }, async (w) => {
      const forge = w.forges.gh;
      const begun = Date.now() / 1000;
      await forge.do('clock', { offset_s });
      const repo = await makeRepo(forge);
      await assertDone(forge, repo, await labelled(forge, repo));
      const differs = /^(\S+) .*courier\.clock_differs .*skew_s=(-?\d+)/;
      const [line, at, skew_s] = await w.bot.log(differs, { from: 0 });
      // The longer the answer was on its way, the more is missing.
      const refused = (await forge.truth()).filter((l) => l.kind === 'reply' && l.status === 401);
      const late_s = refused.map((l) => (Date.parse(at) - l.at) / 1000);
      assert.ok(
        late_s.some((late) => Math.abs(Number(skew_s) + late - offset_s) <= 2),
        `${line}: ${late_s} s late`,
      );
      const signed = (await forge.get('stats')).jwts.at(-1);
      const there = signed.iat + 60 - offset_s;
      const isFromThere = there > begun - 30 && there < Date.now() / 1000 + 30;
      assert.ok(isFromThere, 'signed for the clock of the forge');
    }));

test('github: a clock that is too wrong is said to be', () =>
  inWorld({ name: 'clock', forges: { gh: FORGES.gh } }, async (w) => {
    const forge = w.forges.gh;
    const repo = await makeRepo(forge);
    await forge.do('clock', { offset_s: 3600 });
    await labelled(forge, repo);
    await w.bot.log(/keeper\.refused .*set this machine's clock/, { from: 0 });
    const [{ iat }, ...more] = (await forge.get('stats')).jwts;
    assert.ok(iat < Date.now() / 1000, 'signed for our own clock');
    assert.ok(
      more.every((m) => m.exp < Date.now() / 1000 + 1200),
      'none is good for later',
    );
  }));

test('an old Gitea: no permission route, no attachments', () =>
  inWorld(
    { name: 'old', forges: { gt: { dialect: 'gitea', args: ['--gitea-version', '1.16.9'] } } },
    async (w) => {
      const forge = w.forges.gt,
        repo = await makeRepo(forge);
      const number = await labelled(forge, repo);
      const { pull, repo: seen } = await assertDone(forge, repo, number);
      assert.deepEqual(pull.assets, []);
      assert.match(pull.body, /passed/);
      await forge.until('the comment says where the log is', ({ repos, bot }) => {
        const [comment] = sticky(
          repos[0].issues.find((i) => i.number === number),
          bot,
        );
        const [ref] = /refs\/agent-logs\/\d+/.exec(comment.body) ?? [];
        return ref && comment.body.includes(`${repos[0].refs[ref]}/task.txt`);
      });
      assert.ok(seen.statuses.some((s) => s.state === 'success'));
    },
  ));

test('a Forgejo, by its own headers', () =>
  inWorld(
    {
      name: 'forgejo',
      forges: { fj: { dialect: 'gitea', kind: 'forgejo', args: ['--flavor', 'forgejo'] } },
    },
    async (w) => {
      const forge = w.forges.fj,
        repo = await makeRepo(forge);
      const { pull } = await assertDone(forge, repo, await labelled(forge, repo));
      assert.ok(pull.assets.length >= 2, 'its logs are attached');
    },
  ));

for (const [name, wish] of Object.entries(FORGES)) {
  // To git a limit, a token that ended and a right that is gone are all one; the API tells them apart.
  test(`${wish.dialect}: a door closed to git is not a refusal`, () =>
    inWorld({ name: 'door', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      const git = { method: 'POST', path: '/git-receive-pack$' };
      await forge.fault({ ...git, kind: 'unauthorized' });
      await forge.fault({ ...git, kind: 'truncate' });
      const number = await labelled(forge, repo);
      await assertDone(forge, repo, number, 240_000);
    }));
}

// A label must not be ignored for ever because our own token was not known for a moment.
test('gitea: a token that is not known for a moment says nothing about people', () =>
  inWorld({ name: 'unknown', forges: { gt: FORGES.gt } }, async (w) => {
    const forge = w.forges.gt,
      repo = await makeRepo(forge);
    const path = '/permission$';
    const fault = await forge.fault({ method: 'GET', path, kind: 'unauthorized', times: 4 });
    await assertDone(forge, repo, await labelled(forge, repo));
    const rule = (await forge.get('faults')).find((r) => r.id === fault);
    assert.equal(rule.played, 4);
  }));

test('gitea: a right that is gone is a refusal, and said to be', () =>
  inWorld({ name: 'gone', forges: { gt: FORGES.gt }, agent: 'patient' }, async (w) => {
    const forge = w.forges.gt,
      repo = await makeRepo(forge);
    const letGo = w.hold('agent');
    const number = await labelled(forge, repo);
    await forge.until('it runs', ({ repos }) =>
      repos[0].issues[0].labels.includes('agent:running'),
    );
    const { bot } = await forge.state();
    await forge.fault({
      method: 'GET',
      path: 'service=git-receive-pack$',
      kind: 'status_before',
      status: 403,
      body: 'no',
      times: 0,
    });
    await forge.fault({
      method: 'GET',
      path: '/api/v1/repos/acme/add$',
      kind: 'status_before',
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: {
        id: 1,
        full_name: repo,
        default_branch: 'main',
        permissions: { admin: false, push: false, pull: true },
      },
      times: 0,
    });
    letGo();
    await forge.until('a human is asked', ({ repos }) => {
      const issue = repos[0].issues.find((i) => i.number === number);
      return (
        issue.labels.includes('agent:needs-human') &&
        /may not push here/.test(sticky(issue, bot)[0]?.body)
      );
    });
    assert.equal((await forge.effects('pull.opened')).length, 0);
  }));
