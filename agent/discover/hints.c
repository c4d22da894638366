// SPDX-License-Identifier: Apache-2.0
/*
 * Names that addresses may have, see hints.h. Entries hang in a chain of their address's bucket, newest first, and in a list by
 * age; when all are taken the one heard longest ago goes.
 */
#include "discover/hints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/nstime.h"
#include "base/own.h"
#include "discover/lines.h"
#include "discover/response.h"

#define BUCKETS 4096 /* a power of two */
#define ENTRIES (HINTS_MAX + HINTS_FILE_MAX)
#define NONE UINT16_MAX

struct entry {
	struct hf_addr addr;
	uint64_t until_ns; /* NSTIME_NEVER: of the file */
	uint16_t next;	   /* in the bucket, or in the list of free ones */
	uint16_t older, newer;
	uint8_t len;
	uint8_t name[DNAME_WIRE_MAX];
};

struct source {
	struct hf_addr addr;
	uint64_t credit; /* names, in nanoseconds of HINTS_PER_SECOND */
	uint64_t seen_ns;
};

struct hints {
	struct hints_counts counts;
	void (*news)(void *arg, const struct hf_addr *addr);
	void *arg;
	uint8_t seed[SIPHASH_KEY];
	uint16_t bucket[BUCKETS];
	uint16_t free;
	uint16_t oldest, newest; /* of what was heard */
	struct source source[HINTS_SOURCES_MAX];
	struct entry entry[ENTRIES];
};

#define COST (NSTIME_S / HINTS_PER_SECOND)
#define CREDIT_MAX (HINTS_BURST * COST)

_Static_assert(ENTRIES < NONE, "an index fits");
_Static_assert(2 * (HINTS_BURST + HINTS_PER_SECOND * HINTS_KEPT_S) <= HINTS_MAX,
	       "what two sources add in that time fits");

int hints_new(struct hints **out, const uint8_t seed[SIPHASH_KEY])
{
	struct hints *hints = calloc(1, sizeof(*hints));

	if (!hints)
		return -ENOMEM;
	memcpy(hints->seed, seed, SIPHASH_KEY);
	memset(hints->bucket, 0xff, sizeof(hints->bucket));
	for (uint16_t i = 0; i < ENTRIES; i++)
		hints->entry[i].next = i + 1 < ENTRIES ? i + 1 : NONE;
	hints->oldest = hints->newest = NONE;
	*out = hints;
	return 0;
}

void hints_free(struct hints *hints)
{
	free(hints);
}

static uint16_t *bucket_of(struct hints *hints, const struct hf_addr *addr)
{
	return &hints->bucket[siphash_of(hints->seed, addr, sizeof(*addr)) % BUCKETS];
}

static bool is_of_file(const struct entry *entry)
{
	return entry->until_ns == NSTIME_NEVER;
}

/* ---- lists ---- */

static void age_out(struct hints *hints, struct entry *entry)
{
	*(entry->older == NONE ? &hints->oldest : &hints->entry[entry->older].newer) = entry->newer;
	*(entry->newer == NONE ? &hints->newest : &hints->entry[entry->newer].older) = entry->older;
}

static void age_in(struct hints *hints, struct entry *entry)
{
	uint16_t index = (uint16_t)(entry - hints->entry);

	entry->older = hints->newest;
	entry->newer = NONE;
	*(entry->older == NONE ? &hints->oldest : &hints->entry[entry->older].newer) = index;
	hints->newest = index;
}

static void remove_entry(struct hints *hints, struct entry *entry)
{
	uint16_t index = (uint16_t)(entry - hints->entry);
	uint16_t *link = bucket_of(hints, &entry->addr);

	while (*link != index)
		link = &hints->entry[*link].next;
	*link = entry->next;
	if (is_of_file(entry)) {
		hints->counts.file--;
	} else {
		age_out(hints, entry);
		hints->counts.used--;
	}
	entry->next = hints->free;
	hints->free = index;
}

static void add(struct hints *hints, const struct hf_addr *addr, struct view name, uint64_t until_ns)
{
	struct entry *entry = &hints->entry[hints->free];
	uint16_t *bucket = bucket_of(hints, addr), index = hints->free;

	hints->free = entry->next;
	entry->addr = *addr;
	entry->until_ns = until_ns;
	entry->len = (uint8_t)name.len;
	memcpy(entry->name, name.at, name.len);
	entry->next = *bucket;
	*bucket = index;
	if (is_of_file(entry)) {
		hints->counts.file++;
	} else {
		age_in(hints, entry);
		hints->counts.used++;
	}
}

static struct entry *find(struct hints *hints, const struct hf_addr *addr, struct view name)
{
	for (uint16_t i = *bucket_of(hints, addr); i != NONE; i = hints->entry[i].next) {
		struct entry *entry = &hints->entry[i];

		if (addr_equal(&entry->addr, addr) && view_equal(view_of(entry->name, entry->len), name))
			return entry;
	}
	return NULL;
}

/* The name that the address was heard to have longest ago, when there are HINTS_NAMES_MAX: more would only make chains long. */
static struct entry *find_surplus(struct hints *hints, const struct hf_addr *addr)
{
	struct entry *last = NULL;
	unsigned int count = 0;

	for (uint16_t i = *bucket_of(hints, addr); i != NONE; i = hints->entry[i].next) {
		struct entry *entry = &hints->entry[i];

		if (is_of_file(entry) || !addr_equal(&entry->addr, addr))
			continue;
		last = entry;
		count++;
	}
	return count < HINTS_NAMES_MAX ? NULL : last;
}

static void displace(struct hints *hints, struct entry *entry, uint64_t now)
{
	hints->counts.displaced += entry->until_ns > now;
	remove_entry(hints, entry);
}

/* ---- what may be a hint ---- */

/* No host of the DNS has a name of one label. */
bool hints_is_host(struct view name)
{
	size_t first = name.len ? 1 + (size_t)name.at[0] : 0;

	return first > 1 && first < name.len && name.at[first] != 0;
}

/* No address that a packet goes to by way of the gate: loopback, multicast, link-local and the like. */
static bool is_nowhere(const struct hf_addr *addr)
{
	static const uint8_t zeros[15];
	const uint8_t *octet = addr->octet;

	if (addr_is_v4(addr))
		return octet[12] == 0 || octet[12] == 127 || octet[12] >= 224 || (octet[12] == 169 && octet[13] == 254);
	return memcmp(octet, zeros, sizeof(zeros)) == 0 || octet[0] == 0xff || (octet[0] == 0xfe && octet[1] >> 6 == 2);
}

/* ---- heard ---- */

/* The source's account, filled up. Whoever was silent longest gives way to a new one. */
static struct source *account(struct hints *hints, const struct hf_addr *addr, uint64_t now)
{
	struct source *source = &hints->source[0];

	for (size_t i = 0; i < HINTS_SOURCES_MAX; i++) {
		struct source *other = &hints->source[i];

		if (other->seen_ns && addr_equal(&other->addr, addr)) {
			uint64_t credit = other->credit + nstime_until(now, other->seen_ns);

			other->credit = credit < CREDIT_MAX ? credit : CREDIT_MAX;
			other->seen_ns = now;
			return other;
		}
		if (other->seen_ns < source->seen_ns)
			source = other;
	}
	*source = (struct source){ .addr = *addr, .credit = CREDIT_MAX, .seen_ns = now };
	return source;
}

/* The one answer that is being read. */
struct hearing {
	struct hints *hints;
	struct source *source;
	uint64_t now;
};

static void on_address(void *arg, struct view name, const struct hf_addr *addr, uint32_t ttl_s)
{
	struct hearing *hearing = arg;
	struct hints *hints = hearing->hints;
	uint64_t span = ttl_s < HINTS_TTL_MIN_S ? HINTS_TTL_MIN_S : ttl_s > HINTS_TTL_MAX_S ? HINTS_TTL_MAX_S : ttl_s;
	uint64_t until = nstime_add(hearing->now, span * NSTIME_S);
	struct entry *known;
	bool is_new;

	if (!hints_is_host(name) || is_nowhere(addr))
		return;
	known = find(hints, addr, name);
	/* One that is over was not asked about any more. */
	is_new = !known || known->until_ns <= hearing->now;
	if (known) {
		if (is_of_file(known))
			return;
		remove_entry(hints, known);
	} else {
		if (hearing->source->credit < COST) {
			hints->counts.refused++;
			return;
		}
		hearing->source->credit -= COST;
		hints->counts.taken++;
	}
	known = find_surplus(hints, addr);
	if (known)
		displace(hints, known, hearing->now);
	if (hints->counts.used == HINTS_MAX)
		displace(hints, &hints->entry[hints->oldest], hearing->now);
	add(hints, addr, name, until);
	if (is_new && hints->news)
		hints->news(hints->arg, addr);
}

void hints_watch(struct hints *hints, void (*news)(void *arg, const struct hf_addr *addr), void *arg)
{
	hints->news = news;
	hints->arg = arg;
}

void hints_hear(struct hints *hints, const struct hf_addr *source, struct view message, uint64_t now)
{
	struct hearing hearing = { .hints = hints, .source = account(hints, source, now), .now = now };

	hints->counts.answers++;
	if (response_read(message, on_address, &hearing) < 0)
		hints->counts.malformed++;
}

/* ---- hosts(5) ---- */

static void add_of_file(struct hints *hints, const struct hf_addr *addr, struct view name)
{
	struct entry *known = find(hints, addr, name);

	if (known && is_of_file(known))
		return;
	if (known)
		remove_entry(hints, known);
	add(hints, addr, name, NSTIME_NEVER);
	if (hints->news)
		hints->news(hints->arg, addr);
}

static void take_line(struct hints *hints, struct view line)
{
	struct view word = line_word(&line);
	char text[DNAME_TEXT_MAX];
	struct hf_addr addr;

	if (!word.len || word.len >= ADDR_TEXT_MAX)
		return;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	if (addr_parse(&addr, text, NULL) < 0 || is_nowhere(&addr))
		return;
	while ((word = line_word(&line)).len) {
		uint8_t name[DNAME_WIRE_MAX];
		size_t len;

		if (word.len >= sizeof(text))
			continue;
		memcpy(text, word.at, word.len);
		text[word.len] = '\0';
		if (strlen(text) != word.len || dname_parse(name, &len, text) < 0 || !hints_is_host(view_of(name, len)))
			continue;
		/* Lengths of labels are below 'A'. */
		for (size_t i = 0; i < len; i++)
			name[i] = name[i] >= 'A' && name[i] <= 'Z' ? (uint8_t)(name[i] + 'a' - 'A') : name[i];
		if (hints->counts.file < HINTS_FILE_MAX)
			add_of_file(hints, &addr, view_of(name, len));
	}
}

void hints_file(struct hints *hints, struct view text)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		uint16_t at = hints->bucket[i];

		while (at != NONE) {
			struct entry *entry = &hints->entry[at];

			at = entry->next;
			if (is_of_file(entry))
				remove_entry(hints, entry);
		}
	}
	while (text.at) {
		struct view line = line_next(&text);

		take_line(hints, line_part(&line, '#'));
	}
}

/* ---- asked ---- */

static size_t append_names(const struct hints *hints, const struct hf_addr *addr, bool of_file, uint64_t now,
			   struct view *out, size_t count)
{
	uint16_t at = hints->bucket[siphash_of(hints->seed, addr, sizeof(*addr)) % BUCKETS];

	for (; at != NONE && count < HINTS_NAMES_MAX; at = hints->entry[at].next) {
		const struct entry *entry = &hints->entry[at];

		if (is_of_file(entry) == of_file && addr_equal(&entry->addr, addr) && entry->until_ns > now)
			out[count++] = view_of(entry->name, entry->len);
	}
	return count;
}

size_t hints_names(const struct hints *hints, const struct hf_addr *addr, uint64_t now,
		   struct view out[HINTS_NAMES_MAX])
{
	return append_names(hints, addr, false, now, out, append_names(hints, addr, true, now, out, 0));
}

void hints_count(const struct hints *hints, struct hints_counts *out)
{
	*out = hints->counts;
}
