// SPDX-License-Identifier: Apache-2.0
// A repository with files of Git LFS: agent and tests have the contents, the commit has pointers
// and only those that the forge can resolve, and nothing is asked of another host.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertDone, labelled } from './lib/tasks.mjs';
import { addRepo, makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';

const FORGES = {
  github: { gh: { dialect: 'github', app: true } },
  gitea: { gt: { dialect: 'gitea' } },
};

const PICTURES = { one: 'the first picture\n', two: 'the second\n', three: 'the third\n' };

// The tests want contents, also of the file that the agent moves.
const TEST = [
  'sh test.sh',
  "grep -qx 'the first picture' art/one.bin",
  "cat art/two.bin art/moved.bin 2>/dev/null | grep -qx 'the second'",
  "grep -qx 'the third' art/three.bin",
].join(' && ');

// acme/add with three pictures. places: where the forge says that they are.
async function withPictures(forge, { lfs, places, gate = TEST, agent }) {
  const repo = await makeRepo(forge, { files: { 'README.md': '# add\n' } });
  const files = {
    ...addRepo({ gate: { test: gate }, ...(lfs && { lfs }), agent }),
    '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
  };
  for (const [name, content] of Object.entries(PICTURES)) {
    const { pointer } = await forge.do('lfs', { repo, content, places });
    files[`art/${name}.bin`] = pointer;
  }
  await forge.do('commit', { repo, branch: 'main', files, message: 'pictures', as: 'alice' });
  return repo;
}

const diffOf = async (forge, repo, number) => {
  const kind = forge.dialect === 'github' ? 'pull' : 'pulls';
  return (await fetch(`${forge.url}/${repo}/${kind}/${number}.diff`)).text();
};

const lfsRequests = async (forge) =>
  (await forge.truth()).filter((l) => l.kind === 'request' && /info\/lfs/.test(l.path));

describe('a repository with files of Git LFS', () => {
  for (const [dialect, forges] of Object.entries(FORGES)) {
    test(`${dialect}: contents are in the boxes, pointers in the commit`, async () => {
      await inWorld({ name: 'lfs', forges, agent: 'painter' }, async (w) => {
        const [forge] = Object.values(w.forges);
        const repo = await withPictures(forge, { lfs: true });
        const { pull } = await assertDone(forge, repo, await labelled(forge, repo));
        assert.match(pull.body, /passed/);
        for (const name of ['three', 'new']) {
          const note = `The new content of art/${name}.bin is not in the commit: Git LFS keeps it`;
          assert.ok(pull.body.includes(note), pull.body);
        }
        const diff = await diffOf(forge, repo, pull.number);
        assert.doesNotMatch(diff, /art\/(one|three|new)\.bin/, 'those are as they were');
        assert.doesNotMatch(diff, /the second|painted|picture$/m, 'no content is in the commit');
        assert.match(diff, /art\/moved\.bin/);
        const asked = await lfsRequests(forge);
        assert.equal(asked.filter((l) => l.path.endsWith('/batch')).length, 1);
        assert.equal(asked.length, 4, 'and each object once');
      });
    });
  }

  test('objects on another host stay pointers, and that is said', async () => {
    await inWorld({ name: 'lfs-foreign', forges: FORGES.gitea }, async (w) => {
      const [forge] = Object.values(w.forges);
      const other = 'http://127.0.0.1:1/objects';
      const repo = await withPictures(forge, { lfs: true, places: other, gate: 'sh test.sh' });
      const { pull } = await assertDone(forge, repo, await labelled(forge, repo));
      const note =
        '3 of 3 objects of Git LFS were left as pointers: the forge keeps them on another host';
      assert.ok(pull.body.includes(note), pull.body);
      assert.equal((await lfsRequests(forge)).length, 1, 'only the batch');
    });
  });

  test('without the setting they are left alone, and that is said', async () => {
    await inWorld({ name: 'lfs-off', forges: FORGES.gitea }, async (w) => {
      const [forge] = Object.values(w.forges);
      const repo = await withPictures(forge, { gate: 'sh test.sh' });
      const { pull } = await assertDone(forge, repo, await labelled(forge, repo));
      assert.match(pull.body, /Git LFS files were left as pointers\./);
      assert.deepEqual(await lfsRequests(forge), []);
    });
  });
});
