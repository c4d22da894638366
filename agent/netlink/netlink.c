// SPDX-License-Identifier: Apache-2.0
/*
 * The life of the room: opening and closing its five sockets, and the door through which notifications
 * come in. What the notifications mean is in notify.c (XFRM) and links.c (links and addresses).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "base/own.h"
#include "netlink/nl.h"

/* One turn of the loop reads this many datagrams; the rest makes the descriptor ready again. */
#define READY_DATAGRAMS_MAX 64

/* Events may be NULL in probes and tests; everything else then needs no check. */
static const struct netlink_events no_events;

static int open_refused(struct err *err, int code, const char *which)
{
	if (code == -EPERM)
		return err_set(err, code,
			       "%s: not permitted; this needs root or CAP_NET_ADMIN in this network namespace", which);
	if (code == -EPROTONOSUPPORT)
		return err_set(err, code,
			       "%s: this kernel does not have it; it needs CONFIG_XFRM_USER (module xfrm_user)", which);
	return err_set(err, code, "%s: %s", which, strerror(-code));
}

static int open_sockets(struct netlink *nl, struct err *err)
{
	const struct {
		struct nlsock *sock;
		int bus;
		uint32_t groups;
		const char *what;
	} wanted[] = {
		/* Notifications first: what changes while the rest opens is not missed. */
		{ &nl->xfrm_notes, NETLINK_XFRM, NOTIFY_GROUPS, "XFRM notifications (netlink)" },
		{ &nl->route_notes, NETLINK_ROUTE, links_groups, "link and address notifications (netlink)" },
		{ &nl->request, NETLINK_XFRM, 0, "XFRM requests (netlink)" },
		{ &nl->dump, NETLINK_XFRM, 0, "XFRM lists (netlink)" },
		{ &nl->route_request, NETLINK_ROUTE, 0, "routes (netlink)" },
		{ &nl->route_dump, NETLINK_ROUTE, 0, "link and address lists (netlink)" },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		int rc = nlsock_open(wanted[i].sock, wanted[i].bus, wanted[i].groups);

		if (rc)
			return open_refused(err, rc, wanted[i].what);
	}
	return 0;
}

int netlink_open(struct netlink **out, const struct netlink_events *events, void *arg, struct err *err)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int rc;

	if (!nl)
		return err_set(err, -ENOMEM, "netlink: no memory for its buffers");
	nl->events = events ? events : &no_events;
	nl->arg = arg;
	rc = open_sockets(nl, err);
	if (rc) {
		netlink_close(nl);
		return rc;
	}
	*out = nl;
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	nlsock_close(&nl->xfrm_notes);
	nlsock_close(&nl->route_notes);
	nlsock_close(&nl->request);
	nlsock_close(&nl->dump);
	nlsock_close(&nl->route_request);
	nlsock_close(&nl->route_dump);
	free(nl);
}

int netlink_xfrm_fd(const struct netlink *nl)
{
	return nl->xfrm_notes.fd;
}

int netlink_route_fd(const struct netlink *nl)
{
	return nl->route_notes.fd;
}

int netlink_ready(struct netlink *nl, int fd)
{
	bool xfrm = fd == nl->xfrm_notes.fd;
	struct nlsock *sock = xfrm ? &nl->xfrm_notes : &nl->route_notes;

	if (fd != sock->fd)
		return -EBADF;
	for (int i = 0; i < READY_DATAGRAMS_MAX; i++) {
		int len = nlsock_read(sock, nl->note, sizeof(nl->note)), left = len;
		const struct nlmsghdr *message = (void *)nl->note;

		if (len == 0)
			return 0;
		if (len == -ENOBUFS) {
			if (nl->events->lost)
				nl->events->lost(nl->arg);
			continue;
		}
		if (len < 0)
			return len;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			xfrm ? notify_message(nl, message) : links_message(nl, message);
		/* A notification about a new SA carries its key. */
		explicit_bzero(nl->note, (size_t)len);
	}
	return 0;
}
