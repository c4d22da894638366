// SPDX-License-Identifier: Apache-2.0
/*
 * Which kind of origin a place is, see origin.h.
 */
#include "discover/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

struct origin {
	const struct origin_kind *kind;
	void *own; /* the kind's */
};

static int find_kind(const struct origin_kind **kind, const char *place, struct err *err)
{
	if (*place == '/') {
		*kind = &origin_file;
		return 0;
	}
	if (strncmp(place, "https://", 8) == 0) {
		*kind = &origin_url;
		return 0;
	}
	return err_set(err, -EINVAL, "directory = %s is neither an absolute path nor an https:// URL: correct it",
		       place);
}

int origin_open(struct origin **out, const struct origin_options *options, struct event_base *base,
		origin_callback *callback, void *arg, struct err *err)
{
	OWN_FREE struct origin *origin = calloc(1, sizeof(*origin));
	int rc;

	if (!origin)
		return err_set(err, -ENOMEM, "out of memory");
	rc = find_kind(&origin->kind, options->place, err);
	if (rc == 0)
		rc = origin->kind->open(&origin->own, options, base, callback, arg, err);
	if (rc == 0)
		*out = TAKE(origin);
	return rc;
}

void origin_close(struct origin *origin)
{
	if (!origin)
		return;
	origin->kind->close(origin->own);
	free(origin);
}

void origin_poll(struct origin *origin, bool again)
{
	origin->kind->poll(origin->own, again);
}
