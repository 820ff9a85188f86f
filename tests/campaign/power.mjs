// SPDX-License-Identifier: Apache-2.0
// Power cuts: what the store had not synced is lost in part, reordered and torn, and what it had
// promised is there all the same. The work is done by tests/fault/power.c; first it proves that a lost
// promise would be seen.
//   script/campaign power [--count 1000] [--seed S] [--round S]
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';

const program = join(dirname(process.env.NIGHTSHIFT_BIN), 'fault_power');
const { status, error } = spawnSync(program, process.argv.slice(2), { stdio: 'inherit' });
if (error) throw error;
process.exitCode = status ?? 1;
