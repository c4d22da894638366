// SPDX-License-Identifier: Apache-2.0
/*
 * XFRM notifications: what the kernel or other programs did to SAs and policies of ours. What we did
 * ourselves comes back too; the kernel marks it with the port of our request socket, and it is dropped here.
 */
#include <string.h>

#include <libmnl/libmnl.h>

#include "netlink/nl.h"

/* Somebody emptied a whole table, or took a place where a policy of ours may have been. */
static void ask_again(struct netlink *nl)
{
	if (nl->events->lost)
		nl->events->lost(nl->arg);
}

static void on_acquire(struct netlink *nl, const struct nlmsghdr *message)
{
	struct acquire_seen seen;

	if (decode_acquire(&seen, message) && nl_reqid_is_ours(seen.reqid) && nl->events->acquire)
		nl->events->acquire(nl->arg, &seen.pair, seen.reqid);
}

static void on_expire(struct netlink *nl, const struct nlmsghdr *message)
{
	struct state_seen seen;
	bool hard;

	/* An SPI of 0 is the placeholder of an acquire that nobody answered: no SA. */
	if (!decode_state(&seen, message) || !nl_reqid_is_ours(seen.reqid) || seen.spi_be == 0)
		return;
	hard = message->nlmsg_type == XFRM_MSG_DELSA || decode_expiry_is_hard(message);
	if (nl->events->expired)
		nl->events->expired(nl->arg, &seen.dst, seen.spi_be, seen.reqid, hard);
}

static void on_mapping(struct netlink *nl, const struct nlmsghdr *message)
{
	struct mapping_seen seen;

	if (decode_mapping(&seen, message) && nl_reqid_is_ours(seen.reqid) && nl->events->moved)
		nl->events->moved(nl->arg, &seen.dst, seen.spi_be, seen.reqid, &seen.src, seen.port);
}

static void on_policy_gone(struct netlink *nl, const struct nlmsghdr *message)
{
	struct policy_seen seen;

	if (!decode_policy(&seen, message) || !(nl_policy_is_ours(&seen) || seen.nd))
		return;
	if (nl->events->policy_gone)
		nl->events->policy_gone(nl->arg, seen.dir, seen.reqid);
}

/*
 * Somebody else's XFRM_MSG_UPDPOLICY replaces whatever had the selector, and the notification shows only
 * the new one. Under our reqid it is a change of ours; under another the old one may have been ours.
 */
static void on_policy_replaced(struct netlink *nl, const struct nlmsghdr *message)
{
	struct policy_seen seen;

	if (!decode_policy(&seen, message) || !seen.pair_shaped)
		return;
	if (!nl_reqid_is_ours(seen.reqid))
		ask_again(nl);
	else if (nl->events->policy_gone)
		nl->events->policy_gone(nl->arg, seen.dir, seen.reqid);
}

void notify_message(struct netlink *nl, const struct nlmsghdr *message)
{
	if (message->nlmsg_pid == nl->request.port_id)
		return;
	switch (message->nlmsg_type) {
	case XFRM_MSG_ACQUIRE:
		on_acquire(nl, message);
		break;
	case XFRM_MSG_EXPIRE:
	case XFRM_MSG_DELSA:
		on_expire(nl, message);
		break;
	case XFRM_MSG_MAPPING:
		on_mapping(nl, message);
		break;
	case XFRM_MSG_DELPOLICY:
		on_policy_gone(nl, message);
		break;
	case XFRM_MSG_UPDPOLICY:
		on_policy_replaced(nl, message);
		break;
	/* A flush names nothing. */
	case XFRM_MSG_FLUSHSA:
	case XFRM_MSG_FLUSHPOLICY:
		ask_again(nl);
		break;
	}
}
