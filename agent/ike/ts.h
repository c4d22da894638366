// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic selectors (RFC 7296 3.13, 2.9). A Child SA of ours covers exactly one pair of hosts, all protocols and ports;
 * narrowing is therefore: does the peer's list contain our pair, and if so the pair it is.
 */
#ifndef IKE_TS_H
#define IKE_TS_H

#include "base/bytes.h"
#include "holdfast/abi.h"
#include "ike/wire.h"

#define TS_LIST_MAX 64 /* selectors in one payload that are looked at; more is INVALID_SYNTAX */

enum ts_type { TS_IPV4_ADDR_RANGE = 7, TS_IPV6_ADDR_RANGE = 8 };

/* ts_write writes a TSi or TSr payload (`type`) with the one address, any protocol, any port. */
void ts_write(struct message *message, enum payload type, const struct hf_addr *addr);

/*
 * ts_covers looks whether one of the selectors covers all traffic of the one address. 0; TS_UNACCEPTABLE when none does;
 * INVALID_SYNTAX for a bad form (count, length, start above end, unknown type with a wrong length).
 */
int ts_covers(struct view body, const struct hf_addr *addr);

/* ts_is_exactly: 0 when the payload is one selector, of the one address; for a responder's answer. As above. */
int ts_is_exactly(struct view body, const struct hf_addr *addr);

/*
 * ts_single gives the address when the payload is one selector of a single address, any protocol, any port: the peer behind NAT names itself
 * by the address it knows (RFC 7296 2.23.1). 0, TS_UNACCEPTABLE or INVALID_SYNTAX.
 */
int ts_single(struct hf_addr *addr, struct view body);

/* ---- reading selector by selector, for the above and for people ---- */

/* A selector as somebody wrote it. Borrows from the payload. */
struct selector {
	uint8_t type, protocol;	       /* protocol 0 = any */
	uint16_t port_start, port_end; /* 0 to 65535 = any; 65535 to 0 = OPAQUE */
	struct view start, end;	       /* 4 or 16 octets; empty with a type that we do not know */
};

struct ts_reader {
	struct reader in; /* in.failed: the form is wrong */
	unsigned int left;
};

void ts_reader_init(struct ts_reader *reader, struct view body);
/* ts_read is false at the end and when the form is wrong; ask reader->in.failed then. */
bool ts_read(struct selector *selector, struct ts_reader *reader);

#endif
