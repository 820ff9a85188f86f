// SPDX-License-Identifier: Apache-2.0
// Pages for people: a repository, its issues and pull requests, files and attachments.
// Plain HTML without scripts, so that the demo can show in any browser what the bot did.
import { readFileSync } from 'node:fs';
import { escape, markdown } from './markdown.mjs';
import { diff, git, readPath, resolve } from './repo-git.mjs';
import { HttpError } from './router.mjs';
import { fullNameOf } from './state.mjs';

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328}
a{color:#0969da}code,pre{font:13px/1.45 ui-monospace,monospace;background:#f6f8fa;border-radius:4px}
code{padding:.1em .3em}pre{padding:.8rem;overflow-x:auto}.card{border:1px solid #d1d9e0;border-radius:6px;margin:1rem 0}
.card>header{background:#f6f8fa;padding:.4rem 1rem;border-bottom:1px solid #d1d9e0;color:#59636e}.card>div{padding:.2rem 1rem}
.label{border-radius:1em;padding:.1em .7em;background:#ddf4ff;margin-right:.4em;font-size:13px}
.open{color:#1a7f37}.closed{color:#8250df}table{border-collapse:collapse}td,th{border:1px solid #d1d9e0;padding:.2rem .6rem}
.add{background:#dafbe1}.del{background:#ffebe9}.hunk{color:#8250df}blockquote{border-left:3px solid #d1d9e0;margin-left:0;padding-left:1rem;color:#59636e}`;

const html = (title, body) => ({
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style>${body}</html>`,
});

export function pagesHandler(sim) {
  const { state } = sim;
  const pullWord = { github: 'pull', gitea: 'pulls', gitlab: '-/merge_requests' }[sim.dialect];
  const issueWord = sim.dialect === 'gitlab' ? '-/issues' : 'issues';
  const issuePath = (i) =>
    `/${fullNameOf(i.repo)}/${i.pull ? pullWord : issueWord}/${Math.abs(i.number)}`;
  const when = (t) => escape(t.replace('T', ' ').replace('Z', ''));
  const labels = (i) =>
    i.labels.map((l) => `<span class="label">${escape(l.name)}</span>`).join('');

  const index = () =>
    html(
      'forge-sim',
      `<h1>Repositories</h1><ul>${[...state.repos.values()]
        .map((r) => `<li><a href="/${fullNameOf(r)}">${escape(fullNameOf(r))}</a></li>`)
        .join('')}</ul>`,
    );

  function repoPage(repo) {
    const rows = [...repo.issues.values()]
      .reverse()
      .map(
        (i) =>
          `<li><a href="${issuePath(i)}">${i.pull ? 'PR' : 'Issue'} #${i.number} ${escape(i.title)}</a> <b class="${i.state}">${i.state}</b> ${labels(i)}</li>`,
      );
    const refs = [...repo.refs].map(
      ([n, s]) =>
        `<li><code>${escape(n)}</code> <a href="/${fullNameOf(repo)}/commit/${s}">${s.slice(0, 10)}</a></li>`,
    );
    return html(
      fullNameOf(repo),
      `<h1>${escape(fullNameOf(repo))}</h1><ul>${rows.join('')}</ul><h2>Refs</h2><ul>${refs.join('')}</ul>`,
    );
  }

  function card(c) {
    const marks = c.reactions
      .map((r) => (r.content === 'eyes' ? '👀' : escape(r.content)))
      .join(' ');
    const files = c.assets.map(
      (a) => `<li><a href="/attachments/${a.uuid}">${escape(a.name)}</a> (${a.size} bytes)</li>`,
    );
    return `<section class="card"><header><b>${escape(c.user?.login)}</b> ${when(c.created)} ${c.updated !== c.created ? '(edited)' : ''} ${marks}</header><div>${markdown(c.body)}${files.length ? `<ul>${files.join('')}</ul>` : ''}</div></section>`;
  }

  function coloured(text) {
    return text
      .split('\n')
      .map((line) => {
        const kind = /^(\+\+\+|---)/.test(line)
          ? ''
          : ({ '+': 'add', '-': 'del', '@': 'hunk' }[line[0]] ?? '');
        return kind ? `<span class="${kind}">${escape(line)}</span>` : escape(line);
      })
      .join('\n');
  }

  function checks(issue) {
    const { repo, pull } = issue;
    const runs = state.checksOf(repo, pull.headSha).map((c) => ({
      name: c.name,
      state: c.conclusion ?? c.status,
      url: c.detailsUrl,
      text: [c.output.title, c.output.summary, c.output.text].filter(Boolean).join('\n\n'),
    }));
    const statuses = state
      .currentStatuses(repo, pull.headSha)
      .map((s) => ({ name: s.context, state: s.state, url: s.targetUrl, text: s.description }));
    const rows = [...runs, ...statuses].map(
      (c) =>
        `<li><b>${escape(c.name)}</b>: ${escape(c.state)} ${c.url ? `<a href="${escape(c.url)}">details</a>` : ''}<details><summary>output</summary>${markdown(c.text)}</details></li>`,
    );
    return rows.length ? `<h2>Checks</h2><ul>${rows.join('')}</ul>` : '';
  }

  async function issuePage(issue) {
    const { pull } = issue;
    const head = `<p><a href="/${fullNameOf(issue.repo)}">${escape(fullNameOf(issue.repo))}</a></p><h1>${escape(issue.title)} #${issue.number}</h1><p><b class="${issue.state}">${issue.state}${pull?.draft ? ' draft' : ''}</b> ${labels(issue)}${pull ? ` <code>${escape(pull.head)}</code> → <code>${escape(pull.base)}</code>` : ''}</p>`;
    const talk = [issue, ...state.commentsOf(issue)].map(card).join('');
    if (!pull) return html(issue.title, head + talk);
    const text = await diff(issue.repo.gitDir, pull.baseSha, pull.headSha);
    return html(
      issue.title,
      `${head}${talk}${checks(issue)}<h2>Changes</h2><pre>${coloured(text)}</pre>`,
    );
  }

  async function pullText(issue, patch) {
    const { repo, pull } = issue;
    const text = patch
      ? await git(repo.gitDir, ['format-patch', '--stdout', `${pull.baseSha}..${pull.headSha}`])
      : await diff(repo.gitDir, pull.baseSha, pull.headSha);
    return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: text };
  }

  async function filePage(repo, at, path) {
    const sha = await resolve(repo.gitDir, at);
    const found = sha && (await readPath(repo.gitDir, sha, path));
    if (found?.type !== 'blob') throw new HttpError(404, 'no such file');
    return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: found.bytes };
  }

  async function commitPage(repo, sha) {
    if (!(await resolve(repo.gitDir, sha))) throw new HttpError(404, 'no such commit');
    const text = await git(repo.gitDir, ['show', '--format=fuller', sha]);
    return html(sha.slice(0, 10), `<h1>${sha.slice(0, 10)}</h1><pre>${coloured(text)}</pre>`);
  }

  function attachment(uuid) {
    const found = state.assets.get(uuid);
    if (!found) throw new HttpError(404, 'no such attachment');
    return {
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: readFileSync(found.file),
    };
  }

  // GitLab puts "/-/" between a project, whose groups may be many, and what is in it.
  function place(path) {
    const pattern =
      sim.dialect === 'gitlab'
        ? /^\/(.+?)\/([^/]+)(?:\/-\/([^/]+)(?:\/(.*))?)?$/
        : /^\/([^/]+)\/([^/]+)(?:\/([^/]+)(?:\/(.*))?)?$/;
    const [, owner, name, kind, rest] = pattern.exec(path) ?? [];
    return { repo: owner && state.findRepo(`${owner}/${name}`), kind, rest };
  }

  async function run(ctx) {
    const path = decodeURIComponent(ctx.pathname);
    if (ctx.method !== 'GET') throw new HttpError(405, 'pages are for reading');
    if (path === '/') return index();
    const file = /^\/attachments\/([0-9a-f-]+)$/.exec(path);
    if (file) return attachment(file[1]);
    const upload = /^\/-\/project\/\d+\/uploads\/([0-9a-f]{32})\//.exec(path);
    if (upload) return attachment(upload[1].replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
    const { repo, kind, rest } = place(path);
    if (!repo) throw new HttpError(404, 'no such page');
    if (!kind) return repoPage(repo);
    const numbered = /^(\d+)(\.diff|\.patch)?$/.exec(rest ?? '');
    const sign = kind === 'merge_requests' ? -1 : 1;
    const issue = numbered && repo.issues.get(sign * Number(numbered[1]));
    if (['issues', 'pull', 'pulls', 'merge_requests'].includes(kind) && issue) {
      return numbered[2] && issue.pull
        ? pullText(issue, numbered[2] === '.patch')
        : issuePage(issue);
    }
    if (kind === 'commit' && rest) return commitPage(repo, rest);
    const at =
      rest && /^(blob|raw|src)$/.test(kind) && /^(?:(?:branch|commit)\/)?([^/]+)\/(.+)$/.exec(rest);
    if (at) return filePage(repo, at[1], at[2]);
    throw new HttpError(404, 'no such page');
  }

  const error = (ctx, e) => ({
    status: e.status ?? 404,
    ...html('error', `<h1>${escape(e.message)}</h1>`),
  });
  return { test: () => true, run, error, conflict: error };
}
