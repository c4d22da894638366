// SPDX-License-Identifier: Apache-2.0
/*
 * Netlink sockets: one request and its acknowledgement, dumps, and reading notifications, over libmnl.
 * Knows nothing of XFRM or links. Every wait is bounded: the kernel answers a request before send()
 * returns, so the receive time limit only bites when the answer was lost for want of memory.
 * Answers about SAs carry keys, so what was read is wiped when it has been looked at.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>

#include "base/own.h"
#include "netlink/nl.h"

/* A full table of 16,384 pairs that somebody flushes is 65,536 notifications of about 0.6 KB, counted double. */
#define NOTES_BUFFER (32 << 20)
#define REQUEST_BUFFER (1 << 20)
#define ANSWER_TIMEOUT_S 5

/* A list that changes faster than it can be read four times in a row is reported, not chased. */
#define DUMP_TRIES 4

static int set_options(struct mnl_socket *mnl, bool for_notes)
{
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	int on = 1, fd = mnl_socket_get_fd(mnl), size = for_notes ? NOTES_BUFFER : REQUEST_BUFFER;

	/* Without the FORCE form the size is capped by net.core.rmem_max; a smaller buffer still works. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (for_notes)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	/* Both only shape the answer; a kernel that lacks them (before 4.12) still answers. */
	(void)mnl_socket_setsockopt(mnl, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(mnl, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

int nlsock_open(struct nlsock *sock, int bus, uint32_t groups)
{
	int rc;

	sock->mnl = mnl_socket_open2(bus, SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0));
	if (!sock->mnl)
		return -errno;
	rc = set_options(sock->mnl, groups != 0);
	if (!rc && mnl_socket_bind(sock->mnl, groups, MNL_SOCKET_AUTOPID) < 0)
		rc = -errno;
	if (rc) {
		nlsock_close(sock);
		return rc;
	}
	sock->fd = mnl_socket_get_fd(sock->mnl);
	sock->port_id = mnl_socket_get_portid(sock->mnl);
	sock->seq = 0;
	return 0;
}

void nlsock_close(struct nlsock *sock)
{
	if (sock->mnl)
		(void)mnl_socket_close(sock->mnl);
	sock->mnl = NULL;
	sock->fd = -1;
}

void nlsock_request_wipe(struct nl_request *request)
{
	explicit_bzero(request, sizeof(*request));
}

/* Length of one datagram from the kernel, or -errno. What other processes send to our port is thrown away. */
static int receive(struct nlsock *sock, void *buf, size_t size)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = { .msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1 };

	for (;;) {
		msg.msg_namelen = sizeof(from);
		ssize_t len = recvmsg(sock->fd, &msg, 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		return msg.msg_flags & MSG_TRUNC ? -ENOBUFS : (int)len;
	}
}

int nlsock_read(struct nlsock *sock, void *buf, size_t size)
{
	int len = receive(sock, buf, size);

	return len == -EAGAIN ? 0 : len;
}

static int send_request(struct nlsock *sock, struct nlmsghdr *request)
{
	request->nlmsg_seq = ++sock->seq;
	/* The kernel copies this into the notifications that the request causes: notify.c knows them by it. */
	request->nlmsg_pid = sock->port_id;
	return mnl_socket_sendto(sock->mnl, request, request->nlmsg_len) < 0 ? -errno : 0;
}

static void set_words(struct netlink *nl, int code, const char *extended)
{
	if (extended)
		snprintf(nl->words, sizeof(nl->words), "%.120s (%s)", extended, strerrordesc_np(-code));
	else
		snprintf(nl->words, sizeof(nl->words), "%s", strerrordesc_np(-code) ?: "unknown error");
}

/* The result in an acknowledgement, with its extended text (Linux 4.12) in nl->words. */
static int read_ack(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(message);
	const char *extended = NULL;
	const struct nlattr *attr = NULL;
	size_t skip = sizeof(*ack);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*ack)) {
		set_words(nl, -EBADMSG, NULL);
		return -EBADMSG;
	}
	if (ack->error == 0)
		return 0;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&ack->msg);
	if (message->nlmsg_flags & NLM_F_ACK_TLVS)
		attr = decode_attr(message, skip, NLMSGERR_ATTR_MSG);
	if (attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		extended = mnl_attr_get_str(attr);
	set_words(nl, ack->error, extended);
	return ack->error;
}

int nlsock_request(struct netlink *nl, struct nlsock *sock, struct nlmsghdr *request, nlsock_handler *handler,
		   void *arg)
{
	int rc, stopped = 0;

	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	rc = send_request(sock, request);
	while (!rc) {
		int len = receive(sock, nl->answer, sizeof(nl->answer)), left = len;
		const struct nlmsghdr *message = (void *)nl->answer;

		if (len < 0) {
			rc = len == -EAGAIN ? -ETIMEDOUT : len;
			break;
		}
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != request->nlmsg_seq)
				continue; /* the late answer of a request that timed out */
			if (message->nlmsg_type == NLMSG_ERROR) {
				rc = read_ack(nl, message);
				explicit_bzero(nl->answer, (size_t)len);
				return rc ? rc : stopped;
			}
			if (handler && !stopped)
				stopped = handler(arg, message);
		}
		explicit_bzero(nl->answer, (size_t)len);
	}
	set_words(nl, rc, NULL);
	return rc;
}

/* A dump that ends early says why in its last message. */
static int read_done(struct netlink *nl, const struct nlmsghdr *message)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(message) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(message), sizeof(code));
	if (code >= 0)
		return 0;
	set_words(nl, code, NULL);
	return code;
}

/* One pass. -EINTR when the list changed meanwhile; the dump is read to its end in every case. */
static int dump_once(struct netlink *nl, struct nlsock *sock, struct nlmsghdr *request, nlsock_handler *handler,
		     void *arg)
{
	bool interrupted = false;
	int stopped = 0;
	int rc = send_request(sock, request);

	while (!rc) {
		int len = receive(sock, nl->dumped, sizeof(nl->dumped)), left = len;
		const struct nlmsghdr *message = (void *)nl->dumped;

		if (len < 0) {
			rc = len == -EAGAIN ? -ETIMEDOUT : len;
			break;
		}
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != request->nlmsg_seq)
				continue;
			interrupted |= message->nlmsg_flags & NLM_F_DUMP_INTR;
			if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
				rc = message->nlmsg_type == NLMSG_ERROR ? read_ack(nl, message)
									: read_done(nl, message);
				explicit_bzero(nl->dumped, (size_t)len);
				return rc ? rc : stopped ? stopped : interrupted ? -EINTR : 0;
			}
			if (!stopped)
				stopped = handler(arg, message);
		}
		explicit_bzero(nl->dumped, (size_t)len);
	}
	set_words(nl, rc, NULL);
	return rc;
}

int nlsock_dump(struct netlink *nl, struct nlsock *sock, struct nlmsghdr *request, nlsock_handler *handler, void *arg)
{
	int rc = -EINTR;

	if (nl->dumping) {
		set_words(nl, -EBUSY, "a dump inside a dump");
		return -EBUSY;
	}
	nl->dumping = true;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	for (int tries = 0; rc == -EINTR && tries < DUMP_TRIES; tries++)
		rc = dump_once(nl, sock, request, handler, arg);
	nl->dumping = false;
	if (rc == -EINTR)
		set_words(nl, rc, "the list kept changing while it was read");
	return rc;
}

int nlsock_refused(struct netlink *nl, struct err *err, int code, const char *what, const char *hint)
{
	assert(code < 0);
	if (!hint && code == -EPERM)
		hint = "this needs CAP_NET_ADMIN";
	return err_set(err, code, "%s: the kernel says: %s%s%s", what, nl->words, hint ? "; " : "", hint ? hint : "");
}
