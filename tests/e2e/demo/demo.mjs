#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// demo: a forge, the bot, a small Python library with a bug. An issue gets the label `agent`; a
// little later there is a pull request with the mended line and the terminal log.
//
//   demo.mjs [--once] [--forge gitea|github] [--agent mender|codex]
//
// Codex needs OPENAI_API_KEY; OPENAI_BASE_URL and NIGHTSHIFT_DEMO_MODEL say whose models and which.
// --once ends with 0 when the pull request and its transcript are there. Without it everything
// stays up until Ctrl-C, so that the pages can be looked at.
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { until } from '../lib/until.mjs';
import { World } from '../lib/world.mjs';

const WAIT_MS = 80_000;
const CODEX_WAIT_MS = 15 * 60_000;
const OPENAI = 'https://api.openai.com/v1';
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const ISSUE = {
  title: 'size(1024) says "1024 B"',
  body: "A whole unit is not shown as one:\n\n```\n>>> size(1024)\n'1024 B'\n```\n\nIt should be `1.0 KiB`. `test_a_whole_unit` shows it.",
};

function options() {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      forge: { type: 'string', default: 'gitea' },
      agent: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log('demo.mjs [--once] [--forge gitea|github] [--agent mender|codex]');
    process.exit(0);
  }
  return values;
}

// With a key in the environment a person may choose the real Codex; without a terminal only by option.
async function chooseAgent(o) {
  if (o.agent === 'codex' && !process.env.OPENAI_API_KEY)
    throw new Error('OPENAI_API_KEY is not set');
  if (o.agent) return o.agent;
  if (!process.env.OPENAI_API_KEY) return 'mender';
  if (o.once || !process.stdin.isTTY) {
    console.log('OPENAI_API_KEY is set: `--agent codex` lets Codex do the work.');
    return 'mender';
  }
  const ask = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await ask.question('OPENAI_API_KEY is set. Let Codex do the work? [y/N] ');
  ask.close();
  return /^y/i.test(answer) ? 'codex' : 'mender';
}

function wish(o, agent) {
  const isCodex = agent === 'codex';
  const { NIGHTSHIFT_DEMO_MODEL: model, OPENAI_BASE_URL: url = OPENAI } = process.env;
  return {
    name: 'demo',
    agentDirs: [here('./agents')],
    agent,
    clis: isCodex ? ['codex'] : [],
    forges: { forge: { dialect: o.forge, app: o.forge === 'github' } },
    ...(isCodex && {
      bot: { env: { OPENAI_API_KEY: process.env.OPENAI_API_KEY } },
      config: {
        models: { openai: { url, key_env: 'OPENAI_API_KEY' } },
        agents: { codex: { model } },
      },
    }),
  };
}

// Says each new state of the task once, as its comment on the issue tells it.
function progress(issue) {
  const line = issue.comments.flatMap((c) => c.body.split('\n')).find((l) => l.includes('**Task'));
  return line
    ?.replace(/ · \[.*/, '')
    .replace(/\*\*/g, '')
    .trim();
}

async function work(world, agent) {
  const { forge } = world.forges,
    repo = 'acme/humane';
  await forge.do('repos', {
    owner: 'acme',
    name: 'humane',
    from: here('./repo'),
    members: { alice: 'write' },
    labels: ['agent'],
  });
  const { number } = await forge.do('issues', { repo, ...ISSUE, as: 'alice' });
  const page = (i) =>
    `${forge.url}/${repo}/${i.pull ? (forge.dialect === 'github' ? 'pull' : 'pulls') : 'issues'}/${i.number}`;
  console.log(`issue       ${page({ number })}`);
  await forge.do('label', { repo, number, label: 'agent', as: 'alice' });
  console.log(`labelled    agent; ${agent} goes to work`);
  const began = Date.now();
  let said;
  return until(
    'a pull request with its transcript',
    async () => {
      const { issues } = await forge.repo(repo);
      const now = progress(issues.find((i) => i.number === number));
      if (now && now !== said)
        console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s    ${(said = now)}`);
      const issue = issues.find((i) => i.number === number);
      if (issue.labels.includes('agent:failed'))
        throw new Error(`the task failed:\n${issue.comments.at(-1)?.body}`);
      const pull = issues.find((i) => i.pull);
      const transcript = pull && /https?:\/\/\S+\/t\/[0-9a-f]{32}/.exec(pull.body)?.[0];
      if (!transcript || !issue.labels.includes('agent:done')) return undefined;
      const task = await fetch(transcript);
      if (task.status !== 200 || !(await task.text()).includes('tests')) return undefined;
      return { pull: page(pull), transcript };
    },
    agent === 'codex' ? CODEX_WAIT_MS : WAIT_MS,
  );
}

// Until Ctrl-C.
const forever = () =>
  new Promise((done) => {
    const timer = setInterval(() => {}, 3600_000);
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.once(signal, () => {
        clearInterval(timer);
        done();
      });
    }
  });

async function main() {
  const o = options(),
    agent = await chooseAgent(o);
  const world = await World.start(wish(o, agent));
  let code = 0;
  try {
    console.log(`forge       ${world.forges.forge.url}`);
    console.log(`nightshift  ${world.bot.url}`);
    const found = await work(world, agent);
    console.log(`pull request  ${found.pull}`);
    console.log(`transcript    ${found.transcript}`);
    if (!o.once) {
      console.log('All stays up; Ctrl-C ends it.');
      await forever();
    }
  } catch (e) {
    console.error(e.message);
    world.report();
    code = 1;
  }
  await world.stop({ quiet: code !== 0 });
  process.exit(code);
}

await main();
