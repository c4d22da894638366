// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of this room share. An IKE SA is a `struct sa`; what it needs only while keys are being made is a `struct work` beside it; its
 * Child SAs are `struct kid`s. Messages that must be sent again or looked at later are blobs: chains of small blocks.
 *
 *   input.c     a datagram's way to the handler that states.c names for it
 *   send.c      requests, responses, retransmission; window 1 (RFC 7296 2.1, 2.2, 2.3)
 *   sa_init.c   intermediate.c  auth.c  create.c  rekey.c  info.c     one exchange each, both roles, both directions
 *   followup.c  the additional key exchange that create.c and rekey.c have in common
 *   child.c     Child SAs: what the exchanges that make them have in common
 *   crossing.c  several SAs of the same peers (docs/COLLISIONS.md 1)
 *   quota.c     what strangers may cost
 */
#ifndef IKE_INTERNAL_H
#define IKE_INTERNAL_H

#include "base/nstime.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/timers.h"
#include "ike/cookie.h"
#include "ike/ike.h"
#include "ike/keylog.h"
#include "ike/keymat.h"
#include "ike/limits.h"
#include "ike/proposal.h"
#include "ike/seal.h"
#include "ike/ts.h"
#include "ike/wire.h"

#define NONCE_LEN 32
#define NONCE_MAX 256

/* ---- memory of messages (blob.c) ---- */

/* Zeroed = empty. */
struct blob {
	uint32_t first; /* 1 + index of the first block; 0 = none */
	uint32_t len;
};

struct block {
	uint32_t next; /* 1 + index; 0 = end */
	uint8_t octets[IKE_BLOCK];
};

struct blocks {
	struct block *all;
	uint32_t max, used;
	uint32_t fresh; /* never used so far: from this index on, so that memory is touched when it is needed */
	uint32_t free;	/* 1 + index of the first returned one; 0 = none */
};

/* ---- Child SAs ---- */

enum kid_state {
	KID_INSTALLING, /* CHILD_UP is out, ike_installed has not come */
	KID_UP,
	KID_REPLACED, /* a successor stands; waits for its Delete */
	KID_DELETING, /* our Delete is under way or wanted */
};

struct kid {
	enum kid_state state;
	uint32_t sa;	    /* index of its IKE SA */
	uint32_t next;	    /* of the same IKE SA: 1 + index, 0 = end */
	struct child child; /* the keys are wiped once both directions were handed out */
	bool mine;	    /* this host started the exchange that made it */
	bool announced;	    /* CHILD_UP went out */
	bool out_installed; /* or never to be */
	bool quiet;	    /* no longer sent with */
	bool in_auth;	    /* made by IKE_AUTH: its response waits for ike_installed */
	bool rekey_wanted;
	bool supplanted; /* another was made without a word about this one: deleted at drop_ns */
	bool unwanted;	 /* closed by the caller before its kernel had it */
	bool gone;	 /* deleted on both sides; its inbound SA stays for packets under way */
	bool unproven;	 /* the peer asked for it, and nothing shows that it has our answer, however long ago */
	uint32_t heir;	 /* 1 + index of the child that replaces this one, as far as known */
	uint8_t low_nonce[NONCE_LEN]; /* the lower of Ni and Nr of the exchange that made it, cut */
	uint64_t rekey_ns;	      /* when its successor is due; NSTIME_NEVER */
	uint64_t drop_ns;	      /* when a replaced one goes without Delete; NSTIME_NEVER */
	uint64_t unproven_ns;	      /* an unproven one is not spoken of until then; NSTIME_NEVER: it may be */
};

/* ---- IKE SAs ---- */

enum sa_state {
	SA_INIT_SENT, /* initiator: waits for responses; each plausible one becomes a candidate, an SA of its own */
	SA_INTERMEDIATE_SENT, /* candidate */
	SA_KEY_AWAITED,	      /* candidate: has everything but the caller's answer */
	SA_AUTH_SENT,	      /* candidate */
	SA_HALF_OPEN,	      /* responder: has answered IKE_SA_INIT */
	SA_KEY_ASKED,	      /* responder: IKE_AUTH waits for the caller's answer */
	SA_INSTALLING,	      /* responder: the peer is authenticated; IKE_AUTH's response waits for ike_installed */
	SA_ESTABLISHED,
	SA_REKEYED, /* another SA took its place; waits for its Delete, or for ours to be answered */
	SA_CLOSING, /* our Delete is under way */
	SA_STATES
};

#define SA_STATE_BIT(state) (1u << (state))

enum request_kind {
	REQUEST_NONE,
	REQUEST_INIT,
	REQUEST_INTERMEDIATE,
	REQUEST_AUTH,
	REQUEST_REKEY_CHILD,
	REQUEST_NEW_CHILD,
	REQUEST_REKEY_SA,
	REQUEST_DELETE_CHILD,
	REQUEST_DELETE_SA,
	REQUEST_PROBE,
};

/* Our one outstanding request. */
struct request {
	enum request_kind kind;
	uint8_t exchange; /* enum exchange */
	uint32_t mid;
	uint32_t kid;	    /* 1 + index: the child it is about; 0 = none */
	unsigned int tries; /* sendings so far */
	unsigned int tries_max;
	uint64_t again_ns;   /* next sending, or giving up; NSTIME_NEVER: none (superseded) */
	struct blob message; /* datagrams, each after its length in 2 octets */
};

/* What an SA wants to say next, as bits; one request at a time (window 1). */
enum want {
	WANT_CLOSE = 1 << 0,
	WANT_REKEY_SA = 1 << 2,
	WANT_REKEY_KID = 1 << 3, /* those whose rekey_ns has passed */
	WANT_NEW_KID = 1 << 4,
	WANT_PROBE = 1 << 5,
};

struct bucket {
	uint64_t full_ns; /* when it is full again: the token bucket as one time (GCRA) */
};

enum sa_feature {
	FEATURE_FRAGMENTATION = 1 << 0,
	FEATURE_INTERMEDIATE = 1 << 1,
	FEATURE_NAT_LOCAL = 1 << 2,  /* this host is behind NAT */
	FEATURE_NAT_REMOTE = 1 << 3, /* the peer is */
	FEATURE_ENCAP = 1 << 4,	     /* port 4500 and ESP in UDP */
	FEATURE_HASHES = 1 << 5,     /* the peer sent SIGNATURE_HASH_ALGORITHMS */
};

struct sa {
	struct timer timer;
	enum sa_state state;
	bool initiator; /* original initiator of this IKE SA: which keys are whose */
	bool known;	/* the caller has its handle: DOWN is owed */
	bool told_up;
	bool fail_open;
	bool initial_contact;
	bool superseded;     /* another SA of the peers stands: no failure if this one does not */
	bool loser;	     /* lost a crossing; deleted by its creator at drop_ns */
	bool refreshing;     /* its peer cannot rekey: a fresh IKE SA is being made, this one goes when it stands */
	bool short_probe;    /* U11: an answer is wanted soon */
	bool answer_awaited; /* ASK_KEY is out */
	bool have_keys;
	unsigned int features; /* sa_feature */
	unsigned int hashes;   /* the peer's, SIGN_HASHES bits */
	unsigned int wants;    /* want */
	uint8_t spi_i[SPI_LEN], spi_r[SPI_LEN];
	struct ike_path path;
	struct hf_addr
		behind; /* the host that the Child SAs are for, if the peer is its gateway; all zero = the peer itself */
	uint64_t tag;
	struct suite suite;
	struct keymat keys;
	uint64_t iv;	   /* of our last message under these keys */
	uint32_t send_mid; /* of our next request */
	uint32_t recv_mid; /* of the peer's next request */
	struct request request;
	struct blob response;  /* to request recv_mid - 1, as request.message */
	uint64_t request_hash; /* of that request's octets, or of its first fragment's */
	uint32_t work;	       /* 1 + index: for IKE_SA_INIT to IKE_AUTH, or our CREATE_CHILD_SA; 0 = none */
	uint32_t peer_work;    /* for the peer's CREATE_CHILD_SA that waits for ike_installed */
	uint32_t reassembly;   /* 1 + index; 0 = none */
	uint32_t kids;	       /* 1 + index of the first; 0 = none */
	uint32_t sibling;      /* 1 + index: SAs with the same SPI of ours (an attempt and its candidates) */
	uint32_t mother;       /* 1 + index, of a candidate; 0 = none */
	uint32_t next_of_pair; /* 1 + index */
	uint32_t heir;	       /* 1 + index: IKE SA made by the peer's rekey of this one, while ours is under way */
	uint32_t ancestor;     /* 1 + index: whose heir this is */
	enum ike_auth auth;
	uint8_t key[SHA256_LEN];	 /* of the peer's SPKI, or of PSK */
	uint8_t low_nonce[NONCE_LEN];	 /* lower of Ni and Nr, cut */
	uint8_t origin_nonce[NONCE_LEN]; /* that of the IKE_SA_INIT that all this began with: rekeying keeps it */
	uint8_t crash_token[SHA256_LEN]; /* hash of the peer's; zero = none */
	enum ike_reason down_reason;	 /* of a close that we want */
	uint16_t notify;		 /* last error type of the peer */
	unsigned int bad_icvs;
	unsigned int temporary;		     /* TEMPORARY_FAILUREs in a row */
	uint32_t heard;			     /* messages taken since it is established */
	struct bucket creates, infos, hints; /* hints: unprotected ones, which must not use up what the peer may ask */
	uint64_t started_ns, established_ns;
	uint64_t rekey_ns; /* NSTIME_NEVER: not by time */
	uint64_t retry_ns; /* wants wait until then after TEMPORARY_FAILURE; 0 */
	uint64_t drop_ns;  /* end of a half-open, superseded, replaced or losing SA; NSTIME_NEVER */
	uint64_t sent_ns;  /* last datagram, for NAT keepalives */
	bool half_open_counted, null_counted, in_pairs, in_init;
	struct hf_addr quota_addr, null_addr; /* counted under them */
	struct hf_pair init_key;	      /* in the table of IKE_SA_INIT requests */
};

/* While keys are being made. */
struct work {
	struct kex_private private;
	uint16_t kex;		  /* group of our KE payload; KE_NONE without */
	uint8_t nonce[NONCE_LEN]; /* ours */
	struct blob peer_nonce, peer_ke;
	struct blob init_i, init_r; /* IKE_SA_INIT messages, from SPIi on */
	struct blob cookie;
	unsigned int cookie_rounds, ke_rounds, followed;
	uint8_t tried[IKE_TRIED_MAX][SPI_LEN]; /* SPIs of the last answers that were followed up, of `followed` in all */
	struct bucket answers;		       /* to be followed up */
	unsigned int rounds_left;	       /* IKE_INTERMEDIATE still to come */
	uint8_t intauth_i[PRF_LEN_MAX], intauth_r[PRF_LEN_MAX];
	bool intauth;
	struct keymat old_keys; /* responder: before the last IKE_INTERMEDIATE, whose request may come again */
	bool has_old_keys;
	/* the caller's answer */
	bool answered, null;
	size_t keys;
	struct blob spki[IKE_KEYS_MAX], psk;
	uint8_t peer_id_type, own_id_type;
	struct blob peer_id, own_id; /* demanded of the peer; ours */
	/* IKE_AUTH */
	struct blob plain; /* the peer's request while the caller thinks */
	uint8_t plain_first;
	uint32_t spi_in_be; /* of the Child SA we offer */
	/* Child SA and IKE SA being made */
	struct suite suite;
	uint32_t kid;		  /* 1 + index: being made */
	uint32_t old_kid;	  /* being replaced */
	uint32_t rival;		  /* ours: what the peer's rekey of the same made meanwhile */
	bool supplants;		  /* the peer made a further one without REKEY_SA */
	uint16_t child_error;	  /* notify that answers instead of a Child SA */
	uint8_t spi_new[SPI_LEN]; /* rekey of an IKE SA: ours */
	/* What a CREATE_CHILD_SA has brought so far, while its IKE_FOLLOWUP_KE is awaited (followup.c); peer_nonce above. */
	bool followup;
	bool of_sa; /* the peer's rekey of the IKE SA */
	struct blob link;
	uint8_t shared[KEX_SHARED_MAX];
	uint16_t shared_len;
	struct child child;
	uint8_t spi_peer[SPI_LEN];
	uint64_t drop_ns; /* the peer's: when it is forgotten */
};

struct queued {
	struct ike_output output;
	struct blob blob; /* datagram, or identity | SPKI */
	uint32_t split;	  /* octets of the identity in it */
};

struct ike {
	struct ike_options options;
	uint8_t own_id[IKE_IDENTITY_MAX];
	struct offer offer_init, offer_rekey, offer_child, offer_child_rekey;
	struct pool sas, works, kids, reassemblies;
	struct table by_spi, by_init, by_pair, sources, nulls;
	struct timers timers;
	struct blocks blocks;
	struct queued outputs[IKE_OUTPUTS];
	uint32_t output_first, output_count;
	struct cookie_jar jar;
	struct bucket errors, work_budget;
	struct bucket site_errors[IKE_ERROR_SITES]; /* by hash of the site: two that share one share its rate */
	uint32_t half_open, nulls_count, half_open_max;
	struct ike_counts counts;
	/* Buffers of one call. */
	uint8_t in_plain[IKE_MESSAGE_MAX], out_plain[IKE_MESSAGE_MAX], datagram[IKE_MESSAGE_MAX],
		joined[IKE_MESSAGE_MAX];
	uint8_t copies[2][IKE_MESSAGE_MAX]; /* of blobs */
	uint8_t output_copy[IKE_MESSAGE_MAX];
};

/* Memory of one reassembly. */
struct assembling {
	uint64_t drop_ns;
	struct reassembly state;
	uint8_t store[IKE_REASSEMBLY_LEN];
};

/* ---- blob.c ---- */

/* blob_set replaces the content. -ENOBUFS leaves it empty. */
int blob_set(struct ike *ike, struct blob *blob, struct view content);
int blob_append(struct ike *ike, struct blob *blob, struct view content);
void blob_clear(struct ike *ike, struct blob *blob);
/* blob_view joins the content in `memory` (room for it). */
struct view blob_view(const struct ike *ike, const struct blob *blob, uint8_t *memory, size_t max);

/* ---- output.c ---- */

void output_send(struct ike *ike, const struct sa *sa, const struct ike_path *path, struct view datagram);
void output_ask(struct ike *ike, const struct sa *sa, bool responder, struct ike_identity id, struct view spki,
		bool null);
void output_up(struct ike *ike, const struct sa *sa, struct ike_identity id);
void output_replaced(struct ike *ike, const struct sa *sa, struct handle old);
void output_child(struct ike *ike, enum ike_output_type type, const struct kid *kid, bool in, bool out,
		  uint32_t replaces_in_be, bool replaced);
void output_down(struct ike *ike, const struct sa *sa, struct handle handle, enum ike_reason reason);

/* ---- sa.c ---- */

struct sa *sa_new(struct ike *ike, bool initiator, const struct ike_path *path, uint64_t now);
/* sa_drop tells the caller (unless it is a candidate with others left) and frees everything; children first. */
void sa_drop(struct ike *ike, struct sa *sa, enum ike_reason reason, uint64_t now);
/* sa_free frees without a word. */
void sa_free(struct ike *ike, struct sa *sa);
struct sa *sa_at(const struct ike *ike, uint32_t index_and_1);
uint32_t sa_ref(const struct ike *ike, const struct sa *sa); /* 1 + index */
struct work *sa_work(const struct ike *ike, const struct sa *sa);
struct work *sa_peer_work(const struct ike *ike, const struct sa *sa);
/* work_new: NULL when there is no room. */
struct work *work_new(struct ike *ike, uint32_t *ref);
void work_free(struct ike *ike, uint32_t *ref);
const uint8_t *sa_own_spi(const struct sa *sa);
const uint8_t *sa_peer_spi(const struct sa *sa);
/* sa_index_spi enters the SA under its own SPI; -ENOBUFS. */
int sa_index_spi(struct ike *ike, struct sa *sa);
struct sa *sa_find(const struct ike *ike, const uint8_t own_spi[SPI_LEN]);
/* sa_enter_pair and sa_leave_pair: the list of SAs of a pair of hosts. */
void sa_enter_pair(struct ike *ike, struct sa *sa);
void sa_leave_pair(struct ike *ike, struct sa *sa);
struct sa *sa_first_of_pair(const struct ike *ike, const struct hf_pair *pair);
struct hf_pair sa_pair(const struct sa *sa);
/* sa_is_through: the peer is the gateway of the host that the Child SAs are for. */
bool sa_is_through(const struct sa *sa);
/* sa_schedule sets the timer to the earliest of what the SA waits for. */
void sa_schedule(struct ike *ike, struct sa *sa);
void sa_expire(struct ike *ike, struct sa *sa, uint64_t now);
/* sa_established: authenticated, both ways. Lifetimes start; what was needed only before is freed. */
void sa_established(struct ike *ike, struct sa *sa, uint64_t now);
unsigned int sa_candidates(const struct ike *ike, const struct sa *mother);
void sa_leave_init(struct ike *ike, struct sa *sa);
const char *sa_state_name(enum sa_state state);
uint64_t ike_jitter(struct ike *ike, uint64_t span, unsigned int percent); /* span +- percent */
void ike_random(struct ike *ike, void *out, size_t len);
bool bucket_take(struct bucket *bucket, uint64_t span, unsigned int burst, uint64_t now);
/* nonce_low keeps the lower of two nonces, cut to NONCE_LEN. */
void nonce_low(uint8_t out[NONCE_LEN], struct view a, struct view b);

/* ---- input.c ---- */

/* input_forget_fragments gives the memory of an incomplete message back. */
void input_forget_fragments(struct ike *ike, struct sa *sa);
/* input_fragments_end is when an incomplete message is given up; NSTIME_NEVER without one. */
uint64_t input_fragments_end(const struct ike *ike, const struct sa *sa);

/* ---- engine.c ---- */

/*
 * engine_refresh makes a fresh IKE SA with the peer of this one, which answered NO_ADDITIONAL_SAS to a rekey (RFC 7296 1.3, docs/COLLISIONS.md A3). The
 * caller is asked for its key as for any attempt, with the same tag.
 */
void engine_refresh(struct ike *ike, struct sa *sa, uint64_t now);

/* ---- send.c ---- */

/* A message being answered or begun: plain text in ike->out_plain. */
void send_begin(struct ike *ike, struct message *message);
/*
 * send_request seals what `message` holds and sends it as our request of the kind. 0, or our trouble: the caller drops the SA.
 */
int send_request(struct ike *ike, struct sa *sa, enum request_kind kind, enum exchange exchange,
		 struct message *message, uint64_t now);
int send_response(struct ike *ike, struct sa *sa, enum exchange exchange, struct message *message, uint64_t now);
/* send_notify_response answers the request with one notify. */
int send_notify_response(struct ike *ike, struct sa *sa, enum exchange exchange, uint16_t type, struct view data,
			 uint64_t now);
/* send_plain_request sends an IKE_SA_INIT request as it stands. */
int send_init(struct ike *ike, struct sa *sa, struct view message, uint64_t now);
void send_again(struct ike *ike, struct sa *sa, const struct blob *datagrams, uint64_t now);
/* send_bare sends a message without SA, along the way the question came. */
void send_bare(struct ike *ike, const struct sa *sa, const struct ike_path *path, struct view message);
/* send_later: the peer has no time for it, or we have no room: `want` once more, later (RFC 7296 2.25); too often ends the SA. */
void send_later(struct ike *ike, struct sa *sa, enum want want, uint64_t now);
/* send_done: the response to our request is there. */
void send_done(struct ike *ike, struct sa *sa);
/* send_retransmit: the request's time has come. */
void send_retransmit(struct ike *ike, struct sa *sa, uint64_t now);
/* send_next starts the next request that the SA wants, if none is outstanding. May drop the SA. */
void send_next(struct ike *ike, struct sa *sa, uint64_t now);

/* ---- exchanges ---- */

/* A message for a handler, verified and parsed. */
struct received {
	struct sa *sa;
	const struct ike_path *path;
	struct header header;
	struct view datagram; /* from SPIi on */
	struct chain chain;   /* of the plain text; of IKE_SA_INIT: of the message */
	struct view plain;
	uint8_t plain_first;
};

/* sa_init.c, init_initiator.c, init_responder.c */
void init_write_common(struct ike *ike, struct message *message, const struct header *header,
		       const struct ike_path *path, bool intermediate);
void init_read_common(struct ike *ike, struct sa *sa, const struct chain *chain, const struct header *header,
		      const struct ike_path *path);
int init_set_suite(struct sa *sa, const struct suite *suite);
int init_derive(struct ike *ike, struct sa *sa, struct view ni, struct view nr, struct view shared);
/* init_promote: the candidate has proved itself; the attempt's SA takes over what it is. */
struct sa *init_promote(struct ike *ike, struct sa *candidate);
int init_start(struct ike *ike, struct sa *sa, uint64_t now);
void init_on_request(struct ike *ike, const struct ike_path *path, const struct header *header, struct view datagram,
		     uint64_t now);
void init_on_response(struct ike *ike, struct sa *mother, const struct ike_path *path, const struct header *header,
		      struct view datagram, uint64_t now);
/* init_keys derives the keys of a responder's half-open SA, at its first protected message. 0, -EBADMSG or our trouble. */
int init_keys(struct ike *ike, struct sa *sa);
void init_refuse(struct ike *ike, const struct ike_path *path, const struct header *header, uint16_t type,
		 struct view data, uint64_t now);

/* Handlers of states.c; they may drop the SA. */
void intermediate_on_request(struct ike *ike, struct received *in, uint64_t now);
void intermediate_on_response(struct ike *ike, struct received *in, uint64_t now);
void intermediate_start(struct ike *ike, struct sa *sa, uint64_t now);
void auth_start(struct ike *ike, struct sa *sa, uint64_t now);
void auth_on_request(struct ike *ike, struct received *in, uint64_t now);
void auth_on_response(struct ike *ike, struct received *in, uint64_t now);
void auth_on_installed(struct ike *ike, struct sa *sa, struct kid *kid, int error, uint64_t now);
void create_on_request(struct ike *ike, struct received *in, uint64_t now);
void create_on_response(struct ike *ike, struct received *in, uint64_t now);
/* create_on_installed: false when no exchange waits for the child. */
bool create_on_installed(struct ike *ike, struct sa *sa, struct kid *kid, int error, uint64_t now);
/* create_refuse answers CREATE_CHILD_SA with a notify; `rekey`, of the request, for CHILD_SA_NOT_FOUND; `group` for INVALID_KE_PAYLOAD. */
void create_refuse(struct ike *ike, struct sa *sa, int notify, const struct notify *rekey, uint16_t group,
		   uint64_t now);
/* create_follow goes on with the peer's Child SA when its additional key exchange is done. 0, a notify or our trouble. */
int create_follow(struct ike *ike, struct sa *sa, struct view added, uint64_t now);
void create_start(struct ike *ike, struct sa *sa, struct kid *old, uint64_t now);
void rekey_start(struct ike *ike, struct sa *sa, uint64_t now);
void rekey_on_request(struct ike *ike, struct received *in, uint64_t now);
void rekey_on_response(struct ike *ike, struct received *in, uint64_t now);
/* rekey_finish goes on with the peer's rekey when its additional key exchange is done, and writes the end of the answer. */
int rekey_finish(struct ike *ike, struct sa *sa, struct view added, struct message *answer, struct sa **out,
		 uint64_t now);
/* rekey_settle: the answer of the peer's rekey is out. */
void rekey_settle(struct ike *ike, struct sa *sa, struct sa *new, uint64_t now);
/* rekey_follow: the peer talks on what it made of an SA that we are rekeying as well, so that is the one. */
void rekey_follow(struct ike *ike, struct sa *sa, uint64_t now);
/* rekey_adopt moves what the old SA has to the new one, which stands for it from now on. */
void rekey_adopt(struct ike *ike, struct sa *old, struct sa *new, uint64_t now);
void info_on_request(struct ike *ike, struct received *in, uint64_t now);
void info_on_response(struct ike *ike, struct received *in, uint64_t now);
void info_close(struct ike *ike, struct sa *sa, uint64_t now);
void info_delete_kid(struct ike *ike, struct sa *sa, struct kid *kid, uint64_t now);
void info_probe(struct ike *ike, struct sa *sa, uint64_t now);
/* info_on_clear: an unprotected message to an SA: crash tokens (RFC 6290). */
void info_on_clear(struct ike *ike, struct sa *sa, const struct chain *chain, uint64_t now);
/* info_unknown answers a protected request whose SPIs nobody knows. */
void info_unknown(struct ike *ike, const struct ike_path *path, const struct header *header, uint64_t now);

/* ---- followup.c ---- */

/* followup_keep keeps the secret (or none) and the peer's nonce of a first key exchange in the work. */
int followup_keep(struct ike *ike, struct work *work, struct view nonce, struct view shared);
/* followup_child derives the keys of work->child; `added` is empty without an additional key exchange. */
int followup_child(struct ike *ike, const struct sa *sa, struct work *work, bool initiator, struct view added);
/* followup_offered: whether our rekeys ask for an additional key exchange. Then none of the peer's is taken at the same time. */
bool followup_offered(const struct offer *offer);
/* followup_ask sends our half of the additional key exchange, as the next request of the same kind. */
int followup_ask(struct ike *ike, struct sa *sa, struct work *work, enum request_kind kind, const struct chain *chain,
		 uint64_t now);
/* followup_answered: the peer's half. The secret goes to `shared` (KEX_SHARED_MAX). 0 or -EBADMSG. */
int followup_answered(struct view *added, uint8_t *shared, const struct work *work, const struct chain *chain);
/* followup_await makes the peer's request wait for its additional key exchange, and writes the link into the answer. */
void followup_await(struct ike *ike, struct sa *sa, struct work *work, struct message *answer, uint64_t now);
void followup_on_request(struct ike *ike, struct received *in, uint64_t now);
/* followup_forget: the peer's request does not go on. */
void followup_forget(struct ike *ike, struct sa *sa);
bool followup_awaited(const struct ike *ike, const struct sa *sa);

/* ---- child.c ---- */

struct kid *kid_at(const struct ike *ike, uint32_t ref);
uint32_t kid_ref(const struct ike *ike, const struct kid *kid);
/* kid_new makes a child of the SA with an inbound SPI of ours. NULL: no room, or no SPI. */
struct kid *kid_new(struct ike *ike, struct sa *sa, uint32_t spi_in_be, uint64_t now);
/* kid_remove: CHILD_DOWN, and gone. */
void kid_remove(struct ike *ike, struct kid *kid);
struct kid *kid_by_out(const struct ike *ike, const struct sa *sa, uint32_t spi_out_be);
/* kid_up announces it; `out`: to be sent with at once. kid_installed: the kernel has it. */
void kid_up(struct ike *ike, struct kid *kid, bool out, uint32_t replaces_in_be);
void kid_installed(struct kid *kid);
/* kid_unlink takes it off its IKE SA's list. */
void kid_unlink(struct ike *ike, struct kid *kid);
/* kid_all_proven: the peer has every answer of ours on this IKE SA, so it knows all its children. */
void kid_all_proven(struct ike *ike, struct sa *sa);
/* kid_not_known: the peer said that it has no such child, and may get it yet. What we want with it waits. */
void kid_not_known(struct ike *ike, struct sa *sa, struct kid *kid, uint64_t now);
/* kid_use begins to send with it: CHILD_USE unless it does already. */
void kid_use(struct ike *ike, struct kid *kid);
/* kid_linger ends it: out at once, in a little later if another goes on. */
void kid_linger(struct ike *ike, struct kid *kid, uint64_t now);
/* kid_quiet stops sending with it. */
void kid_quiet(struct ike *ike, struct kid *kid);
/* kid_replace: `heir` stands for `old` from now on. */
void kid_replace(struct ike *ike, struct kid *old, struct kid *heir, uint64_t now);
/* kid_supplant: `heir` was made beside it; it sends no more, and is deleted if the peer does not. */
void kid_supplant(struct ike *ike, struct kid *old, struct kid *heir, uint64_t now);
uint32_t child_spi(struct ike *ike, const struct sa *sa);
/* child_write_spi writes the SA payload: all of the offer, or without one the suite that was chosen. */
void child_write_spi(struct message *message, const struct offer *offer, const struct suite *suite, uint32_t spi_in_be);
/* child_write_ts writes TSi and TSr; `initiator` of this exchange. */
void child_write_ts(struct message *message, const struct sa *sa, bool initiator);
/*
 * child_agree reads the peer's SA, TSi, TSr, mode (`chain`) into the kid and the suite. `responder`: choose; else check. 0 or
 * the notify to answer with.
 */
int child_agree(struct ike *ike, struct sa *sa, struct child *child, struct suite *suite, const struct chain *chain,
		bool responder, const struct offer *offer, uint16_t ke_hint);
/* child_encap fills encapsulation from the SA's path. */
void child_encap(struct child *child, const struct sa *sa);

/* ---- crossing.c ---- */

/* crossing_settle: the SA was just established; what of the same peers is superfluous now (docs/COLLISIONS.md 1). May not drop `sa`. */
void crossing_settle(struct ike *ike, struct sa *sa, uint64_t now);
/*
 * crossing_restarted: the peer has proved itself and says that it has no other SA (U4): those of before go, before there are new ones. What is
 * sent meanwhile waits; sealed with one of them, the peer could not open it.
 */
void crossing_restarted(struct ike *ike, struct sa *sa, uint64_t now);
/* crossing_has_other: another SA of the two hosts stands, so that this one is not the first contact (RFC 7296 2.4). */
bool crossing_has_other(struct ike *ike, const struct sa *sa);
/* crossing_gone: the SA ends; one that lost against it is needed again, if it is still there. */
void crossing_gone(struct ike *ike, const struct sa *sa, uint64_t now);
/* crossing_lose: it is not used for sending any more, and goes. */
void crossing_lose(struct ike *ike, struct sa *sa, uint64_t now);
/*
 * crossing_is_needed: the peer is not known to have the SA that is to stand in for this one (U11): its maker may wait for our answer,
 * or have died before it came, and send with the Child SAs of this one.
 */
bool crossing_is_needed(struct ike *ike, const struct sa *sa);
/* crossing_alive: the old SA answered its probe (U11). */
void crossing_alive(struct ike *ike, struct sa *sa, uint64_t now);

/* ---- quota.c ---- */

enum quota { QUOTA_PASS, QUOTA_COOKIE, QUOTA_REFUSE };

/* quota_ask: what a stranger gets for an IKE_SA_INIT request. */
enum quota quota_ask(struct ike *ike, const struct ike_path *path, bool cookie_good);
int quota_enter(struct ike *ike, struct sa *sa);
void quota_leave(struct ike *ike, struct sa *sa);
bool quota_work(struct ike *ike, unsigned int cost, uint64_t now);
void quota_refund(struct ike *ike, unsigned int cost, uint64_t now);
/* quota_error: whether a stranger gets an unprotected answer. */
bool quota_error(struct ike *ike, const struct hf_addr *stranger, uint64_t now);
bool quota_null(struct ike *ike, struct sa *sa);
void quota_null_leave(struct ike *ike, struct sa *sa);
uint64_t quota_half_open_life(const struct ike *ike);

/* ---- states.c ---- */

struct row {
	enum exchange exchange;
	bool response;
	uint32_t states;   /* SA_STATE_BITs in which it is acceptable */
	uint32_t required; /* SLOT_BITs inside SK */
	uint32_t allowed;  /* besides those; notifies and vendor ids always */
	void (*handler)(struct ike *ike, struct received *in, uint64_t now);
};

/* states_find is the row, or NULL: not acceptable now. */
const struct row *states_find(enum exchange exchange, bool response, enum sa_state state);
/* states_check: 0 when the table is sound: rows do not overlap, have a handler, and require nothing they do not allow. */
int states_check(void);
size_t states_rows(const struct row **rows);

#endif
