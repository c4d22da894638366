// SPDX-License-Identifier: Apache-2.0
/*
 * The log, see log.h. A line is built on the stack and written with one write, so lines never mix.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum log_level log_limit = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* What stands in front of a line: for people, and for the journal (the numbers are syslog(3)'s). */
static const char *const level_prefixes[][2] = {
	[LOG_LEVEL_ERROR] = { "holdfast: ", "<3>" },
	[LOG_LEVEL_WARN] = { "holdfast: warning: ", "<4>" },
	[LOG_LEVEL_INFO] = { "holdfast: ", "<6>" },
	[LOG_LEVEL_DEBUG] = { "holdfast: debug: ", "<7>" },
};

void log_set_level(enum log_level level)
{
	log_limit = level;
}

const char *log_level_name(enum log_level level)
{
	return (size_t)level < sizeof(level_names) / sizeof(level_names[0]) ? level_names[level] : "?";
}

int log_level_parse(enum log_level *out, const char *name)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* systemd.exec(5): JOURNAL_STREAM is DEVICE:INODE of the stream that goes to the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;
	char *end;

	if (!stream)
		return false;
	device = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	inode = strtoull(end + 1, NULL, 10);
	return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

bool log_site_admits(struct log_site *site, uint64_t now_ns, uint32_t *left_out)
{
	if (!site->since_ns || now_ns - site->since_ns >= LOG_SITE_SPAN_NS) {
		site->since_ns = now_ns;
		site->lines = 0;
	}
	if (site->lines >= LOG_SITE_LINES) {
		site->left_out++;
		return false;
	}
	site->lines++;
	*left_out = site->left_out;
	site->left_out = 0;
	return true;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
	static int journal = -1;
	char line[LOG_LINE_MAX];
	uint32_t left_out;
	va_list args;
	size_t len;

	if (level > log_limit || !log_site_admits(site, clock_ns(), &left_out))
		return;
	if (journal < 0)
		journal = stderr_is_journal();
	len = (size_t)snprintf(line, sizeof(line), "%s", level_prefixes[level][journal]);
	if (left_out)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "(%u more like this left out) ", left_out);
	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	len = strlen(line);
	line[len++] = '\n';
	/* A log that cannot be written has nobody to complain to. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

/* Octets that one byte becomes. */
static size_t escaped_len(uint8_t byte)
{
	if (byte == '\\')
		return 2;
	return byte >= ' ' && byte < 0x7f ? 1 : 4;
}

const char *log_escape(char *out, size_t out_max, const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	size_t used = 0, need = 0, room;

	for (size_t i = 0; i < len && need < out_max; i++)
		need += escaped_len(in[i]);
	room = need < out_max ? out_max - 1 : out_max - 1 - strlen("...");
	for (size_t i = 0; i < len && used + escaped_len(in[i]) <= room; i++) {
		const char *form = escaped_len(in[i]) == 1 ? "%c" : in[i] == '\\' ? "\\%c" : "\\x%02x";

		used += (size_t)snprintf(out + used, out_max - used, form, in[i]);
	}
	strcpy(out + used, need < out_max ? "" : "...");
	return out;
}
