// SPDX-License-Identifier: Apache-2.0
/*
 * hfcap: write what arrives at every device of this network namespace into one pcap file. On the
 * lab's switch that is everything the hosts send, once: outgoing copies are not looked at, and
 * --skip leaves the bridge itself out. A TPACKET_V3 ring, because 100,000 packets in seconds must
 * not be dropped; what was dropped all the same goes to FILE.stats, and the wire judge reads it there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SIZE (1u << 19)
#define RETIRE_MS 20

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct capture {
	int fd;
	uint8_t *ring;
	unsigned int blocks;
	FILE *out;
	uint64_t packets, dropped;
};

struct pcap_file_header_ {
	uint32_t magic;
	uint16_t major, minor;
	int32_t zone;
	uint32_t accuracy, snaplen, link;
};

struct pcap_record_ {
	uint32_t sec, nsec, caplen, len;
};

static void die(const char *what)
{
	fprintf(stderr, "hfcap: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Keep everything but the skipped device, cut to snaplen: the filter's answer is the length kept. */
static void set_filter(int fd, unsigned int skip_index, unsigned int snaplen)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, skip_index, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, snaplen),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		die("filter");
}

static void ring_open(struct capture *c, const char *skip, unsigned int snaplen, unsigned int ring_mb)
{
	int version = TPACKET_V3, on = 1;
	struct tpacket_req3 req = { .tp_block_size = BLOCK_SIZE,
				    .tp_frame_size = 2048,
				    .tp_retire_blk_tov = RETIRE_MS };
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

	/* Protocol 0: nothing arrives before ring and filter are in place. */
	c->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("packet socket");
	set_filter(c->fd, skip ? if_nametoindex(skip) : 0, snaplen);
	c->blocks = ring_mb * ((1u << 20) / BLOCK_SIZE);
	req.tp_block_nr = c->blocks;
	req.tp_frame_nr = c->blocks * (BLOCK_SIZE / 2048);
	if (setsockopt(c->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		die("ring");
	c->ring = mmap(NULL, (size_t)c->blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->ring == MAP_FAILED)
		die("mmap");
	if (bind(c->fd, (struct sockaddr *)&all, sizeof(all)))
		die("bind");
}

/* The kernel takes VLAN tags out of the frame; they are put back where they were. */
static void packet_write(struct capture *c, const struct tpacket3_hdr *h)
{
	const uint8_t *frame = (const uint8_t *)h + h->tp_mac;
	bool vlan = h->tp_status & TP_STATUS_VLAN_VALID && h->tp_snaplen >= 12;
	struct pcap_record_ record = { .sec = h->tp_sec,
				       .nsec = h->tp_nsec,
				       .caplen = h->tp_snaplen + (vlan ? 4 : 0),
				       .len = h->tp_len + (vlan ? 4 : 0) };
	uint16_t tag[2] = { htons(ETH_P_8021Q), htons(h->hv1.tp_vlan_tci) };

	if (h->tp_status & TP_STATUS_VLAN_TPID_VALID)
		tag[0] = htons(h->hv1.tp_vlan_tpid);
	fwrite(&record, sizeof(record), 1, c->out);
	if (vlan) {
		fwrite(frame, 12, 1, c->out);
		fwrite(tag, sizeof(tag), 1, c->out);
		fwrite(frame + 12, h->tp_snaplen - 12, 1, c->out);
	} else {
		fwrite(frame, h->tp_snaplen, 1, c->out);
	}
	c->packets++;
}

/* Write every block that the kernel has handed over; true when there was one. */
static bool blocks_write(struct capture *c, unsigned int *next)
{
	bool any = false;

	for (;;) {
		struct tpacket_block_desc *block = (void *)(c->ring + (size_t)*next * BLOCK_SIZE);
		const uint8_t *at;

		if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return any;
		at = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
		for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
			packet_write(c, (const struct tpacket3_hdr *)at);
			at += ((const struct tpacket3_hdr *)at)->tp_next_offset;
		}
		__atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		*next = (*next + 1) % c->blocks;
		any = true;
	}
}

static void drops_read(struct capture *c)
{
	struct tpacket_stats_v3 stats;
	socklen_t len = sizeof(stats);

	if (!getsockopt(c->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		c->dropped += stats.tp_drops;
}

static int64_t mono_minus_real(void)
{
	struct timespec m, r;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &r);
	return ((int64_t)m.tv_sec - r.tv_sec) * 1000000000 + (m.tv_nsec - r.tv_nsec);
}

static void stats_write(const struct capture *c, const char *file)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s.stats", file);
	f = fopen(path, "w");
	if (!f)
		die(path);
	fprintf(f, "packets %llu\ndropped %llu\nmono_minus_real_ns %lld\n", (unsigned long long)c->packets,
		(unsigned long long)c->dropped, (long long)mono_minus_real());
	fclose(f);
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void run(struct capture *c, int signals)
{
	unsigned int next = 0, quiet = 0;
	bool stopping = false;

	/* After the signal: until two retire times pass without a block, so that the last packets,
	 * still in an open block, are written as well. */
	while (!stopping || quiet < 2) {
		struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
				       { .fd = stopping ? -1 : signals, .events = POLLIN } };

		poll(p, 2, stopping ? RETIRE_MS * 2 : 500);
		quiet = blocks_write(c, &next) ? 0 : quiet + 1;
		drops_read(c);
		if (p[1].revents) {
			stopping = true;
			quiet = 0;
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "snaplen", required_argument, NULL, 's' },
		{ "ring-mb", required_argument, NULL, 'm' },
		{ "skip", required_argument, NULL, 'x' },
		{ "ready", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	struct pcap_file_header_ header = { .magic = 0xa1b23c4d, .major = 2, .minor = 4, .snaplen = 256, .link = 1 };
	unsigned int ring_mb = 32;
	const char *skip = NULL, *ready = NULL;
	struct capture c = { .packets = 0 };
	int id, signals = signals_open();

	while ((id = getopt_long(argc, argv, "s:m:x:r:", options, NULL)) != -1) {
		switch (id) {
		case 's':
			header.snaplen = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'm':
			ring_mb = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'x':
			skip = optarg;
			break;
		case 'r':
			ready = optarg;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 1 || !header.snaplen || !ring_mb || ring_mb > 1024) {
		fprintf(stderr, "usage: hfcap [--snaplen N] [--ring-mb N] [--skip DEVICE] "
				"[--ready FILE] FILE.pcap\n");
		return 2;
	}
	c.out = fopen(argv[optind], "w");
	if (!c.out)
		die(argv[optind]);
	setvbuf(c.out, NULL, _IOFBF, 1 << 20);
	fwrite(&header, sizeof(header), 1, c.out);
	ring_open(&c, skip, header.snaplen, ring_mb);
	if (ready) {
		FILE *f = fopen(ready, "w");

		if (!f)
			die(ready);
		fclose(f);
	}
	run(&c, signals);
	if (fclose(c.out))
		die(argv[optind]);
	stats_write(&c, argv[optind]);
	return 0;
}
