// SPDX-License-Identifier: Apache-2.0
// The conversations in tests/golden/<forge>/*.ops are what the drivers are held to; here they are
// themselves held to the forges' own descriptions. No bot, no forge: only the files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { GiteaCheck } from './check/gitea.mjs';
import { GithubCheck } from './check/github.mjs';
import { GitlabCheck } from './check/gitlab.mjs';

const GOLDEN = new URL('../golden/', import.meta.url);
const DIALECTS = {
  github: { check: new GithubCheck(), prefix: '/api/v3' },
  gitea: { check: new GiteaCheck(), prefix: '/api/v1' },
  gitlab: { check: new GitlabCheck(), prefix: '/api/v4' },
};

// An address out of GitHub's own Link header, which its description does not know.
const FOLLOWED = /^\/api\/v3\/repositories\//;

// What a .ops file asks: [{name, method, path, headers, body}].
function requests(text, prefix) {
  const found = [];
  let name, open;
  for (const line of text.split('\n')) {
    if (line.startsWith('== ')) name = line.slice(3);
    const [, ask] = /^> (.*)/.exec(line) ?? [];
    if (ask === undefined) {
      open = undefined;
      continue;
    }
    const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(ask) ?? [];
    if (!open) {
      assert.ok(method, `${name}: ${line}`);
      open = { name, method, path: prefix + path, headers: { 'user-agent': 'nightshift' } };
      found.push(open);
    } else if (/^[{["]/.test(ask)) {
      open.body = ask;
    }
  }
  return found.map(withBody);
}

// A body in quotes is not JSON: a file, sent as a form.
function withBody(request) {
  if (request.body === undefined) return request;
  if (request.body.startsWith('"')) {
    const headers = { ...request.headers, 'content-type': 'multipart/form-data; boundary=x' };
    return { ...request, headers, body: undefined };
  }
  const headers = { ...request.headers, 'content-type': 'application/json' };
  return { ...request, headers, body: JSON.parse(request.body) };
}

describe('what the drivers ask is in the API', () => {
  for (const [dialect, { check, prefix }] of Object.entries(DIALECTS)) {
    test(dialect, () => {
      const folder = new URL(`${dialect}/`, GOLDEN);
      const files = readdirSync(folder).filter((f) => f.endsWith('.ops'));
      const problems = [];
      let count = 0;
      for (const file of files) {
        for (const request of requests(readFileSync(new URL(file, folder), 'utf8'), prefix)) {
          count++;
          if (FOLLOWED.test(request.path)) continue;
          for (const problem of check.request(request))
            problems.push(`${file}: ${request.name}: ${problem}`);
        }
      }
      assert.ok(files.length >= 20 && count >= 30, `${files.length} files, ${count} requests`);
      assert.deepEqual(problems, []);
    });
  }

  test('and a misspelt one is found', () => {
    const [request] = requests('== x\n> POST /repos/a/b/pulls\n> {"titel":"t"}\n', '/api/v3');
    assert.notDeepEqual(DIALECTS.github.check.request(request), []);
  });
});
