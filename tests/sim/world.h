// SPDX-License-Identifier: Apache-2.0
/*
 * A world of engines: hosts with a clock each, a network between them, and what a host's caller keeps of what its engine said. Nothing here
 * is shared between worlds, and nothing but `rng` is by chance.
 *
 *   world.c    hosts: made, restarted, ended; the agenda; one step after the other
 *   caller.c   the part of an agent: outputs, a kernel that is slow and sometimes refuses, keys that come late
 *   habits.c   what an agent does by itself: talk, connect, ask for a sign of life, close what is idle
 *   net.c      the network, its faults, and the address translator that a host may be behind
 *   forger.c   somebody on the wire who has no key
 *   judge.c    what must never be, and what must be when all is calm
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/nstime.h"
#include "ike/ike.h"
#include "rng.h"

#define HOSTS_MAX 8 /* six, and two impostors */
#define NOTES_MAX 64
#define KIDS_MAX 96
#define RECORDS_MAX 2048 /* SPIs of one host */
#define EVENTS_MAX 4096
#define TAPE_MAX 48
#define DATAGRAM_MAX 2048
#define SPI_FIRST 0x1000u

/* ---- datagrams ---- */

enum origin {
	ORIGIN_HOST,	/* as a host sent it */
	ORIGIN_REPLAY,	/* an old one again, octet for octet, from where it came */
	ORIGIN_MIRROR,	/* as a host sent it, and back to its own address, as if its receiver had said it */
	ORIGIN_FORGED,	/* made or changed by somebody without a key */
	ORIGIN_IMPOSTOR /* sent by an engine with another key than its address's */
};

/* Never changed once made; shared by whoever holds one. */
struct datagram {
	unsigned int holders;
	struct datagram *before; /* manual mode: the one made before it */
	enum origin origin;
	struct ike_path path; /* as its receiver sees it */
	size_t len;
	uint8_t octets[]; /* DATAGRAM_MAX at most */
};

/* ---- the agenda ---- */

enum event_type {
	EVENT_DATAGRAM,
	EVENT_ANSWER,
	EVENT_INSTALL,
	EVENT_TICK,
	EVENT_ORDER,
	EVENT_FAULT,
	EVENT_FORGE,
	EVENT_MOVE,
	EVENT_CLOSE,
	EVENT_START
};

struct event {
	uint64_t time_ns, number; /* equal times in the order they were set */
	enum event_type type;
	unsigned int host, boot; /* of another boot: nothing */
	struct handle handle;
	struct datagram *datagram;
};

/* ---- what a caller keeps ---- */

/* An IKE SA that the caller knows. */
struct note {
	struct handle sa;
	unsigned int peer; /* host */
	uint64_t tag;	   /* until it is answered */
	bool responder, answered, up, had_child;
	uint64_t made_ns, up_ns, heard_ns, probed_ns, idle_since_ns; /* 0: not idle */
};

/* A Child SA in a host's kernel, or about to be. */
struct kid_note {
	struct handle handle, sa;
	unsigned int peer;
	struct child keys;
	bool want_in, want_out; /* to be installed at EVENT_INSTALL */
	bool in, out;		/* the kernel has it */
	bool answered;		/* ike_installed was called */
	bool responder;
	bool used;	       /* sent with since CHILD_USE, not from the start */
	struct hf_addr remote; /* where it is sent to, at keys.encap_remote if encapsulated */
	bool refused;	       /* by the kernel: DOWN must follow */
	uint64_t sending_since_ns;
};

/* What became of an SPI, for the whole world: two ends of one Child SA must agree, whenever they said it. */
struct record {
	unsigned int host;		 /* HOSTS_MAX: nobody gave it */
	bool announced, installed, gone; /* installed: once; gone: taken out again, or lost with its host */
	struct child keys;
};

struct world;

struct host {
	struct world *world;
	unsigned int index;
	struct ike *ike;
	void *memory;
	struct ike_options options;
	struct sign_key *key;
	struct hf_addr addr;	/* under which others see it */
	struct hf_addr inside;	/* which it has itself */
	uint16_t outside_port;	/* under which its port 4500 is seen; 0: nobody translates */
	unsigned int addresses; /* it had before this one */
	uint64_t ahead_ns;	/* its clock before the world's */
	unsigned int boot;
	bool alive;
	bool impostor;		     /* has another key than others list for its address */
	unsigned int twin_of;	     /* impostors: whose address it has; HOSTS_MAX = its own */
	struct rng rng;		     /* for its engine */
	unsigned int created;	     /* SPIs given out */
	char fqdn[IKE_IDENTITY_MAX]; /* long ones make IKE_AUTH long */
	/* the caller */
	bool wants[HOSTS_MAX];	      /* to talk to */
	bool contacted[HOSTS_MAX];    /* since the boot */
	uint64_t retry_ns[HOSTS_MAX]; /* not before */
	struct note notes[NOTES_MAX];
	unsigned int note_count;
	struct kid_note kids[KIDS_MAX];
	unsigned int kid_count;
	struct handle stale[8]; /* of things that are gone */
	unsigned int stale_count;
};

/* What all engines of all worlds did: what a campaign reached. */
struct totals {
	uint64_t steps, restarts, connects, handshakes, rekeys, collisions, retransmits, again, replayed, bad_icv,
		auth_failed, cookies, moves;
	uint64_t down[IKE_REASONS];
};

/* How bad it is: in thousandths, and in time. */
struct weather {
	bool faults; /* else nothing of the below */
	unsigned int loss, twice, corrupt, cut, reflect, replay;
	uint64_t delay_min_ns, delay_max_ns;
	unsigned int forge;	       /* per minute */
	unsigned int orders, troubles; /* per minute and world: a caller's wishes; partitions, restarts, jumps */
	unsigned int moves;	       /* per minute: new mappings of the translator */
	unsigned int refuse_install, refuse_key, slow_caller;
};

/* The call into an engine that is being looked at. */
struct call {
	unsigned int host;
	const struct datagram *datagram; /* NULL: not a datagram */
	bool timer;			 /* ike_expire */
	unsigned int sent;
	size_t sent_octets;
	struct ike_counts before;
};

struct world {
	uint64_t seed, now;
	struct rng rng;
	struct rng moves;	 /* for translators: of its own, so that worlds without one stay what they were */
	bool trace, calm;	 /* calm: faults are over */
	bool settled;		 /* nothing may go down any more */
	bool manual;		 /* explore.c holds the wire and the agenda */
	bool kem;		 /* its hosts have an additional key exchange */
	char failure[512];	 /* "" = none */
	unsigned int host_count; /* with impostors */
	struct host hosts[HOSTS_MAX];
	enum ike_auth auth;
	struct weather weather;
	bool cut[HOSTS_MAX][HOSTS_MAX]; /* from, to */
	struct call call;
	struct datagram *tape[TAPE_MAX]; /* what somebody on the wire remembers */
	unsigned int tape_count;
	struct datagram *last; /* manual mode: all there are */
	uint64_t same_time_steps;
	struct totals totals;
	/* the agenda: a heap; or, in manual mode, the list of what may happen next */
	uint64_t event_number;
	unsigned int event_count;
	struct event events[EVENTS_MAX];
	struct record records[HOSTS_MAX][RECORDS_MAX];
};

/* ---- world.c ---- */

/* world_new: memory that world_start fills. */
struct world *world_new(void);
/* world_start makes `hosts` hosts that know each other's keys; `plan` has the options of each and may be NULL. */
void world_start(struct world *world, uint64_t seed, unsigned int hosts,
		 void (*plan)(struct world *world, struct ike_options *options, unsigned int host));
void world_end(struct world *world);
/* world_nobody is a key that no host has. */
const struct sign_key *world_nobody(void);
/* world_impostor adds a host that has the address of host `twin_of` and a key of its own. */
void world_impostor(struct world *world, unsigned int twin_of);
void host_stop(struct world *world, unsigned int host);
void host_start(struct world *world, unsigned int host);
uint64_t host_now(const struct world *world, unsigned int host);
/* host_set_addr gives a host its n-th address; host_by_addr knows it by those before, too. */
void host_set_addr(struct host *host, unsigned int number);
unsigned int host_by_addr(const struct world *world, const struct hf_addr *addr);
/* world_run goes on until the time, or the first failure. */
void world_run(struct world *world, uint64_t until_ns);
void event_add(struct world *world, uint64_t delay_ns, enum event_type type, unsigned int host, struct handle handle,
	       struct datagram *datagram);
/* event_do carries one out; it is not on the agenda any more. */
void event_do(struct world *world, const struct event *event);
/* call_begin and call_end frame each call into an engine: outputs are fetched and judged in call_end. */
void call_begin(struct world *world, unsigned int host, const struct datagram *datagram);
void call_end(struct world *world);
__attribute__((format(printf, 3, 4))) void say(const struct world *world, unsigned int host, const char *format, ...);
__attribute__((format(printf, 2, 3))) void fail(struct world *world, const char *format, ...);

/* ---- caller.c ---- */

void caller_outputs(struct world *world, unsigned int host);
void caller_answer(struct world *world, unsigned int host, struct handle sa);
void caller_install(struct world *world, unsigned int host, struct handle child);
struct handle caller_connect(struct world *world, unsigned int host, unsigned int peer);
struct note *note_find(struct host *host, struct handle sa);
struct kid_note *kid_find(struct host *host, struct handle child);
struct record *record_of(struct world *world, uint32_t spi_be);

/* ---- habits.c ---- */

void habits_tick(struct world *world, unsigned int host);
/* habits_order: something that a caller may want at any time, by chance. */
void habits_order(struct world *world);
/* habits_rekey_both: the host and each of its peers want new IKE SAs at the same moment. */
void habits_rekey_both(struct world *world, unsigned int host);

/* ---- net.c ---- */

struct datagram *datagram_new(enum origin origin, const struct ike_path *path, struct view octets);
void datagram_put(struct datagram *datagram);
void net_send(struct world *world, unsigned int from, const struct ike_path *path, struct view octets);
/* net_deliver_later puts it on the agenda of whoever has its address. */
void net_deliver_later(struct world *world, struct datagram *datagram, uint64_t delay_ns);
/* net_forget frees, in manual mode, all datagrams made after `mark`, which was world->last; NULL: all. */
void net_forget(struct world *world, const struct datagram *mark);
void net_trouble(struct world *world);
/*
 * net_translate puts the host behind a translator, which forwards 500 and 4500 to it, and shows its 4500 under another port. net_move gives it
 * another port, or another address: what goes to the old ones is lost.
 */
void net_translate(struct world *world, unsigned int host);
void net_move(struct world *world);
/* net_leads_to: what goes to this address and port reaches the host. */
bool net_leads_to(const struct host *host, const struct hf_addr *addr, uint16_t port);
/* net_forward makes a path as its receiver sees it of one as it is on the wire; false when it leads nowhere. */
bool net_forward(const struct host *host, struct ike_path *path);
void net_heal(struct world *world);

/* ---- forger.c ---- */

void forger_act(struct world *world);

/* ---- judge.c ---- */

void judge_output(struct world *world, const struct ike_output *out);
void judge_up(struct world *world, unsigned int host, const struct ike_output *out);
/* judge_record: a host announced a Child SA; if its other end is known, they must agree. */
void judge_record(struct world *world, unsigned int host, const struct child *child);
/* judge_sending: the host begins to send with it now. */
void judge_sending(struct world *world, unsigned int host, const struct kid_note *kid);
void judge_call(struct world *world);
/* judge_calm: why it is not calm; NULL when every pair that wants to has exactly one Child SA each way and nothing else is left. */
const char *judge_calm(struct world *world);
/* judge_empty: what is left in an engine that should have nothing; NULL = nothing. */
const char *judge_empty(struct world *world, unsigned int host);
/* judge_host: why the host does not have just so many IKE SAs and Child SAs, and nothing under way; NULL = it has. */
const char *judge_host(struct world *world, unsigned int host, unsigned int sas, unsigned int children);
/* judge_sends: outbound SAs of the host to the peer. */
unsigned int judge_sends(const struct world *world, unsigned int host, unsigned int peer);
/* judge_agree: each outbound SA between the two has its inbound one at the other end. */
bool judge_agree(const struct world *world, unsigned int a, unsigned int b);

#endif
