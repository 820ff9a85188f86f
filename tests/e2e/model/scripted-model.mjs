#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// scripted-model: a model endpoint that answers from JSON scenarios, for real agent CLIs in tests.
// Speaks OpenAI Responses, OpenAI Chat Completions, Anthropic Messages and Gemini generateContent,
// streaming (SSE) or not, on TCP or a unix socket. The scenario format is in README.md.
import http from 'node:http';
import zlib from 'node:zlib';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { errorEvent, protocols } from './protocols.mjs';
import { offeredBy, resolve } from './tools.mjs';

const opt = { listen: '127.0.0.1:0', log: '', dump: '', key: '' },
  vars = {},
  argv = process.argv.slice(2);
function usage(msg) {
  console.error(
    `${msg}\nusage: scripted-model.mjs [--listen HOST:PORT|unix:PATH] [--key SECRET] [--log FILE] [--dump DIR] [--var K=V]... SCENARIO.json...`,
  );
  process.exit(2);
}
while (argv[0]?.startsWith('--')) {
  const name = argv.shift().slice(2),
    value = argv.shift() ?? usage(`--${name} needs a value`);
  if (name === 'var') vars[value.split('=')[0]] = value.slice(value.indexOf('=') + 1);
  else if (name in opt) opt[name] = value;
  else usage(`unknown option --${name}`);
}
if (!argv.length) usage('a scenario file is needed');
const fill = (v) =>
  typeof v === 'string'
    ? v.replace(/\$\{(\w+)\}/g, (m, k) => vars[k] ?? m)
    : Array.isArray(v)
      ? v.map(fill)
      : v && typeof v === 'object'
        ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, fill(x)]))
        : v;
const scenarios = argv.map((file) => ({
  file,
  served: new Set(),
  faults: new Map(),
  ...fill(JSON.parse(readFileSync(file, 'utf8'))),
}));
const totals = { requests: 0, errors: [] };
if (opt.dump) mkdirSync(opt.dump, { recursive: true });

const callsOf = (turn) => turn.calls ?? [];

// A turn was played when its call ids, or for a turn of text only its text, are in the request's history.
// So the answer depends on the request alone: retries, side requests and parallel sessions do no harm.
function nextTurn(turns, raw) {
  const seen = (t, i) =>
    raw.includes(callsOf(t).length ? `call_t${i}_` : JSON.stringify(t.text).slice(1, -1));
  const i = turns.findIndex((t, i) => !seen(t, i));
  return i < 0 ? turns.length : i;
}
function route(path) {
  // -> a protocol's name, or a plain answer, or undefined
  if (/\/(v1\/|openai\/)?responses$/.test(path)) return 'responses';
  if (/\/chat\/completions$/.test(path)) return 'chat';
  if (/\/messages$/.test(path)) return 'messages';
  if (/:(streamG|g)enerateContent$/.test(path)) return 'gemini';
  if (/(\/count_tokens|:countTokens)$/.test(path)) return { input_tokens: 100, totalTokens: 100 };
  if (/\/models$/.test(path))
    return {
      object: 'list',
      data: [{ id: 'scripted', object: 'model', created: 0, owned_by: 'test' }],
    };
}
const inflate = (buf, how) =>
  how === 'gzip' ? zlib.gunzipSync(buf) : how === 'zstd' ? zlib.zstdDecompressSync(buf) : buf; // zstd: Node >= 22.15
const sleep = (ms) => ms && new Promise((done) => setTimeout(done, ms));

async function serve(req, res) {
  const n = ++totals.requests,
    url = new URL(req.url, 'http://x'),
    chunks = [];
  for await (const c of req) chunks.push(c);
  const raw = inflate(Buffer.concat(chunks), req.headers['content-encoding']).toString('utf8');
  const key =
    req.headers.authorization?.replace(/^Bearer /, '') ??
    req.headers['x-api-key'] ??
    req.headers['x-goog-api-key'] ??
    url.searchParams.get('key');
  const entry = {
    n,
    at: new Date().toISOString(),
    method: req.method,
    path: url.pathname,
    agent: req.headers['user-agent'],
    key: !key ? 'none' : !opt.key || key === opt.key ? 'ok' : 'wrong',
  };
  if (opt.dump)
    writeFileSync(
      `${opt.dump}/${String(n).padStart(4, '0')}.json`,
      JSON.stringify(
        {
          method: req.method,
          url: req.url,
          headers: req.headers,
          body: raw[0] === '{' ? JSON.parse(raw) : raw,
        },
        null,
        1,
      ),
    );
  const log = (status, more) => {
    if (opt.log) appendFileSync(opt.log, JSON.stringify({ ...entry, status, ...more }) + '\n');
  };
  const send = (status, json, headers) =>
    res
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(req.method === 'HEAD' ? '' : JSON.stringify(json));
  const fail = (status, message, more, headers) => {
    log(status, { ...more, error: message });
    send(
      status,
      { type: 'error', error: { type: 'scripted_error', code: status, message } },
      headers,
    );
  };
  const bad = (message, more) => {
    totals.errors.push(`request ${n}: ${message}`);
    fail(500, message, more);
  };

  const proto = route(url.pathname);
  if (typeof proto !== 'string') {
    log(proto ? 200 : 404);
    return send(proto ? 200 : 404, proto ?? {});
  }
  if (opt.key && entry.key !== 'ok') return fail(401, 'wrong or missing key');
  let body;
  try {
    body = JSON.parse(raw);
  } catch {
    return bad('the body is not JSON');
  }
  const scenario = scenarios.find((s) => !s.match || new RegExp(s.match).test(raw)),
    offered = offeredBy(body);
  if (!scenario) return bad('no scenario matches');
  const side = !offered.size || (scenario.side_match && new RegExp(scenario.side_match).test(raw)),
    index = nextTurn(scenario.turns, raw);
  const turn = side ? { text: scenario.side ?? 'ok' } : scenario.turns[index],
    model = body.model ?? url.pathname.match(/models\/([^/:]+)/)?.[1] ?? 'scripted';
  const note = {
    proto,
    model,
    tools: offered.size,
    scenario: scenario.file,
    turn: side ? 'side' : index,
  };
  if (!turn) return bad('the scenario is over, but the agent asks for another turn', note);
  const tail = JSON.stringify((body.input ?? body.messages ?? body.contents ?? []).slice(-2)); // the last call and its result
  if (turn.expect && !new RegExp(turn.expect, 's').test(tail))
    return bad(`turn ${index}: /${turn.expect}/ is not in ${tail.slice(-400)}`, note);
  await sleep(turn.delay_ms);
  const played = scenario.faults.get(index) ?? 0,
    fault = played < (turn.fault?.times ?? 1) ? turn.fault : undefined,
    message = fault?.message ?? 'scripted fault';
  if (fault) scenario.faults.set(index, played + 1);
  if (fault?.status) return fail(fault.status, message, note, fault.headers);
  if (fault?.hang) return log(0, { ...note, fault: 'hang' });
  let calls;
  try {
    calls = callsOf(turn).map((c, i) => resolve(c, `call_t${index}_${i}`, offered));
  } catch (e) {
    return bad(e.message, note);
  }
  const reply = protocols[proto]({
    id: `resp_${n}`,
    model,
    text: turn.text ?? '',
    calls,
    use: { in: 100, out: 10, cached: 0, ...turn.usage },
  });
  if (!side && !fault) scenario.served.add(index);
  log(200, { ...note, calls: calls.map((c) => c.name), ...(fault && { fault }) });
  if (!body.stream && !/:streamGenerateContent$/.test(url.pathname)) return send(200, reply.json);
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  if (fault?.event) return res.end(errorEvent(proto, fault.event, message).join(''));
  for (const [i, event] of reply.sse.entries()) {
    if (fault?.cut && i >= reply.sse.length / 2) return res.destroy();
    res.write(event);
    await sleep(turn.chunk_ms);
  }
  res.end();
}

const server = http.createServer((req, res) =>
  serve(req, res).catch((e) => {
    totals.errors.push(e.stack);
    res.destroy();
  }),
);
const socket = opt.listen.startsWith('unix:') && opt.listen.slice(5),
  colon = opt.listen.lastIndexOf(':');
if (socket) rmSync(socket, { force: true });
server.listen(
  socket
    ? { path: socket }
    : { host: opt.listen.slice(0, colon), port: +opt.listen.slice(colon + 1) },
  () =>
    console.log(
      `listening ${socket ? opt.listen : `http://${opt.listen.slice(0, colon)}:${server.address().port}`}`,
    ),
);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    // the verdict: 0 when every turn was served and nothing went wrong
    const missed = scenarios.flatMap((s) =>
      s.turns.flatMap((t, i) => (t.optional || s.served.has(i) ? [] : [`${s.file}#${i}`])),
    );
    console.log(JSON.stringify({ requests: totals.requests, missed, errors: totals.errors }));
    process.exit(missed.length || totals.errors.length ? 1 : 0);
  });
