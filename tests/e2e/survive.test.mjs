// SPDX-License-Identifier: Apache-2.0
// Boxes outlive the bot: roles, the master or all of them are killed or stopped, another version takes
// their place, and the agent does not notice. Its transcript afterwards is byte for byte that of an
// undisturbed one. When the machine itself is lost, nothing is left and the attempt is repeated.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertOnce } from './lib/kills.mjs';
import { boxed } from './lib/proc.mjs';
import { run } from './lib/process.mjs';
import { makeRepo } from './lib/repos.mjs';
import { tasks } from './lib/store.mjs';
import { labelled } from './lib/tasks.mjs';
import { until } from './lib/until.mjs';
import { inWorld } from './lib/world.mjs';

const wish = (name, agent) => ({ name, forges: { gt: { dialect: 'gitea' } }, agent });

const attemptsDir = (world) => join(world.dir, 'bot', 'boxes', 'run');

// The same program under another number.
async function upgrade(bot) {
  const [, version] = /nightshift (\S+)/.exec((await run(bot.bin, ['version'])).stdout);
  const next = version.replace(/\d$/, '9');
  assert.notEqual(next, version);
  const from = Buffer.from(`${version}\0`);
  const bytes = readFileSync(bot.bin);
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) {
    bytes.write(next, at);
  }
  writeFileSync(`${bot.bin}.new`, bytes, { mode: 0o755 });
  renameSync(`${bot.bin}.new`, bot.bin);
  assert.equal((await run(bot.bin, ['version'])).stdout, `nightshift ${next}\n`);
}

const DISTURBANCES = {
  'the runner is killed': (bot) => bot.killRole('runner'),
  'the master is killed': (bot) => bot.restart(),
  'all roles are killed at once': async (bot) => {
    await bot.crash();
    await bot.start();
  },
  'it is stopped, and another version started': async (bot) => {
    await bot.stop();
    await upgrade(bot);
    await bot.start();
  },
  'the gateway is killed, and the runner': async (bot) => {
    await bot.killRole('gateway');
    await bot.killRole('runner');
  },
  'the queue is killed, and the courier': async (bot) => {
    await bot.killRole('queue');
    await bot.killRole('courier');
  },
};

// What was shown: the text, and all output events of the cast, whose times differ.
async function transcript(forge, pull) {
  const logs = {};
  for (const a of pull.assets) {
    const name = /\.(txt|cast)/.exec(a.name)[1];
    logs[name] = await (await fetch(`${forge.url}/attachments/${a.uuid}`)).text();
  }
  const [, ...events] = logs.cast
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { text: logs.txt, output: events.map(([, , data]) => data).join('') };
}

async function finished(world, forge, repo, number) {
  const done = await assertOnce(forge, repo, number);
  const [task] = (await tasks(world)).filter((t) => t.number === number && t.repo === repo);
  return { ...done, attempt: task.attempt };
}

test('whatever is killed, the box goes on and nothing is lost', () =>
  inWorld(wish('survive', 'counting'), async (world) => {
    const { bot } = world;
    const forge = world.forges.gt;
    const calm = await makeRepo(forge, { name: 'calm' });
    const calmly = await finished(world, forge, calm, await labelled(forge, calm));
    const letGo = world.hold('agent');
    const stormy = await makeRepo(forge, { name: 'stormy' });
    const number = await labelled(forge, stormy);
    const box = await until('the agent runs', () => {
      const found = boxed(world.dir);
      return found.length > 0 && found;
    });
    await bot.log(/task\.state .*repo=acme\/stormy .*to=running/);
    const shims = bot.shims();
    for (const [what, disturb] of Object.entries(DISTURBANCES)) {
      const from = bot.lines.length;
      await disturb(bot);
      assert.deepEqual(bot.shims(), shims, `${what}: the same shim`);
      if (!/queue/.test(what)) await bot.log(/attempt\.adopted .*repo=acme\/stormy/, { from });
    }
    assert.ok(
      box.some((pid) => boxed(world.dir).includes(pid)),
      'the same processes',
    );
    letGo();
    const stormily = await finished(world, forge, stormy, number);
    assert.equal(stormily.attempt, 1);
    const [before, after] = [
      await transcript(forge, calmly.pull),
      await transcript(forge, stormily.pull),
    ];
    assert.match(before.text, /line 0 of[\s\S]*line 599 of[\s\S]*line 600 is the last one/);
    assert.equal(after.text, before.text);
    assert.equal(after.output, before.output);
    await until('nothing is left of it', () => readdirSync(attemptsDir(world)).length === 0);
  }));

// Groups in which boxes of these shims were.
async function groupsOf(shims) {
  const names = shims.flatMap((pid) => ['-o', '-name', `nightshift-${pid}-*`]).slice(1);
  const { stdout } = await run('find', ['/sys/fs/cgroup', '-type', 'd', '(', ...names, ')']);
  return stdout.split('\n').filter(Boolean);
}

test('the machine is lost: nothing is left, and the attempt is repeated', () =>
  inWorld(wish('blackout', 'patient'), async (world) => {
    const { bot } = world;
    const forge = world.forges.gt;
    const repo = await makeRepo(forge);
    const letGo = world.hold('agent');
    const number = await labelled(forge, repo);
    await bot.log(/task\.state .*to=running/);
    const shims = bot.shims();
    assert.equal(shims.length, 1);
    assert.ok((await groupsOf(shims)).length > 0, 'it is in a group, if we may make any');
    const [dir] = readdirSync(attemptsDir(world));
    await bot.blackout();
    letGo();
    const from = bot.lines.length;
    await bot.start();
    const { attempt } = await finished(world, forge, repo, number);
    assert.equal(attempt, 2);
    assert.match(bot.lines.slice(from).join('\n'), /attempt\.not_adopted/);
    await until('nothing is left', async () => {
      assert.ok(!readdirSync(attemptsDir(world)).includes(dir));
      assert.deepEqual(await groupsOf(shims), []);
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(world.dir));
      assert.deepEqual(boxed(world.dir), []);
      return true;
    });
  }));
