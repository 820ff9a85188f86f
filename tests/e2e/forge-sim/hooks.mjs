// SPDX-License-Identifier: Apache-2.0
// The sender of webhooks: signs and posts what happened, as the real forge would - or worse, as a
// test wants it: dropped, late, twice, fifty times at once, out of order, forged.
//
// The bytes of each delivery are kept: a delivery sent again is the same delivery.
import { createHmac, randomUUID } from 'node:crypto';
import http from 'node:http';
import { Health, signed } from './gitlab-hooks.mjs';
import { fullNameOf } from './state.mjs';

const TIMEOUT_MS = 10_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const hmac = (algorithm, secret, bytes) =>
  createHmac(algorithm, secret).update(bytes).digest('hex');

// Go's encoding/json writes these characters escaped; the bytes on the wire are the contract.
const ESCAPES = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};
const goJson = (value) =>
  JSON.stringify(value, null, 2).replace(/[<>&\u2028\u2029]/g, (c) => ESCAPES[c]);

export class Hooks {
  constructor({ sim, deliveries }) {
    this.sim = sim;
    this.deliveries = deliveries; // (name, data) -> [{event, action, repo, body, headers}]
    this.url = undefined;
    this.secret = undefined;
    this.form = false; // Gitea's form encoding, signed over the JSON
    this.mode = {};
    this.health = new Health(); // GitLab's
    this.log = [];
    this.kept = []; // deliveries held back to be reordered
    this.pending = new Set();
    this.order = Promise.resolve();
  }

  configure({ url, secret, form, mode }) {
    if (url !== undefined) this.url = url;
    if (secret !== undefined) this.secret = secret;
    if (form !== undefined) this.form = form;
    if (mode !== undefined) this.mode = mode;
    return this.config();
  }

  config() {
    return {
      url: this.url ?? '',
      content_type: this.form ? 'form' : 'json',
      insecure_ssl: '0',
      secret: '********',
    };
  }

  // Something changed at the forge. What it looks like is taken down now, sending comes after.
  happened(name, data) {
    const written = this.deliveries(name, data);
    const work = this.order.then(async () => {
      for (const made of await written) this.#queue(made);
    });
    this.order = work.catch((e) => {
      console.error(e);
      this.sim.truth.add({ kind: 'crash', path: `hook ${name}`, error: e.stack });
    });
    this.#track(this.order);
  }

  #track(work) {
    this.pending.add(work);
    work.finally(() => this.pending.delete(work));
  }

  #queue(made) {
    const installation = this.sim.auth.app ? this.sim.auth.installation(made.repo.owner).id : null;
    const delivery = {
      id: this.sim.state.id('delivery'),
      guid: randomUUID(),
      at: new Date(this.sim.state.now()).toISOString(),
      redelivery: false,
      ms: 0,
      code: 0,
      event: made.event,
      action: made.action,
      installation,
      repo: made.repo.id,
      fullName: fullNameOf(made.repo),
      ...this.encode(made),
    };
    this.log.push(delivery);
    const { mode } = this;
    if (!this.url || mode.off) return undefined;
    const isDropped = mode.drop && made.event.match(mode.drop);
    if (isDropped && (mode.p === undefined || this.sim.faults.random() < mode.p)) {
      return this.sim.truth.delivery({
        guid: delivery.guid,
        event: made.event,
        action: made.action,
        dropped: true,
      });
    }
    if (this.#isOff())
      return this.sim.truth.delivery({ guid: delivery.guid, event: made.event, disabled: true });
    if (mode.reorder) return this.#reorder(delivery, mode.reorder);
    return this.send(delivery, { times: mode.times ?? 1, delayMs: mode.delay_ms ?? 0 });
  }

  // Waits until n deliveries are there, then sends the last one first.
  #reorder(delivery, n) {
    this.kept.push(delivery);
    if (this.kept.length < n) return;
    const batch = this.kept.splice(0).reverse();
    const work = (async () => {
      for (const one of batch) await this.#post(one, {});
    })();
    this.#track(work);
  }

  encode({ body, headers }) {
    const { dialect } = this.sim;
    const json = Buffer.from(dialect === 'gitea' ? goJson(body) : JSON.stringify(body));
    if (!this.form) return { raw: json, signed: json, headers };
    const form = Buffer.from(
      `payload=${encodeURIComponent(json.toString('utf8')).replace(/%20/g, '+')}`,
    );
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    return {
      raw: form,
      signed: dialect === 'gitea' ? json : form,
      headers: { ...headers, ...type },
    };
  }

  signatures(delivery, { forged = false } = {}) {
    const secret = forged ? 'not-the-secret' : (this.secret ?? '');
    const { dialect, flavor } = this.sim;
    if (dialect === 'gitlab') return signed(delivery, secret, this.sim.state.now());
    const sha256 = secret ? hmac('sha256', secret, delivery.signed) : '';
    const sha1 = secret ? hmac('sha1', secret, delivery.signed) : '';
    const hub = { 'x-hub-signature': `sha1=${sha1}`, 'x-hub-signature-256': `sha256=${sha256}` };
    if (dialect === 'github') return { 'x-github-delivery': delivery.guid, ...(secret && hub) };
    const families = ['github', 'gitea', 'gogs', ...(flavor === 'forgejo' ? ['forgejo'] : [])];
    const twins = Object.fromEntries(families.map((f) => [`x-${f}-delivery`, delivery.guid]));
    for (const f of families.slice(1)) twins[`x-${f}-signature`] = sha256;
    return { ...twins, ...hub };
  }

  // Sends one delivery `times` times at once. -> the status codes.
  send(delivery, { times = 1, delayMs = 0, forged = false } = {}) {
    const work = (async () => {
      if (delayMs) await sleep(delayMs);
      const shots = Array.from({ length: times }, () => this.#post(delivery, { forged }));
      return Promise.all(shots);
    })();
    this.#track(work);
    return work;
  }

  redeliver(delivery) {
    const again = {
      ...delivery,
      id: this.sim.state.id('delivery'),
      redelivery: true,
      code: 0,
      ms: 0,
    };
    again.at = new Date(this.sim.state.now()).toISOString();
    this.log.push(again);
    return this.send(again);
  }

  // GitLab sends nothing to a hook that failed too often.
  #isOff() {
    return this.sim.dialect === 'gitlab' && this.health.status(this.sim.state.now()) !== 'executable';
  }

  #post(delivery, { forged }) {
    const began = Date.now();
    const headers = {
      ...delivery.headers,
      ...this.signatures(delivery, { forged }),
      'content-length': delivery.raw.length,
    };
    return new Promise((done) => {
      const finish = (code, error) => {
        delivery.code = code;
        delivery.ms = Date.now() - began;
        if (code >= 200 && code < 300) this.health.worked();
        else if (!forged) this.health.failed(this.sim.state.now());
        this.sim.truth.delivery({
          guid: delivery.guid,
          event: delivery.event,
          action: delivery.action,
          repo: delivery.fullName,
          status: code,
          ms: delivery.ms,
          redelivery: delivery.redelivery,
          ...(forged && { forged }),
          ...(error && { error }),
        });
        done(code);
      };
      const req = http.request(this.url, { method: 'POST', headers, agent: false }, (res) => {
        res.resume();
        res.on('end', () => finish(res.statusCode));
        res.on('error', (e) => finish(0, e.message));
      });
      req.setTimeout(TIMEOUT_MS, () => req.destroy(new Error('timeout')));
      req.on('error', (e) => finish(0, e.message));
      req.end(delivery.raw);
    });
  }

  // Resolves when everything that was under way has been sent and answered.
  async idle() {
    while (this.pending.size) await Promise.allSettled([...this.pending]);
  }
}
