// SPDX-License-Identifier: Apache-2.0
/*
 * A directory in a file, its signature in FILE.minisig. The folder is watched (inotify), not the file: files are replaced, and there are two of them. Since they are
 * never replaced in the same instant, a change is read a moment later; a pair that does not fit is refused by its signature and read again with
 * the next change. Where inotify sees nothing (links, network file systems), a poll compares the files' times.
 */
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/own.h"
#include "discover/directory.h"
#include "discover/file.h"
#include "discover/minisign.h"
#include "discover/origin.h"

#define SETTLE_MS 250 /* between the two files of one update */

/* What tells one content of a file from the next. All 0: there is no file. */
struct look {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct source {
	char *file, *signature_file;
	struct look looks[2]; /* of what was brought last */
	int fd;		      /* inotify; -1 = none */
	struct event *readable, *settle;
	origin_callback *callback;
	void *arg;
};

static struct look look_at(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return (struct look){ .inode = 0 };
	return (struct look){ status.st_ino, status.st_size, status.st_mtim };
}

static bool is_same(const struct look *a, const struct look *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	       a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Looked at before reading: what changes meanwhile is read again. */
static bool has_changed(struct source *source)
{
	struct look now[2] = { look_at(source->file), look_at(source->signature_file) };
	bool changed = !is_same(&now[0], &source->looks[0]) || !is_same(&now[1], &source->looks[1]);

	memcpy(source->looks, now, sizeof(now));
	return changed;
}

static void bring(struct source *source)
{
	OWN_FREE uint8_t *text = NULL, *signature = NULL;
	size_t len = 0, signature_len = 0;
	struct err err = ERR_NONE;
	int rc = file_read(&text, &len, source->file, DIRECTORY_OCTETS_MAX, &err);

	if (rc == 0)
		rc = file_read(&signature, &signature_len, source->signature_file, MINISIGN_FILE_MAX, &err);
	source->callback(source->arg, view_of(text, len), view_of(signature, signature_len), rc < 0 ? &err : NULL);
}

static void poll_source(void *origin, bool again)
{
	struct source *source = origin;

	if (has_changed(source) || again)
		bring(source);
}

/* ---- inotify ---------------------------------------------------------------------------------- */

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	poll_source(arg, false);
}

/* Which file it was does not matter: on_settled compares. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval settle = { .tv_usec = SETTLE_MS * 1000 };
	struct source *source = arg;
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)what;
	while (read(fd, events, sizeof(events)) > 0)
		continue;
	event_add(source->settle, &settle);
}

/* A folder that is not there yet is no error: polls find the file when it comes. */
static int watch(struct source *source, struct event_base *base)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", source->file);
	folder[strrchr(folder, '/') == folder ? 1 : strrchr(folder, '/') - folder] = '\0';
	source->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (source->fd < 0)
		return 0;
	inotify_add_watch(source->fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
	source->settle = event_new(base, -1, 0, on_settled, source);
	source->readable = event_new(base, source->fd, EV_READ | EV_PERSIST, on_readable, source);
	return source->settle && source->readable && event_add(source->readable, NULL) == 0 ? 0 : -ENOMEM;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void close_source(void *origin)
{
	struct source *source = origin;

	if (!source)
		return;
	if (source->readable)
		event_free(source->readable);
	if (source->settle)
		event_free(source->settle);
	if (source->fd >= 0)
		close(source->fd);
	free(source->file);
	free(source->signature_file);
	free(source);
}

static void own_source(struct source **source)
{
	close_source(*source);
}

static int open_source(void **out, const struct origin_options *options, struct event_base *base,
		       origin_callback *callback, void *arg, struct err *err)
{
	const char *place = options->place;
	OWN(own_source) struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return err_set(err, -ENOMEM, "out of memory");
	source->fd = -1;
	source->callback = callback;
	source->arg = arg;
	source->file = strdup(place);
	if (asprintf(&source->signature_file, "%s.minisig", place) < 0)
		source->signature_file = NULL;
	if (!source->file || !source->signature_file)
		return err_set(err, -ENOMEM, "out of memory");
	if (strlen(place) >= PATH_MAX - sizeof(".minisig"))
		return err_set(err, -ENAMETOOLONG, "directory = %.64s...: the path is too long", place);
	if (base && watch(source, base) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	*out = TAKE(source);
	return 0;
}

const struct origin_kind origin_file = { open_source, close_source, poll_source };
