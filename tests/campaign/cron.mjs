// SPDX-License-Identifier: Apache-2.0
// Schedules as base/cron reads them against those of cron-parser: random expressions, each in every
// zone, each time from a random moment on, half of them just before clocks are changed.
//   script/campaign cron [--count 10000] [--seed S]
// Two things are left out, since cron-parser knows them only on its way from one time to the next:
// it is not asked to begin within three hours after a change, and a list has no value twice.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { campaign, options } from './lib/campaign.mjs';

const require = createRequire(new URL('../e2e/package.json', import.meta.url));
const { CronExpressionParser } = require('cron-parser');
const { IANAZone } = createRequire(require.resolve('cron-parser'))('luxon');

const TOOL = join(dirname(process.env.NIGHTSHIFT_BIN), 'tool_cron');
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'];
const TIMES = 6; // of each schedule
const HOUR = 3600;
const [FROM, TO] = [Date.UTC(2001, 0) / 1000, Date.UTC(2099, 0) / 1000];

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const FIELDS = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: (n) => MONTHS[n - 1] },
  { min: 0, max: 6, names: (n) => DAYS[n] },
];

const value = (dice, field, n) =>
  field.names && dice.below(3) === 0
    ? dice.pick([field.names(n), field.names(n).toUpperCase()])
    : String(n);

// A list from left to right, so that nothing is in it twice.
function list(dice, field) {
  const parts = [];
  let from = field.min + dice.below(field.max - field.min + 1);
  while (from <= field.max && parts.length < 4) {
    const to = Math.min(field.max, from + dice.below(8));
    const kind = dice.below(3);
    if (kind === 0) parts.push(value(dice, field, from));
    if (kind === 1) parts.push(`${value(dice, field, from)}-${value(dice, field, to)}`);
    if (kind === 2) parts.push(`${from}-${to}/${dice.between(1, 4)}`);
    from = (kind === 0 ? from : to) + dice.between(1, 12);
  }
  return parts.join(',');
}

function field(dice, f) {
  const kind = dice.below(10);
  if (kind < 4) return '*';
  if (kind < 6) return `*/${dice.between(1, f.max)}`;
  if (kind < 8) return value(dice, f, dice.between(f.min, f.max));
  return list(dice, f);
}

const expression = (dice) => FIELDS.map((f) => field(dice, f)).join(' ');

const offset = (zone, at) => zone.offset(at * 1000);

// A moment within two days before the clocks are changed, or at once if they are not.
function beforeChange(dice, zone, at) {
  for (let day = 0; day < 366; day++) {
    const next = at + 24 * HOUR;
    if (offset(zone, next) !== offset(zone, at)) return at - dice.below(48 * HOUR);
    at = next;
  }
  return at;
}

function moment(dice, zone) {
  for (;;) {
    const any = dice.between(FROM, TO);
    const at = dice.below(2) ? any : beforeChange(dice, zone, any);
    if (offset(zone, at - 3 * HOUR) === offset(zone, at)) return at;
  }
}

function theirs({ text, zone, at }) {
  try {
    const found = CronExpressionParser.parse(text, { tz: zone, currentDate: at * 1000 });
    return Array.from({ length: TIMES }, () => found.next().getTime() / 1000).join(' ');
  } catch {
    return 'error';
  }
}

function ours(asked) {
  const input = asked.map(({ text, zone, at }) => `${zone} ${at} ${TIMES} ${text}\n`).join('');
  const { status, stdout, error } = spawnSync(TOOL, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${TOOL}: ${error ?? status}`);
  return stdout.split('\n').map((line) => line.replace(/^error .*/, 'error'));
}

function round(dice, size) {
  const asked = [];
  for (let i = 0; i < size; i++) {
    const text = expression(dice);
    for (const zone of ZONES) asked.push({ text, zone, at: moment(dice, new IANAZone(zone)) });
  }
  const told = ours(asked);
  const wrong = asked
    .map((a, i) => ({ ...a, ours: told[i], theirs: theirs(a) }))
    .filter((a) => a.ours !== a.theirs);
  if (wrong.length > 0)
    throw new Error(`${wrong.length} differ, the first: ${JSON.stringify(wrong[0])}`);
  return `${asked.length} schedules, ${told.filter((line) => line === 'error').length} that never come`;
}

await campaign('cron', { ...options({ count: 10_000 }), jobs: 1 }, 250, async (dice, size) =>
  round(dice, size));
