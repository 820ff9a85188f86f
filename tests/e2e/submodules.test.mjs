// SPDX-License-Identifier: Apache-2.0
// A repository with submodules: those of the same forge are in the boxes of agent and tests, one of
// another host is not; the pull request says what was left alone, and no submodule ever moves.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertDone, labelled } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = {
  github: { gh: { dialect: 'github', app: true } },
  gitea: { gt: { dialect: 'gitea' } },
};

const CHECK = 'test "$(cat "$(dirname "$0")/name.txt")" = lib\n';

const section = (path, url) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`;

// acme/lib, and files of a repository that has it and one of another host as submodules.
async function withModules(forge, more) {
  const lib = await makeRepo(forge, {
    name: 'lib',
    files: { 'name.txt': 'lib\n', 'check.sh': CHECK },
  });
  const { refs } = await forge.repo(lib);
  const gitlink = refs['refs/heads/main'];
  const foreign = 'https://forge.invalid/acme/lib.git';
  await forge.do('repos', { owner: 'other', name: 'lib', files: { 'name.txt': 'other\n' } });
  const files = {
    ...addRepo({ gate: { test: 'sh test.sh && sh vendor/lib/check.sh' }, ...more }),
    '.gitmodules': [
      section('vendor/lib', '../lib.git'),
      section('foreign', foreign),
      section('shut', '../../other/lib.git'),
    ].join(''),
    'vendor/lib': { gitlink },
    shut: { gitlink },
    foreign: { gitlink },
  };
  return { files, lib };
}

// Each token is for one repository, also that of a submodule, or for a look at which there are.
async function assertNarrow(forge) {
  const asked = (await forge.truth()).filter(
    (l) => l.kind === 'request' && /access_tokens$/.test(l.path),
  );
  const wide = asked.filter((l) => (l.body.repositories ?? l.body.repository_ids)?.length !== 1);
  for (const { body } of wide) assert.deepEqual(body, { permissions: { metadata: 'read' } });
  assert.ok(asked.some((l) => l.body.repositories?.[0] === 'lib'));
}

const diffOf = async (forge, repo, number) => {
  const kind = forge.dialect === 'github' ? 'pull' : 'pulls';
  return (await fetch(`${forge.url}/${repo}/${kind}/${number}.diff`)).text();
};

describe('a repository with submodules', () => {
  for (const [dialect, forges] of Object.entries(FORGES)) {
    test(`${dialect}: those of its forge are in the boxes`, async () => {
      await inWorld({ name: 'submodules', forges, agent: 'inside' }, async (w) => {
        const [forge] = Object.values(w.forges);
        const { files, lib } = await withModules(forge, { submodules: true });
        const repo = await makeRepo(forge, { files });
        if (forge.app) await forge.do('installation', { owner: 'other', suspended: true });
        const before = (await forge.repo(lib)).refs;
        const { pull } = await assertDone(forge, repo, await labelled(forge, repo));
        assert.match(pull.body, /passed/);
        assert.match(
          pull.body,
          /The submodule foreign was not checked out: it is on another host than this repository\./,
        );
        assert.match(
          pull.body,
          /What was changed inside the submodule vendor\/lib is not in the commit\./,
        );
        assert.match(pull.body, /The submodule shut was not checked out: the forge does not/);
        if (forge.app) await assertNarrow(forge);
        const diff = await diffOf(forge, repo, pull.number);
        assert.deepEqual(diff.match(/^diff .*/gm), ['diff --git a/add.sh b/add.sh']);
        assert.deepEqual((await forge.repo(lib)).refs, before, 'nothing is pushed to a submodule');
      });
    });
  }

  test('without the setting they are left alone, and that is said', async () => {
    await inWorld({ name: 'submodules-off', forges: FORGES.gitea }, async (w) => {
      const [forge] = Object.values(w.forges);
      const { files } = await withModules(forge, { gate: { test: 'sh test.sh' } });
      const repo = await makeRepo(forge, { files });
      const { pull } = await assertDone(forge, repo, await labelled(forge, repo));
      assert.match(pull.body, /Submodules were not checked out\./);
      // Not /api/v1/repos/acme/lib: the look at a start that came late finds it, as every repository.
      const fetched = (await forge.truth()).filter((l) => /^\/acme\/lib(\.git)?\//.test(l.path));
      assert.deepEqual(fetched, [], 'git did not ask for it');
    });
  });
});
