// SPDX-License-Identifier: Apache-2.0
// Real agent CLIs. Codex and Claude Code come with `npm ci`; others of the table are used where they
// are found: in PATH, or in a node_modules of the colon-separated NIGHTSHIFT_E2E_AGENTS.
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('../node_modules/', import.meta.url));

// Their files, and the program among them. Static programs: nothing else of the package is needed.
const OURS = {
  claude: { from: '@anthropic-ai/claude-code-linux-x64', program: 'claude' },
  codex: {
    from: '@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl',
    program: 'bin/codex',
  },
};
export const OTHERS = ['cline', 'copilot', 'gemini', 'opencode', 'pi', 'qwen'];

// Hard links where they work: Codex has 400 MB.
export function copyTree(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [a, b] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(a, b);
    else {
      try {
        linkSync(a, b);
      } catch {
        cpSync(a, b);
      }
    }
  }
}

// -> the program's path, or undefined.
function find(kind) {
  const places = [
    ...(process.env.NIGHTSHIFT_E2E_AGENTS ?? '').split(':').map((dir) => dir && join(dir, '.bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return places
    .filter(Boolean)
    .map((dir) => join(dir, kind))
    .find((path) => existsSync(path));
}

// For people who read the output: what was not tried, and how it would be.
export function absent() {
  const kinds = OTHERS.filter((kind) => !installed(kind));
  return kinds.length
    ? `not tried, because they are not installed: ${kinds.join(', ')} (NIGHTSHIFT_E2E_AGENTS)`
    : 'all agents of the table are installed';
}

export const installed = (kind) => kind in OURS || Boolean(find(kind));

// What a box must see of it: the package with everything beside it.
function root(path) {
  const parts = realpathSync(path).split(sep);
  const at = parts.indexOf('node_modules');
  return at < 0 ? dirname(realpathSync(path)) : parts.slice(0, at + 1).join(sep);
}

// Makes a CLI available below `tools`. -> {path, model, tools: more directories to show}
export function provide(kind, tools) {
  const ours = OURS[kind];
  if (!ours) {
    const path = find(kind);
    return { path, model: 'scripted', tools: [root(path)] };
  }
  copyTree(join(MODULES, ours.from), join(tools, kind));
  return { path: join(tools, kind, ours.program), model: 'scripted', tools: [] };
}

// In front of a CLI stands a program that waits while the test holds the agent (World.hold).
export function held(world, kind) {
  const path = join(world.tools, `held-${kind}`);
  const wait = `while [ -e "${world.holdFile('agent')}" ]; do sleep 0.05; done`;
  writeFileSync(path, `#!/bin/sh\n${wait}\nexec '${world.clis[kind].path}' "$@"\n`, { mode: 0o755 });
  world.clis[kind].path = path;
}
