// SPDX-License-Identifier: Apache-2.0
/*
 * Names and addresses in DNS responses, see response.h.
 */
#include "discover/response.h"

#include <errno.h>
#include <string.h>

#include "base/addr.h"

#define FLAG_RESPONSE 0x8000
#define RCODE 0x000f
#define CLASS_IN 1
#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_AAAA 28
#define POINTER 0xc0
#define LABEL_MAX 63

struct name {
	uint8_t octet[DNAME_WIRE_MAX];
	size_t len;
};

struct entry {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl_s;
	struct view data;
	size_t data_at; /* in the message: names in it point back there */
};

static struct view view_name(const struct name *name)
{
	return view_of(name->octet, name->len);
}

/* One label behind its length; false when it does not fit or is cut off. */
static bool append(struct name *name, uint8_t len, struct reader *from)
{
	struct view label = read_view(from, len);

	if (from->failed || name->len + 1 + len > sizeof(name->octet))
		return false;
	name->octet[name->len++] = len;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.at[i];

		name->octet[name->len++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
	}
	return true;
}

/*
 * Takes a name off the reader, pointers followed (RFC 1035 4.1.4). Each must lead further to the front than all before it, so
 * that there is an end. The reader is left behind the name as it stands there.
 */
static bool take_name(struct name *out, struct view message, struct reader *reader)
{
	struct reader from = *reader;
	size_t limit = (size_t)(reader->at - message.at);
	bool moved = false;

	out->len = 0;
	for (;;) {
		uint8_t len = read_u8(&from);
		size_t to;

		if (from.failed)
			return false;
		if (len <= LABEL_MAX) {
			if (!append(out, len, &from))
				return false;
			if (len)
				continue;
			if (!moved)
				*reader = from;
			return true;
		}
		to = (size_t)(len & ~POINTER) << 8 | read_u8(&from);
		if ((len & POINTER) != POINTER || from.failed || to >= limit)
			return false;
		if (!moved)
			*reader = from;
		moved = true;
		limit = to;
		reader_init(&from, view_of(message.at + to, message.len - to));
	}
}

/* False at the end, which may be a cut. */
static bool take_entry(struct entry *out, struct view message, struct reader *reader)
{
	if (!reader_left(reader) || !take_name(&out->owner, message, reader))
		return false;
	out->type = read_u16(reader);
	out->class = read_u16(reader);
	out->ttl_s = read_u32(reader);
	if (out->ttl_s > INT32_MAX)
		out->ttl_s = 0; /* RFC 2181 8 */
	out->data = read_view(reader, read_u16(reader));
	out->data_at = reader->failed ? 0 : (size_t)(out->data.at - message.at);
	return !reader->failed;
}

static bool is_at(const struct entry *entry, uint16_t type, const struct name *owner)
{
	return entry->type == type && entry->class == CLASS_IN &&
	       view_equal(view_name(&entry->owner), view_name(owner));
}

/* Where to look: behind the question. */
struct section {
	struct view message;
	struct reader reader;
	uint16_t count;
};

/* Moves `name` along one alias, and the time to live with it. */
static bool follow(const struct section *section, struct name *name, uint32_t *ttl_s)
{
	struct reader reader = section->reader;
	struct entry entry;

	for (uint16_t i = 0; i < section->count && take_entry(&entry, section->message, &reader); i++) {
		struct reader target;
		struct name to;

		if (!is_at(&entry, TYPE_CNAME, name))
			continue;
		reader_init(&target, view_of(entry.data.at, entry.data.len));
		if (!take_name(&to, section->message, &target) || reader_left(&target))
			return false;
		*name = to;
		if (entry.ttl_s < *ttl_s)
			*ttl_s = entry.ttl_s;
		return true;
	}
	return false;
}

static bool address_of(struct hf_addr *out, const struct entry *entry, const struct name *owner)
{
	if (is_at(entry, TYPE_A, owner) && entry->data.len == 4) {
		*out = addr_from_octets(entry->data.at, 4);
		return true;
	}
	if (!is_at(entry, TYPE_AAAA, owner) || entry->data.len != 16)
		return false;
	*out = addr_from_octets(entry->data.at, 16);
	return !addr_is_v4(out); /* a mapped one would speak for the IPv4 address */
}

int response_read(struct view message, response_callback *see, void *arg)
{
	struct section section = { .message = message };
	struct name asked, owner;
	uint32_t ttl_s = INT32_MAX;
	unsigned int seen = 0;
	struct reader reader;
	struct entry entry;
	uint16_t flags, questions;

	reader_init(&reader, message);
	read_u16(&reader);
	flags = read_u16(&reader);
	questions = read_u16(&reader);
	section.count = read_u16(&reader);
	read_u32(&reader); /* authority and additional section: nothing in them was asked for */
	if (reader.failed || !(flags & FLAG_RESPONSE) || flags & RCODE || questions != 1 ||
	    !take_name(&asked, message, &reader))
		return -EBADMSG;
	read_u16(&reader);
	if (read_u16(&reader) != CLASS_IN || reader.failed)
		return -EBADMSG;
	section.reader = reader;
	owner = asked;
	for (int i = 0; i < RESPONSE_ALIASES_MAX && follow(&section, &owner, &ttl_s); i++)
		;
	for (uint16_t i = 0; i < section.count && take_entry(&entry, message, &reader); i++) {
		struct hf_addr addr;
		uint32_t least = entry.ttl_s < ttl_s ? entry.ttl_s : ttl_s;

		if (!address_of(&addr, &entry, &owner) || ++seen > RESPONSE_ADDRESSES_MAX)
			continue;
		see(arg, view_name(&owner), &addr, least);
		if (!view_equal(view_name(&owner), view_name(&asked)))
			see(arg, view_name(&asked), &addr, least);
	}
	return 0;
}
