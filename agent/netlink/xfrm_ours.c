// SPDX-License-Identifier: Apache-2.0
/*
 * What of ours the kernel holds: for a new agent that adopts it, and for one that removes it all. Ours is
 * what carries a reqid of our range (a policy also has the shape of ours), and the ND allowance.
 * States without an SPI that stand for an acquire cannot be named in a deletion; they go by themselves
 * after net.core.xfrm_acq_expires seconds and are left out.
 */
#include <errno.h>

#include <libmnl/libmnl.h>

#include "netlink/nl.h"

struct walk {
	struct netlink *nl;
	const struct netlink_found *found;
	void *arg;
	unsigned int removed;
	int rc; /* the first refusal of a removal */
};

static int dump(struct netlink *nl, uint16_t type, nlsock_handler *handler, struct walk *walk, struct err *err)
{
	NL_REQUEST(request);
	int rc = encode_plain(&request, sizeof(request), type, NULL, 0);

	if (!rc)
		rc = nlsock_dump(nl, &nl->dump, nl_message(&request), handler, walk);
	if (rc)
		return nlsock_refused(nl, err, rc, type == XFRM_MSG_GETSA ? "list of SAs" : "list of policies", NULL);
	return 0;
}

static bool state_is_ours(struct state_seen *out, const struct nlmsghdr *message)
{
	return decode_state(out, message) && nl_reqid_is_ours(out->reqid) && out->spi_be != 0;
}

static int tell_state(void *arg, const struct nlmsghdr *message)
{
	struct walk *walk = arg;
	struct state_seen seen;

	if (state_is_ours(&seen, message))
		walk->found->state(walk->arg, &seen.src, &seen.dst, seen.spi_be, seen.reqid, seen.mode, seen.larval,
				   seen.encap);
	return 0;
}

static int tell_policy(void *arg, const struct nlmsghdr *message)
{
	struct walk *walk = arg;
	struct policy_seen seen;

	if (decode_policy(&seen, message) && nl_policy_is_ours(&seen))
		walk->found->policy(walk->arg, seen.dir, &seen.pair, &seen.outer, seen.reqid, seen.mode);
	return 0;
}

int xfrm_find_ours(struct netlink *nl, const struct netlink_found *found, void *arg, struct err *err)
{
	struct walk walk = { .nl = nl, .found = found, .arg = arg };
	int rc = 0;

	if (found->state)
		rc = dump(nl, XFRM_MSG_GETSA, tell_state, &walk, err);
	if (!rc && found->policy)
		rc = dump(nl, XFRM_MSG_GETPOLICY, tell_policy, &walk, err);
	return rc;
}

/* Something that is gone already is as good as removed; another refusal is kept and the walk goes on. */
static void count_removal(struct walk *walk, int rc)
{
	if (rc == 0)
		walk->removed++;
	else if (rc != -ESRCH && rc != -ENOENT && walk->rc == 0)
		walk->rc = rc;
}

static int remove_state(void *arg, const struct nlmsghdr *message)
{
	struct walk *walk = arg;
	struct state_seen seen;
	NL_REQUEST(request);

	if (!state_is_ours(&seen, message))
		return 0;
	if (encode_state_id(&request, sizeof(request), XFRM_MSG_DELSA, &seen.dst, seen.spi_be) == 0)
		count_removal(walk, nlsock_request(walk->nl, &walk->nl->request, nl_message(&request), NULL, NULL));
	return 0;
}

static int remove_policy(void *arg, const struct nlmsghdr *message)
{
	struct walk *walk = arg;
	struct policy_seen seen;

	if (decode_policy(&seen, message) && (nl_policy_is_ours(&seen) || seen.nd))
		count_removal(walk, xfrm_policy_drop(walk->nl, seen.dir, seen.index));
	return 0;
}

/* Policies first: a policy without its SA would make the kernel reserve a new state for the next packet. */
int xfrm_remove_ours(struct netlink *nl, unsigned int *states, unsigned int *policies, struct err *err)
{
	struct walk in_policies = { .nl = nl }, in_states = { .nl = nl };
	int rc = dump(nl, XFRM_MSG_GETPOLICY, remove_policy, &in_policies, err);

	if (!rc)
		rc = dump(nl, XFRM_MSG_GETSA, remove_state, &in_states, err);
	if (states)
		*states = in_states.removed;
	if (policies)
		*policies = in_policies.removed;
	if (rc)
		return rc;
	rc = in_policies.rc ? in_policies.rc : in_states.rc;
	return rc ? nlsock_refused(nl, err, rc, "remove our SAs and policies", NULL) : 0;
}
