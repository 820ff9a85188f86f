// SPDX-License-Identifier: Apache-2.0
// GitHub's own OpenAPI description as the judge of both sides: what the bot asks, and what our
// forge answers. Only the operations that occur are compiled; unknown properties in a request are
// an error, because a misspelt optional field is silently ignored by the real service.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const require = createRequire(import.meta.url);
const FILE = require
  .resolve('@octokit/openapi')
  .replace(/index\.js$/, 'generated/api.github.com.json');
const METHODS = ['get', 'put', 'post', 'patch', 'delete', 'head'];
const PREFIX = '/api/v3';

let api;
const spec = () => (api ??= JSON.parse(readFileSync(FILE, 'utf8')));

// OpenAPI 3.0 -> JSON Schema: `nullable` becomes a type, examples and discriminators go.
const ANNOTATIONS = new Set([
  'nullable',
  'example',
  'examples',
  'discriminator',
  'xml',
  'externalDocs',
  'deprecated',
  'readOnly',
  'writeOnly',
]);

function convert(node) {
  if (Array.isArray(node)) return node.map(convert);
  if (!node || typeof node !== 'object') return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (ANNOTATIONS.has(key) || key.startsWith('x-')) continue;
    if (key === 'properties') {
      out.properties = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, convert(v)]));
    } else if (key === '$ref') out.$ref = value.replace('#/components/schemas/', 'nightshift:');
    else out[key] = key === 'enum' || key === 'default' ? value : convert(value);
  }
  return node.nullable ? nullable(out) : out;
}

function nullable(schema) {
  const out = { ...schema };
  if (out.enum && !out.enum.includes(null)) out.enum = [...out.enum, null];
  if (typeof out.type === 'string') return { ...out, type: [out.type, 'null'] };
  return { anyOf: [out, { type: 'null' }] };
}

// A request may only say what is described: every object that lists properties is closed.
// Branches of allOf/anyOf/oneOf are left open, the outer object knows all their names.
function closed(schema, inBranch = false) {
  if (Array.isArray(schema)) return schema.map((s) => closed(s, inBranch));
  if (!schema || typeof schema !== 'object') return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (['allOf', 'anyOf', 'oneOf'].includes(key)) {
      const isWhole = key === 'oneOf' && !schema.properties;
      out[key] = closed(value, !isWhole);
    } else if (key === 'properties') {
      out.properties = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, closed(v)]));
    } else out[key] = key === 'items' ? closed(value) : value;
  }
  if (!inBranch && out.properties && out.additionalProperties === undefined)
    out.additionalProperties = false;
  return out;
}

function compileTemplate(path) {
  const names = [];
  const source = path.replace(/[.]/g, '\\.').replace(/\{(\w+)\}/g, (_, name) => {
    names.push(name);
    return name === 'path' || name === 'ref' || name === 'basehead' ? '(.+)' : '([^/]+)';
  });
  return { names, regex: new RegExp(`^${source}$`) };
}

export class GithubCheck {
  constructor() {
    this.ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
    addFormats(this.ajv);
    for (const format of [
      'int64',
      'int32',
      'repo.nwo',
      'timestamp',
      'ssh-key fingerprint',
      'binary',
    ]) {
      this.ajv.addFormat(format, true);
    }
    this.known = new Map();
    this.routes = [];
    for (const [path, item] of Object.entries(spec().paths)) {
      for (const method of METHODS.filter((m) => item[m])) {
        const shared = item.parameters ?? [];
        this.routes.push({ method, path, op: item[method], shared, ...compileTemplate(path) });
      }
    }
    // A longer template without variables is the better match: /issues/comments before /issues/{n}.
    const variables = (r) => (r.path.match(/\{/g) ?? []).length - r.path.length / 1000;
    this.routes.sort((a, b) => variables(a) - variables(b));
  }

  find(method, url) {
    const wanted = method.toLowerCase(),
      path = new URL(url, 'http://x').pathname;
    if (!path.startsWith(PREFIX)) return undefined;
    const rest = path.slice(PREFIX.length) || '/';
    const hit = this.routes.find((r) => r.method === wanted && r.regex.test(rest));
    return hit && { ...hit, values: hit.regex.exec(rest).slice(1).map(decodeURIComponent) };
  }

  // The schemas that a schema leads to are added when they are first needed.
  #need(schema) {
    const text = JSON.stringify(schema);
    for (const [, name] of text.matchAll(/"nightshift:([^"]+)"/g)) {
      if (this.known.has(name)) continue;
      const made = convert(spec().components.schemas[name]);
      this.known.set(name, made);
      this.#need(made);
      this.ajv.addSchema(made, `nightshift:${name}`);
    }
  }

  #compile(key, schema, { strict }) {
    if (this.known.has(key)) return this.known.get(key);
    const json = convert(schema);
    this.#need(json);
    const validate = this.ajv.compile(strict ? closed(json) : json);
    this.known.set(key, validate);
    return validate;
  }

  request({ method, path, body, headers }) {
    const route = this.find(method, path);
    if (!route) return [`${method} ${path}: not in GitHub's API`];
    const name = `${method} ${route.path}`,
      problems = [];
    problems.push(...this.#parameters(route, new URL(path, 'http://x').searchParams));
    if (!headers['user-agent']) problems.push('no User-Agent');
    const content = resolveRef(route.op.requestBody)?.content?.['application/json'];
    if (content) problems.push(...this.#body(name, content.schema, body, headers));
    else if (body !== undefined) problems.push('a body where none is described');
    return problems.map((p) => `${name}: ${p}`);
  }

  #body(name, schema, body, headers) {
    if (body === undefined) return schema.required?.length ? ['no body'] : [];
    if (!/^application\/json/.test(headers['content-type'] ?? ''))
      return [`content-type ${headers['content-type']}`];
    const validate = this.#compile(`${name} request`, schema, { strict: true });
    return validate(body) ? [] : readable(validate.errors, body);
  }

  #parameters(route, query) {
    const all = [...route.shared, ...(route.op.parameters ?? [])].map(resolveRef);
    const problems = [];
    for (const [key, text] of query) {
      const known = all.find((p) => p.in === 'query' && p.name === key);
      if (!known) problems.push(`unknown query parameter ${key}`);
      else problems.push(...this.#value(route, known, text));
    }
    route.names.forEach((key, i) => {
      const known = all.find((p) => p.in === 'path' && p.name === key);
      if (known) problems.push(...this.#value(route, known, route.values[i]));
    });
    for (const p of all.filter((p) => p.in === 'query' && p.required && !query.has(p.name))) {
      problems.push(`query parameter ${p.name} is missing`);
    }
    return problems;
  }

  #value(route, parameter, text) {
    const schema = resolveRef(parameter.schema);
    const value = schema.type === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
    const validate = this.#compile(`${route.method} ${route.path} ${parameter.name}`, schema, {
      strict: false,
    });
    return validate(value)
      ? []
      : [`${parameter.name}=${text}: ${this.ajv.errorsText(validate.errors)}`];
  }

  reply({ method, path }, { status, body, headers = {} }) {
    const route = this.find(method, path);
    if (!route || status >= 500) return [];
    const name = `${method} ${route.path} -> ${status}`;
    const described = resolveRef(route.op.responses[String(status)]);
    if (!described)
      return status >= 400 || status === 304 ? [] : [`${name}: this status is not described`];
    const content = described.content?.['application/json'];
    if (!content || !/json/.test(headers['content-type'] ?? '')) return [];
    const validate = this.#compile(`${name} reply`, content.schema, { strict: false });
    return validate(body) ? [] : readable(validate.errors, body).map((p) => `${name}: ${p}`);
  }
}

function resolveRef(node) {
  if (!node?.$ref) return node;
  return node.$ref
    .slice(2)
    .split('/')
    .reduce((at, key) => at[key], spec());
}

function readable(errors, body) {
  const rows = errors.map((e) => {
    const extra = e.params?.additionalProperty ? ` "${e.params.additionalProperty}"` : '';
    const at = e.instancePath
      .split('/')
      .slice(1)
      .reduce((v, k) => v?.[k], body);
    const value = e.params?.additionalProperty ? '' : ` (is ${JSON.stringify(at)?.slice(0, 80)})`;
    return `${e.instancePath || '/'} ${e.message}${extra}${value}`;
  });
  return [...new Set(rows)].slice(0, 12);
}
