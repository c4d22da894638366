// SPDX-License-Identifier: Apache-2.0
/*
 * Questions to the DNS from the command line, asked and validated exactly as an agent with this configuration would; where it would not ask at all, through its
 * resolvers. Each call waits for its answer.
 */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include "cli/cli.h"
#include "discover/hunt.h"

#define QUERY_WAIT_S 30 /* libunbound has given up on all servers of a zone by then */

struct query;

int query_open(struct query **out, const struct cli *cli, struct err *err);
void query_close(struct query *query);

/* query_ask calls `see` with the answer; when none came in time, with one that says so. */
void query_ask(struct query *query, const char *name, uint16_t type, dns_callback *see, void *arg);

/* query_hunt calls `see` with what is known of the address. -ETIMEDOUT: nothing that decides came in time. */
int query_hunt(struct query *query, const struct hf_addr *addr, const char (*names)[DISCOVER_NAME_MAX], size_t count,
	       hunt_callback *see, void *arg, struct err *err);

/* query_say writes what kind of answer it is: "secure", "not signed", "bogus: ...", "no answer: ...", "there is no such name (secure)". */
#define QUERY_SAY_MAX 320
const char *query_say(char out[QUERY_SAY_MAX], enum dns_status status, enum dns_security security, const char *why);

const char *query_security(enum dns_security security);

#endif
