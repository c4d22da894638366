/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs and the agent agree on: the keys and values of every pinned map, the events on
 * the ring, and the limits that size them. Both sides include this file and nothing else of each other.
 *
 * Addresses are 16 octets in network byte order, IPv4 as v4-mapped IPv6 (::ffff:a.b.c.d, RFC 4291 2.5.5.2).
 * Everything else is in host byte order. Times are CLOCK_MONOTONIC nanoseconds, 0 = never.
 * The type and field names are what `bpftool map dump pinned /sys/fs/bpf/holdfast/...` prints.
 */
#ifndef HOLDFAST_ABI_H
#define HOLDFAST_ABI_H

#include <linux/types.h>

/* Changes when a layout below changes; an agent refuses to adopt maps of another version. */
#define HF_ABI_VERSION 4

#define HF_PIN_DIR "/sys/fs/bpf/holdfast"

/* ---- addresses ------------------------------------------------------------------------------- */

struct hf_addr {
	__u8 octet[16];
};

/* Security associations and source selection are per (local, remote), so everything is keyed by both. */
struct hf_pair {
	struct hf_addr local;
	struct hf_addr remote;
};

/* Key of hf_policy, in the form BPF_MAP_TYPE_LPM_TRIE asks for. An IPv4 /n is 96 + n here. */
struct hf_prefix {
	__u32 prefix_len;
	struct hf_addr addr;
};

/* ---- security associations ------------------------------------------------------------------- */

/* The kernel's request ids of ours: this and the index of the pair. Nobody else's states or policies are touched. */
#define HF_REQID_BASE 0x48000000u
#define HF_REQID_COUNT 0x00100000u

/* ---- policy and gate ------------------------------------------------------------------------- */

/* The field's names for what a host may do with a prefix (FreeS/WAN policy groups). */
enum hf_group {
	HF_GROUP_CLEAR = 0,
	HF_GROUP_CLEAR_OR_PRIVATE = 1,
	HF_GROUP_PRIVATE_OR_CLEAR = 2,
	HF_GROUP_PRIVATE = 3,
	HF_GROUP_BLOCK = 4,
	HF_GROUP_COUNT
} __attribute__((packed)); /* one octet */

/* Value of hf_policy. */
struct hf_rule {
	enum hf_group group;
};

/* What the agent decided for a pair. A pair without an entry is decided by its group. */
enum hf_verdict {
	HF_VERDICT_HOLD = 1,   /* undecided: keep the packets */
	HF_VERDICT_CLEAR = 2,  /* may leave and arrive in clear until until_ns */
	HF_VERDICT_SECURE = 3, /* SAs and policies stand: a clear packet is a stray */
	HF_VERDICT_BLOCK = 4,  /* drop, and tell the sender */
} __attribute__((packed));     /* one octet */

/* Gate flags. */
#define HF_GATE_IN_CLEAR 0x1  /* clear packets from the peer are still accepted (it may not seal yet) */
#define HF_GATE_UDP_ENCAP 0x2 /* ESP in UDP (RFC 3948) of this pair passes like ESP */
#define HF_GATE_GATEWAY 0x4   /* the peer's packets come out of a tunnel from its gateway */

/*
 * Value of hf_gate. Written by the agent only. The kernel gives an element that was deleted or replaced to the next key at once,
 * so a program that was stopped behind its lookup may look at another pair's verdict by then. The first eight octets
 * are therefore read as one, and `mark` says whose they are.
 */
struct hf_gate {
	enum hf_verdict verdict;
	enum hf_group group;	/* the group in force, which a sticky peer may have raised above its prefix's */
	__u16 flags;		/* HF_GATE_* */
	__u32 mark;		/* hf_pair_mark of the key */
	__u64 until_ns;		/* end of CLEAR or BLOCK, after which the entry counts as absent; 0 = no end */
	__u64 handoff_until_ns; /* until then ESP queues behind packets still held, to keep their order */
};

/*
 * 32 bits that tell a pair from others. IPv4 pairs that differ in one address never have the same; it is no secret, and
 * whoever finds two that do has gained one chance in a race that he cannot start.
 */
static inline __u32 hf_pair_mark(const struct hf_pair *pair)
{
	__u64 word[4];

	__builtin_memcpy(word, pair, sizeof(word));
	return (word[0] * 0x9e3779b97f4a7c15ull + word[1] * 0xbf58476d1ce4e5b9ull + word[2] * 0x94d049bb133111ebull +
		word[3] * 0xd6e8feb86659fd93ull) >>
	       32;
}

/* ---- held packets ---------------------------------------------------------------------------- */

#define HF_SLOT_DATA 2048      /* holds any packet of an Ethernet MTU */
#define HF_SLOT_BIG_DATA 65536 /* holds any IP packet, GSO included; BIG TCP is refused and counted */
#define HF_QUEUE_SLOTS 128     /* packets held for one pair, RFC 4322 3.1 asks for at least the first and last */
#define HF_QUEUE_BYTES 131072  /* octets held for one pair */

#define HF_SLOTS_DEFAULT 16384
#define HF_SLOTS_BIG_DEFAULT 16
#define HF_QUEUES_DEFAULT 16384
#define HF_GATE_DEFAULT 65536
#define HF_POLICY_MAX 65536
#define HF_EXEMPT_MAX 4096
#define HF_RING_BYTES (1024 * 1024)

/* What a slot holds. */
enum hf_held {
	HF_HELD_CLEAR = 0,  /* as the stack made it, before XFRM */
	HF_HELD_SEALED = 1, /* ESP that waits behind held packets of its pair (HF_GATE handoff) */
};

/*
 * Head of a value of hf_slot and hf_slot_big. A slot belongs to whoever moved `owner` from 0 by compare
 * and exchange; it is free again when owner is 0. Slots carry their pair, so that whoever finds one
 * knows whose it is, whatever queue it was found in.
 */
struct hf_slot_head {
	__u32 owner; /* 0 = free, else 1 + index of the queue that holds it */
	__u32 len;   /* octets in data, from the IP header on */
	struct hf_pair pair;
	__u64 time_ns;	/* when it was held */
	__u32 ifindex;	/* device it was leaving through */
	__u32 mark;	/* skb->mark */
	__u32 priority; /* skb->priority */
	__u32 gso_size; /* payload octets per segment, 0 = not GSO */
	enum hf_held held;
	__u32 reserved;
};

struct hf_slot {
	struct hf_slot_head head;
	__u8 data[HF_SLOT_DATA];
};

struct hf_slot_big {
	struct hf_slot_head head;
	__u8 data[HF_SLOT_BIG_DATA];
};

/*
 * A reference to a slot: 0 = none, else 1 + index, with HF_REF_BIG set for hf_slot_big.
 */
#define HF_REF_BIG 0x40000000u

/*
 * Value of hf_queue: the packets held for one pair, oldest first, in a ring of slot references.
 *
 * `state` is moved by compare and exchange only: the low 32 bits count the packets ever queued, the bits
 * above them the times this queue was opened, so that a program that read it before the queue went to
 * another pair can never queue into it, and the top bit says closed. Position n lives in
 * slot[n % HF_QUEUE_SLOTS]. A reference is published with an exchange and taken with an exchange: each packet has
 * one owner at any instant. `taken` counts the packets the agent is done with, moved when a packet it took off is
 * on its way: a queue that looks empty has nothing that a newer packet could overtake.
 */
#define HF_QUEUE_CLOSED 0x8000000000000000ull
#define HF_QUEUE_OPENED 0x0000000100000000ull /* one more opening */
#define HF_QUEUE_COUNT 0x00000000ffffffffull

struct hf_queue {
	__u32 owner;	/* 0 = free, 1 = in use */
	__u32 taken;	/* packets the agent took off and sent since the queue was opened */
	__u32 bytes;	/* octets queued and not yet taken */
	__u32 reported; /* 1 once an event of this queue went out on the ring */
	__u64 state;	/* HF_QUEUE_* */
	__u64 first_ns; /* when the queue was opened */
	struct hf_pair pair;
	__u32 slot[HF_QUEUE_SLOTS];
};

/* Value of hf_hold: where the packets of a pair are held. Created by BPF, removed by the agent. */
struct hf_hold {
	__u32 queue;
	__u32 opening; /* of the queue: bits 32 to 62 of its state. Any other says that it is not the pair's any more */
};

/* ---- exempt addresses ------------------------------------------------------------------------ */

#define HF_EXEMPT_OWN 0x1	/* an address of this host */
#define HF_EXEMPT_BROADCAST 0x2 /* directed broadcast of an own subnet */
#define HF_EXEMPT_RESOLVER 0x4	/* a configured DNS resolver: port 53 is never held */

#define HF_EXEMPT_GATEWAY 0x8 /* hosts behind it are reached through it: its ESP is read, though it is no peer itself */

/* Value of hf_exempt, keyed by struct hf_addr. */
struct hf_exempt {
	__u32 flags; /* HF_EXEMPT_* */
};

/* ---- configuration and counters -------------------------------------------------------------- */

#define HF_RELEASE_SOCKETS 8

/* Any prefix is held, private or blocked: then a packet that cannot be parsed does not leave. */
#define HF_CONFIG_STRICT 0x1
/* The agent wants copies of DNS answers (HF_EVENT_ANSWER). */
#define HF_CONFIG_ANSWERS 0x2

/* Single value of hf_config, written by the agent. */
struct hf_config {
	__u32 abi_version;
	__u32 flags;
	__u32 handoffs; /* pairs whose handoff_until_ns may lie ahead: 0 keeps ESP on its fast path */
	__u32 reserved;
	__u64 sealed_cookie[HF_RELEASE_SOCKETS]; /* SO_COOKIE of sockets whose packets must be sealed: never seen in clear */
	__u64 bypass_cookie[HF_RELEASE_SOCKETS]; /* SO_COOKIE of sockets whose packets the agent let go as they are */
};

/* Single value of hf_budget, written by BPF: what may still be reported in this second. */
struct hf_budget {
	__u64 second;
	__u32 denied;	  /* HF_EVENT_DENIED events asked for in it */
	__u32 unreadable; /* HF_EVENT_UNREADABLE likewise */
	__u32 answers;	  /* HF_EVENT_ANSWER likewise */
	__u32 clear;	  /* HF_EVENT_CLEAR likewise */
};

/* Single value of hf_count, per CPU: packets by what became of them. */
struct hf_count {
	/* egress, passed */
	__u64 out_esp;	     /* ESP, or ESP in UDP of a pair that has it */
	__u64 out_clear;     /* verdict CLEAR */
	__u64 out_by_policy; /* no verdict, group clear or clear-or-private */
	__u64 out_released;  /* re-injected by the agent as they are */
	__u64 out_exempt;    /* never held: ND, DHCP, IKE, multicast, resolvers, own addresses */
	__u64 out_not_ip;
	/* egress, held */
	__u64 held;	   /* packets put into a slot */
	__u64 held_stray;  /* of these: clear packets of a SECURE pair */
	__u64 held_sealed; /* of these: ESP in a handoff */
	/* egress, dropped */
	__u64 drop_block;	/* verdict or group block, or a private pair that was denied */
	__u64 drop_pair_full;	/* a held packet gave way to a newer one of its pair */
	__u64 drop_slots_full;	/* no slot free */
	__u64 drop_queues_full; /* no queue free, or hf_hold full */
	__u64 drop_too_big;	/* larger than a slot can be (BIG TCP) */
	__u64 drop_copy;	/* the kernel could not linearise the packet */
	__u64 drop_reinjected;	/* re-injected to be sealed and yet in clear */
	__u64 drop_race;	/* lost against other CPUs more often than the bound allows */
	__u64 drop_malformed;	/* unreadable IP header while HF_CONFIG_STRICT */
	/* ingress */
	__u64 in_esp;
	__u64 in_decrypted; /* tunnel mode, seen again after decryption */
	__u64 in_pass;
	__u64 in_exempt;
	__u64 in_not_ip;
	__u64 in_drop_clear; /* clear from a pair that must be sealed */
	__u64 in_drop_block;
	__u64 in_drop_malformed;
	/* reports */
	__u64 events;
	__u64 events_lost;	/* ring full: reported again with the pair's next packet */
	__u64 malformed_passed; /* unreadable IP header, nothing is protected */
	__u64 answers;		/* DNS answers of which the agent got a copy */
	__u64 answers_lost;	/* of which it got none: over the budget, or the ring was a quarter full */
};

/* Single value of hf_agent, written by the agent: what became of held packets; survives its restart. */
struct hf_agent {
	__u64 released_sealed; /* re-injected through an SA */
	__u64 released_clear;  /* re-injected in clear, policy allowed it */
	__u64 passed_sealed;   /* ESP that waited for its turn */
	__u64 segments;	       /* extra packets that GSO packets were cut into */
	__u64 reassembled;     /* fragments that were joined into a datagram already counted */
	__u64 drop_expired;    /* held longer than the age limit */
	__u64 drop_denied;     /* policy: the peer cannot be reached securely */
	__u64 drop_too_big;    /* does not fit the path any more; the sender was told */
	__u64 drop_error;      /* the kernel refused the packet */
	__u64 drop_changed;    /* the pair's verdict changed before its turn */
	__u64 drop_malformed;  /* held bytes that are no packet */
	__u64 told_sender;     /* ICMP errors delivered to local senders */
};

/* ---- events ---------------------------------------------------------------------------------- */

enum hf_event_type {
	HF_EVENT_FLOW_MISS = 1, /* packets of an undecided pair are held */
	HF_EVENT_STRAY = 2,	/* clear packets of a SECURE pair are held */
	HF_EVENT_DENIED = 3,	/* a packet was dropped: head says which, so that its sender can be told */
	/* ESP came from a pair without verdict, whose group wants SAs: its peer has SAs that this host has lost */
	HF_EVENT_UNREADABLE = 4,
	HF_EVENT_ANSWER = 5, /* a configured resolver answered this host over UDP; a hint, which anybody can forge */
	/* a packet in clear from the peer of a decided pair was dropped because it must be sealed; anybody can forge one */
	HF_EVENT_CLEAR = 6,
};

#define HF_EVENT_HEAD 128 /* as much of a dropped packet as an ICMP error needs to find its socket */
#define HF_DENIED_PER_SECOND 1000

/*
 * Anybody can send ESP, so this bounds the lookups and handshakes that strangers make a host begin. A host with 1,000 peers that
 * was restarted hears of all of them within 16 s.
 */
#define HF_UNREADABLE_PER_SECOND 64

/* For the operator only: one a second and pair would do. */
#define HF_CLEAR_PER_SECOND 16

/* A busy host asks some ten names a second, and a hint that is lost comes with the next answer. */
#define HF_ANSWERS_PER_SECOND 256
#define HF_ANSWER_DATA 1024 /* most answers with addresses are below 512 */

/* FLOW_MISS and STRAY: one per queue until the agent closed it. UNREADABLE and CLEAR: no queue. */
struct hf_event {
	enum hf_event_type type;
	__u32 queue;
	__u64 time_ns;
	struct hf_pair pair;
	enum hf_group group;
	__u8 reserved[3];
	__u32 ifindex;
};

/* DENIED: the same head, then the packet from its IP header on. */
struct hf_event_denied {
	struct hf_event event;
	__u32 len; /* octets in head that are the packet's */
	__u32 mark;
	__u8 head[HF_EVENT_HEAD];
};

/* ANSWER: the same head, whose pair is (own address, resolver), then the DNS message, from its header on. */
struct hf_event_answer {
	struct hf_event event;
	__u32 len;   /* octets in data */
	__u32 whole; /* octets the message has by its UDP header: data may be the first part of it only */
	__u8 data[HF_ANSWER_DATA];
};

#endif
