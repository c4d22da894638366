// SPDX-License-Identifier: Apache-2.0
/*
 * The net room's face: the UDP sockets that IKE peers talk to, the IKE port and the encapsulation port in both families.
 * It carries datagrams with the addresses they really had, and looks at nothing inside: what the kernel does not take
 * as ESP in UDP (RFC 3948) or as a keepalive comes out as it came, marker octets included. Every socket has a bypass
 * policy in both directions, so that IKE goes beside the SAs that it makes (RFC 7296 1). What ICMP says about a
 * datagram is never heard here: it is nobody's word (RFC 7296 2.4).
 */
#ifndef NET_UDP_H
#define NET_UDP_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "ike/ike.h"

struct udp;

/* One turn of the loop takes so many datagrams off a socket; the rest leaves its descriptor ready. */
#define UDP_TURN_MAX 64

/* IKE and encapsulation port, IPv4 and IPv6. */
#define UDP_SOCKETS 4

struct udp_options {
	uint16_t port, encap_port; /* host byte order; 0 = 500 and 4500 */
	uint32_t mark;		   /* SO_MARK of what is sent; 0 = none */
};

/*
 * udp_receiver gets one datagram; path->local is the address it was sent to. The octets are valid during the call, which may
 * call udp_send.
 */
typedef void udp_receiver(void *arg, const struct ike_path *path, struct view datagram);

/*
 * udp_open binds the sockets in the calling thread's network namespace. A machine without IPv6 (or without IPv4) gets those
 * of the other family. -EADDRINUSE when another IKE daemon has a port, -EPERM without CAP_NET_ADMIN; err says what to do.
 */
int udp_open(struct udp **out, const struct udp_options *options, udp_receiver *receiver, void *arg, struct err *err);
void udp_close(struct udp *udp);

/* udp_fd is the descriptor to wait on for reading, for index 0 to UDP_SOCKETS - 1; -1 when its family is missing. */
int udp_fd(const struct udp *udp, unsigned int index);

/* udp_cookie is the socket's SO_COOKIE, by which the BPF programs know it; 0 when there is no such socket. */
uint64_t udp_cookie(const struct udp *udp, unsigned int index);

/* udp_ready gives what is there to the receiver, at most UDP_TURN_MAX datagrams. `fd` is one of udp_fd's. */
void udp_ready(struct udp *udp, int fd);

/*
 * udp_send sends from path->local and its local port to the remote. 0 or -errno: IKE repeats what matters, so a failure is
 * counted here and is otherwise no event. -EADDRNOTAVAIL when the local port is not one of ours or its family is missing.
 */
int udp_send(struct udp *udp, const struct ike_path *path, struct view datagram);

struct udp_counts {
	uint64_t received, sent;
	uint64_t send_failed;
	uint64_t unusable;	/* received from port 0, or sent to a broadcast or multicast address */
	uint64_t overflowed;	/* dropped by the kernel because we read too slowly */
	uint64_t receive_error; /* failed reads, whatever the reason */
};

void udp_count(const struct udp *udp, struct udp_counts *out);

#endif
