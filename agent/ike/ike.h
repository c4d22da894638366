// SPDX-License-Identifier: Apache-2.0
/*
 * The IKEv2 engine (RFC 7296), sans I/O: datagrams, answers and the time go in, outputs come out. It opens no socket,
 * reads no clock, draws no random octets and allocates nothing after ike_init. One engine serves one host, as
 * initiator and responder, for any number of peers; what it speaks is listed in docs/PROTOCOL.md.
 *
 * After every call draw outputs with ike_next until it says false, in order and before the next call: a CHILD_UP stands
 * before the SEND that lets the peer use it. Everything a peer or a stranger sends is handled here;
 * what these functions return is about the caller's own doing only.
 */
#ifndef IKE_IKE_H
#define IKE_IKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/pool.h"
#include "crypto/crypto.h"
#include "holdfast/abi.h"
#include "holdfast/cookie.h"

/* ---- what the caller gives ---- */

/* Where datagrams go. Ports in host byte order. */
struct ike_path {
	struct hf_addr local, remote;
	uint16_t local_port, remote_port;
};

#define IKE_ID_FQDN 2

/* An identity as on the wire (RFC 7296 3.5). */
struct ike_identity {
	uint8_t type; /* ID_IPV4_ADDR 1, ID_FQDN 2, ID_IPV6_ADDR 5, ID_KEY_ID 11, ID_NULL 13 */
	struct view data;
};

#define IKE_IDENTITY_MAX 256 /* octets of a peer's identity that we look at; a longer one fails authentication */

/* What only the caller can do, called from inside the engine's functions. Must not call the engine. */
struct ike_host {
	void *arg;
	/* Unpredictable octets. */
	void (*random)(void *arg, void *out, size_t len);
	/* An inbound ESP SPI (network byte order, >= 0x100) that is free on this host for the pair; 0 when there is none. */
	uint32_t (*spi)(void *arg, const struct hf_pair *pair);
	/*
	 * Whether the pair sends with Child SAs that an earlier life of this host made. While it is so its peer is not told that their
	 * IKE SA is gone: it would take them away, and everything sent until there are others would be lost. NULL: never.
	 */
	bool (*survives)(void *arg, const struct hf_pair *pair);
	/*
	 * The keys of an SA, for a file that Wireshark reads; NULL, the rule, keeps them inside. `line` is one line of
	 * Wireshark's table without newline, `esp` says which table.
	 */
	void (*keylog)(void *arg, bool esp, const char *line);
};

/* Octets of suites in order of preference; 0 ends a list. NULL takes the profile's (docs/PROTOCOL.md). For tests and interop. */
struct ike_profile {
	const uint16_t *kex;	 /* transform type 4, e.g. { 31, 19, 14, 0 } */
	const uint16_t *add_kex; /* transform type 6 (ADDKE1), e.g. { 36, 0 } */
	bool add_kex_required;	 /* no proposal without one of them */
	bool cbc;		 /* a second proposal with AES-CBC and HMAC */
	bool child_pfs_required; /* no KE NONE when a Child SA is rekeyed */
};

struct ike_options {
	uint32_t sas_max;	   /* IKE SAs of all states */
	uint32_t children_max;	   /* 0 = sas_max * 9 / 8 */
	uint16_t port, encap_port; /* 0 = 500 and 4500 */
	uint32_t cookie_half_open; /* demand cookies from so many half-open SAs on; 0 = IKE_COOKIE_HALF_OPEN, 1 = always */
	uint32_t fragment_size;	   /* octets of an IP packet; 0 = 1280 */
	uint64_t child_life_ns;	   /* 0 = IKE_CHILD_LIFE: rekeyed at that age, with jitter */
	uint64_t sa_life_ns;	   /* 0 = IKE_SA_LIFE */
	bool force_encap;	   /* act as if there were NAT */
	struct ike_host host;
	struct ike_profile profile;
	const struct sign_key *key; /* ours; NULL: only PSK and NULL authentication. Outlives the engine */
	struct ike_identity id;	  /* ours, sent with signatures; type 0 = ID_KEY_ID, the SHA-256 of our SPKI. Copied */
	uint8_t crash_secret[32]; /* RFC 6290's, persistent over restarts; all zero = tokens are not made */
	uint8_t table_seed[16];	  /* unpredictable */
};

/* ---- what a Child SA is ---- */

enum child_algorithm {
	CHILD_AES_GCM_16_256,	 /* RFC 4106: 32 octets key, 4 salt */
	CHILD_AES_GCM_16_128,	 /* 16 + 4 */
	CHILD_CHACHA20_POLY1305, /* RFC 7634: 32 + 4 */
};

#define CHILD_ALGORITHMS 3
#define CHILD_KEY_MAX 36

/* A negotiated Child SA: both directions, seen from this host. Whoever holds one wipes it when done. */
struct child {
	uint32_t spi_in_be, spi_out_be; /* network byte order; spi_in is ours */
	enum child_algorithm algorithm;
	bool tunnel;
	bool esn;
	bool encap; /* ESP in UDP (RFC 3948) between these ports, host byte order */
	uint16_t encap_local, encap_remote;
	uint8_t key_in[CHILD_KEY_MAX], key_out[CHILD_KEY_MAX]; /* key, then salt */
};

/* ---- outputs ---- */

enum ike_output_type {
	IKE_SEND,	 /* send the datagram along the path; marker octets are in it where they belong */
	IKE_ASK_KEY,	 /* -> ike_answer, at once or later */
	IKE_UP,		 /* the peer has proved who it is */
	IKE_REPLACED,	 /* `sa` took the place of `old` (rekey); its children are now sa's */
	IKE_CHILD_UP,	 /* install what install_in and install_out say -> ike_installed */
	IKE_CHILD_USE,	 /* install the outbound SA of a child whose inbound SA stands already; the peer uses it */
	IKE_CHILD_QUIET, /* remove the outbound SA of the child; the inbound one stays (it lost a crossing) */
	IKE_CHILD_DOWN,	 /* remove both SAs of the child */
	IKE_CHILD_MOVED, /* the peer's address or port behind its NAT changed: path and encap ports are new */
	IKE_DOWN,	 /* the SA is gone; its children went before, each with a CHILD_DOWN */
};

enum ike_reason {
	IKE_REASON_NONE,
	IKE_TIMEOUT,	 /* no answer, or none that proved anything */
	IKE_REFUSED,	 /* authenticated refusal; `notify` says which */
	IKE_AUTH_FAILED, /* the peer did not prove a key that we accept, or did not accept ours */
	IKE_NO_KEY,	 /* ike_answer had none */
	IKE_CLOSED,	 /* ike_close */
	IKE_CLOSED_BY_PEER,
	IKE_SUPERSEDED,	    /* another SA of the same peers won (docs/COLLISIONS.md 1): no failure */
	IKE_PEER_RESTARTED, /* a crash token (RFC 6290) or INITIAL_CONTACT */
	IKE_BROKEN,	    /* the peer broke the protocol after it was authenticated */
	IKE_OUR_TROUBLE,    /* no room, no SPI, the library */
	IKE_REASONS
};

const char *ike_reason_name(enum ike_reason reason);

/* ike_notify_name is the name of a notify type, "AUTHENTICATION_FAILED". */
const char *ike_notify_name(uint16_t type);

enum ike_auth { IKE_AUTH_SIGNATURE = 14, IKE_AUTH_PSK = 2, IKE_AUTH_NULL = 13 };

struct ike_output {
	enum ike_output_type type;
	struct handle sa; /* HANDLE_NONE: a SEND of no SA */
	uint64_t tag;	  /* of ike_connect or ike_answer */
	struct ike_path path;
	struct hf_pair
		pair; /* whose packets its Child SAs carry: our address and the peer's, or that of the host behind it */
	union {
		struct view datagram; /* SEND: valid until the next call into the engine */
		struct {
			bool responder; /* the peer started */
			struct ike_identity
				id; /* of the peer; type 0 before it is known (initiator). Valid until the next call */
			struct view spki; /* from its CERT(15) payload, a hint only */
			bool null;	  /* it offers NULL authentication */
		} ask;
		struct {
			bool responder;
			enum ike_auth auth;
			uint8_t key[SHA256_LEN]; /* of the SPKI that verified; zero without signature */
			struct ike_identity id;	 /* valid until the next call */
		} up;
		struct {
			struct handle old;
		} replaced;
		struct {
			struct handle child;
			struct child keys; /* CHILD_UP and CHILD_USE: wipe it when done. CHILD_DOWN: SPIs only */
			bool install_in, install_out;
			bool responder;
			uint32_t replaces_in_be; /* CHILD_UP: inbound SPI of the child that this one will replace; 0 = none */
			bool replaced;		 /* CHILD_DOWN: another child of the pair goes on */
		} child;
		struct {
			enum ike_reason reason;
			bool was_up;
			uint16_t notify; /* error type the peer gave, authenticated or not; 0 = none */
		} down;
	};
};

/* ---- the engine ---- */

struct ike;

/* ike_memory is how many octets ike_init needs. */
size_t ike_memory(const struct ike_options *options);

/* ike_init makes an engine in `memory`, aligned as malloc aligns; crypto_init came before. NULL when the options make no sense (err). */
struct ike *ike_init(void *memory, const struct ike_options *options, struct err *err);

/*
 * ike_use_key: this host has another key from now on (NULL: none), and the ID_KEY_ID that belongs to it. What stands goes on; attempts that
 * have not proved anything yet do it with this one. The earlier key is not used any more. Negative: the library failed, and this one stays until another comes.
 */
int ike_use_key(struct ike *ike, const struct sign_key *key);

/* ike_clear wipes all secrets. Nothing is sent: close what should be closed first. */
void ike_clear(struct ike *ike);

struct ike_connect {
	struct ike_path path; /* ports 0 = the engine's */
	uint64_t tag;	      /* the caller's; comes back in every output */
	bool fail_open;	      /* a short attempt of 7.5 s: the caller goes on in clear when it fails */
	bool initial_contact; /* nothing of this peer is left here: the peer may drop what it has (docs/COLLISIONS.md U4) */
	/*
	 * The host that the Child SAs are for where the peer is but the gateway in front of it: they are tunnels, and their selectors this
	 * host's address. All zero: they are for the peer itself. One IKE SA serves one host: a gateway has one for each. initial_contact is
	 * not said to it, because it would drop those of the others.
	 */
	struct hf_addr behind;
};

/*
 * ike_connect starts as initiator; ASK_KEY comes out at once and may be answered while IKE_SA_INIT is under way. HANDLE_NONE when
 * there is no room. Every attempt ends in UP and CHILD_UP, or in DOWN.
 */
struct handle ike_connect(struct ike *ike, const struct ike_connect *connect, uint64_t now);

/* ike_datagram takes what came to one of our ports, from its first octet (the marker on the encapsulation port included). */
void ike_datagram(struct ike *ike, const struct ike_path *path, struct view datagram, uint64_t now);

#define IKE_KEYS_MAX 8

struct ike_answer {
	uint64_t tag;			/* replaces the SA's */
	size_t keys;			/* acceptable public keys; 0, no psk and not null: none, the attempt fails */
	struct view spki[IKE_KEYS_MAX]; /* DER SubjectPublicKeyInfo */
	struct view psk;
	bool null;		  /* NULL authentication is acceptable, both ways */
	struct ike_identity peer; /* demanded of the peer; type 0 = any. Sent as IDr by the initiator */
	struct ike_identity own;  /* instead of the engine's; type 0 = the engine's */
};

/* ike_answer answers ASK_KEY; everything is copied. A stale handle does nothing. */
void ike_answer(struct ike *ike, struct handle sa, const struct ike_answer *answer, uint64_t now);

/* ike_installed answers CHILD_UP: error 0, or why the kernel refused, upon which the Child SA is given up. */
void ike_installed(struct ike *ike, struct handle child, int error, uint64_t now);

/* ike_rekey_child makes a new Child SA in place of this one (the kernel's soft limit was reached). */
void ike_rekey_child(struct ike *ike, struct handle child, uint64_t now);
void ike_rekey(struct ike *ike, struct handle sa, uint64_t now);

/* ike_probe asks the peer for a sign of life: nothing was heard while sending. The SA goes DOWN if none comes. */
void ike_probe(struct ike *ike, struct handle sa, uint64_t now);

/* ike_probe_pair is ike_probe for all SAs of two hosts. If soon they have 7.5 s to answer: somebody waits for their packets. */
void ike_probe_pair(struct ike *ike, const struct hf_pair *pair, bool soon, uint64_t now);

/*
 * ike_child_moved: ESP of the Child SA that verified came from another address or port, host byte order (RFC 7296 2.23). CHILD_MOVED
 * comes if the peer is behind a NAT, and nothing otherwise.
 */
void ike_child_moved(struct ike *ike, struct handle child, const struct hf_addr *remote, uint16_t port, uint64_t now);

/* ike_close tells the peer and ends the SA; DOWN comes when the peer answered or does not. */
void ike_close(struct ike *ike, struct handle sa, uint64_t now);

/* ike_close_pair is ike_close for all SAs of two hosts, attempts included. */
void ike_close_pair(struct ike *ike, const struct hf_pair *pair, uint64_t now);

/* ike_close_child ends one Child SA; the IKE SA stays. */
void ike_close_child(struct ike *ike, struct handle child, uint64_t now);

/* ike_forget drops the SA with its children at once and tells nobody but the caller (DOWN, reason CLOSED). */
void ike_forget(struct ike *ike, struct handle sa, uint64_t now);

/* ike_expire does what is due, at most 64 SAs per call; ike_deadline then still lies in the past. */
void ike_expire(struct ike *ike, uint64_t now);

/* ike_deadline is when ike_expire has something to do; NSTIME_NEVER when never. */
uint64_t ike_deadline(const struct ike *ike);

/* ike_next takes the oldest output off. False when there is none. */
bool ike_next(struct ike *ike, struct ike_output *out);

/* ---- a shield in front ---- */

/* What a shield needs to demand and believe the same cookies (holdfast/cookie.h). Whoever holds one wipes it when done. */
struct ike_cookies {
	struct hf_cookie_secret secret[2]; /* by version & 1 */
	uint8_t version;
	bool demanded; /* from everybody, by the number of half-open SAs */
};

/* ike_cookies tells them, and takes a new secret when it is time; to be asked more often than that (COOKIE_ROTATE_NS). */
void ike_cookies(struct ike *ike, struct ike_cookies *out, uint64_t now);

/* ---- what can be seen ---- */

struct ike_counts {
	uint32_t sas, sas_max, half_open, established, children;
	uint64_t datagrams, dropped; /* all; without effect or answer */
	uint64_t cookies_sent, cookies_bad;
	uint64_t refused_source, refused_prefix, refused_full, refused_cost;
	uint64_t bad_icv, bad_syntax, bad_state, replayed;
	uint64_t retransmits, answered_again;
	uint64_t initiated, responded; /* established as ... */
	uint64_t auth_failed;
	uint64_t collisions;	     /* crossings and rekey collisions settled */
	uint64_t outputs_lost;	     /* no room in the output queue: ours to fix */
	uint64_t blocks, blocks_max; /* of message memory, 256 octets each: in use, and there */
	uint64_t down[IKE_REASONS];
};

void ike_count(const struct ike *ike, struct ike_counts *out);

struct ike_view {
	struct handle sa;
	uint64_t tag;
	struct ike_path path;
	struct hf_pair pair; /* as in struct ike_output */
	const char *state;   /* "init sent", ... */
	bool responder, established;
	uint8_t spi_i[8], spi_r[8];
	const char *cipher, *prf, *kex; /* NULL before they are agreed */
	uint8_t key[SHA256_LEN];	/* of the SPKI that verified, once established; zero without signature */
	uint32_t heard; /* messages of the peer since it is established: its answer to what came before has arrived */
	uint32_t children;
	uint32_t spi_in_be, spi_out_be; /* of the child that we send with; 0 = none */
};

/* ike_find: false when the handle is stale. */
bool ike_find(const struct ike *ike, struct ike_view *out, struct handle sa);
void ike_each(const struct ike *ike, bool (*see)(void *arg, const struct ike_view *view), void *arg);

/* ike_each_of_pair sees all SAs of two hosts, attempts included. `see` must not call the engine. */
void ike_each_of_pair(const struct ike *ike, const struct hf_pair *pair,
		      bool (*see)(void *arg, const struct ike_view *view), void *arg);

/*
 * ike_after walks all SAs over several turns, and whatever is done to them meanwhile: it is the one at *place or the first
 * behind it, and moves *place on. Begin with 0; false at the end. An SA that is made during the walk may be left out.
 */
bool ike_after(const struct ike *ike, struct ike_view *out, uint32_t *place);

#endif
