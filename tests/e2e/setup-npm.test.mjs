// SPDX-License-Identifier: Apache-2.0
// A repository whose setup is `npm ci`: packages come through the gateway from a registry that the
// test serves, and only by reading; the setup's result is there for the agent and for the gate.
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { NpmRegistry } from './lib/npm-registry.mjs';
import { assertDone, labelled } from './lib/tasks.mjs';
import { makeRepo } from './lib/repos.mjs';
import { inWorld } from './lib/world.mjs';
import { yaml } from './lib/yaml.mjs';

// Where the test's own Node lives outside /usr, the box must be told.
const bin = dirname(process.execPath);
const PATH = `PATH=${bin}:$PATH`;

test('npm ci, once for a lock file, then agent and gate use what it installed', async () => {
  const registry = await NpmRegistry.start([
    {
      name: '@acme/plus',
      version: '1.2.3',
      files: { 'index.js': 'module.exports = (a, b) => a + b;\n' },
    },
    { name: 'left-alone', version: '2.0.0', files: { 'index.js': 'module.exports = 1;\n' } },
  ]);
  const files = {
    ...registry.project('sum'),
    '.gitignore': 'node_modules/\n',
    'add.sh': 'node -p "require(\'@acme/plus\')($1, -$2)" # $1 - $2\n',
    'sum.js': 'const plus = require("@acme/plus");\nmodule.exports = (a, b) => plus(a, - b);\n',
    'test.js':
      'const s = require("./sum")(2, 3);\nif (s !== 5) { console.log("0 passed, 1 failed:", s); process.exit(1); }\nconsole.log("1 passed, 0 failed");\n',
    'test.sh': `${PATH} node test.js\n`,
    '.agent.yml': yaml({
      setup: [`${PATH} npm ci --no-audit --no-fund`],
      setup_key: ['package-lock.json'],
      network: ['registry'],
      gate: { test: 'sh test.sh' },
    }),
  };
  try {
    const wish = {
      name: 'npm',
      forges: { gt: { dialect: 'gitea' } },
      agent: 'unsign',
      config: { registries: { npm: { url: registry.url } } },
    };
    await inWorld(wish, async (w) => {
      const forge = w.forges.gt,
        repo = await makeRepo(forge, { files });
      const first = await assertDone(forge, repo, await labelled(forge, repo, 'sum subtracts'));
      assert.match(first.pull.body, /passed/);
      const tarballs = () => registry.requests.filter((r) => r.path.endsWith('.tgz')).length;
      assert.equal(tarballs(), 2, 'each package was fetched once');
      const reads = registry.requests.filter((r) => !['GET', 'HEAD'].includes(r.method));
      assert.deepEqual(reads, []);
      await assertDone(forge, repo, await labelled(forge, repo, 'sum still subtracts'));
      assert.equal(tarballs(), 2, 'the setup of the same lock file is not run again');
      const tree = await (
        await fetch(`${forge.url}/${repo}/pulls/${first.pull.number}.diff`)
      ).text();
      assert.doesNotMatch(tree, /node_modules/);
    });
  } finally {
    await registry.stop();
  }
});
