/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_words - what the events of each agent mean.
 *
 * Written from what the agents really said (tests/golden/agents). Events that are in no rule are
 * passed over: there are new ones every month.
 */
#include "sandbox/agent.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, ACT_DONE, NULL                                                         \
	}

/* claude and qwen: --output-format stream-json. "subtype":"success" is said of failures too. */
const struct agent_rule AGENT_CLAUDE_RULES[] = {
	{ "type=system subtype=init", NULL, ACT_SESSION, "session_id" },
	{ "type=assistant @type=thinking", "message.content", ACT_THOUGHT, "@thinking" },
	{ "type=assistant @type=text", "message.content", ACT_MESSAGE, "@text" },
	{ "type=assistant @type=tool_use @input.command", "message.content", ACT_COMMAND,
		"@input.command" },
	{ "type=assistant @type=tool_use !@input.command", "message.content", ACT_TOOL,
		"@name @input.file_path @input.path @input.pattern" },
	{ "type=user @type=tool_result", "message.content", ACT_OUTPUT, "@content" },
	{ "type=result", NULL, ACT_READ, "usage.input_tokens" },
	/* Qwen's number includes what came from a cache. */
	{ "type=result usage.cache_creation_input_tokens", NULL, ACT_READ,
		"usage.cache_read_input_tokens" },
	{ "type=result", NULL, ACT_READ, "usage.cache_creation_input_tokens" },
	{ "type=result", NULL, ACT_WRITTEN, "usage.output_tokens" },
	{ "type=result is_error=false", NULL, ACT_DONE, NULL },
	{ "type=result is_error=true", NULL, ACT_FAILED, "result errors error.message" },
	END,
};

/* cline --json */
const struct agent_rule AGENT_CLINE_RULES[] = {
	{ "type=hook_event hookEventName=agent_start", NULL, ACT_SESSION, NULL },
	{ "event.type=content_end event.contentType=text", NULL, ACT_MESSAGE, "event.text" },
	{ "event.type=content_start event.contentType=tool event.input.commands", NULL, ACT_COMMAND,
		"event.input.commands" },
	{ "event.type=content_start event.contentType=tool !event.input.commands", NULL, ACT_TOOL,
		"event.toolName event.input.path" },
	{ "event.type=content_end event.contentType=tool", "event.output", ACT_OUTPUT, "@result" },
	{ "type=run_result", NULL, ACT_READ, "usage.inputTokens" },
	{ "type=run_result", NULL, ACT_WRITTEN, "usage.outputTokens" },
	{ "type=run_result finishReason=completed", NULL, ACT_DONE, NULL },
	{ "event.type=error", NULL, ACT_FAILED, "event.error.message" },
	{ "type=run_result !finishReason=completed", NULL, ACT_FAILED, "text" },
	{ "type=error", NULL, ACT_FAILED, "message" },
	END,
};

/* codex exec --json. "error" is also said before each new try. */
const struct agent_rule AGENT_CODEX_RULES[] = {
	{ "type=thread.started", NULL, ACT_SESSION, "thread_id" },
	{ "type=item.completed item.type=command_execution", NULL, ACT_COMMAND, "item.command" },
	{ "type=item.completed item.type=command_execution", NULL, ACT_OUTPUT,
		"item.aggregated_output" },
	{ "type=item.completed item.type=command_execution", NULL, ACT_EXIT, "item.exit_code" },
	{ "type=item.completed item.type=file_change", "item.changes", ACT_TOOL, "@kind @path" },
	{ "type=item.completed item.type=agent_message", NULL, ACT_MESSAGE, "item.text" },
	{ "type=item.completed item.type=reasoning", NULL, ACT_THOUGHT, "item.text" },
	{ "type=item.completed item.type=error", NULL, ACT_WARNING, "item.message" },
	{ "type=turn.completed", NULL, ACT_READ, "usage.input_tokens" },
	{ "type=turn.completed", NULL, ACT_WRITTEN, "usage.output_tokens" },
	{ "type=turn.completed", NULL, ACT_DONE, NULL },
	{ "type=turn.failed", NULL, ACT_FAILED, "error.message" },
	{ "type=error", NULL, ACT_FAILED, "message" },
	END,
};

/* copilot --output-format json. It counts no tokens with a model of one's own. */
const struct agent_rule AGENT_COPILOT_RULES[] = {
	{ "type=assistant.turn_start", NULL, ACT_SESSION, NULL },
	{ "type=assistant.message", NULL, ACT_MESSAGE, "data.content" },
	{ "type=tool.execution_start data.arguments.command", NULL, ACT_COMMAND,
		"data.arguments.command" },
	{ "type=tool.execution_start !data.arguments.command", NULL, ACT_TOOL,
		"data.toolName data.arguments.path" },
	{ "type=tool.execution_complete", NULL, ACT_OUTPUT, "data.result.content" },
	{ "type=session.error", NULL, ACT_FAILED, "data.message" },
	{ "type=result", NULL, ACT_SESSION, "sessionId" },
	{ "type=result exitCode=0", NULL, ACT_DONE, NULL },
	END,
};

/* gemini --output-format stream-json */
const struct agent_rule AGENT_GEMINI_RULES[] = {
	{ "type=init", NULL, ACT_SESSION, "session_id" },
	{ "type=message role=assistant delta=true", NULL, ACT_PART, "content" },
	{ "type=message role=assistant !delta=true", NULL, ACT_MESSAGE, "content" },
	{ "type=tool_use parameters.command", NULL, ACT_COMMAND, "parameters.command" },
	{ "type=tool_use !parameters.command", NULL, ACT_TOOL,
		"tool_name parameters.file_path parameters.dir_path parameters.pattern" },
	{ "type=tool_result", NULL, ACT_OUTPUT, "output" },
	{ "type=error", NULL, ACT_WARNING, "message" },
	{ "type=result", NULL, ACT_READ, "stats.input_tokens" },
	{ "type=result", NULL, ACT_WRITTEN, "stats.output_tokens" },
	{ "type=result status=success", NULL, ACT_DONE, NULL },
	{ "type=result !status=success", NULL, ACT_FAILED, "error.message" },
	END,
};

/* opencode run --format json */
const struct agent_rule AGENT_OPENCODE_RULES[] = {
	{ "type sessionID", NULL, ACT_SESSION, "sessionID" },
	{ "type=text", NULL, ACT_MESSAGE, "part.text" },
	{ "type=reasoning", NULL, ACT_THOUGHT, "part.text" },
	{ "type=tool_use part.state.input.command", NULL, ACT_COMMAND, "part.state.input.command" },
	{ "type=tool_use !part.state.input.command", NULL, ACT_TOOL,
		"part.tool part.state.input.filePath part.state.input.pattern" },
	{ "type=tool_use", NULL, ACT_OUTPUT, "part.state.output part.state.error" },
	{ "type=tool_use", NULL, ACT_EXIT, "part.state.metadata.exit" },
	{ "type=step_finish", NULL, ACT_READ, "part.tokens.input" },
	{ "type=step_finish", NULL, ACT_READ, "part.tokens.cache.read" },
	{ "type=step_finish", NULL, ACT_WRITTEN, "part.tokens.output" },
	{ "type=step_finish part.reason=stop", NULL, ACT_DONE, NULL },
	{ "type=error", NULL, ACT_FAILED, "error.data.message error.name" },
	END,
};

/* pi --mode json. It ends with exit code 0 whatever went wrong. */
const struct agent_rule AGENT_PI_RULES[] = {
	{ "type=session", NULL, ACT_SESSION, "id" },
	{ "type=message_end message.role=assistant", NULL, ACT_MESSAGE, "message.content" },
	{ "type=tool_execution_start args.command", NULL, ACT_COMMAND, "args.command" },
	{ "type=tool_execution_start !args.command", NULL, ACT_TOOL, "toolName args.path" },
	{ "type=tool_execution_end", NULL, ACT_OUTPUT, "result.content" },
	{ "type=message_end message.role=assistant", NULL, ACT_READ, "message.usage.input" },
	{ "type=message_end message.role=assistant", NULL, ACT_READ, "message.usage.cacheRead" },
	{ "type=message_end message.role=assistant", NULL, ACT_WRITTEN, "message.usage.output" },
	{ "type=message_end message.stopReason=stop", NULL, ACT_DONE, NULL },
	{ "type=message_end message.stopReason=error", NULL, ACT_FAILED, "message.errorMessage" },
	END,
};
