// SPDX-License-Identifier: Apache-2.0
/*
 * The operator's socket, see control.h. Everything a client can make us keep is bounded: clients, the length of a
 * request, answers that it does not read, and how long it may say nothing (core/limits.h).
 */
#include "control/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/own.h"
#include "control/answer.h"
#include "control/listen.h"
#include "core/limits.h"
#include "holdfast/control.h"

#define GROUPS_MAX 256 /* supplementary groups of a client that are looked at */

struct client {
	struct control *control;
	struct bufferevent *stream; /* NULL = free */
	bool ending;		    /* reads no more; ends once its last answer is written */
};

struct control {
	control_handler *handler;
	void *arg;
	struct evconnlistener *listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat bound; /* of the socket we made: another agent's is not ours to remove */
	struct client clients[LIMIT_CONTROL_CLIENTS];
};

/* ---- clients --------------------------------------------------------------------------------- */

static void end_client(struct client *client)
{
	bufferevent_free(client->stream);
	client->stream = NULL;
}

static void send_answer(struct client *client, json_t *answer)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	OWN_FREE char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;

	json_decref(answer);
	evbuffer_add_printf(out, "%s\n", text ? text : "{\"error\":\"out of memory\"}");
}

/* Says why, and ends the connection once that is written. */
static void refuse_client(struct client *client, const char *why)
{
	bufferevent_disable(client->stream, EV_READ);
	client->ending = true;
	send_answer(client, answer_error("%s", why));
}

static json_t *answer_line(struct control *control, const char *line, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	json_t *answer;

	if (!request)
		return answer_error("the request is not JSON (%s, column %d): send one object on a line", error.text,
				    error.column);
	if (json_is_object(request))
		answer = control->handler(control->arg, request);
	else
		answer = answer_error("the request is JSON, but not an object: send {\"" CONTROL_COMMAND "\": ...}");
	json_decref(request);
	return answer;
}

static void on_readable(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(stream), *out = bufferevent_get_output(stream);
	char *line;
	size_t len;

	while ((line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF)) != NULL) {
		send_answer(client, answer_line(client->control, line, len));
		free(line);
		if (evbuffer_get_length(out) > LIMIT_CONTROL_UNREAD) {
			end_client(client);
			return;
		}
	}
	if (evbuffer_get_length(in) >= LIMIT_CONTROL_LINE)
		refuse_client(client, "the request is longer than a line may be: send less");
}

static void on_written(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;

	(void)stream;
	if (client->ending)
		end_client(client);
}

/* The client hung up, said nothing for too long, or broke. What it already asked was answered as far as it reads. */
static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct client *client = arg;

	if ((what & BEV_EVENT_EOF) && evbuffer_get_length(bufferevent_get_output(stream)) && !client->ending)
		client->ending = true;
	else
		end_client(client);
}

/* ---- who may ask ----------------------------------------------------------------------------- */

/*
 * Root, our own user, and members of the socket's group. The file's mode says the same, but modes are
 * changed by hand and a descriptor can be handed on.
 */
static bool may_ask(const struct control *control, int fd)
{
	gid_t groups[GROUPS_MAX];
	struct ucred who;
	socklen_t who_len = sizeof(who), groups_len = sizeof(groups);
	struct stat status;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) < 0)
		return false;
	if (who.uid == 0 || who.uid == geteuid())
		return true;
	if (stat(control->path, &status) < 0 || !(status.st_mode & S_IWGRP))
		return false;
	if (who.gid == status.st_gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) < 0)
		return false;
	for (size_t i = 0; i < groups_len / sizeof(groups[0]); i++)
		if (groups[i] == status.st_gid)
			return true;
	return false;
}

static struct client *free_client(struct control *control)
{
	for (size_t i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		if (!control->clients[i].stream)
			return &control->clients[i];
	return NULL;
}

/* One line to somebody who is not let in. Its socket buffer is empty, so this either fits or is not worth waiting for. */
static void turn_away(int fd, const char *line)
{
	if (send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static void on_client(struct evconnlistener *listener, evutil_socket_t accepted, struct sockaddr *addr, int len,
		      void *arg)
{
	const struct timeval idle = { .tv_sec = LIMIT_CONTROL_IDLE_SECONDS };
	struct control *control = arg;
	struct client *client = free_client(control);
	OWN_FD int fd = accepted;

	(void)addr;
	(void)len;
	if (!may_ask(control, fd)) {
		turn_away(fd, "{\"error\":\"only root and the group of the control socket may ask: use sudo\"}\n");
		return;
	}
	if (!client) {
		turn_away(fd, "{\"error\":\"too many clients are connected: try again later\"}\n");
		return;
	}
	*client = (struct client){ .control = control };
	client->stream = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream)
		return;
	fd = -1;
	bufferevent_setcb(client->stream, on_readable, on_written, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, LIMIT_CONTROL_LINE);
	bufferevent_set_timeouts(client->stream, &idle, &idle);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void free_control(struct control **control)
{
	if (*control)
		control_close(*control);
}

int control_open(struct control **out, struct event_base *base, const char *path, control_handler *handler, void *arg,
		 struct err *err)
{
	OWN(free_control) struct control *control = calloc(1, sizeof(*control));
	int fd = listen_unix(path, "control_socket", err);

	if (fd < 0)
		return fd;
	if (control)
		control->listener = evconnlistener_new(base, on_client, control,
						       LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, fd);
	if (!control || !control->listener) {
		close(fd);
		unlink(path);
		return err_set(err, -ENOMEM, "out of memory");
	}
	control->handler = handler;
	control->arg = arg;
	snprintf(control->path, sizeof(control->path), "%s", path);
	if (stat(path, &control->bound) < 0)
		return err_set(err, -errno, "%s: somebody removes it: %s", path, strerror(errno));
	*out = TAKE(control);
	return 0;
}

void control_close(struct control *control)
{
	struct stat now;

	if (!control)
		return;
	for (size_t i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
		if (control->clients[i].stream)
			end_client(&control->clients[i]);
	if (control->listener)
		evconnlistener_free(control->listener);
	if (*control->path && stat(control->path, &now) == 0 && now.st_ino == control->bound.st_ino &&
	    now.st_dev == control->bound.st_dev)
		unlink(control->path);
	free(control);
}
