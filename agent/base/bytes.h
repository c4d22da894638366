// SPDX-License-Identifier: Apache-2.0
/*
 * Octets that somebody else wrote, and octets we write. A view is a part of memory that belongs to another; a reader is a
 * cursor over a view that cannot leave it; a writer fills a buffer that cannot overflow. Both fail stickily: decode
 * or encode straight down, ask once at the end. Integers are big-endian (network order) on the wire.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed octets. at may be NULL only when len is 0. Valid as long as the owner says. */
struct view {
	const uint8_t *at;
	size_t len;
};

#define VIEW_NONE ((struct view){ NULL, 0 })
/* VIEW_OF is an array's octets. A pointer does not compile: its size would be taken for the array's. */
#define VIEW_OF(array) ((struct view){ (const uint8_t *)(array), sizeof(array) + 0 * VIEW_REFUSES_POINTER(array) })
#define VIEW_REFUSES_POINTER(array) \
	sizeof(char[1 - 2 * !!__builtin_types_compatible_p(__typeof__(array), __typeof__(&(array)[0]))])

static inline struct view view_of(const void *at, size_t len)
{
	return (struct view){ at, len };
}

bool view_equal(struct view a, struct view b);

/*
 * view_compare orders octet-wise; where one is a prefix of the other, the shorter is smaller (RFC 7296 2.8.1).
 * Negative, 0 or positive. Not constant time: for nonces and names, not for secrets.
 */
int view_compare(struct view a, struct view b);

struct reader {
	const uint8_t *at, *end;
	bool failed; /* somebody asked for more than there was; every later read gives 0 or an empty view */
};

void reader_init(struct reader *reader, struct view view);
size_t reader_left(const struct reader *reader);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
/* read_view takes `len` octets off without copying. */
struct view read_view(struct reader *reader, size_t len);
/* read_rest takes all that is left. */
struct view read_rest(struct reader *reader);
/* read_copy copies `len` octets to `out`, which is zeroed when there are not so many. */
void read_copy(struct reader *reader, void *out, size_t len);
/* reader_done: nothing failed and nothing is left. */
bool reader_done(const struct reader *reader);

struct writer {
	uint8_t *start;
	size_t len, max;
	bool failed; /* it did not fit; what was written after that is lost */
};

void writer_init(struct writer *writer, void *memory, size_t max);
void write_u8(struct writer *writer, uint8_t value);
void write_u16(struct writer *writer, uint16_t value);
void write_u32(struct writer *writer, uint32_t value);
void write_octets(struct writer *writer, const void *octets, size_t len);
void write_view(struct writer *writer, struct view view);
void write_zeros(struct writer *writer, size_t len);
/* write_space reserves `len` octets to be filled by the caller, or gives NULL when there is no room. */
uint8_t *write_space(struct writer *writer, size_t len);
/* put_u16 and put_u32 overwrite octets written before, at `offset` from the start; out of range is a failure. */
void put_u8(struct writer *writer, size_t offset, uint8_t value);
void put_u16(struct writer *writer, size_t offset, uint16_t value);
void put_u32(struct writer *writer, size_t offset, uint32_t value);
/* writer_view is what was written so far; VIEW_NONE when it failed. */
struct view writer_view(const struct writer *writer);

#endif
