// SPDX-License-Identifier: Apache-2.0
/* See porter.h. */
#include "dataplane/porter.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "dataplane/dispatcher.h"

/* libxdp waits for a lock that whoever changes a dispatcher holds. The agent waits shorter than its watchdog. */
#define ANSWER_S 20

#define PORTER_FD 3

struct porter {
	int fd; /* -1 = it is gone */
};

struct request {
	int32_t ifindex;
	uint8_t attach, native; /* attach 0 = detach */
};

/* ---- the child ------------------------------------------------------------------------------- */

static int handle(const struct request *request)
{
	if (request->ifindex <= 0)
		return -EINVAL;
	return request->attach ? dispatcher_attach(request->ifindex, request->native)
			       : dispatcher_detach(request->ifindex);
}

/* Its first answer says whether it is there. */
__attribute__((noreturn)) static void serve(int (*confine)(struct err *err))
{
	struct err err = ERR_NONE;
	struct request request;
	int32_t answer = dispatcher_probe();

	if (answer == 0) {
		dispatcher_remove(true);
		answer = confine ? confine(&err) : 0;
		if (answer < 0)
			log_warn("%s", err.text);
	}
	while (send(PORTER_FD, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) &&
	       recv(PORTER_FD, &request, sizeof(request), 0) == sizeof(request))
		answer = handle(&request);
	_exit(0);
}

/* Nothing of the agent's but the one socket, and no signal of its: it ends when the agent's end of the socket is closed. */
__attribute__((noreturn)) static void become_porter(int fd, int (*confine)(struct err *err))
{
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "holdfast-porter", 0, 0, 0);
	if (dup2(fd, PORTER_FD) < 0)
		_exit(1);
	close_range(PORTER_FD + 1, ~0u, 0);
	serve(confine);
}

/* ---- the agent's side ------------------------------------------------------------------------ */

static int hear(struct porter *porter)
{
	int32_t answer;

	if (porter->fd >= 0 && recv(porter->fd, &answer, sizeof(answer), 0) == sizeof(answer))
		return answer;
	/* It ended, or it waits for a lock for ever: an answer that comes later would be taken for the next one's. */
	if (porter->fd >= 0)
		close(porter->fd);
	porter->fd = -1;
	return -EPIPE;
}

static int ask(struct porter *porter, const struct request *request)
{
	if (porter->fd >= 0 && send(porter->fd, request, sizeof(*request), MSG_NOSIGNAL) != sizeof(*request)) {
		close(porter->fd);
		porter->fd = -1;
	}
	return hear(porter);
}

struct porter *porter_open(int (*confine)(struct err *err), struct err *err)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };
	struct porter *porter = calloc(1, sizeof(*porter));
	int ends[2], error = 0;
	pid_t child;

	if (!porter || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		free(porter);
		err_set(err, -ENOMEM, "no socket for a child");
		return NULL;
	}
	child = fork();
	if (child == 0)
		become_porter(ends[1], confine);
	close(ends[1]);
	porter->fd = ends[0];
	setsockopt(porter->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	error = child < 0 ? -errno : hear(porter);
	if (error == 0)
		return porter;
	err_set(err, error, "%s", error == -EPIPE ? "its child ended" : dispatcher_explain(error));
	porter_close(porter);
	/* It has answered, so it is about to end: nothing of it stays. */
	if (child > 0 && error != -EPIPE)
		waitpid(child, NULL, 0);
	return NULL;
}

void porter_close(struct porter *porter)
{
	if (!porter)
		return;
	if (porter->fd >= 0)
		close(porter->fd);
	free(porter);
}

int porter_attach(struct porter *porter, int ifindex, bool native)
{
	return ask(porter, &(struct request){ .ifindex = ifindex, .attach = true, .native = native });
}

int porter_detach(struct porter *porter, int ifindex)
{
	return ask(porter, &(struct request){ .ifindex = ifindex });
}
