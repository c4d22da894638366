// SPDX-License-Identifier: Apache-2.0
/*
 * One raw socket that re-injects, with the XFRM policy it carries. Used by release.c only, which decides
 * what goes through which socket; this file knows how the kernel wants it said.
 */
#ifndef DATAPLANE_RELEASE_SOCKET_H
#define DATAPLANE_RELEASE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "dataplane/packet.h"

/* What a socket's packets meet at the XFRM lookup, before any policy of the host. */
enum release_policy_kind {
	RELEASE_POLICY_NONE = 0, /* the socket has no policy yet: nothing is sent through it */
	RELEASE_POLICY_BYPASS,	 /* in clear (or already ESP), even where a pair policy stands */
	RELEASE_POLICY_SEAL,	 /* through an SA of the template, or not at all */
};

struct release_policy {
	enum release_policy_kind kind;
	bool tunnel;	     /* SEAL */
	uint32_t reqid;	     /* SEAL */
	struct hf_pair pair; /* SEAL in tunnel mode: outer addresses; zero otherwise */
};

/* What a socket sends. */
enum release_form {
	RELEASE_FORM_PACKET,  /* whole packets with their IP header; never fragmented before XFRM */
	RELEASE_FORM_PAYLOAD, /* what is behind the IP header; the kernel makes the header and may fragment */
};

struct release_socket {
	int fd; /* -1 = not open */
	bool v4;
	enum release_form form;
	struct release_policy policy; /* as the kernel has it */
	uint32_t mark;
	uint32_t priority;
};

/*
 * release_socket_open opens a socket that sends packets of one family. `proto` is the upper-layer protocol of
 * a PAYLOAD socket for IPv4; elsewhere one socket serves all protocols and it is not looked at. The
 * socket receives nothing. On failure out->fd is -1.
 */
int release_socket_open(struct release_socket *out, bool v4, enum release_form form, uint8_t proto, struct err *err);
void release_socket_close(struct release_socket *socket);

/* release_socket_cookie is the SO_COOKIE of an open socket, 0 when it cannot be read. */
uint64_t release_socket_cookie(const struct release_socket *socket);

/* release_socket_policy makes the kernel apply `policy`; no system call when it already does. On failure the old one stays. */
int release_socket_policy(struct release_socket *socket, const struct release_policy *policy);

/* release_socket_label sets mark and priority of what is sent next. */
int release_socket_label(struct release_socket *socket, uint32_t mark, uint32_t priority);

/*
 * release_socket_send sends one whole packet, `packet` being its parsed form, from its own source address. Never
 * blocks. `ifindex` only counts where an address means nothing without it (IPv6 link-local). -EMSGSIZE
 * when it does not fit, -EAGAIN when there is no SA or no send buffer left.
 */
int release_socket_send(struct release_socket *socket, const struct packet *packet, const uint8_t *data,
			uint32_t ifindex);

/* release_socket_path_mtu asks the routing table for the path MTU of the pair, without XFRM. -errno when there is no route. */
int release_socket_path_mtu(const struct hf_pair *pair, uint32_t mark, uint32_t ifindex);

#endif
