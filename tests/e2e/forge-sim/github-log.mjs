// SPDX-License-Identifier: Apache-2.0
// GitHub's log of what it delivered: an App's own, and that of a hook in a repository, which only its
// administrators see. Kept for three days, newest first, walked by an opaque cursor.
import { HttpError } from './router.mjs';
import { invalid } from './github-errors.mjs';

const KEPT_MS = 72 * 3600_000;
export const HOOK_ID = 424242;
const APP = { as: 'app' };
const ADMIN = { needs: 'repository_hooks:read', level: 'admin' };

export function logRoutes(sim, { repo: api }) {
  const { state } = sim;
  const isOk = (d) => d.code >= 200 && d.code < 300;
  const kept = (ctx) => {
    const from = new Date(state.now() - KEPT_MS).toISOString();
    return sim.hooks.log.filter((d) => d.at >= from && (!ctx.repo || d.repo === ctx.repo.id));
  };

  function list(ctx) {
    const wanted = ctx.query.get('status');
    let rows = kept(ctx).reverse();
    if (wanted === 'failure') rows = rows.filter((d) => !isOk(d));
    if (wanted === 'success') rows = rows.filter(isOk);
    const size = Math.min(Number(ctx.query.get('per_page')) || 30, 100, sim.pageSize || Infinity);
    const cursor = ctx.query.get('cursor');
    // The row that it named may have left the selection since: what is older follows.
    const at = cursor && /^v1_(\d+)$/.exec(cursor)?.[1];
    if (cursor && !at) throw invalid('Delivery', 'cursor', 'invalid');
    if (cursor) rows = rows.filter((d) => d.id <= Number(at));
    const next = rows[size];
    const headers = {};
    if (next) {
      const url = new URL(ctx.path, sim.base);
      url.searchParams.set('cursor', `v1_${next.id}`);
      headers.link = `<${url.href}>; rel="next"`;
    }
    return { headers, body: rows.slice(0, size).map(item) };
  }

  function item(d) {
    const failed = d.code ? `Invalid HTTP Response: ${d.code}` : 'failed to connect to host';
    return {
      id: d.id,
      guid: d.guid,
      delivered_at: d.at,
      redelivery: d.redelivery,
      duration: d.ms / 1000,
      status: isOk(d) ? 'OK' : failed,
      status_code: d.code,
      event: d.event,
      action: d.action,
      installation_id: d.installation,
      repository_id: d.repo,
      throttled_at: null,
    };
  }

  function found(ctx) {
    const one = kept(ctx).find((d) => d.id === Number(ctx.params.id));
    if (!one) throw new HttpError(404, 'Not Found');
    return one;
  }

  function get(ctx) {
    const d = found(ctx);
    return {
      body: {
        ...item(d),
        url: sim.hooks.url ?? '',
        request: { headers: d.headers, payload: JSON.parse(d.signed.toString('utf8')) },
        response: { headers: {}, payload: '' },
      },
    };
  }

  function redeliver(ctx) {
    const d = found(ctx);
    sim.hooks.redeliver(d);
    state.changed('delivery.redelivered', { guid: d.guid, ...ctx.by });
    return { status: 202, body: {} };
  }

  function config(ctx) {
    if (ctx.method === 'GET') return { body: sim.hooks.config() };
    if (ctx.input.url && !/^https?:/.test(ctx.input.url)) throw invalid('Hook', 'url', 'invalid');
    return { body: sim.hooks.configure(ctx.input) };
  }

  function hookOf(ctx) {
    const at = `${api(ctx.repo).url}/hooks/${HOOK_ID}`;
    return {
      type: 'Repository',
      id: HOOK_ID,
      name: 'web',
      active: true,
      events: ['issues', 'issue_comment', 'pull_request', 'push'],
      config: sim.hooks.config(),
      created_at: ctx.repo.created,
      updated_at: ctx.repo.updated,
      url: at,
      test_url: `${at}/test`,
      ping_url: `${at}/pings`,
      deliveries_url: `${at}/deliveries`,
      last_response: { code: null, status: 'unused', message: null },
    };
  }

  const R = '/repos/{owner}/{repo}/hooks';
  return [
    ['GET', '/app/hook/config', config, APP],
    ['PATCH', '/app/hook/config', config, APP],
    ['GET', '/app/hook/deliveries', list, APP],
    ['GET', '/app/hook/deliveries/{id}', get, APP],
    ['POST', '/app/hook/deliveries/{id}/attempts', redeliver, APP],
    ['GET', R, (ctx) => ({ body: sim.hooks.url ? [hookOf(ctx)] : [] }), ADMIN],
    ['GET', `${R}/{hook}/deliveries`, list, ADMIN],
    ['GET', `${R}/{hook}/deliveries/{id}`, get, ADMIN],
    ['POST', `${R}/{hook}/deliveries/{id}/attempts`, redeliver, ADMIN],
    // Who may not see an organisation's hooks is told that there are none.
    ['GET', '/orgs/{org}/hooks', notFound, {}],
  ];
}

function notFound() {
  throw new HttpError(404, 'Not Found');
}
