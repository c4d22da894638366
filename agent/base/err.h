// SPDX-License-Identifier: Apache-2.0
/*
 * One line that tells a person what went wrong, where, and what to do. Functions that can fail for a
 * reason the operator must read take a `struct err *`, fill it once, and return a negative errno.
 * The first message stays: a caller may add where it happened, not replace what happened.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define ERR_TEXT_MAX 512

struct err {
	char text[ERR_TEXT_MAX]; /* one line without newline; "" = no error */
};

#define ERR_NONE     \
	(struct err) \
	{            \
		""   \
	}

/*
 * err_set fills `err` unless it already says something, and returns `code` (a negative errno), so that
 * callers write `return err_set(err, -EINVAL, "%s:%u: ...", file, line)`. err may be NULL.
 */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *format, ...);

/* err_prefix puts "PREFIX: " in front of the message: who adds context on the way up. err may be NULL. */
__attribute__((format(printf, 2, 3))) void err_prefix(struct err *err, const char *format, ...);

#endif
