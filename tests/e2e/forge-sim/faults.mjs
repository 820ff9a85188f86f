// SPDX-License-Identifier: Apache-2.0
// The fault script: which request goes wrong, and how. Set by a test at run time.
//
// A rule: {method, path (regular expression over path and query), says (text in the body), spare (so
// many go by first), times (0: for ever), p, kind, ...}. The first rule that applies is used. Kinds:
//   delay {ms}                     the request waits, then all is well
//   reset_before / reset_after     the connection is reset, without / with the change made
//   status_before / status_after   {status, headers, body}: this answer, without / with the change
//   unauthorized, secondary_limit, too_many, bad_gateway      named answers, nothing is changed
//   truncate                       half of the body, with a matching length
//   wrong_length                   a Content-Length larger than the body, then the end
//   slow {ms}                      the body byte by byte, over ms
//   redirect {to, status}          to another address; nothing is changed
//   hold_before / hold_after       the request waits at the forge until the test releases it
import { randomUUID } from 'node:crypto';

export const NAMED = {
  unauthorized: () => ({ status: 401, body: { message: 'Bad credentials' } }),
  secondary_limit: (rule) => ({
    status: 403,
    headers: rule.headers ?? { 'retry-after': String(rule.after ?? 1) },
    body: {
      message:
        'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      documentation_url: 'https://docs.github.com/rest/overview/rate-limits-for-the-rest-api',
    },
  }),
  too_many: (rule) => ({
    status: 429,
    headers: { 'retry-after': String(rule.after ?? 1) },
    body: { message: 'Too many requests' },
  }),
  bad_gateway: () => ({
    status: 502,
    headers: { 'content-type': 'text/html' },
    body: '<html>502</html>',
  }),
};

const BEFORE = new Set([
  'delay',
  'reset_before',
  'status_before',
  'redirect',
  'hold_before',
  ...Object.keys(NAMED),
]);
const AFTER = new Set([
  'reset_after',
  'status_after',
  'truncate',
  'wrong_length',
  'slow',
  'hold_after',
]);

// A small seeded generator (mulberry32), so that a campaign's faults can be played again.
export function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class Faults {
  constructor() {
    this.rules = [];
    this.random = Math.random;
  }

  seed(n) {
    this.random = seeded(n);
  }

  add(wish) {
    if (!BEFORE.has(wish.kind) && !AFTER.has(wish.kind)) throw new Error(`no fault ${wish.kind}`);
    const rule = {
      id: randomUUID(),
      spare: 0,
      times: 1,
      seen: 0,
      played: 0,
      held: [],
      waiters: [],
      ...wish,
      regex: new RegExp(wish.path ?? '.'),
    };
    this.rules.push(rule);
    return rule;
  }

  clear() {
    for (const rule of this.rules) this.release(rule.id, 'go');
    this.rules = [];
  }

  remove(id) {
    this.release(id, 'go');
    this.rules = this.rules.filter((r) => r.id !== id);
  }

  find(id) {
    return this.rules.find((r) => r.id === id);
  }

  match(method, path, bytes) {
    for (const rule of this.rules) {
      if (rule.method && rule.method !== method) continue;
      if (!rule.regex.test(path)) continue;
      if (rule.says && !bytes.includes(rule.says)) continue;
      if (rule.times && rule.played >= rule.times) continue;
      if (rule.spare > rule.seen++) continue;
      if (rule.p !== undefined && this.random() >= rule.p) continue;
      rule.played++;
      return rule;
    }
    return undefined;
  }

  // The request waits here. -> 'go' or 'drop', as the test says when it lets go.
  hold(rule, note) {
    return new Promise((release) => {
      rule.held.push({ ...note, release });
      for (const wake of rule.waiters.splice(0)) wake();
    });
  }

  async held(id, ms) {
    const rule = this.find(id);
    if (!rule) return undefined;
    if (!rule.held.length) {
      await new Promise((done) => {
        const timer = setTimeout(done, ms);
        rule.waiters.push(() => {
          clearTimeout(timer);
          done();
        });
      });
    }
    return rule.held.map(({ release, ...note }) => note);
  }

  release(id, mode = 'go') {
    const rule = this.find(id);
    if (!rule) return 0;
    const held = rule.held.splice(0);
    for (const one of held) one.release(mode);
    return held.length;
  }

  view() {
    return this.rules.map(({ regex, held, waiters, ...rule }) => ({ ...rule, held: held.length }));
  }
}

export const isBefore = (rule) => BEFORE.has(rule.kind);
export const isAfter = (rule) => AFTER.has(rule.kind);
