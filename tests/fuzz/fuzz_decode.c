// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast decode` on arbitrary octets: a tree or a reason, and all text in the tree is printable ASCII.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_text(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			abort();
}

static void check_tree(json_t *tree)
{
	const char *key;
	json_t *value;
	size_t index;

	if (!tree)
		abort();
	if (json_is_string(tree))
		check_text(json_string_value(tree));
	json_array_foreach(tree, index, value)
		check_tree(value);
	json_object_foreach(tree, key, value) {
		check_text(key);
		check_tree(value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct err err = ERR_NONE;
	json_t *tree;
	int rc;

	if (!copy)
		return 0;
	memcpy(copy, data, len);
	/* The length field is too hard a guess. */
	for (size_t i = 0; i < 4 && len >= HEADER_LEN; i++)
		copy[24 + i] = (uint8_t)(len >> (24 - 8 * i));
	rc = decode_message(&tree, view_of(copy, len), &err);
	if ((rc != 0 && rc != -EBADMSG) || (rc < 0) != (err.text[0] != '\0'))
		abort();
	check_tree(tree);
	check_text(err.text);
	json_decref(tree);
	free(copy);
	return 0;
}
