// SPDX-License-Identifier: Apache-2.0
/*
 * `forge`: what somebody who sees an IKE request can say without any key. Each datagram to the IKE port of --src is answered, from
 * there, with one unprotected notify of every type that could end an attempt, as answers to that very request. Until SIGTERM.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* RFC 7296 3.1 and 3.10, wire order. */
struct refusal {
	uint8_t spi_i[8], spi_r[8];
	uint8_t next, version, exchange, flags;
	uint32_t mid, length;
	uint8_t notify_next, critical;
	uint16_t notify_length;
	uint8_t protocol, spi_size;
	uint16_t type;
} __attribute__((packed));

static volatile sig_atomic_t is_over;

static void on_term(int signal_number)
{
	(void)signal_number;
	is_over = 1;
}

int forge_main(int argc, char **argv)
{
	/* INVALID_SYNTAX, INVALID_MAJOR_VERSION, INVALID_IKE_SPI, NO_PROPOSAL_CHOSEN, AUTHENTICATION_FAILED, TS_UNACCEPTABLE */
	static const uint16_t types[] = { 7, 5, 4, 14, 24, 38 };
	struct sigaction term = { .sa_handler = on_term };
	struct probe_options o;
	unsigned int asked = 0, forged = 0;
	int fd;

	if (options_parse(&o, argc, argv, false))
		return 2;
	o.to = o.from;
	o.sport = 500;
	fd = socket_open(&o, SOCK_DGRAM, 0);
	sigaction(SIGTERM, &term, NULL); /* without SA_RESTART: it ends the wait below */
	printf("forging\n");
	fflush(stdout);
	while (!is_over) {
		struct refusal refusal;
		union probe_addr from;
		socklen_t len = sizeof(from);

		if (recvfrom(fd, &refusal, sizeof(refusal), 0, &from.sa, &len) < 28)
			continue;
		asked++;
		refusal.next = 41;
		refusal.flags = 0x20;
		refusal.length = htonl(sizeof(refusal));
		refusal.notify_next = refusal.critical = refusal.protocol = refusal.spi_size = 0;
		refusal.notify_length = htons(8);
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
			refusal.type = htons(types[i]);
			forged += sendto(fd, &refusal, sizeof(refusal), 0, &from.sa, len) == sizeof(refusal);
		}
	}
	printf("{\"kind\":\"forge\",\"asked\":%u,\"forged\":%u}\n", asked, forged);
	return 0;
}
