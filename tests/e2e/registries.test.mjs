// SPDX-License-Identifier: Apache-2.0
// The tools that install packages, for real, in the box: pip, cargo, go and apt get theirs through
// the gateway, once for all boxes, and refuse what is not what the lock file says.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Registries } from './lib/registries.mjs';
import { makeRepo } from './lib/repos.mjs';
import { scratch, remove } from './lib/scratch.mjs';
import { assertDone, labelled, settled, sticky } from './lib/tasks.mjs';
import { inWorld } from './lib/world.mjs';
import { yaml } from './lib/yaml.mjs';

const SLOW_MS = 180_000; // a compiler or two

const PIP = 'python3 -m pip install --quiet --target libs --require-hashes -r requirements.txt';
// Debian 12's cargo is from before sparse indexes were on by default.
const CARGO =
  'RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_SPARSE_REGISTRY=true cargo build --quiet --locked --manifest-path rust/Cargo.toml --target-dir rust/target';
const GO = 'cd go && go build -o sum .';
// Without rights to install, Debian's tool works in a directory of its own.
const APT = `mkdir -p debs/lists/partial debs/cache/archives/partial
cd debs
touch status
echo "deb [trusted=yes] $1 stable main" > sources
cat > apt.conf <<END
Dir::State "$PWD";
Dir::State::status "$PWD/status";
Dir::Cache "$PWD/cache";
Dir::Etc::sourcelist "$PWD/sources";
Dir::Etc::parts "$PWD/none";
Dir::Etc::sourceparts "$PWD/none";
Dir::Etc::preferencesparts "$PWD/none";
APT::Update::Error-Mode "any";
END
export APT_CONFIG=$PWD/apt.conf
apt-get update
apt-get download acme-plus
dpkg-deb -x acme-plus_1.0_all.deb root
`;

const TEST = `set -e
[ "$(PYTHONPATH=libs python3 -c 'import acme_plus; print(acme_plus.plus(2, 3))')" = 5 ]
[ "$(rust/target/debug/sum)" = 5 ]
[ "$(go/sum)" = 5 ]
[ "$(sh debs/root/usr/share/acme-plus/plus 2 3)" = 5 ]
[ "$(sh add.sh 2 3)" = 5 ]
echo "5 passed, 0 failed"
`;

const project = (r) => ({
  'add.sh': 'echo $(($1 - $2))\n',
  'test.sh': TEST,
  '.gitignore': 'libs/\nrust/target/\ngo/sum\ndebs/\n',
  'requirements.txt': `acme-plus==1.0 --hash=sha256:${r.hashes.python}\n`,
  'rust/Cargo.toml':
    '[package]\nname = "sum"\nversion = "1.0.0"\nedition = "2021"\n\n[dependencies]\nacme-plus = "1.0"\n',
  'rust/Cargo.lock': `version = 3

[[package]]
name = "acme-plus"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "${r.hashes.cargo}"

[[package]]
name = "sum"
version = "1.0.0"
dependencies = [
 "acme-plus",
]
`,
  'rust/src/main.rs': 'fn main() {\n    println!("{}", acme_plus::plus(2, 3));\n}\n',
  'go/go.mod': 'module sum\n\ngo 1.19\n\nrequire acme.test/plus v1.0.0\n',
  'go/go.sum': r.hashes.go,
  'go/main.go':
    'package main\n\nimport (\n\t"fmt"\n\n\t"acme.test/plus"\n)\n\nfunc main() { fmt.Println(plus.Plus(2, 3)) }\n',
  'apt.sh': APT,
  '.agent.yml': yaml({
    setup: [PIP, CARGO, GO, `sh -e apt.sh ${r.url}/debian`],
    network: ['registry'],
    gate: { test: 'sh test.sh' },
  }),
});

const FILES = ['.whl', '/download', '.zip', '.deb'];

async function withRegistries(run) {
  const dir = scratch('registries');
  const r = await Registries.start(join(dir));
  try {
    const wish = {
      name: 'registries',
      forges: { gt: { dialect: 'gitea' } },
      agent: 'mend',
      config: { registries: r.config() },
    };
    await inWorld(wish, (w) => run(w.forges.gt, r));
  } finally {
    await r.stop();
    remove(dir);
  }
}

test('pip, cargo, go and apt install what the lock files say, from the cache the second time', () =>
  withRegistries(async (forge, r) => {
    const repo = await makeRepo(forge, { files: project(r) });
    const { pull } = await assertDone(forge, repo, await labelled(forge, repo), SLOW_MS);
    assert.match(pull.body, /passed/);
    for (const end of FILES) assert.equal(r.fetched(end), 1, `${end} was fetched once`);
    // No setup_key: everything is installed again, in boxes that never saw the first.
    await assertDone(forge, repo, await labelled(forge, repo), SLOW_MS);
    for (const end of FILES) assert.equal(r.fetched(end), 1, `${end} comes from the cache`);
    assert.deepEqual(
      r.requests.filter((q) => q.method !== 'GET' && q.method !== 'HEAD'),
      [],
    );
  }));

for (const [kind, end, says] of [
  ['python', '.whl', /hash/i],
  ['cargo', '/download', /checksum/i],
  ['go', '.zip', /checksum|zip/i],
  ['debian', '.deb', /hash sum mismatch/i],
]) {
  test(`a file of ${kind} that was changed on its way is refused by the tool`, () =>
    withRegistries(async (forge, r) => {
      r.spoiled.add(Object.keys(r.answers).find((path) => path.endsWith(end)));
      const repo = await makeRepo(forge, { files: project(r) });
      const number = await labelled(forge, repo);
      const { over, issue, bot } = await settled(forge, repo, number, SLOW_MS);
      assert.equal(over, 'agent:failed');
      const [{ body }] = sticky(issue, bot);
      assert.match(body, /setup: /);
      assert.match(body, says);
    }));
}
