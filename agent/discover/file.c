// SPDX-License-Identifier: Apache-2.0
/*
 * Whole files, see file.h.
 */
#include "discover/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"

static int cannot_read(const char *path, int code, struct err *err)
{
	return err_set(err, -code, "%s: cannot be read (%s): correct the path or its permissions", path,
		       strerror(code));
}

int file_read(uint8_t **out, size_t *len, const char *path, size_t max, struct err *err)
{
	/* A pipe without a writer would block the whole agent. */
	OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	OWN_FREE uint8_t *memory = NULL;
	struct stat status;
	size_t used = 0;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &status) < 0)
		return cannot_read(path, errno, err);
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EISDIR, "%s: is not a plain file: correct the path", path);
	if ((uint64_t)status.st_size > max)
		return err_set(err, -EFBIG, "%s: is larger than %zu octets: make it smaller", path, max);
	/* One more than it has: a file that grows meanwhile is seen. */
	memory = malloc((size_t)status.st_size + 1);
	if (!memory)
		return err_set(err, -ENOMEM, "out of memory");
	while (got > 0 && used <= (size_t)status.st_size) {
		got = read(fd, memory + used, (size_t)status.st_size + 1 - used);
		if (got < 0)
			return cannot_read(path, errno, err);
		used += (size_t)got;
	}
	if (used > (size_t)status.st_size)
		return err_set(err, -EAGAIN, "%s: is being written to: try again when that is done", path);
	*len = used;
	*out = TAKE(memory);
	return 0;
}

static int cannot_write(const char *path, struct err *err)
{
	return err_set(err, -errno, "%s: cannot be written (%s): make room or correct the permissions", path,
		       strerror(errno));
}

static int write_all(int fd, struct view content)
{
	while (content.len) {
		ssize_t put = write(fd, content.at, content.len);

		if (put < 0)
			return -1;
		content = view_of(content.at + put, content.len - (size_t)put);
	}
	return 0;
}

/* The folder's entry must reach the disk as well, or the old name may come back. */
static int flush_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	OWN_FD int fd = -1;

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -1 : 0;
}

int file_replace(const char *path, struct view content, mode_t mode, struct err *err)
{
	char fresh[PATH_MAX];
	OWN_FD int fd = -1;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
		return err_set(err, -ENAMETOOLONG, "%.64s...: the path is too long", path);
	/* What a power cut left is in nobody's way. A link there is not followed. */
	if (unlink(fresh) < 0 && errno != ENOENT)
		return cannot_write(fresh, err);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0 || write_all(fd, content) < 0 || fsync(fd) < 0) {
		cannot_write(fresh, err);
		unlink(fresh);
		return -EIO;
	}
	if (rename(fresh, path) < 0) {
		cannot_write(path, err);
		unlink(fresh);
		return -EIO;
	}
	return flush_folder(path) < 0 ? cannot_write(path, err) : 0;
}
