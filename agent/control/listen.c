// SPDX-License-Identifier: Apache-2.0
/*
 * See listen.h.
 */
#include "control/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"

/* Clients that nobody has looked at yet: as many as may be served at the same time (core/limits.h). */
#define BACKLOG 16

/* Makes the socket's folder. Only the last part of the path: /run exists, and a misspelled path should not be made. */
static int make_folder(const char *path, const char *key, struct err *err)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: cannot be made (%s): make it, or set %s to another path", folder,
			       strerror(errno), key);
	return 0;
}

/* Removes what a dead agent left at the path; fails when a living one answers there. */
static int clear_path(const struct sockaddr_un *addr, const char *key, struct err *err)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred who = { 0 };
	socklen_t who_len = sizeof(who);
	struct stat status;

	if (lstat(addr->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", addr->sun_path, strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return err_set(err, -EEXIST,
			       "%s: there is something that is not a socket: remove it, or set %s to another path",
			       addr->sun_path, key);
	/* EAGAIN: somebody listens, but does not keep up. */
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN) {
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len);
		return err_set(err, -EADDRINUSE, "%s: an agent answers there already (pid %d): stop it first",
			       addr->sun_path, (int)who.pid);
	}
	if (unlink(addr->sun_path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s: cannot be replaced (%s)", addr->sun_path, strerror(errno));
	return 0;
}

int listen_unix(const char *path, const char *key, struct err *err)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int rc;

	if (fd < 0)
		return err_set(err, -errno, "%s: %s", key, strerror(errno));
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: too long for a socket: set %s to a shorter path", path, key);
	strcpy(addr.sun_path, path);
	rc = make_folder(path, key, err);
	if (rc == 0)
		rc = clear_path(&addr, key, err);
	if (rc < 0)
		return rc;
	mask = umask(0117);
	rc = bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(mask);
	if (rc < 0 || listen(fd, BACKLOG) < 0)
		return err_set(err, rc < 0 ? rc : -errno, "%s: cannot listen there (%s): set %s to another path", path,
			       strerror(errno), key);
	return TAKE_FD(fd);
}
