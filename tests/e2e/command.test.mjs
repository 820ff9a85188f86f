// SPDX-License-Identifier: Apache-2.0
// Commands in comments: `/agent fix` on a pull request works on that branch, and only people who
// may write are heard, only in plain paragraphs, only once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tasks } from './lib/store.mjs';
import { eyed, label, settled, sticky, TASK_MS } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };

async function pullWithBug(forge) {
  const repo = await makeRepo(forge);
  const { sha } = await forge.do('commit', {
    repo,
    branch: 'topic',
    files: { 'more.txt': 'more\n' },
    message: 'More',
    as: 'alice',
  });
  const { number } = await forge.do('pulls', {
    repo,
    head: 'topic',
    base: 'main',
    title: 'More',
    as: 'alice',
  });
  return { repo, number, sha };
}

for (const [name, wish] of Object.entries(FORGES)) {
  test(`${wish.dialect}: /agent fix on a pull request pushes to its branch`, () =>
    inWorld({ name: 'fix', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        { repo, number, sha } = await pullWithBug(forge);
      const { id } = await forge.do('comment', {
        repo,
        number,
        body: '/agent fix the sum please',
        as: 'alice',
      });
      const { over, issue, bot } = await settled(forge, repo, number);
      assert.equal(over, 'agent:done', sticky(issue, bot)[0]?.body);
      const moved = await forge.effects('pull.synchronized', { number });
      assert.equal(moved.length, 1, 'the branch moved once');
      assert.equal(moved[0].before, sha);
      assert.equal(moved[0].actor, bot);
      assert.deepEqual(
        (await forge.effects('push'))
          .filter((p) => p.actor === bot && p.ref.startsWith('refs/heads/'))
          .map((p) => p.ref),
        ['refs/heads/topic'],
      );
      assert.equal((await forge.pulls(repo)).length, 1, 'no second pull request');
      assert.equal(sticky(issue, bot).length, 1);
      assert.deepEqual(
        (await eyed(forge, repo, number)).map((c) => [c.id, c.reactions]),
        [[id, [{ user: bot, content: 'eyes' }]]],
      );
      const text = await (
        await fetch(`${forge.url}/${repo}/raw/${issue.pull.head_sha}/add.sh`)
      ).text();
      assert.match(text, /\+/);
    }));

  test(`${wish.dialect}: a label on a pull request, then status and retry`, () =>
    inWorld({ name: 'pull', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        { repo, number, sha } = await pullWithBug(forge);
      await label(forge, repo, number);
      const { over, issue, bot } = await settled(forge, repo, number);
      assert.equal(over, 'agent:done', sticky(issue, bot)[0]?.body);
      const moved = await forge.effects('pull.synchronized', { number });
      assert.deepEqual(
        moved.map((m) => [m.before, m.actor]),
        [[sha, bot]],
      );
      assert.equal((await forge.pulls(repo)).length, 1, 'no second pull request');
      const answered = (what, pattern) =>
        forge.until(what, (state) =>
          state.repos[0].issues.some((i) =>
            i.comments.some((c) => c.user === bot && pattern.test(c.body)),
          ),
        );
      await forge.do('comment', { repo, number, body: '/agent status', as: 'alice' });
      await answered('alice is told how it went', /^<!-- nightshift:reply=[\s\S]*Task 1.*succeeded/);
      await forge.do('comment', { repo, number, body: '/agent retry', as: 'alice' });
      await answered('it is done again', /^<!-- nightshift:task=2:/);
      await until('both are over', async () => {
        const states = (await tasks(w)).map((t) => t.state);
        return states.length === 2 && states.every((state) => /^(succeeded|failed)$/.test(state));
      });
    }));

  test(`${wish.dialect}: a fork's pull request is left alone`, () =>
    inWorld({ name: 'fork', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      await forge.do('repos', { owner: 'mallory', ownerType: 'User', name: 'add', forkOf: repo });
      const files = { 'add.sh': 'echo stolen\n' };
      await forge.do('commit', { repo: 'mallory/add', branch: 'topic', files, as: 'mallory' });
      const { number } = await forge.do('pulls', {
        repo,
        head: 'topic',
        head_repo: 'mallory/add',
        base: 'main',
        title: 'Nice',
        as: 'mallory',
      });
      await forge.do('comment', { repo, number, body: '/agent fix', as: 'alice' });
      await forge.until('alice is told why not', ({ repos, bot }) =>
        repos
          .find((r) => r.full_name === repo)
          .issues.find((i) => i.number === number)
          .comments.some((c) => c.user === bot && /fork/.test(c.body)),
      );
      const pushes = (await forge.effects('push')).filter((p) => p.actor !== 'mallory');
      assert.deepEqual(pushes, []);
      assert.deepEqual(await tasks(w), []);
    }));

  test(`${wish.dialect}: who may not, and what is no command, starts nothing`, () =>
    inWorld({ name: 'deny', forges: { [name]: wish } }, async (w) => {
      const forge = w.forges[name],
        repo = await makeRepo(forge);
      const { number } = await forge.do('issues', { repo, title: 'Crash', as: 'alice' });
      const say = (body, as = 'alice') => forge.do('comment', { repo, number, body, as });
      await say('/agent fix', 'bob');
      await say('/agent fix', 'mallory');
      await say('> /agent fix');
      await say('```\n/agent fix\n```');
      await say('    /agent fix');
      await say('please /agent fix');
      await say('\\/agent fix');
      await say('<details>\n\n/agent fix\n\n</details>');
      const plain = await say('nothing yet');
      // Forges count in seconds: who looks later sees no edit that came within the same one.
      await forge.do('clock', { offset_s: 2 });
      await forge.do('comment/edit', { repo, id: plain.id, body: '/agent fix', as: 'alice' });
      await forge.idle();
      // A command that is one, after all the others: when it is done, so are they.
      await say('first line\r\n/agent run say hello\r\n');
      const { issue, bot } = await settled(forge, repo, number, TASK_MS);
      assert.equal(sticky(issue, bot).length, 1, 'one task for one command');
      assert.deepEqual(
        (await eyed(forge, repo, number)).map((c) => c.body),
        ['first line\r\n/agent run say hello\r\n'],
      );
    }));
}

test("github: a triager's label starts nothing, and he is told why, once", () =>
  inWorld({ name: 'triage', forges: { gh: FORGES.gh } }, async (w) => {
    const forge = w.forges.gh,
      repo = await makeRepo(forge);
    await forge.do('members', { repo, login: 'tina', permission: 'triage' });
    const { number } = await forge.do('issues', { repo, title: 'Crash', as: 'alice' });
    await forge.do('label', { repo, number, label: 'agent', as: 'tina' });
    const answers = ({ repos, bot }) =>
      repos[0].issues[0].comments.filter((c) => c.user === bot && /Write permission/.test(c.body));
    await forge.until('tina is told why not', (state) => answers(state).length);
    await forge.do('deliveries/send', { event: 'issues', action: 'labeled', times: 3 });
    await forge.idle();
    await forge.do('comment', { repo, number, body: '/agent help', as: 'alice' });
    await forge.until('alice is answered', ({ repos, bot }) =>
      repos[0].issues[0].comments.some((c) => c.user === bot && /agent stop/.test(c.body)),
    );
    assert.equal(answers(await forge.state()).length, 1);
    assert.deepEqual(await tasks(w), []);
  }));
