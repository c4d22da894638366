// SPDX-License-Identifier: Apache-2.0
/*
 * IPSECKEY records (RFC 4025, keys of RFC 3110, 8005, 9373): RDATA read and written, and the text that stands in a zone file. Form and key are two
 * steps, because a record that is well formed may carry a key that nobody here can use. Knows no DNS: who may be believed is dns.c's.
 */
#ifndef DISCOVER_RECORD_H
#define DISCOVER_RECORD_H

#include "base/addr.h"
#include "base/base64.h"
#include "base/bytes.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "discover/dname.h"

#define RECORD_TYPE 45	     /* IPSECKEY's number among the types of DNS records */
#define RECORD_PRECEDENCE 10 /* what `holdfast publish` writes, as the RFC's examples do */

enum record_gateway { RECORD_GATEWAY_NONE, RECORD_GATEWAY_V4, RECORD_GATEWAY_V6, RECORD_GATEWAY_NAME };
enum record_algorithm {
	RECORD_KEY_NONE,
	RECORD_KEY_DSA,
	RECORD_KEY_RSA,
	RECORD_KEY_ECDSA,
	RECORD_KEY_EDDSA,
};

struct record {
	uint8_t precedence; /* lower first */
	enum record_gateway gateway_type;
	struct hf_addr gateway; /* V4, V6 */
	struct view name;	/* NAME: wire form */
	uint8_t algorithm;	/* may be one that has no name here */
	struct view key;	/* as the record carries it; empty with RECORD_KEY_NONE */
};

/* The longest RDATA that is written: RSA-8192 behind a name. */
#define RECORD_MAX (3 + DNAME_WIRE_MAX + SPKI_MAX)
#define RECORD_TEXT_MAX (16 + DNAME_TEXT_MAX + BASE64_LEN(SPKI_MAX) + 1)

/*
 * record_read takes RDATA apart; name and key point into it. -EBADMSG: malformed; -ENOTSUP: a gateway type that does not exist yet, so that nobody
 * knows where its key begins. `err` says what.
 */
int record_read(struct record *out, struct view rdata, struct err *err);

/*
 * record_spki makes the DER SubjectPublicKeyInfo of the record's key. *len: room in (SPKI_MAX is always enough), octets out. -EBADMSG: the octets are no key of
 * their algorithm; -ENOTSUP: no key, or one of an algorithm or a size that is not used here. `err` says what.
 */
int record_spki(uint8_t *out, size_t *len, const struct record *record, struct err *err);

/* record_set_key is the inverse: algorithm and key of a DER SubjectPublicKeyInfo; `memory` (SPKI_MAX octets) must live as long as the record. */
int record_set_key(struct record *record, uint8_t *memory, struct view spki);

/* record_write writes RDATA. *len: room in (RECORD_MAX), octets out. -EMSGSIZE. */
int record_write(uint8_t *out, size_t *len, const struct record *record);

/* record_format writes the text behind "IN IPSECKEY" of a zone file, RFC 4025 3.1: "10 1 4 192.0.2.38 BASE64". -EMSGSIZE. */
int record_format(char out[RECORD_TEXT_MAX], const struct record *record);

/* record_algorithm_name: "EdDSA", "ECDSA", "RSA", "DSA", "none"; "unknown". */
const char *record_algorithm_name(uint8_t algorithm);

#endif
