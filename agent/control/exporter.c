// SPDX-License-Identifier: Apache-2.0
/*
 * See exporter.h. Clients, their time and the length of what they ask are bounded (core/limits.h): when there are too many, the rest
 * waits in the kernel's queue.
 */
#include "control/exporter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "control/listen.h"
#include "control/metrics.h"
#include "core/limits.h"

struct exporter {
	exporter_source *source;
	void *arg;
	struct evhttp *http;
	struct evconnlistener *listener;		    /* the server's; NULL while it ends */
	struct bufferevent *clients[LIMIT_METRICS_CLIENTS]; /* a reference to each, NULL = free place */
	struct event *timer;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" = a port */
};

/* ---- clients --------------------------------------------------------------------------------- */

/* The server lets go of a stream that ended, and of its callbacks; it is closed when the last reference goes, which is ours. */
static bool has_ended(struct bufferevent *stream)
{
	bufferevent_data_cb readable;

	bufferevent_getcb(stream, &readable, NULL, NULL, NULL);
	return !readable;
}

/* Gives back the places of those who went. The server does not count its clients, so a reference of ours to each does. */
static void sweep(struct exporter *exporter)
{
	bool room = false;

	for (size_t i = 0; i < LIMIT_METRICS_CLIENTS; i++) {
		struct bufferevent **client = &exporter->clients[i];

		if (*client && (!exporter->listener || has_ended(*client))) {
			bufferevent_decref(*client);
			*client = NULL;
		}
		room |= !*client;
	}
	if (room && exporter->listener)
		evconnlistener_enable(exporter->listener);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sweep(arg);
}

/* Called with a place free; with the last one taken, those who come next wait in the kernel's queue. */
static struct bufferevent *new_client(struct event_base *base, void *arg)
{
	struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct exporter *exporter = arg;
	size_t free_places = 0;

	for (size_t i = 0; i < LIMIT_METRICS_CLIENTS && stream; i++) {
		struct bufferevent **client = &exporter->clients[i];

		if (*client)
			continue;
		if (free_places++ == 0) {
			*client = stream;
			bufferevent_incref(stream);
		}
	}
	if (free_places < 2)
		evconnlistener_disable(exporter->listener);
	return stream;
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *out = evhttp_request_get_output_buffer(request);
	const struct exporter *exporter = arg;
	json_t *status = exporter->source(exporter->arg);
	int error = status ? metrics_write(out, status) : -ENOMEM;

	json_decref(status);
	/* A collector comes again in a quarter of a minute: nothing is kept for it. */
	evhttp_add_header(headers, "Connection", "close");
	if (error < 0) {
		evhttp_send_error(request, HTTP_INTERNAL, "out of memory");
		return;
	}
	evhttp_add_header(headers, "Content-Type", METRICS_TYPE);
	evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static void on_other(struct evhttp_request *request, void *arg)
{
	(void)arg;
	evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	evhttp_send_error(request, HTTP_NOTFOUND, "only /metrics is here");
}

/* ---- where ----------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;

	if (addr->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return addr->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int parse(struct sockaddr_storage *out, socklen_t *len, const char *where, struct err *err)
{
	int out_len = sizeof(*out);

	memset(out, 0, sizeof(*out));
	/* The port is at the same place in both. */
	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)out, &out_len) < 0 ||
	    !((const struct sockaddr_in *)out)->sin_port)
		return err_set(err, -EINVAL,
			       "\"%.120s\" is none: give off, 127.0.0.1:PORT, [::1]:PORT or an absolute path", where);
	if (!is_loopback(out))
		return err_set(
			err, -EINVAL,
			"%.120s is not loopback, and everybody could read it: give 127.0.0.1:PORT, and let a proxy "
			"that knows its clients serve others",
			where);
	*len = (socklen_t)out_len;
	return 0;
}

int exporter_check(const char *where, struct err *err)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	struct sockaddr_storage addr;
	socklen_t len;

	if (*where != '/')
		return parse(&addr, &len, where, err);
	if (strlen(where) <= max)
		return 0;
	return err_set(err, -EINVAL, "%zu octets are too many, a socket's path has at most %zu: give a shorter one",
		       strlen(where), max);
}

static int listen_port(const char *where, struct err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	OWN_FD int fd = -1;
	int on = 1, error = parse(&addr, &len, where, err);

	if (error < 0)
		return error;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, len) < 0 || listen(fd, LIMIT_METRICS_CLIENTS) < 0)
		return err_set(err, -errno, "metrics cannot be served at %s (%s): set metrics to another port", where,
			       strerror(errno));
	return TAKE_FD(fd);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int open_server(struct exporter *exporter, struct event_base *base, int listening, struct err *err)
{
	const struct timeval second = { .tv_sec = 1 };
	OWN_FD int fd = listening;
	struct evconnlistener *listener;

	exporter->http = evhttp_new(base);
	listener = exporter->http ? evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE, -1, fd) : NULL;
	if (!listener)
		return err_set(err, -ENOMEM, "no memory for the server of metrics");
	TAKE_FD(fd);
	if (!evhttp_bind_listener(exporter->http, listener)) {
		evconnlistener_free(listener);
		return err_set(err, -ENOMEM, "no memory for the server of metrics");
	}
	exporter->listener = listener;
	exporter->timer = event_new(base, -1, EV_PERSIST, on_timer, exporter);
	if (!exporter->timer || event_add(exporter->timer, &second) < 0)
		return err_set(err, -ENOMEM, "no memory for the server of metrics");
	evhttp_set_allowed_methods(exporter->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(exporter->http, LIMIT_METRICS_REQUEST);
	evhttp_set_max_body_size(exporter->http, LIMIT_METRICS_REQUEST);
	evhttp_set_timeout(exporter->http, LIMIT_METRICS_IDLE_SECONDS);
	evhttp_set_bevcb(exporter->http, new_client, exporter);
	evhttp_set_gencb(exporter->http, on_other, NULL);
	return evhttp_set_cb(exporter->http, "/metrics", on_metrics, exporter);
}

int exporter_open(struct exporter **out, struct event_base *base, const char *where, exporter_source *source, void *arg,
		  struct err *err)
{
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	int fd = *where == '/' ? listen_unix(where, "metrics", err) : listen_port(where, err), error;

	if (fd < 0) {
		free(exporter);
		return fd;
	}
	if (!exporter) {
		close(fd);
		return err_set(err, -ENOMEM, "no memory for the server of metrics");
	}
	exporter->source = source;
	exporter->arg = arg;
	if (*where == '/')
		snprintf(exporter->path, sizeof(exporter->path), "%s", where);
	error = open_server(exporter, base, fd, err);
	if (error < 0) {
		exporter_close(exporter);
		return error;
	}
	*out = exporter;
	return 0;
}

void exporter_close(struct exporter *exporter)
{
	if (!exporter)
		return;
	exporter->listener = NULL;
	if (exporter->http)
		evhttp_free(exporter->http);
	sweep(exporter);
	if (exporter->timer)
		event_free(exporter->timer);
	if (*exporter->path)
		unlink(exporter->path);
	free(exporter);
}
