// SPDX-License-Identifier: Apache-2.0
// The whole way with a real agent: a person labels an issue, Codex works in the box against a
// scripted model behind the gateway, and a pull request with its terminal log comes back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertDone, labelled } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = {
  github: { gh: { dialect: 'github', app: true } },
  gitea: { gt: { dialect: 'gitea' } },
};

describe('a label becomes a pull request by real codex', () => {
  for (const [dialect, forges] of Object.entries(FORGES)) {
    test(dialect, async () => {
      const wish = {
        name: 'label',
        forges,
        codex: true,
        agent: 'codex',
        scenarios: ['mend-add.json'],
      };
      const world = await inWorld(wish, async (w) => {
        const [forge] = Object.values(w.forges);
        const repo = await makeRepo(forge, { files: addRepo() });
        const number = await labelled(forge, repo, 'add() subtracts');
        const done = await assertDone(forge, repo, number);
        await assertWork(forge, done, number);
        await assertLogs(w, forge, done);
        assertModel(w);
      });
      assert.deepEqual(world.verdict.missed, [], 'each turn of the script was played');
      assert.deepEqual(world.verdict.errors, []);
    });
  }
});

async function assertWork(forge, { pull, issue, repo, bot }, number) {
  assert.equal(pull.pull.base, 'main');
  assert.match(pull.pull.head, /^agent\/\d+-add-subtracts/);
  const diff = await (
    await fetch(
      `${forge.url}/${repo.full_name}/${forge.dialect === 'github' ? 'pull' : 'pulls'}/${pull.number}.diff`,
    )
  ).text();
  assert.match(diff, /-echo \$\(\(\$1 - \$2\)\)\n\+echo \$\(\(\$1 \+ \$2\)\)/);
  assert.equal(diff.match(/^diff /gm).length, 1, 'nothing else is changed');
  assert.match(pull.body, /passed/);
  assert.match(pull.body, new RegExp(`Closes #${number}\\b`));
  assert.match(pull.body, /```[\s\S]*passed[\s\S]*```/, 'the last lines of the terminal');
  assert.equal(pull.pull.draft, false);
  assert.ok(
    issue.reactions.some((r) => r.user === bot && r.content === 'eyes'),
    'eyes on the trigger',
  );
  assert.ok(!issue.labels.includes('agent'), 'the trigger label is taken off');
  assert.ok(!issue.labels.includes('agent:running'));
  const result =
    forge.dialect === 'github'
      ? repo.checks.filter((c) => c.head_sha === pull.pull.head_sha).map((c) => c.conclusion)
      : repo.statuses
          .filter((s) => s.sha === pull.pull.head_sha)
          .map((s) => s.state)
          .slice(-1);
  assert.deepEqual(result, ['success']);
}

// The log: attached where the forge can, on a ref where it cannot, and on the bot's page.
async function assertLogs(world, forge, { pull, repo }) {
  if (forge.dialect === 'gitea') {
    const names = pull.assets.map((a) => a.name);
    assert.ok(
      names.some((n) => /\.cast/.test(n)) && names.some((n) => /\.txt$/.test(n)),
      names.join(),
    );
  } else {
    const ref = Object.keys(repo.refs).find((r) => r.startsWith('refs/agent-logs/'));
    assert.ok(ref && pull.body.includes(repo.refs[ref]), 'the logs are linked by commit');
    const text = await (
      await fetch(`${forge.url}/${repo.full_name}/raw/${repo.refs[ref]}/task.txt`)
    ).text();
    assert.match(text, /passed/);
  }
  const page = /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(pull.body)?.[0];
  assert.ok(page?.startsWith(world.bot.url), `a link to the task's page, not ${page}`);
  const shown = await fetch(page);
  assert.equal(shown.status, 200);
  assert.match(await shown.text(), /passed/);
  const wrong = await fetch(page.replace(/.$/, (c) => (c === '0' ? '1' : '0')));
  assert.equal(wrong.status, 404, 'the page is found by its whole id only');
}

function assertModel(world) {
  const requests = world.model.requests().filter((r) => r.proto);
  assert.ok(requests.length >= 4, `${requests.length} model requests`);
  assert.deepEqual(
    new Set(requests.map((r) => r.key)),
    new Set(['ok']),
    'the gateway put the key in',
  );
}
