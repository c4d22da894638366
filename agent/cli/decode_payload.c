// SPDX-License-Identifier: Apache-2.0
/*
 * What the bodies of IKE payloads say (RFC 7296 3.3 to 3.16), for `holdfast decode`. It shows what stands there, also what
 * the agent would not accept; the form is checked by the agent's own readers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/own.h"
#include "cli/decode.h"
#include "ike/proposal.h"
#include "ike/ts.h"

#define NAME_MAX_LEN 64

/* A number with its name in a registry. */
struct name {
	uint16_t number;
	const char *name;
};

static const char *name_of(const struct name *names, size_t count, uint16_t number)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			return names[i].name;
	return "?";
}

#define NAME_OF(names, number) name_of(names, sizeof(names) / sizeof((names)[0]), number)

/* "NAME", or "?" with the number: a name of "?" alone would hide what came. */
static json_t *named(const char *name, unsigned int number)
{
	if (strcmp(name, "?") == 0)
		return json_sprintf("unknown %u", number);
	return json_string(name);
}

static const char *protocol_name(uint8_t protocol)
{
	static const struct name names[] = {
		{ PROTOCOL_NONE, "none" }, { PROTOCOL_IKE, "IKE" }, { PROTOCOL_AH, "AH" }, { PROTOCOL_ESP, "ESP" }
	};

	return NAME_OF(names, protocol);
}

static json_t *hex_of(struct view octets)
{
	static const char digits[] = "0123456789abcdef";
	OWN_FREE char *text = malloc(2 * octets.len + 1);

	if (!text)
		return json_string("");
	for (size_t i = 0; i < octets.len; i++) {
		text[2 * i] = digits[octets.at[i] >> 4];
		text[2 * i + 1] = digits[octets.at[i] & 15];
	}
	return json_stringn(text, 2 * octets.len);
}

json_t *decode_octets(struct view octets)
{
	return json_pack("{si so}", "octets", (int)octets.len, "hex", hex_of(octets));
}

/* All of it, as text that cannot do harm to a terminal: at most four characters an octet. */
static json_t *escaped(struct view octets)
{
	size_t max = 4 * octets.len + 4;
	OWN_FREE char *text = malloc(max);

	return json_string(text ? log_escape(text, max, octets.at, octets.len) : "");
}

static json_t *address_text(struct view octets)
{
	struct hf_addr addr = addr_from_octets(octets.at, octets.len);
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format(text, &addr));
}

static void set(json_t *out, const char *key, json_t *value)
{
	json_object_set_new(out, key, value);
}

/* ---- SA -------------------------------------------------------------------------------------- */

static json_t *transform_text(const struct transform *transform, bool usable)
{
	const char *name = transform_name(transform->type, transform->id),
		   *note = usable ? "" : " with other attributes";
	char number[16];

	if (strcmp(name, "?") == 0) {
		snprintf(number, sizeof(number), "unknown %u", transform->id);
		name = number;
	}
	if (transform->bits)
		return json_sprintf("%s %u%s", name, transform->bits, note);
	return json_sprintf("%s%s", name, note);
}

/* { "ENCR": [ "AES_GCM_16 256" ], ... } by type, in the order of the payload. */
static bool add_transforms(json_t *out, const struct proposal *proposal)
{
	struct transform_reader transforms;
	struct transform transform;
	bool usable;

	transform_reader_init(&transforms, proposal);
	while (transform_read(&transform, &usable, &transforms)) {
		const char *type = transform_type_name(transform.type);
		char unknown[16];

		if (strcmp(type, "?") == 0) {
			snprintf(unknown, sizeof(unknown), "type %u", transform.type);
			type = unknown;
		}
		if (!json_object_get(out, type))
			set(out, type, json_array());
		json_array_append_new(json_object_get(out, type), transform_text(&transform, usable));
	}
	return !transforms.in.failed;
}

static bool decode_sa(json_t *out, struct view body)
{
	json_t *list = json_array();
	struct proposal_reader proposals;
	struct proposal proposal;

	set(out, "proposals", list);
	proposal_reader_init(&proposals, body);
	while (proposal_read(&proposal, &proposals)) {
		json_t *entry = json_pack("{si so}", "number", proposal.number, "protocol",
					  named(protocol_name(proposal.protocol), proposal.protocol));

		if (proposal.spi.len)
			set(entry, "spi", hex_of(proposal.spi));
		json_array_append_new(list, entry);
		if (!add_transforms(entry, &proposal))
			return false;
	}
	return !proposals.in.failed;
}

/* ---- TSi, TSr -------------------------------------------------------------------------------- */

static json_t *selector_ports(const struct selector *selector)
{
	if (selector->port_start == 65535 && selector->port_end == 0)
		return json_string("opaque");
	if (selector->port_start == 0 && selector->port_end == 65535)
		return json_string("any");
	return json_sprintf("%u-%u", selector->port_start, selector->port_end);
}

static bool decode_ts(json_t *out, struct view body)
{
	json_t *list = json_array();
	struct selector selector;
	struct ts_reader reader;

	set(out, "selectors", list);
	ts_reader_init(&reader, body);
	while (ts_read(&selector, &reader)) {
		json_t *entry = json_object();

		json_array_append_new(list, entry);
		if (!selector.start.len) {
			set(entry, "type", json_integer(selector.type));
			continue;
		}
		set(entry, "start", address_text(selector.start));
		set(entry, "end", address_text(selector.end));
		set(entry, "protocol", selector.protocol ? json_integer(selector.protocol) : json_string("any"));
		set(entry, "ports", selector_ports(&selector));
	}
	return !reader.in.failed;
}

/* ---- KE, ID, CERT, AUTH ---------------------------------------------------------------------- */

static json_t *ke_group(uint16_t group)
{
	return named(transform_name(TRANSFORM_KE, group), group);
}

static bool decode_ke(json_t *out, struct view body)
{
	struct ke ke;

	if (ke_parse(&ke, body))
		return false;
	set(out, "group", ke_group(ke.group));
	set(out, "data", decode_octets(ke.data));
	return true;
}

static bool decode_id(json_t *out, struct view body)
{
	static const struct name names[] = {
		{ ID_IPV4_ADDR, "ID_IPV4_ADDR" }, { ID_FQDN, "ID_FQDN" },  { 3, "ID_RFC822_ADDR" },
		{ ID_IPV6_ADDR, "ID_IPV6_ADDR" }, { 9, "ID_DER_ASN1_DN" }, { 10, "ID_DER_ASN1_GN" },
		{ ID_KEY_ID, "ID_KEY_ID" },	  { 12, "ID_FC_NAME" },	   { ID_NULL, "ID_NULL" },
	};
	struct id id;

	if (id_parse(&id, body))
		return false;
	set(out, "type", named(NAME_OF(names, id.type), id.type));
	if (id.type == ID_IPV4_ADDR || id.type == ID_IPV6_ADDR)
		set(out, "address", address_text(id.data));
	else if (id.type == ID_FQDN || id.type == 3)
		set(out, "text", escaped(id.data));
	else if (id.data.len)
		set(out, "data", decode_octets(id.data));
	return true;
}

static bool decode_cert(json_t *out, struct view body)
{
	static const struct name names[] = {
		{ 1, "PKCS #7" },	{ 4, "X.509" },
		{ 7, "CRL" },		{ 11, "raw RSA key" },
		{ 12, "hash and URL" }, { 13, "hash and URL of bundle" },
		{ 14, "OCSP" },		{ CERT_RAW_PUBLIC_KEY, "raw public key" },
	};
	struct reader in;
	uint8_t encoding;

	reader_init(&in, body);
	encoding = read_u8(&in);
	set(out, "encoding", named(NAME_OF(names, encoding), encoding));
	set(out, "data", decode_octets(read_rest(&in)));
	return !in.failed;
}

static bool decode_auth(json_t *out, struct view body)
{
	static const struct name names[] = {
		{ 1, "RSA signature" },	   { 2, "shared key" },	  { 3, "DSS signature" },
		{ 9, "ECDSA P-256" },	   { 10, "ECDSA P-384" }, { 11, "ECDSA P-521" },
		{ 12, "secure password" }, { 13, "NULL" },	  { 14, "digital signature" },
	};
	struct auth auth;

	if (auth_parse(&auth, body))
		return false;
	set(out, "method", named(NAME_OF(names, auth.method), auth.method));
	set(out, "data", decode_octets(auth.data));
	return true;
}

/* ---- N, D ------------------------------------------------------------------------------------ */

static json_t *hash_list(struct view data)
{
	static const struct name names[] = {
		{ 1, "SHA1" }, { 2, "SHA2-256" }, { 3, "SHA2-384" }, { 4, "SHA2-512" }, { 5, "Identity" }
	};
	json_t *list = json_array();
	struct reader in;

	reader_init(&in, data);
	while (reader_left(&in) >= 2) {
		uint16_t hash = read_u16(&in);

		json_array_append_new(list, named(NAME_OF(names, hash), hash));
	}
	return list;
}

static bool decode_notify(json_t *out, struct view body)
{
	struct view spi, data;
	struct reader in;
	uint8_t protocol, spi_len;
	uint16_t type;

	reader_init(&in, body);
	protocol = read_u8(&in);
	spi_len = read_u8(&in);
	type = read_u16(&in);
	spi = read_view(&in, spi_len);
	data = read_rest(&in);
	if (in.failed)
		return false;
	set(out, "type", named(notify_name(type), type));
	if (protocol)
		set(out, "protocol", named(protocol_name(protocol), protocol));
	if (spi.len)
		set(out, "spi", hex_of(spi));
	if (type == NOTIFY_INVALID_KE_PAYLOAD && data.len == 2)
		set(out, "group", ke_group((uint16_t)(data.at[0] << 8 | data.at[1])));
	else if (type == NOTIFY_SIGNATURE_HASH_ALGORITHMS && data.len % 2 == 0)
		set(out, "hashes", hash_list(data));
	else if (data.len)
		set(out, "data", decode_octets(data));
	return true;
}

static bool decode_delete(json_t *out, struct view body)
{
	uint8_t protocol, spi_len;
	struct reader in;
	uint16_t count;
	json_t *list;

	reader_init(&in, body);
	protocol = read_u8(&in);
	spi_len = read_u8(&in);
	count = read_u16(&in);
	set(out, "protocol", named(protocol_name(protocol), protocol));
	if (spi_len == 0) /* of the IKE SA, whose SPIs are in the header */
		return reader_done(&in);
	list = json_array();
	set(out, "spis", list);
	for (uint16_t i = 0; i < count && reader_left(&in) >= spi_len; i++)
		json_array_append_new(list, hex_of(read_view(&in, spi_len)));
	return reader_done(&in) && json_array_size(list) == count;
}

/* ---- SK, SKF, and what has no form of its own ------------------------------------------------ */

/* SKF: fragment number, total (RFC 7383 2.5). */
static bool decode_skf(json_t *out, struct view body)
{
	struct reader in;

	reader_init(&in, body);
	set(out, "fragment", json_integer(read_u16(&in)));
	set(out, "total", json_integer(read_u16(&in)));
	set(out, "sealed", decode_octets(read_rest(&in)));
	return !in.failed;
}

/* Vendors give their name, or a hash of it. */
static bool decode_vendor(json_t *out, struct view body)
{
	bool text = body.len > 0;

	for (size_t i = 0; i < body.len; i++)
		text &= body.at[i] >= ' ' && body.at[i] <= '~';
	if (text)
		set(out, "text", escaped(body));
	else
		set(out, "data", decode_octets(body));
	return true;
}

bool decode_payload(json_t *out, uint8_t type, struct view body)
{
	switch (type) {
	case PAYLOAD_SA:
		return decode_sa(out, body);
	case PAYLOAD_KE:
		return decode_ke(out, body);
	case PAYLOAD_IDI:
	case PAYLOAD_IDR:
		return decode_id(out, body);
	case PAYLOAD_CERT:
	case PAYLOAD_CERTREQ: /* the same form (RFC 7296 3.7) */
		return decode_cert(out, body);
	case PAYLOAD_AUTH:
		return decode_auth(out, body);
	case PAYLOAD_NONCE:
		set(out, "data", decode_octets(body));
		return nonce_parse(&body, body) == 0;
	case PAYLOAD_NOTIFY:
		return decode_notify(out, body);
	case PAYLOAD_DELETE:
		return decode_delete(out, body);
	case PAYLOAD_VENDOR:
		return decode_vendor(out, body);
	case PAYLOAD_TSI:
	case PAYLOAD_TSR:
		return decode_ts(out, body);
	case PAYLOAD_SK:
		set(out, "sealed", decode_octets(body));
		return true;
	case PAYLOAD_SKF:
		return decode_skf(out, body);
	default:
		set(out, "data", decode_octets(body));
		return true;
	}
}
