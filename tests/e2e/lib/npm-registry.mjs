// SPDX-License-Identifier: Apache-2.0
// A package registry of one package, in memory: enough for a real `npm ci` behind the gateway.
import { createHash } from 'node:crypto';
import http from 'node:http';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;

function header(name, size) {
  const block = Buffer.alloc(BLOCK);
  const put = (text, at) => block.write(text, at, 'latin1');
  put(name, 0);
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${size.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\0', 257);
  put('00', 263);
  const sum = block.reduce((a, b) => a + b, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

// files: name -> text. An npm package is a gzipped tar with everything below package/.
export function tarball(files) {
  const parts = Object.entries(files).flatMap(([name, text]) => {
    const bytes = Buffer.from(text);
    const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
    return [header(`package/${name}`, bytes.length), bytes, padding];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}

export const integrity = (bytes) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

export class NpmRegistry {
  // packages: [{name, version, files}]
  static async start(packages) {
    const registry = new NpmRegistry();
    registry.requests = [];
    registry.packages = packages.map((p) => {
      const manifest = { name: p.name, version: p.version, main: 'index.js' };
      const bytes = tarball({ 'package.json': JSON.stringify(manifest), ...p.files });
      return { ...p, manifest, bytes, integrity: integrity(bytes) };
    });
    registry.server = http.createServer((req, res) => registry.#serve(req, res));
    await new Promise((done) => {
      registry.server.listen(0, '127.0.0.1', done);
    });
    registry.url = `http://127.0.0.1:${registry.server.address().port}`;
    return registry;
  }

  #serve(req, res) {
    const { pathname } = new URL(req.url, this.url);
    this.requests.push({ method: req.method, path: pathname, headers: req.headers });
    const file = this.packages.find((p) => pathname === this.#path(p));
    const meta = this.packages.find((p) => decodeURIComponent(pathname) === `/${p.name}`);
    if (req.method !== 'GET' && req.method !== 'HEAD') return res.writeHead(405).end();
    if (file) {
      res.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': file.bytes.length,
      });
      return res.end(req.method === 'HEAD' ? undefined : file.bytes);
    }
    if (!meta)
      return res
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"error":"Not found"}');
    const body = JSON.stringify(this.#metadata(meta));
    res.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    return res.end(req.method === 'HEAD' ? undefined : body);
  }

  #path(p) {
    return `/${p.name}/-/${p.name.split('/').pop()}-${p.version}.tgz`;
  }

  #metadata(p) {
    const dist = { tarball: this.url + this.#path(p), integrity: p.integrity };
    return {
      name: p.name,
      'dist-tags': { latest: p.version },
      versions: { [p.version]: { ...p.manifest, dist } },
    };
  }

  // package.json and a lock without registry hosts, as `omit-lockfile-registry-resolved` leaves it.
  project(name) {
    const dependencies = Object.fromEntries(this.packages.map((p) => [p.name, p.version]));
    const root = { name, version: '1.0.0', dependencies };
    const locked = Object.fromEntries(
      this.packages.map((p) => [
        `node_modules/${p.name}`,
        { version: p.version, integrity: p.integrity },
      ]),
    );
    return {
      'package.json': JSON.stringify({ ...root, private: true }, null, 2),
      'package-lock.json': JSON.stringify(
        {
          name,
          version: '1.0.0',
          lockfileVersion: 3,
          requires: true,
          packages: { '': root, ...locked },
        },
        null,
        2,
      ),
    };
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => {
      this.server.close(done);
    });
  }
}
