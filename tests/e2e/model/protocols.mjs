// SPDX-License-Identifier: Apache-2.0
// One scripted answer in the words of four model protocols: OpenAI Responses and Chat Completions,
// Anthropic Messages, Gemini generateContent. Each gives {json, sse}.

const seconds = () => Math.floor(Date.now() / 1000);
const sse = (events) =>
  events.map((e) => (e.type ? `event: ${e.type}\n` : '') + `data: ${JSON.stringify(e)}\n\n`);
// each: ({id, model, text, calls, use}) -> {json, sse}
export const protocols = {
  responses({ id, model, text, calls, use }) {
    const message = {
      type: 'message',
      id: `msg_${id}`,
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    };
    const output = [
      ...(text ? [message] : []),
      ...calls.map((c) =>
        c.input === undefined
          ? {
              type: 'function_call',
              id: `fc_${c.id}`,
              call_id: c.id,
              name: c.name,
              arguments: JSON.stringify(c.args),
              status: 'completed',
            }
          : {
              type: 'custom_tool_call',
              id: `ctc_${c.id}`,
              call_id: c.id,
              name: c.name,
              input: c.input,
              status: 'completed',
            },
      ),
    ];
    const started = {
        id,
        object: 'response',
        created_at: seconds(),
        model,
        status: 'in_progress',
        output: [],
      },
      ev = [{ type: 'response.created', response: started }];
    output.forEach((item, output_index) => {
      const at = { item_id: item.id, output_index };
      ev.push({
        type: 'response.output_item.added',
        output_index,
        item: { ...item, status: 'in_progress', ...(item.content && { content: [] }) },
      });
      if (item.type === 'message')
        ev.push(
          {
            type: 'response.content_part.added',
            ...at,
            content_index: 0,
            part: { type: 'output_text', text: '', annotations: [] },
          },
          { type: 'response.output_text.delta', ...at, content_index: 0, delta: text },
          { type: 'response.output_text.done', ...at, content_index: 0, text },
          { type: 'response.content_part.done', ...at, content_index: 0, part: item.content[0] },
        );
      if (item.type === 'function_call')
        ev.push(
          { type: 'response.function_call_arguments.delta', ...at, delta: item.arguments },
          { type: 'response.function_call_arguments.done', ...at, arguments: item.arguments },
        );
      ev.push({ type: 'response.output_item.done', output_index, item });
    });
    const usage = {
      input_tokens: use.in,
      input_tokens_details: { cached_tokens: use.cached },
      output_tokens: use.out,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: use.in + use.out,
    };
    const json = { ...started, status: 'completed', output, usage };
    return {
      json,
      sse: sse(
        [...ev, { type: 'response.completed', response: json }].map((e, sequence_number) => ({
          ...e,
          sequence_number,
        })),
      ),
    };
  },
  chat({ id, model, text, calls, use }) {
    const finish_reason = calls.length ? 'tool_calls' : 'stop',
      tool_calls = calls.map((c) => ({
        id: c.id,
        type: 'function',
        function: { name: c.name, arguments: JSON.stringify(c.args) },
      }));
    const usage = {
      prompt_tokens: use.in,
      completion_tokens: use.out,
      total_tokens: use.in + use.out,
      prompt_tokens_details: { cached_tokens: use.cached },
    };
    const chunk = (delta, finish_reason = null) => ({
      id,
      object: 'chat.completion.chunk',
      created: seconds(),
      model,
      choices: [{ index: 0, delta, finish_reason }],
    });
    const ev = [
      chunk({ role: 'assistant', content: '' }),
      ...(text ? [chunk({ content: text })] : []),
      ...tool_calls.map((c, index) => chunk({ tool_calls: [{ index, ...c }] })),
      chunk({}, finish_reason),
      { ...chunk({}), choices: [], usage },
    ];
    const message = {
      role: 'assistant',
      content: text || null,
      ...(calls.length && { tool_calls }),
    };
    return {
      json: {
        id,
        object: 'chat.completion',
        created: seconds(),
        model,
        choices: [{ index: 0, message, finish_reason }],
        usage,
      },
      sse: [...sse(ev), 'data: [DONE]\n\n'],
    };
  },
  messages({ id, model, text, calls, use }) {
    const stop_reason = calls.length ? 'tool_use' : 'end_turn',
      stop_sequence = null;
    const content = [
      ...(text ? [{ type: 'text', text }] : []),
      ...calls.map((c) => ({ type: 'tool_use', id: c.id, name: c.name, input: c.args })),
    ];
    const usage = {
      input_tokens: use.in - use.cached,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: use.cached,
      output_tokens: use.out,
    };
    const json = {
      id: `msg_${id}`,
      type: 'message',
      role: 'assistant',
      model,
      content,
      stop_reason,
      stop_sequence,
      usage,
    };
    const block = (b, index) => [
      {
        type: 'content_block_start',
        index,
        content_block: b.type === 'text' ? { type: 'text', text: '' } : { ...b, input: {} },
      },
      {
        type: 'content_block_delta',
        index,
        delta:
          b.type === 'text'
            ? { type: 'text_delta', text }
            : { type: 'input_json_delta', partial_json: JSON.stringify(b.input) },
      },
      { type: 'content_block_stop', index },
    ];
    return {
      json,
      sse: sse([
        {
          type: 'message_start',
          message: {
            ...json,
            content: [],
            stop_reason: null,
            usage: { ...usage, output_tokens: 1 },
          },
        },
        ...content.flatMap(block),
        {
          type: 'message_delta',
          delta: { stop_reason, stop_sequence },
          usage: { output_tokens: use.out },
        },
        { type: 'message_stop' },
      ]),
    };
  },
  gemini({ id, model, text, calls, use }) {
    const parts = [
      ...(text ? [{ text }] : []),
      ...calls.map((c) => ({ functionCall: { id: c.id, name: c.name, args: c.args } })),
    ];
    const json = {
      candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: 'STOP' }],
      modelVersion: model,
      responseId: id,
      usageMetadata: {
        promptTokenCount: use.in,
        candidatesTokenCount: use.out,
        cachedContentTokenCount: use.cached,
        totalTokenCount: use.in + use.out,
      },
    };
    return { json, sse: sse([json]) };
  },
};

// An error inside a 200 stream, as the provider would send it.
export function errorEvent(proto, code, message) {
  if (proto === 'responses')
    return sse([
      {
        type: 'response.failed',
        response: {
          id: 'resp_failed',
          object: 'response',
          status: 'failed',
          error: { code, message },
        },
      },
    ]);
  return sse([
    proto === 'messages'
      ? { type: 'error', error: { type: code, message } }
      : { error: { code, type: code, message } },
  ]);
}
