// SPDX-License-Identifier: Apache-2.0
/*
 * Policies in the kernel: one per pair and direction, and the ND allowance above them.
 *
 * The kernel knows a policy by its selector alone, whoever made it: XFRM_MSG_UPDPOLICY and deletion by
 * selector would hit another daemon's policy for the same two hosts. So ours are made with
 * XFRM_MSG_NEWPOLICY, which never replaces, and replaced or deleted only after a look at what stands there.
 */
#include <errno.h>
#include <stdio.h>

#include <libmnl/libmnl.h>

#include "netlink/nl.h"

static const char *const dir_names[] = { [POLICY_IN] = "in", [POLICY_OUT] = "out", [POLICY_FWD] = "fwd" };

static const char *describe_policy(char out[NL_WHAT_MAX], const char *verb, enum policy_dir dir,
				   const struct hf_pair *pair)
{
	char text[PAIR_TEXT_MAX];

	snprintf(out, NL_WHAT_MAX, "%s policy %s %s", verb, dir_names[dir], pair_format(text, pair));
	return out;
}

static int keep_policy(void *arg, const struct nlmsghdr *message)
{
	return decode_policy(arg, message) ? 0 : -EBADMSG;
}

static int get_policy(struct netlink *nl, struct policy_seen *out, enum policy_dir dir,
		      const struct xfrm_selector *selector)
{
	NL_REQUEST(request);
	struct policy_seen seen = { 0 };
	int rc = encode_policy_get(&request, sizeof(request), dir, selector);

	/* The kernel says ENOENT where it says ESRCH for states. */
	if (!rc)
		rc = nlsock_request(nl, &nl->request, nl_message(&request), keep_policy, &seen);
	if (!rc)
		*out = seen;
	return rc;
}

int xfrm_policy_drop(struct netlink *nl, enum policy_dir dir, uint32_t index)
{
	NL_REQUEST(request);
	int rc = encode_policy_del(&request, sizeof(request), dir, index);

	return rc ? rc : nlsock_request(nl, &nl->request, nl_message(&request), NULL, NULL);
}

static int refuse_foreign(struct err *err, const char *what, const struct policy_seen *standing)
{
	return err_set(err, -EEXIST,
		       "%s: a policy of somebody else stands for the same traffic (reqid 0x%x, priority %u); "
		       "look at `ip xfrm policy` and remove it, or take the peer out of ours",
		       what, standing->reqid, standing->priority);
}

static int set_policy(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair, const struct hf_pair *outer,
		      enum sa_mode mode, uint32_t reqid, bool optional, struct err *err)
{
	NL_REQUEST(request);
	char what[NL_WHAT_MAX];
	struct xfrm_selector selector;
	struct policy_seen standing;
	int rc;

	describe_policy(what, "set", dir, pair);
	if (!nl_reqid_is_ours(reqid))
		return err_set(err, -EINVAL, "%s: reqid 0x%x is not in our range", what, reqid);
	rc = encode_policy(&request, sizeof(request), XFRM_MSG_NEWPOLICY, dir, pair, outer, mode, reqid, optional);
	if (rc)
		return err_set(err, rc, "%s: the addresses are of different families", what);
	rc = nlsock_request(nl, &nl->request, nl_message(&request), NULL, NULL);
	if (rc != -EEXIST)
		return rc ? nlsock_refused(nl, err, rc, what, NULL) : 0;

	encode_selector_pair(&selector, dir, pair);
	rc = get_policy(nl, &standing, dir, &selector);
	if (rc == 0 && !nl_policy_is_ours(&standing))
		return refuse_foreign(err, what, &standing);
	/* In one step: there is no moment without a policy. ENOENT: it went meanwhile, and this makes a new one. */
	if (rc == 0 || rc == -ENOENT) {
		nl_message(&request)->nlmsg_type = XFRM_MSG_UPDPOLICY;
		rc = nlsock_request(nl, &nl->request, nl_message(&request), NULL, NULL);
	}
	return rc ? nlsock_refused(nl, err, rc, what, NULL) : 0;
}

int xfrm_policy_set(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair, enum sa_mode mode,
		    uint32_t reqid, bool optional, struct err *err)
{
	return set_policy(nl, dir, pair, pair, mode, reqid, optional, err);
}

int xfrm_policy_set_through(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair,
			    const struct hf_addr *gateway, uint32_t reqid, bool optional, struct err *err)
{
	const struct hf_pair outer = { .local = pair->local,
				       .remote = addr_is_none(gateway) ? pair->remote : *gateway };

	return set_policy(nl, dir, pair, &outer, SA_MODE_TUNNEL, reqid, optional, err);
}

int xfrm_policy_del(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair, struct err *err)
{
	char what[NL_WHAT_MAX];
	struct xfrm_selector selector;
	struct policy_seen standing;
	int rc;

	describe_policy(what, "remove", dir, pair);
	encode_selector_pair(&selector, dir, pair);
	rc = get_policy(nl, &standing, dir, &selector);
	if (rc == 0 && !nl_policy_is_ours(&standing))
		return err_set(err, -EPERM, "%s: it belongs to somebody else (reqid 0x%x), so it stays", what,
			       standing.reqid);
	if (rc == 0)
		rc = xfrm_policy_drop(nl, dir, standing.index);
	return rc ? nlsock_refused(nl, err, rc == -ENOENT ? -ESRCH : rc, what, NULL) : 0;
}

static int allow_nd_type(struct netlink *nl, enum policy_dir dir, uint8_t icmp_type, struct err *err)
{
	NL_REQUEST(request);
	char what[NL_WHAT_MAX];
	struct xfrm_selector selector;
	struct policy_seen standing;
	int rc;

	snprintf(what, sizeof(what), "allow ICMPv6 type %u %s (neighbour discovery)", icmp_type, dir_names[dir]);
	rc = encode_policy_nd(&request, sizeof(request), XFRM_MSG_NEWPOLICY, dir, icmp_type);
	if (!rc)
		rc = nlsock_request(nl, &nl->request, nl_message(&request), NULL, NULL);
	if (rc != -EEXIST)
		return rc ? nlsock_refused(nl, err, rc, what, NULL) : 0;
	encode_selector_nd(&selector, icmp_type);
	rc = get_policy(nl, &standing, dir, &selector);
	if (rc)
		return nlsock_refused(nl, err, rc, what, NULL);
	return standing.nd ? 0 : refuse_foreign(err, what, &standing);
}

/*
 * In and out only. A forwarded packet of these types is no neighbour discovery: RFC 4861 demands a hop limit
 * of 255 at the receiver, which no forwarded packet has; so such packets get no way around the pair policies.
 */
int xfrm_policy_nd_allow(struct netlink *nl, struct err *err)
{
	static const enum policy_dir dirs[] = { POLICY_IN, POLICY_OUT };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		for (uint8_t type = ENCODE_ND_FIRST; type <= ENCODE_ND_LAST; type++) {
			int rc = allow_nd_type(nl, dirs[i], type, err);

			if (rc)
				return rc;
		}
	}
	return 0;
}
