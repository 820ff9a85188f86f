// SPDX-License-Identifier: Apache-2.0
// Checks a truth log: every API request that was made and every answer that was given.
// As a program: node check/traffic.mjs github|gitea|gitlab truth.jsonl
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const cache = new Map();

async function checker(dialect) {
  if (!cache.has(dialect)) {
    const [Check] = Object.values(await import(`./${dialect}.mjs`));
    cache.set(dialect, new Check());
  }
  return cache.get(dialect);
}

const isApi = (path) => path.startsWith('/api/');
// Answers that the fault script made or spoiled are not the forge's own words.
const SPOILED =
  /^(status_|redirect|unauthorized|secondary_limit|too_many|bad_gateway|reset_before|hold_before)/;

// -> {requests, replies, problems}
export async function checkTraffic(dialect, lines) {
  const check = await checker(dialect);
  const requests = lines.filter((l) => l.kind === 'request' && isApi(l.path));
  const byNumber = new Map(requests.map((r) => [r.n, r]));
  const problems = [];
  let replies = 0;
  for (const request of requests) {
    if (request.body?.not_json !== undefined)
      problems.push(`${request.method} ${request.path}: the body is not JSON`);
    else problems.push(...check.request(request));
  }
  for (const reply of lines.filter((l) => l.kind === 'reply')) {
    const request = byNumber.get(reply.n);
    if (!request || SPOILED.test(reply.fault ?? '')) continue;
    replies++;
    problems.push(...check.reply(request, reply));
  }
  for (const crash of lines.filter((l) => l.kind === 'crash'))
    problems.push(`forge-sim: ${crash.path}: ${crash.error}`);
  return { requests: requests.length, replies, problems: [...new Set(problems)] };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [dialect, file] = process.argv.slice(2);
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((l) => JSON.parse(l));
  const { requests, replies, problems } = await checkTraffic(dialect, lines);
  console.log(`${requests} requests, ${replies} replies, ${problems.length} problems`);
  for (const p of problems) console.log(`- ${p}`);
  process.exit(problems.length ? 1 : 0);
}
