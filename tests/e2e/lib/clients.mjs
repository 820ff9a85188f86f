// SPDX-License-Identifier: Apache-2.0
// Clients of a forge that are not the bot: raw HTTP, an App's JWT, git, a place for webhooks.
import { createSign } from 'node:crypto';
import http from 'node:http';
import { run } from './process.mjs';

// A place to send webhooks to, that keeps what came.
export async function receiver() {
  const got = [];
  const server = http.createServer((req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c));
    req.on('end', () => {
      got.push({ headers: req.headers, body: Buffer.concat(chunks) });
      res.writeHead(202).end();
    });
  });
  await new Promise((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    got,
    url: `http://127.0.0.1:${server.address().port}/hook/x`,
    close: () => server.close(),
  };
}

export const appJwt = (forge, claims = {}) => {
  const now = Math.floor(Date.now() / 1000);
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ iat: now - 60, exp: now + 540, iss: forge.appId, ...claims })}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(forge.appKey, 'base64url')}`;
};

export const client =
  (forge, authorization) =>
  async (method, path, body, headers = {}) => {
    const res = await fetch(forge.api + path, {
      method,
      headers: {
        'user-agent': 'e2e',
        ...(authorization && { authorization }),
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body && JSON.stringify(body),
      redirect: 'manual',
    });
    const text = await res.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      /* not JSON, said by the test */
    }
    return { status: res.status, json, text, headers: res.headers };
  };

const gitEnv = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  LANG: 'C.UTF-8',
};
export const git = (args, cwd) =>
  run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.invalid', ...args], {
    cwd,
    env: gitEnv,
  });
