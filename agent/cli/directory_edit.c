// SPDX-License-Identifier: Apache-2.0
/*
 * Editing a directory's text, see directory.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "cli/directory.h"
#include "discover/directory.h"
#include "discover/stamp.h"

static void own_directory(struct directory **directory)
{
	directory_free(*directory);
}

/* Puts a text together. NULL when memory ran out. */
struct pieces {
	char *text;
	size_t len;
	FILE *stream;
};

static void open_pieces(struct pieces *pieces)
{
	*pieces = (struct pieces){ .text = NULL };
	pieces->stream = open_memstream(&pieces->text, &pieces->len);
}

static void add_view(struct pieces *pieces, struct view view)
{
	if (pieces->stream && view.len)
		fwrite(view.at, 1, view.len, pieces->stream);
}

static char *close_pieces(struct pieces *pieces)
{
	if (!pieces->stream || fclose(pieces->stream) != 0)
		return NULL;
	return pieces->text;
}

/* What came out must be a directory. The caller's text goes to *out, or is freed. */
static int check(char **out, char *made, const char *file, struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	OWN_FREE char *text = made;
	int rc;

	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	rc = directory_parse(&directory, view_of(text, strlen(text)), file, err);
	if (rc == 0)
		*out = TAKE(text);
	return rc;
}

static int parse(struct directory **out, struct view text, const char *file, struct err *err)
{
	/* Lines are numbered and texts are C strings from here on. */
	if (text.len && memchr(text.at, '\0', text.len))
		return err_set(err, -EINVAL, "%s: there is a NUL byte: this is not a text file", file);
	return directory_parse(out, text, file, err);
}

/* The text of line `number`, its newline included. */
static struct view line_at(struct view text, unsigned int number)
{
	while (text.len) {
		const uint8_t *end = memchr(text.at, '\n', text.len);
		size_t len = end ? (size_t)(end - text.at) + 1 : text.len;

		if (--number == 0)
			return view_of(text.at, len);
		text = view_of(text.at + len, text.len - len);
	}
	return VIEW_NONE;
}

char *directory_begin(const char *id, uint64_t now_s)
{
	char issued[STAMP_TEXT_MAX], expires[STAMP_TEXT_MAX], *text;

	if (asprintf(&text,
		     "holdfast-directory 1\nid %s\nserial 1\nissued %s\nexpires %s\n"
		     "# The only addresses this directory may speak about:\nscope 0.0.0.0/0,::/0\n\n",
		     id, stamp_format(issued, now_s), stamp_format(expires, now_s + DIRECTORY_LIFE_MAX_S)) < 0)
		return NULL;
	return text;
}

int directory_add(char **out, struct view text, const char *line, const char *file, struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	struct pieces pieces;
	int rc = parse(&directory, text, file, err);

	if (rc < 0)
		return rc;
	open_pieces(&pieces);
	add_view(&pieces, text);
	if (text.at[text.len - 1] != '\n')
		add_view(&pieces, view_of("\n", 1));
	add_view(&pieces, view_of(line, strlen(line)));
	add_view(&pieces, view_of("\n", 1));
	return check(out, close_pieces(&pieces), file, err);
}

static const struct host *find_host(const struct hosts *hosts, const char *who)
{
	struct hf_prefix wanted;
	bool is_prefix = prefix_parse(&wanted, who, NULL) == 0;

	for (size_t i = 0; i < hosts_count(hosts); i++) {
		const struct host *host = hosts_at(hosts, i);

		if (*host->name && strcasecmp(host->name, who) == 0)
			return host;
		for (uint32_t n = 0; is_prefix && n < host->prefix_count; n++)
			if (prefix_equal(&host->prefixes[n], &wanted))
				return host;
	}
	return NULL;
}

int directory_remove(char **out, char **removed, struct view text, const char *who, const char *file, struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	const struct host *host;
	struct pieces pieces;
	struct view line;
	int rc = parse(&directory, text, file, err);

	if (rc < 0)
		return rc;
	host = find_host(directory->hosts, who);
	if (!host)
		return err_set(
			err, -ENOENT,
			"%s: no host has the name or the address \"%.64s\": `holdfast directory show` lists them", file,
			who);
	line = line_at(text, host->line);
	open_pieces(&pieces);
	add_view(&pieces, view_of(text.at, (size_t)(line.at - text.at)));
	add_view(&pieces, view_of(line.at + line.len, text.len - line.len - (size_t)(line.at - text.at)));
	rc = check(out, close_pieces(&pieces), file, err);
	if (rc == 0)
		*removed = strndup((const char *)line.at, line.len - (line.at[line.len - 1] == '\n'));
	return rc;
}

/* The line NAME VALUE of the head with another value; every other line as it is. */
static void add_renewed(struct pieces *pieces, struct view line, const char *name, const char *value, bool *done)
{
	size_t skip = 0;

	while (skip < line.len && (line.at[skip] == ' ' || line.at[skip] == '\t'))
		skip++;
	if (!*done && line.len > skip + strlen(name) && memcmp(line.at + skip, name, strlen(name)) == 0 &&
	    (line.at[skip + strlen(name)] == ' ' || line.at[skip + strlen(name)] == '\t')) {
		if (pieces->stream)
			fprintf(pieces->stream, "%s %s\n", name, value);
		*done = true;
	} else {
		add_view(pieces, line);
	}
}

/* Replaces one line of the head. */
static int replace(char **text, const char *name, const char *value)
{
	struct view left = view_of(*text, strlen(*text));
	struct pieces pieces;
	bool done = false;
	char *made;

	open_pieces(&pieces);
	while (left.len) {
		struct view line = line_at(left, 1);

		add_renewed(&pieces, line, name, value, &done);
		left = view_of(left.at + line.len, left.len - line.len);
	}
	made = close_pieces(&pieces);
	if (!made)
		return -ENOMEM;
	free(*text);
	*text = made;
	return 0;
}

int directory_renew(char **out, struct view text, uint64_t now_s, unsigned int days, const char *file, struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	OWN_FREE char *made = NULL;
	char serial[24], stamp[STAMP_TEXT_MAX];
	int rc = parse(&directory, text, file, err);

	if (rc < 0)
		return rc;
	if (directory->serial == UINT64_MAX)
		return err_set(err, -EOVERFLOW, "%s: the serial cannot be raised: sign with a new key and begin at 1",
			       file);
	made = strndup((const char *)text.at, text.len);
	snprintf(serial, sizeof(serial), "%" PRIu64, directory->serial + 1);
	if (!made || replace(&made, "serial", serial) < 0 || replace(&made, "issued", stamp_format(stamp, now_s)) < 0 ||
	    replace(&made, "expires", stamp_format(stamp, now_s + days * 86400ull)) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return check(out, TAKE(made), file, err);
}
