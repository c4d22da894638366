/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sub-commands of hfprobe share: one table of options, the payload that carries marker and
 * sequence number, sockets made from the options, and the counting of errors by name.
 * A probe measures and prints one JSON object; what is good or bad is for the scenario to say.
 */
#ifndef HF_LAB_PROBE_H
#define HF_LAB_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#define PROBE_PORT 7007
#define PROBE_MARKER "HOLDFAST-MARKER"
#define PROBE_SIZE_MAX 65507

union probe_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

enum probe_df { DF_DEFAULT, DF_OFF, DF_ON, DF_PROBE };

struct probe_options {
	union probe_addr to;   /* family AF_UNSPEC where a command takes no address */
	union probe_addr from; /* AF_UNSPEC: the kernel chooses */
	uint16_t port;
	uint16_t sport;	      /* 0: the kernel chooses */
	unsigned int count;   /* datagrams, echo rounds */
	unsigned int hosts;   /* udp, flood: consecutive destinations, one after the other */
	unsigned int rate;    /* flood: packets per second, 0: no limit */
	unsigned int seconds; /* stream */
	uint64_t bytes;	      /* tcp: per round; stream: in all, 0: until seconds are over */
	uint64_t interval_ns; /* 0: burst */
	uint64_t wait_ns;     /* for answers, after the last packet was sent */
	uint64_t linger_ns;   /* for duplicates, after every answer has come */
	size_t size;	      /* UDP or ICMP payload */
	size_t gso;	      /* datagrams handed over per UDP_SEGMENT call, 0: none */
	uint32_t mark;
	enum probe_df df;
	bool connected;
	bool recverr;
	bool strict;	   /* exit 1 on loss, duplicates, disorder, errors */
	bool complete;	   /* the same, but any order will do */
	bool no_echo;	   /* serve: only count UDP */
	const char *after; /* udp, ping: a file; nothing is sent before its lock can be shared */
	const char *marker;
	const char *report;
};

/* In front of every payload; the marker follows, repeated to the end. Host byte order: both ends
 * are the same program on the same machine. */
struct probe_head {
	uint32_t magic;
	uint32_t run; /* tells this client's packets from another's */
	uint64_t seq;
	uint64_t sent_ns; /* CLOCK_MONOTONIC */
};
#define PROBE_MAGIC 0x48465042u

struct probe_errors {
	struct {
		int no;
		unsigned int count;
	} seen[16];
	unsigned int total;
};

int options_parse(struct probe_options *o, int argc, char **argv, bool wants_address);

uint64_t clock_mono(void);
void clock_sleep_until(uint64_t mono_ns);

socklen_t addr_len(const union probe_addr *a);
union probe_addr addr_nth(const union probe_addr *first, uint32_t n);
void addr_set_port(union probe_addr *a, uint16_t port);
const char *addr_text(const union probe_addr *a, char text[INET6_ADDRSTRLEN]);
int addr_parse(union probe_addr *a, const char *text);

/* Fill the whole payload; len is at least payload_min(marker). */
size_t payload_min(const char *marker);
void payload_fill(uint8_t *payload, size_t len, const char *marker, uint32_t run, uint64_t seq);

void errors_count(struct probe_errors *e, int no);
void errors_print(const struct probe_errors *e, FILE *to);

/* A socket with source, mark and DF as the options say; exits with a message on our own trouble. */
int socket_open(const struct probe_options *o, int type, int protocol);

void die(const char *what) __attribute__((noreturn));

/* SIGUSR1 to a client that sends for as long as it is wanted: no more, account for what was sent. */
void enough_on_signal(void);
bool is_enough(void);

int serve_main(int argc, char **argv);
int udp_main(int argc, char **argv);
int ping_main(int argc, char **argv);
int tcp_main(int argc, char **argv);
int stream_main(int argc, char **argv);
int flood_main(int argc, char **argv);
int feature_main(int argc, char **argv);
int hold_main(int argc, char **argv);
int forge_main(int argc, char **argv);
int strangers_main(int argc, char **argv);
int tun_main(int argc, char **argv);

#endif
