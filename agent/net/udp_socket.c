// SPDX-License-Identifier: Apache-2.0
/*
 * One UDP socket for IKE: bound to a port on all addresses of a family, telling where datagrams were sent to, beside all
 * XFRM policies, with ESP in UDP taken out by the kernel on the encapsulation port (RFC 3948).
 */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "net/internal.h"

/* After the C library's headers, which know how to live with them. */
#include <linux/udp.h>
#include <linux/xfrm.h>

/* A burst of a thousand peers that start at once, at the 1.3 KB that a datagram of 300 octets costs the kernel. */
#define RECEIVE_BUFFER (2 << 20)

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* A per-socket policy without template: what this socket sends and gets needs no SA, whatever the host's policies say. */
static int bypass(int fd, int family, uint8_t dir)
{
	struct xfrm_userpolicy_info policy = { .sel.family = (uint16_t)family,
					       .dir = dir,
					       .action = XFRM_POLICY_ALLOW };
	bool v4 = family == AF_INET;

	return setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &policy,
			  sizeof(policy)) < 0
		       ? -errno
		       : 0;
}

/*
 * The path MTU that ICMP tells is not heeded: IKE cuts its messages itself (RFC 7383), and IP fragments the few that are
 * too long. FREEBIND: addresses of a prefix that is routed to this host are its own as well.
 */
static int set_family_options(int fd, int family)
{
	int error;

	if (family == AF_INET) {
		error = set(fd, IPPROTO_IP, IP_PKTINFO, 1);
		error = error ? error : set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		return error ? error : set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	}
	error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	error = error ? error : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	error = error ? error : set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	return error ? error : set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

static int bind_port(int fd, int family, uint16_t port)
{
	union message_name name = { 0 };
	socklen_t len = family == AF_INET ? sizeof(name.v4) : sizeof(name.v6);

	name.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		name.v4.sin_port = htons(port);
	else
		name.v6.sin6_port = htons(port);
	return bind(fd, &name.any, len) < 0 ? -errno : 0;
}

int udp_socket_open(struct udp_socket *out, int family, uint16_t port, bool encap, uint32_t mark, struct err *err)
{
	OWN_FD int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	const char *which = family == AF_INET ? "IPv4" : "IPv6";
	socklen_t cookie_len = sizeof(out->cookie);
	uint64_t cookie = 0;
	int error;

	if (fd < 0)
		return err_set(err, -errno, "no %s socket for IKE: %s", which, strerrordesc_np(errno));
	error = set_family_options(fd, family);
	if (error)
		return err_set(err, error, "%s socket for IKE: %s", which, strerrordesc_np(-error));
	error = bypass(fd, family, XFRM_POLICY_IN);
	error = error ? error : bypass(fd, family, XFRM_POLICY_OUT);
	if (!error && mark)
		error = set(fd, SOL_SOCKET, SO_MARK, (int)mark);
	if (error)
		return err_set(err, error, "%s socket for IKE, bypass policy: %s%s", which, strerrordesc_np(-error),
			       error == -EPERM ? "; CAP_NET_ADMIN is needed" : "");
	if (encap) {
		error = set(fd, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP);
		if (error)
			return err_set(err, error, "the kernel does not take ESP in UDP (%s): %s", which,
				       strerrordesc_np(-error));
	}
	/* Best effort, both: a smaller buffer works, and without the count nobody misses the datagrams. */
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
		(void)set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	(void)set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_len) < 0)
		return err_set(err, -errno, "SO_COOKIE: %s", strerrordesc_np(errno));
	error = bind_port(fd, family, port);
	if (error)
		return err_set(err, error, "UDP port %u (%s): %s%s", port, which, strerrordesc_np(-error),
			       error == -EADDRINUSE ? "; does another IKE daemon run on this host?"
			       : error == -EACCES   ? "; CAP_NET_BIND_SERVICE is needed"
						    : "");
	*out = (struct udp_socket){ .fd = TAKE_FD(fd), .family = family, .port = port, .cookie = cookie };
	return 0;
}
