// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast decode`: the tree of a message, what it says of malformed ones, and the command itself, run as a program. The message is
 * written by the agent's own writer. The program's tests are skipped when it is not built.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "cli/decode.h"
#include "cli/print.h"
#include "crypto/crypto.h"
#include "ike/keylog.h"
#include "ike/proposal.h"
#include "ike/seal.h"
#include "ike/ts.h"

static const struct header example = {
	.spi_i = { 1, 2, 3, 4, 5, 6, 7, 8 },
	.spi_r = { 9, 10, 11, 12, 13, 14, 15, 16 },
	.version = 0x20,
	.exchange = EXCHANGE_IKE_SA_INIT,
	.flags = FLAG_INITIATOR,
};

/* clang-format off */
static const struct offer offer = { 1, { { PROTOCOL_ESP, 4, {
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, 1025, 0 },
	{ TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 } } } } };
/* clang-format on */

static struct view whole_message(uint8_t *memory, size_t max)
{
	struct message message;
	struct hf_addr addr;
	struct err err;

	assert_int_equal(addr_parse(&addr, "192.0.2.1", &err), 0);
	message_start(&message, memory, max, &example);
	proposal_write(&message, &offer, view_of("\xc0\0\1\2", 4));
	message_ke(&message, KE_X25519, view_of("0123456789abcdef0123456789abcdef", 32));
	message_nonce(&message, view_of("0123456789abcdef", 16));
	message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of("a\x1b[31m\n.example", 15));
	message_id(&message, PAYLOAD_IDR, ID_IPV4_ADDR, view_of("\xc0\0\2\1", 4));
	message_notify(&message, 0, NOTIFY_SIGNATURE_HASH_ALGORITHMS, VIEW_NONE, view_of("\0\2\0\5", 4));
	message_notify(&message, 0, 40960, VIEW_NONE, view_of("\1", 1));
	ts_write(&message, PAYLOAD_TSI, &addr);
	return message_finish(&message);
}

/* A path through the tree: names, and numbers of list entries. */
static const char *text_at(json_t *tree, const char *path)
{
	char copy[128], *rest = copy, *step;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((step = strsep(&rest, "/")))
		tree = json_is_array(tree) ? json_array_get(tree, (size_t)atoi(step)) : json_object_get(tree, step);
	return json_is_string(tree) ? json_string_value(tree) : "(no string)";
}

static void test_tree(void **state)
{
	static const struct {
		const char *path, *text;
	} cases[] = {
		{ "exchange", "IKE_SA_INIT" },
		{ "kind", "request" },
		{ "from", "initiator" },
		{ "spi_i", "0102030405060708" },
		{ "version", "2.0" },
		{ "payloads/0/payload", "SA" },
		{ "payloads/0/proposals/0/protocol", "ESP" },
		{ "payloads/0/proposals/0/spi", "c0000102" },
		{ "payloads/0/proposals/0/ENCR/0", "AES_GCM_16 256" },
		{ "payloads/0/proposals/0/ENCR/1", "unknown 1025" },
		{ "payloads/0/proposals/0/ESN/0", "YES" },
		{ "payloads/1/group", "CURVE25519" },
		{ "payloads/2/data/hex", "30313233343536373839616263646566" },
		{ "payloads/3/text", "a\\x1b[31m\\x0a.example" },
		{ "payloads/4/address", "192.0.2.1" },
		{ "payloads/5/hashes/1", "Identity" },
		{ "payloads/6/type", "unknown 40960" },
		{ "payloads/6/data/hex", "01" },
		{ "payloads/7/selectors/0/start", "192.0.2.1" },
		{ "payloads/7/selectors/0/ports", "any" },
	};
	uint8_t memory[512];
	struct view view = whole_message(memory, sizeof(memory));
	struct err err = ERR_NONE;
	json_t *tree;

	(void)state;
	assert_int_equal(decode_message(&tree, view, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_at(tree, cases[i].path), cases[i].text);
	assert_int_equal(json_array_size(json_object_get(tree, "payloads")), 8);
	json_decref(tree);
}

/* One octet is changed; what is said of it. */
static void test_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t octet;
		const char *text;
		size_t payloads; /* before the fault, the bad one included when its header was good */
	} cases[] = {
		{ 27, 0, "octet 24: the header says 0 octets, there are 220 (RFC 7296 3.1)", 0 },
		{ 17, 0x10, "octet 17: version 1.0, and only 2 has payloads that are known here", 0 },
		{ 31, 3, "octet 28: payload SA says it has 3 octets, which is not so (RFC 7296 3.2)", 0 },
		{ 30, 0xff, "octet 28: payload SA says it has 65332 octets, which is not so (RFC 7296 3.2)", 0 },
		{ 32, 1, "octet 28: payload SA is malformed (RFC 7296 3.3)", 1 },
		{ 16, 0, "octet 28: 192 octets are left behind the last payload (RFC 7296 3.2)", 0 },
		{ 196, 41, "octet 220: payload N is announced, and the message ends (RFC 7296 3.2)", 8 },
		{ 200, 0, "octet 196: payload TSi is malformed (RFC 7296 3.13)", 8 },
		{ 144, ID_IPV4_ADDR, "octet 140: payload IDi is malformed (RFC 7296 3.5)", 4 },
	};
	uint8_t memory[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct view view = whole_message(memory, sizeof(memory));
		struct err err = ERR_NONE;
		json_t *tree;

		memory[cases[i].at] = cases[i].octet;
		assert_int_equal(decode_message(&tree, view, &err), -EBADMSG);
		assert_string_equal(err.text, cases[i].text);
		assert_int_equal(json_array_size(json_object_get(tree, "payloads")), cases[i].payloads);
		json_decref(tree);
	}
	for (size_t len = 0; len < HEADER_LEN; len++) {
		struct err err = ERR_NONE;
		json_t *tree;

		whole_message(memory, sizeof(memory));
		assert_int_equal(decode_message(&tree, view_of(memory, len), &err), -EBADMSG);
		assert_non_null(strstr(err.text, "ends within its header of 28 octets"));
		json_decref(tree);
	}
}

/* ---- the program ----------------------------------------------------------------------------- */

static char folder[64], out[32768], errors[4096];
static int code;

static void read_back(const char *name, char *into, size_t max)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	assert_non_null(file);
	into[fread(into, 1, max - 1, file)] = '\0';
	fclose(file);
}

static void write_file(const char *name, struct view octets)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fwrite(octets.at, 1, octets.len, file);
	fclose(file);
}

/* Runs `holdfast decode ARGUMENTS` in the test's folder. */
static void run(const char *arguments)
{
	const char *build = getenv("HF_BUILD");
	char binary[512], command[1024];
	int status;

	snprintf(binary, sizeof(binary), "%s/holdfast", build ? build : "build");
	if (access(binary, X_OK) < 0) {
		printf("skip: %s is not built\n", binary);
		skip();
	}
	snprintf(command, sizeof(command), "b=$(realpath '%s'); cd '%s' && \"$b\" decode %s >out 2>err", binary, folder,
		 arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	code = WEXITSTATUS(status);
	read_back("out", out, sizeof(out));
	read_back("err", errors, sizeof(errors));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-decode-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int clean_up(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct view hex_text(char *text, struct view octets)
{
	size_t len = 0;

	for (size_t i = 0; i < octets.len; i++)
		len += (size_t)sprintf(text + len, "%s%02X%s", i % 16 ? ":" : "", octets.at[i],
				       i % 16 == 15 ? "\n" : "");
	return view_of(text, len);
}

static void test_command(void **state)
{
	static char text[4096], first[32768];
	uint8_t memory[512], marked[516] = { 0 };
	struct view view = whole_message(memory, sizeof(memory));

	(void)state;
	write_file("raw", view);
	run("raw");
	assert_int_equal(code, 0);
	assert_string_equal(errors, "");
	assert_non_null(strstr(out, "IKE_SA_INIT request from the initiator, message 0, 220 octets\n"));
	assert_non_null(strstr(out, "\n  text           a\\x1b[31m\\x0a.example\n"));
	assert_non_null(strstr(out, "\n    ENCR         AES_GCM_16 256, unknown 1025\n"));
	assert_non_null(strstr(out, "\n  data           32 octets: 3031323334353637383961626364656630313233...\n"));
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= PRINT_COLUMNS);
	memcpy(first, out, sizeof(first));

	write_file("hex", hex_text(text, view));
	run("hex");
	assert_string_equal(out, first);
	run("- <hex");
	assert_string_equal(out, first);
	memcpy(marked + 4, view.at, view.len);
	write_file("marked", view_of(marked, view.len + 4));
	run("marked");
	assert_string_equal(out, first);
	run("raw --json");
	assert_int_equal(code, 0);
	assert_non_null(strstr(out, "\"from\": \"initiator\""));
}

static void test_help(void **state)
{
	(void)state;
	run("--help");
	assert_int_equal(code, 0);
	assert_non_null(strstr(out, "Examples:\n  holdfast decode message.bin\n"));
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= PRINT_COLUMNS);
}

static void test_command_refuses(void **state)
{
	uint8_t memory[512];
	struct view view = whole_message(memory, sizeof(memory));
	struct message message;

	(void)state;
	write_file("short", view_of(view.at, 20));
	run("short");
	assert_int_equal(code, 1);
	assert_string_equal(errors,
			    "holdfast: octet 20: the message ends within its header of 28 octets (RFC 7296 3.1)\n");
	memory[197] = 0x7f; /* reserved bits are no fault, a count is */
	memory[200] = 9;
	write_file("count", view);
	run("count");
	assert_int_equal(code, 1);
	assert_string_equal(errors, "holdfast: octet 196: payload TSi is malformed (RFC 7296 3.13)\n");
	assert_non_null(strstr(out, "IDr at "));
	run("count --json");
	assert_int_equal(code, 1);
	assert_non_null(strstr(out, "\"error\": \"octet 196: payload TSi is malformed"));
	assert_string_equal(errors, "");

	message_start(&message, memory, sizeof(memory), &example);
	message_nonce(&message, view_of("0123456789abcdef", 16));
	message_nonce(&message, view_of("0123456789abcdef", 16));
	write_file("twice", message_finish(&message));
	run("twice");
	assert_int_equal(code, 1);
	assert_string_equal(
		errors, "holdfast: every payload can be read, and yet an agent refuses the message: INVALID_SYNTAX\n");

	write_file("empty", VIEW_NONE);
	run("empty");
	assert_string_equal(errors, "holdfast: empty: there is nothing in it\n");
	write_file("odd", view_of("01 02 0", 7));
	run("odd");
	assert_string_equal(errors, "holdfast: odd: 5 hexadecimal digits, which is an odd number\n");
	write_file("pcap", view_of("\xd4\xc3\xb2\xa1xxxx", 8));
	run("pcap");
	assert_non_null(strstr(errors, "holdfast: pcap is a capture: take one message out with tshark"));
	run("none");
	assert_string_equal(errors, "holdfast: none: cannot be read (No such file or directory)\n");
	assert_int_equal(code, 1);
	run("");
	assert_int_equal(code, 2);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static char keys_text[2048];

static void keep_line(void *arg, bool esp, const char *line)
{
	(void)arg;
	(void)esp;
	strcat(strcat(keys_text, line), "\n");
}

static void test_keys(void **state)
{
	static const struct {
		uint16_t encr, bits, integ;
	} suites[] = { { ENCR_AES_GCM_16, 256, 0 },
		       { ENCR_AES_GCM_16, 128, 0 },
		       { ENCR_CHACHA20_POLY1305, 0, 0 },
		       { ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 } };
	const struct ike_host host = { .keylog = keep_line };
	uint8_t memory[512], sealed[1024], iv[16] = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(crypto_init(&err), 0);
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		struct keymat keymat = { .cipher = cipher_find(suites[i].encr, suites[i].bits, suites[i].integ) };
		struct keymat other = keymat;
		struct header header = example;
		struct message message;
		size_t len = sizeof(sealed);

		assert_non_null(keymat.cipher);
		memset(keymat.ei, 0x11, sizeof(keymat.ei));
		memset(keymat.ai, 0x22, sizeof(keymat.ai));
		header.exchange = EXCHANGE_IKE_AUTH;
		message_start_inside(&message, memory, sizeof(memory));
		message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of("inside.example", 14));
		message_notify(&message, 0, NOTIFY_INITIAL_CONTACT, VIEW_NONE, VIEW_NONE);
		assert_int_equal(seal_message(sealed, &len, &header, message.first, message_finish(&message), &keymat,
					      true, 1, iv),
				 0);
		write_file("sealed", view_of(sealed, len));
		snprintf(keys_text, sizeof(keys_text), "# comment\n\n");
		keylog_ike(&host, example.spi_r, example.spi_i, &keymat); /* another SA */
		keylog_ike(&host, example.spi_i, example.spi_r, &other);  /* another generation */
		write_file("wrong", view_of(keys_text, strlen(keys_text)));
		keylog_ike(&host, example.spi_i, example.spi_r, &keymat);
		write_file("keys", view_of(keys_text, strlen(keys_text)));
		run("sealed");
		assert_int_equal(code, 0);
		assert_null(strstr(out, "inside.example"));
		run("sealed --keys keys");
		assert_string_equal(errors, "");
		assert_int_equal(code, 0);
		assert_non_null(strstr(out, "\n  text           inside.example\n"));
		assert_non_null(strstr(out, "INITIAL_CONTACT"));
		run("sealed --keys wrong");
		assert_int_equal(code, 1);
		assert_string_equal(
			errors, "holdfast: wrong: 1 lines have the SPIs of this message, and none of them opens it\n");
	}
	write_file("keys", view_of("nonsense\n", 9));
	run("sealed --keys keys");
	assert_string_equal(errors, "holdfast: keys: no keys that can be used for the SPIs of this message\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree), cmocka_unit_test(test_malformed),	     cmocka_unit_test(test_command),
		cmocka_unit_test(test_help), cmocka_unit_test(test_command_refuses), cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
