// SPDX-License-Identifier: Apache-2.0
// The tools that an agent CLI offers to the model, and how a scripted call becomes one of them.

// How each CLI's shell tool takes its command: {"run": "make check"} becomes a call of the first of these that is offered.
const described = (command) => ({ command, description: 'run a command' });
const SHELL = {
  exec_command: (cmd) => ({ cmd }),
  shell_command: (command) => ({ command }),
  shell: (c) => ({ command: ['bash', '-lc', c] }), // Codex
  Bash: described,
  bash: described,
  run_shell_command: (c) => ({ ...described(c), is_background: false }), // Claude; opencode, Copilot, pi; Gemini, Qwen
  run_commands: (c) => ({ commands: [c] }),
  execute_command: (c) => ({ command: c, requires_approval: false }), // Cline
  exec: (c) =>
    `const r = await tools.exec_command(${JSON.stringify({ cmd: c })}); text(r.output + "\\nexit " + r.exit_code);`, // Codex "code mode"
};
const toolsIn = (t) => (t.functionDeclarations ?? t.tools)?.flatMap(toolsIn) ?? [t.function ?? t];

// -> Map of each offered tool's name to the names of its arguments.
export function offeredBy(body) {
  const more = Array.isArray(body.input)
    ? body.input.filter((i) => i.type === 'additional_tools')
    : [];
  return new Map(
    [...(body.tools ?? []), ...more]
      .flatMap(toolsIn)
      .map((t) => [
        t.name ?? t.type,
        Object.keys((t.parameters ?? t.input_schema ?? t.parametersJsonSchema)?.properties ?? {}),
      ]),
  );
}

// -> {id, name, args}, or {id, name, input} for a freeform tool.
export function resolve(call, id, offered) {
  const options = call.any ?? [call],
    choice = options.find((c) => c.run !== undefined || offered.has(c.name));
  const name =
    choice?.run === undefined ? choice?.name : Object.keys(SHELL).find((n) => offered.has(n));
  if (!name)
    throw new Error(
      `none of ${options.map((c) => c.name ?? 'a known shell tool')} is offered: ${[...offered.keys()]}`,
    );
  const arg =
      choice.run === undefined ? (choice.input ?? choice.args ?? {}) : SHELL[name](choice.run),
    known = offered.get(name);
  if (typeof arg === 'string') return { id, name, input: arg };
  return {
    id,
    name,
    args: Object.fromEntries(
      Object.entries(arg).filter(([k]) => !known.length || known.includes(k)),
    ),
  }; // only what the tool takes
}
