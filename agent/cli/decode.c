// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast decode FILE`: one IKE message, payload by payload. The file holds the message's octets, or hexadecimal digits as
 * tshark and xxd write them. Without --keys only what is not sealed is shown. Nothing of a running agent is asked.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cli/cli.h"
#include "cli/decode.h"
#include "cli/decode_keys.h"
#include "cli/print.h"
#include "holdfast/control.h"
#include "ike/seal.h"

#define COLUMN 17
#define SHOWN_OCTETS 20 /* of a long value; --json has all */
#define SHOWN_TEXT 200	/* characters of a name */
#define LINE_MAX_LEN 1024
#define MARKER_LEN 4	       /* RFC 7296 3.1: four zero octets before a message on port 4500 */
#define INPUT_MAX (256 * 1024) /* the longest message as digits with colons between */

/* ---- the file -------------------------------------------------------------------------------- */

static int read_file(uint8_t *out, size_t *len, const char *name, struct err *err)
{
	FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
	bool failed;

	if (!file)
		return err_set(err, -errno, "%s: cannot be read (%s)", name, strerror(errno));
	*len = fread(out, 1, INPUT_MAX, file);
	failed = ferror(file);
	if (file != stdin)
		fclose(file);
	if (failed)
		return err_set(err, -EIO, "%s: cannot be read (%s)", name, strerror(errno));
	if (*len == 0)
		return err_set(err, -ENODATA, "%s: there is nothing in it", name);
	if (*len == INPUT_MAX)
		return err_set(err, -EFBIG, "%s: longer than a message can be", name);
	return 0;
}

static bool is_capture(const uint8_t *at, size_t len)
{
	static const char *const magics[] = { "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1",
					      "\xa1\xb2\x3c\x4d", "\x0a\x0d\x0d\x0a" };

	for (size_t i = 0; len >= 4 && i < sizeof(magics) / sizeof(magics[0]); i++)
		if (memcmp(at, magics[i], 4) == 0)
			return true;
	return false;
}

static bool is_hex_text(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit(at[i]) && !isspace(at[i]) && at[i] != ':')
			return false;
	return true;
}

/* Digits to octets, in place. */
static int read_hex(uint8_t *at, size_t *len, const char *name, struct err *err)
{
	size_t digits = 0;

	for (size_t i = 0; i < *len; i++) {
		uint8_t value;

		if (!isxdigit(at[i]))
			continue;
		value = (uint8_t)(isdigit(at[i]) ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
		at[digits / 2] = (uint8_t)(digits % 2 ? at[digits / 2] | value : value << 4);
		digits++;
	}
	if (digits % 2)
		return err_set(err, -EINVAL, "%s: %zu hexadecimal digits, which is an odd number", name, digits);
	*len = digits / 2;
	return 0;
}

static int read_message(struct view *message, uint8_t *memory, const char *name, struct err *err)
{
	static const uint8_t marker[MARKER_LEN];
	struct header header;
	size_t len = 0;
	int rc = read_file(memory, &len, name, err);

	if (rc < 0)
		return rc;
	if (is_capture(memory, len))
		return err_set(err, -EINVAL,
			       "%s is a capture: take one message out with tshark -r %s -T fields -e udp.payload -c 1",
			       name, name);
	if (is_hex_text(memory, len)) {
		rc = read_hex(memory, &len, name, err);
		if (rc < 0)
			return rc;
	}
	*message = view_of(memory, len);
	if (len > MARKER_LEN && memcmp(memory, marker, MARKER_LEN) == 0 &&
	    header_parse(&header, view_of(memory + MARKER_LEN, len - MARKER_LEN)) == 0)
		*message = view_of(memory + MARKER_LEN, len - MARKER_LEN);
	return 0;
}

/* ---- for people ------------------------------------------------------------------------------ */

static const char *string_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static long long number_of(const json_t *json, const char *key)
{
	return (long long)json_integer_value(json_object_get(json, key));
}

static void add_text(char line[LINE_MAX_LEN], const char *text)
{
	size_t used = strlen(line);

	snprintf(line + used, LINE_MAX_LEN - used, "%s%s", used ? ", " : "", text);
}

/* A value on one line. */
static void add_value(char line[LINE_MAX_LEN], const char *label, const json_t *value)
{
	char text[SHOWN_TEXT + 64];
	const json_t *entry;
	size_t index;

	if (json_is_array(value)) {
		json_array_foreach(value, index, entry)
			add_value(line, "", entry);
		return;
	}
	if (json_is_string(value))
		snprintf(text, sizeof(text), "%s%.*s", label, SHOWN_TEXT, json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, sizeof(text), "%s%lld", label, (long long)json_integer_value(value));
	else if (json_is_object(value))
		snprintf(text, sizeof(text), "%s%lld octets: %.*s%s", label, number_of(value, "octets"),
			 2 * SHOWN_OCTETS, string_of(value, "hex"),
			 number_of(value, "octets") > SHOWN_OCTETS ? "..." : "");
	else
		snprintf(text, sizeof(text), "%s%s", label, json_is_true(value) ? "yes" : "no");
	add_text(line, text);
}

static void show_line(const char *label, const json_t *value)
{
	char line[LINE_MAX_LEN] = "";

	add_value(line, "", value);
	print_item(PRINT_PLAIN, COLUMN, label, "%s", line);
}

/* A proposal or a selector: what is single on one line, lists below. */
static void show_entry(const char *label, json_t *entry)
{
	char line[LINE_MAX_LEN] = "", name[64];
	const char *key;
	json_t *value;

	json_object_foreach(entry, key, value) {
		snprintf(name, sizeof(name), "%s ", key);
		if (!json_is_array(value))
			add_value(line, name, value);
	}
	print_item(PRINT_PLAIN, COLUMN, label, "%s", line);
	json_object_foreach(entry, key, value) {
		snprintf(name, sizeof(name), "  %s", key);
		if (json_is_array(value))
			show_line(name, value);
	}
}

static void show_payload(json_t *payload)
{
	const char *key;
	json_t *value;

	print_text(PRINT_BOLD, "%s", string_of(payload, "payload"));
	print_text(PRINT_PLAIN, " at %lld, %lld octets\n", number_of(payload, "at"), number_of(payload, "length"));
	json_object_foreach(payload, key, value) {
		char label[COLUMN];
		json_t *entry;
		size_t index;

		if (strcmp(key, "payload") == 0 || strcmp(key, "at") == 0 || strcmp(key, "length") == 0)
			continue;
		if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
			snprintf(label, sizeof(label), "%.*s", (int)strlen(key) - 1,
				 key); /* "proposals" has a proposal a line */
			json_array_foreach(value, index, entry)
				show_entry(label, entry);
		} else {
			show_line(key, value);
		}
	}
}

static void show_payloads(const json_t *list)
{
	json_t *payload;
	size_t index;

	json_array_foreach(list, index, payload)
		show_payload(payload);
}

static void show_message(const json_t *tree)
{
	if (!json_object_get(tree, "exchange"))
		return;
	print_text(PRINT_BOLD, "%s %s", string_of(tree, "exchange"), string_of(tree, "kind"));
	print_text(PRINT_PLAIN, " from the %s, message %lld, %lld octets\n", string_of(tree, "from"),
		   number_of(tree, "message_id"), number_of(tree, "length"));
	show_line("SPIs", json_object_get(tree, "spi_i"));
	show_line("", json_object_get(tree, "spi_r"));
	show_line("version", json_object_get(tree, "version"));
	show_payloads(json_object_get(tree, "payloads"));
	if (json_object_get(tree, "inside"))
		print_text(PRINT_PLAIN, "\nInside, from octet 0 of the plain text:\n");
	show_payloads(json_object_get(tree, "inside"));
	if (json_object_get(tree, "fragment"))
		show_line("fragment", json_object_get(tree, "fragment"));
}

/* ---- the command ----------------------------------------------------------------------------- */

/* What is sealed, with the keys of the file. A fragment's content is a part of a chain, so it stays octets. */
static int decode_inside(json_t *tree, struct view message, const struct chain *chain, const char *keys,
			 struct err *err)
{
	static uint8_t memory[INPUT_MAX];
	struct view plain;
	json_t *inside;
	int rc;

	if (!chain->sk_type)
		return 0;
	rc = decode_keys_open(memory, &plain, message, chain, keys, err);
	if (rc < 0)
		return rc;
	if (chain->sk_type == PAYLOAD_SKF) {
		json_object_set_new(tree, "fragment", decode_octets(plain));
		return 0;
	}
	inside = json_array();
	json_object_set_new(tree, "inside", inside);
	rc = decode_chain(inside, chain->sk_next, plain, 0, err);
	if (rc < 0)
		err_prefix(err, "inside");
	return rc;
}

static int decode_file(json_t **tree, const char *file, const char *keys, struct err *err)
{
	static uint8_t memory[INPUT_MAX];
	struct view message;
	struct header header;
	struct chain chain;
	int rc = read_message(&message, memory, file, err);

	if (rc < 0)
		return rc;
	rc = decode_message(tree, message, err);
	if (rc < 0 || header_parse(&header, message))
		return rc;
	rc = chain_parse(&chain, header.next, view_of(message.at + HEADER_LEN, message.len - HEADER_LEN), false);
	if (rc) {
		json_object_set_new(*tree, "refused", json_string(notify_name((uint16_t)rc)));
		return err_set(err, -EBADMSG, "every payload can be read, and yet an agent refuses the message: %s",
			       notify_name((uint16_t)rc));
	}
	return keys ? decode_inside(*tree, message, &chain, keys, err) : 0;
}

int decode_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE;
	json_t *tree = NULL;
	int rc;

	if (argc != 1)
		return cli_usage("decode", "decode takes one file, or - for the standard input");
	rc = decode_file(&tree, argv[0], cli->keys, &err);
	if (cli->json && tree) {
		if (rc < 0)
			json_object_set_new(tree, CONTROL_ERROR, json_string(err.text));
		print_json(tree);
		return rc < 0 ? EXIT_FAILED : EXIT_DONE;
	}
	if (tree)
		show_message(tree);
	json_decref(tree);
	fflush(stdout); /* before the fault, which goes to stderr */
	return rc < 0 ? cli_fail(cli, &err) : EXIT_DONE;
}
