// SPDX-License-Identifier: Apache-2.0
// Whom a box would like to talk to: where its programs look for a resolver, one listens that knows
// nobody and writes down who was asked for. Needs root, to be where the box is.
//
// Run by itself it is that resolver: `node ear.mjs`.
import dgram from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { Program } from './process.mjs';

const MAIN = fileURLToPath(import.meta.url);
const NO_SUCH_NAME = 3;

// -> the name that a question is about (RFC 1035, 4.1).
export function nameOf(question) {
  const labels = [];
  for (let at = 12; question[at] > 0; at += question[at] + 1) {
    labels.push(question.toString('latin1', at + 1, at + 1 + question[at]));
  }
  return labels.join('.').toLowerCase();
}

function serve() {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (question, { port, address }) => {
    if (question.length < 13) return;
    console.log(`asked ${nameOf(question)}`);
    const answer = Buffer.from(question);
    answer[2] |= 0x80; // it is an answer
    answer[3] = (answer[3] & 0xf0) | NO_SUCH_NAME;
    socket.send(answer, port, address);
  });
  socket.bind(53, '127.0.0.1', () => console.log('listening'));
}

export class Ear {
  // Listens where the process lives.
  static async start(pid) {
    const ear = new Ear();
    const words = [`--net=/proc/${pid}/ns/net`, '--', process.execPath, MAIN];
    ear.program = new Program(`ear in the box of ${pid}`, 'nsenter', words);
    await ear.program.line(/^listening$/);
    return ear;
  }

  // -> the names, each once.
  async stop() {
    await this.program.stop();
    const asked = this.program.lines.map((line) => /^asked (.*)/.exec(line)?.[1]);
    return [...new Set(asked.filter((name) => name !== undefined))].sort();
  }
}

if (process.argv[1] === MAIN) serve();
