// SPDX-License-Identifier: Apache-2.0
// Git LFS behind the forge's door: the batch API and the objects of a repository, for those who may
// read it. Only what was put there by hand (control.mjs); nobody uploads.
import { createHash } from 'node:crypto';
import { gitDoor } from './git.mjs';
import { HttpError } from './router.mjs';
import { fullNameOf } from './state.mjs';

const PATH = /^\/([^/]+)\/([^/]+?)\.git\/info\/lfs\/objects\/(batch|[0-9a-f]{64})$/;
const VERSION = 'version https://git-lfs.github.com/spec/v1';
const TYPE = 'application/vnd.git-lfs+json';

export function lfsHandler(sim) {
  const error = (ctx, e) => ({
    status: e.status,
    headers: { 'content-type': TYPE, ...e.headers },
    body: { message: e.message },
  });
  return { test: (path) => PATH.test(path), run: (ctx) => serve(sim, ctx), error };
}

// -> {oid, size, pointer}; places: where the forge says that the object is, if not at its own door.
export function putObject(repo, { content, places }) {
  const bytes = Buffer.from(content);
  const oid = createHash('sha256').update(bytes).digest('hex');
  repo.lfs ??= new Map();
  repo.lfs.set(oid, { bytes, places });
  const size = bytes.length;
  return { oid, size, pointer: `${VERSION}\noid sha256:${oid}\nsize ${size}\n` };
}

function serve(sim, ctx) {
  const [, owner, name, what] = PATH.exec(ctx.pathname);
  const repo = sim.state.findRepo(`${owner}/${name}`);
  gitDoor(sim, ctx, repo);
  if (what !== 'batch') {
    const found = repo.lfs?.get(what);
    if (!found) throw new HttpError(404, 'no such object');
    const headers = { 'content-type': 'application/octet-stream' };
    return { status: 200, headers, body: found.bytes };
  }
  const ask = JSON.parse(ctx.bytes.toString('utf8'));
  if (ctx.headers.accept !== TYPE || !ctx.headers['content-type'].startsWith(TYPE))
    throw new HttpError(406, 'not a question of Git LFS');
  if (ask.operation !== 'download') throw new HttpError(403, 'nobody uploads here');
  const base = `${sim.base}/${fullNameOf(repo)}.git/info/lfs/objects`;
  const objects = ask.objects.map((o) => place(repo, o, base));
  return { status: 200, headers: { 'content-type': TYPE }, body: { transfer: 'basic', objects } };
}

function place(repo, { oid, size }, base) {
  const found = repo.lfs?.get(oid);
  if (!found || found.bytes.length !== size)
    return { oid, size, error: { code: 404, message: 'Object does not exist' } };
  const href = `${found.places ?? base}/${oid}`;
  return { oid, size, authenticated: true, actions: { download: { href, expires_in: 3600 } } };
}
