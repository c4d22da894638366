// SPDX-License-Identifier: Apache-2.0
/*
 * hfprobe: the lab's traffic source and measuring point, one program with sub-commands, in C because
 * a process costs 20 ms on user-mode Linux and Python far more.
 */
#include "probe.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static int now_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("%llu\n", (unsigned long long)clock_mono());
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "serve", serve_main, "UDP and TCP echo, TCP sink on the next port, report at the end" },
	{ "udp", udp_main, "ADDRESS: UDP echo client" },
	{ "ping", ping_main, "ADDRESS: ICMP echo client" },
	{ "tcp", tcp_main, "ADDRESS: connect and echo" },
	{ "stream", stream_main, "ADDRESS: TCP bulk to a sink, Mbit/s" },
	{ "flood", flood_main, "ADDRESS: UDP to many consecutive addresses, no answers" },
	{ "feature", feature_main, "NAME: does this kernel have it (bpf_tc ringbuf tcx jit)" },
	{ "now", now_main, "CLOCK_MONOTONIC in nanoseconds" },
	{ "forge", forge_main, "--src ADDRESS: answer every IKE request with forged refusals" },
	{ "strangers", strangers_main, "ADDRESS --src FIRST: IKE_SA_INIT requests in the names of many sites" },
	{ "tun", tun_main, "NAME PID PID FILE.pcap: a cable between tun devices of two hosts, recorded" },
	{ "hold", hold_main, "READY-FILE: be the namespaces of one lab host" },
};

void die(const char *what)
{
	fprintf(stderr, "hfprobe: %s: %s\n", what, strerror(errno));
	exit(2);
}

static volatile sig_atomic_t enough;

static void on_enough(int signal_number)
{
	(void)signal_number;
	enough = 1;
}

void enough_on_signal(void)
{
	signal(SIGUSR1, on_enough);
}

bool is_enough(void)
{
	return enough;
}

int main(int argc, char **argv)
{
	const size_t n = sizeof(commands) / sizeof(commands[0]);

	for (size_t i = 0; argc > 1 && i < n; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);

	fprintf(stderr, "usage: hfprobe COMMAND [ADDRESS] [--option value]...\n");
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "  %-8s %s\n", commands[i].name, commands[i].what);
	return 2;
}
