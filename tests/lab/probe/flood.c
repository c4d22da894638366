// SPDX-License-Identifier: Apache-2.0
/*
 * `flood`: many datagrams to many consecutive addresses, as fast as the kernel takes them or at a
 * given rate, nothing awaited, until SIGTERM at the latest. Numbered through, so that a `serve` at the far end can say what came.
 */
#include "probe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;

static void on_term(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

int flood_main(int argc, char **argv)
{
	static uint8_t payload[PROBE_SIZE_MAX];
	struct probe_options o;
	struct probe_errors errors = { .total = 0 };
	uint64_t start, took_ns;
	uint32_t run = (uint32_t)getpid() << 16 ^ (uint32_t)clock_mono();
	unsigned int sent = 0;
	int fd;

	if (options_parse(&o, argc, argv, true))
		return 2;
	fd = socket_open(&o, SOCK_DGRAM, 0);
	signal(SIGTERM, on_term);
	start = clock_mono();
	for (unsigned int i = 0; i < o.count && !is_over; i++) {
		union probe_addr to = addr_nth(&o.to, i % o.hosts);

		if (o.rate)
			clock_sleep_until(start + (uint64_t)i * 1000000000u / o.rate);
		payload_fill(payload, o.size, o.marker, run, i);
		if (sendto(fd, payload, o.size, 0, &to.sa, addr_len(&to)) < 0)
			errors_count(&errors, errno);
		else
			sent++;
	}
	took_ns = clock_mono() - start;
	printf("{\"kind\":\"flood\",\"asked\":%u,\"sent\":%u,\"seconds\":%.3f,\"first_send_ns\":%llu,", o.count, sent,
	       (double)took_ns / 1e9, (unsigned long long)start);
	errors_print(&errors, stdout);
	printf("}\n");
	return o.strict && errors.total;
}
