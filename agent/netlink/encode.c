// SPDX-License-Identifier: Apache-2.0
/*
 * XFRM requests as octets (linux/xfrm.h), built into the caller's buffer with its bounds checked. Touches
 * no socket, so that a unit test can look at every octet. decode.c is the way back.
 * Byte order: addresses, SPIs of states and ports are in network order, everything else in the host's, the
 * bounds of an SPI allocation included.
 */
#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "netlink/nl.h"

/* SPIs of ours are easy to tell from hand-made ones; 28 random bits remain. */
#define SPI_MIN 0xc0000000u
#define SPI_MAX 0xcfffffffu

#define ICV_BITS 128 /* the only tag length of both algorithms that Holdfast negotiates */

static const struct {
	const char *kernel_name;
	size_t key_len; /* octets, salt included */
} algorithms[] = {
	[SA_AES_GCM_16_128] = { "rfc4106(gcm(aes))", 16 + 4 },
	[SA_AES_GCM_16_256] = { "rfc4106(gcm(aes))", 32 + 4 },
	[SA_CHACHA20_POLY1305] = { "rfc7539esp(chacha20,poly1305)", 32 + 4 },
};

static bool algorithm_is_known(enum sa_algorithm algorithm)
{
	return (size_t)algorithm < sizeof(algorithms) / sizeof(algorithms[0]);
}

size_t encode_key_len(enum sa_algorithm algorithm)
{
	return algorithm_is_known(algorithm) ? algorithms[algorithm].key_len : 0;
}

const char *encode_algorithm_name(enum sa_algorithm algorithm)
{
	return algorithm_is_known(algorithm) ? algorithms[algorithm].kernel_name : "an unknown algorithm";
}

/* ---- pieces ---- */

int encode_plain(void *buf, size_t size, uint16_t type, const void *header, size_t len)
{
	struct nlmsghdr *message;

	if (size < MNL_ALIGN(MNL_NLMSG_HDRLEN + len))
		return -EMSGSIZE;
	message = mnl_nlmsg_put_header(buf);
	message->nlmsg_type = type;
	if (len == 0)
		return 0;
	/* By copy: a header may begin at an address that its 64-bit members do not like. */
	void *payload = mnl_nlmsg_put_extra_header(message, len);
	if (header)
		memcpy(payload, header, len);
	return 0;
}

static int put(void *buf, size_t size, uint16_t type, const void *data, size_t len)
{
	return mnl_attr_put_check(buf, size, type, len, data) ? 0 : -EMSGSIZE;
}

static xfrm_address_t kernel_addr(const struct hf_addr *addr)
{
	xfrm_address_t out = { 0 };
	size_t len;
	const uint8_t *octets = addr_octets(addr, &len);

	memcpy(&out, octets, len);
	return out;
}

static uint8_t host_prefix(const struct hf_addr *addr)
{
	return addr_is_v4(addr) ? 32 : 128;
}

static uint64_t limit(uint64_t value)
{
	return value ? value : XFRM_INF;
}

/* ---- states ---- */

static struct xfrm_usersa_info state_info(const struct hf_addr *src, const struct hf_addr *dst, uint32_t reqid)
{
	struct xfrm_usersa_info info = { 0 };

	/* The selector stays zero: any traffic. Which packets use the SA is the policy's business. */
	info.id.daddr = kernel_addr(dst);
	info.id.proto = IPPROTO_ESP;
	info.saddr = kernel_addr(src);
	info.family = (uint16_t)addr_family(dst);
	info.reqid = reqid;
	info.lft.soft_byte_limit = info.lft.hard_byte_limit = XFRM_INF;
	info.lft.soft_packet_limit = info.lft.hard_packet_limit = XFRM_INF;
	return info;
}

/*
 * An ESN SA needs the bitmap attribute in both directions. Linux 6.1 refuses a window of 0 with ESN even
 * for an SA that only sends, and newer kernels accept at most 1 there, so it is 1.
 */
static uint32_t replay_window(const struct sa *sa)
{
	if (!sa->inbound)
		return sa->esn ? 1 : 0;
	return sa->replay_window;
}

/* The old 32-packet window lives in the header; ESN and wider windows have the attribute instead, never both. */
static bool needs_bitmap(const struct sa *sa)
{
	return sa->esn || replay_window(sa) > 32;
}

static int put_replay(void *buf, size_t size, const struct sa *sa)
{
	_Alignas(8) uint8_t octets[sizeof(struct xfrm_replay_state_esn) + ENCODE_REPLAY_WINDOW_MAX / 8] = { 0 };
	struct xfrm_replay_state_esn *replay = (void *)octets;

	replay->replay_window = replay_window(sa);
	replay->bmp_len = (replay->replay_window + 31) / 32;
	return put(buf, size, XFRMA_REPLAY_ESN_VAL, replay, sizeof(*replay) + replay->bmp_len * sizeof(replay->bmp[0]));
}

static int put_key(void *buf, size_t size, const struct sa *sa)
{
	_Alignas(8) uint8_t octets[sizeof(struct xfrm_algo_aead) + SA_KEY_MAX] = { 0 };
	struct xfrm_algo_aead *aead = (void *)octets;
	size_t key_len = algorithms[sa->algorithm].key_len;
	int rc;

	strncpy(aead->alg_name, algorithms[sa->algorithm].kernel_name, sizeof(aead->alg_name) - 1);
	aead->alg_key_len = (unsigned int)(key_len * 8);
	aead->alg_icv_len = ICV_BITS;
	memcpy(aead->alg_key, sa->key, key_len);
	rc = put(buf, size, XFRMA_ALG_AEAD, aead, sizeof(*aead) + key_len);
	explicit_bzero(octets, sizeof(octets));
	return rc;
}

static int put_encap(void *buf, size_t size, const struct sa *sa)
{
	struct xfrm_encap_tmpl encap = {
		.encap_type = UDP_ENCAP_ESPINUDP,
		.encap_sport = sa->encap_sport_be,
		.encap_dport = sa->encap_dport_be,
	};

	/* How often the kernel says that packets come from elsewhere; else it is once for each of them. Inbound only. */
	const uint32_t seconds = 1;
	int rc = put(buf, size, XFRMA_ENCAP, &encap, sizeof(encap));

	return rc || !sa->inbound ? rc : put(buf, size, XFRMA_MTIMER_THRESH, &seconds, sizeof(seconds));
}

static bool state_is_valid(const struct sa *sa)
{
	if (!algorithm_is_known(sa->algorithm) || addr_is_v4(&sa->src) != addr_is_v4(&sa->dst))
		return false;
	if (sa->inbound && (sa->replay_window == 0 || sa->replay_window > ENCODE_REPLAY_WINDOW_MAX))
		return false;
	return !sa->encap_sport_be == !sa->encap_dport_be;
}

int encode_state(void *buf, size_t size, uint16_t type, const struct sa *sa)
{
	struct xfrm_usersa_info info;
	int rc;

	if (!state_is_valid(sa))
		return -EINVAL;
	info = state_info(&sa->src, &sa->dst, sa->reqid);
	info.id.spi = sa->spi_be;
	/*
	 * The kernel finds an inbound state by our address and SPI alone: a transport packet of a peer that writes another's
	 * address as source would be taken for that one's. What does not fit the selector is dropped. A gateway speaks for the
	 * one host only that its SA is for.
	 */
	if (sa->inbound && (sa->mode == SA_MODE_TRANSPORT || !addr_is_none(&sa->behind)))
		encode_selector_pair(&info.sel, POLICY_IN,
				     &(struct hf_pair){ .local = sa->dst,
							.remote = addr_is_none(&sa->behind) ? sa->src : sa->behind });
	info.mode = sa->mode == SA_MODE_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	info.flags = sa->esn ? XFRM_STATE_ESN : 0;
	info.replay_window = needs_bitmap(sa) ? 0 : (uint8_t)replay_window(sa);
	info.lft.soft_byte_limit = limit(sa->soft_bytes);
	info.lft.hard_byte_limit = limit(sa->hard_bytes);
	info.lft.soft_packet_limit = limit(sa->soft_packets);
	info.lft.hard_packet_limit = limit(sa->hard_packets);
	/* Unlike bytes and packets, 0 seconds are no limit for the kernel either. */
	info.lft.soft_add_expires_seconds = sa->soft_seconds;
	info.lft.hard_add_expires_seconds = sa->hard_seconds;

	rc = encode_plain(buf, size, type, &info, sizeof(info));
	if (!rc)
		rc = put_key(buf, size, sa);
	if (!rc && needs_bitmap(sa))
		rc = put_replay(buf, size, sa);
	if (!rc && sa->encap_sport_be)
		rc = put_encap(buf, size, sa);
	return rc;
}

int encode_state_id(void *buf, size_t size, uint16_t type, const struct hf_addr *dst, uint32_t spi_be)
{
	struct xfrm_usersa_id id = {
		.daddr = kernel_addr(dst),
		.spi = spi_be,
		.family = (uint16_t)addr_family(dst),
		.proto = IPPROTO_ESP,
	};

	return encode_plain(buf, size, type, &id, sizeof(id));
}

int encode_spi_alloc(void *buf, size_t size, const struct hf_addr *src, const struct hf_addr *dst, uint32_t reqid)
{
	struct xfrm_userspi_info wish = { .min = SPI_MIN, .max = SPI_MAX };

	if (addr_is_v4(src) != addr_is_v4(dst))
		return -EINVAL;
	wish.info = state_info(src, dst, reqid);
	return encode_plain(buf, size, XFRM_MSG_ALLOCSPI, &wish, sizeof(wish));
}

/* ---- policies ---- */

static uint8_t kernel_dir(enum policy_dir dir)
{
	return dir == POLICY_IN ? XFRM_POLICY_IN : dir == POLICY_OUT ? XFRM_POLICY_OUT : XFRM_POLICY_FWD;
}

void encode_selector_pair(struct xfrm_selector *out, enum policy_dir dir, const struct hf_pair *pair)
{
	const struct hf_addr *src = dir == POLICY_OUT ? &pair->local : &pair->remote;
	const struct hf_addr *dst = dir == POLICY_OUT ? &pair->remote : &pair->local;

	/* The kernel compares selectors octet by octet, padding included. */
	memset(out, 0, sizeof(*out));
	out->saddr = kernel_addr(src);
	out->daddr = kernel_addr(dst);
	out->prefixlen_s = host_prefix(src);
	out->prefixlen_d = host_prefix(dst);
	out->family = (uint16_t)addr_family(dst);
}

void encode_selector_nd(struct xfrm_selector *out, uint8_t icmp_type)
{
	memset(out, 0, sizeof(*out));
	out->family = AF_INET6;
	out->proto = IPPROTO_ICMPV6;
	/* XFRM keeps the ICMP type where other protocols have the source port, the code in the destination's. */
	out->sport = htons(icmp_type);
	out->sport_mask = 0xffff;
}

static struct xfrm_userpolicy_info policy_info(enum policy_dir dir, uint32_t priority)
{
	struct xfrm_userpolicy_info info = { 0 };

	info.lft.soft_byte_limit = info.lft.hard_byte_limit = XFRM_INF;
	info.lft.soft_packet_limit = info.lft.hard_packet_limit = XFRM_INF;
	info.priority = priority;
	info.dir = kernel_dir(dir);
	info.action = XFRM_POLICY_ALLOW;
	info.share = XFRM_SHARE_ANY;
	return info;
}

int encode_policy(void *buf, size_t size, uint16_t type, enum policy_dir dir, const struct hf_pair *pair,
		  const struct hf_pair *outer, enum sa_mode mode, uint32_t reqid, bool optional)
{
	struct xfrm_userpolicy_info info = policy_info(dir, NETLINK_PRIORITY_PAIR);
	/*
	 * The kernel reads the template's addresses in tunnel mode only; in transport mode it takes the
	 * packet's own. The pair stands there in both, for who reads `ip xfrm policy`.
	 */
	struct xfrm_user_tmpl template = {
		.id.proto = IPPROTO_ESP,
		.reqid = reqid,
		.mode = mode == SA_MODE_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT,
		.share = XFRM_SHARE_ANY,
		.optional = optional,
		/* Any algorithm: the SA was negotiated, the reqid ties it to this policy. */
		.aalgos = ~0u,
		.ealgos = ~0u,
		.calgos = ~0u,
	};
	struct xfrm_selector ends;
	int rc;

	if (addr_is_v4(&pair->local) != addr_is_v4(&pair->remote) ||
	    addr_is_v4(&pair->local) != addr_is_v4(&outer->local) ||
	    addr_is_v4(&outer->local) != addr_is_v4(&outer->remote))
		return -EINVAL;
	encode_selector_pair(&info.sel, dir, pair);
	encode_selector_pair(&ends, dir, outer);
	template.id.daddr = ends.daddr;
	template.saddr = ends.saddr;
	template.family = info.sel.family;
	rc = encode_plain(buf, size, type, &info, sizeof(info));
	return rc ? rc : put(buf, size, XFRMA_TMPL, &template, sizeof(template));
}

int encode_policy_nd(void *buf, size_t size, uint16_t type, enum policy_dir dir, uint8_t icmp_type)
{
	struct xfrm_userpolicy_info info = policy_info(dir, NETLINK_PRIORITY_ND);

	/* No template: matching packets pass as they are. */
	encode_selector_nd(&info.sel, icmp_type);
	return encode_plain(buf, size, type, &info, sizeof(info));
}

int encode_policy_get(void *buf, size_t size, enum policy_dir dir, const struct xfrm_selector *selector)
{
	struct xfrm_userpolicy_id id = { .dir = kernel_dir(dir) };

	memcpy(&id.sel, selector, sizeof(id.sel));
	return encode_plain(buf, size, XFRM_MSG_GETPOLICY, &id, sizeof(id));
}

int encode_policy_del(void *buf, size_t size, enum policy_dir dir, uint32_t index)
{
	struct xfrm_userpolicy_id id = { .dir = kernel_dir(dir), .index = index };

	return encode_plain(buf, size, XFRM_MSG_DELPOLICY, &id, sizeof(id));
}
