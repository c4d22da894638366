// SPDX-License-Identifier: Apache-2.0
/*
 * Raw sockets with their own XFRM policy, see release_socket.h. The socket's policy is looked at before the
 * host's, with a selector that matches everything, and its template is not optional: where no SA fits,
 * the kernel refuses to send (EAGAIN). The host's policies are not even consulted, so neither a missing policy
 * nor an unexpected route or source address can let such a packet out in clear.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
/* In front of the kernel's headers, which leave out what it has defined. */
#include <netinet/in.h>

#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "base/own.h"
#include "dataplane/release_socket.h"

/*
 * Memory for packets that wait below us, for a neighbour's address or in a queue: what 64 pairs may
 * hold. Beyond it sends fail at once; the agent never waits.
 */
#define SEND_BUFFER (64 * HF_QUEUE_BYTES)

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

/* The octets setsockopt(IP_XFRM_POLICY) takes: a policy, then its templates. */
struct policy_option {
	struct xfrm_userpolicy_info info;
	struct xfrm_user_tmpl tmpl;
};
_Static_assert(offsetof(struct policy_option, tmpl) == sizeof(struct xfrm_userpolicy_info),
	       "templates follow the policy without a gap");

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/*
 * A raw socket also gets a copy of what arrives for its protocol. The filter throws all of it away. For
 * IPv4 the kernel would still clone every UDP datagram of the host to show it to the filter: bound to
 * RFC 7600's dummy address, which no packet can be for, the socket is passed over. IPPROTO_RAW sockets
 * see only protocol 255.
 */
static int receive_nothing(int fd, bool v4, enum release_form form)
{
	struct sock_filter drop = { BPF_RET | BPF_K, 0, 0, 0 };
	struct sock_fprog filter = { 1, &drop };
	struct sockaddr_in dummy = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000008) };
	int err;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return -errno;
	err = set_int(fd, SOL_SOCKET, SO_RCVBUF, 0);
	if (err || !v4 || form == RELEASE_FORM_PACKET)
		return err;
	err = set_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (err)
		return err;
	return bind(fd, (struct sockaddr *)&dummy, sizeof(dummy)) ? -errno : 0;
}

/*
 * PAYLOAD sockets let the kernel fragment, after ESP. PACKET sockets accept any source address, so that
 * a packet whose address went away while it was held still leaves as its sender made it.
 */
static int set_form(int fd, bool v4, enum release_form form)
{
	bool packet = form == RELEASE_FORM_PACKET;
	int err;

	if (v4)
		return packet ? set_int(fd, IPPROTO_IP, IP_HDRINCL, 1)
			      : set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	err = set_int(fd, IPPROTO_IPV6, IPV6_HDRINCL, packet);
	if (err)
		return err;
	return packet ? set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
		      : set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

/* Policies on sockets are compiled by the module that also serves netlink; opening that loads it. */
static void load_xfrm_user(void)
{
	OWN_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);

	(void)fd;
}

int release_socket_open(struct release_socket *out, bool v4, enum release_form form, uint8_t proto, struct err *err)
{
	OWN_FD int fd = -1;
	int protocol = v4 && form == RELEASE_FORM_PAYLOAD ? proto : IPPROTO_RAW;
	int rc;

	*out = (struct release_socket){ .fd = -1, .v4 = v4, .form = form };
	load_xfrm_user();
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return err_set(err, -errno, "raw IPv%d socket: %s; CAP_NET_RAW is needed", v4 ? 4 : 6, strerror(errno));
	rc = receive_nothing(fd, v4, form);
	if (!rc)
		rc = set_form(fd, v4, form);
	if (!rc)
		rc = set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
	if (rc)
		return err_set(err, rc, "raw IPv%d socket: %s; CAP_NET_ADMIN is needed", v4 ? 4 : 6, strerror(-rc));
	out->fd = TAKE_FD(fd);
	return 0;
}

void release_socket_close(struct release_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}

uint64_t release_socket_cookie(const struct release_socket *socket)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(socket->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return 0;
	return cookie;
}

/* ---- policy ---- */

static void put_address(xfrm_address_t *out, const struct hf_addr *addr)
{
	size_t len;
	const uint8_t *octets = addr_octets(addr, &len);

	memcpy(out, octets, len);
}

static int set_policy(int fd, bool v4, const struct release_policy *policy)
{
	struct policy_option option = {
		.info = { .sel.family = v4 ? AF_INET : AF_INET6,
			  .lft = { XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF, 0, 0, 0, 0 },
			  .dir = XFRM_POLICY_OUT,
			  .action = XFRM_POLICY_ALLOW },
		.tmpl = { .id.proto = IPPROTO_ESP,
			  .family = v4 ? AF_INET : AF_INET6,
			  .reqid = policy->reqid,
			  .mode = policy->tunnel ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT,
			  .aalgos = ~0u,
			  .ealgos = ~0u,
			  .calgos = ~0u },
	};
	socklen_t len = policy->kind == RELEASE_POLICY_SEAL ? sizeof(option) : sizeof(option.info);
	int rc;

	/* Transport mode takes the packet's own addresses. */
	if (policy->tunnel) {
		put_address(&option.tmpl.saddr, &policy->pair.local);
		put_address(&option.tmpl.id.daddr, &policy->pair.remote);
	}
	rc = v4 ? setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &option, len)
		: setsockopt(fd, IPPROTO_IPV6, IPV6_XFRM_POLICY, &option, len);
	return rc ? -errno : 0;
}

static bool same_policy(const struct release_policy *a, const struct release_policy *b)
{
	return a->kind == b->kind && a->tunnel == b->tunnel && a->reqid == b->reqid && pair_equal(&a->pair, &b->pair);
}

int release_socket_policy(struct release_socket *socket, const struct release_policy *policy)
{
	int err;

	if (policy->kind == RELEASE_POLICY_NONE)
		return -EINVAL;
	if (same_policy(&socket->policy, policy))
		return 0;
	err = set_policy(socket->fd, socket->v4, policy);
	if (!err)
		socket->policy = *policy;
	return err;
}

/* ---- sending ---- */

int release_socket_label(struct release_socket *socket, uint32_t mark, uint32_t priority)
{
	int err;

	if (socket->mark != mark) {
		err = set_int(socket->fd, SOL_SOCKET, SO_MARK, (int)mark);
		if (err)
			return err;
		socket->mark = mark;
	}
	if (socket->priority != priority) {
		err = set_int(socket->fd, SOL_SOCKET, SO_PRIORITY, (int)priority);
		if (err)
			return err;
		socket->priority = priority;
	}
	return 0;
}

#define CONTROL_MAX 128

static void *put_control(struct msghdr *msg, int level, int type, size_t len)
{
	struct cmsghdr *control = (struct cmsghdr *)((char *)msg->msg_control + msg->msg_controllen);

	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = CMSG_LEN(len);
	msg->msg_controllen += CMSG_SPACE(len);
	return CMSG_DATA(control);
}

static void put_control_int(struct msghdr *msg, int level, int type, int value)
{
	memcpy(put_control(msg, level, type, sizeof(value)), &value, sizeof(value));
}

/*
 * The route lookup, and with it XFRM's, uses what is said here and not what the header says: without the
 * packet's own source the kernel would pick one, and another pair's SA.
 */
static void address_v4(struct msghdr *msg, struct sockaddr_in *to, const struct packet *packet)
{
	struct in_pktinfo from = { .ipi_spec_dst.s_addr = addr_v4(&packet->src) };

	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = addr_v4(&packet->dst) };
	msg->msg_namelen = sizeof(*to);
	memcpy(put_control(msg, IPPROTO_IP, IP_PKTINFO, sizeof(from)), &from, sizeof(from));
}

static bool is_link_local(const struct hf_addr *addr)
{
	return addr->octet[0] == 0xfe && (addr->octet[1] & 0xc0) == 0x80;
}

static void address_v6(struct msghdr *msg, struct sockaddr_in6 *to, const struct packet *packet, uint32_t ifindex)
{
	struct in6_pktinfo from = { 0 };

	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	memcpy(&to->sin6_addr, packet->dst.octet, sizeof(to->sin6_addr));
	memcpy(&from.ipi6_addr, packet->src.octet, sizeof(from.ipi6_addr));
	if (is_link_local(&packet->dst) || is_link_local(&packet->src)) {
		to->sin6_scope_id = ifindex;
		from.ipi6_ifindex = ifindex;
	}
	msg->msg_namelen = sizeof(*to);
	memcpy(put_control(msg, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(from)), &from, sizeof(from));
}

/* What of the lost IP header the kernel's new one must repeat. */
static void repeat_header(struct msghdr *msg, const struct packet *packet)
{
	int hop_limit = packet->hop_limit ? packet->hop_limit : 1;

	if (packet->v4) {
		put_control_int(msg, IPPROTO_IP, IP_TTL, hop_limit);
		put_control_int(msg, IPPROTO_IP, IP_TOS, packet->tos);
	} else {
		put_control_int(msg, IPPROTO_IPV6, IPV6_HOPLIMIT, hop_limit);
		put_control_int(msg, IPPROTO_IPV6, IPV6_TCLASS, packet->tos);
	}
}

int release_socket_send(struct release_socket *socket, const struct packet *packet, const uint8_t *data,
			uint32_t ifindex)
{
	_Alignas(struct cmsghdr) char control[CONTROL_MAX] = { 0 };
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	bool payload = socket->form == RELEASE_FORM_PAYLOAD;
	size_t skip = payload ? packet->l4_offset : 0;
	struct iovec part = { (void *)(uintptr_t)(data + skip), packet->len - skip };
	struct msghdr msg = { .msg_name = &to, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };

	if (socket->policy.kind == RELEASE_POLICY_NONE || socket->v4 != packet->v4)
		return -EINVAL;
	if (packet->v4) {
		address_v4(&msg, &to.v4, packet);
	} else {
		address_v6(&msg, &to.v6, packet, ifindex);
		/* An IPPROTO_RAW socket takes the protocol from here. */
		to.v6.sin6_port = htons(packet->proto);
	}
	if (payload)
		repeat_header(&msg, packet);
	return sendmsg(socket->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- path MTU ---- */

static int connect_pair(int fd, const struct hf_pair *pair, uint32_t ifindex)
{
	static const struct release_policy bypass = { .kind = RELEASE_POLICY_BYPASS };
	bool v4 = addr_is_v4(&pair->remote);
	struct sockaddr_in from4 = { .sin_family = AF_INET, .sin_addr.s_addr = addr_v4(&pair->local) };
	struct sockaddr_in to4 = { .sin_family = AF_INET,
				   .sin_addr.s_addr = addr_v4(&pair->remote),
				   .sin_port = htons(9) };
	struct sockaddr_in6 from6 = { .sin6_family = AF_INET6 },
			    to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int err = set_policy(fd, v4, &bypass);

	if (err)
		return err;
	if (v4)
		return bind(fd, (struct sockaddr *)&from4, sizeof(from4)) ||
				       connect(fd, (struct sockaddr *)&to4, sizeof(to4))
			       ? -errno
			       : 0;
	memcpy(&from6.sin6_addr, pair->local.octet, 16);
	memcpy(&to6.sin6_addr, pair->remote.octet, 16);
	from6.sin6_scope_id = is_link_local(&pair->local) ? ifindex : 0;
	to6.sin6_scope_id = is_link_local(&pair->remote) ? ifindex : 0;
	return bind(fd, (struct sockaddr *)&from6, sizeof(from6)) || connect(fd, (struct sockaddr *)&to6, sizeof(to6))
		       ? -errno
		       : 0;
}

int release_socket_path_mtu(const struct hf_pair *pair, uint32_t mark, uint32_t ifindex)
{
	bool v4 = addr_is_v4(&pair->remote);
	OWN_FD int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int mtu = 0, err;
	socklen_t len = sizeof(mtu);

	if (fd < 0)
		return -errno;
	err = set_int(fd, SOL_SOCKET, SO_MARK, (int)mark);
	if (!err)
		err = connect_pair(fd, pair, ifindex);
	if (err)
		return err;
	if (v4 ? getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) : getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len))
		return -errno;
	return mtu;
}
