// SPDX-License-Identifier: Apache-2.0
/*
 * The other end of the control socket, see client.h.
 */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/own.h"
#include "cli/offline.h"
#include "cli/progress.h"
#include "holdfast/control.h"

/* A living agent answers within a loop turn; one that does not within this time is stuck. */
#define ANSWER_SECONDS 5

#define ANSWER_MAX (64 * 1024 * 1024)

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static void drop_json(json_t **json)
{
	json_decref(*json);
}

static int refuse_dial(const char *path, int code, struct err *err)
{
	struct stat status;

	if (code == EACCES)
		return err_set(err, -EACCES, "%s: only root and the group of this socket may ask: use sudo", path);
	if (code == ECONNREFUSED && stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return err_set(err, -ENOTSOCK, "%s: is no socket: correct --socket or control_socket", path);
	return err_set(err, -code,
		       "%s: no agent answers (%s): start one with `systemctl start holdfast` or `holdfast run`", path,
		       strerror(code));
}

static int dial(const char *path, struct err *err)
{
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: too long for a socket: give a path of at most %zu octets", path,
			       sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return TAKE_FD(fd);
	return refuse_dial(path, errno, err);
}

static int send_line(int fd, const json_t *request)
{
	OWN_FREE char *text = json_dumps(request, JSON_COMPACT);
	OWN_FREE char *line = NULL;
	int len = text ? asprintf(&line, "%s\n", text) : -1;

	if (len < 0)
		return -ENOMEM;
	return send(fd, line, (size_t)len, MSG_NOSIGNAL) == len ? 0 : -errno;
}

/* The wait is told once it is one. */
static bool wait_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int count = poll(&ready, 1, 1000);

	if (count == 0) {
		progress_show("waiting for the agent ...");
		count = poll(&ready, 1, (ANSWER_SECONDS - 1) * 1000);
		progress_clear();
	}
	return count != 0;
}

static int receive(int fd, json_t **answer, const char *path, struct err *err)
{
	OWN(close_file) FILE *file = fdopen(dup(fd), "r");
	OWN(drop_json) json_t *json = NULL;
	OWN_FREE char *line = NULL;
	const char *reason;
	json_error_t error;
	size_t room = 0;
	ssize_t len = -1;
	bool answered = wait_readable(fd);

	do {
		errno = 0;
		if (file && answered)
			len = getline(&line, &room, file);
		/* A terminal that changes its size is no answer. */
	} while (len < 0 && errno == EINTR);
	if (!answered || (len < 0 && errno == EAGAIN))
		return err_set(err, -ETIMEDOUT, "%s: the agent did not answer within %d s: it is stuck, restart it",
			       path, ANSWER_SECONDS);
	if (len <= 0 || len > ANSWER_MAX)
		return err_set(err, -EPROTO, "%s: the agent hung up: if it is being started anew, try again", path);
	json = json_loadb(line, (size_t)len, 0, &error);
	if (!json_is_object(json))
		return err_set(err, -EPROTO,
			       "%s: what answers there is no holdfast agent (%s): correct --socket or control_socket",
			       path, error.text);
	reason = json_string_value(json_object_get(json, CONTROL_ERROR));
	if (reason)
		return err_set(err, -EPROTO, "%s", reason);
	*answer = TAKE(json);
	return 0;
}

json_t *client_request(const char *name)
{
	return json_pack("{ss}", CONTROL_COMMAND, name);
}

json_t *client_request_for(const char *name, const char *address)
{
	return json_pack("{ss ss}", CONTROL_COMMAND, name, CONTROL_ADDRESS, address);
}

const char *client_text(const json_t *json, const char *field)
{
	const char *text = json_string_value(json_object_get(json, field));

	return text ? text : "";
}

long long client_number(const json_t *json, const char *field)
{
	return (long long)json_integer_value(json_object_get(json, field));
}

int client_ask(const struct cli *cli, json_t **answer, json_t *request, struct err *err)
{
	OWN(drop_json) json_t *owned = request;
	struct err wrong = ERR_NONE;
	OWN_FREE char *path = NULL;
	OWN_FD int fd = -1;
	int rc = offline_socket(cli, &path, &wrong);

	/* An agent goes on with what it read before the configuration was spoiled, so the usual place is tried. */
	if (rc < 0 && !cli->config)
		path = strdup(CONTROL_SOCKET);
	if (!path || !owned)
		return rc < 0 ? err_set(err, -EINVAL, "%s", wrong.text) : err_set(err, -ENOMEM, "out of memory");
	fd = dial(path, rc < 0 ? NULL : err);
	if (fd < 0)
		return rc < 0 ? err_set(err, -EINVAL, "%s", wrong.text) : fd;
	rc = send_line(fd, owned);
	/* An agent that turns us away says why and hangs up, maybe before it read the question. */
	if (rc < 0 && rc != -EPIPE)
		return err_set(err, rc, "%s: cannot ask the agent: %s", path, strerror(-rc));
	return receive(fd, answer, path, err);
}

int client_ask_all(const struct cli *cli, json_t **answer, json_t *request, const char *list, struct err *err)
{
	OWN(drop_json) json_t *owned = request;
	OWN(drop_json) json_t *all = NULL;
	const json_t *next;

	do {
		OWN(drop_json) json_t *page = NULL;
		int rc;

		if (all)
			json_object_set(owned, CONTROL_AFTER, json_object_get(all, CONTROL_NEXT));
		rc = client_ask(cli, &page, json_incref(owned), err);
		if (rc < 0)
			return rc;
		if (all) {
			json_array_extend(json_object_get(all, list), json_object_get(page, list));
			json_object_set(all, CONTROL_NEXT, json_object_get(page, CONTROL_NEXT));
		} else {
			all = json_incref(page);
		}
		next = json_object_get(all, CONTROL_NEXT);
	} while (json_is_integer(next));
	json_object_del(all, CONTROL_NEXT);
	*answer = TAKE(all);
	return 0;
}
