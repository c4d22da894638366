// SPDX-License-Identifier: Apache-2.0
/*
 * The dataplane room's face: the BPF programs and their maps, from this side. It loads or adopts them, attaches
 * them, writes verdicts, reads events, and lets held packets go. It chooses nothing. Maps and links are pinned:
 * closing the room leaves the datapath as it is.
 */
#ifndef DATAPLANE_DATAPLANE_H
#define DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "holdfast/abi.h"
#include "holdfast/shield.h"

struct dataplane;

/* Sizes of maps that do not exist yet; maps that are pinned keep theirs. 0 = the default of abi.h. */
struct dataplane_options {
	uint32_t slots, slots_big, queues, gate_entries;
	uint64_t hold_age_ns; /* packets held longer are dropped */

	/* The shield is wanted, where possible beside XDP programs of others, for which a child keeps privileges (porter.h). */
	bool shield;
	int (*confine_porter)(struct err *err); /* called in that child; NULL = it stays as it is */
};

/*
 * dataplane_open adopts what is pinned under HF_PIN_DIR and makes what is missing, loads the programs, and opens the
 * release sockets, all before anything is attached. err says what is missing (bpffs, a capability, a feature of
 * the kernel) and what to do, or what foreign thing is pinned at our path.
 */
int dataplane_open(struct dataplane **out, const struct dataplane_options *options, struct err *err);

/* dataplane_close forgets the room; programs stay attached and maps pinned. */
void dataplane_close(struct dataplane *dp);

/* dataplane_unload detaches and unpins everything, with or without an agent. Packets still held are lost. */
int dataplane_unload(struct err *err);

/* dataplane_adopted is true when maps of an earlier agent were found. */
bool dataplane_adopted(const struct dataplane *dp);

/* dataplane_is_tcx tells how programs are attached: TCX (6.6) or clsact. */
bool dataplane_is_tcx(const struct dataplane *dp);

/* ---- interfaces ---- */

/* dataplane_attach puts both programs on the interface, or replaces those of an earlier agent in place. */
int dataplane_attach(struct dataplane *dp, int ifindex, const char *name, struct err *err);

/* dataplane_detach takes them off; also called for an interface that is gone. */
void dataplane_detach(struct dataplane *dp, int ifindex);

/* ---- decisions ---- */

int dataplane_gate_set(struct dataplane *dp, const struct hf_pair *pair, const struct hf_gate *gate);
int dataplane_gate_get(struct dataplane *dp, const struct hf_pair *pair, struct hf_gate *out); /* -ENOENT */
int dataplane_gate_del(struct dataplane *dp, const struct hf_pair *pair); /* 0 as well when there was none */

/* dataplane_gate_each calls `see` for every entry until it returns false; entries may be deleted meanwhile. */
void dataplane_gate_each(struct dataplane *dp, bool (*see)(void *arg, const struct hf_pair *, const struct hf_gate *),
			 void *arg);

#define DATAPLANE_VERDICTS (HF_VERDICT_BLOCK + 1)

/* dataplane_gate_count counts the entries by verdict, many to a system call; nothing is counted when it fails. -errno. */
int dataplane_gate_count(struct dataplane *dp, uint32_t by_verdict[DATAPLANE_VERDICTS]);

struct dataplane_rule {
	struct hf_prefix prefix;
	enum hf_group group;
};

/*
 * dataplane_policy_set makes the trie hold exactly these rules: first all are written, then what is not among
 * them is removed, so that no address is without a rule at any moment. `rules` must name 0.0.0.0/0 and ::/0.
 * `strict`: unreadable packets are dropped.
 */
int dataplane_policy_set(struct dataplane *dp, const struct dataplane_rule *rules, size_t count, bool strict,
			 struct err *err);

/* dataplane_policy_put writes one rule more; the next dataplane_policy_set takes it away unless it names it. -ENOSPC, ... */
int dataplane_policy_put(struct dataplane *dp, const struct dataplane_rule *rule);

/* dataplane_exempt_set adds or replaces the flags (HF_EXEMPT_*) of an address; 0 removes it. */
int dataplane_exempt_set(struct dataplane *dp, const struct hf_addr *addr, uint32_t flags);

/* dataplane_exempt_each calls `see` for every address that has flags; it may change or remove those of that one. */
void dataplane_exempt_each(struct dataplane *dp, void (*see)(void *arg, const struct hf_addr *addr), void *arg);

/* dataplane_handoffs tells the programs that some pair may be in a handoff; false keeps ESP on its fast path. */
void dataplane_handoffs(struct dataplane *dp, bool pending);

/* dataplane_answers tells the programs whether copies of DNS answers are wanted. */
void dataplane_answers(struct dataplane *dp, bool wanted);

/* ---- the shield in front of IKE ---- */

/* Where a program of XDP runs: in the driver, or on the packet that the kernel has made of the frame. */
enum dataplane_xdp { DATAPLANE_XDP_NONE, DATAPLANE_XDP_GENERIC, DATAPLANE_XDP_NATIVE };

/* dataplane_shield_open loads the shield, on maps of an earlier agent where they fit. It lets everything pass before dataplane_shield_set. */
int dataplane_shield_open(struct dataplane *dp, struct err *err);

/* dataplane_shield_remove takes off and unpins what an earlier agent left. */
void dataplane_shield_remove(void);

/*
 * dataplane_shield_attach puts it on an Ethernet interface, or replaces that of an earlier agent: into a dispatcher, beside
 * programs of others, where that is possible, else alone. -EBUSY when the interface has a program of somebody else that cannot be
 * shared with, which stays.
 */
int dataplane_shield_attach(struct dataplane *dp, int ifindex, const char *name, struct err *err);
void dataplane_shield_detach(struct dataplane *dp, int ifindex);

/* Where the shield is on an interface, now. */
struct dataplane_place {
	enum dataplane_xdp how;
	bool dispatcher;     /* programs of others can be put beside it; false = it is alone, and nobody displaces it */
	unsigned int others; /* that are beside it */
};

void dataplane_shield_look(int ifindex, struct dataplane_place *out);

/* dataplane_shield_alone: why programs of others cannot be put beside it; NULL when they can. */
const char *dataplane_shield_alone(const struct dataplane *dp);

/*
 * dataplane_shield_set gives it its orders; `set->version` is filled in here, and what dataplane_shield_spread has settled stays.
 */
void dataplane_shield_set(struct dataplane *dp, const struct hf_shield_set *set);
/*
 * dataplane_shield_spread spreads ESP over the processors that are online, or no longer. The number of them, 0 when there is nothing to
 * spread over, -errno.
 */
int dataplane_shield_spread(struct dataplane *dp, bool wanted, struct err *err);
void dataplane_shield_see(struct dataplane *dp, struct hf_shield_state *state, struct hf_shield_count *sum);

/* ---- events ---- */

struct dataplane_events {
	/* Packets of the pair wait; stray: the pair is SECURE. */
	void (*held)(void *arg, const struct hf_event *event);
	/* A packet in clear from the pair's peer was dropped: it must be sealed. May be NULL. */
	void (*clear)(void *arg, const struct hf_event *event);
	/* ESP of the pair came, and there is no SA. May be NULL. */
	void (*unreadable)(void *arg, const struct hf_event *event);
	/* A DNS answer of a configured resolver, or the first part of one. May be NULL. */
	void (*answer)(void *arg, const struct hf_event_answer *answer);
};

/* dataplane_ring_fd becomes readable when there are events. */
int dataplane_ring_fd(const struct dataplane *dp);

/*
 * dataplane_ring_read handles at most `max` events and says how many. Denied packets' senders are told here.
 */
int dataplane_ring_read(struct dataplane *dp, const struct dataplane_events *events, void *arg, unsigned int max);

/*
 * dataplane_deadline is when dataplane_expire wants to be called, NSTIME_NEVER when it does not: senders whose connection
 * was denied are told again, in case the kernel dropped the first word.
 */
uint64_t dataplane_deadline(const struct dataplane *dp);
void dataplane_expire(struct dataplane *dp, uint64_t now);

/* ---- held packets ---- */

enum dataplane_how {
	DATAPLANE_SEALED, /* through the pair's SA */
	DATAPLANE_CLEAR,
	DATAPLANE_DENY, /* dropped, local senders are told */
};

struct dataplane_drain {
	enum dataplane_how how;
	uint32_t reqid;		/* SEALED */
	bool tunnel;		/* SEALED */
	struct hf_addr gateway; /* SEALED, tunnel: where it ends; all zero = at the pair's remote host */
	bool close;		/* when nothing waits any more, give the queue back */
	bool policy_later;	/* SEALED: the out-policy does not stand yet; another drain follows when it does */
};

struct dataplane_drained {
	unsigned int packets; /* taken off */
	bool empty;	      /* nothing waits */
};

/*
 * dataplane_drain deals with what is held for the pair, oldest first, HF_QUEUE_SLOTS packets at most. A packet leaves
 * its slot before it is sent: it goes out once or, if the agent dies in between, not at all. What is older
 * than the age limit is dropped. -errno when packets could not be re-injected at all; they then still wait.
 */
int dataplane_drain(struct dataplane *dp, const struct hf_pair *pair, const struct dataplane_drain *order, uint64_t now,
		    struct dataplane_drained *out, struct err *err);

/*
 * dataplane_sweep drops what is older than the age limit, closes queues that are empty and that nobody was told of, and
 * calls `waiting` for each queue with packets, whose pair the caller then looks at: an event may have been lost with
 * an agent. In the first seconds after an adoption it also frees what a dead agent had in hand.
 */
void dataplane_sweep(struct dataplane *dp, uint64_t now, void (*waiting)(void *arg, const struct hf_pair *pair),
		     void *arg);

/* ---- counters ---- */

struct dataplane_usage {
	uint32_t slots, slots_max, slots_big, slots_big_max, queues, queues_max;
	uint32_t gate_max;
};

void dataplane_count(struct dataplane *dp, struct hf_count *out); /* summed over CPUs */
void dataplane_agent_count(struct dataplane *dp, struct hf_agent *out);
void dataplane_usage(struct dataplane *dp, struct dataplane_usage *out);

#endif
