// SPDX-License-Identifier: Apache-2.0
// Sixty agents that mean harm, and honest ones beside them, in twenty boxes at once. Each ends with
// its own reason; the honest ones do not notice; nothing is left, and nothing was obeyed.
// `script/bench hostile` measures how much the honest ones notice.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import {
  assertEnd,
  assertNothingLeft,
  attacks,
  boot,
  endOf,
  honest,
  plant,
  reasonOf,
  run,
  watchShims,
  wishFor,
} from './lib/hostile.mjs';
import { pullsFor } from './lib/tasks.mjs';
import { inWorld } from './lib/world.mjs';

const TASK_MS = 400_000;
const HONEST = 10;
const NOBODY = 20003;
const MARK = 'hostile-was-run'; // of tests/hostile/git.c
const only = process.env.NIGHTSHIFT_E2E_ATTACKS?.split(',');

const tell = (result) =>
  `${result.name}: ${endOf(result)}, ${Math.round(result.took)} ms: ${reasonOf(result)}`;

for (const [who, bot] of Object.entries({ root: {}, nobody: { uid: NOBODY } })) {
  test(`started by ${who}: hostile agents beside honest ones`, () =>
    inWorld(wishFor(), (w) => {
      w.wish.bot = bot;
      return attack(w);
    }));
}

async function attack(world) {
  await boot(world);
  const all = attacks().filter(({ name }) => !only || only.includes(name));
  assert.ok(only || all.length >= 40);
  const shims = watchShims(world);
  const tasks = await plant(world, [...honest(HONEST), ...all]);
  const results = await Promise.all(tasks.map((task) => run(task, TASK_MS)));
  if (process.env.NIGHTSHIFT_E2E_LOG) for (const result of results) console.error(tell(result));
  const wrong = results.flatMap((result) => {
    try {
      assertEnd(result, Boolean(world.wish.bot.uid));
      assertUntouched(result);
      return [];
    } catch (e) {
      return [e.message];
    }
  });
  assert.deepEqual(wrong, []);
  await assertShown(results);
  assert.deepEqual(
    readdirSync('/tmp').filter((name) => name === MARK),
    [],
  );
  await assertObeyedNothing(results);
  await assertNothingLeft(world, shims());
}

// One pull request at most, from one branch; everybody else's branch is where it was.
function assertUntouched({ name, found, number, ends }) {
  const branches = Object.keys(found.refs).filter((ref) => ref.startsWith('refs/heads/'));
  assert.ok(
    branches.every((ref) => ref === 'refs/heads/main' || ref.startsWith('refs/heads/agent/')),
    `${name}: ${branches}`,
  );
  assert.ok(branches.length <= 2, `${name}: ${branches}`);
  assert.ok(pullsFor(found, number).length <= 1, name);
  if (!ends) assert.equal(pullsFor(found, number).length, 1, name);
}

// The transcript shows that it did what it is here for.
async function assertShown(results) {
  for (const { name, comment } of results.filter(({ ends }) => ends)) {
    const [page] = /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(comment);
    const text = await (await fetch(`${page}/task.txt`)).text();
    assert.match(text, new RegExp(`hostile ${name}: begins`), name);
    const html = await (await fetch(page)).text();
    assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f\x9b]|\u202e/, name);
    assert.doesNotMatch(html, /<script>alert\('hostile-script'\)/, name);
  }
}

// What it said is data: no task more than were asked for, one comment each, nobody called.
async function assertObeyedNothing(results) {
  for (const { repo, forge, issue, found, name } of results) {
    const created = await forge.effects('comment.created', { repo });
    assert.equal(created.length, 1, `${name}: one comment`);
    for (const { body } of [...found.issues.filter((i) => i.pull), ...issue.comments]) {
      const open = (body ?? '').replace(/^(`{3,}|~{3,})[^`\n]*\n[\s\S]*?^\1$/gm, '');
      assert.doesNotMatch(open, /@everyone|^\/agent (fix|retry)|evil\.example|fixes #2/m, name);
    }
  }
}
