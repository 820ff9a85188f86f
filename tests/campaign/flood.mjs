// SPDX-License-Identifier: Apache-2.0
// A crowd at the door while work is done: connections that say nothing, half a head, half a body, and
// unsigned deliveries. Signed ones get through, the crowd costs little memory, and work is done once.
//   script/campaign flood [--count 100] [--seed S] [--jobs 1] [--crowd 9000]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROLES } from '../e2e/lib/bot.mjs';
import { campaign, options } from './lib/campaign.mjs';
import { underLoad } from './lib/load.mjs';

const BASE_KIB = 64 * 1024; // of all roles
const EACH_KIB = 5;
const AT_ONCE = 200;

const HEAD = 'POST /hook/gt HTTP/1.1\r\nHost: bot\r\n';
const SIGNED = `X-Gitea-Signature: ${'0'.repeat(64)}\r\n`;
const KINDS = {
  silent: '',
  'half a head': HEAD,
  'half a body': `${HEAD}${SIGNED}Content-Length: 100\r\n\r\n{`,
  unsigned: `${HEAD}Content-Length: 2\r\n\r\n{}`,
};

function visitor(url, text) {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const answer = { status: 0 };
  socket.on('error', () => {});
  socket.on('data', (data) => {
    answer.status ||= Number(/^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1'))?.[1] ?? -1);
  });
  return new Promise((done) => {
    socket.on('close', () => done({ socket, answer }));
    socket.on('connect', () => {
      if (text) socket.write(text);
      done({ socket, answer });
    });
  });
}

function pssKib(bot) {
  const pids = [bot.master, ...ROLES.flatMap((name) => bot.role(name))];
  const each = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]),
  );
  return each.reduce((a, b) => a + b, 0);
}

async function storm(world, dice, crowd) {
  const there = [];
  while (there.length < crowd) {
    const some = Array.from({ length: Math.min(AT_ONCE, crowd - there.length) }, () =>
      visitor(world.bot.url, KINDS[dice.pick(Object.keys(KINDS))]),
    );
    there.push(...(await Promise.all(some)));
  }
  const pss = pssKib(world.bot);
  const began = performance.now();
  const answer = await fetch(`${world.bot.url}/healthz`);
  const took = Math.round(performance.now() - began);
  assert.equal(answer.status, 200, 'somebody who is quick is served');
  await sleep(dice.between(0, 1000));
  for (const { socket } of there) socket.destroy();
  const said = there.map(({ answer: { status } }) => status);
  const odd = said.filter((status) => ![0, 401, 408, 429, 503].includes(status));
  assert.deepEqual(odd, []);
  assert.ok(said.includes(429), 'an unsigned flood is told to come later');
  assert.ok(pss <= BASE_KIB + EACH_KIB * crowd, `${pss} KiB for ${crowd} connections`);
  return `${crowd} at the door: ${Math.round(pss / 1024)} MiB, served in ${took} ms`;
}

const wanted = options({ count: 100, jobs: 1, crowd: 9000 });
const round = (dice) =>
  underLoad({ name: 'campaign-flood' }, dice, (world) => storm(world, dice, wanted.crowd));

await campaign('flood', wanted, 1, round);
