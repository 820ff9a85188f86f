// SPDX-License-Identifier: Apache-2.0
// The types of gitea-js as the judge of the recorded traffic with a Gitea: requests strictly,
// replies with what Go adds to Swagger (null for an empty pointer or slice, a few old fields).
import Ajv from 'ajv';
import { giteaSchema } from './gitea-schema.mjs';

const PREFIX = '/api/v1';
// Sent by real servers (see the golden deliveries), absent from the Swagger file.
const UNDESCRIBED = { User: ['username'] };
// The server takes whole words here, the description says only `string`.
const REST_OF_PATH = new Set(['filepath', 'ref', 'basehead', 'head', 'branch']);

function lenient(node) {
  if (Array.isArray(node)) return node.map(lenient);
  if (!node || typeof node !== 'object') return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties') {
      out.properties = Object.fromEntries(
        Object.entries(value).map(([k, v]) => [k, { anyOf: [lenient(v), { type: 'null' }] }]),
      );
    } else if (key !== 'required')
      out[key] = key === '$ref' ? value.replace('gitea:', 'gitea-reply:') : lenient(value);
  }
  return out;
}

const clean = (type) => (type.file ? {} : type);

export class GiteaCheck {
  constructor() {
    const { types, operations } = giteaSchema();
    this.ajv = new Ajv({ strict: false, allErrors: true });
    for (const [name, type] of Object.entries(types)) {
      this.ajv.addSchema(type, `gitea:${name}`);
      const reply = lenient(type);
      for (const extra of UNDESCRIBED[name] ?? []) reply.properties[extra] = {};
      this.ajv.addSchema(reply, `gitea-reply:${name}`);
    }
    this.routes = operations.map((op) => ({ ...op, ...template(op.path) }));
    const variables = (r) => (r.path.match(/\{/g) ?? []).length - r.path.length / 1000;
    this.routes.sort((a, b) => variables(a) - variables(b));
    this.compiled = new Map();
  }

  find(method, url) {
    const path = new URL(url, 'http://x').pathname;
    if (!path.startsWith(PREFIX)) return undefined;
    return this.routes.find((r) => r.method === method && r.regex.test(path.slice(PREFIX.length)));
  }

  #validator(key, schema) {
    if (!this.compiled.has(key)) this.compiled.set(key, this.ajv.compile(schema));
    return this.compiled.get(key);
  }

  request({ method, path, body, headers }) {
    const route = this.find(method, path),
      name = `${method} ${route?.path}`;
    if (!route) return [`${method} ${path}: not in Gitea's API`];
    const problems = this.#query(route, new URL(path, 'http://x').searchParams);
    if (route.form) {
      if (!/^multipart\/form-data; *boundary=/.test(headers['content-type'] ?? ''))
        problems.push('not multipart');
    } else if (route.body && body !== undefined) {
      if (!/^application\/json/.test(headers['content-type'] ?? ''))
        problems.push(`content-type ${headers['content-type']}`);
      const validate = this.#validator(`${name} request`, route.body);
      if (!validate(body))
        problems.push(this.ajv.errorsText(validate.errors, { dataVar: 'body' }) + extras(validate));
    } else if (body !== undefined) problems.push('a body where none is described');
    else if (route.body && requiredOf(this, route.body)) problems.push('no body');
    return problems.map((p) => `${name}: ${p}`);
  }

  #query(route, query) {
    const known = route.query?.properties ?? {};
    const problems = [];
    for (const [key, text] of query) {
      if (!known[key]) problems.push(`unknown query parameter ${key}`);
      else if (known[key].type === 'number' && !/^\d+$/.test(text))
        problems.push(`${key}=${text} is not a number`);
      else if (known[key].type === 'boolean' && !/^(true|false)$/.test(text))
        problems.push(`${key}=${text} is not a boolean`);
      else if (known[key].anyOf && !known[key].anyOf.some((c) => c.const === text))
        problems.push(`${key}=${text} is not one of the values`);
    }
    return problems;
  }

  reply({ method, path }, { status, body, headers = {} }) {
    const route = this.find(method, path);
    const isChecked = route?.reply && status < 300 && /json/.test(headers['content-type'] ?? '');
    if (!isChecked) return [];
    const name = `${method} ${route.path} -> ${status}`;
    const validate = this.#validator(`${name} reply`, lenient(clean(route.reply)));
    return validate(body)
      ? []
      : [`${name}: ${this.ajv.errorsText(validate.errors)}${extras(validate)}`];
  }
}

const extras = (validate) =>
  validate.errors
    .filter((e) => e.params.additionalProperty)
    .map((e) => ` "${e.params.additionalProperty}"`)
    .join('');

const requiredOf = (check, schema) => {
  const known = schema.$ref ? check.ajv.getSchema(schema.$ref)?.schema : schema;
  return Boolean(known?.required?.length);
};

function template(path) {
  const source = path
    .replace(/[.]/g, '\\.')
    .replace(/\{(\w+)\}/g, (_, name) => (REST_OF_PATH.has(name) ? '(.+)' : '([^/]+)'));
  return { regex: new RegExp(`^${source}$`) };
}
