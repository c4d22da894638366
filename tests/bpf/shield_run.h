// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the shield on one frame without a device (BPF_PROG_TEST_RUN), on maps of its own, and plays the agent's part for them. And
 * writes the frames that it is asked about.
 */
#ifndef BPF_SHIELD_RUN_H
#define BPF_SHIELD_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>

#include "base/addr.h"
#include "holdfast/shield.h"
#include "ike/cookie.h"

#define FRAME_MAX 3400 /* what BPF_PROG_TEST_RUN takes in one piece with pages of 4 KB */

struct shield_bpf;

struct shield {
	struct shield_bpf *skel;
	int prog, prog_driver, guest;
	bool as_guest; /* the program for a dispatcher is run, whose answers keep the question's length */
	int source, site, exempt, count, cpus;
	struct hf_shield_set *set;     /* mapped */
	struct hf_shield_state *state; /* mapped */
	struct cookie_jar jar;	       /* the engine's, whose secrets `set` has */
};

/* shield_open loads the programs: one own address of each family, secrets, and rates that let everything through. */
void shield_open(struct shield *shield);

/* shield_open_beside does so on the gate's maps of another program: what is said there holds for both. */
struct run;
void shield_open_beside(struct shield *shield, const struct run *run);
void shield_close(struct shield *shield);

/* shield_free_rates: rates that nothing exceeds. */
void shield_free_rates(struct shield *shield);

/* shield_forget takes everything out of buckets, state and counters. */
void shield_forget(struct shield *shield);

/* shield_rotate takes a new secret, as the engine does, and shows it to the program. */
void shield_rotate(struct shield *shield);

/* shield_run returns the verdict (XDP_*); `out` is the frame afterwards. */
/* shield_run_driver runs the program that is for drivers, which leaves frames that pass as they are. */
int shield_run_driver(const struct shield *shield, const uint8_t *frame, size_t len);
int shield_run(const struct shield *shield, const uint8_t *frame, size_t len, uint8_t out[FRAME_MAX], size_t *out_len);

struct hf_shield_count shield_counts(const struct shield *shield);

/* shield_entries counts what a map remembers. */
unsigned int shield_entries(int map);

#define SHIELD_OWN4 "192.0.2.1"
#define SHIELD_OWN6 "2001:db8:1::1"

/* An IKE_SA_INIT request in a frame. What is 0 or NULL is as usual. */
struct question {
	const char *src;     /* also says the family; 198.51.100.2 */
	unsigned int tags;   /* 802.1Q */
	unsigned int words;  /* IPv4: of options; IPv6: extension headers, of 8 octets each */
	bool encap;	     /* to port 4500, behind the marker */
	uint16_t port;	     /* the sender's, 500 */
	uint64_t spi;	     /* of the initiator, something */
	unsigned int ni_len; /* 32 */
	uint8_t ni_seed;
	struct view cookie; /* the data of N(COOKIE) */
	unsigned int more;  /* octets of a vendor ID that makes it longer */
};

struct asked {
	uint8_t frame[FRAME_MAX];
	size_t len;
	size_t l3, l4, ike, nonce; /* offsets: headers, and the nonce payload */
	struct ike_path path;	   /* as the engine would be told */
	uint8_t spi_i[8];
	struct view ni;
};

void question_write(struct asked *out, const struct question *question);

#endif
