// SPDX-License-Identifier: Apache-2.0
// The truth log: what really happened at the forge, one JSON line each, in order.
//
// A test never asks the bot whether it opened one pull request: it counts them here. Four kinds
// of lines: `request` and `reply` (what went over the wire), `effect` (what changed at the forge)
// and `delivery` (a webhook that we sent). Credentials are never written, only what they are.
import { appendFileSync } from 'node:fs';

const HEADERS_KEPT = [
  'accept',
  'accept-encoding',
  'content-length',
  'content-type',
  'expect',
  'git-protocol',
  'if-none-match',
  'transfer-encoding',
  'user-agent',
  'x-github-api-version',
];
const REPLY_HEADERS_KEPT = [
  'content-type',
  'etag',
  'link',
  'location',
  'ratelimit-remaining',
  'retry-after',
  'x-total-count',
];

const pick = (headers, names) =>
  Object.fromEntries(names.filter((n) => headers[n] !== undefined).map((n) => [n, headers[n]]));

export class Truth {
  constructor(file, now = () => Date.now()) {
    this.file = file;
    this.now = now;
    this.lines = [];
    this.requests = 0;
    this.waiters = new Set();
  }

  add(line) {
    const whole = { seq: this.lines.length, at: this.now(), ...line };
    this.lines.push(whole);
    if (this.file) appendFileSync(this.file, JSON.stringify(whole) + '\n');
    for (const wake of this.waiters) wake();
    return whole;
  }

  request({ method, path, headers, auth, body }) {
    const n = ++this.requests;
    this.add({
      kind: 'request',
      n,
      method,
      path,
      auth,
      headers: pick(headers, HEADERS_KEPT),
      body,
    });
    return n;
  }

  reply(n, { status, headers = {}, body, fault }) {
    const kept = pick(headers, REPLY_HEADERS_KEPT);
    this.add({ kind: 'reply', n, status, headers: kept, body, ...(fault && { fault }) });
  }

  effect(name, fields) {
    return this.add({ kind: 'effect', effect: name, ...fields });
  }

  delivery(fields) {
    return this.add({ kind: 'delivery', ...fields });
  }

  since(seq) {
    return this.lines.slice(seq);
  }

  // Resolves when a line with a number >= seq exists, or after ms: a test waits without polling.
  wait(seq, ms) {
    if (this.lines.length > seq) return Promise.resolve();
    return new Promise((done) => {
      const finish = () => {
        clearTimeout(timer);
        this.waiters.delete(wake);
        done();
      };
      const wake = () => this.lines.length > seq && finish();
      const timer = setTimeout(finish, ms);
      this.waiters.add(wake);
    });
  }

  // The largest number of content writes in any window: what a forge's secondary limit counts.
  busiest(windowMs) {
    const times = this.lines.filter((l) => l.kind === 'effect' && l.content).map((l) => l.at);
    let most = 0;
    for (let first = 0, last = 0; last < times.length; last++) {
      while (times[last] - times[first] >= windowMs) first++;
      most = Math.max(most, last - first + 1);
    }
    return most;
  }
}
