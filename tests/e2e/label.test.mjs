// SPDX-License-Identifier: Apache-2.0
// The whole way with a real agent: a person labels an issue, Codex works in the box against a
// scripted model behind the gateway, and a pull request with its terminal log comes back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertDone, labelled } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const WORLDS = {
  github: { forges: { gh: { dialect: 'github', app: true } } },
  gitea: { forges: { gt: { dialect: 'gitea' } } },
  gitlab: { forges: { gl: { dialect: 'gitlab' } } },
  'gitea, in boxes that crun makes': {
    forges: { gt: { dialect: 'gitea' } },
    config: { sandbox: { runtime: 'crun' } },
  },
};

describe('a label becomes a pull request by real codex', () => {
  for (const [name, more] of Object.entries(WORLDS)) {
    test(name, async () => {
      const wish = {
        name: 'label',
        ...more,
        clis: ['codex'],
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
      `${forge.pullUrl(repo.full_name, pull.number)}.diff`,
    )
  ).text();
  assert.match(diff, /-echo \$\(\(\$1 - \$2\)\)\n\+echo \$\(\(\$1 \+ \$2\)\)/);
  assert.equal(diff.match(/^diff /gm).length, 1, 'nothing else is changed');
  assert.match(pull.body, new RegExp(`^Closes #${number}$`, 'm'));
  assert.match(pull.body, /^### Summary\n\nIn the agent's own words:\n\n```\n.+\n```$/m);
  assert.match(pull.body, /^✅ passed: `sh test.sh`, run by nightshift itself in a clean box/m);
  assert.match(pull.body, /^- Sandbox tier: `(slots|userns): .+`$/m);
  assert.match(pull.body, /<details>.*\n\n```\n[\s\S]*1 passed, 0 failed\n```\n\n<\/details>/);
  assert.match(pull.body, /- Model `scripted`: \d+ requests, [\d,]+ tokens in.*, [\d,]+ out/);
  assert.equal(pull.pull.draft, false);
  // They are of no task, and nothing waits for them.
  await forge.until('eyes on the trigger', ({ repos }) =>
    repos[0].issues
      .find((i) => i.number === number)
      .reactions.some((r) => r.user === bot && r.content === 'eyes'),
  );
  assert.ok(!issue.labels.includes('agent'), 'the trigger label is taken off');
  assert.ok(!issue.labels.includes('agent:running'));
  const page = /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(pull.body)?.[0];
  if (forge.dialect === 'github') {
    const [check, ...more] = repo.checks.filter((c) => c.head_sha === pull.pull.head_sha);
    assert.deepEqual(more, []);
    assert.equal(check.conclusion, 'success');
    assert.equal(check.details_url, page);
    assert.match(check.output.text, /\n```\n[\s\S]*1 passed, 0 failed\n```\n/);
  } else {
    const status = repo.statuses.filter((s) => s.sha === pull.pull.head_sha).at(-1);
    assert.equal(status.state, 'success');
    assert.equal(status.target_url, page);
  }
}

// The log: attached where the forge can, on a ref where it cannot, and on the bot's page.
async function assertLogs(world, forge, { pull, repo }) {
  const read = async (url) => {
    const res = await fetch(url);
    assert.equal(res.status, 200, url);
    return res.text();
  };
  const logs = {};
  if (forge.dialect === 'gitea') {
    for (const a of pull.assets) {
      logs[a.name.replace(/^task-\d+|\.log$/g, '')] = `${forge.url}/attachments/${a.uuid}`;
    }
  } else if (forge.dialect === 'gitlab') {
    for (const [, name, at] of pull.body.matchAll(/\[task-\d+(\.\w+)\S*\]\((\/uploads\/\S+)\)/g))
      logs[name] = `${forge.url}/-/project/${repo.id}${at}`;
  } else {
    const ref = Object.keys(repo.refs).find((r) => r.startsWith('refs/agent-logs/'));
    assert.ok(ref, 'the logs are on a ref');
    for (const [, name, url] of pull.body.matchAll(/\[task(\.\w+)\]\((\S+)\)/g)) {
      assert.ok(url.includes(repo.refs[ref]), 'linked by commit');
      logs[name] = url;
    }
  }
  const [text, cast] = [await read(logs['.txt']), await read(logs['.cast'])];
  assert.match(text, /^== agent: codex\n[\s\S]*\n== tests: sh test.sh\n1 passed, 0 failed\n/);
  assertCast(cast);
  const page = /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(pull.body)?.[0];
  assert.ok(page?.startsWith(world.bot.url), `a link to the task's page, not ${page}`);
  const shown = await read(page);
  assert.match(shown, /class="state succeeded"/);
  assert.match(shown, /<td>gate<\/td>/);
  assert.match(shown, /== agent: codex\n[\s\S]*1 passed, 0 failed/, 'the whole transcript');
  const links = [...shown.matchAll(/href="(\/t\/[^"]+)" download/g)].map((m) => m[1]);
  assert.equal(links.length, 2);
  assert.equal(await read(new URL(links[0], page)), cast);
  assert.equal(await read(new URL(links[1], page)), text);
  const wrong = await fetch(page.replace(/.$/, (c) => (c === '0' ? '1' : '0')));
  assert.equal(wrong.status, 404, 'the page is found by its whole id only');
}

// asciicast v2: a header, then [seconds, "o", text] in the order of time.
function assertCast(cast) {
  const [head, ...events] = cast
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(head.version, 2);
  assert.ok(head.width > 0 && head.height > 0);
  assert.ok(events.length > 0);
  assert.ok(
    events.every(([at, kind, text], i) => {
      const before = i ? events[i - 1][0] : 0;
      return at >= before && kind === 'o' && typeof text === 'string';
    }),
  );
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
