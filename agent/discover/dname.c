// SPDX-License-Identifier: Apache-2.0
/*
 * Domain names on the wire and as text, see dname.h.
 */
#include "discover/dname.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63

struct view dname_read(struct reader *reader)
{
	const uint8_t *start = reader->at;
	size_t total = 0;
	uint8_t len;

	do {
		len = read_u8(reader);
		total += 1 + (size_t)len;
		/* The two highest bits would be a pointer (RFC 1035 4.1.4). */
		if (len > LABEL_MAX || total > DNAME_WIRE_MAX)
			reader->failed = true;
		read_view(reader, len);
	} while (len && !reader->failed);
	return reader->failed ? VIEW_NONE : view_of(start, total);
}

/* Writes one octet of a label, returns behind it. */
static char *show(char *at, uint8_t c)
{
	if (c <= ' ' || c > '~')
		return at + sprintf(at, "\\%03u", c);
	if (strchr(".\\\"();@$", c))
		*at++ = '\\';
	*at++ = (char)c;
	return at;
}

const char *dname_format(char out[DNAME_TEXT_MAX], struct view name)
{
	struct reader reader;
	char *at = out;
	uint8_t len;

	reader_init(&reader, name);
	while ((len = read_u8(&reader)) != 0) {
		struct view label = read_view(&reader, len);

		for (size_t i = 0; i < label.len; i++)
			at = show(at, label.at[i]);
		*at++ = '.';
	}
	if (at == out)
		*at++ = '.';
	*at = '\0';
	return out;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One octet of a label, *text moves behind it. Negative when it is written wrong. */
static int take_octet(const char **text)
{
	const char *at = *text;
	int value;

	if (*at != '\\') {
		*text = at + 1;
		return (uint8_t)*at;
	}
	if (!is_digit(at[1])) {
		*text = at + 2;
		return at[1] ? (uint8_t)at[1] : -EINVAL;
	}
	if (!is_digit(at[2]) || !is_digit(at[3]))
		return -EINVAL;
	value = (at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0');
	*text = at + 4;
	return value < 256 ? value : -EINVAL;
}

/* One label with its length, *text moves behind its dot. */
static int write_label(struct writer *writer, const char **text)
{
	uint8_t label[LABEL_MAX];
	size_t len = 0;

	while (**text && **text != '.') {
		int octet = take_octet(text);

		if (octet < 0 || len == sizeof(label))
			return -EINVAL;
		label[len++] = (uint8_t)octet;
	}
	if (!len)
		return -EINVAL;
	if (**text)
		(*text)++;
	write_u8(writer, (uint8_t)len);
	write_octets(writer, label, len);
	return 0;
}

int dname_parse(uint8_t out[DNAME_WIRE_MAX], size_t *len, const char *text)
{
	uint8_t name[DNAME_WIRE_MAX];
	struct writer writer;
	int rc = 0;

	writer_init(&writer, name, sizeof(name));
	if (!*text)
		return -EINVAL;
	if (strcmp(text, ".") == 0)
		text++;
	while (rc == 0 && *text)
		rc = write_label(&writer, &text);
	write_u8(&writer, 0);
	if (rc < 0 || writer.failed)
		return -EINVAL;
	memcpy(out, name, writer.len);
	*len = writer.len;
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool dname_equal(struct view a, struct view b)
{
	if (a.len != b.len)
		return false;
	/* Lengths of labels are below 'A'. */
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	return true;
}

const char *dname_reverse(char out[DNAME_REVERSE_MAX], const struct hf_addr *addr)
{
	const uint8_t *octet = addr->octet;
	char *at = out;

	if (addr_is_v4(addr)) {
		snprintf(out, DNAME_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa.", octet[15], octet[14], octet[13],
			 octet[12]);
		return out;
	}
	for (int i = 15; i >= 0; i--)
		at += sprintf(at, "%x.%x.", octet[i] & 15, octet[i] >> 4);
	strcpy(at, "ip6.arpa.");
	return out;
}
