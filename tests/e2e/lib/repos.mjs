// SPDX-License-Identifier: Apache-2.0
// The repository of most tests: a shell function with a bug, a test that shows it, and .agent.yml.
import { yaml } from './yaml.mjs';

const TEST = `#!/bin/sh
if [ "$(sh add.sh 2 3)" = 5 ]; then
  echo "1 passed, 0 failed"
else
  echo "0 passed, 1 failed: 2 + 3 is not $(sh add.sh 2 3)"
  exit 1
fi
`;

export const ADD = {
  'README.md': '# add\n\nAdds two numbers.\n',
  'add.sh': 'echo $(($1 - $2))\n',
  'test.sh': { text: TEST, executable: true },
};

export function addRepo({ agent, setup, ...more } = {}) {
  const settings = {
    ...(agent && { agent }),
    ...(setup && { setup }),
    gate: { test: 'sh test.sh' },
    ...more,
  };
  return { ...ADD, '.agent.yml': yaml(settings) };
}

// Creates acme/<name> with people who may and may not ask.
export async function makeRepo(forge, { name = 'add', files = addRepo() } = {}) {
  const members = { alice: 'write', bob: 'read' };
  await forge.do('repos', { owner: 'acme', name, files, members, labels: ['agent'] });
  return `acme/${name}`;
}
