/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - see disk.h.
 *
 * No journal, because a box that did not outlive a crash is repeated; tables that are written when
 * they are needed; no barriers, because nothing on it must outlive anything.
 */
#include "sandbox/disk.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MKFS_MS_MAX      20000
#define COPY_BYTES       KIB(64)
#define LOOP_TRIES_MAX   200
#define LOOP_WAIT_MS     2
#define TRIAL_BYTES      MIB(64)
#define MKFS_FD          3 /* where mkfs.ext4 finds the file */
#define STR(x)           #x
#define NUMBER(x)        STR(x)
#define EXT4_SHUTDOWN    _IOR('X', 125, uint32_t)
#define EXT4_NO_LOGFLUSH 2 /* and nothing is written any more */

static const char FEATURES[] = "none,sparse_super,large_file,filetype,dir_index,ext_attr,extent,"
			       "flex_bg,uninit_bg,huge_file,dir_nlink,extra_isize";
static const char FILE_TO_FORMAT[] = "/proc/self/fd/" NUMBER(MKFS_FD);
static const char *const MKFS[] = { "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4" };

/* ---- the blank ---- */

static int
run_mkfs(const char *program, int fd, struct err *e)
{
	const char *const argv[] = { program, "-q", "-F", "-b", "4096", "-I", "256", "-m", "0",
		"-i", NUMBER(DISK_BYTES_PER_NAME), "-G", "256", "-O", FEATURES, "-E",
		"lazy_itable_init=1,nodiscard", FILE_TO_FORMAT, NULL };
	struct spawn sp = SPAWN_INIT;
	pid_t pid;
	int pidfd = -1;
	int status = -1;
	int rc;

	sp.argv = argv;
	sp.fds[0] = fd;
	sp.n_fds = 1;
	sp.stdio[2] = -1;
	rc = spawn_start(&sp, &pid, &pidfd, e);
	if (rc < 0)
		return rc;
	auto_fd int child = pidfd;
	struct pollfd p = { .fd = child, .events = POLLIN };
	int ready = poll(&p, 1, MKFS_MS_MAX);
	if (ready != 1)
		(void)pidfd_send_signal(child, SIGKILL, NULL, 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (ready != 1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_SYSTEM, "%s ended with status %d", program, status);
	return 0;
}

int
disk_blank(int64_t bytes, int *out_fd, struct err *e)
{
	auto_fd int fd = memfd_create("disk", MFD_CLOEXEC);
	int rc = ERR_MISSING;

	if (fd < 0 || ftruncate(fd, bytes) < 0)
		return err_sys(e, "memory for an empty disk");
	for (size_t i = 0; i < sizeof(MKFS) / sizeof(MKFS[0]) && rc == ERR_MISSING; i++)
		rc = run_mkfs(MKFS[i], fd, e);
	if (rc < 0)
		return rc;
	*out_fd = steal_fd(&fd);
	return 0;
}

/* Its few pieces of data; the rest stays a hole. */
static int
copy(int from, int to, struct err *e)
{
	auto_free char *piece = mem_array(COPY_BYTES, 1);
	struct stat st;
	off_t at = 0;

	if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
		return err_sys(e, "size of the disk");
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(from, at, SEEK_HOLE);

		while (at < end) {
			size_t want = end - at < (off_t)COPY_BYTES ? (size_t)(end - at)
								   : (size_t)COPY_BYTES;
			ssize_t n = pread(from, piece, want, at);

			if (n <= 0 || pwrite(to, piece, (size_t)n, at) != n)
				return err_sys(e, "copy the empty disk");
			at += n;
		}
	}
	return errno == ENXIO ? 0 : err_sys(e, "copy the empty disk");
}

/* ---- the loop device ---- */

/* Whoever asks is told the same free one, and the first takes it. */
static int
take_loop(int image, char path[static 32], int *out_fd, struct err *e)
{
	auto_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	const struct loop_config config = {
		.fd = (unsigned)image,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR, .lo_file_name = "nightshift" },
	};

	if (control < 0)
		return err_sys(e, "open /dev/loop-control");
	for (int i = 0; i < LOOP_TRIES_MAX; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			return err_sys(e, "a free loop device");
		(void)snprintf(path, 32, "/dev/loop%d", n);
		auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "open %s", path);
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
			*out_fd = steal_fd(&fd);
			return 0;
		}
		if (errno != EBUSY && errno != ENXIO)
			return err_sys(e, "set up %s", path);
		(void)poll(NULL, 0, LOOP_WAIT_MS);
	}
	return err_set(e, ERR_BUSY, "no loop device is free");
}

/* ---- made, attached ---- */

static int
open_unnamed(const char *dir, struct err *e)
{
	auto_free char *path = mem_fmt("%s/disk-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "create %s", path);
	(void)unlink(path);
	return fd;
}

static int
mount_device(const char *device, int *out_fd, struct err *e)
{
	auto_fd int fs = fsopen("ext4", FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_sys(e, "fsopen ext4");
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_FLAG, "noinit_itable", NULL, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_FLAG, "nobarrier", NULL, 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "ext4 on %s", device);
	*out_fd = fsmount(
		fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	return *out_fd < 0 ? err_sys(e, "mount %s", device) : 0;
}

int
disk_make(int blank_fd, const char *dir, int *out_mount_fd, struct err *e)
{
	auto_fd int file = open_unnamed(dir, e);
	auto_fd int loop = -1;
	char device[32];
	int rc = file < 0 ? file : copy(blank_fd, file, e);

	if (rc == 0)
		rc = take_loop(file, device, &loop, e);
	/* Then the mount holds the device, and the device the file. */
	return rc < 0 ? rc : mount_device(device, out_mount_fd, e);
}

int
disk_attach(int mount_fd, const char *dir, struct err *e)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", dir);
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, "a mount namespace of its own");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(e, "make / a slave");
	if (move_mount(mount_fd, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "mount on %s", dir);
	return 0;
}

void
disk_detach(const char *dir)
{
	const uint32_t how = EXT4_NO_LOGFLUSH;
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		(void)ioctl(fd, EXT4_SHUTDOWN, &how);
	clean_fd(&fd);
	(void)umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW);
}

int
disk_room(const char *path, struct disk_room *out, struct err *e)
{
	struct statvfs s;

	if (statvfs(path, &s) < 0)
		return err_sys(e, "room on %s", path);
	*out = (struct disk_room){
		.bytes = (int64_t)(s.f_blocks * s.f_frsize),
		.bytes_free = (int64_t)(s.f_bavail * s.f_frsize),
		.names = (int64_t)s.f_files,
		.names_free = (int64_t)s.f_favail,
	};
	return 0;
}

bool
disk_is_full(const struct disk_room *r)
{
	return r->bytes_free <= r->bytes / 100 || (r->names > 0 && r->names_free <= r->names / 100);
}

/* ---- what this machine can do ---- */

static const char *
mend(int rc)
{
	if (geteuid() != 0)
		return "start the bot as root: only root may mount a disk for each attempt";
	if (rc == ERR_MISSING)
		return "install e2fsprogs; load the module `loop`; in a container, or a unit with "
		       "PrivateDevices, show it /dev/loop-control and the loop devices";
	return "in a container, or a unit with DevicePolicy: allow it /dev/loop-control and the "
	       "loop devices";
}

/* In a child, because the mount namespace stays. */
static int
try_disk(const char *dir, struct err *e)
{
	auto_free char *mounted = mem_fmt("%s/disk", dir);
	auto_fd int blank = -1;
	auto_fd int made = -1;
	int rc = disk_blank(TRIAL_BYTES, &blank, e);

	if (rc == 0)
		rc = disk_make(blank, dir, &made, e);
	if (rc == 0)
		rc = disk_attach(made, mounted, e);
	if (rc == 0)
		disk_detach(mounted);
	return rc;
}

static int
try_apart(const char *dir, struct err *e)
{
	int ends[2];
	int rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_fd int near = ends[0];
	auto_fd int far = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0) {
		struct err why = { 0 };

		if (try_disk(dir, &why) < 0)
			(void)!write(far, &why, sizeof(why));
		_exit(0);
	}
	clean_fd(&far);
	rc = (int)read(near, e, sizeof(*e));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return rc == (int)sizeof(*e) ? e->code : 0;
}

void
disk_probe(const char *dir, struct sandbox_feature *f)
{
	auto_free char *trial = mem_fmt("%s/nightshift-disk-XXXXXX", dir ? dir : "/tmp");
	struct err e = { 0 };
	int rc = mkdtemp(trial) ? try_apart(trial, &e) : err_sys(&e, "%s", trial);

	f->ok = rc == 0;
	if (f->ok) {
		f->text = mem_str("an ext4 of its own for each attempt");
	} else {
		f->text = mem_fmt("what an attempt writes is measured every few seconds, because "
				  "it has no disk of its own: %s",
			e.text);
		f->mend = mend(rc);
	}
	(void)fs_remove_tree(trial, NULL);
}
