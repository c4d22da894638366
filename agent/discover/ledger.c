// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger, see ledger.h. Text, except for the directory's octets, whose number stands before them:
 *
 *     holdfast-ledger 1
 *     mark KEY-ID SERIAL SHA256
 *     signature OCTETS
 *     ...
 *     directory OCTETS
 *     ...
 */
#include "discover/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "discover/directory.h"
#include "discover/file.h"
#include "discover/lines.h"

#define FIRST_LINE "holdfast-ledger 1"
#define HEAD_MAX 4096
#define FILE_MAX (DIRECTORY_OCTETS_MAX + MINISIGN_FILE_MAX + HEAD_MAX)

/* ---- reading ---------------------------------------------------------------------------------- */

static bool read_number(uint64_t *out, struct view word)
{
	uint64_t value = 0;

	if (!word.len || word.len > 20)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		uint8_t digit = (uint8_t)(word.at[i] - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

static int digit_of(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(uint8_t *out, size_t len, struct view word)
{
	if (word.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = digit_of(word.at[2 * i]), low = digit_of(word.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_mark(struct ledger *ledger, struct view line)
{
	struct mark *mark = &ledger->marks[ledger->mark_count];

	line_word(&line);
	if (ledger->mark_count == LEDGER_MARKS_MAX || !read_hex(mark->id, sizeof(mark->id), line_word(&line)) ||
	    !read_number(&mark->serial, line_word(&line)) ||
	    !read_hex(mark->sha256, sizeof(mark->sha256), line_word(&line)))
		return false;
	ledger->mark_count++;
	return true;
}

/* A line NAME OCTETS, then so many octets. */
static bool read_octets(struct view *out, struct view *text, struct view line, const char *name)
{
	uint64_t len;

	if (!view_equal(line_word(&line), view_of(name, strlen(name))) || !read_number(&len, line_word(&line)) ||
	    len > text->len)
		return false;
	*out = view_of(text->at, (size_t)len);
	*text = view_of(text->at + len, text->len - (size_t)len);
	return true;
}

static bool parse(struct ledger *ledger, struct view text)
{
	struct view line = line_next(&text);

	if (!view_equal(line, view_of(FIRST_LINE, strlen(FIRST_LINE))))
		return false;
	line = line_next(&text);
	while (line_starts(line, "mark ")) {
		if (!read_mark(ledger, line))
			return false;
		line = line_next(&text);
	}
	return text.at && read_octets(&ledger->signature, &text, line, "signature") &&
	       read_octets(&ledger->text, &text, line_next(&text), "directory") && !text.len;
}

int ledger_read(struct ledger *out, const char *path, struct err *err)
{
	OWN(ledger_clear) struct ledger ledger = { .mark_count = 0 };
	size_t len;
	int rc = file_read(&ledger.memory, &len, path, FILE_MAX, err);

	if (rc < 0)
		return rc;
	if (!parse(&ledger, view_of(ledger.memory, len)))
		return err_set(err, -EINVAL, "%s: is damaged", path);
	*out = ledger;
	ledger = (struct ledger){ .mark_count = 0 };
	return 0;
}

void ledger_clear(struct ledger *ledger)
{
	free(ledger->memory);
	*ledger = (struct ledger){ .mark_count = 0 };
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void write_text(struct writer *writer, const char *text)
{
	write_octets(writer, text, strlen(text));
}

static void write_hex(struct writer *writer, const uint8_t *octets, size_t len)
{
	char pair[3];

	for (size_t i = 0; i < len; i++) {
		snprintf(pair, sizeof(pair), "%02x", octets[i]);
		write_text(writer, pair);
	}
}

static void write_mark(struct writer *writer, const struct mark *mark)
{
	char serial[32];

	write_text(writer, "mark ");
	write_hex(writer, mark->id, sizeof(mark->id));
	snprintf(serial, sizeof(serial), " %" PRIu64 " ", mark->serial);
	write_text(writer, serial);
	write_hex(writer, mark->sha256, sizeof(mark->sha256));
	write_text(writer, "\n");
}

static void write_counted(struct writer *writer, const char *name, struct view octets)
{
	char line[64];

	snprintf(line, sizeof(line), "%s %zu\n", name, octets.len);
	write_text(writer, line);
	write_view(writer, octets);
}

int ledger_write(const struct ledger *ledger, struct view text, struct view signature, const char *path,
		 struct err *err)
{
	size_t max = text.len + signature.len + HEAD_MAX;
	OWN_FREE uint8_t *memory = malloc(max);
	struct writer writer;

	if (!memory)
		return err_set(err, -ENOMEM, "out of memory");
	writer_init(&writer, memory, max);
	write_text(&writer, FIRST_LINE "\n");
	for (size_t i = 0; i < ledger->mark_count; i++)
		write_mark(&writer, &ledger->marks[i]);
	write_counted(&writer, "signature", signature);
	write_counted(&writer, "directory", text);
	return file_replace(path, writer_view(&writer), 0600, err);
}

/* ---- marks ------------------------------------------------------------------------------------ */

static size_t find_mark(const struct ledger *ledger, const uint8_t id[MINISIGN_ID_LEN])
{
	size_t at = 0;

	while (at < ledger->mark_count && memcmp(ledger->marks[at].id, id, MINISIGN_ID_LEN) != 0)
		at++;
	return at;
}

int ledger_admit(const struct ledger *ledger, const uint8_t id[MINISIGN_ID_LEN], uint64_t serial,
		 const uint8_t text_hash[SHA256_LEN], const char *file, struct err *err)
{
	size_t at = find_mark(ledger, id);
	const struct mark *mark = &ledger->marks[at];
	char key[MINISIGN_ID_TEXT];

	if (at == ledger->mark_count || serial > mark->serial)
		return 0;
	if (serial < mark->serial)
		return err_set(err, -ESTALE,
			       "%s: its serial %" PRIu64 " is lower than %" PRIu64
			       ", which key %s signed before: somebody "
			       "puts back an old directory, or the serial was not raised",
			       file, serial, mark->serial, minisign_id_format(key, id));
	if (memcmp(mark->sha256, text_hash, SHA256_LEN) != 0)
		return err_set(err, -ESTALE,
			       "%s: its serial %" PRIu64
			       " was signed before with another text: raise the serial and sign "
			       "again",
			       file, serial);
	return 0;
}

void ledger_note(struct ledger *ledger, const uint8_t id[MINISIGN_ID_LEN], uint64_t serial,
		 const uint8_t text_hash[SHA256_LEN])
{
	size_t at = find_mark(ledger, id);
	struct mark *mark;

	if (at == LEDGER_MARKS_MAX) {
		memmove(ledger->marks, ledger->marks + 1, (LEDGER_MARKS_MAX - 1) * sizeof(ledger->marks[0]));
		at--;
	} else if (at == ledger->mark_count) {
		ledger->mark_count++;
	}
	mark = &ledger->marks[at];
	memcpy(mark->id, id, sizeof(mark->id));
	memcpy(mark->sha256, text_hash, sizeof(mark->sha256));
	mark->serial = serial;
}

/* ---- clock ------------------------------------------------------------------------------------ */

uint64_t ledger_read_clock(const char *path)
{
	OWN_FREE uint8_t *text = NULL;
	uint64_t seen_s = 0;
	size_t len;

	if (file_read(&text, &len, path, 64, NULL) < 0)
		return 0;
	return read_number(&seen_s, line_trim(line_next(&(struct view){ text, len }))) ? seen_s : 0;
}

int ledger_write_clock(uint64_t seen_s, const char *path, struct err *err)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", seen_s);

	return file_replace(path, view_of(text, (size_t)len), 0600, err);
}
