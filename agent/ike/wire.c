// SPDX-License-Identifier: Apache-2.0
/*
 * Reading IKEv2 messages: the header, the chain of payloads, and the bodies that have a form of their own
 * (RFC 7296 3.1, 3.2, 3.4 to 3.11; SA and TS bodies are in proposal.c and ts.c). Form only: a group that nobody has, an identity
 * that nobody asked for, a delete of an SA that is not there pass here. Every octet is read through a reader that cannot leave its payload
 * (VPP-1918: no length field is believed), and nothing is copied. Writing is in wire_write.c, names are in wire_names.c.
 */
#include <errno.h>
#include <string.h>

#include "ike/wire.h"

/* The lengths that a body may have at most before anybody is authenticated (CVE-2025-9242, CVE-2025-14733). */
#define ID_DATA_MAX 2048
#define CERT_KEY_MAX 8192

/* RFC 7296 3.9. */
#define NONCE_MIN 16
#define NONCE_MAX 256

#define CRITICAL 0x80

/* ---- header (RFC 7296 3.1) ------------------------------------------------------------------- */

int header_parse(struct header *header, struct view datagram)
{
	static const uint8_t none[SPI_LEN];
	struct header read;
	struct reader in;

	reader_init(&in, datagram);
	read_copy(&in, read.spi_i, SPI_LEN);
	read_copy(&in, read.spi_r, SPI_LEN);
	read.next = read_u8(&in);
	read.version = read_u8(&in);
	read.exchange = read_u8(&in);
	read.flags = read_u8(&in); /* the reserved bits mean nothing (CVE-2015-3204) */
	read.mid = read_u32(&in);
	read.length = read_u32(&in);
	if (in.failed || read.length != datagram.len)
		return -EBADMSG;
	if (memcmp(read.spi_i, none, SPI_LEN) == 0)
		return -EBADMSG;
	*header = read;
	return 0;
}

/* ---- notify and delete: a message may have many (RFC 7296 3.10, 3.11) ------------------------ */

/* N: protocol, SPI size, type, SPI, data. Any protocol and SPI size has a form; what they mean is the type's (CVE-2023-38710). */
static int add_notify(struct chain *chain, struct view body)
{
	struct notify notify;
	struct reader in;
	uint8_t spi_len;

	reader_init(&in, body);
	notify.protocol = read_u8(&in);
	spi_len = read_u8(&in);
	notify.type = read_u16(&in);
	notify.spi = read_view(&in, spi_len);
	notify.data = read_rest(&in);
	if (in.failed)
		return NOTIFY_INVALID_SYNTAX;
	if (chain->notify_count < CHAIN_NOTIFIES_MAX)
		chain->notifies[chain->notify_count++] = notify;
	else if (notify.type <= NOTIFY_ERROR_LAST)
		return NOTIFY_INVALID_SYNTAX; /* an error must not be overlooked, a status may */
	return 0;
}

/*
 * D: protocol, SPI size, number of SPIs, SPIs. The IKE SA has no SPI here, AH and ESP have four octets (RFC 7296 3.11), so that
 * whoever goes through `count` SPIs of those protocols finds them. Other protocols only have to add up.
 */
static int add_delete(struct chain *chain, struct view body)
{
	struct delete delete;
	struct reader in;

	reader_init(&in, body);
	delete.protocol = read_u8(&in);
	delete.spi_len = read_u8(&in);
	delete.count = read_u16(&in);
	delete.spis = read_view(&in, (size_t) delete.count * delete.spi_len);
	if (!reader_done(&in))
		return NOTIFY_INVALID_SYNTAX;
	if (delete.protocol == PROTOCOL_IKE && delete.spi_len != 0)
		return NOTIFY_INVALID_SYNTAX;
	if ((delete.protocol == PROTOCOL_AH || delete.protocol == PROTOCOL_ESP) && delete.spi_len != 4)
		return NOTIFY_INVALID_SYNTAX;
	if (chain->delete_count == CHAIN_DELETES_MAX)
		return NOTIFY_INVALID_SYNTAX;
	chain->deletes[chain->delete_count++] = delete;
	return 0;
}

/* ---- chain (RFC 7296 3.2) -------------------------------------------------------------------- */

/* Payloads that come once, by RFC 7296 appendix C. -1 for all others. */
static int slot_of(uint8_t type)
{
	switch (type) {
	case PAYLOAD_SA:
		return SLOT_SA;
	case PAYLOAD_KE:
		return SLOT_KE;
	case PAYLOAD_IDI:
		return SLOT_IDI;
	case PAYLOAD_IDR:
		return SLOT_IDR;
	case PAYLOAD_AUTH:
		return SLOT_AUTH;
	case PAYLOAD_NONCE:
		return SLOT_NONCE;
	case PAYLOAD_TSI:
		return SLOT_TSI;
	case PAYLOAD_TSR:
		return SLOT_TSR;
	case PAYLOAD_CP:
		return SLOT_CP;
	case PAYLOAD_EAP:
		return SLOT_EAP;
	case PAYLOAD_SK:
	case PAYLOAD_SKF:
		return SLOT_SK;
	default:
		return -1;
	}
}

static int fill_slot(struct chain *chain, enum slot slot, struct view body)
{
	if (chain_has(chain, slot))
		return NOTIFY_INVALID_SYNTAX;
	chain->seen |= SLOT_BIT(slot);
	chain->payload[slot] = body;
	return 0;
}

/* Several CERT payloads may come, of any encoding (RFC 7296 3.6); we can use a raw public key only. */
static int add_cert(struct chain *chain, struct view body)
{
	if (body.len == 0)
		return NOTIFY_INVALID_SYNTAX;
	if (body.at[0] != CERT_RAW_PUBLIC_KEY || chain_has(chain, SLOT_CERT))
		return 0;
	return fill_slot(chain, SLOT_CERT, body);
}

/* The critical bit means something only with a type that we do not know (RFC 7296 2.5); 1 to 32 are IKEv1's (CVE-2015-3991). */
static void skip_unknown(struct chain *chain, uint8_t type, uint8_t flags)
{
	if ((flags & CRITICAL) && chain->unsupported == 0)
		chain->unsupported = type;
}

static int add_payload(struct chain *chain, uint8_t type, uint8_t flags, struct view body)
{
	int slot = slot_of(type);

	if (slot >= 0)
		return fill_slot(chain, (enum slot)slot, body);
	switch (type) {
	case PAYLOAD_NOTIFY:
		return add_notify(chain, body);
	case PAYLOAD_DELETE:
		return add_delete(chain, body);
	case PAYLOAD_CERT:
		return add_cert(chain, body);
	case PAYLOAD_CERTREQ:
		chain->seen |= SLOT_BIT(SLOT_CERTREQ);
		return 0;
	case PAYLOAD_VENDOR:
		return 0;
	default:
		skip_unknown(chain, type, flags);
		return 0;
	}
}

int chain_parse(struct chain *chain, uint8_t next, struct view payloads, bool inside)
{
	struct reader in;

	memset(chain, 0, sizeof(*chain));
	chain->first = next;
	reader_init(&in, payloads);
	for (size_t count = 0; next != PAYLOAD_NONE; count++) {
		const uint8_t *start = in.at;
		uint8_t type = next, flags;
		struct view body;
		uint16_t length;
		int rc;

		if (count == CHAIN_PAYLOADS_MAX)
			return NOTIFY_INVALID_SYNTAX;
		next = read_u8(&in);
		flags = read_u8(&in);
		length = read_u16(&in);
		if (in.failed || length < PAYLOAD_HEADER_LEN)
			return NOTIFY_INVALID_SYNTAX;
		body = read_view(&in, length - PAYLOAD_HEADER_LEN);
		if (in.failed)
			return NOTIFY_INVALID_SYNTAX;
		if (type == PAYLOAD_SK || type == PAYLOAD_SKF) {
			if (inside)
				return NOTIFY_INVALID_SYNTAX;
			/* Its next-payload field speaks of what is inside (RFC 7296 3.14, RFC 7383 2.5): nothing follows. */
			chain->sk_type = type;
			chain->sk_next = next;
			chain->sk_header = view_of(start, PAYLOAD_HEADER_LEN);
			next = PAYLOAD_NONE;
		}
		rc = add_payload(chain, type, flags, body);
		if (rc)
			return rc;
	}
	if (!reader_done(&in))
		return NOTIFY_INVALID_SYNTAX;
	return chain->unsupported ? NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD : 0;
}

const struct notify *chain_notify(const struct chain *chain, uint16_t type)
{
	for (size_t i = 0; i < chain->notify_count; i++)
		if (chain->notifies[i].type == type)
			return &chain->notifies[i];
	return NULL;
}

const struct notify *chain_error(const struct chain *chain)
{
	for (size_t i = 0; i < chain->notify_count; i++)
		if (chain->notifies[i].type <= NOTIFY_ERROR_LAST)
			return &chain->notifies[i];
	return NULL;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* KE: group, RESERVED, data (RFC 7296 3.4). Which length is right is the group's (crypto.h); none is right for nobody. */
int ke_parse(struct ke *ke, struct view body)
{
	struct ke read;
	struct reader in;

	reader_init(&in, body);
	read.group = read_u16(&in);
	read_u16(&in);
	read.data = read_rest(&in);
	if (in.failed || read.data.len == 0)
		return NOTIFY_INVALID_SYNTAX;
	*ke = read;
	return 0;
}

/* Addresses have the length of addresses (RFC 7296 3.5), ID_NULL has no data (RFC 7619 2.2), others have what they have. */
static bool id_has_form(uint8_t type, size_t len)
{
	switch (type) {
	case ID_IPV4_ADDR:
		return len == 4;
	case ID_IPV6_ADDR:
		return len == 16;
	case ID_NULL:
		return len == 0;
	default:
		return len <= ID_DATA_MAX;
	}
}

/* IDi, IDr: type, RESERVED (3), data (RFC 7296 3.5). */
int id_parse(struct id *id, struct view body)
{
	struct id read = { .body = body };
	struct reader in;

	reader_init(&in, body);
	read.type = read_u8(&in);
	read_view(&in, 3);
	read.data = read_rest(&in);
	if (in.failed || !id_has_form(read.type, read.data.len))
		return NOTIFY_INVALID_SYNTAX;
	*id = read;
	return 0;
}

/* AUTH: method, RESERVED (3), data (RFC 7296 3.8). Empty data is a wrong proof, which is not for us to say. */
int auth_parse(struct auth *auth, struct view body)
{
	struct auth read;
	struct reader in;

	reader_init(&in, body);
	read.method = read_u8(&in);
	read_view(&in, 3);
	read.data = read_rest(&in);
	if (in.failed)
		return NOTIFY_INVALID_SYNTAX;
	*auth = read;
	return 0;
}

int nonce_parse(struct view *nonce, struct view body)
{
	if (body.len < NONCE_MIN || body.len > NONCE_MAX)
		return NOTIFY_INVALID_SYNTAX;
	*nonce = body;
	return 0;
}

/* CERT: encoding, data (RFC 7296 3.6); encoding 15 is a DER SubjectPublicKeyInfo (RFC 7670 3). */
int cert_parse(struct view *spki, struct view body)
{
	struct reader in;
	struct view data;
	uint8_t encoding;

	reader_init(&in, body);
	encoding = read_u8(&in);
	data = read_rest(&in);
	if (in.failed)
		return NOTIFY_INVALID_SYNTAX;
	if (encoding != CERT_RAW_PUBLIC_KEY)
		return -ENOENT;
	if (data.len == 0 || data.len > CERT_KEY_MAX)
		return NOTIFY_INVALID_SYNTAX;
	*spki = data;
	return 0;
}
