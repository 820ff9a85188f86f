// SPDX-License-Identifier: Apache-2.0
// The door: what is not signed is refused and leaves no trace, what two readers could understand
// differently is refused, what is too large is refused in time, what is signed is stored first.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exchange, head } from './lib/raw-http.mjs';
import { run } from './lib/process.mjs';
import { makeRepo } from './lib/repos.mjs';
import { count } from './lib/store.mjs';
import { inWorld, secret, World } from './lib/world.mjs';

const MIB = 1 << 20;
const PAYLOAD = JSON.stringify({ action: 'nothing', repository: { id: 1, full_name: 'acme/add' } });

const mac = (key, text) => createHmac('sha256', key).update(text).digest('hex');

function github(key, { body = PAYLOAD, event = 'watch', guid = 'g-1', ...more } = {}) {
  return {
    host: 'bot.example',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-github-event': event,
    'x-github-delivery': guid,
    'x-hub-signature-256': `sha256=${mac(key, body)}`,
    ...more,
  };
}

function gitea(key, { body = PAYLOAD, guid = 'e-1', signed = body, ...more } = {}) {
  return {
    host: 'bot.example',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-gitea-event': 'watch',
    'x-gitea-event-type': 'watch',
    'x-gitea-delivery': guid,
    'x-gitea-signature': mac(key, signed),
    'x-github-event': 'watch',
    'x-github-delivery': guid,
    ...more,
  };
}

describe('intake', () => {
  let world, url, key, teaKey;
  const old = secret('old-hook');
  before(async () => {
    world = await World.start({
      name: 'intake',
      forges: {
        gh: { dialect: 'github', app: true },
        gt: { dialect: 'gitea' },
        fj: { dialect: 'gitea', kind: 'forgejo', args: ['--flavor', 'forgejo'] },
      },
      config: {},
      bot: false,
    });
    const config = world.config();
    config.forges.gh.webhook_secret_old_file = world.keep('gh-hook-old', old);
    world.wish.config = { forges: config.forges };
    await world.boot();
    url = world.bot.url;
    key = world.secrets['gh-hook'];
    teaKey = world.secrets['gt-hook'];
    for (const forge of Object.values(world.forges)) await makeRepo(forge);
  });
  after(() => world.stop());

  const send = (path, headers, body = PAYLOAD) =>
    exchange(url, [head('POST', path, headers), body]);
  // Runs work and says how many deliveries it left in the store.
  const stored = async (work) => {
    const from = await count(world, 'delivery');
    const result = await work();
    return { result, n: (await count(world, 'delivery')) - from };
  };

  test('a signed delivery is answered 202, stored once, and the connection is closed', async () => {
    const { result, n } = await stored(async () => [
      await send('/hook/gh', github(key, { guid: 'once' })),
      await send('/hook/gh', github(key, { guid: 'once' })),
    ]);
    assert.deepEqual(
      result.map((r) => r.status),
      [202, 202],
    );
    assert.match(result[0].text, /^connection: close\r$/im);
    assert.ok(result[0].closed);
    assert.equal(n, 1);
  });

  test('wrong, empty, missing, cut and foreign signatures: 401, nothing stored', async () => {
    const wrong = {
      'another secret': mac('another-secret-here', PAYLOAD),
      empty: '',
      cut: mac(key, PAYLOAD).slice(0, 40),
      'upper case of a wrong one': mac('x', PAYLOAD).toUpperCase(),
      'two of them': `${mac(key, PAYLOAD)}${mac(key, PAYLOAD)}`,
      "the other forge's": mac(teaKey, PAYLOAD),
      'over another body': mac(key, `${PAYLOAD} `),
    };
    const { result, n } = await stored(async () => {
      const rows = [];
      for (const [what, value] of Object.entries(wrong)) {
        rows.push([
          what,
          (await send('/hook/gh', github(key, { 'x-hub-signature-256': `sha256=${value}` })))
            .status,
        ]);
        rows.push([
          `${what}, gitea`,
          (
            await send(
              '/hook/gt',
              gitea(teaKey, {
                'x-gitea-signature':
                  what === "the other forge's"
                    ? mac(key, PAYLOAD)
                    : value.replaceAll(mac(key, PAYLOAD), '0'.repeat(64)),
              }),
            )
          ).status,
        ]);
      }
      const { 'x-hub-signature-256': gone, ...unsigned } = github(key);
      rows.push(['missing', (await send('/hook/gh', unsigned)).status]);
      rows.push([
        'sha1 only',
        (
          await send('/hook/gh', {
            ...unsigned,
            'x-hub-signature': `sha1=${createHmac('sha1', key).update(PAYLOAD).digest('hex')}`,
          })
        ).status,
      ]);
      return rows;
    });
    assert.deepEqual(
      result.filter(([, status]) => status !== 401),
      [],
    );
    assert.equal(n, 0);
  });

  test('the old secret still holds during a rotation, an older one does not', async () => {
    assert.equal((await send('/hook/gh', github(old, { guid: 'old' }))).status, 202);
    assert.equal(
      (await send('/hook/gh', github('older-than-old-secret', { guid: 'older' }))).status,
      401,
    );
  });

  test('Gitea: JSON, and a form signed over the JSON in it', async () => {
    const form = `payload=${encodeURIComponent(PAYLOAD)}`;
    const headers = gitea(teaKey, {
      body: form,
      signed: PAYLOAD,
      guid: 'form',
      'content-type': 'application/x-www-form-urlencoded',
    });
    const { n } = await stored(async () => {
      assert.equal((await send('/hook/gt', gitea(teaKey, { guid: 'json' }))).status, 202);
      assert.equal((await send('/hook/gt', headers, form)).status, 202);
      const asBytes = { ...headers, 'x-gitea-signature': mac(teaKey, form) };
      assert.equal(
        (await send('/hook/gt', asBytes, form)).status,
        401,
        "a form signed over its own bytes is not Gitea's",
      );
    });
    assert.equal(n, 2);
  });

  test('GitHub: a form is signed over its own bytes', async () => {
    const form = `payload=${encodeURIComponent(PAYLOAD)}`;
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const { n } = await stored(async () => {
      const right = github(key, { body: form, guid: 'gh-form', ...type });
      assert.equal((await send('/hook/gh', right, form)).status, 202);
      const overJson = { ...right, 'x-hub-signature-256': `sha256=${mac(key, PAYLOAD)}` };
      assert.equal((await send('/hook/gh', overJson, form)).status, 401);
    });
    assert.equal(n, 1);
  });

  test('Forgejo: its own headers are enough, and Gitea-only ones are not', async () => {
    const own = (text) => text.replace('x-gitea', 'x-forgejo');
    const fjKey = world.secrets['fj-hook'];
    const { 'x-github-event': e, 'x-github-delivery': d, ...tea } = gitea(fjKey, { guid: 'fj' });
    const headers = Object.fromEntries(Object.entries(tea).map(([k, v]) => [own(k), v]));
    const { n } = await stored(async () => {
      assert.equal((await send('/hook/fj', headers)).status, 202);
      assert.equal((await send('/hook/fj', tea)).status, 401);
      assert.equal((await send('/hook/fj', { ...headers, 'x-forgejo-signature': '' })).status, 401);
    });
    assert.equal(n, 1);
  });

  test('unknown events and ping are 202; an unknown hook is 404; GET is refused', async () => {
    assert.equal(
      (await send('/hook/gh', github(key, { event: 'no_such_event', guid: 'u' }))).status,
      202,
    );
    assert.equal((await send('/hook/gh', github(key, { event: 'ping', guid: 'p' }))).status, 202);
    assert.equal((await send('/hook/none', github(key))).status, 404);
    assert.equal((await exchange(url, [head('GET', '/hook/gh', { host: 'x' })])).status, 405);
    const broken = '{"action":';
    assert.equal(
      (await send('/hook/gh', github(key, { body: broken, event: 'issues', guid: 'b' }), broken))
        .status,
      202,
      'signed but unreadable',
    );
  });

  test('heads that two readers understand differently are refused and the connection ends', async () => {
    const good = github(key, { guid: 'smuggled' });
    const { 'content-length': length, ...plain } = good;
    const text = Object.entries(plain)
      .map(([k, v]) => `${k}: ${v}\r\n`)
      .join('');
    const second = head('POST', '/hook/gh', github(key, { guid: 'second' })) + PAYLOAD;
    const chunked = `${PAYLOAD.length.toString(16)}\r\n${PAYLOAD}\r\n0\r\n\r\n`;
    const heads = {
      'CL and TE': `content-length: ${length}\r\ntransfer-encoding: chunked\r\n\r\n${chunked}`,
      'two lengths': `content-length: ${length}\r\ncontent-length: ${length - 1}\r\n\r\n${PAYLOAD}`,
      'two equal lengths': `content-length: ${length}\r\ncontent-length: ${length}\r\n\r\n${PAYLOAD}`,
      'space before the colon': `content-length : ${length}\r\n\r\n${PAYLOAD}`,
      'a folded header': `transfer-encoding:\r\n chunked\r\n\r\n${chunked}`,
      'a signed length': `content-length: +${length}\r\n\r\n${PAYLOAD}`,
      'an unknown coding': `transfer-encoding: gzip, chunked\r\n\r\n${chunked}`,
      'bare line feeds': `content-length: ${length}\n\n${PAYLOAD}`,
      'a NUL in a value': `x-a: b\u0000c\r\ncontent-length: ${length}\r\n\r\n${PAYLOAD}`,
      'two hosts': `host: other.example\r\ncontent-length: ${length}\r\n\r\n${PAYLOAD}`,
    };
    const { result, n } = await stored(async () => {
      const rows = [];
      for (const [what, rest] of Object.entries(heads)) {
        const { answers, closed } = await exchange(url, [
          `POST /hook/gh HTTP/1.1\r\n${text}${rest}${second}`,
        ]);
        rows.push([what, answers.join(), closed]);
      }
      return rows;
    });
    assert.deepEqual(
      result.filter(([, answers, closed]) => answers !== '400' || !closed),
      [],
    );
    assert.equal(n, 0);
  });

  test('a body over the cap: 413 at once by its length, cut off when chunked', async () => {
    const { result, n } = await stored(async () => {
      const began = Date.now();
      const known = await exchange(url, [
        head('POST', '/hook/gh', github(key, { 'content-length': 64 * MIB })),
        'x',
      ]);
      const took = Date.now() - began;
      const { 'content-length': gone, ...plain } = github(key);
      const chunk = Buffer.concat([
        Buffer.from(`${MIB.toString(16)}\r\n`),
        Buffer.alloc(MIB, 120),
        Buffer.from('\r\n'),
      ]);
      const parts = [
        head('POST', '/hook/gh', { ...plain, 'transfer-encoding': 'chunked' }),
        ...Array(64).fill(chunk),
      ];
      return { known, took, endless: await exchange(url, parts, { ms: 20_000 }) };
    });
    assert.equal(result.known.status, 413);
    assert.ok(result.took < 1000, `${result.took} ms`);
    assert.ok(result.endless.closed, 'the connection is closed');
    assert.ok(result.endless.sent < 40 * MIB, `${result.endless.sent / MIB} MiB were taken`);
    assert.ok([undefined, 413].includes(result.endless.status));
    assert.equal(n, 0);
    assert.equal(
      (await send('/hook/gh', github(key, { guid: 'after' }))).status,
      202,
      'and life goes on',
    );
  });

  test('/healthz and /readyz', async () => {
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
  });

  test('a secret that others may read is refused at the start', async () => {
    const file = join(world.dir, 'secrets', 'loose');
    writeFileSync(file, secret('loose'), { mode: 0o644 });
    const text = readFileSync(world.configFile(), 'utf8')
      .replace(/webhook_secret_file: .*/, `webhook_secret_file: ${file}`)
      .replace(/^listen: .*/m, 'listen: "127.0.0.1:0"')
      .replace(/^state_dir: .*/m, `state_dir: ${world.dir}/other`);
    const config = join(world.dir, 'loose.yaml');
    writeFileSync(config, text);
    const { code, stderr } = await run(world.bot.bin, ['serve', '-c', config], { timeout: 10_000 });
    assert.notEqual(code, 0);
    assert.match(stderr, /loose/);
  });
});

// The proxy's word about the client is taken, and nobody else's.
test('behind a proxy, over a unix socket', async () => {
  const world = await World.start({
    name: 'socket',
    forges: { gt: { dialect: 'gitea' } },
    bot: false,
  });
  try {
    const socketPath = join(world.dir, 'web.sock');
    world.wish.config = { listen: `unix:${socketPath}`, trusted_proxies: ['unix'] };
    await world.boot();
    const post = (headers) =>
      new Promise((done, fail) => {
        const req = request({ socketPath, method: 'POST', path: '/hook/gt', headers }, (res) => {
          res.resume();
          done(res.statusCode);
        });
        req.once('error', fail);
        req.end(PAYLOAD);
      });
    const key = world.secrets['gt-hook'];
    assert.equal(await post(gitea(key, { 'x-forwarded-for': '203.0.113.9' })), 202);
    assert.equal(
      await post(gitea('a-wrong-secret-123', { 'x-forwarded-for': '6.6.6.6, 203.0.113.9' })),
      401,
    );
    await world.bot.log(/hook\.refused hook=gt client=203\.0\.113\.9 /);
  } finally {
    await world.stop();
  }
});

// The keeper and the queue, which an answer needs, stay until the door is empty.
test('what is under way at SIGTERM is answered, and stored', () =>
  inWorld({ name: 'drain', forges: { gt: { dialect: 'gitea' } } }, async (world) => {
    let waiting = 0;
    let stopped;
    const rest = async () => {
      if (++waiting === 5) {
        // Who came before this one was let in before it.
        await fetch(`${world.bot.url}/healthz`);
        stopped = world.bot.stop();
      }
      await world.bot.log(/serve\.stopping /);
      return PAYLOAD.slice(10);
    };
    const ask = (guid) => {
      const headers = gitea(world.secrets['gt-hook'], { guid });
      const begin = head('POST', '/hook/gt', headers) + PAYLOAD.slice(0, 10);
      return exchange(world.bot.url, [begin, rest], { ms: 30_000 });
    };
    const answers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(ask));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202, 202, 202, 202],
    );
    await stopped;
    assert.equal(await count(world, 'delivery'), 5);
  }));
