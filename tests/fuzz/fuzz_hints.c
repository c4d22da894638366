// SPDX-License-Identifier: Apache-2.0
/*
 * What anybody on the way can send as a DNS answer, and hosts(5). The first octet says which. Whatever comes out are whole names in lower
 * case, the same for octets that mean the same, and a table that holds what it was told last.
 */
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/nstime.h"
#include "discover/hints.h"
#include "discover/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOW (1000 * NSTIME_S)

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_name(struct view name)
{
	uint8_t again[DNAME_WIRE_MAX];
	char text[DNAME_TEXT_MAX];
	struct reader reader;
	size_t len;

	reader_init(&reader, name);
	demand(view_equal(dname_read(&reader), name) && reader_done(&reader));
	for (size_t i = 0; i < name.len; i++)
		demand(name.at[i] < 'A' || name.at[i] > 'Z');
	demand(dname_parse(again, &len, dname_format(text, name)) == 0);
	demand(view_equal(name, view_of(again, len)));
}

struct last {
	struct hf_addr addr;
	uint8_t name[DNAME_WIRE_MAX];
	size_t len, count;
};

static void on_address(void *arg, struct view name, const struct hf_addr *addr, uint32_t ttl_s)
{
	struct last *last = arg;

	check_name(name);
	demand(ttl_s <= INT32_MAX);
	last->addr = *addr;
	memcpy(last->name, name.at, name.len);
	last->len = name.len;
	last->count++;
}

static void check_names(const struct hints *hints, const struct hf_addr *addr)
{
	struct view names[HINTS_NAMES_MAX];
	size_t count = hints_names(hints, addr, NOW, names);

	demand(count <= HINTS_NAMES_MAX);
	for (size_t i = 0; i < count; i++) {
		check_name(names[i]);
		for (size_t n = 0; n < i; n++)
			demand(!view_equal(names[i], names[n]));
	}
}

/* A table costs a megabyte of fresh memory, so only what says something gets one. */
static struct hints *new_hints(void)
{
	static const uint8_t seed[SIPHASH_KEY] = { 7 };
	struct hints *hints;

	return hints_new(&hints, seed) < 0 ? NULL : hints;
}

static void check_message(struct view message)
{
	struct last last = { .count = 0 }, part = { .count = 0 };
	struct hints_counts counts;
	struct hints *hints;

	if (response_read(message, on_address, &last) < 0) {
		demand(last.count == 0);
		return;
	}
	demand(last.count <= 2 * RESPONSE_ADDRESSES_MAX);
	/* A part of it may even have more: an alias that was cut off led elsewhere. */
	response_read(view_of(message.at, message.len - message.len / 4), on_address, &part);
	demand(part.count <= 2 * RESPONSE_ADDRESSES_MAX);
	if (!last.count || !(hints = new_hints()))
		return;
	hints_hear(hints, &last.addr, message, NOW);
	hints_hear(hints, &last.addr, message, NOW);
	hints_count(hints, &counts);
	demand(counts.answers == 2 && !counts.malformed && counts.used <= last.count);
	check_names(hints, &last.addr);
	hints_free(hints);
}

static void check_file(struct view text)
{
	static const struct hf_addr addr = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
	struct hints_counts first, again;
	struct hints *hints = new_hints();

	if (!hints)
		return;
	hints_file(hints, text);
	hints_count(hints, &first);
	check_names(hints, &addr);
	hints_file(hints, text);
	hints_count(hints, &again);
	demand(first.file == again.file && first.file <= HINTS_FILE_MAX && !again.used);
	hints_free(hints);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len && *data & 1)
		check_file(view_of(data + 1, len - 1));
	else if (len)
		check_message(view_of(data + 1, len - 1));
	return 0;
}
