// SPDX-License-Identifier: Apache-2.0
// Reading /proc: who is whose child, which program it is, whether it lives in a box.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const quiet = (read, fallback) => {
  try {
    return read();
  } catch {
    return fallback;
  }
};

const pids = () =>
  readdirSync('/proc')
    .filter((n) => /^\d+$/.test(n))
    .map(Number);

// The name in parentheses may hold anything, so the fields are counted from the last one.
function stat(pid) {
  const text = quiet(() => readFileSync(`/proc/${pid}/stat`, 'latin1'), '');
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: rest[0], parent: Number(rest[1]) };
}

export const argv = (pid) =>
  quiet(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1), []);
export const exe = (pid) =>
  quiet(() => readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''), '');
const mounts = (pid) => quiet(() => readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), '');

export const alive = (pid) => {
  const { state } = stat(pid);
  return state !== undefined && state !== '' && state !== 'Z' && state !== 'X';
};

export const children = (parent) =>
  pids().filter((pid) => stat(pid).parent === parent && alive(pid));

export function descendants(parent) {
  const all = pids().map((pid) => [pid, stat(pid).parent]);
  const found = [parent];
  for (let i = 0; i < found.length; i++) {
    found.push(...all.filter(([, up]) => up === found[i]).map(([pid]) => pid));
  }
  return found.slice(1).filter(alive);
}

// `nightshift --role NAME` below a master.
export const rolePids = (master, name) =>
  children(master).filter((pid) => {
    const words = argv(pid),
      at = words.indexOf('--role');
    return at >= 0 && words[at + 1] === name;
  });

export const running = (program) => pids().filter((pid) => exe(pid) === program && alive(pid));

// Shims whose attempt lies below dir, whoever started them: they outlive that.
export const shimsBelow = (dir) =>
  pids().filter((pid) => {
    const words = argv(pid);
    return (
      words[words.indexOf('--role') + 1] === 'shim' &&
      quiet(() => readlinkSync(`/proc/${pid}/cwd`), '').startsWith(`${dir}/`) &&
      alive(pid)
    );
  });

// Processes whose mount namespace holds something below dir: they live in a box of ours. home: a
// process whose own namespace is no box, if the bot has one.
export function boxed(dir, home = 'self') {
  const place = (pid) => quiet(() => readlinkSync(`/proc/${pid}/ns/mnt`), '');
  const ours = ['', place('self'), place(home)];
  return pids().filter((pid) => {
    const theirs = place(pid);
    return !ours.includes(theirs) && mounts(pid).includes(dir) && alive(pid);
  });
}
