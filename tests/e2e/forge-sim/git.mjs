// SPDX-License-Identifier: Apache-2.0
// Git over smart HTTP: `git http-backend` behind the forge's own door.
//
// The door decides who may read and push, as the real one does; the backend does the work. A push
// is taken one at a time for each repository, so that the truth log can say which request moved
// which ref.
import { spawn } from 'node:child_process';
import { HttpError } from './router.mjs';
import { GIT_ENV } from './repo-git.mjs';
import { can, fullNameOf } from './state.mjs';

// The owner may be a group in a group.
const PATH = /^\/(.+?)\/([^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/;

export function gitHandler(sim) {
  return {
    test: (path) => PATH.test(path),
    run: (ctx) => serve(sim, ctx),
    error: (ctx, e) => ({
      status: e.status,
      headers: { 'content-type': 'text/plain', ...e.headers },
      body: e.message,
    }),
    conflict: (ctx, e) => ({
      status: 404,
      headers: { 'content-type': 'text/plain' },
      body: e.message,
    }),
  };
}

const REALMS = { github: 'GitHub', gitea: 'Gitea', gitlab: 'GitLab' };

// Who may read or push; throws what the forge would say.
export function gitDoor(sim, ctx, repo, isPush = false) {
  const realm = REALMS[sim.dialect];
  const challenge = { headers: { 'www-authenticate': `Basic realm="${realm}"` } };
  const { who } = ctx;
  if (who.kind === 'bad') throw new HttpError(401, 'Invalid username or password.', challenge);
  if (!repo || !can(sim.auth.level(who, repo), 'read')) {
    if (who.kind === 'none') throw new HttpError(401, 'Authentication required.', challenge);
    throw new HttpError(404, 'Repository not found.');
  }
  if (who.kind === 'app') throw new HttpError(401, 'Invalid username or password.', challenge);
  const held = who.kind === 'installation' ? who.permissions.contents : undefined;
  if (who.kind === 'installation' && !held)
    throw new HttpError(403, 'Resource not accessible by integration');
  if (!isPush) return;
  if (who.kind === 'none') throw new HttpError(401, 'Authentication required.', challenge);
  const mayPush =
    who.kind === 'installation' ? held === 'write' : can(sim.auth.level(who, repo), 'write');
  if (!mayPush) throw new HttpError(403, `Permission to ${fullNameOf(repo)}.git denied.`);
}

async function serve(sim, ctx) {
  const [, owner, name, service] = PATH.exec(ctx.pathname);
  const repo = sim.state.findRepo(`${owner}/${name}`);
  const isPush = service === 'git-receive-pack' || ctx.query.get('service') === 'git-receive-pack';
  gitDoor(sim, ctx, repo, isPush);
  if (service !== 'git-receive-pack') return backend(sim, ctx, repo, service);
  return sim.state.locked(repo, async () => {
    const reply = await backend(sim, ctx, repo, service);
    await sim.state.refsMoved(repo, { actor: ctx.who.user, request: ctx.request });
    return reply;
  });
}

function environment(sim, ctx, repo, service) {
  const { who, headers } = ctx;
  const locked = who.kind === 'installation' && who.permissions.workflows !== 'write';
  return {
    ...GIT_ENV,
    GIT_PROJECT_ROOT: repo.gitDir,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: `/${service}`,
    REQUEST_METHOD: ctx.method,
    QUERY_STRING: ctx.url.search.slice(1),
    CONTENT_TYPE: headers['content-type'] ?? '',
    CONTENT_LENGTH: String(ctx.bytes.length),
    REMOTE_USER: who.user?.login ?? '',
    REMOTE_ADDR: '127.0.0.1',
    ...(headers['content-encoding'] && { HTTP_CONTENT_ENCODING: headers['content-encoding'] }),
    ...(headers['git-protocol'] && { GIT_PROTOCOL: headers['git-protocol'] }),
    ...(locked && { SIM_NO_WORKFLOWS: '1' }),
  };
}

// The CGI program's answer: header lines, an empty line, the body.
function backend(sim, ctx, repo, service) {
  return new Promise((done, fail) => {
    const child = spawn('git', ['http-backend'], {
      env: environment(sim, ctx, repo, service),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out = [],
      complaints = [];
    child.stdout.on('data', (c) => out.push(c));
    child.stderr.on('data', (c) => complaints.push(c));
    child.stdin.on('error', () => {}); // a backend that has already answered
    child.on('error', fail);
    child.on('close', () => {
      const whole = Buffer.concat(out),
        end = whole.indexOf('\r\n\r\n');
      if (end < 0) return fail(new Error(`git http-backend: ${Buffer.concat(complaints)}`));
      const headers = Object.fromEntries(
        whole
          .subarray(0, end)
          .toString('latin1')
          .split('\r\n')
          .map((l) => [
            l.slice(0, l.indexOf(':')).toLowerCase(),
            l.slice(l.indexOf(':') + 1).trim(),
          ]),
      );
      const status = Number.parseInt(headers.status ?? '200', 10);
      delete headers.status;
      return done({ status, headers, body: whole.subarray(end + 4) });
    });
    child.stdin.end(ctx.bytes);
  });
}
