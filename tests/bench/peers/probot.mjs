// SPDX-License-Identifier: Apache-2.0
// probot as its documentation sets it up, logging errors only; one handler, stores nothing.
// usage: probot.mjs PORT SECRET
import { generateKeyPairSync } from 'node:crypto';
import pino from 'pino';
import { Probot, Server } from 'probot';

const [port, secret] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const server = new Server({
  host: '127.0.0.1',
  port: Number(port),
  log: pino({ level: 'error' }), // no line a request: faster than its default
  webhookPath: '/hook',
  Probot: Probot.defaults({
    appId: 1,
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }),
    secret,
    logLevel: 'error',
  }),
});
await server.load((app) => app.on('issues.labeled', () => {}));
await server.start();
console.log(`listen=127.0.0.1:${port}`);
