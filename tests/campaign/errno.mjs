// SPDX-License-Identifier: Apache-2.0
// A system call fails, once or from then on, as on a machine that is full, out of memory or out of
// descriptors: in the master, in each role and at its start, in an attempt's shim. Each strike has a task
// of its own. Nobody crashes (to give up is allowed, and for want of memory even by abort), work goes on,
// nothing that was acknowledged is lost and nothing is there twice.
//   script/campaign errno [--count 1000] [--seed S] [--jobs 2]
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { campaign, options } from './lib/campaign.mjs';
import { strikes } from './lib/strike.mjs';

const STRIKES = 8; // in one world
const { ENOMEM, ENOSPC, EIO, EMFILE, EAGAIN, ECONNREFUSED, ENOBUFS, EROFS, ECONNRESET } =
  constants.errno;

// What may fail on a machine that is otherwise sound, and how.
const ERRORS = {
  accept4: [EMFILE, ENOMEM],
  brk: [ENOMEM],
  clone: [EAGAIN, ENOMEM],
  clone3: [EAGAIN, ENOMEM],
  connect: [ECONNREFUSED, EAGAIN],
  epoll_create1: [EMFILE],
  epoll_ctl: [ENOMEM, ENOSPC],
  eventfd2: [EMFILE],
  execve: [ENOMEM],
  execveat: [ENOMEM],
  fdatasync: [EIO, ENOSPC],
  fork: [EAGAIN],
  fsync: [EIO, ENOSPC],
  ftruncate: [ENOSPC, EIO],
  link: [ENOSPC],
  memfd_create: [EMFILE, ENOMEM],
  mkdir: [ENOSPC, EROFS],
  mkdirat: [ENOSPC, EROFS],
  mmap: [ENOMEM],
  mount: [ENOMEM],
  openat: [EMFILE, ENOMEM, EIO],
  openat2: [EMFILE, ENOMEM],
  pidfd_open: [EMFILE],
  pipe2: [EMFILE],
  pread64: [EIO],
  pwrite64: [ENOSPC, EIO],
  recvmsg: [ENOMEM],
  rename: [ENOSPC, EIO],
  sendmsg: [ENOBUFS, ECONNRESET],
  socket: [EMFILE, ENOBUFS],
  socketpair: [EMFILE],
  timerfd_create: [EMFILE],
  unlink: [EIO, EROFS],
  vfork: [EAGAIN],
  write: [ENOSPC, EIO],
};

const { signals } = constants;
const CRASHES = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS'].map((s) => signals[s]);

// Who is out of memory gives up by abort, on purpose; that is nobody else's way. What epoll has no room
// for is memory, too.
function judge(lines, how, { struck }) {
  const isMemory = struck === 'epoll_ctl' || how.calls.includes(`${struck}=${ENOMEM}`);
  for (const line of lines) {
    const signal = Number(/ signal=(\d+)/.exec(line)?.[1] ?? 0);
    assert.ok(!CRASHES.includes(signal), `somebody crashed: ${line}`);
    assert.ok(isMemory || signal !== signals.SIGABRT, `somebody gave up: ${line}`);
    assert.doesNotMatch(line, /AddressSanitizer|runtime error/);
  }
}

const round = (dice, n) =>
  strikes('campaign-errno', dice, n, {
    calls: Object.keys(ERRORS),
    choose: (d, count) => ({
      at: d.between(1, count),
      ever: d.below(2) === 1,
      calls: Object.entries(ERRORS).map(([call, errors]) => `${call}=${d.pick(errors)}`),
    }),
    judge,
  });

await campaign('errno', options({ count: 1000 }), STRIKES, round);
