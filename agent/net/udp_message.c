// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses beside a datagram: which local address it was sent to, and which one an answer shall come from (RFC 7296
 * 2.11: the responder answers from the address that was asked).
 */
#include <string.h>

#include "net/internal.h"

/* What came to a broadcast or multicast address has a local address that differs from the header's. */
static bool local_v4(struct hf_addr *out, const struct cmsghdr *control)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(control), sizeof(info));
	*out = addr_from_v4(info.ipi_addr.s_addr);
	return info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr;
}

static bool local_v6(struct hf_addr *out, const struct cmsghdr *control)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(control), sizeof(info));
	memcpy(out->octet, &info.ipi6_addr, sizeof(out->octet));
	return !IN6_IS_ADDR_MULTICAST(&info.ipi6_addr);
}

/* Link-local addresses mean nothing without their interface, which a path does not have. */
static bool remote_of(struct ike_path *path, const union message_name *name)
{
	if (name->any.sa_family == AF_INET) {
		path->remote = addr_from_v4(name->v4.sin_addr.s_addr);
		path->remote_port = ntohs(name->v4.sin_port);
	} else {
		path->remote = addr_from_octets(&name->v6.sin6_addr, sizeof(name->v6.sin6_addr));
		path->remote_port = ntohs(name->v6.sin6_port);
		if (IN6_IS_ADDR_LINKLOCAL(&name->v6.sin6_addr))
			return false;
	}
	return path->remote_port != 0;
}

bool udp_message_from(struct ike_path *out, uint32_t *overflow, const struct msghdr *message, uint16_t local_port)
{
	struct ike_path path = { .local_port = local_port };
	bool known = false;

	for (const struct cmsghdr *c = CMSG_FIRSTHDR(message); c;
	     c = CMSG_NXTHDR((struct msghdr *)message, (struct cmsghdr *)c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			known = local_v4(&path.local, c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			known = local_v6(&path.local, c);
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(overflow, CMSG_DATA(c), sizeof(*overflow));
	}
	if (!known || !remote_of(&path, message->msg_name))
		return false;
	*out = path;
	return true;
}

static void put_control(struct msghdr *message, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = message->msg_control;

	message->msg_controllen = CMSG_SPACE(len);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
}

void udp_message_to(struct msghdr *message, union message_name *name, union message_control *control,
		    const struct ike_path *path)
{
	*message = (struct msghdr){ .msg_name = name, .msg_control = control };
	memset(name, 0, sizeof(*name));
	memset(control, 0, sizeof(*control));
	if (addr_is_v4(&path->remote)) {
		struct in_pktinfo info = { .ipi_spec_dst.s_addr = addr_v4(&path->local) };

		name->v4.sin_family = AF_INET;
		name->v4.sin_port = htons(path->remote_port);
		name->v4.sin_addr.s_addr = addr_v4(&path->remote);
		message->msg_namelen = sizeof(name->v4);
		put_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { 0 };

		memcpy(&info.ipi6_addr, path->local.octet, sizeof(info.ipi6_addr));
		name->v6.sin6_family = AF_INET6;
		name->v6.sin6_port = htons(path->remote_port);
		memcpy(&name->v6.sin6_addr, path->remote.octet, sizeof(name->v6.sin6_addr));
		message->msg_namelen = sizeof(name->v6);
		put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}
