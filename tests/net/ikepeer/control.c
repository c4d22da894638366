// SPDX-License-Identifier: Apache-2.0
/*
 * Commands to ikepeer, one a line through a FIFO. Opened for both directions, so that it stays open when a writer goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ikepeer.h"

#define LINE_MAX_OCTETS 512

static void counts(struct ikepeer *peer)
{
	struct ike_counts c;

	ike_count(peer->ike, &c);
	say("COUNTS {\"datagrams\":%" PRIu64
	    ",\"sas\":%u,\"half_open\":%u,\"established\":%u,\"children\":%u,\"dropped\":%" PRIu64
	    ",\"cookies_sent\":%" PRIu64 ",\"cookies_bad\":%" PRIu64 ",\"bad_icv\":%" PRIu64 ",\"bad_syntax\":%" PRIu64
	    ",\"bad_state\":%" PRIu64 ",\"retransmits\":%" PRIu64 ",\"auth_failed\":%" PRIu64 ",\"collisions\":%" PRIu64
	    ",\"outputs_lost\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"load_begun\":%" PRIu64 ",\"load_up\":%" PRIu64
	    ",\"load_failed\":%" PRIu64 "}",
	    c.datagrams, c.sas, c.half_open, c.established, c.children, c.dropped, c.cookies_sent, c.cookies_bad,
	    c.bad_icv, c.bad_syntax, c.bad_state, c.retransmits, c.auth_failed, c.collisions, c.outputs_lost, c.blocks,
	    peer->load.begun, peer->load.up, peer->load.failed);
	if (peer->options.shield)
		shield_say();
}

static void connect_to(struct ikepeer *peer, const char *text)
{
	struct err err = ERR_NONE;
	struct hf_addr remote;

	if (addr_parse(&remote, text, &err) < 0)
		say("ERROR %s", err.text);
	else
		engine_connect(peer, &remote);
}

static void obey(struct ikepeer *peer, const char *line)
{
	uint64_t now = engine_now();

	say("DO %s", line);
	if (strncmp(line, "connect ", 8) == 0)
		connect_to(peer, line + 8);
	else if (strcmp(line, "rekey-child") == 0)
		ike_rekey_child(peer->ike, peer->last_child, now);
	else if (strcmp(line, "rekey-ike") == 0)
		ike_rekey(peer->ike, peer->last_sa, now);
	else if (strcmp(line, "probe") == 0)
		ike_probe(peer->ike, peer->last_sa, now);
	else if (strcmp(line, "close") == 0)
		ike_close(peer->ike, peer->last_sa, now);
	else if (strcmp(line, "close-child") == 0)
		ike_close_child(peer->ike, peer->last_child, now);
	else if (strcmp(line, "forget") == 0)
		ike_forget(peer->ike, peer->last_sa, now);
	else if (strncmp(line, "load ", 5) == 0)
		load_pace(peer, (uint32_t)strtoul(line + 5, NULL, 10));
	else if (strcmp(line, "counts") == 0)
		counts(peer);
	else
		say("ERROR no such command");
	engine_settle(peer);
}

static void on_line(evutil_socket_t fd, short what, void *arg)
{
	char text[LINE_MAX_OCTETS], *rest = text, *line;
	ssize_t len = read(fd, text, sizeof(text) - 1);

	(void)what;
	if (len <= 0)
		return;
	text[len] = 0;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			obey(arg, line);
}

int commands_open(struct ikepeer *peer, struct err *err)
{
	const char *path = peer->options.control;
	int fd;

	if (!path)
		return 0;
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	event_add(event_new(peer->base, fd, EV_READ | EV_PERSIST, on_line, peer), NULL);
	return 0;
}
