// SPDX-License-Identifier: Apache-2.0
/*
 * The netlink room's face: XFRM states and policies, SPI allocation, and what the kernel tells us about
 * them and about links and addresses. It does what it is told, in the order it is told (DESIGN 7), and
 * chooses nothing. Requests are synchronous: the kernel has answered when a function returns, with its
 * extended ACK text in `err`. Everything installed carries a reqid of our range, and only that is ever removed.
 */
#ifndef NETLINK_NETLINK_H
#define NETLINK_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* reqids of ours: this and the index of the pair. Nobody else's states or policies are touched. */
#define NETLINK_REQID_BASE HF_REQID_BASE
#define NETLINK_REQID_COUNT HF_REQID_COUNT

/* Priorities of our policies; a smaller number is looked at first. ND must win over a host pair. */
#define NETLINK_PRIORITY_ND 1000u
#define NETLINK_PRIORITY_PAIR 2000u

struct netlink;

enum sa_mode {
	SA_MODE_TRANSPORT = 0,
	SA_MODE_TUNNEL = 1,
};

enum sa_algorithm {
	SA_AES_GCM_16_128,    /* RFC 4106; key material 16 + 4 octets salt */
	SA_AES_GCM_16_256,    /* RFC 4106; 32 + 4 */
	SA_CHACHA20_POLY1305, /* RFC 7634; 32 + 4 */
};

#define SA_KEY_MAX 36 /* key and salt */

/* One ESP SA (RFC 4303), outbound or inbound. */
struct sa {
	struct hf_addr src; /* outer and, in transport mode, inner addresses */
	struct hf_addr dst;
	struct hf_addr behind; /* inbound tunnel of a gateway: the one host whose packets may be in it; all zero = any */
	uint32_t spi_be;       /* network byte order */
	uint32_t reqid;
	enum sa_mode mode;
	enum sa_algorithm algorithm;
	bool inbound;
	bool esn;
	uint32_t replay_window;			 /* packets, 1 to 4096; not looked at for an outbound SA */
	uint64_t hard_bytes, soft_bytes;	 /* 0 = no limit */
	uint64_t hard_packets, soft_packets;	 /* 0 = no limit */
	uint64_t hard_seconds, soft_seconds;	 /* after it was added; 0 = no limit */
	uint16_t encap_sport_be, encap_dport_be; /* UDP encapsulation (RFC 3948), 0 = none */
	uint8_t key[SA_KEY_MAX];		 /* key then salt; length follows from the algorithm */
};

struct sa_counters {
	uint64_t packets, bytes;
	uint64_t added_s; /* wall clock seconds as the kernel gives them */
	uint64_t used_s;  /* last use, or the first on kernels that tell only that; 0 = never used */
	uint32_t replay_dropped, integrity_failed;
};

enum policy_dir {
	POLICY_IN,
	POLICY_OUT,
	POLICY_FWD,
};

/*
 * What the kernel reports by itself. Members may be NULL. Called from netlink_ready (link and address
 * also from netlink_links_dump). Only what concerns ours is told, and nothing that we did ourselves
 * through the same room. A callback may call all of the room except netlink_ready and netlink_close.
 */
struct netlink_events {
	/* A packet of the pair met our out-policy and no SA; the kernel has dropped it. */
	void (*acquire)(void *arg, const struct hf_pair *pair, uint32_t reqid);
	/*
	 * An SA reached its soft limit (hard = false, it goes on working) or its hard limit, or
	 * somebody else deleted it (hard = true, it is gone). Also a reserved SPI that was not filled
	 * in within net.core.xfrm_acq_expires (30 s): xfrm_state_add with that SPI still works.
	 */
	void (*expired)(void *arg, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid, bool hard);
	/*
	 * ESP in UDP that verified came to the inbound SA (dst, spi) from another address or port (host byte order) than the
	 * SA names: the peer's NAT has a new mapping (RFC 3948). Once a second, or a new port, until xfrm_state_move.
	 */
	void (*moved)(void *arg, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid, const struct hf_addr *src,
		      uint16_t port);
	/* A policy of ours was deleted or changed by somebody else; reqid 0 = of the ND allowance. */
	void (*policy_gone)(void *arg, enum policy_dir dir, uint32_t reqid);
	/*
	 * A link is there or changed: up = IFF_UP, type = ARPHRD_*, name valid during the call. Called
	 * for each existing link by netlink_links_dump. The same state may be told more than once.
	 */
	void (*link)(void *arg, int ifindex, const char *name, uint16_t type, bool up);
	void (*link_gone)(void *arg, int ifindex);
	/*
	 * An own address came, changed or went; broadcast is all zero (::) when it has none. IPv6
	 * addresses are told when duplicate detection is over, by netlink_links_dump also before.
	 * May be told more than once.
	 */
	void (*address)(void *arg, int ifindex, const struct hf_addr *addr, const struct hf_addr *broadcast,
			bool added);
	/*
	 * Notifications were lost (ENOBUFS), or somebody flushed all SAs or policies, or put a policy
	 * where one of ours may have been: ask again for everything (xfrm_find_ours,
	 * netlink_links_dump).
	 */
	void (*lost)(void *arg);
};

/*
 * netlink_open opens the request and the notification sockets of the calling thread's network namespace.
 * `events` and `arg` must outlive the room. -EPERM when CAP_NET_ADMIN is missing, -EPROTONOSUPPORT when
 * the kernel has no XFRM; err says what to do.
 */
int netlink_open(struct netlink **out, const struct netlink_events *events, void *arg, struct err *err);
void netlink_close(struct netlink *nl);

/* Descriptors to wait on for reading (XFRM notifications, route notifications): netlink_ready reads either. */
int netlink_xfrm_fd(const struct netlink *nl);
int netlink_route_fd(const struct netlink *nl);

/*
 * netlink_ready reads what is there (bounded per call; more leaves the descriptor ready) and calls the
 * events. 0, or -errno of a broken socket; -EBADF when `fd` is neither of the two.
 */
int netlink_ready(struct netlink *nl, int fd);

/* netlink_links_dump calls link() and then address() for all that exist now. */
int netlink_links_dump(struct netlink *nl, struct err *err);

/*
 * netlink_is_local asks the routing table whether `addr` is delivered to this host: an address of an interface, or
 * one of a prefix routed to it ("local" routes). False as well when the kernel cannot be asked.
 */
bool netlink_is_local(struct netlink *nl, const struct hf_addr *addr);

/* ---- states ---- */

/*
 * xfrm_spi_alloc makes the kernel choose an SPI for packets src -> dst and reserves it with a larval state
 * (XFRM_MSG_ALLOCSPI); xfrm_state_add with inbound = true then fills that state in (XFRM_MSG_UPDSA).
 * Outputs stay untouched on failure, here and below.
 */
int xfrm_spi_alloc(struct netlink *nl, uint32_t *spi_be, const struct hf_addr *src, const struct hf_addr *dst,
		   uint32_t reqid, struct err *err);

/*
 * xfrm_state_add installs `sa`. -ENOSYS when the kernel lacks ESP or the algorithm, -EEXIST when a
 * complete SA of this (dst, spi) stands, -EINVAL for a reqid outside our range or values that make no
 * SA. The caller wipes its copy of the key.
 */
int xfrm_state_add(struct netlink *nl, const struct sa *sa, struct err *err);

/*
 * xfrm_state_move gives a standing SA with encapsulation the ports of `sa`; what else tells it apart must be as it was added, the
 * key is not looked at. In one step: key, sequence numbers, replay window and counters stay as they are. -ESRCH when there is
 * no complete SA, -EPERM when it is not ours, -EINVAL when it has no encapsulation.
 */
int xfrm_state_move(struct netlink *nl, const struct sa *sa, struct err *err);

/*
 * xfrm_state_del removes the SA of (dst, spi), a reserved SPI included. -ESRCH when there is none, -EPERM
 * when it is not ours.
 */
int xfrm_state_del(struct netlink *nl, const struct hf_addr *dst, uint32_t spi_be, struct err *err);

/* xfrm_state_counters reads the SA's counters. -ESRCH when there is none. */
int xfrm_state_counters(struct netlink *nl, struct sa_counters *out, const struct hf_addr *dst, uint32_t spi_be,
			struct err *err);

/* ---- policies ---- */

/*
 * xfrm_policy_set installs or replaces the policy of the pair for one direction: selector = the two hosts,
 * any protocol, any port; template = ESP, `mode`, `reqid`, level required (or optional). Replacing is
 * one step in the kernel: there is no moment without a policy. -EEXIST when a policy of somebody else
 * stands for the same two hosts: it is left alone. An optional tunnel template is refused by newer
 * kernels for POLICY_OUT.
 */
int xfrm_policy_set(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair, enum sa_mode mode,
		    uint32_t reqid, bool optional, struct err *err);

/*
 * xfrm_policy_set_through is the same with a tunnel that does not end at the pair's remote host but at the gateway in front of it. All
 * zero: at the host itself.
 */
int xfrm_policy_set_through(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair,
			    const struct hf_addr *gateway, uint32_t reqid, bool optional, struct err *err);

/* xfrm_policy_del: -ESRCH when there is none, -EPERM when it is not ours. */
int xfrm_policy_del(struct netlink *nl, enum policy_dir dir, const struct hf_pair *pair, struct err *err);

/*
 * xfrm_policy_nd_allow lets ICMPv6 133-137 (RFC 4861) through in clear, in and out, above every pair
 * policy. May be repeated. Forwarded packets are left out: neighbour discovery is never forwarded.
 */
int xfrm_policy_nd_allow(struct netlink *nl, struct err *err);

/* ---- ours ---- */

struct netlink_found {
	/*
	 * Called for each SA (larval = a reserved SPI without a key, encap = ESP in UDP) and each pair policy of our range.
	 * A callback may change or remove what it is told about, but may not start another list.
	 */
	void (*state)(void *arg, const struct hf_addr *src, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid,
		      enum sa_mode mode, bool larval, bool encap);
	/* `outer`: where its template's SAs begin and end; in transport mode the pair. */
	void (*policy)(void *arg, enum policy_dir dir, const struct hf_pair *pair, const struct hf_pair *outer,
		       uint32_t reqid, enum sa_mode mode);
};

/* xfrm_find_ours lists what of ours the kernel holds, for adoption after a restart. Members may be NULL. */
int xfrm_find_ours(struct netlink *nl, const struct netlink_found *found, void *arg, struct err *err);

/*
 * xfrm_remove_ours deletes every policy (ND allowance included) and then every state of ours, and counts
 * what it removed (the counts may be NULL). It goes on after a refusal and reports the first one.
 */
int xfrm_remove_ours(struct netlink *nl, unsigned int *states, unsigned int *policies, struct err *err);

/* ---- what the kernel can do (holdfast doctor) ---- */

struct netlink_probe {
	int xfrm;	/* 0 = present, else -errno of the attempt */
	int esp4, esp6; /* ESP states are accepted */
	int aes_gcm, chacha20;
	int esn;
	int udp_encap;
	char release[65]; /* kernel release */
};

/*
 * netlink_probe tries each feature for real in a network namespace of its own (made by a child process) and
 * leaves nothing behind. -EPERM when it may not.
 */
int netlink_probe(struct netlink_probe *out, struct err *err);

#endif
