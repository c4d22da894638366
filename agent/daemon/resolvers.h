// SPDX-License-Identifier: Apache-2.0
/*
 * The DNS resolvers this host asks, from resolv.conf(5): DNS to them is never held, or no name could be
 * looked up before the resolver itself has an SA.
 */
#ifndef DAEMON_RESOLVERS_H
#define DAEMON_RESOLVERS_H

#include <stddef.h>

#include "base/addr.h"

/*
 * resolvers_read appends the nameservers of one file to out[*count], each once and at most `max` in all. Loopback and what is
 * no address is passed over. A file that does not exist has none.
 */
void resolvers_read(struct hf_addr *out, size_t *count, size_t max, const char *path);

/*
 * resolvers_auto reads /etc/resolv.conf, and what systemd-resolved itself asks when the former only names its
 * loopback stub. Returns how many there are.
 */
size_t resolvers_auto(struct hf_addr *out, size_t max);

/* resolvers_local: where none is named but this host itself, it is asked at the loopback addresses of /etc/resolv.conf, or at 127.0.0.1. */
size_t resolvers_local(struct hf_addr *out, size_t max);

#endif
