// SPDX-License-Identifier: Apache-2.0
/*
 * Our minisign and the real one read each other's files, in both forms; sealed secret keys; and the functions of the crypto room below, by
 * their published vectors.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include <cmocka.h>

#include "base/own.h"
#include "discover/file.h"
#include "signed_directory.h"

struct text {
	uint8_t *at;
	size_t len;
};

static void own_text(struct text *text)
{
	free(text->at);
}

static struct text read_text(const char *name)
{
	struct text text = { NULL, 0 };
	struct err err = ERR_NONE;

	if (file_read(&text.at, &text.len, in_folder(name), 1 << 20, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static void run(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd '%s' && %s", folder, command);
	if (system(line) != 0)
		fail_msg("failed (is minisign installed? make setup): %s", command);
}

static void verify_real(const char *signature_file, const char *comment)
{
	OWN(own_text) struct text public = read_text("pub"), content = read_text("content");
	OWN(own_text) struct text signature = read_text(signature_file);
	const struct minisign_key *key;
	struct minisign_keys keys;
	struct err err = ERR_NONE;

	assert_int_equal(minisign_keys_parse(&keys, view_of(public.at, public.len), "pub", &err), 0);
	if (minisign_verify(&key, &keys, view_of(content.at, content.len), view_of(signature.at, signature.len), "sig",
			    &err) < 0)
		fail_msg("%s: %s", signature_file, err.text);
	assert_non_null(strstr((char *)signature.at, comment));
	content.at[0] ^= 1;
	assert_int_equal(minisign_verify(&key, &keys, view_of(content.at, content.len),
					 view_of(signature.at, signature.len), "sig", &err),
			 -EBADMSG);
}

static void test_we_read_theirs(void **state)
{
	(void)state;
	run("rm -f pub sec && minisign -G -W -p pub -s sec >/dev/null && head -c 70000 /dev/urandom >content");
	run("minisign -S -W -s sec -m content -x prehashed -t 'a comment' >/dev/null");
	run("minisign -S -l -W -s sec -m content -x legacy -t 'older' >/dev/null");
	verify_real("prehashed", "a comment");
	verify_real("legacy", "older");
}

static void test_they_read_ours(void **state)
{
	OWN(own_text) struct text secret_text, content;
	struct minisign_secret secret;
	char signature[MINISIGN_FILE_MAX], *changed;
	struct err err = ERR_NONE;

	(void)state;
	run("rm -f pub sec && minisign -G -W -p pub -s sec >/dev/null && echo hello >content");
	secret_text = read_text("sec");
	content = read_text("content");
	if (minisign_secret_parse(&secret, view_of(secret_text.at, secret_text.len), VIEW_NONE, "sec", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(minisign_sign(signature, &secret, view_of(content.at, content.len), "by us", &err), 0);
	write_octets_to(in_folder("content.minisig"), view_of(signature, strlen(signature)));
	run("minisign -V -Q -p pub -m content | grep -qx 'by us'");
	/* Another character of base64 within the seed, which is octets 62 to 93. */
	changed = strchr((char *)secret_text.at, '\n') + 1 + 90;
	*changed = *changed == 'A' ? 'B' : 'A';
	assert_int_equal(minisign_secret_parse(&secret, view_of(secret_text.at, secret_text.len), VIEW_NONE, "sec",
					       &err),
			 -EINVAL);
	assert_string_equal(err.text, "sec: the key is damaged: take it from a backup");
	run("echo x >>content && ! minisign -V -q -p pub -m content 2>/dev/null");
}

/* Made by minisign 0.11 with the password "pw"; its costs are the ones everybody has. */
static void test_sealed_key(void **state)
{
	static const char sealed[] =
		"untrusted comment: minisign encrypted secret key\n"
		"RWRTY0IyMp3i7+7rp7+IQJSCB/we7cSRbkQLuIUOACYbhvGsuhIAAAACAAAAAAAAAEAAAAAAlfqJONKkPSaHYIxLL7O0y3IE5ysxrMOASMjz"
		"L+nELmgYsUEU/uNPlcjIxiRn9RoMuu+PWhqokxHiy0V+1jHkcILCeJdBEfx2xR6OhcOu1h/C2mqW6prkJSxvZ0e9Z2Z4mE2I8kpt350=\n";
	struct view text = view_of(sealed, sizeof(sealed) - 1);
	struct minisign_secret secret;
	struct err err = ERR_NONE;
	char id[MINISIGN_ID_TEXT];
	struct sysinfo memory;

	(void)state;
	assert_int_equal(minisign_secret_parse(&secret, text, VIEW_NONE, "sec", &err), -EACCES);
	assert_string_equal(err.text, "sec: the key is sealed with a password: give it");
	/* minisign wants a gigabyte for each try. */
	if (sysinfo(&memory) < 0 || (memory.freeram + memory.bufferram) * memory.mem_unit < 1500u << 20)
		skip();
	err = ERR_NONE;
	if (minisign_secret_parse(&secret, text, view_of("pw", 2), "sec", &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(minisign_id_format(id, secret.id), "75F4827203D76F6E");
}

/* ---- vectors ------------------------------------------------------------------------------------- */

static void check_hex(const uint8_t *octets, size_t len, const char *hex)
{
	char text[256] = "";

	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", octets[i]);
	assert_string_equal(text, hex);
}

/* RFC 7693 appendix A, RFC 7914 12, RFC 8032 7.1 test 2. */
static void test_vectors(void **state)
{
	static const uint8_t seed[32] = { 0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
					  0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
					  0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb };
	struct view abc = view_of("abc", 3), message = view_of("\x72", 1);
	uint8_t out[64], public[32];

	(void)state;
	assert_int_equal(blake2b_of(out, &abc, 1), 0);
	check_hex(
		out, 64,
		"ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8"
		"dbf1925ab92386edd4009923");
	assert_int_equal(scrypt_of(out, 64, view_of("password", 8), view_of("NaCl", 4), 1024, 8, 16, 32u << 20), 0);
	check_hex(
		out, 64,
		"fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb9"
		"4a83ee6d8360cbdfa2cc0640");
	assert_int_equal(scrypt_of(out, 64, abc, abc, 1ull << 40, 8, 1, 32u << 20), -EMSGSIZE);
	assert_int_equal(scrypt_of(out, 64, abc, abc, 1000, 8, 1, 32u << 20), -EBADMSG);
	assert_int_equal(scrypt_of(out, 64, abc, abc, 1024, 0, 1, 32u << 20), -EBADMSG);
	assert_int_equal(ed25519_public(public, seed), 0);
	check_hex(public, 32, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
	assert_int_equal(ed25519_sign(out, seed, message), 0);
	check_hex(
		out, 64,
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eae"
		"b4302aeeb00d291612bb0c00");
	assert_int_equal(ed25519_verify(VIEW_OF(public), VIEW_OF(out), message), 0);
	assert_int_equal(ed25519_verify(VIEW_OF(public), VIEW_OF(out), abc), -EBADMSG);
	assert_int_equal(ed25519_verify(view_of(public, 31), VIEW_OF(out), message), -EBADMSG);
	assert_int_equal(ed25519_verify(VIEW_OF(public), view_of(out, 63), message), -EBADMSG);
}

static void test_pem(void **state)
{
	uint8_t seed[ED25519_SEED_LEN] = { 7 }, public[32];
	char pem[ED25519_PEM_MAX];
	struct err err = ERR_NONE;
	struct sign_key *key;
	struct view spki;

	(void)state;
	ed25519_pem(pem, seed);
	if (sign_key_parse(&key, view_of(pem, strlen(pem)), "key.pem", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(sign_key_kind(key), SIGN_ED25519);
	assert_int_equal(ed25519_public(public, seed), 0);
	spki = sign_key_spki(key);
	assert_memory_equal(spki.at + spki.len - 32, public, 32);
	sign_key_free(key);
}

static int start(void **state)
{
	struct err err = ERR_NONE;

	return crypto_init(&err) < 0 ? -1 : make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_we_read_theirs),
		cmocka_unit_test(test_they_read_ours),
		cmocka_unit_test(test_sealed_key),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests(tests, start, remove_folder);
}
