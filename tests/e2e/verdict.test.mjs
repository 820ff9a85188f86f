// SPDX-License-Identifier: Apache-2.0
// The bot believes its own test run, nothing else: a liar gets no green pull request, a repository
// whose setup fails never sees the agent, an agent that does nothing is told so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelled, pullsFor, settled, sticky } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = { gh: { dialect: 'github', app: true }, gt: { dialect: 'gitea' } };

const greens = (repo) => [
  ...repo.checks.filter((c) => c.conclusion === 'success'),
  ...repo.statuses.filter((s) => s.state === 'success'),
];

for (const [name, wish] of Object.entries(FORGES)) {
  test(`${wish.dialect}: a liar gets no green pull request`, () =>
    inWorld({ name: 'liar', forges: { [name]: wish }, agent: 'liar' }, async (w) => {
      const forge = w.forges[name],
        repoName = await makeRepo(forge);
      const number = await labelled(forge, repoName);
      const { over, issue, repo, bot } = await settled(forge, repoName, number);
      assert.equal(over, 'agent:failed');
      assert.deepEqual(greens(repo), [], 'nothing says success');
      for (const pull of pullsFor(repo, number)) {
        assert.match(pull.body, /failed: /, 'a pull request, if any, says that the tests failed');
        assert.doesNotMatch(pull.body, /✅ passed/);
      }
      const [comment] = sticky(issue, bot);
      assert.match(comment.body, /❌ failed: /);
      const branch = Object.keys(repo.refs).find((r) => r.startsWith('refs/heads/agent/'));
      assert.ok(branch, 'the work is kept on its branch');
      assert.match(
        comment.body,
        new RegExp(branch.replace('refs/heads/', '')),
        'and it is said where',
      );
    }));
}

test('a failing setup stops the task before the agent', () =>
  inWorld({ name: 'setup', forges: { gt: { dialect: 'gitea' } } }, async (w) => {
    const forge = w.forges.gt;
    const files = {
      ...addRepo({ setup: ['sh setup.sh'] }),
      'setup.sh': 'echo no such tool >&2\nexit 3\n',
    };
    const repoName = await makeRepo(forge, { files });
    const number = await labelled(forge, repoName);
    const { over, issue, repo, bot } = await settled(forge, repoName, number);
    assert.equal(over, 'agent:failed');
    const [comment] = sticky(issue, bot);
    assert.match(comment.body, /setup/);
    assert.match(comment.body, /exit code 3/);
    assert.match(comment.body, /no such tool/, 'its last words are shown');
    assert.doesNotMatch(comment.body, /looking at add.sh/, 'the agent did not run');
    assert.equal(pullsFor(repo, number).length, 0);
    assert.deepEqual(
      Object.keys(repo.refs).filter((r) => r.startsWith('refs/heads/agent/')),
      [],
    );
  }));

test('an agent that changes nothing opens nothing', () =>
  inWorld({ name: 'empty', forges: { gt: { dialect: 'gitea' } }, agent: 'nothing' }, async (w) => {
    const forge = w.forges.gt,
      repoName = await makeRepo(forge);
    const number = await labelled(forge, repoName);
    const { over, issue, repo, bot } = await settled(forge, repoName, number);
    assert.equal(over, 'agent:failed');
    assert.equal(repo.issues.filter((i) => i.pull).length, 0);
    assert.equal(sticky(issue, bot).length, 1);
    assert.deepEqual(greens(repo), []);
  }));

test('a repository without a test command gets a draft that says so', () =>
  inWorld({ name: 'untested', forges: { gh: { dialect: 'github', app: true } } }, async (w) => {
    const forge = w.forges.gh,
      files = addRepo();
    delete files['.agent.yml'];
    const repoName = await makeRepo(forge, { files });
    const number = await labelled(forge, repoName);
    const { repo } = await settled(forge, repoName, number);
    const [pull] = pullsFor(repo, number);
    assert.match(pull.body, /not tested/);
    assert.equal(pull.pull.draft, true);
    assert.deepEqual(greens(repo), []);
  }));
