// SPDX-License-Identifier: Apache-2.0
/*
 * An IKE message, header and payload after payload (RFC 7296 3.1, 3.2), as a tree. Unlike chain_parse this shows every payload
 * where it stands, those too that come twice or that nobody knows, until the octets themselves do not fit.
 */
#include <errno.h>
#include <string.h>

#include "cli/decode.h"

#define VERSION_2 2

/* Where the form of each payload is written down, for who has to find out what is wrong. */
static const char *section_of(uint8_t type)
{
	switch (type) {
	case PAYLOAD_SA:
		return "RFC 7296 3.3";
	case PAYLOAD_KE:
		return "RFC 7296 3.4";
	case PAYLOAD_IDI:
	case PAYLOAD_IDR:
		return "RFC 7296 3.5";
	case PAYLOAD_CERT:
	case PAYLOAD_CERTREQ:
		return "RFC 7296 3.6";
	case PAYLOAD_AUTH:
		return "RFC 7296 3.8";
	case PAYLOAD_NONCE:
		return "RFC 7296 3.9";
	case PAYLOAD_NOTIFY:
		return "RFC 7296 3.10";
	case PAYLOAD_DELETE:
		return "RFC 7296 3.11";
	case PAYLOAD_TSI:
	case PAYLOAD_TSR:
		return "RFC 7296 3.13";
	case PAYLOAD_SKF:
		return "RFC 7383 2.5";
	default:
		return "RFC 7296 3.2";
	}
}

static json_t *payload_name_or_number(uint8_t type)
{
	const char *name = payload_name(type);

	return name[0] == '?' ? json_sprintf("payload %u", type) : json_string(name);
}

static int decode_one(json_t *out, uint8_t *next, struct reader *in, size_t at, struct err *err)
{
	uint8_t type = *next, flags;
	struct view body = VIEW_NONE;
	uint16_t length;
	json_t *entry;

	*next = read_u8(in);
	flags = read_u8(in);
	length = read_u16(in);
	if (in->failed)
		return err_set(err, -EBADMSG, "octet %zu: payload %s is announced, and the message ends (RFC 7296 3.2)",
			       at, payload_name(type));
	if (length >= PAYLOAD_HEADER_LEN)
		body = read_view(in, length - (size_t)PAYLOAD_HEADER_LEN);
	if (length < PAYLOAD_HEADER_LEN || in->failed)
		return err_set(err, -EBADMSG,
			       "octet %zu: payload %s says it has %u octets, which is not so (RFC 7296 3.2)", at,
			       payload_name(type), length);
	entry = json_pack("{so si si}", "payload", payload_name_or_number(type), "at", (int)at, "length", (int)length);
	json_array_append_new(out, entry);
	if (flags & 0x80)
		json_object_set_new(entry, "critical", json_true());
	if (!decode_payload(entry, type, body))
		return err_set(err, -EBADMSG, "octet %zu: payload %s is malformed (%s)", at, payload_name(type),
			       section_of(type));
	return 0;
}

int decode_chain(json_t *out, uint8_t next, struct view payloads, size_t at, struct err *err)
{
	struct reader in;

	reader_init(&in, payloads);
	while (next != PAYLOAD_NONE) {
		size_t here = at + payloads.len - reader_left(&in);
		uint8_t type = next;
		int rc = decode_one(out, &next, &in, here, err);

		if (rc)
			return rc;
		if (type == PAYLOAD_SK || type == PAYLOAD_SKF) {
			json_object_set_new(json_array_get(out, json_array_size(out) - 1), "first_inside",
					    payload_name_or_number(next));
			next = PAYLOAD_NONE;
		}
	}
	if (reader_left(&in))
		return err_set(err, -EBADMSG, "octet %zu: %zu octets are left behind the last payload (RFC 7296 3.2)",
			       at + payloads.len - reader_left(&in), reader_left(&in));
	return 0;
}

/* What header_parse refuses, said as exactly as it can be. */
static int explain_header(struct view message, struct err *err)
{
	struct reader in;
	uint32_t length;

	if (message.len < HEADER_LEN)
		return err_set(err, -EBADMSG,
			       "octet %zu: the message ends within its header of 28 octets (RFC 7296 3.1)",
			       message.len);
	reader_init(&in, view_of(message.at + HEADER_LEN - 4, 4));
	length = read_u32(&in);
	if (length != message.len)
		return err_set(err, -EBADMSG, "octet 24: the header says %u octets, there are %zu (RFC 7296 3.1)",
			       length, message.len);
	return err_set(err, -EBADMSG, "octet 0: the initiator's SPI is zero (RFC 7296 3.1)");
}

static json_t *spi_text(const uint8_t *spi)
{
	json_t *octets = decode_octets(view_of(spi, SPI_LEN)), *text = json_incref(json_object_get(octets, "hex"));

	json_decref(octets);
	return text;
}

static json_t *exchange_or_number(uint8_t exchange)
{
	const char *name = exchange_name(exchange);

	return name[0] == '?' ? json_sprintf("exchange %u", exchange) : json_string(name);
}

int decode_message(json_t **out, struct view message, struct err *err)
{
	struct header header;
	json_t *payloads;

	*out = json_object();
	if (header_parse(&header, message))
		return explain_header(message, err);
	payloads = json_array();
	json_object_update_new(*out, json_pack("{so ss ss si si}", "exchange", exchange_or_number(header.exchange),
					       "kind", header.flags & FLAG_RESPONSE ? "response" : "request", "from",
					       header.flags & FLAG_INITIATOR ? "initiator" : "responder", "message_id",
					       0, "length", (int)header.length));
	json_object_set_new(*out, "message_id", json_integer(header.mid));
	json_object_set_new(*out, "spi_i", spi_text(header.spi_i));
	json_object_set_new(*out, "spi_r", spi_text(header.spi_r));
	json_object_set_new(*out, "version", json_sprintf("%u.%u", header.version >> 4, header.version & 15));
	json_object_set_new(*out, "payloads", payloads);
	if (header.version >> 4 != VERSION_2)
		return err_set(err, -EBADMSG, "octet 17: version %u.%u, and only 2 has payloads that are known here",
			       header.version >> 4, header.version & 15);
	return decode_chain(payloads, header.next, view_of(message.at + HEADER_LEN, message.len - HEADER_LEN),
			    HEADER_LEN, err);
}
