// SPDX-License-Identifier: Apache-2.0
/*
 * The two hosts of release_lab.h: namespaces, capture, and packets as the egress program would have held them.
 */
#include "release_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FENCE_TYPE 0x88b5 /* IEEE 802 local experimental */

static int here(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

bool lab_try(struct lab *lab, int ns, const char *format, ...)
{
	char command[2048];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	enter(ns);
	status = system(command);
	enter(lab->a);
	return status == 0;
}

void lab_run(struct lab *lab, int ns, const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (!lab_try(lab, ns, "%s", command))
		fail_msg("failed: %s", command);
}

int lab_socket(struct lab *lab, int ns, int family, int type, int proto)
{
	int fd;

	enter(ns);
	fd = socket(family, type | SOCK_CLOEXEC, proto);
	enter(lab->a);
	assert_true(fd >= 0);
	return fd;
}

static int packet_socket(struct lab *lab, int ns, const char *device, int proto)
{
	int fd = lab_socket(lab, ns, AF_PACKET, SOCK_RAW, 0), size = 8 << 20;
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)proto) };

	enter(ns);
	at.sll_ifindex = (int)if_nametoindex(device);
	enter(lab->a);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/*
 * Addresses come after both ends are up: the kernel opens a link's queue a moment after the carrier came, and
 * drops what is sent before.
 */
static void build(struct lab *lab)
{
	static const char *up = "ip link set lo up; ip link set %s up address 02:00:00:00:00:0%c";
	static const char *wait = "for i in $(seq 250); do ip -o link show %s | grep -q 'state UP' && exit 0; "
				  "sleep 0.02; done; exit 1";
	static const char *addresses =
		"{ for i in %d %d; do echo address add 10.99.0.$i/24 dev %s; "
		"echo address add 2001:db8:99::$i/64 dev %s nodad; done; "
		"for i in %d %d 9; do m=%c; [ $i = 9 ] && m=9; for n in 10.99.0.$i 2001:db8:99::$i; do "
		"echo neighbour replace $n lladdr 02:00:00:00:00:0$m dev %s; done; done; } | ip -batch -";

	lab_run(lab, lab->a, "ip link add va type veth peer name vb netns %d", lab->owner);
	lab_run(lab, lab->a, up, "va", 'a');
	lab_run(lab, lab->b, up, "vb", 'b');
	lab_run(lab, lab->a, wait, "va");
	lab_run(lab, lab->b, wait, "vb");
	lab_run(lab, lab->a, addresses, 1, 3, "va", "va", 2, 4, 'b', "va");
	lab_run(lab, lab->b, addresses, 2, 4, "vb", "vb", 1, 3, 'a', "vb");
}

int lab_open(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	cpu_set_t one;

	/* One CPU: the fence frame cannot overtake. */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (!lab || unshare(CLONE_NEWNET) || unshare(CLONE_NEWNS))
		return -1;
	lab->b = here();
	lab->owner = fork();
	if (!lab->owner) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	if (unshare(CLONE_NEWNET))
		return -1;
	lab->a = here();
	*state = lab;
	build(lab);
	lab->capture = packet_socket(lab, lab->a, "va", ETH_P_ALL);
	lab->fence = packet_socket(lab, lab->a, "va", 0);
	return 0;
}

int lab_begin(void **state)
{
	static const char *flush = "printf 'xfrm state flush\nxfrm policy flush\nroute flush cache\n' | ip -batch -";
	struct lab *lab = *state;
	struct err err = ERR_NONE;

	lab_run(lab, lab->a, "%s", flush);
	lab_run(lab, lab->b, "%s", flush);
	memset(&lab->count, 0, sizeof(lab->count));
	if (release_open(&lab->release, &lab->count, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

int lab_end(void **state)
{
	static struct lab_wire rest;
	struct lab *lab = *state;

	lab_look(lab, &rest);
	release_close(lab->release);
	lab->release = NULL;
	return 0;
}

int lab_close(void **state)
{
	struct lab *lab = *state;

	close(lab->capture);
	close(lab->fence);
	kill(lab->owner, SIGKILL);
	waitpid(lab->owner, NULL, 0);
	close(lab->a);
	close(lab->b);
	free(lab);
	return 0;
}

/* ---- the wire ---- */

static void sort_in(struct lab_wire *wire, const uint8_t *ip, size_t len)
{
	bool v4 = ip[0] >> 4 == 4;
	uint8_t proto = v4 ? ip[9] : ip[6];
	bool multicast = v4 ? ip[16] >= 224 : ip[24] == 0xff;

	if (!v4 && proto == 44)
		proto = ip[40];
	if (proto == IPPROTO_ESP) {
		wire->esp++;
		return;
	}
	if (multicast || (!v4 && proto == IPPROTO_ICMPV6 && ip[40] >= 133 && ip[40] <= 137))
		return;
	wire->clear++;
	memcpy(wire->last, ip, len);
	wire->last_len = len;
}

void lab_look(struct lab *lab, struct lab_wire *wire)
{
	static uint32_t sequence;
	uint8_t fence[64] = "\x02\x00\x00\x00\x00\x0b\x02\x00\x00\x00\x00\x0a\x88\xb5";
	static uint8_t frame[LAB_FRAME_MAX];
	struct pollfd ready = { .fd = lab->capture, .events = POLLIN };

	memset(wire, 0, sizeof(*wire));
	sequence++;
	memcpy(fence + 14, &sequence, sizeof(sequence));
	assert_int_equal(send(lab->fence, fence, sizeof(fence), 0), sizeof(fence));
	for (;;) {
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t len;

		assert_int_equal(poll(&ready, 1, 5000), 1);
		len = recvfrom(lab->capture, frame, sizeof(frame), 0, (struct sockaddr *)&from, &from_len);
		if (len < 34 || from.sll_pkttype != PACKET_OUTGOING)
			continue;
		if (!memcmp(frame + 12, fence + 12, 2) && !memcmp(frame + 14, &sequence, sizeof(sequence)))
			return;
		if (!memcmp(frame + 12, "\x08\x00", 2) || !memcmp(frame + 12, "\x86\xdd", 2))
			sort_in(wire, frame + 14, (size_t)len - 14);
	}
}

/* ---- addresses and packets ---- */

const char *lab_text(bool v4, int octet)
{
	static char text[4][64];
	static unsigned int next;
	char *out = text[next++ % 4];

	snprintf(out, sizeof(text[0]), v4 ? "10.99.0.%d" : "2001:db8:99::%d", octet);
	return out;
}

struct hf_pair lab_pair(bool v4, int local, int remote)
{
	struct hf_pair pair;

	assert_int_equal(addr_parse(&pair.local, lab_text(v4, local), NULL), 0);
	assert_int_equal(addr_parse(&pair.remote, lab_text(v4, remote), NULL), 0);
	return pair;
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t words(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	return sum;
}

size_t lab_udp(uint8_t *out, const struct hf_pair *pair, size_t payload)
{
	bool v4 = addr_is_v4(&pair->local);
	size_t at = v4 ? 20 : 40, addr_len, len = 8 + payload, i;
	const uint8_t *local = addr_octets(&pair->local, &addr_len);
	const uint8_t *remote = addr_octets(&pair->remote, &addr_len);
	uint32_t sum;

	memset(out, 0, at);
	out[0] = v4 ? 0x45 : 0x60;
	if (v4) {
		put16(out + 2, at + len);
		put16(out + 4, 4711);
		out[8] = 61;
		out[9] = IPPROTO_UDP;
	} else {
		put16(out + 4, len);
		out[6] = IPPROTO_UDP;
		out[7] = 61;
	}
	memcpy(out + (v4 ? 12 : 8), local, addr_len);
	memcpy(out + (v4 ? 16 : 24), remote, addr_len);
	put16(out + at, 40000);
	put16(out + at + 2, LAB_PORT);
	put16(out + at + 4, len);
	sum = words(local, addr_len) + words(remote, addr_len) + IPPROTO_UDP + (uint32_t)len;
	sum = (sum & 0xffff) + (sum >> 16);
	put16(out + at + 6, (sum & 0xffff) + (sum >> 16));
	for (i = 0; i < payload; i++)
		out[at + 8 + i] = (uint8_t)(i * 7 + (i >> 8));
	return at + len;
}

size_t lab_fragment(uint8_t *out, const uint8_t *whole, size_t whole_len, size_t from, size_t len)
{
	bool v4 = whole[0] >> 4 == 4;
	size_t header = v4 ? 20 : 40, all = whole_len - header;
	bool more = from + len < all;

	memcpy(out, whole, header);
	if (v4) {
		put16(out + 2, header + len);
		put16(out + 6, from / 8 | (more ? 0x2000 : 0));
	} else {
		put16(out + 4, 8 + len);
		out[6] = 44;
		memset(out + 40, 0, 8);
		out[40] = whole[6];
		put16(out + 42, from | more);
		/* One datagram, one number: the port that lab_udp put in does as well as any. */
		memcpy(out + 44, whole + 40, 4);
		header += 8;
	}
	memcpy(out + header, whole + (v4 ? 20 : 40) + from, len);
	return header + len;
}

struct hf_slot_head lab_head(const struct hf_pair *pair, size_t len)
{
	return (struct hf_slot_head){ .len = (uint32_t)len, .pair = *pair, .held = HF_HELD_CLEAR };
}

int lab_release(struct lab *lab, const struct hf_pair *pair, const struct release_how *how, uint8_t *data, size_t len)
{
	struct hf_slot_head head = lab_head(pair, len);
	struct err err = ERR_NONE;
	int rc = release_begin(lab->release, pair, how, &err);

	if (rc)
		return rc;
	release_packet(lab->release, &head, data);
	release_end(lab->release);
	return 0;
}

int lab_receiver(struct lab *lab, bool v4)
{
	int fd = lab_socket(lab, lab->b, v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(LAB_PORT) };
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(LAB_PORT) };
	struct timeval wait = { .tv_sec = 20 }; /* a starved lab is no loss */

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(v4 ? bind(fd, (struct sockaddr *)&at4, sizeof(at4))
			    : bind(fd, (struct sockaddr *)&at6, sizeof(at6)),
			 0);
	return fd;
}

void lab_expect_udp(int fd, const struct hf_pair *pair, const uint8_t *packet, size_t len)
{
	static uint8_t data[LAB_FRAME_MAX];
	bool v4 = addr_is_v4(&pair->local);
	size_t at = v4 ? 28 : 48, addr_len;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t got = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);

	assert_int_equal(got, len - at);
	assert_memory_equal(data, packet + at, len - at);
	if (v4)
		assert_memory_equal(&((struct sockaddr_in *)&from)->sin_addr, addr_octets(&pair->local, &addr_len), 4);
	else
		assert_memory_equal(&((struct sockaddr_in6 *)&from)->sin6_addr, pair->local.octet, 16);
}
