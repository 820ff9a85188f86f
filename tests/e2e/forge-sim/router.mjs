// SPDX-License-Identifier: Apache-2.0
// Routes as a table: ['POST', '/repos/{owner}/{repo}/issues', handler, {facts}].
// `{name}` is one segment (a %2F in it stays inside), `{name*}` takes the rest of the path.

export class HttpError extends Error {
  constructor(status, message, { headers = {}, body } = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

function compile([method, template, handler, facts = {}]) {
  const names = [];
  const pattern = template.replace(/[.]/g, '\\.').replace(/\{(\w+)(\*?)\}/g, (_, name, rest) => {
    names.push(name);
    return rest ? '(.+)' : '([^/]+?)';
  });
  return { method, template, handler, facts, names, regex: new RegExp(`^${pattern}$`) };
}

export class Router {
  constructor(rows) {
    this.routes = rows.map(compile);
  }

  // -> {handler, params, facts, template}, or {methods} when only the method is wrong.
  match(method, path) {
    const methods = [];
    for (const route of this.routes) {
      const hit = route.regex.exec(path);
      if (!hit) continue;
      if (route.method !== method) {
        methods.push(route.method);
        continue;
      }
      const params = {};
      route.names.forEach((name, i) => {
        params[name] = decodeURIComponent(hit[i + 1]);
      });
      return { ...route, params };
    }
    return { methods };
  }
}

// One page of a list and the Link header that leads on, as both dialects write it.
export function page(ctx, list, { sizeParam, sizeDefault, sizeMax }) {
  const wanted = Number(ctx.query.get(sizeParam)) || sizeDefault;
  const size = Math.min(wanted, sizeMax, ctx.sim.pageSize || Infinity);
  const number = Math.max(1, Number(ctx.query.get('page')) || 1);
  const last = Math.max(1, Math.ceil(list.length / size));
  const to = (n) => {
    const url = new URL(ctx.path, ctx.sim.base);
    url.searchParams.set('page', String(n));
    return url.href;
  };
  const links = [];
  if (number < last) links.push(`<${to(number + 1)}>; rel="next"`, `<${to(last)}>; rel="last"`);
  if (number > 1) links.push(`<${to(1)}>; rel="first"`, `<${to(number - 1)}>; rel="prev"`);
  const headers = links.length ? { link: links.join(', ') } : {};
  return { items: list.slice((number - 1) * size, number * size), headers };
}
