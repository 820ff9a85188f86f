// SPDX-License-Identifier: Apache-2.0
// What only GitLab has: issues and merge requests counted apart, groups in groups, notes that are
// not for everybody, orders hidden in text, hooks that sign and hooks that are switched off.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { boxed } from './lib/proc.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { tasks } from './lib/store.mjs';
import {
  ask,
  assertDone,
  eyed,
  label,
  labelled,
  pullsFor,
  settled,
  sticky,
} from './lib/tasks.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gl: { dialect: 'gitlab' } };
const SIGNING = { 'gl-hook': `whsec_${randomBytes(24).toString('base64')}` };

const ofBot = (state, number) =>
  state.repos[0].issues
    .find((i) => i.number === number)
    .comments.filter((c) => c.user === state.bot);

test('commands on an issue and on the merge request of the same number', () =>
  inWorld({ name: 'both', forges: FORGES, secrets: SIGNING }, async (w) => {
    const forge = w.forges.gl,
      repo = await makeRepo(forge);
    const { number } = await ask(forge, repo);
    await forge.do('comment', { repo, number, body: '/agent fix', as: 'alice' });
    const { pull } = await assertDone(forge, repo, number);
    assert.equal(pull.number, -number, 'the merge request has the number of the issue');
    assert.deepEqual(pull.assignees, ['alice'], 'it is for who asked');
    assert.match(pull.body, /^\[task-1\.txt\]\(\/uploads\/[0-9a-f]{32}\/task-1\.txt\)$/m);

    const before = pull.pull.head_sha;
    await forge.do('comment', { repo, number: pull.number, body: '/agent run more', as: 'alice' });
    const { over, issue, bot } = await settled(forge, repo, pull.number);
    assert.equal(over, 'agent:done', sticky(issue, bot)[0]?.body);
    assert.match(sticky(issue, bot)[0].body, /Task 2/);
    assert.equal((await tasks(w)).length, 2);
    assert.equal((await forge.pulls(repo)).length, 1, 'no second merge request');
    const alone = (await forge.issue(repo, number)).comments.filter((c) => c.user === bot);
    assert.equal(alone.length, 1, 'nothing more is said on the issue');
    assert.match(before, /^[0-9a-f]{40}$/);

    // Signed again, word for word: the id is what counts, not the time.
    const again = await forge.do('deliveries/send', { event: 'Note Hook', times: 3 });
    assert.deepEqual(again.codes, [202, 202, 202]);
    const forged = await forge.do('deliveries/send', { event: 'Note Hook', forged: true });
    assert.deepEqual(forged.codes, [401]);
    await forge.do('clock', { offset_s: -3600 });
    const late = await forge.do('deliveries/send', { event: 'Note Hook' });
    assert.deepEqual(late.codes, [202], 'no 4xx for what is signed');
    await w.bot.log(/hook\.stale/);
    await forge.idle();
    assert.equal((await tasks(w)).length, 2);
    assert.equal((await forge.get('hook/health')).status, 'executable');
  }));

test('what not everybody may read is left alone, and the server talks to itself', () =>
  inWorld({ name: 'few', forges: FORGES }, async (w) => {
    const forge = w.forges.gl,
      repo = await makeRepo(forge);
    const { number } = await ask(forge, repo);
    const say = (body, more = {}) => forge.do('comment', { repo, number, body, as: 'alice', ...more });
    await say('/agent fix it quietly', { internal: true });
    await say('/agent fix it yourself', { system: true });
    const hidden = await forge.do('issues', {
      repo,
      title: 'A hole',
      as: 'alice',
      confidential: true,
    });
    await label(forge, repo, hidden.number);
    await forge.do('comment', { repo, number: hidden.number, body: '/agent fix', as: 'alice' });
    await forge.idle();
    // A command that everybody may read, after all the others: when it is done, so are they.
    await say('/agent run say hello');
    await settled(forge, repo, number);
    const state = await forge.state();
    assert.equal((await tasks(w)).length, 1);
    assert.equal(ofBot(state, number).length, 1);
    assert.deepEqual(ofBot(state, hidden.number), []);
    assert.deepEqual((await forge.issue(repo, hidden.number)).labels, ['agent']);
    const eyes = await eyed(forge, repo, number);
    assert.deepEqual(eyes.map((c) => c.body), ['/agent run say hello']);
  }));

test('taking the label off stops it, in a group of a group, if the person may', () =>
  inWorld({ name: 'off', forges: FORGES, agent: 'idle' }, async (w) => {
    const forge = w.forges.gl,
      repo = 'acme/tools/add';
    const members = { alice: 'write', bob: 'read', tina: 'triage' };
    await forge.do('repos', { owner: 'acme/tools', name: 'add', files: addRepo(), members });
    const number = await labelled(forge, repo);
    const running = 'agent:running';
    await forge.until('it runs', ({ repos }) => repos[0].issues[0].labels.includes(running));
    await w.bot.log(/effect\.done .*purpose=running/); // before that it is not the bot's label
    await until('the box is full', () => boxed(w.dir).length >= 3);
    await forge.do('unlabel', { repo, number, label: running, as: 'tina' });
    await w.bot.log(/delivery\.ignored .*the task goes on: write permission is needed/);
    await forge.do('label', { repo, number, label: running, as: 'tina' });
    await forge.do('unlabel', { repo, number, label: running, as: 'alice' });
    await until('the box is empty', () => boxed(w.dir).length === 0);
    await forge.until('the note says so', ({ repos, bot }) =>
      /stopped/.test(sticky(repos[0].issues[0], bot)[0]?.body ?? ''),
    );
    assert.equal((await forge.pulls(repo)).length, 0);
  }));

test('who loses the right while it works gets nothing pushed', () =>
  inWorld({ name: 'revoked', forges: FORGES, agent: 'patient' }, async (w) => {
    const forge = w.forges.gl,
      letGo = w.hold('agent'),
      repo = await makeRepo(forge);
    const number = await labelled(forge, repo);
    await forge.until('it runs', ({ repos }) =>
      repos[0].issues[0].labels.includes('agent:running'),
    );
    await forge.do('members', { repo, login: 'alice', permission: 'none' });
    letGo();
    const { repo: found, over } = await settled(forge, repo, number);
    assert.notEqual(over, 'agent:done');
    assert.deepEqual(pullsFor(found, number), []);
    const pushes = (await forge.effects('push')).filter((p) => p.ref.startsWith('refs/heads/a'));
    assert.deepEqual(pushes, []);
  }));

test("an agent's words give GitLab no orders", () =>
  inWorld({ name: 'orders', forges: FORGES, agent: 'orders' }, async (w) => {
    const forge = w.forges.gl,
      repo = await makeRepo(forge);
    const { number } = await ask(forge, repo);
    await label(forge, repo, number);
    const { pull } = await assertDone(forge, repo, number);
    assert.match(pull.body, /\/close/, 'they are quoted');
    assert.deepEqual(await forge.effects('quick_action', { actor: 'nightshift' }), []);
    assert.equal(pull.state, 'open');
  }));
