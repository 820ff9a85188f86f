// SPDX-License-Identifier: Apache-2.0
// One request through the forge: read, logged, spoiled when the fault script says so, answered.
import http from 'node:http';
import { createHash } from 'node:crypto';
import { isAfter, isBefore, NAMED } from './faults.mjs';
import { HttpError } from './router.mjs';
import { Conflict } from './state.mjs';

const BODY_MAX = 128 << 20;
const LOGGED_TEXT_MAX = 256 << 10;

async function readBody(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > BODY_MAX) throw new HttpError(413, 'too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

// What the truth log keeps of a body: JSON parsed, text whole, everything else by its hash.
function logged(bytes, type = '') {
  if (!bytes.length) return undefined;
  const isText = /json|text|html|urlencoded/.test(type) && bytes.length <= LOGGED_TEXT_MAX;
  if (!isText)
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  const text = bytes.toString('utf8');
  if (!/json/.test(type)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return { not_json: text };
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Server {
  // handlers: [{test(path), run(ctx) -> reply | 'streamed'}], first match wins.
  constructor(sim, handlers, control) {
    this.sim = sim;
    this.handlers = handlers;
    this.control = control;
    // Never closed by us: a client that writes at that moment would not know what became of it.
    this.http = http.createServer({ keepAliveTimeout: 0 }, (req, res) => {
      this.#serve(req, res).catch((e) => {
        console.error(e);
        sim.truth.add({ kind: 'crash', path: req.url, error: e.stack });
        res.destroy();
      });
    });
  }

  listen(host, port) {
    return new Promise((done, fail) => {
      this.http.once('error', fail);
      this.http.listen(port, host, () => done(this.http.address()));
    });
  }

  close() {
    this.http.closeAllConnections();
    return new Promise((done) => this.http.close(done));
  }

  async #serve(req, res) {
    const bytes = await readBody(req);
    const url = new URL(req.url, this.sim.base);
    const ctx = {
      sim: this.sim,
      req,
      res,
      url,
      bytes,
      method: req.method,
      headers: req.headers,
      path: req.url,
      pathname: url.pathname,
      query: url.searchParams,
    };
    if (url.pathname.startsWith('/_sim/')) return this.#control(ctx);
    ctx.who = this.sim.credentials(req.headers);
    ctx.request = this.sim.truth.request({
      method: req.method,
      path: req.url,
      headers: req.headers,
      auth: this.sim.auth.describe(ctx.who),
      body: logged(bytes, req.headers['content-type']),
    });
    const isApi = url.pathname.startsWith(this.sim.apiPrefix);
    if (isApi) this.sim.bans.look(ctx);
    const rule = this.sim.faults.match(req.method, req.url, bytes);
    if (isApi && rule?.after) this.sim.bans.ask(ctx.who, rule.after * 1000);
    if (rule && isBefore(rule) && (await this.#before(ctx, rule)) === 'done') return undefined;
    const reply = await this.#answer(ctx);
    if (rule && isAfter(rule)) return this.#after(ctx, rule, reply);
    return this.#send(ctx, reply, rule?.kind);
  }

  async #control(ctx) {
    try {
      const body = ctx.bytes.length ? JSON.parse(ctx.bytes.toString('utf8')) : {};
      const answer = await this.control(ctx, body);
      this.#write(
        ctx.res,
        200,
        { 'content-type': 'application/json' },
        Buffer.from(JSON.stringify(answer ?? {})),
      );
    } catch (e) {
      const text = JSON.stringify({ error: e.message, stack: e.stack });
      this.#write(ctx.res, 400, { 'content-type': 'application/json' }, Buffer.from(text));
    }
  }

  async #answer(ctx) {
    const handler = this.handlers.find((h) => h.test(ctx.pathname, ctx.method));
    try {
      const reply = await handler.run(ctx);
      return { status: 200, headers: {}, ...reply };
    } catch (e) {
      if (e instanceof Conflict) return handler.conflict(ctx, e);
      if (!(e instanceof HttpError)) throw e;
      return handler.error(ctx, e);
    }
  }

  async #before(ctx, rule) {
    const { res } = ctx;
    const stop = (status, headers, body) => {
      this.#send(ctx, { status, headers: { ...headers }, body }, rule.kind);
      return 'done';
    };
    const reset = () => {
      this.sim.truth.reply(ctx.request, { status: 0, fault: rule.kind });
      res.socket?.resetAndDestroy();
      return 'done';
    };
    if (rule.kind === 'delay') return void (await sleep(rule.ms));
    if (rule.kind === 'reset_before') return reset();
    if (rule.kind === 'status_before')
      return stop(rule.status, rule.headers, rule.body ?? { message: 'fault' });
    if (rule.kind === 'redirect') {
      return stop(rule.status ?? 307, { location: rule.to }, { message: 'Moved', url: rule.to });
    }
    if (rule.kind === 'hold_before') {
      const mode = await this.sim.faults.hold(rule, {
        request: ctx.request,
        method: ctx.method,
        path: ctx.path,
      });
      return mode === 'drop' ? reset() : undefined;
    }
    const named = NAMED[rule.kind](rule);
    return stop(named.status, named.headers, named.body);
  }

  async #after(ctx, rule, reply) {
    const { res } = ctx;
    const bytes = bytesOf(reply);
    this.#log(ctx, reply, rule.kind);
    if (rule.kind === 'hold_after') {
      const mode = await this.sim.faults.hold(rule, {
        request: ctx.request,
        method: ctx.method,
        path: ctx.path,
      });
      if (mode === 'drop') return res.socket?.resetAndDestroy();
      return this.#write(res, reply.status, reply.headers, bytes);
    }
    if (rule.kind === 'reset_after') return res.socket?.resetAndDestroy();
    if (rule.kind === 'status_after') {
      return this.#write(res, rule.status, { ...rule.headers }, Buffer.from(rule.body ?? ''));
    }
    if (rule.kind === 'truncate') {
      return this.#write(res, reply.status, reply.headers, bytes.subarray(0, bytes.length >> 1));
    }
    if (rule.kind === 'wrong_length') {
      res.writeHead(reply.status, {
        ...reply.headers,
        'content-length': bytes.length + 100,
        connection: 'close',
      });
      return res.write(bytes, () => res.socket?.destroy());
    }
    return this.#drip(res, reply, bytes, rule.ms ?? 1000);
  }

  async #drip(res, reply, bytes, ms) {
    res.writeHead(reply.status, { ...reply.headers, 'content-length': bytes.length });
    const step = Math.max(1, Math.ceil(bytes.length / 50));
    for (let i = 0; i < bytes.length && !res.destroyed; i += step) {
      res.write(bytes.subarray(i, i + step));
      await sleep(ms / 50);
    }
    res.end();
  }

  #send(ctx, reply, fault) {
    this.#log(ctx, reply, fault);
    const { headers = {} } = reply;
    const isJson =
      reply.body !== undefined && typeof reply.body === 'object' && !Buffer.isBuffer(reply.body);
    if (isJson) headers['content-type'] ??= 'application/json; charset=utf-8';
    this.#write(ctx.res, reply.status, headers, bytesOf(reply));
  }

  #log(ctx, reply, fault) {
    const { body } = reply;
    const shown = Buffer.isBuffer(body)
      ? logged(body, reply.headers?.['content-type'])
      : hideTokens(body);
    this.sim.truth.reply(ctx.request, {
      status: reply.status,
      headers: reply.headers,
      body: shown,
      fault,
    });
  }

  #write(res, status, headers, bytes) {
    if (res.destroyed) return;
    const bodyless = status === 204 || status === 304;
    res.writeHead(status, {
      ...headers,
      date: new Date(this.sim.state.now()).toUTCString(),
      ...(!bodyless && { 'content-length': bytes.length }),
    });
    res.end(bodyless ? undefined : bytes);
  }
}

function bytesOf(reply) {
  if (reply.body === undefined || reply.body === null) return Buffer.alloc(0);
  if (Buffer.isBuffer(reply.body)) return reply.body;
  return Buffer.from(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
}

// A minted token is a credential: the log keeps the shape of the answer, not the value.
function hideTokens(body) {
  if (!body || typeof body !== 'object' || typeof body.token !== 'string') return body;
  return { ...body, token: 'ghs_not-in-the-log' };
}
