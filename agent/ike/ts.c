// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic selectors (RFC 7296 3.13, 2.9). Every function reads the whole payload before it answers: a list whose form is wrong behind
 * a good selector is wrong. Selectors of types that we do not know are skipped, they can only add to what
 * is offered. Nothing here joins several selectors to one: traffic that only two of them together cover is not covered.
 */
#include "base/addr.h"
#include "ike/ts.h"

#define SELECTOR_HEADER_LEN 4
#define PORT_MAX 65535

/* ---- form ------------------------------------------------------------------------------------ */

void ts_reader_init(struct ts_reader *reader, struct view body)
{
	reader_init(&reader->in, body);
	reader->left = read_u8(&reader->in);
	read_view(&reader->in, 3);
	/* A payload without selectors offers nothing and is no list (CVE-2023-23009). */
	if (reader->left == 0 || reader->left > TS_LIST_MAX)
		reader->in.failed = true;
}

static size_t address_len(uint8_t type)
{
	switch (type) {
	case TS_IPV4_ADDR_RANGE:
		return 4;
	case TS_IPV6_ADDR_RANGE:
		return 16;
	default:
		return 0;
	}
}

/* Ranges run upwards, but for the ports of OPAQUE (RFC 7296 3.13.1). */
static bool is_range(const struct selector *selector)
{
	if (view_compare(selector->start, selector->end) > 0)
		return false;
	return selector->port_start <= selector->port_end ||
	       (selector->port_start == PORT_MAX && selector->port_end == 0);
}

/* Selector: type, protocol, length, start port, end port, start address, end address (RFC 7296 3.13.1). */
bool ts_read(struct selector *selector, struct ts_reader *reader)
{
	struct selector read = { .type = 0 };
	struct reader in;
	uint16_t length;

	if (reader->left == 0 || reader->in.failed)
		return false;
	reader->left--;
	read.type = read_u8(&reader->in);
	read.protocol = read_u8(&reader->in);
	length = read_u16(&reader->in);
	if (length < SELECTOR_HEADER_LEN)
		reader->in.failed = true;
	reader_init(&in, read_view(&reader->in, length - (size_t)SELECTOR_HEADER_LEN));
	if (address_len(read.type)) {
		read.port_start = read_u16(&in);
		read.port_end = read_u16(&in);
		read.start = read_view(&in, address_len(read.type));
		read.end = read_view(&in, address_len(read.type));
		if (!reader_done(&in) || !is_range(&read))
			reader->in.failed = true;
	}
	if (reader->left == 0 && reader_left(&reader->in) > 0)
		reader->in.failed = true;
	if (reader->in.failed)
		return false;
	*selector = read;
	return true;
}

/* ---- meaning --------------------------------------------------------------------------------- */

static bool is_any_traffic(const struct selector *selector)
{
	return selector->protocol == 0 && selector->port_start == 0 && selector->port_end == PORT_MAX;
}

/* A v4-mapped address in an IPv6 selector is not that IPv4 address: on the wire they are of different families. */
static bool covers(const struct selector *selector, const struct hf_addr *addr)
{
	struct view octets;

	octets.at = addr_octets(addr, &octets.len);
	return is_any_traffic(selector) && selector->start.len == octets.len &&
	       view_compare(selector->start, octets) <= 0 && view_compare(octets, selector->end) <= 0;
}

int ts_covers(struct view body, const struct hf_addr *addr)
{
	struct selector selector;
	struct ts_reader reader;
	bool covered = false;

	ts_reader_init(&reader, body);
	while (ts_read(&selector, &reader))
		covered |= covers(&selector, addr);
	if (reader.in.failed)
		return NOTIFY_INVALID_SYNTAX;
	return covered ? 0 : NOTIFY_TS_UNACCEPTABLE;
}

int ts_single(struct hf_addr *addr, struct view body)
{
	struct selector selector, another;
	struct ts_reader reader;
	struct hf_addr single;
	size_t count = 0;

	ts_reader_init(&reader, body);
	while (ts_read(count ? &another : &selector, &reader))
		count++;
	if (reader.in.failed)
		return NOTIFY_INVALID_SYNTAX;
	if (count != 1 || selector.start.len == 0 || !is_any_traffic(&selector) ||
	    !view_equal(selector.start, selector.end))
		return NOTIFY_TS_UNACCEPTABLE;
	single = addr_from_octets(selector.start.at, selector.start.len);
	if (addr_is_v4(&single) != (selector.type == TS_IPV4_ADDR_RANGE))
		return NOTIFY_TS_UNACCEPTABLE;
	*addr = single;
	return 0;
}

int ts_is_exactly(struct view body, const struct hf_addr *addr)
{
	struct hf_addr single;
	int rc = ts_single(&single, body);

	if (rc)
		return rc;
	return addr_equal(&single, addr) ? 0 : NOTIFY_TS_UNACCEPTABLE;
}

/* ---- writing --------------------------------------------------------------------------------- */

void ts_write(struct message *message, enum payload type, const struct hf_addr *addr)
{
	struct view octets;

	octets.at = addr_octets(addr, &octets.len);
	payload_open(message, type);
	write_u8(&message->out, 1);
	write_zeros(&message->out, 3);
	write_u8(&message->out, addr_is_v4(addr) ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
	write_u8(&message->out, 0);
	write_u16(&message->out, (uint16_t)(SELECTOR_HEADER_LEN + 4 + 2 * octets.len));
	write_u16(&message->out, 0);
	write_u16(&message->out, PORT_MAX);
	write_view(&message->out, octets);
	write_view(&message->out, octets);
	payload_close(message);
}
