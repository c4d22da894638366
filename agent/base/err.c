// SPDX-License-Identifier: Apache-2.0
/*
 * Error texts, see err.h. Pure: formats into the caller's buffer, prints nothing.
 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (!err || err->text[0])
		return code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

void err_prefix(struct err *err, const char *format, ...)
{
	char rest[ERR_TEXT_MAX];
	va_list args;
	size_t used;

	if (!err)
		return;
	memcpy(rest, err->text, sizeof(rest));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", rest);
}
