// SPDX-License-Identifier: Apache-2.0
// A Node server with @octokit/webhooks: verifies, parses, calls one handler, stores nothing.
// usage: octokit.mjs PORT SECRET
import { createServer } from 'node:http';
import { Webhooks, createNodeMiddleware } from '@octokit/webhooks';

const [port, secret] = process.argv.slice(2);
const webhooks = new Webhooks({ secret });
webhooks.on('issues.labeled', () => {});
createServer(createNodeMiddleware(webhooks, { path: '/hook' })).listen(Number(port), '127.0.0.1', () =>
  console.log(`listen=127.0.0.1:${port}`),
);
