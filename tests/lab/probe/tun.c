// SPDX-License-Identifier: Apache-2.0
/*
 * `tun`: a cable between two hosts that is no Ethernet. Makes a tun device of the given name in the network namespaces of
 * two processes, carries packets between them and records each once, as raw IP, in a capture that the wire judge reads.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LINK_RAW 101 /* LINKTYPE_RAW: packets begin with the IP header */

static volatile sig_atomic_t ended;

static void on_end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static int tun_open(const char *name, const char *pid)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	char path[64];
	int ns, fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die(path);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		die("/dev/net/tun");
	return fd;
}

static void record(FILE *out, const uint8_t *packet, uint32_t len)
{
	struct timespec now;
	uint32_t head[4];

	clock_gettime(CLOCK_REALTIME, &now);
	head[0] = (uint32_t)now.tv_sec;
	head[1] = (uint32_t)now.tv_nsec;
	head[2] = len;
	head[3] = len;
	fwrite(head, sizeof(head), 1, out);
	fwrite(packet, len, 1, out);
}

/* A packet that the other end does not take (its device is down) is lost, as on a cable nobody listens to. */
static void carry(int from, int to, FILE *out)
{
	static uint8_t packet[65536];
	ssize_t len;

	while ((len = read(from, packet, sizeof(packet))) > 0) {
		record(out, packet, (uint32_t)len);
		if (write(to, packet, (size_t)len) < 0 && errno != EIO && errno != EAGAIN)
			die("tun: write");
	}
}

int tun_main(int argc, char **argv)
{
	/* Nanoseconds, version 2.4, no zone, no accuracy, whole packets. */
	uint32_t header[6] = { 0xa1b23c4d, 4u << 16 | 2, 0, 0, 65536, LINK_RAW };
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	FILE *out;

	if (argc != 5) {
		fprintf(stderr, "usage: hfprobe tun NAME PID PID FILE.pcap\n");
		return 2;
	}
	out = fopen(argv[4], "w");
	if (!out)
		die(argv[4]);
	fwrite(header, sizeof(header), 1, out);
	signal(SIGTERM, on_end);
	for (int i = 0; i < 2; i++)
		p[i].fd = tun_open(argv[1], argv[2 + i]);
	fprintf(stderr, "relaying\n");
	while (!ended) {
		if (poll(p, 2, 200) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				carry(p[i].fd, p[1 - i].fd, out);
	}
	return fclose(out) ? 2 : 0;
}
