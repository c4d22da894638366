// SPDX-License-Identifier: Apache-2.0
/*
 * IKEv2 messages as octets: header, payload chain, and the bodies of payloads (RFC 7296 3). Reading checks form only
 * and points into the datagram; meaning is for the exchanges. Writing goes through one writer that keeps the
 * chain of next-payload fields. Nothing here has state.
 */
#ifndef IKE_WIRE_H
#define IKE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define SPI_LEN 8
#define HEADER_LEN 28
#define PAYLOAD_HEADER_LEN 4
#define SKF_HEADER_LEN 8

enum exchange {
	EXCHANGE_IKE_SA_INIT = 34,
	EXCHANGE_IKE_AUTH = 35,
	EXCHANGE_CREATE_CHILD_SA = 36,
	EXCHANGE_INFORMATIONAL = 37,
	EXCHANGE_IKE_INTERMEDIATE = 43, /* RFC 9242 */
	EXCHANGE_IKE_FOLLOWUP_KE = 44,	/* RFC 9370 */
};

enum header_flag { FLAG_INITIATOR = 0x08, FLAG_VERSION = 0x10, FLAG_RESPONSE = 0x20 };

enum payload {
	PAYLOAD_NONE = 0,
	PAYLOAD_SA = 33,
	PAYLOAD_KE = 34,
	PAYLOAD_IDI = 35,
	PAYLOAD_IDR = 36,
	PAYLOAD_CERT = 37,
	PAYLOAD_CERTREQ = 38,
	PAYLOAD_AUTH = 39,
	PAYLOAD_NONCE = 40,
	PAYLOAD_NOTIFY = 41,
	PAYLOAD_DELETE = 42,
	PAYLOAD_VENDOR = 43,
	PAYLOAD_TSI = 44,
	PAYLOAD_TSR = 45,
	PAYLOAD_SK = 46,
	PAYLOAD_CP = 47,
	PAYLOAD_EAP = 48,
	PAYLOAD_SKF = 53, /* RFC 7383 */
};

enum protocol { PROTOCOL_NONE = 0, PROTOCOL_IKE = 1, PROTOCOL_AH = 2, PROTOCOL_ESP = 3 };

enum id_type { ID_IPV4_ADDR = 1, ID_FQDN = 2, ID_IPV6_ADDR = 5, ID_KEY_ID = 11, ID_NULL = 13 };

#define CERT_RAW_PUBLIC_KEY 15 /* RFC 7670 */

enum notify_type {
	NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD = 1,
	NOTIFY_INVALID_IKE_SPI = 4,
	NOTIFY_INVALID_MAJOR_VERSION = 5,
	NOTIFY_INVALID_SYNTAX = 7,
	NOTIFY_INVALID_MESSAGE_ID = 9,
	NOTIFY_INVALID_SPI = 11,
	NOTIFY_NO_PROPOSAL_CHOSEN = 14,
	NOTIFY_INVALID_KE_PAYLOAD = 17,
	NOTIFY_AUTHENTICATION_FAILED = 24,
	NOTIFY_SINGLE_PAIR_REQUIRED = 34,
	NOTIFY_NO_ADDITIONAL_SAS = 35,
	NOTIFY_TS_UNACCEPTABLE = 38,
	NOTIFY_INVALID_SELECTORS = 39,
	NOTIFY_TEMPORARY_FAILURE = 43,
	NOTIFY_CHILD_SA_NOT_FOUND = 44,
	NOTIFY_STATE_NOT_FOUND = 47, /* RFC 9370 */
	NOTIFY_ERROR_LAST = 16383,
	NOTIFY_INITIAL_CONTACT = 16384,
	NOTIFY_NAT_DETECTION_SOURCE_IP = 16388,
	NOTIFY_NAT_DETECTION_DESTINATION_IP = 16389,
	NOTIFY_COOKIE = 16390,
	NOTIFY_USE_TRANSPORT_MODE = 16391,
	NOTIFY_REKEY_SA = 16393,
	NOTIFY_QUICK_CRASH_DETECTION = 16419,		/* RFC 6290 */
	NOTIFY_FRAGMENTATION_SUPPORTED = 16430,		/* RFC 7383 */
	NOTIFY_SIGNATURE_HASH_ALGORITHMS = 16431,	/* RFC 7427 */
	NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED = 16438, /* RFC 9242 */
	NOTIFY_ADDITIONAL_KEY_EXCHANGE = 16441,		/* RFC 9370 */
};

/* ---- reading ---- */

struct header {
	uint8_t spi_i[SPI_LEN], spi_r[SPI_LEN];
	uint8_t next;	 /* first payload */
	uint8_t version; /* major << 4 | minor */
	uint8_t exchange;
	uint8_t flags;
	uint32_t mid;
	uint32_t length; /* octets of the whole message; equals the datagram's */
};

/*
 * header_parse reads an IKE header. -EBADMSG when there are fewer than 28 octets, when the length field is not the datagram's, or SPIi is
 * zero. The version is for the caller to judge.
 */
int header_parse(struct header *header, struct view datagram);

struct notify {
	uint8_t protocol;
	uint16_t type;
	struct view spi, data;
};

struct delete
{
	uint8_t protocol;
	uint8_t spi_len; /* 0 for IKE, 4 for AH and ESP: others are INVALID_SYNTAX */
	uint16_t count;
	struct view spis; /* count * spi_len octets */
};

#define CHAIN_PAYLOADS_MAX 64 /* in one message, unknown ones included; more is INVALID_SYNTAX */
#define CHAIN_NOTIFIES_MAX 24 /* kept; further status notifies are skipped, further errors are INVALID_SYNTAX */
#define CHAIN_DELETES_MAX 4   /* one Child SA and its successor: more is INVALID_SYNTAX */

/* What a chain may hold, as bits of `seen`, of the exchange table's columns, and index of `payload`. */
enum slot {
	SLOT_SA,
	SLOT_KE,
	SLOT_IDI,
	SLOT_IDR,
	SLOT_CERT,    /* the first with a raw public key; others are skipped */
	SLOT_CERTREQ, /* presence only */
	SLOT_AUTH,
	SLOT_NONCE,
	SLOT_TSI,
	SLOT_TSR,
	SLOT_CP,  /* presence only: not supported */
	SLOT_EAP, /* presence only */
	SLOT_SK,  /* SK or SKF: the last payload */
	SLOTS
};

#define SLOT_BIT(slot) (1u << (slot))

struct chain {
	uint32_t seen; /* SLOT_BITs */
	struct view
		payload[SLOTS]; /* bodies without the generic header; of SK and SKF: all that follows the generic header */
	struct view sk_header; /* generic header of SK or SKF (4 octets) */
	uint8_t sk_type;       /* PAYLOAD_SK, PAYLOAD_SKF or 0 */
	uint8_t sk_next;       /* first payload inside */
	struct notify notifies[CHAIN_NOTIFIES_MAX];
	size_t notify_count;
	struct delete deletes[CHAIN_DELETES_MAX];
	size_t delete_count;
	uint8_t first;	     /* type of the first payload, 0 in an empty chain */
	uint8_t unsupported; /* the first critical payload that we do not know, with the result 1 */
};

/*
 * chain_parse walks the payloads from `next` on. 0, or the notify that the peer should get if it may get one: INVALID_SYNTAX for a
 * length that does not fit, a payload twice that may come once, SK inside SK (`inside`) or not last, too many payloads;
 * UNSUPPORTED_CRITICAL_PAYLOAD with chain->unsupported set: the chain is whole then, too, so that an SK payload behind can be verified
 * before anybody is answered. Unknown payloads that are not critical are skipped (RFC 7296 2.5).
 */
int chain_parse(struct chain *chain, uint8_t next, struct view payloads, bool inside);

static inline bool chain_has(const struct chain *chain, enum slot slot)
{
	return chain->seen & SLOT_BIT(slot);
}

/* chain_notify is the first notify of that type, or NULL. */
const struct notify *chain_notify(const struct chain *chain, uint16_t type);

/* chain_error is the first error notify (type <= 16383), or NULL. */
const struct notify *chain_error(const struct chain *chain);

struct ke {
	uint16_t group;
	struct view data;
};

struct id {
	uint8_t type;
	struct view data;
	struct view body; /* the payload's body as received, RESERVED included: what AUTH covers (RFC 7296 2.15) */
};

struct auth {
	uint8_t method;
	struct view data;
};

/* Bodies. 0 or INVALID_SYNTAX. Nonces are 16 to 256 octets (RFC 7296 3.9); identities at most 2048 here. */
int ke_parse(struct ke *ke, struct view body);
int id_parse(struct id *id, struct view body);
int auth_parse(struct auth *auth, struct view body);
int nonce_parse(struct view *nonce, struct view body);
/* cert_parse is a raw public key's SPKI, at most 8192 octets. -ENOENT for another encoding. */
int cert_parse(struct view *spki, struct view body);

/* ---- writing ---- */

/* A message, or the plain text of an SK payload, being written. */
struct message {
	struct writer out;
	size_t next_at; /* where the type of the next payload goes: in the header, or the payload before */
	size_t open_at; /* start of the payload being written */
	uint8_t first;	/* type of the first payload: what SK's header says of its content */
	bool inside;	/* no header in front */
};

/* message_start writes a header; message_finish sets its length. */
void message_start(struct message *message, void *memory, size_t max, const struct header *header);
/* message_start_inside begins the plain text of an SK payload: no header. */
void message_start_inside(struct message *message, void *memory, size_t max);
/* message_finish is the whole message with its length set, or the plain text; VIEW_NONE when it did not fit. */
struct view message_finish(struct message *message);

/* payload_open and payload_close enclose a body written to message->out. */
void payload_open(struct message *message, enum payload type);
void payload_close(struct message *message);

void message_ke(struct message *message, uint16_t group, struct view data);
void message_id(struct message *message, enum payload type, uint8_t id_type, struct view data);
void message_auth(struct message *message, uint8_t method, struct view data);
void message_nonce(struct message *message, struct view nonce);
void message_cert(struct message *message, struct view spki);
/* message_notify: `spi` is empty, or 4 octets for ESP (RFC 7296 3.10). */
void message_notify(struct message *message, uint8_t protocol, uint16_t type, struct view spi, struct view data);
void message_delete_ike(struct message *message);
void message_delete_esp(struct message *message, const uint32_t *spis_be, size_t count);

/* Names for people: "IKE_AUTH", "INVALID_KE_PAYLOAD", "SA"; "?" for what has none. */
const char *exchange_name(uint8_t exchange);
const char *notify_name(uint16_t type);
const char *payload_name(uint8_t type);

#endif
