// SPDX-License-Identifier: Apache-2.0
/*
 * Writing IKEv2 messages (RFC 7296 3). A message grows payload by payload; each one's type goes into the
 * next-payload field before it, which is the header's for the first. RESERVED is zero and the critical bit is never set: all
 * payloads we send are in RFC 7296 (2.5). What does not fit fails the writer, and message_finish says so.
 */
#include <string.h>

#include "ike/wire.h"

#define NEXT_IN_HEADER 16
#define LENGTH_IN_HEADER 24

void message_start(struct message *message, void *memory, size_t max, const struct header *header)
{
	memset(message, 0, sizeof(*message));
	message->next_at = NEXT_IN_HEADER;
	writer_init(&message->out, memory, max);
	write_octets(&message->out, header->spi_i, SPI_LEN);
	write_octets(&message->out, header->spi_r, SPI_LEN);
	write_u8(&message->out, PAYLOAD_NONE);
	write_u8(&message->out, header->version);
	write_u8(&message->out, header->exchange);
	write_u8(&message->out, header->flags);
	write_u32(&message->out, header->mid);
	write_u32(&message->out, 0);
}

void message_start_inside(struct message *message, void *memory, size_t max)
{
	memset(message, 0, sizeof(*message));
	message->inside = true;
	writer_init(&message->out, memory, max);
}

struct view message_finish(struct message *message)
{
	if (!message->inside)
		put_u32(&message->out, LENGTH_IN_HEADER, (uint32_t)message->out.len);
	return writer_view(&message->out);
}

void payload_open(struct message *message, enum payload type)
{
	bool first = message->first == PAYLOAD_NONE;

	if (first)
		message->first = (uint8_t)type;
	if (!first || !message->inside)
		put_u8(&message->out, message->next_at, (uint8_t)type);
	message->open_at = message->out.len;
	message->next_at = message->open_at;
	write_u8(&message->out, PAYLOAD_NONE);
	write_u8(&message->out, 0);
	write_u16(&message->out, 0);
}

void payload_close(struct message *message)
{
	size_t len = message->out.len - message->open_at;

	if (len > UINT16_MAX)
		message->out.failed = true;
	put_u16(&message->out, message->open_at + 2, (uint16_t)len);
}

/* KE (RFC 7296 3.4). */
void message_ke(struct message *message, uint16_t group, struct view data)
{
	payload_open(message, PAYLOAD_KE);
	write_u16(&message->out, group);
	write_u16(&message->out, 0);
	write_view(&message->out, data);
	payload_close(message);
}

/* IDi, IDr (RFC 7296 3.5). */
void message_id(struct message *message, enum payload type, uint8_t id_type, struct view data)
{
	payload_open(message, type);
	write_u8(&message->out, id_type);
	write_zeros(&message->out, 3);
	write_view(&message->out, data);
	payload_close(message);
}

/* AUTH (RFC 7296 3.8). */
void message_auth(struct message *message, uint8_t method, struct view data)
{
	payload_open(message, PAYLOAD_AUTH);
	write_u8(&message->out, method);
	write_zeros(&message->out, 3);
	write_view(&message->out, data);
	payload_close(message);
}

/* Ni, Nr (RFC 7296 3.9). */
void message_nonce(struct message *message, struct view nonce)
{
	payload_open(message, PAYLOAD_NONCE);
	write_view(&message->out, nonce);
	payload_close(message);
}

/* CERT with a raw public key (RFC 7670 3). */
void message_cert(struct message *message, struct view spki)
{
	payload_open(message, PAYLOAD_CERT);
	write_u8(&message->out, CERT_RAW_PUBLIC_KEY);
	write_view(&message->out, spki);
	payload_close(message);
}

/* N (RFC 7296 3.10). */
void message_notify(struct message *message, uint8_t protocol, uint16_t type, struct view spi, struct view data)
{
	if (spi.len > UINT8_MAX)
		message->out.failed = true;
	payload_open(message, PAYLOAD_NOTIFY);
	write_u8(&message->out, protocol);
	write_u8(&message->out, (uint8_t)spi.len);
	write_u16(&message->out, type);
	write_view(&message->out, spi);
	write_view(&message->out, data);
	payload_close(message);
}

/* D of this IKE SA: its SPIs are in the header (RFC 7296 3.11). */
void message_delete_ike(struct message *message)
{
	payload_open(message, PAYLOAD_DELETE);
	write_u8(&message->out, PROTOCOL_IKE);
	write_u8(&message->out, 0);
	write_u16(&message->out, 0);
	payload_close(message);
}

/* D of ESP SAs: the sender's inbound SPIs (RFC 7296 1.4.1). */
void message_delete_esp(struct message *message, const uint32_t *spis_be, size_t count)
{
	if (count > UINT16_MAX)
		message->out.failed = true;
	payload_open(message, PAYLOAD_DELETE);
	write_u8(&message->out, PROTOCOL_ESP);
	write_u8(&message->out, sizeof(*spis_be));
	write_u16(&message->out, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		write_octets(&message->out, &spis_be[i], sizeof(*spis_be));
	payload_close(message);
}
