// SPDX-License-Identifier: Apache-2.0
/*
 * Static pins, see pins.h.
 */
#include "discover/pins.h"

#include "base/own.h"
#include "discover/file.h"

int pins_read(struct hosts **out, const char *path, struct err *err)
{
	const struct hosts_options options = { .file = path, .line = 1 };
	OWN_FREE uint8_t *text = NULL;
	size_t len;
	int rc = file_read(&text, &len, path, PINS_OCTETS_MAX, err);

	return rc < 0 ? rc : hosts_parse(out, view_of(text, len), &options, err);
}
