// SPDX-License-Identifier: Apache-2.0
/*
 * Two hosts for the tests of re-injection, made once for a program; each test begins without SAs and policies:
 *
 *   A  va 10.99.0.1, .3   2001:db8:99::1, ::3  ----  vb 10.99.0.2, .4   2001:db8:99::2, ::4  B
 *
 * each in its own network namespace. 10.99.0.9 and 2001:db8:99::9 are at a MAC address that nobody has. All that leaves
 * through va is captured (at vb, tunnel mode would show its content again). A frame of another
 * Ethernet type sent behind what is tested says when the capture is complete, so that "nothing was sent" needs no waiting.
 */
#ifndef RELEASE_LAB_H
#define RELEASE_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "dataplane/release.h"

#define LAB_PORT 7777
#define LAB_FRAME_MAX 70000

struct lab {
	int a, b;    /* namespaces */
	pid_t owner; /* keeps B while it is built */
	int capture; /* packet socket at va, sees what is sent */
	int fence;   /* packet socket at va, sends */
	struct release *release;
	struct hf_agent count;
};

/* What left A since the last look. */
struct lab_wire {
	unsigned int clear;	     /* IP packets that are not ESP; neighbour discovery and multicast left out */
	unsigned int esp;	     /* ESP, fragments of it included */
	uint8_t last[LAB_FRAME_MAX]; /* the last clear one, from its IP header on */
	size_t last_len;
};

/* The hosts of a test program. Tests run in A. */
int lab_open(void **state);
int lab_close(void **state);

/* Set-up and tear-down of each test: no SA, no policy, a release room of its own, all counters 0. */
int lab_begin(void **state);
int lab_end(void **state);

/* lab_look reads the capture up to now. */
void lab_look(struct lab *lab, struct lab_wire *wire);

/* lab_run runs a shell command in A or B and fails the test when it fails; lab_try only says whether it worked. */
void lab_run(struct lab *lab, int ns, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool lab_try(struct lab *lab, int ns, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* lab_socket makes a socket in A or B. */
int lab_socket(struct lab *lab, int ns, int family, int type, int proto);

/* lab_receiver is a UDP socket in B on LAB_PORT that waits up to 5 s for a datagram. */
int lab_receiver(struct lab *lab, bool v4);

/* lab_pair is (local, remote) of the lab by last octet: lab_pair(true, 1, 2) is 10.99.0.1 -> 10.99.0.2. */
struct hf_pair lab_pair(bool v4, int local, int remote);

/* lab_text is an address of the lab. The text stays until four more are made. */
const char *lab_text(bool v4, int octet);

/* lab_udp builds a UDP packet of the pair as caught at egress: only the pseudo header's sum in it. Returns its length. */
size_t lab_udp(uint8_t *out, const struct hf_pair *pair, size_t payload);

/* lab_fragment makes the fragment [from, from + len) of the payload of an IP packet without extension headers. */
size_t lab_fragment(uint8_t *out, const uint8_t *whole, size_t whole_len, size_t from, size_t len);

/* lab_head is the head of a slot that holds `len` octets of the pair. */
struct hf_slot_head lab_head(const struct hf_pair *pair, size_t len);

/* lab_release releases one packet of the pair and ends. Returns what release_begin said. */
int lab_release(struct lab *lab, const struct hf_pair *pair, const struct release_how *how, uint8_t *data, size_t len);

/* lab_expect_udp receives a datagram and compares it with a packet made by lab_udp, and its source with the pair. */
void lab_expect_udp(int fd, const struct hf_pair *pair, const uint8_t *packet, size_t len);

#endif
