// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the net room share: one socket and how it is made (udp_socket.c), and the message headers that carry
 * addresses (udp_message.c). Nobody outside the room includes this.
 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "net/udp.h"

/* The kernel counts in 32 bits what it dropped for want of room; the difference is what is new. */
struct udp_socket {
	int fd; /* -1 = not there */
	int family;
	uint16_t port; /* host byte order */
	uint32_t overflow_seen;
	uint64_t cookie;
};

/*
 * udp_socket_open makes a bound, non-blocking socket with its bypass policies; with `encap` the kernel takes ESP in UDP out
 * of what arrives. -EAFNOSUPPORT when the machine lacks the family.
 */
int udp_socket_open(struct udp_socket *out, int family, uint16_t port, bool encap, uint32_t mark, struct err *err);

/* Room for the one control message that we send, and for the two that we get. */
union message_control {
	struct cmsghdr align;
	uint8_t octets[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
};

union message_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* udp_message_from reads the path of a received message. False when it has none that an answer could take. */
bool udp_message_from(struct ike_path *out, uint32_t *overflow, const struct msghdr *message, uint16_t local_port);

/* udp_message_to fills name and control of a message along `path`; both must outlive it. */
void udp_message_to(struct msghdr *message, union message_name *name, union message_control *control,
		    const struct ike_path *path);

#endif
