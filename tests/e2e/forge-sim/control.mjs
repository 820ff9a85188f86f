// SPDX-License-Identifier: Apache-2.0
// The test's hand: /_sim/* takes JSON and does what people do at a forge, sets faults, and tells
// what happened. It is never logged as traffic and never spoiled by the fault script.
import { putObject } from './lfs.mjs';
import { fullNameOf } from './state.mjs';

const WAIT_MAX_MS = 120_000;

export function controlHandler(sim) {
  const { state, hooks, faults, truth } = sim;
  const actor = (login) => state.createUser({ login: login ?? 'alice' });
  const repo = (body) => state.repo(body.repo);
  const issue = (body) => state.issue(repo(body), body.number);
  const numbered = (i) => ({ number: i.number, id: i.id });

  const actions = {
    'POST users': (b) => ({ id: state.createUser(b).id }),
    'POST repos': async (b) => {
      const made = await state.createRepo(b);
      if (sim.botMember) state.setMember(made, sim.bot.login, sim.botMember);
      if (sim.auth.app) sim.auth.installation(made.owner);
      return {
        id: made.id,
        full_name: fullNameOf(made),
        clone_url: `${sim.base}/${fullNameOf(made)}.git`,
      };
    },
    'POST lfs': (b) => putObject(repo(b), b),
    'POST members': (b) => ({ id: state.setMember(repo(b), b.login, b.permission).id }),
    'POST labels': (b) => ({ id: state.createLabel(repo(b), b).id }),
    'POST issues': (b) => numbered(state.openIssue(repo(b), { ...b, actor: actor(b.as) })),
    'POST edit': (b) => numbered(state.editIssue(issue(b), { ...b, actor: actor(b.as) })),
    'POST label': (b) => {
      state.addLabels(issue(b), [state.labelMade(repo(b), b.label)], { actor: actor(b.as) });
    },
    'POST unlabel': (b) => {
      const label = state.label(repo(b), b.label);
      state.removeLabels(issue(b), label ? [label] : [], {
        actor: actor(b.as),
        cleared: b.cleared,
      });
    },
    'POST comment': (b) => {
      const { body, internal, system } = b;
      return { id: state.createComment(issue(b), { body, internal, system, actor: actor(b.as) }).id };
    },
    'POST comment/edit': (b) => {
      state.editComment(state.comment(repo(b), b.id), { body: b.body, actor: actor(b.as) });
    },
    'POST comment/delete': (b) => {
      state.deleteComment(state.comment(repo(b), b.id), { actor: actor(b.as) });
    },
    'POST close': (b) => {
      state.editIssue(issue(b), { state: 'closed', actor: actor(b.as) });
    },
    'POST reopen': (b) => {
      state.editIssue(issue(b), { state: 'open', actor: actor(b.as) });
    },
    'POST commit': async (b) => ({
      sha: await state.commit(repo(b), { ...b, actor: actor(b.as) }),
    }),
    'POST pulls': async (b) =>
      numbered(
        await state.openPull(repo(b), {
          ...b,
          headRepo: b.head_repo ? state.repo(b.head_repo) : undefined,
          actor: actor(b.as),
        }),
      ),
    'GET state': () => view(sim),
    'GET truth': async (b, q) => {
      const seq = Number(q.get('since') ?? 0);
      if (q.has('wait_ms')) await truth.wait(seq, Math.min(Number(q.get('wait_ms')), WAIT_MAX_MS));
      return truth.since(seq);
    },
    'GET stats': () => ({
      max_per_minute: truth.busiest(60_000),
      max_per_hour: truth.busiest(3600_000),
      requests: truth.requests,
      jwts: sim.auth.jwtsSeen,
      bans: sim.bans.asked,
      calls_in_bans: sim.bans.broken,
    }),
    'POST hook': (b) => hooks.configure(b),
    'GET hook/health': () => ({ status: hooks.health.status(state.now()), failures: hooks.health.failures }),
    'POST scopes': (b) => {
      sim.scopes = b.scopes;
    },
    'POST hook/mode': (b) => hooks.configure({ mode: b }),
    'POST hook/idle': () => hooks.idle(),
    'GET deliveries': () => hooks.log.map(({ raw, signed, headers, ...d }) => d),
    'POST deliveries/send': async (b) => {
      const found = hooks.log.filter((d) => matches(d, b)).at(-1);
      if (!found) throw new Error('no such delivery');
      return { guid: found.guid, codes: await hooks.send(found, b) };
    },
    'GET deliveries/raw': (b, q) => {
      const found = hooks.log.filter((d) => matches(d, Object.fromEntries(q))).at(-1);
      if (!found) throw new Error('no such delivery');
      return {
        guid: found.guid,
        headers: { ...found.headers, ...hooks.signatures(found) },
        body: found.raw.toString('utf8'),
      };
    },
    'POST faults': (b) => ({ ids: [].concat(b).map((rule) => faults.add(rule).id) }),
    'GET faults': () => faults.view(),
    'POST faults/clear': () => faults.clear(),
    'POST faults/seed': (b) => faults.seed(b.seed),
    'POST faults/held': (b) => faults.held(b.id, Math.min(b.ms ?? 10_000, WAIT_MAX_MS)),
    'POST faults/release': (b) => ({ released: faults.release(b.id, b.mode) }),
    'POST faults/remove': (b) => faults.remove(b.id),
    'POST bans/heard': () => sim.bans.heard(),
    'POST tokens/expire': () => ({ expired: sim.auth.expireAll() }),
    'POST clock': (b) => {
      state.clockOffset = Math.round(b.offset_s * 1000);
    },
    'POST page-size': (b) => {
      sim.pageSize = b.size;
    },
    'POST installation': (b) => {
      sim.auth.installation(actor(b.owner)).suspended = Boolean(b.suspended);
    },
  };

  return async (ctx, body) => {
    const name = `${ctx.method} ${ctx.pathname.slice('/_sim/'.length)}`;
    const action = actions[name];
    if (!action) throw new Error(`no control ${name}`);
    return action(body, ctx.query);
  };
}

const matches = (d, { guid, event, action }) =>
  (!guid || d.guid === guid) && (!event || d.event === event) && (!action || d.action === action);

// The whole forge as plain data, for assertions.
function view(sim) {
  const { state } = sim;
  const who = (u) => u?.login ?? null;
  const asset = (a) => ({
    id: a.id,
    name: a.name,
    size: a.size,
    uuid: a.uuid,
    sha256: a.sha256,
    file: a.file,
  });
  const comment = (c) => ({
    id: c.id,
    user: who(c.user),
    body: c.body,
    internal: Boolean(c.internal),
    created: c.created,
    updated: c.updated,
    reactions: c.reactions.map((r) => ({ user: who(r.user), content: r.content })),
    assets: c.assets.map(asset),
  });
  const issue = (i) => ({
    id: i.id,
    number: i.number,
    title: i.title,
    body: i.body,
    state: i.state,
    user: who(i.user),
    labels: i.labels.map((l) => l.name),
    assignees: (i.assignees ?? []).map(who),
    comments: state.commentsOf(i).map(comment),
    reactions: i.reactions.map((r) => ({ user: who(r.user), content: r.content })),
    assets: i.assets.map(asset),
    pull: i.pull && {
      id: i.pull.id,
      head: i.pull.head,
      base: i.pull.base,
      draft: i.pull.draft,
      head_sha: i.pull.headSha,
      base_sha: i.pull.baseSha,
      head_repo: fullNameOf(i.pull.headRepo),
    },
  });
  const repos = [...state.repos.values()].map((r) => ({
    id: r.id,
    full_name: fullNameOf(r),
    git_dir: r.gitDir,
    refs: Object.fromEntries(r.refs),
    labels: r.labels.map((l) => l.name),
    issues: [...r.issues.values()].map(issue),
    checks: [...state.checks.values()]
      .filter((c) => c.repo === r)
      .map((c) => ({
        id: c.id,
        name: c.name,
        head_sha: c.headSha,
        status: c.status,
        conclusion: c.conclusion,
        external_id: c.externalId,
        details_url: c.detailsUrl,
        output: c.output,
      })),
    statuses: r.statuses.map((s) => ({
      sha: s.sha,
      state: s.state,
      context: s.context,
      description: s.description,
      target_url: s.targetUrl,
    })),
  }));
  return { base: sim.base, api: `${sim.base}${sim.apiPrefix}`, bot: sim.bot.login, repos };
}
