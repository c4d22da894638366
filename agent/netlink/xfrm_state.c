// SPDX-License-Identifier: Apache-2.0
/*
 * SAs in the kernel: reserve an SPI, install, remove, read counters. An SA whose reqid is not in our range
 * is neither installed nor removed here. Sees the kernel as it is now and keeps no table of its own.
 */
#include <errno.h>
#include <stdio.h>

#include <arpa/inet.h>

#include <libmnl/libmnl.h>

#include "base/secret.h"
#include "netlink/nl.h"

/* RFC 4303 2.1: 0 is never sent, 1 to 255 are reserved. */
#define SPI_RESERVED_MAX 255

static const char *describe_sa(char out[NL_WHAT_MAX], const char *verb, const struct hf_addr *src,
			       const struct hf_addr *dst, uint32_t spi_be)
{
	char from[ADDR_TEXT_MAX] = "", to[ADDR_TEXT_MAX];

	if (src)
		addr_format(from, src);
	snprintf(out, NL_WHAT_MAX, "%s SA %s%s%s spi 0x%08x", verb, from, src ? " -> " : "to ", addr_format(to, dst),
		 ntohl(spi_be));
	return out;
}

static int keep_state(void *arg, const struct nlmsghdr *message)
{
	return decode_state(arg, message) ? 0 : -EBADMSG;
}

int xfrm_state_get(struct netlink *nl, struct state_seen *out, const struct hf_addr *dst, uint32_t spi_be)
{
	NL_REQUEST(request);
	struct state_seen seen = { 0 };
	int rc = encode_state_id(&request, sizeof(request), XFRM_MSG_GETSA, dst, spi_be);

	if (!rc)
		rc = nlsock_request(nl, &nl->request, nl_message(&request), keep_state, &seen);
	if (!rc)
		*out = seen;
	return rc;
}

int xfrm_spi_alloc(struct netlink *nl, uint32_t *spi_be, const struct hf_addr *src, const struct hf_addr *dst,
		   uint32_t reqid, struct err *err)
{
	NL_REQUEST(request);
	char what[NL_WHAT_MAX], from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	struct state_seen larval = { 0 };
	int rc;

	snprintf(what, sizeof(what), "reserve an SPI %s -> %s", addr_format(from, src), addr_format(to, dst));
	if (!nl_reqid_is_ours(reqid))
		return err_set(err, -EINVAL, "%s: reqid 0x%x is not in our range", what, reqid);
	rc = encode_spi_alloc(&request, sizeof(request), src, dst, reqid);
	if (rc)
		return err_set(err, rc, "%s: the addresses are of different families", what);
	rc = nlsock_request(nl, &nl->request, nl_message(&request), keep_state, &larval);
	if (rc)
		return nlsock_refused(nl, err, rc, what, NULL);
	*spi_be = larval.spi_be;
	return 0;
}

static int send_state(struct netlink *nl, uint16_t type, const struct sa *sa)
{
	NL_REQUEST(request);
	int rc = encode_state(&request, sizeof(request), type, sa);

	return rc ? rc : nlsock_request(nl, &nl->request, nl_message(&request), NULL, NULL);
}

/*
 * A larval state is filled in by XFRM_MSG_UPDSA. Upon a complete state the same message changes the
 * lifetimes, keeps the old key and reports success, so look first. Larval states go by themselves after
 * net.core.xfrm_acq_expires (30 s): a negotiation that took longer, or a fixed SPI, needs XFRM_MSG_NEWSA.
 */
static int fill_larval(struct netlink *nl, const struct sa *sa)
{
	struct state_seen standing;
	int rc = xfrm_state_get(nl, &standing, &sa->dst, sa->spi_be);

	if (rc == 0 && standing.larval && nl_reqid_is_ours(standing.reqid)) {
		rc = send_state(nl, XFRM_MSG_UPDSA, sa);
		if (rc != -ESRCH)
			return rc;
	}
	/* With a complete or foreign state there, this fails with EEXIST, which is the answer wanted. */
	return send_state(nl, XFRM_MSG_NEWSA, sa);
}

int xfrm_state_try(struct netlink *nl, const struct sa *sa)
{
	return sa->inbound ? fill_larval(nl, sa) : send_state(nl, XFRM_MSG_NEWSA, sa);
}

static int check_sa(const struct sa *sa, const char *what, struct err *err)
{
	if (!nl_reqid_is_ours(sa->reqid))
		return err_set(err, -EINVAL, "%s: reqid 0x%x is not in our range", what, sa->reqid);
	if (ntohl(sa->spi_be) <= SPI_RESERVED_MAX)
		return err_set(err, -EINVAL, "%s: SPIs up to 255 are reserved (RFC 4303 2.1)", what);
	if (addr_is_v4(&sa->src) != addr_is_v4(&sa->dst))
		return err_set(err, -EINVAL, "%s: the addresses are of different families", what);
	if (encode_key_len(sa->algorithm) == 0)
		return err_set(err, -EINVAL, "%s: unknown algorithm %d", what, (int)sa->algorithm);
	if (sa->inbound && (sa->replay_window == 0 || sa->replay_window > ENCODE_REPLAY_WINDOW_MAX))
		return err_set(err, -EINVAL, "%s: a replay window of %u packets; an inbound SA needs 1 to %u", what,
			       sa->replay_window, ENCODE_REPLAY_WINDOW_MAX);
	if (!sa->encap_sport_be != !sa->encap_dport_be)
		return err_set(err, -EINVAL, "%s: UDP encapsulation needs both ports", what);
	return 0;
}

int xfrm_state_add(struct netlink *nl, const struct sa *sa, struct err *err)
{
	char what[NL_WHAT_MAX], hint[160];
	bool v4 = addr_is_v4(&sa->dst);
	int rc;

	describe_sa(what, "add", &sa->src, &sa->dst, sa->spi_be);
	rc = check_sa(sa, what, err);
	if (rc)
		return rc;
	rc = xfrm_state_try(nl, sa);
	switch (rc) {
	case 0:
		return 0;
	case -EPROTONOSUPPORT:
		snprintf(hint, sizeof(hint),
			 "this kernel has no ESP for %s (%s); load module %s or boot a kernel that has it",
			 v4 ? "IPv4" : "IPv6", v4 ? "CONFIG_INET_ESP" : "CONFIG_INET6_ESP", v4 ? "esp4" : "esp6");
		return nlsock_refused(nl, err, -ENOSYS, what, hint);
	case -ENOSYS:
	case -ENOENT:
		/* Looked for before ESP itself, so a kernel that lacks both says this. */
		snprintf(hint, sizeof(hint), "this kernel has no %s, perhaps no ESP at all; it needs %s, %s",
			 encode_algorithm_name(sa->algorithm), v4 ? "CONFIG_INET_ESP" : "CONFIG_INET6_ESP",
			 sa->algorithm == SA_CHACHA20_POLY1305 ? "CONFIG_CRYPTO_CHACHA20POLY1305"
							       : "CONFIG_CRYPTO_AES and CONFIG_CRYPTO_GCM");
		return nlsock_refused(nl, err, -ENOSYS, what, hint);
	case -EEXIST:
		return nlsock_refused(nl, err, rc, what, "an SA with this SPI stands already");
	}
	return nlsock_refused(nl, err, rc, what, NULL);
}

/*
 * XFRM_MSG_UPDSA upon a complete state takes over ports and lifetimes and nothing else, see fill_larval; the message must carry a
 * key all the same. A larval state would take that one, so it must not be one.
 */
int xfrm_state_move(struct netlink *nl, const struct sa *sa, struct err *err)
{
	struct sa moved = *sa;
	struct state_seen standing;
	char what[NL_WHAT_MAX];
	int rc;

	describe_sa(what, "move", &sa->src, &sa->dst, sa->spi_be);
	secret_wipe(moved.key, sizeof(moved.key));
	rc = check_sa(&moved, what, err);
	if (rc)
		return rc;
	rc = xfrm_state_get(nl, &standing, &sa->dst, sa->spi_be);
	if (!rc && standing.larval)
		rc = -ESRCH;
	if (rc)
		return nlsock_refused(nl, err, rc, what, NULL);
	if (!nl_reqid_is_ours(standing.reqid))
		return err_set(err, -EPERM, "%s: it belongs to somebody else (reqid 0x%x), so it stays", what,
			       standing.reqid);
	if (!standing.encap || !sa->encap_sport_be)
		return err_set(err, -EINVAL, "%s: it is not ESP in UDP, which alone has ports", what);
	rc = send_state(nl, XFRM_MSG_UPDSA, &moved);
	return rc ? nlsock_refused(nl, err, rc, what, NULL) : 0;
}

int xfrm_state_del(struct netlink *nl, const struct hf_addr *dst, uint32_t spi_be, struct err *err)
{
	NL_REQUEST(request);
	char what[NL_WHAT_MAX];
	struct state_seen standing;
	int rc;

	describe_sa(what, "remove", NULL, dst, spi_be);
	rc = xfrm_state_get(nl, &standing, dst, spi_be);
	if (rc)
		return nlsock_refused(nl, err, rc, what, NULL);
	if (!nl_reqid_is_ours(standing.reqid))
		return err_set(err, -EPERM, "%s: it belongs to somebody else (reqid 0x%x), so it stays", what,
			       standing.reqid);
	rc = encode_state_id(&request, sizeof(request), XFRM_MSG_DELSA, dst, spi_be);
	if (!rc)
		rc = nlsock_request(nl, &nl->request, nl_message(&request), NULL, NULL);
	return rc ? nlsock_refused(nl, err, rc, what, NULL) : 0;
}

int xfrm_state_counters(struct netlink *nl, struct sa_counters *out, const struct hf_addr *dst, uint32_t spi_be,
			struct err *err)
{
	char what[NL_WHAT_MAX];
	struct state_seen seen;
	int rc = xfrm_state_get(nl, &seen, dst, spi_be);

	if (rc)
		return nlsock_refused(nl, err, rc, describe_sa(what, "counters of", NULL, dst, spi_be), NULL);
	*out = seen.counters;
	return 0;
}
