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

struct origin_options {
	const char *place;  /* a path, or an https:// URL */
	const char *ca;	    /* of a URL: file of CA certificates; NULL = the system's */
	uint64_t refresh_s; /* of a URL; 0 = 3600 */
};

/*
 * origin_open begins to watch; the first text comes with the first origin_poll. Without an event_base only polls bring texts, and a URL is an error.
 */
int origin_open(struct origin **out, const struct origin_options *options, struct event_base *base,
		origin_callback *callback, void *arg, struct err *err);
void origin_close(struct origin *origin);

/*
 * origin_poll looks whether there is something new, and brings it, from inside this call or later. `again`: also what was brought before.
 */
void origin_poll(struct origin *origin, bool again);

/* A kind of origin: what the functions above call. */
struct origin_kind {
	int (*open)(void **out, const struct origin_options *options, struct event_base *base,
		    origin_callback *callback, void *arg, struct err *err);
	void (*close)(void *origin);
	void (*poll)(void *origin, bool again);
};

extern const struct origin_kind origin_file, origin_url;

#endif
