// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams in batches from four sockets to one receiver, and out again along a path.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "net/internal.h"

#define PORT_IKE 500
#define PORT_ENCAP 4500

/* The longest datagram UDP can carry: nothing arrives cut. Memory that no datagram has reached is never touched. */
#define DATAGRAM_MAX 65535
#define BATCH 16

struct udp {
	struct udp_socket sockets[UDP_SOCKETS];
	udp_receiver *receiver;
	void *arg;
	struct udp_counts counts;
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	union message_name names[BATCH];
	union message_control controls[BATCH];
	uint8_t octets[BATCH][DATAGRAM_MAX];
};

static int open_family(struct udp *udp, unsigned int first, int family, const struct udp_options *options,
		       struct err *err)
{
	uint16_t port = options->port ? options->port : PORT_IKE;
	uint16_t encap_port = options->encap_port ? options->encap_port : PORT_ENCAP;
	int error = udp_socket_open(&udp->sockets[first], family, port, false, options->mark, err);

	return error ? error : udp_socket_open(&udp->sockets[first + 1], family, encap_port, true, options->mark, err);
}

int udp_open(struct udp **out, const struct udp_options *options, udp_receiver *receiver, void *arg, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct err first = ERR_NONE;
	unsigned int there = 0;
	struct udp *udp = calloc(1, sizeof(*udp));

	if (!udp)
		return err_set(err, -ENOMEM, "no memory for the IKE sockets");
	udp->receiver = receiver;
	udp->arg = arg;
	for (unsigned int i = 0; i < UDP_SOCKETS; i++)
		udp->sockets[i].fd = -1;
	for (unsigned int i = 0; i < UDP_SOCKETS / 2; i++) {
		struct err why = ERR_NONE;
		int error = open_family(udp, 2 * i, families[i], options, &why);

		if (error && error != -EAFNOSUPPORT) {
			udp_close(udp);
			return err_set(err, error, "%s", why.text);
		}
		there += !error;
		if (error && !first.text[0])
			first = why;
	}
	if (!there) {
		udp_close(udp);
		return err_set(err, -EAFNOSUPPORT, "%s", first.text);
	}
	*out = udp;
	return 0;
}

void udp_close(struct udp *udp)
{
	if (!udp)
		return;
	for (unsigned int i = 0; i < UDP_SOCKETS; i++)
		own_close_fd(&udp->sockets[i].fd);
	free(udp);
}

int udp_fd(const struct udp *udp, unsigned int index)
{
	return index < UDP_SOCKETS ? udp->sockets[index].fd : -1;
}

uint64_t udp_cookie(const struct udp *udp, unsigned int index)
{
	return index < UDP_SOCKETS && udp->sockets[index].fd >= 0 ? udp->sockets[index].cookie : 0;
}

/* ---- receive ---- */

static int receive(struct udp *udp, int fd)
{
	int count;

	for (unsigned int i = 0; i < BATCH; i++) {
		udp->vectors[i] = (struct iovec){ udp->octets[i], DATAGRAM_MAX };
		udp->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &udp->names[i],
			.msg_namelen = sizeof(udp->names[i]),
			.msg_iov = &udp->vectors[i],
			.msg_iovlen = 1,
			.msg_control = &udp->controls[i],
			.msg_controllen = sizeof(udp->controls[i]),
		};
	}
	count = recvmmsg(fd, udp->messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0 && errno != EAGAIN && errno != EINTR)
		udp->counts.receive_error++;
	return count;
}

static void deliver(struct udp *udp, struct udp_socket *socket, unsigned int index)
{
	struct view datagram = view_of(udp->octets[index], udp->messages[index].msg_len);
	uint32_t overflow = socket->overflow_seen;
	struct ike_path path;
	bool usable = udp_message_from(&path, &overflow, &udp->messages[index].msg_hdr, socket->port);

	udp->counts.received++;
	udp->counts.overflowed += overflow - socket->overflow_seen;
	socket->overflow_seen = overflow;
	if (usable)
		udp->receiver(udp->arg, &path, datagram);
	else
		udp->counts.unusable++;
}

void udp_ready(struct udp *udp, int fd)
{
	struct udp_socket *socket = udp->sockets;
	int count = BATCH;

	while (socket < udp->sockets + UDP_SOCKETS && socket->fd != fd)
		socket++;
	assert(fd >= 0 && socket < udp->sockets + UDP_SOCKETS);
	for (unsigned int taken = 0; taken < UDP_TURN_MAX && count == BATCH; taken += BATCH) {
		count = receive(udp, fd);
		for (int i = 0; i < count; i++)
			deliver(udp, socket, (unsigned int)i);
	}
}

/* ---- send ---- */

static const struct udp_socket *socket_for(const struct udp *udp, const struct ike_path *path)
{
	int family = addr_family(&path->remote);

	for (const struct udp_socket *socket = udp->sockets; socket < udp->sockets + UDP_SOCKETS; socket++)
		if (socket->fd >= 0 && socket->family == family && socket->port == path->local_port)
			return socket;
	return NULL;
}

int udp_send(struct udp *udp, const struct ike_path *path, struct view datagram)
{
	struct iovec vector = { (void *)(uintptr_t)datagram.at, datagram.len };
	const struct udp_socket *socket = socket_for(udp, path);
	union message_control control;
	union message_name name;
	struct msghdr message;

	if (!socket || addr_family(&path->local) != socket->family) {
		udp->counts.send_failed++;
		return -EADDRNOTAVAIL;
	}
	udp_message_to(&message, &name, &control, path);
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	if (sendmsg(socket->fd, &message, MSG_DONTWAIT) < 0) {
		udp->counts.send_failed++;
		return -errno;
	}
	udp->counts.sent++;
	return 0;
}

void udp_count(const struct udp *udp, struct udp_counts *out)
{
	*out = udp->counts;
}
