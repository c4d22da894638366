// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the netlink room share: the sockets, the messages, and the test whether something in
 * the kernel is ours. Nobody outside the room includes this, except the unit test of the encoder.
 *
 * encode_* only fill a caller's buffer (no socket), nlsock_* only carry messages, the xfrm_*, notify_* and
 * links_* files give them their meaning.
 */
#ifndef NETLINK_NL_H
#define NETLINK_NL_H

#include <stddef.h>

#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "base/own.h"
#include "netlink/netlink.h"

/* Largest request: an SA with a replay window of 4096 packets needs about 900 octets. */
#define NL_REQUEST_MAX 2048

/* One answer that is not a dump: an SA or a policy with all attributes is below 2 KB. */
#define NL_ANSWER_MAX 8192

/* The kernel fills dumps in pieces of up to 32 KB; a link with many virtual functions may need more. */
#define NL_DATAGRAM_MAX 65536

#define NL_WORDS_MAX 200
#define NL_WHAT_MAX 192

struct mnl_socket;

struct nlsock {
	struct mnl_socket *mnl; /* NULL = closed */
	int fd;
	uint32_t port_id; /* the kernel's name of this socket; notifications about our own changes carry it */
	uint32_t seq;
};

struct netlink {
	const struct netlink_events *events; /* NULL = nobody listens */
	void *arg;
	/*
	 * Dumps have sockets of their own, so that a dump's callback may ask or change single things and the
	 * answers of the two never mix.
	 */
	struct nlsock request, dump, route_request, route_dump;
	struct nlsock xfrm_notes, route_notes;
	bool dumping;
	char words[NL_WORDS_MAX]; /* what the kernel said to the last request */
	_Alignas(8) uint8_t answer[NL_ANSWER_MAX];
	_Alignas(8) uint8_t dumped[NL_DATAGRAM_MAX];
	_Alignas(8) uint8_t note[NL_DATAGRAM_MAX];
};

/* ---- nlsock.c ---- */

/* nlsock_handler gets one message that is not an acknowledgement. Not 0 = stop with this result. */
typedef int nlsock_handler(void *arg, const struct nlmsghdr *message);

/* nlsock_open opens a socket of `bus`; `groups` is a bit mask of legacy groups, 0 = for requests. */
int nlsock_open(struct nlsock *sock, int bus, uint32_t groups);
void nlsock_close(struct nlsock *sock);

/*
 * nlsock_request sends `request` on `sock` and waits for the acknowledgement; a message that comes before it goes to
 * `handler` (may be NULL). 0 or -errno as the kernel gives it; then nl->words says the same in words.
 */
int nlsock_request(struct netlink *nl, struct nlsock *sock, struct nlmsghdr *request, nlsock_handler *handler,
		   void *arg);

/*
 * nlsock_dump sends a dump request on `sock` and gives each message to `handler`. When the kernel says that
 * the list changed under the dump it starts over, so a handler may see a thing twice. -EBUSY inside a dump.
 */
int nlsock_dump(struct netlink *nl, struct nlsock *sock, struct nlmsghdr *request, nlsock_handler *handler, void *arg);

/*
 * nlsock_read reads one datagram of the kernel without waiting. Its length, 0 when there is none,
 * -ENOBUFS when notifications were lost (one too long for the buffer included), -errno.
 */
int nlsock_read(struct nlsock *sock, void *buf, size_t size);

/* nlsock_refused sets err to "WHAT: the kernel says: WORDS; HINT" (hint may be NULL) and returns `code`. */
int nlsock_refused(struct netlink *nl, struct err *err, int code, const char *what, const char *hint);

/* A request under construction. A local one is declared with NL_REQUEST: it may carry a key and wipes itself. */
struct nl_request {
	_Alignas(8) uint8_t octets[NL_REQUEST_MAX];
};
void nlsock_request_wipe(struct nl_request *request);

#define NL_REQUEST(name) struct nl_request name OWN(nlsock_request_wipe)

static inline struct nlmsghdr *nl_message(struct nl_request *request)
{
	return (struct nlmsghdr *)request->octets;
}

/*
 * ---- encode.c ----
 * 0, -EMSGSIZE when the buffer is too small, -EINVAL for values that have no encoding. Flags, sequence
 * number and port are left to nlsock_request.
 */

#define ENCODE_REPLAY_WINDOW_MAX XFRMA_REPLAY_ESN_MAX /* packets: what the kernel's bitmap may hold */

/* The types of RFC 4861: router solicitation 133 to redirect 137. */
#define ENCODE_ND_FIRST 133
#define ENCODE_ND_LAST 137

size_t encode_key_len(enum sa_algorithm algorithm);
const char *encode_algorithm_name(enum sa_algorithm algorithm);
int encode_state(void *buf, size_t size, uint16_t type, const struct sa *sa);
int encode_state_id(void *buf, size_t size, uint16_t type, const struct hf_addr *dst, uint32_t spi_be);
int encode_spi_alloc(void *buf, size_t size, const struct hf_addr *src, const struct hf_addr *dst, uint32_t reqid);
/* `outer`: the ends of a tunnel. */
int encode_policy(void *buf, size_t size, uint16_t type, enum policy_dir dir, const struct hf_pair *pair,
		  const struct hf_pair *outer, enum sa_mode mode, uint32_t reqid, bool optional);
int encode_policy_nd(void *buf, size_t size, uint16_t type, enum policy_dir dir, uint8_t icmp_type);
/* A policy is asked for by its selector, and deleted by the index that the answer gave. */
int encode_policy_get(void *buf, size_t size, enum policy_dir dir, const struct xfrm_selector *selector);
int encode_policy_del(void *buf, size_t size, enum policy_dir dir, uint32_t index);
/* A request that is a header of `len` octets and no attributes; `header` NULL = all zero. */
int encode_plain(void *buf, size_t size, uint16_t type, const void *header, size_t len);

void encode_selector_pair(struct xfrm_selector *out, enum policy_dir dir, const struct hf_pair *pair);
void encode_selector_nd(struct xfrm_selector *out, uint8_t icmp_type);

/* ---- decode.c ---- */

/* decode_attr is the first attribute of `type` behind a header of `header_len` octets, or NULL. */
const struct nlattr *decode_attr(const struct nlmsghdr *message, size_t header_len, uint16_t type);

/* What we need of an SA in an answer or a notification. */
struct state_seen {
	struct hf_addr src, dst;
	uint32_t spi_be, reqid;
	enum sa_mode mode;
	bool larval; /* reserved SPI without a key; not known from an expiry, which shows no key */
	bool encap;  /* ESP in UDP */
	struct sa_counters counters;
};

struct policy_seen {
	struct xfrm_selector selector;
	struct hf_pair pair;  /* as the selector says; only meaningful for a pair policy */
	struct hf_pair outer; /* of the first template */
	uint32_t index, priority;
	enum policy_dir dir;
	enum sa_mode mode;
	uint32_t reqid;	  /* of the first template; 0 = no template */
	bool pair_shaped; /* host to host, any protocol, no mark, no interface: what a policy of ours looks like */
	bool nd;	  /* our ND allowance, octet by octet */
};

/* A packet met an out-policy of ours and no SA. */
struct acquire_seen {
	struct hf_pair pair;
	uint32_t reqid;
};

/* ESP in UDP of an inbound SA of ours came from elsewhere. */
struct mapping_seen {
	struct hf_addr dst, src;
	uint32_t spi_be, reqid;
	uint16_t port; /* host byte order */
};

/* decode_* return false for a message that is too short or describes something that is none of our kinds. */
bool decode_state(struct state_seen *out, const struct nlmsghdr *message);
bool decode_policy(struct policy_seen *out, const struct nlmsghdr *message);
bool decode_acquire(struct acquire_seen *out, const struct nlmsghdr *message);
bool decode_mapping(struct mapping_seen *out, const struct nlmsghdr *message);

/* decode_expiry_is_hard is only asked for an XFRM_MSG_EXPIRE that decode_state has accepted. */
bool decode_expiry_is_hard(const struct nlmsghdr *message);

static inline bool nl_reqid_is_ours(uint32_t reqid)
{
	return reqid - NETLINK_REQID_BASE < NETLINK_REQID_COUNT;
}

/* Both signs must agree before anything is replaced or removed: who it is for and our reqid. */
static inline bool nl_policy_is_ours(const struct policy_seen *seen)
{
	return seen->pair_shaped && nl_reqid_is_ours(seen->reqid);
}

/* ---- xfrm_state.c, xfrm_policy.c ---- */

/* xfrm_state_get reads one SA, whosever it is. -ESRCH when there is none. */
int xfrm_state_get(struct netlink *nl, struct state_seen *out, const struct hf_addr *dst, uint32_t spi_be);

/* xfrm_state_try is xfrm_state_add with the kernel's own errno and no text (probe.c). */
int xfrm_state_try(struct netlink *nl, const struct sa *sa);

/* xfrm_policy_drop deletes by index; the caller has seen that it is ours. */
int xfrm_policy_drop(struct netlink *nl, enum policy_dir dir, uint32_t index);

/* ---- notify.c, links.c ---- */

/* The last has no name of the old form. */
#define NOTIFY_GROUPS (XFRMGRP_ACQUIRE | XFRMGRP_EXPIRE | XFRMGRP_SA | XFRMGRP_POLICY | 1u << (XFRMNLGRP_MAPPING - 1))
void notify_message(struct netlink *nl, const struct nlmsghdr *message);

extern const uint32_t links_groups;
void links_message(struct netlink *nl, const struct nlmsghdr *message);

#endif
