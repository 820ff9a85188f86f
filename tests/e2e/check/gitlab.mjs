// SPDX-License-Identifier: Apache-2.0
// What may be asked of GitLab, by docs.gitlab.com/api: each route that the bot uses, with the
// members that its query and body may have. No package carries GitLab's own description; that the
// answers have their shape is python3-gitlab's to say (forge-sim-gitlab.test.mjs).
import Ajv from 'ajv';

const PREFIX = '/api/v4';
const P = '/projects/{id}';
const T = `${P}/{thread}/{iid}`;

const text = { type: 'string' };
const filled = { type: 'string', minLength: 1 };
const id = { type: 'integer', minimum: 0 };
const count = { type: 'string', pattern: '^[0-9]+$' };
const time = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$' };
const day = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d$' };
const one = (...words) => ({ enum: words });

const object = (properties, required = []) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const PAGE = { page: count, per_page: count };
const ORDER = { order_by: one('created_at', 'updated_at'), sort: one('asc', 'desc') };
const LISTED = {
  ...PAGE,
  ...ORDER,
  state: one('opened', 'closed', 'merged', 'all'),
  labels: filled,
  updated_after: time,
};
const FOUND = { source_branch: filled, target_branch: filled };
const NOTE = object({ body: filled, internal: { type: 'boolean' } }, ['body']);
const EYES = object({ name: filled }, ['name']);
const THREAD = object({
  title: filled,
  description: text,
  add_labels: filled,
  remove_labels: filled,
  state_event: one('close', 'reopen'),
});
const MERGE_REQUEST = object(
  {
    source_branch: filled,
    target_branch: filled,
    title: { ...filled, maxLength: 255 },
    description: text,
    assignee_id: id,
    labels: text,
    remove_source_branch: { type: 'boolean' },
  },
  ['source_branch', 'target_branch', 'title'],
);
const STATUS = object(
  {
    state: one('pending', 'running', 'success', 'failed', 'canceled'),
    name: filled,
    target_url: { type: 'string', maxLength: 255, pattern: '^https?://' },
    description: { type: 'string', maxLength: 255 },
    ref: filled,
  },
  ['state'],
);
const PROJECTS = {
  ...PAGE,
  membership: one('true'),
  archived: one('false'),
  order_by: one('last_activity_at'),
};

// [method, path, {query, body, form}]
const ROUTES = [
  ['GET', '/user'],
  ['GET', '/users/{id}'],
  ['GET', '/personal_access_tokens/self'],
  ['GET', '/projects', { query: PROJECTS }],
  ['GET', P],
  ['GET', `${P}/members/all/{user}`],
  ['GET', `${P}/hooks`, { query: PAGE }],
  ['GET', `${P}/events`, { query: { ...PAGE, sort: ORDER.sort, action: one('commented'), after: day } }],
  ['GET', `${P}/issues`, { query: { ...LISTED, confidential: one('true', 'false') } }],
  ['GET', `${P}/merge_requests`, { query: { ...LISTED, ...FOUND } }],
  ['POST', `${P}/merge_requests`, { body: MERGE_REQUEST }],
  ['POST', `${P}/statuses/{sha}`, { body: STATUS }],
  ['POST', `${P}/uploads`, { form: true }],
  ['GET', T],
  ['PUT', T, { body: THREAD }],
  ['GET', `${T}/notes`, { query: { ...PAGE, ...ORDER } }],
  ['POST', `${T}/notes`, { body: NOTE }],
  ['GET', `${T}/notes/{note}`],
  ['PUT', `${T}/notes/{note}`, { body: NOTE }],
  ['POST', `${T}/award_emoji`, { body: EYES }],
  ['POST', `${T}/notes/{note}/award_emoji`, { body: EYES }],
  ['GET', `${T}/resource_label_events`, { query: PAGE }],
];

const LISTS = /\/(notes|issues|merge_requests|events|resource_label_events|hooks|projects)(\?|$)/;
const PLACES = { thread: '(?:issues|merge_requests)', iid: '[0-9]+', note: '[0-9]+', user: '[0-9]+' };
const template = (path) =>
  new RegExp(`^${path.replace(/\{(\w+)\}/g, (_, name) => PLACES[name] ?? '[^/]+')}$`);

export class GitlabCheck {
  constructor() {
    const ajv = new Ajv({ strict: false, allErrors: true });
    this.routes = ROUTES.map(([method, path, { query = {}, body, form } = {}]) => ({
      method,
      path,
      regex: template(path),
      query: ajv.compile(object(query)),
      body: body && ajv.compile(body),
      form,
    }));
    this.ajv = ajv;
  }

  #wrong(name, validate, value) {
    if (validate(value)) return [];
    const extra = validate.errors.map((e) => e.params.additionalProperty).filter(Boolean);
    return [`${name}: ${this.ajv.errorsText(validate.errors)} ${extra.join(' ')}`];
  }

  request({ method, path, body, headers }) {
    const url = new URL(path, 'http://x');
    const at = url.pathname.slice(PREFIX.length);
    const route = this.routes.find((r) => r.method === method && r.regex.test(at));
    if (!route || !url.pathname.startsWith(PREFIX)) return [`${method} ${path}: nobody asks that`];
    const name = `${method} ${route.path}`;
    const problems = this.#wrong(name, route.query, Object.fromEntries(url.searchParams));
    const type = headers['content-type'] ?? '';
    if (route.form && !/^multipart\/form-data; *boundary=/.test(type))
      problems.push(`${name}: not multipart`);
    if (route.body && !/^application\/json/.test(type)) problems.push(`${name}: type ${type}`);
    if (route.body) problems.push(...this.#wrong(name, route.body, body));
    else if (body !== undefined && !route.form) problems.push(`${name}: a body`);
    return problems;
  }

  // Of an issue or merge request that was changed, which one; of a list, that it is one.
  reply({ method, path }, { status, body }) {
    if (status >= 300 || method === 'DELETE') return [];
    const isList = LISTS.test(path);
    const wanted = method === 'GET' && isList ? 'array' : 'object';
    const found = Array.isArray(body) ? 'array' : typeof body;
    return found === wanted ? [] : [`${method} ${path}: ${found} and not ${wanted}`];
  }
}
