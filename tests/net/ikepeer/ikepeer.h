// SPDX-License-Identifier: Apache-2.0
/*
 * The parts of ikepeer: options (options.c), the engine with its sockets and timer (engine.c), what it says and answers
 * (outputs.c), SAs and policies in the kernel (sas.c), commands (control.c), set-ups without end (load.c), the shield in front
 * (shield.c). main.c says what it is for.
 */
#ifndef IKEPEER_H
#define IKEPEER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/nstime.h"
#include "base/secret.h"
#include "ike/ike.h"
#include "net/udp.h"
#include "netlink/netlink.h"

#define LIST_MAX 8
#define CHILDREN_MAX 64
#define ASKS_MAX 512
#define CONNECTS_MAX 8

struct options {
	struct sign_key *key; /* NULL = none */
	struct secret psk;
	bool null;
	size_t keys;
	uint8_t spki[IKE_KEYS_MAX][SPKI_MAX];
	size_t spki_len[IKE_KEYS_MAX];
	const char *id, *peer_id; /* ID_FQDN; NULL = the engine's own, any */
	bool respond;
	size_t connects;
	struct hf_addr connect[CONNECTS_MAX];
	unsigned int answer_delay_ms;
	bool fail_open, initial_contact;
	bool no_kernel, quiet;
	uint32_t load_per_second; /* 0 = none */
	struct hf_addr load_from;
	const char *shield; /* interface */
	uint16_t kex[LIST_MAX];
	const char *control, *keylog;
	struct ike_options engine;
};

/* An installed Child SA. */
struct standing {
	bool used, in, out;
	struct handle sa, child;
	struct hf_pair pair;
	struct child keys; /* for a peer that moves */
};

/* ASK_KEY, to be answered after a while. */
struct ask {
	struct ikepeer *peer;
	struct event *timer;
	struct handle sa;
	bool responder, used;
};

/* CHILD_UP, done: told to the engine when its outputs are drawn. */
struct installed {
	struct handle child;
	int error;
};

/* What load.c keeps: of the set-ups that it began, how many became secure, how many came to nothing. */
struct load {
	struct event *tick;
	uint32_t per_second;
	uint64_t since_ns, due_before; /* when that pace began, and what was due by then */
	uint64_t begun, up, failed;
	struct handle finished[CHILDREN_MAX]; /* to be closed when the outputs are drawn */
	size_t finished_count;
};

struct ikepeer {
	struct options options;
	struct event_base *base;
	struct event *timer;
	struct ike *ike;
	void *memory;
	struct udp *udp;
	struct netlink *netlink;
	FILE *keylog;
	struct standing standing[CHILDREN_MAX];
	struct installed installed[CHILDREN_MAX];
	size_t installed_count;
	struct ask asks[ASKS_MAX];
	struct handle last_sa, last_child; /* what commands are about: the newest that is up */
	struct load load;
	uint32_t next_spi; /* of --no-kernel */
};

/* options.c: exits with 2 when they make no sense. */
void options_parse(struct options *out, int argc, char **argv);

/* engine.c: 0, or -errno with a reason. */
int engine_open(struct ikepeer *peer, struct err *err);
void engine_close(struct ikepeer *peer);
uint64_t engine_now(void);
void engine_connect(struct ikepeer *peer, const struct hf_addr *remote);
/* engine_begin is a part of it: from that address, and the outputs are still to be drawn. */
struct handle engine_begin(struct ikepeer *peer, const struct hf_addr *local, const struct hf_addr *remote);
/* engine_settle draws the outputs and sets the timer: after every call into the engine. */
void engine_settle(struct ikepeer *peer);

/* outputs.c */
void outputs_take(struct ikepeer *peer, struct ike_output *output);
/* say prints one line of the story that scenarios wait for. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* tell is say for what happens to one SA, which --quiet keeps back. */
#define tell(peer, ...) ((peer)->options.quiet ? (void)0 : say(__VA_ARGS__))

/* sas.c: errors are said, and returned for the engine. */
int sas_up(struct ikepeer *peer, const struct ike_output *output);
int sas_use(struct ikepeer *peer, const struct ike_output *output);
void sas_quiet(struct ikepeer *peer, const struct ike_output *output);
void sas_moved(struct ikepeer *peer, const struct ike_output *output);
void sas_down(struct ikepeer *peer, const struct ike_output *output);
uint32_t sas_spi(void *arg, const struct hf_pair *pair);

/* load.c: set-ups at a steady pace, each from another address and closed when it is secure. */
void load_start(struct ikepeer *peer);
void load_pace(struct ikepeer *peer, uint32_t per_second);
/* load_step makes one call into the engine if one is due. */
bool load_step(struct ikepeer *peer);
void load_up(struct ikepeer *peer, struct handle sa);
void load_down(struct ikepeer *peer, bool was_up);

/* shield.c: the product's shield on an interface, fed from this engine as the agent feeds it. */
int shield_open(struct ikepeer *peer, struct err *err);
void shield_say(void);
void shield_close(void);

/* control.c */
int commands_open(struct ikepeer *peer, struct err *err);

#endif
