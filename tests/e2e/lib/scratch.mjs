// SPDX-License-Identifier: Apache-2.0
// A directory of a test's own, reachable by the uids that the bot's roles drop to.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PARENT = process.env.NIGHTSHIFT_E2E_TMP ?? '/var/tmp';

export function scratch(name) {
  const dir = mkdtempSync(join(PARENT, `nightshift-e2e-${name}-`));
  chmodSync(dir, 0o755);
  return dir;
}

export function remove(dir) {
  if (process.env.NIGHTSHIFT_E2E_KEEP) console.error(`kept: ${dir}`);
  else rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
