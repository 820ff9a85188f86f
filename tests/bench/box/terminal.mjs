// SPDX-License-Identifier: Apache-2.0
// A flood of log lines through a terminal and its recorder: ours (secrets sought, cast and plain
// text written) beside script and asciinema. Processor time without the flood's own.
//   --mib=32 --rounds=3
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build, command, firstLine, median, option, output, Run, scratch } from '../lib/bench.mjs';

const mib = option('mib', 32);
const rounds = option('rounds', 3);
const ALL = 4 * 1024 * mib * 1024; // more than a cast of it takes: nothing is left out
const CAP = 8 << 20; // what the bot keeps of an attempt

const bench = join(build, 'bench_box_terminal');

function variants(dir) {
  const flood = [join(build, 'bench_agent_flood'), String(mib), join(dir, 'flood')];
  const ours = (bytes) => [bench, 'record', dir, String(bytes), ...flood];
  return {
    ours: ours(ALL),
    'ours, capped': ours(CAP),
    script: ['script', '-q', '-e', '-c', flood.join(' '), join(dir, 'typescript')],
    asciinema: ['asciinema', 'rec', '-q', '--overwrite', '-c', flood.join(' '), join(dir, 'peer.cast')],
  };
}

const linesOf = (path) => readFileSync(path).reduce((n, byte) => n + (byte === 10), 0);

/** Nobody may be fast by leaving something out. */
function check(name, dir, lines) {
  const size = (file) => statSync(join(dir, file)).size;
  const whole = {
    ours: () => linesOf(join(dir, 'ours.txt')) === lines && size('ours.cast') >= mib << 20,
    'ours, capped': () => size('ours.txt') <= CAP && size('ours.cast') <= CAP,
    script: () => linesOf(join(dir, 'typescript')) >= lines,
    asciinema: () => size('peer.cast') >= mib << 20,
  };
  if (!whole[name]()) throw new Error(`terminal: ${name} has not recorded ${lines} lines`);
}

export default async function terminal() {
  const dir = scratch();
  const run = new Run('terminal', `${mib} MiB of log through a pty and its recorder`, 'ms');
  const argvs = variants(dir);
  const wall = Object.fromEntries(Object.keys(argvs).map((name) => [name, []]));
  const cpu = structuredClone(wall);
  try {
    for (let i = 0; i < rounds; i++) {
      for (const [name, argv] of Object.entries(argvs)) {
        const [ms, used] = (await output([bench, 'cost', ...argv])).split(' ').map(Number);
        const [lines, own] = readFileSync(join(dir, 'flood'), 'utf8').split(' ').map(Number);
        check(name, dir, lines);
        wall[name].push(ms);
        cpu[name].push(used - own);
      }
    }
    run.says(firstLine(['script', '--version']), firstLine(['asciinema', '--version']));
    run.says(...Object.values(argvs).map(command), 'ratios are of processor time; the flood\'s own is not in it');
    for (const name of Object.keys(argvs)) {
      const of = (peer) => median(cpu[name]) / median(cpu[peer]);
      run.row(name, wall[name], {
        cpu: cpu[name],
        of: { script: of('script'), asciinema: of('asciinema') },
        aim: name === 'ours' ? '0.2 of asciinema, 1 of script' : null,
        by: 'asciinema',
      });
    }
    run.print();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
