// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the text of a directory, see directory.h. The head's lines have one order, so that two people who sign the same facts sign the same
 * text.
 */
#include "discover/directory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "discover/lines.h"
#include "discover/stamp.h"

#define FORMAT "holdfast-directory"
#define FIRST_LINE FORMAT " 1"

struct reading {
	struct directory *directory;
	const char *file;
	unsigned int line;
	struct err *err;
};

#define COMPLAIN(reading, format, ...) \
	err_set((reading)->err, -EINVAL, "%s:%u: " format, (reading)->file, (reading)->line, ##__VA_ARGS__)
#define SHOWN(word) (int)((word).len < 64 ? (word).len : 64), (const char *)(word).at

/* ---- the head's lines ------------------------------------------------------------------------- */

static int read_id(struct reading *reading, struct view value)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._", c)))
			return COMPLAIN(reading, "\"%.*s\" is no id: use letters, digits, -, . and _", SHOWN(value));
	}
	if (!value.len || value.len > DIRECTORY_ID_MAX)
		return COMPLAIN(reading, "an id has 1 to %d characters: write id NAME", DIRECTORY_ID_MAX);
	memcpy(reading->directory->id, value.at, value.len);
	return 0;
}

static int read_serial(struct reading *reading, struct view value)
{
	uint64_t serial = 0;

	for (size_t i = 0; i < value.len; i++) {
		uint8_t digit = (uint8_t)(value.at[i] - '0');

		if (digit > 9 || serial > (UINT64_MAX - digit) / 10 || (i == 0 && digit == 0 && value.len > 1))
			return COMPLAIN(reading,
					"\"%.*s\" is no serial: write a whole number, one higher than the last",
					SHOWN(value));
		serial = serial * 10 + digit;
	}
	if (!serial)
		return COMPLAIN(reading, "the serial must be 1 or more: write serial NUMBER");
	reading->directory->serial = serial;
	return 0;
}

static int read_stamp(struct reading *reading, uint64_t *out, struct view value)
{
	if (stamp_parse(out, value) < 0)
		return COMPLAIN(reading, "\"%.*s\" is not a time: write YYYY-MM-DDTHH:MM:SSZ", SHOWN(value));
	return 0;
}

static int read_issued(struct reading *reading, struct view value)
{
	return read_stamp(reading, &reading->directory->issued_s, value);
}

static int read_expires(struct reading *reading, struct view value)
{
	struct directory *directory = reading->directory;
	int rc = read_stamp(reading, &directory->expires_s, value);

	if (rc < 0)
		return rc;
	if (directory->expires_s <= directory->issued_s)
		return COMPLAIN(reading, "it expires before it is issued: correct one of the two");
	if (directory->expires_s - directory->issued_s > DIRECTORY_LIFE_MAX_S)
		return COMPLAIN(reading,
				"it lives longer than 14 days, and so would a stolen key: let it expire earlier "
				"and sign more often");
	return 0;
}

static int read_prefixes(struct reading *reading, struct hf_prefix *prefixes, size_t *count, struct view value)
{
	while (value.at) {
		struct view part = line_part(&value, ',');
		char text[PREFIX_TEXT_MAX + 16] = "";
		struct err err = ERR_NONE;

		if (*count == DIRECTORY_PREFIXES_MAX)
			return COMPLAIN(reading, "there are more than %d prefixes: use shorter ones",
					DIRECTORY_PREFIXES_MAX);
		if (part.len)
			memcpy(text, part.at, part.len < sizeof(text) ? part.len : sizeof(text) - 1);
		if (prefix_parse(&prefixes[*count], text, &err) < 0)
			return COMPLAIN(reading, "%s", err.text);
		(*count)++;
	}
	return 0;
}

static int read_scope(struct reading *reading, struct view value)
{
	return read_prefixes(reading, reading->directory->scope, &reading->directory->scope_count, value);
}

static int read_complete(struct reading *reading, struct view value)
{
	struct directory *directory = reading->directory;
	int rc = read_prefixes(reading, directory->complete, &directory->complete_count, value);
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; rc == 0 && i < directory->complete_count; i++)
		if (!hosts_in_scope(directory->scope, directory->scope_count, &directory->complete[i]))
			rc = COMPLAIN(reading, "%s lies outside the directory's scope: widen the scope or remove it",
				      prefix_format(text, &directory->complete[i]));
	return rc;
}

struct field {
	const char *name, *form;
	int (*read)(struct reading *reading, struct view value);
	bool optional;
};

static const struct field fields[] = {
	{ "id", "id NAME", read_id, false },
	{ "serial", "serial NUMBER", read_serial, false },
	{ "issued", "issued YYYY-MM-DDTHH:MM:SSZ", read_issued, false },
	{ "expires", "expires YYYY-MM-DDTHH:MM:SSZ", read_expires, false },
	{ "scope", "scope PREFIX[,PREFIX...]", read_scope, false },
	{ "complete", "complete PREFIX[,PREFIX...]", read_complete, true },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* ---- the whole -------------------------------------------------------------------------------- */

/* The next line that says something; empty at the end. Comments and empty lines are passed over. */
static struct view next_content(struct reading *reading, struct view *text)
{
	struct view line = VIEW_NONE;

	while (text->at && !line.len) {
		line = line_next(text);
		line = line_trim(line_part(&line, '#'));
		reading->line++;
	}
	return line;
}

static int read_field(struct reading *reading, const struct field *field, struct view line)
{
	struct view name = line_word(&line), value = line_word(&line);

	if (!view_equal(name, view_of(field->name, strlen(field->name))))
		return COMPLAIN(reading, "\"%.*s\" stands where %s is expected: write %s", SHOWN(name), field->name,
				field->form);
	if (!value.len || line_word(&line).len)
		return COMPLAIN(reading, "%s takes one word: write %s", field->name, field->form);
	return field->read(reading, value);
}

static int read_first(struct reading *reading, struct view *text)
{
	struct view line = line_next(text);

	reading->line = 1;
	if (view_equal(line, view_of(FIRST_LINE, strlen(FIRST_LINE))))
		return 0;
	if (line_starts(line, FORMAT " "))
		return COMPLAIN(reading,
				"\"%.*s\" is another format than this program's, \"" FIRST_LINE
				"\": use a newer holdfast, or sign for this one",
				SHOWN(line));
	return COMPLAIN(reading, "this is not a directory: its first line must be \"" FIRST_LINE "\"");
}

/* Leaves *text at the first line behind the head. */
static int read_head(struct reading *reading, struct view *text)
{
	int rc = read_first(reading, text);

	for (size_t i = 0; rc == 0 && i < FIELDS; i++) {
		struct view before = *text, line, word;
		unsigned int number = reading->line;

		line = word = next_content(reading, text);
		word = line_word(&word);
		if (fields[i].optional && !view_equal(word, view_of(fields[i].name, strlen(fields[i].name)))) {
			*text = before;
			reading->line = number;
			continue;
		}
		if (!line.len)
			return COMPLAIN(reading, "the text ends where %s is expected: write %s", fields[i].name,
					fields[i].form);
		rc = read_field(reading, &fields[i], line);
	}
	return rc;
}

static void own_directory(struct directory **directory)
{
	directory_free(*directory);
}

int directory_parse(struct directory **out, struct view text, const char *file, struct err *err)
{
	OWN(own_directory) struct directory *directory = calloc(1, sizeof(*directory));
	struct reading reading = { .directory = directory, .file = file, .err = err };
	struct hosts_options options = { .file = file };
	int rc;

	if (!directory)
		return err_set(err, -ENOMEM, "out of memory");
	if (text.len > DIRECTORY_OCTETS_MAX)
		return err_set(err, -EFBIG, "%s: is larger than %u octets: make several directories", file,
			       DIRECTORY_OCTETS_MAX);
	rc = read_head(&reading, &text);
	options.line = reading.line + 1;
	options.scope = directory->scope;
	options.scope_count = directory->scope_count;
	if (rc == 0)
		rc = hosts_parse(&directory->hosts, text, &options, err);
	if (rc == 0)
		*out = TAKE(directory);
	return rc;
}

void directory_free(struct directory *directory)
{
	if (!directory)
		return;
	hosts_free(directory->hosts);
	free(directory);
}

int directory_check_time(const struct directory *directory, const char *file, uint64_t now_s, struct err *err)
{
	char text[STAMP_TEXT_MAX];

	if (directory->issued_s > now_s + DIRECTORY_AHEAD_MAX_S)
		return err_set(err, -EAGAIN,
			       "%s: it was issued in the future (%s): correct this machine's clock or the "
			       "signer's",
			       file, stamp_format(text, directory->issued_s));
	if (directory->expires_s <= now_s)
		return err_set(err, -ETIME, "%s: it expired at %s: sign a new one", file,
			       stamp_format(text, directory->expires_s));
	return 0;
}

const struct hf_prefix *directory_is_complete(const struct directory *directory, const struct hf_addr *addr)
{
	const struct hf_prefix host = { .prefix_len = 128, .addr = *addr };

	for (size_t i = 0; i < directory->complete_count; i++)
		if (hosts_in_scope(&directory->complete[i], 1, &host))
			return &directory->complete[i];
	return NULL;
}
