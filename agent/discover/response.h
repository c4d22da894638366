// SPDX-License-Identifier: Apache-2.0
/*
 * DNS responses (RFC 1035 4) that somebody else asked for, read for one thing: which names lead to which addresses. Whoever sent
 * them may be anybody, and they may be cut off. Pure. Says nothing about what is true.
 */
#ifndef DISCOVER_RESPONSE_H
#define DISCOVER_RESPONSE_H

#include "base/bytes.h"
#include "discover/dname.h"
#include "holdfast/abi.h"

#define RESPONSE_ALIASES_MAX 8	  /* CNAMEs in a row; resolvers follow some 10 */
#define RESPONSE_ADDRESSES_MAX 16 /* of one response; a resolver's own order, so the first are the ones that are used */

/* Called for each address: with its owner, and with the name that was asked where aliases lead from it. Lower case, valid during the call. */
typedef void response_callback(void *arg, struct view name, const struct hf_addr *addr, uint32_t ttl_s);

/*
 * response_read calls `see` for the addresses that the question leads to. What is cut off gives what stands before the cut.
 * -EBADMSG: no response to one question. ttl_s: the least on the way.
 */
int response_read(struct view message, response_callback *see, void *arg);

#endif
