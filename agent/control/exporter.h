// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics over HTTP, for a collector on this host: libevent's server on a loopback address or a Unix socket. It answers GET /metrics
 * and nothing else. Whoever may connect may read; there is no other protection, so no other address is accepted.
 */
#ifndef CONTROL_EXPORTER_H
#define CONTROL_EXPORTER_H

#include <jansson.h>

#include "base/err.h"

struct event_base;
struct exporter;

/* A source makes the status (status.h) of this moment; the caller owns it. NULL = out of memory. */
typedef json_t *exporter_source(void *arg);

/* exporter_check says whether `where` is "127.0.0.1:PORT", "[::1]:PORT" or an absolute path. -EINVAL with a reason in err. */
int exporter_check(const char *where, struct err *err);

/* exporter_open listens there on the caller's event loop. -errno with a reason in err. */
int exporter_open(struct exporter **out, struct event_base *base, const char *where, exporter_source *source, void *arg,
		  struct err *err);

/* exporter_close: NULL is nothing. */
void exporter_close(struct exporter *exporter);

#endif
