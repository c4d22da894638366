// SPDX-License-Identifier: Apache-2.0
/*
 * The program's log: one line per message on stderr, `holdfast: ...`. When stderr is the journal (systemd's
 * JOURNAL_STREAM) the line starts with its priority instead, as sd-daemon(3) defines. Each call site
 * may say so much per time and no more, so that a stranger cannot fill a disk; what was left out is counted.
 *
 * Leaves do not log: who decides does. This is the one file of base that reads a clock and writes.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 0, /* the operator must act */
	LOG_LEVEL_WARN = 1,  /* something is worse than it should be, and we go on */
	LOG_LEVEL_INFO = 2,  /* what an operator wants to find later */
	LOG_LEVEL_DEBUG = 3,
};

#define LOG_LINE_MAX 1024

/* 20 lines at once tell a story; after that one every few seconds is enough to see that it goes on. */
#define LOG_SITE_LINES 20
#define LOG_SITE_SPAN_NS 10000000000ull

/* What a call site said lately. Zeroed at start. */
struct log_site {
	uint64_t since_ns; /* start of the span, 0 = never */
	uint32_t lines;
	uint32_t left_out;
};

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#define log_at(level, ...)                                 \
	do {                                               \
		static struct log_site log_site_;          \
		log_write(&log_site_, level, __VA_ARGS__); \
	} while (0)

/* log_write is what the macros above call. A newline or control character in the text is written as '?'. */
__attribute__((format(printf, 3, 4))) void log_write(struct log_site *site, enum log_level level, const char *format,
						     ...);

/* log_set_level leaves out everything less important than `level`. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* log_level_name and log_level_parse: "error", "warn", "info", "debug". parse returns -EINVAL for another name. */
const char *log_level_name(enum log_level level);
int log_level_parse(enum log_level *out, const char *name);

/*
 * log_escape writes bytes that came from a peer or a stranger as printable ASCII: \xNN for what is not, \\ for a
 * backslash; "..." at the end when it did not fit. Returns `out`; out_max is at least 4.
 */
const char *log_escape(char *out, size_t out_max, const void *bytes, size_t len);

/* log_site_admits counts one message at `now_ns` and says whether it may be written. *left_out is what was dropped before it. */
bool log_site_admits(struct log_site *site, uint64_t now_ns, uint32_t *left_out);

#endif
