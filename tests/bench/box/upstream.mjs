// SPDX-License-Identifier: Apache-2.0
// A model that streams: `gpt-steady` in pieces with pauses, `gpt-bulk` as fast as it is read. Each
// piece tells when it was sent. Prints its port.
//   node upstream.mjs PIECES PAUSE_MS BULK_MIB
import { createServer } from 'node:http';

const [pieces, pause, mib] = process.argv.slice(2).map(Number);
const clockUs = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
const piece = (more) =>
  `data: {"id":"c","object":"chat.completion.chunk","t":${clockUs()},"choices":[{"index":0,"delta":{"content":"${more}"}}]}\n\n`;
const END = 'data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n';

async function steady(res) {
  for (let i = 0; i < pieces; i++) {
    res.write(piece('word '));
    await new Promise((done) => setTimeout(done, pause));
  }
  res.end(END);
}

async function bulk(res) {
  const some = piece('some words of an answer '.repeat(8)).repeat(64);
  for (let left = mib << 20; left > 0; left -= some.length) {
    if (!res.write(some)) await new Promise((done) => res.once('drain', done));
  }
  res.end(END);
}

const server = createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { model } = JSON.parse(Buffer.concat(chunks));
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.socket.setNoDelay(true);
  await (model === 'gpt-bulk' ? bulk(res) : steady(res));
});
server.listen(0, '127.0.0.1', () => console.log(`listen=127.0.0.1:${server.address().port}`));
