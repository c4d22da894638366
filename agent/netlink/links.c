// SPDX-License-Identifier: Apache-2.0
/*
 * Links and own addresses: rtnetlink notifications and the list of all at the start. The same reader
 * serves both, so a link that appears later is told exactly like one that was there.
 */
#include <errno.h>
#include <string.h>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#include "netlink/nl.h"

const uint32_t links_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

static void on_link(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *name;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return;
	/* A bridge reports its ports under its own family: leaving a bridge reads like RTM_DELLINK, and is not. */
	if (info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
		return;
	if (message->nlmsg_type == RTM_DELLINK) {
		if (nl->events->link_gone)
			nl->events->link_gone(nl->arg, info->ifi_index);
		return;
	}
	name = decode_attr(message, sizeof(*info), IFLA_IFNAME);
	if (name && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) >= 0 && nl->events->link)
		nl->events->link(nl->arg, info->ifi_index, mnl_attr_get_str(name), info->ifi_type,
				 info->ifi_flags & IFF_UP);
}

static bool read_addr(struct hf_addr *out, const struct nlattr *attr, size_t len)
{
	if (!attr || mnl_attr_get_payload_len(attr) != len)
		return false;
	*out = addr_from_octets(mnl_attr_get_payload(attr), len);
	return true;
}

static void on_address(struct netlink *nl, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct hf_addr addr, broadcast = { 0 };
	size_t len;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) || !nl->events->address)
		return;
	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return;
	len = info->ifa_family == AF_INET ? 4 : 16;
	/* On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, where present, is always ours. */
	if (!read_addr(&addr, decode_attr(message, sizeof(*info), IFA_LOCAL), len) &&
	    !read_addr(&addr, decode_attr(message, sizeof(*info), IFA_ADDRESS), len))
		return;
	(void)read_addr(&broadcast, decode_attr(message, sizeof(*info), IFA_BROADCAST), len);
	nl->events->address(nl->arg, (int)info->ifa_index, &addr, &broadcast, message->nlmsg_type == RTM_NEWADDR);
}

void links_message(struct netlink *nl, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_link(nl, message);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		on_address(nl, message);
		break;
	}
}

static int tell(void *arg, const struct nlmsghdr *message)
{
	links_message(arg, message);
	return 0;
}

static int dump(struct netlink *nl, uint16_t type, size_t header_len, struct err *err)
{
	NL_REQUEST(request);
	int rc = encode_plain(&request, sizeof(request), type, NULL, header_len);

	/* Statistics are the larger part of a link's description, and nobody here reads them. */
	if (!rc && type == RTM_GETLINK)
		mnl_attr_put_u32_check(nl_message(&request), sizeof(request), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (!rc)
		rc = nlsock_dump(nl, &nl->route_dump, nl_message(&request), tell, nl);
	if (rc)
		return nlsock_refused(nl, err, rc, type == RTM_GETLINK ? "list of links" : "list of addresses", NULL);
	return 0;
}

int netlink_links_dump(struct netlink *nl, struct err *err)
{
	int rc = dump(nl, RTM_GETLINK, sizeof(struct ifinfomsg), err);

	return rc ? rc : dump(nl, RTM_GETADDR, sizeof(struct ifaddrmsg), err);
}

static int see_route(void *arg, const struct nlmsghdr *message)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	bool *local = arg;

	if (message->nlmsg_type == RTM_NEWROUTE && mnl_nlmsg_get_payload_len(message) >= sizeof(*route))
		*local = route->rtm_type == RTN_LOCAL;
	return 0;
}

bool netlink_is_local(struct netlink *nl, const struct hf_addr *addr)
{
	NL_REQUEST(request);
	struct nlmsghdr *message = nl_message(&request);
	struct rtmsg route = { .rtm_family = (unsigned char)addr_family(addr) };
	bool local = false;
	size_t len;
	const uint8_t *octets = addr_octets(addr, &len);

	route.rtm_dst_len = (unsigned char)(len * 8);
	if (encode_plain(request.octets, sizeof(request.octets), RTM_GETROUTE, &route, sizeof(route)) < 0 ||
	    !mnl_attr_put_check(message, sizeof(request.octets), RTA_DST, len, octets))
		return false;
	return nlsock_request(nl, &nl->route_request, message, see_route, &local) == 0 && local;
}
