// SPDX-License-Identifier: Apache-2.0
// Registries of four kinds on one server, each with one package `acme-plus` that adds: a Python
// index, a sparse cargo index, a Go module proxy, a Debian repository. Enough for the real tools.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';

// Tools ask no proxy for 127.0.0.1, and apt must ask one.
const HOST = '127.0.0.2';

const sha256 = (bytes, form = 'hex') => createHash('sha256').update(bytes).digest(form);

// files: path -> text, written below dir.
function write(dir, files) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

const ZIP = 'import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],"w")\nfor p in sys.argv[2:]: z.write(p)';

function zip(dir, name, files) {
  write(dir, files);
  execFileSync('python3', ['-c', ZIP, name, ...Object.keys(files)], { cwd: dir });
  return readFileSync(join(dir, name));
}

function python(dir) {
  const info = 'acme_plus-1.0.dist-info';
  const wheel = 'acme_plus-1.0-py3-none-any.whl';
  const bytes = zip(dir, wheel, {
    'acme_plus.py': 'def plus(a, b):\n    return a + b\n',
    [`${info}/METADATA`]: 'Metadata-Version: 2.1\nName: acme-plus\nVersion: 1.0\n',
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: `acme_plus.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
  });
  return {
    hash: sha256(bytes),
    answers: (url) => ({
      // The files of a Python index lie on another host by habit.
      '/pypi/simple/acme-plus/': `<a href="${url}/pypi-files/${wheel}#sha256=${sha256(bytes)}">${wheel}</a>`,
      [`/pypi-files/${wheel}`]: bytes,
    }),
  };
}

function cargo(dir) {
  const root = 'acme-plus-1.0.0';
  write(dir, {
    [`${root}/Cargo.toml`]: '[package]\nname = "acme-plus"\nversion = "1.0.0"\nedition = "2021"\n',
    [`${root}/src/lib.rs`]: 'pub fn plus(a: i64, b: i64) -> i64 {\n    a + b\n}\n',
  });
  const bytes = execFileSync('tar', ['czf', '-', root], { cwd: dir });
  const line = {
    name: 'acme-plus',
    vers: '1.0.0',
    deps: [],
    cksum: sha256(bytes),
    features: {},
    yanked: false,
  };
  return {
    hash: sha256(bytes),
    answers: (url) => ({
      '/cargo/config.json': JSON.stringify({ dl: `${url}/cargo/crates` }),
      '/cargo/ac/me/acme-plus': JSON.stringify(line),
      '/cargo/crates/acme-plus/1.0.0/download': bytes,
    }),
  };
}

// https://go.dev/ref/mod#go-sum-files: a hash over the hashes of the files.
const dirhash = (files) =>
  `h1:${sha256(
    Object.keys(files)
      .sort()
      .map((name) => `${sha256(files[name])}  ${name}\n`)
      .join(''),
    'base64',
  )}`;

function go(dir) {
  const module = 'acme.test/plus';
  const mod = `module ${module}\n`;
  const files = {
    [`${module}@v1.0.0/go.mod`]: mod,
    [`${module}@v1.0.0/plus.go`]:
      'package plus\n\nfunc Plus(a, b int) int { return a + b }\n',
  };
  const bytes = zip(dir, 'plus.zip', files);
  return {
    hash: `${module} v1.0.0 ${dirhash(files)}\n${module} v1.0.0/go.mod ${dirhash({ 'go.mod': mod })}\n`,
    answers: () => ({
      [`/go/${module}/@v/v1.0.0.info`]: '{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}',
      [`/go/${module}/@v/v1.0.0.mod`]: mod,
      [`/go/${module}/@v/v1.0.0.zip`]: bytes,
    }),
  };
}

function debian(dir) {
  const control = `Package: acme-plus
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: adds
`;
  write(dir, {
    'deb/DEBIAN/control': control,
    'deb/usr/share/acme-plus/plus': 'echo $(($1 + $2))\n',
  });
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', 'deb', 'plus.deb'], { cwd: dir });
  const bytes = readFileSync(join(dir, 'plus.deb'));
  const name = 'pool/a/acme-plus/acme-plus_1.0_all.deb';
  const packages = `${control}Filename: ${name}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n\n`;
  const indexes = ['all', 'amd64'].map((arch) => `main/binary-${arch}/Packages`);
  const release = `Suite: stable
Codename: stable
Components: main
Architectures: all amd64
Date: Thu, 01 Jan 2026 00:00:00 UTC
SHA256:
${indexes.map((path) => ` ${sha256(packages)} ${packages.length} ${path}\n`).join('')}`;
  return {
    hash: sha256(bytes),
    answers: () => ({
      '/debian/dists/stable/Release': release,
      ...Object.fromEntries(indexes.map((path) => [`/debian/dists/stable/${path}`, packages])),
      [`/debian/${name}`]: bytes,
    }),
  };
}

const KINDS = { python, cargo, go, debian };

export class Registries {
  // dir: a directory for the making of packages.
  static async start(dir) {
    const r = new Registries();
    r.requests = [];
    r.spoiled = new Set(); // paths in whose answers a byte is another
    r.server = http.createServer((req, res) => r.#serve(req, res));
    await new Promise((done) => {
      r.server.listen(0, HOST, done);
    });
    r.url = `http://${HOST}:${r.server.address().port}`;
    r.answers = {};
    r.hashes = {};
    for (const [kind, make] of Object.entries(KINDS)) {
      mkdirSync(join(dir, kind), { recursive: true });
      const made = make(join(dir, kind));
      r.hashes[kind] = made.hash;
      Object.assign(r.answers, made.answers(r.url));
    }
    return r;
  }

  #serve(req, res) {
    this.requests.push({ method: req.method, path: req.url });
    const found = this.answers[req.url];
    if (found === undefined) return res.writeHead(404).end();
    const bytes = Buffer.from(found);
    if (this.spoiled.has(req.url)) bytes[bytes.length >> 1] ^= 1;
    res.writeHead(200, {
      'content-type': req.url.endsWith('/') ? 'text/html' : 'application/octet-stream',
      'content-length': bytes.length,
    });
    return res.end(req.method === 'HEAD' ? undefined : bytes);
  }

  // How often a file whose path ends so was fetched.
  fetched(end) {
    return this.requests.filter((r) => r.path.endsWith(end)).length;
  }

  // For nightshift.yaml.
  config() {
    return {
      pip: { url: `${this.url}/pypi/simple`, files: `${this.url}/pypi-files` },
      cargo: { url: `${this.url}/cargo` },
      go: { url: `${this.url}/go` },
      apt: { url: `${this.url}/debian` },
    };
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => {
      this.server.close(done);
    });
  }
}
