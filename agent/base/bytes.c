// SPDX-License-Identifier: Apache-2.0
/*
 * Cursors over octets, see bytes.h. Every bound is checked by comparing lengths, never by adding to a pointer first.
 */
#include "base/bytes.h"

#include <string.h>

bool view_equal(struct view a, struct view b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

int view_compare(struct view a, struct view b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.at, b.at, common) : 0;

	if (order)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

void reader_init(struct reader *reader, struct view view)
{
	/* NULL + 0 is undefined in C, so an empty view gets no arithmetic. */
	reader->at = view.at;
	reader->end = view.len ? view.at + view.len : view.at;
	reader->failed = false;
}

size_t reader_left(const struct reader *reader)
{
	return reader->failed ? 0 : (size_t)(reader->end - reader->at);
}

/* Octets that are there, or NULL and a failed reader. */
static const uint8_t *take(struct reader *reader, size_t len)
{
	const uint8_t *at = reader->at;

	if (reader->failed || (size_t)(reader->end - reader->at) < len) {
		reader->failed = true;
		return NULL;
	}
	if (len)
		reader->at += len;
	return at;
}

uint8_t read_u8(struct reader *reader)
{
	const uint8_t *at = take(reader, 1);

	return at ? *at : 0;
}

uint16_t read_u16(struct reader *reader)
{
	const uint8_t *at = take(reader, 2);

	return at ? (uint16_t)(at[0] << 8 | at[1]) : 0;
}

uint32_t read_u32(struct reader *reader)
{
	const uint8_t *at = take(reader, 4);

	return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

struct view read_view(struct reader *reader, size_t len)
{
	const uint8_t *at = take(reader, len);

	return at ? view_of(at, len) : VIEW_NONE;
}

struct view read_rest(struct reader *reader)
{
	return read_view(reader, reader_left(reader));
}

void read_copy(struct reader *reader, void *out, size_t len)
{
	const uint8_t *at = take(reader, len);

	if (!len)
		return;
	if (at)
		memcpy(out, at, len);
	else
		memset(out, 0, len);
}

bool reader_done(const struct reader *reader)
{
	return !reader->failed && reader->at == reader->end;
}

void writer_init(struct writer *writer, void *memory, size_t max)
{
	writer->start = memory;
	writer->len = 0;
	writer->max = max;
	writer->failed = false;
}

uint8_t *write_space(struct writer *writer, size_t len)
{
	uint8_t *at;

	if (writer->failed || writer->max - writer->len < len) {
		writer->failed = true;
		return NULL;
	}
	at = writer->start + writer->len;
	writer->len += len;
	return at;
}

void write_u8(struct writer *writer, uint8_t value)
{
	uint8_t *at = write_space(writer, 1);

	if (at)
		at[0] = value;
}

/* Most significant octet first. */
static void store(uint8_t *at, uint32_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(value >> 8 * (len - 1 - i));
}

void write_u16(struct writer *writer, uint16_t value)
{
	uint8_t *at = write_space(writer, 2);

	if (at)
		store(at, value, 2);
}

void write_u32(struct writer *writer, uint32_t value)
{
	uint8_t *at = write_space(writer, 4);

	if (at)
		store(at, value, 4);
}

void write_octets(struct writer *writer, const void *octets, size_t len)
{
	uint8_t *at = len ? write_space(writer, len) : NULL;

	if (at)
		memcpy(at, octets, len);
}

void write_view(struct writer *writer, struct view view)
{
	write_octets(writer, view.at, view.len);
}

void write_zeros(struct writer *writer, size_t len)
{
	uint8_t *at = len ? write_space(writer, len) : NULL;

	if (at)
		memset(at, 0, len);
}

/* Octets written before, or NULL and a failed writer. */
static uint8_t *written(struct writer *writer, size_t offset, size_t len)
{
	if (writer->failed || offset > writer->len || writer->len - offset < len) {
		writer->failed = true;
		return NULL;
	}
	return writer->start + offset;
}

void put_u8(struct writer *writer, size_t offset, uint8_t value)
{
	uint8_t *at = written(writer, offset, 1);

	if (at)
		at[0] = value;
}

void put_u16(struct writer *writer, size_t offset, uint16_t value)
{
	uint8_t *at = written(writer, offset, 2);

	if (at)
		store(at, value, 2);
}

void put_u32(struct writer *writer, size_t offset, uint32_t value)
{
	uint8_t *at = written(writer, offset, 4);

	if (at)
		store(at, value, 4);
}

struct view writer_view(const struct writer *writer)
{
	return writer->failed ? VIEW_NONE : view_of(writer->start, writer->len);
}
