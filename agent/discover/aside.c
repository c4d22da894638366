// SPDX-License-Identifier: Apache-2.0
/*
 * Work beside the loop, see aside.h. The thread's end comes through an eventfd; joining it then hands the job's memory over.
 */
#include "discover/aside.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/own.h"

struct aside {
	pthread_t thread;
	void *job; /* NULL = none */
	int fd;
	struct event *ended;
	void (*work)(void *job);
	void (*done)(void *arg, void *job);
	void *arg;
};

static void *run(void *arg)
{
	const uint64_t one = 1;
	struct aside *aside = arg;

	aside->work(aside->job);
	/* An eventfd that counts to one takes it at once. */
	if (write(aside->fd, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

static void finish(struct aside *aside)
{
	void *job = aside->job;

	pthread_join(aside->thread, NULL);
	aside->job = NULL;
	aside->done(aside->arg, job);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct aside *aside = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) == sizeof(count) && aside->job)
		finish(aside);
}

void aside_start(struct aside *aside, void *job)
{
	sigset_t all, before;
	int error;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	aside->job = job;
	error = pthread_create(&aside->thread, NULL, run, aside);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		return;
	aside->work(job);
	aside->job = NULL;
	aside->done(aside->arg, job);
}

bool aside_is_busy(const struct aside *aside)
{
	return aside->job != NULL;
}

void aside_close(struct aside *aside)
{
	if (!aside)
		return;
	if (aside->job)
		finish(aside);
	if (aside->ended)
		event_free(aside->ended);
	if (aside->fd >= 0)
		close(aside->fd);
	free(aside);
}

static void own_aside(struct aside **aside)
{
	aside_close(*aside);
}

int aside_open(struct aside **out, struct event_base *base, void (*work)(void *job), void (*done)(void *arg, void *job),
	       void *arg, struct err *err)
{
	OWN(own_aside) struct aside *aside = calloc(1, sizeof(*aside));

	if (!aside)
		return err_set(err, -ENOMEM, "out of memory");
	aside->work = work;
	aside->done = done;
	aside->arg = arg;
	aside->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aside->fd < 0)
		return err_set(err, -errno, "no descriptor for the directory's thread");
	aside->ended = event_new(base, aside->fd, EV_READ | EV_PERSIST, on_ended, aside);
	if (!aside->ended || event_add(aside->ended, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	*out = TAKE(aside);
	return 0;
}
