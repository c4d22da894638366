// SPDX-License-Identifier: Apache-2.0
/*
 * Where a directory's text and signature come from: a file and FILE.minisig, watched, or an https:// URL and URL.minisig, fetched now and then. Brings
 * texts, believes nothing.
 */
#ifndef DISCOVER_ORIGIN_H
#define DISCOVER_ORIGIN_H

#include "base/bytes.h"
#include "base/err.h"

struct event_base;
struct origin;

/* Called with a text and its signature (valid during the call), or with `err` when they could not be had. */
typedef void origin_callback(void *arg, struct view text, struct view signature, const struct err *err);

/*
 * origin_open begins to watch; the first text comes with the first origin_poll. `place` is a path, or a URL. Without an event_base only polls bring texts. refresh_s
 * is a URL's; 0 = 3600.
 */
int origin_open(struct origin **out, const char *place, uint64_t refresh_s, struct event_base *base,
		origin_callback *callback, void *arg, struct err *err);
void origin_close(struct origin *origin);

/*
 * origin_poll looks whether there is something new, and brings it, from inside this call or later. `again`: also what was brought before.
 */
void origin_poll(struct origin *origin, bool again);

/* A kind of origin: what the functions above call. */
struct origin_kind {
	int (*open)(void **out, const char *place, uint64_t refresh_s, struct event_base *base,
		    origin_callback *callback, void *arg, struct err *err);
	void (*close)(void *origin);
	void (*poll)(void *origin, bool again);
};

extern const struct origin_kind origin_file;

#endif
