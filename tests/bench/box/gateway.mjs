// SPDX-License-Identifier: Apache-2.0
// What the gateway adds to a model's answer: the same program asks the same scripted model from a
// box, through the gateway (key put in, tokens counted), and from here, directly, in turns.
//   --answers=20 --pieces=30 --pause=3 --bulks=2 --bulk-mib=8 --turns=3
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRepo } from '../../e2e/lib/repos.mjs';
import { labelled } from '../../e2e/lib/tasks.mjs';
import { until } from '../../e2e/lib/until.mjs';
import { inWorld } from '../../e2e/lib/world.mjs';
import { build, option, ratio, Run, start } from '../lib/bench.mjs';

const answers = option('answers', 20);
const pieces = option('pieces', 30);
const pause = option('pause', 3);
const bulks = option('bulks', 2);
const bulkMiB = option('bulk-mib', 8);
const turns = option('turns', 3);
const PUBLISHING = 4; // store/task.h: from here on no process works at it
const KEY = 'sk-bench-0123456789abcdef0123';
const QUERY = `
import sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(
    "SELECT state, coalesce(tail, '') FROM task WHERE number = ?", (int(sys.argv[2]),))
for state, tail in rows:
    print(state)
    print(tail)
`;

class Numbers {
  first = [];
  late = [];
  rate = [];

  add(text) {
    const lines = text.split(/\r?\n/).map((line) => line.split(' '));
    const steady = lines.filter(([word]) => word === 'steady');
    const bulk = lines.filter(([word]) => word === 'bulk');
    if (steady.length !== answers || bulk.length !== bulks)
      throw new Error(`gateway: ${steady.length} and ${bulk.length} answers\n${text}`);
    for (const [, first, late] of steady) {
      this.first.push(first / 1000);
      this.late.push(late / 1000);
    }
    for (const [, bytes, us] of bulk) this.rate.push(us / 1000 / (bytes / (1 << 20)));
  }
}

async function inBox(world, repo) {
  const { gh } = world.forges;
  const number = await labelled(gh, repo, `stream ${Date.now()}`);
  const db = join(world.dir, 'bot/store/nightshift.db');
  return until(`the stream of issue ${number}`, () => {
    const text = execFileSync('python3', ['-c', QUERY, db, String(number)]).toString();
    return Number(text.split('\n')[0]) >= PUBLISHING && text;
  }, 120_000);
}

export default async function gateway() {
  const dir = mkdtempSync(join(tmpdir(), 'nightshift-bench-'));
  const program = join(dir, 'stream');
  const model = fileURLToPath(new URL('upstream.mjs', import.meta.url));
  const run = new Run('gateway', 'a streamed answer through the gateway beside a direct connection', 'ms');
  chmodSync(dir, 0o755); // the box's user is another
  copyFileSync(join(build, 'bench_agent_stream'), program);
  const argv = [program, String(answers), String(bulks)];
  const key = join(dir, 'key');
  writeFileSync(key, KEY, { mode: 0o600 });
  const upstream = await start(
    [process.execPath, model, String(pieces), String(pause), String(bulkMiB)], /listen=127\.0\.0\.1:(\d+)/);
  const url = `http://127.0.0.1:${upstream.port}/v1`;
  const wish = {
    name: 'bench-gateway',
    forges: { gh: { dialect: 'github' } },
    agent: 'stream',
    config: {
      models: { openai: { url, key_file: key } },
      agents: { stream: { command: argv, provider: 'openai', model: 'gpt-steady' } },
      sandbox: { tools: [dir] },
    },
  };
  const through = new Numbers();
  const direct = new Numbers();
  try {
    await inWorld(wish, async (world) => {
      const repo = await makeRepo(world.forges.gh, { files: { 'README.md': '# stream\n' } });
      for (let i = 0; i < turns; i++) {
        direct.add(execFileSync(program, argv.slice(1),
          { env: { OPENAI_BASE_URL: url, OPENAI_API_KEY: KEY } }).toString());
        through.add(await inBox(world, repo));
      }
    });
    run.says(`${pieces} pieces an answer, ${pause} ms between them; ${bulkMiB} MiB in one go`);
    for (const [name, key] of [
      ['to the first piece', 'first'],
      ['a piece under way', 'late'],
      ['a MiB in one go', 'rate'],
    ]) {
      run.row(`${name}, direct`, direct[key]);
      run.row(name, through[key], { of: { direct: ratio(through[key], direct[key]) }, by: 'direct' });
    }
    run.print();
  } finally {
    await upstream.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
