// SPDX-License-Identifier: Apache-2.0
/*
 * What the negotiator's files share: negotiator.c (life, the core's orders), negotiator_engine.c (the engine's outputs),
 * negotiator_keys.c (questions to discovery), negotiator_review.c (SAs whose key is not the peer's any more).
 */
#ifndef DAEMON_NEGOTIATOR_INTERNAL_H
#define DAEMON_NEGOTIATOR_INTERNAL_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "base/nstime.h"
#include "base/own.h"
#include "base/table.h"
#include "control/status.h"
#include "daemon/chronicle.h"
#include "daemon/hostkey.h"
#include "daemon/internal.h"
#include "daemon/renewal.h"
#include "daemon/resolvers.h"
#include "daemon/succession.h"
#include "discover/discover.h"
#include "discover/keytext.h"
#include "discover/known.h"
#include "net/udp.h"
#include "daemon/negotiator.h"

/* Questions to discovery that wait for their answer, from the core and from the engine. */
#define QUESTIONS_MAX 4096

/* Tags of IKE SAs: whether this host started it, and the trust of the keys that the engine was given. */
#define TAG_OURS 1
#define TAG_TRUST_SHIFT 8

/* How often the store of known peers is looked through for those whose time is over. */
#define KNOWN_LOOK_S 3600
/* And how soon a disk that refused is asked again. */
#define KNOWN_CATCH_UP_S 10

enum asker { ASKER_CORE, ASKER_ENGINE, ASKER_STORE, ASKER_OPERATOR, ASKER_REVIEW, ASKER_ADOPTED };

struct question {
	enum asker asker;
	struct handle of; /* peer, or IKE SA */
	struct hf_pair pair;
	struct hf_addr
		gateway; /* ENGINE, STORE, REVIEW, ADOPTED: through which the SAs go that it is about; all zero = none */
	uint64_t tag;
	uint8_t key[SHA256_LEN]; /* STORE, REVIEW, ADOPTED: that was proved; all zero = not known which */
};

/* Who was the last to prove a key: what its Child SA is told with. */
struct proof {
	struct handle sa;
	bool verified;	 /* by a signature, with a key of verified trust */
	bool was_sticky; /* before this */
	bool withdrawn;	 /* while IKE was under way: nothing of this SA is used */
};

/* A Child SA that the core knows by its inbound SPI. */
struct known_child {
	struct handle child;
	struct hf_pair key;
	struct hf_addr remote; /* as the core knows it, wherever the peer's NAT has moved it to */
	uint64_t since_ns;
	bool answered; /* the engine knows what the kernel said */
};

struct verdict {
	struct handle child;
	int error;
};

#define VERDICTS_MAX 64

struct negotiator {
	struct agent *agent;
	struct ike *ike;
	void *ike_memory, *pool_memory[2], *table_memory;
	struct pool questions, children;
	struct table by_spi;
	struct udp *udp;
	struct discover *discover;
	struct sign_key *key;
	struct event *timer, *known_timer, *catch_up_timer, *review_timer, *sockets[UDP_SOCKETS];
	uint32_t review_place;	   /* where the walk over the IKE SAs goes on */
	unsigned int review_ended; /* in this turn */
	struct known *known;
	struct proof proof;
	struct succession *succession;
	struct renewals *renewals;
	struct status_lifetimes lifetimes;
	struct verdict verdicts[VERDICTS_MAX];
	size_t verdict_count;
	bool settling;
	bool asked;		     /* the datagram that was taken asks after an SA of an earlier agent's */
	char key_text[KEYTEXT_MAX];  /* this host's public key, "" = none */
	char problem[ERR_TEXT_MAX];  /* "" = none */
	struct foresight *foresight; /* of the operator's question that is being asked, NULL = none */
};

/* What discovery says at once. */
struct foresight {
	char *out;
	size_t out_max;
	bool usable, forged;
};

/* negotiator_child is the Child SA that the core knows by its inbound SPI, or NULL. */
struct known_child *negotiator_child(const struct negotiator *negotiator, const struct hf_pair *pair,
				     uint32_t spi_in_be);
/* negotiator_answer keeps what the kernel said of a new Child SA until the engine may hear it. */
void negotiator_answer(struct negotiator *negotiator, struct handle child, int error);
struct journal *negotiator_journal(const struct negotiator *negotiator);
/* negotiator_settle carries out all that the engine says, and sets the timer. After every call into the engine. */
void negotiator_settle(struct negotiator *negotiator);
void negotiator_on_timer(evutil_socket_t fd, short what, void *arg);
void negotiator_on_datagram(void *arg, const struct ike_path *path, struct view datagram);
void negotiator_on_socket(evutil_socket_t fd, short what, void *arg);

/* negotiator_ask asks discovery; the answer finds its way to who asked. */
void negotiator_ask(struct negotiator *negotiator, const struct question *like);
void negotiator_on_found(void *arg, uint64_t id, const struct hf_addr *addr, const struct discover_answer *answer);
bool negotiator_foresee(void *arg, const struct hf_addr *remote, bool *forged, char *out, size_t out_max);
uint64_t negotiator_wall_s(void);

/* negotiator_review looks through all IKE SAs, in slices, for those whose key is not the peer's any more, and ends them. */
void negotiator_review(void *arg);
void negotiator_on_review(evutil_socket_t fd, short what, void *arg);
/* negotiator_is_withdrawn: the answer is that this key, or this way to it, is not the address's, and not only that nobody knows. */
bool negotiator_is_withdrawn(const struct discover_answer *answer, const struct question *question);
/*
 * negotiator_answer_review ends what was made with the key of the question if it was withdrawn, or has it replaced if the DNS has another
 * one; false when neither.
 */
bool negotiator_answer_review(struct negotiator *negotiator, const struct question *question,
			      const struct discover_answer *answer);
/* negotiator_start begins IKE as initiator, with the gateway in front of the remote host if there is one (all zero: none). */
void negotiator_start(struct negotiator *negotiator, const struct hf_pair *pair, const struct hf_addr *gateway,
		      bool initial_contact);

#endif
