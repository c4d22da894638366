// SPDX-License-Identifier: Apache-2.0
/*
 * Small things that every probe needs: the payload, the clock, and errors counted by name.
 * The marker is repeated to the end of the payload, so that every fragment and every TCP segment of
 * it can be recognised on the wire.
 */
#include "probe.h"

#include <errno.h>
#include <string.h>
#include <time.h>

uint64_t clock_mono(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void clock_sleep_until(uint64_t mono_ns)
{
	struct timespec t = { .tv_sec = (time_t)(mono_ns / 1000000000u), .tv_nsec = (long)(mono_ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

size_t payload_min(const char *marker)
{
	return sizeof(struct probe_head) + strlen(marker);
}

void payload_fill(uint8_t *payload, size_t len, const char *marker, uint32_t run, uint64_t seq)
{
	struct probe_head head = { .magic = PROBE_MAGIC, .run = run, .seq = seq, .sent_ns = clock_mono() };
	size_t n = strlen(marker);

	memcpy(payload, &head, sizeof(head));
	for (size_t at = sizeof(head); at < len; at += n)
		memcpy(payload + at, marker, len - at < n ? len - at : n);
}

void errors_count(struct probe_errors *e, int no)
{
	const size_t n = sizeof(e->seen) / sizeof(e->seen[0]);

	e->total++;
	for (size_t i = 0; i < n; i++) {
		if (e->seen[i].count && e->seen[i].no != no)
			continue;
		e->seen[i].no = no;
		e->seen[i].count++;
		return;
	}
}

void errors_print(const struct probe_errors *e, FILE *to)
{
	const size_t n = sizeof(e->seen) / sizeof(e->seen[0]);

	fprintf(to, "\"error_count\":%u,\"errors\":{", e->total);
	for (size_t i = 0; i < n && e->seen[i].count; i++) {
		const char *name = strerrorname_np(e->seen[i].no);

		fprintf(to, "%s\"%s\":%u", i ? "," : "", name ? name : "UNKNOWN", e->seen[i].count);
	}
	fprintf(to, "}");
}
