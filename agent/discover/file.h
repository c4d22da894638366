// SPDX-License-Identifier: Apache-2.0
/*
 * Whole files: read with a cap, and replaced so that after a power cut there is the old content or the new one, never a part.
 */
#ifndef DISCOVER_FILE_H
#define DISCOVER_FILE_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

/* file_read reads all of a plain file of at most `max` octets. The memory is the caller's. -EFBIG, or what open and read say. */
int file_read(uint8_t **out, size_t *len, const char *path, size_t max, struct err *err);

/* file_replace writes PATH.new, flushes it to the disk, and puts it in PATH's place. */
int file_replace(const char *path, struct view content, mode_t mode, struct err *err);

#endif
