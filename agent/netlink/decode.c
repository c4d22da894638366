// SPDX-License-Identifier: Apache-2.0
/*
 * XFRM answers and notifications, back into our terms. One reader for states and one for policies: the
 * same things come in an answer, a dump, a deletion and an expiry, each time in another wrapping.
 * Everything is copied out, because what follows a netlink header is aligned to 4 octets only.
 */
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "netlink/nl.h"

static struct hf_addr decode_addr(const xfrm_address_t *addr, uint16_t family)
{
	return addr_from_octets(addr, family == AF_INET ? 4 : 16);
}

static bool copy_payload(void *out, size_t len, const struct nlmsghdr *message)
{
	if (mnl_nlmsg_get_payload_len(message) < len)
		return false;
	memcpy(out, mnl_nlmsg_get_payload(message), len);
	return true;
}

/*
 * Walked here and not with mnl_attr_for_each, which rounds the end of the message up to a multiple of 4 and
 * so accepts an attribute that ends up to 3 octets behind it.
 */
const struct nlattr *decode_attr(const struct nlmsghdr *message, size_t header_len, uint16_t type)
{
	const uint8_t *payload = mnl_nlmsg_get_payload(message);
	size_t total = mnl_nlmsg_get_payload_len(message), at = MNL_ALIGN(header_len);

	while (at + sizeof(struct nlattr) <= total) {
		const struct nlattr *attr = (const void *)(payload + at);

		if (attr->nla_len < sizeof(*attr) || attr->nla_len > total - at)
			return NULL;
		if (mnl_attr_get_type(attr) == type)
			return attr;
		at += MNL_ALIGN(attr->nla_len);
	}
	return NULL;
}

static bool has_attr(const struct nlmsghdr *message, size_t header_len, uint16_t type)
{
	return decode_attr(message, header_len, type) != NULL;
}

static bool copy_attr(void *out, size_t len, const struct nlmsghdr *message, size_t header_len, uint16_t type)
{
	const struct nlattr *attr = decode_attr(message, header_len, type);

	if (!attr || mnl_attr_get_payload_len(attr) < len)
		return false;
	memcpy(out, mnl_attr_get_payload(attr), len);
	return true;
}

/* Every kind of message about a state holds an xfrm_usersa_info; *header_len is where its attributes begin. */
static bool unwrap_state(struct xfrm_usersa_info *out, size_t *header_len, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		*header_len = sizeof(struct xfrm_usersa_info);
		return copy_payload(out, sizeof(*out), message);
	case XFRM_MSG_EXPIRE:
		*header_len = sizeof(struct xfrm_user_expire);
		return mnl_nlmsg_get_payload_len(message) >= *header_len && copy_payload(out, sizeof(*out), message);
	case XFRM_MSG_DELSA:
		*header_len = sizeof(struct xfrm_usersa_id);
		return copy_attr(out, sizeof(*out), message, *header_len, XFRMA_SA);
	}
	return false;
}

static bool has_key(const struct nlmsghdr *message, size_t header_len)
{
	return has_attr(message, header_len, XFRMA_ALG_AEAD) || has_attr(message, header_len, XFRMA_ALG_CRYPT) ||
	       has_attr(message, header_len, XFRMA_ALG_AUTH);
}

bool decode_state(struct state_seen *out, const struct nlmsghdr *message)
{
	struct xfrm_usersa_info info;
	size_t header_len;
	uint64_t last_used;

	if (!unwrap_state(&info, &header_len, message) || info.id.proto != IPPROTO_ESP)
		return false;
	*out = (struct state_seen){
		.src = decode_addr(&info.saddr, info.family),
		.dst = decode_addr(&info.id.daddr, info.family),
		.spi_be = info.id.spi,
		.reqid = info.reqid,
		.mode = info.mode == XFRM_MODE_TUNNEL ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
		.larval = !has_key(message, header_len),
		.encap = has_attr(message, header_len, XFRMA_ENCAP),
		.counters.packets = info.curlft.packets,
		.counters.bytes = info.curlft.bytes,
		.counters.added_s = info.curlft.add_time,
		.counters.used_s = info.curlft.use_time,
		/* Seen before, and too old for the window. */
		.counters.replay_dropped = info.stats.replay + info.stats.replay_window,
		.counters.integrity_failed = info.stats.integrity_failed,
	};
	/* use_time is the first use; newer kernels also tell the last. */
	if (copy_attr(&last_used, sizeof(last_used), message, header_len, XFRMA_LASTUSED) && last_used)
		out->counters.used_s = last_used;
	return true;
}

bool decode_expiry_is_hard(const struct nlmsghdr *message)
{
	struct xfrm_user_expire expire;

	return copy_payload(&expire, sizeof(expire), message) && expire.hard;
}

bool decode_acquire(struct acquire_seen *out, const struct nlmsghdr *message)
{
	struct xfrm_user_acquire acquire;
	struct xfrm_user_tmpl template;

	if (!copy_payload(&acquire, sizeof(acquire), message) ||
	    !copy_attr(&template, sizeof(template), message, sizeof(acquire), XFRMA_TMPL))
		return false;
	/* As the packet has them: the state that is wanted may end at a gateway. */
	out->pair.local = decode_addr(&acquire.sel.saddr, acquire.sel.family);
	out->pair.remote = decode_addr(&acquire.sel.daddr, acquire.sel.family);
	out->reqid = template.reqid;
	return true;
}

bool decode_mapping(struct mapping_seen *out, const struct nlmsghdr *message)
{
	struct xfrm_user_mapping mapping;

	if (!copy_payload(&mapping, sizeof(mapping), message) || mapping.id.proto != IPPROTO_ESP)
		return false;
	*out = (struct mapping_seen){
		.dst = decode_addr(&mapping.id.daddr, mapping.id.family),
		.src = decode_addr(&mapping.new_saddr, mapping.id.family),
		.spi_be = mapping.id.spi,
		.reqid = mapping.reqid,
		.port = ntohs(mapping.new_sport),
	};
	return true;
}

static bool unwrap_policy(struct xfrm_userpolicy_info *out, size_t *header_len, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
		*header_len = sizeof(struct xfrm_userpolicy_info);
		return copy_payload(out, sizeof(*out), message);
	case XFRM_MSG_POLEXPIRE:
		*header_len = sizeof(struct xfrm_user_polexpire);
		return mnl_nlmsg_get_payload_len(message) >= *header_len && copy_payload(out, sizeof(*out), message);
	case XFRM_MSG_DELPOLICY:
		*header_len = sizeof(struct xfrm_userpolicy_id);
		return copy_attr(out, sizeof(*out), message, *header_len, XFRMA_POLICY);
	}
	return false;
}

/* Another mark, interface or type makes it another policy, even under the same selector. */
static bool is_qualified(const struct nlmsghdr *message, size_t header_len)
{
	struct xfrm_userpolicy_type type;

	return has_attr(message, header_len, XFRMA_MARK) || has_attr(message, header_len, XFRMA_IF_ID) ||
	       (copy_attr(&type, sizeof(type), message, header_len, XFRMA_POLICY_TYPE) &&
		type.type != XFRM_POLICY_TYPE_MAIN);
}

static bool is_nd_allowance(const struct xfrm_userpolicy_info *info)
{
	struct xfrm_selector wanted;

	if (info->priority != NETLINK_PRIORITY_ND || info->action != XFRM_POLICY_ALLOW)
		return false;
	for (uint8_t type = ENCODE_ND_FIRST; type <= ENCODE_ND_LAST; type++) {
		encode_selector_nd(&wanted, type);
		if (memcmp(&wanted, &info->sel, sizeof(wanted)) == 0)
			return info->dir == XFRM_POLICY_IN || info->dir == XFRM_POLICY_OUT;
	}
	return false;
}

static bool is_host_pair(const struct xfrm_selector *sel)
{
	uint8_t host = sel->family == AF_INET ? 32 : 128;

	return sel->prefixlen_s == host && sel->prefixlen_d == host && sel->proto == 0 && sel->sport_mask == 0 &&
	       sel->dport_mask == 0 && sel->ifindex == 0;
}

bool decode_policy(struct policy_seen *out, const struct nlmsghdr *message)
{
	struct xfrm_userpolicy_info info;
	struct xfrm_user_tmpl template = { 0 };
	struct hf_addr src, dst;
	size_t header_len;
	bool templated, qualified;

	/* Policies of single sockets are listed as directions 3 and 4: no part of the table, nor removable. */
	if (!unwrap_policy(&info, &header_len, message) || info.dir >= XFRM_POLICY_MAX)
		return false;
	templated = copy_attr(&template, sizeof(template), message, header_len, XFRMA_TMPL);
	qualified = is_qualified(message, header_len);
	src = decode_addr(&info.sel.saddr, info.sel.family);
	dst = decode_addr(&info.sel.daddr, info.sel.family);
	*out = (struct policy_seen){
		.selector = info.sel,
		.index = info.index,
		.priority = info.priority,
		.dir = info.dir == XFRM_POLICY_IN    ? POLICY_IN
		       : info.dir == XFRM_POLICY_OUT ? POLICY_OUT
						     : POLICY_FWD,
		.mode = template.mode == XFRM_MODE_TUNNEL ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
		.reqid = template.reqid,
		.pair_shaped = is_host_pair(&info.sel) && !qualified,
		.nd = is_nd_allowance(&info) && !templated && !qualified,
	};
	out->pair.local = out->dir == POLICY_OUT ? src : dst;
	out->pair.remote = out->dir == POLICY_OUT ? dst : src;
	src = decode_addr(&template.saddr, template.family);
	dst = decode_addr(&template.id.daddr, template.family);
	out->outer.local = out->dir == POLICY_OUT ? src : dst;
	out->outer.remote = out->dir == POLICY_OUT ? dst : src;
	return true;
}
