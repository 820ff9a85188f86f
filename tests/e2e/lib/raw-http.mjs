// SPDX-License-Identifier: Apache-2.0
// Bytes to a socket and what came back: for requests that no HTTP library would send.
import net from 'node:net';

const WAIT_MS = 10_000;

// parts: strings and buffers, or functions that lead to one, written one after the other as the
// socket drains; an error while writing (the server has had enough) is no failure.
// -> {status, head, text, closed, sent}
export function exchange(url, parts, { ms = WAIT_MS } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    const socket = net.connect(Number(port), hostname);
    const got = [];
    let sent = 0,
      closed = false;
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(got).toString('latin1');
      const answers = [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((m) => Number(m[1]));
      done({ status: answers[0], answers, text, closed, sent });
    };
    const timer = setTimeout(() => (got.length ? finish() : fail(new Error('no answer'))), ms);
    socket.on('data', (c) => got.push(c));
    socket.on('error', () => {
      closed = true;
    });
    socket.on('close', () => {
      closed = true;
      finish();
    });
    socket.on('connect', async () => {
      for (const given of parts) {
        const part = typeof given === 'function' ? await given() : given;
        if (socket.destroyed) return;
        const isFull = !socket.write(part);
        sent += part.length;
        if (isFull)
          await new Promise((next) => {
            socket.once('drain', next);
            socket.once('close', next);
          });
      }
    });
  });
}

export const head = (method, path, headers) =>
  `${method} ${path} HTTP/1.1\r\n${Object.entries(headers)
    .map(([k, v]) => `${k}: ${v}\r\n`)
    .join('')}\r\n`;
