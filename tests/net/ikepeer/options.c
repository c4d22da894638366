// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of ikepeer.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "ikepeer.h"

#define FILE_MAX 16384

__attribute__((noreturn)) static void refuse(const char *what, const char *why)
{
	fprintf(stderr, "ikepeer: %s: %s\n", what, why);
	exit(2);
}

static size_t read_all(char *out, size_t max, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		refuse(path, "cannot be opened");
	len = fread(out, 1, max, file);
	fclose(file);
	if (len == max)
		refuse(path, "too long");
	return len;
}

static void take_key(struct options *out, const char *path)
{
	struct err err = ERR_NONE;
	char text[FILE_MAX];
	size_t len = read_all(text, sizeof(text), path);

	if (sign_key_parse(&out->key, view_of(text, len), path, &err) < 0)
		refuse(path, err.text);
	secret_wipe(text, sizeof(text));
}

static void take_peer_key(struct options *out, const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key = file ? PEM_read_PUBKEY(file, NULL, NULL, NULL) : NULL;
	unsigned char *at = out->spki[out->keys];
	int len;

	if (out->keys == IKE_KEYS_MAX)
		refuse(path, "too many keys");
	len = key ? i2d_PUBKEY(key, NULL) : 0;
	if (len <= 0 || len > SPKI_MAX)
		refuse(path, "no public key in PEM");
	i2d_PUBKEY(key, &at);
	out->spki_len[out->keys++] = (size_t)len;
	EVP_PKEY_free(key);
	fclose(file);
}

static void take_list(uint16_t out[LIST_MAX], const char *text)
{
	size_t count = 0;
	char *end;

	while (*text && count < LIST_MAX - 1) {
		out[count++] = (uint16_t)strtoul(text, &end, 10);
		text = *end == ',' ? end + 1 : end;
		if (*end && *end != ',')
			refuse(text, "numbers with commas between them");
	}
	out[count] = 0;
}

static void take_address(struct hf_addr *out, const char *text)
{
	struct err err = ERR_NONE;

	if (addr_parse(out, text, &err) < 0)
		refuse(text, err.text);
}

static void take_connect(struct options *out, const char *text)
{
	if (out->connects == CONNECTS_MAX)
		refuse(text, "too many");
	take_address(&out->connect[out->connects++], text);
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end)
		refuse(text, "not a number");
	return (uint32_t)value;
}

static const struct option words[] = {
	{ "key", required_argument, NULL, 'k' },
	{ "peer-key", required_argument, NULL, 'K' },
	{ "psk", required_argument, NULL, 's' },
	{ "null", no_argument, NULL, 'n' },
	{ "id", required_argument, NULL, 'i' },
	{ "peer-id", required_argument, NULL, 'I' },
	{ "connect", required_argument, NULL, 'c' },
	{ "respond", no_argument, NULL, 'r' },
	{ "answer-delay", required_argument, NULL, 'd' },
	{ "initial-contact", no_argument, NULL, 'C' },
	{ "control", required_argument, NULL, 'o' },
	{ "keylog", required_argument, NULL, 'l' },
	{ "kex", required_argument, NULL, 'x' },
	{ "cbc", no_argument, NULL, 'b' },
	{ "pfs", no_argument, NULL, 'p' },
	{ "fragment-size", required_argument, NULL, 'f' },
	{ "force-encap", no_argument, NULL, 'e' },
	{ "always-cookie", no_argument, NULL, 'a' },
	{ "fail-open", no_argument, NULL, 'O' },
	{ "child-life", required_argument, NULL, 'L' },
	{ "sa-life", required_argument, NULL, 'S' },
	{ "port", required_argument, NULL, 'P' },
	{ "encap-port", required_argument, NULL, 'E' },
	{ "sas-max", required_argument, NULL, 'm' },
	{ "no-kernel", no_argument, NULL, 'N' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "load", required_argument, NULL, 'w' },
	{ "from", required_argument, NULL, 'F' },
	{ "shield", required_argument, NULL, 'D' },
	{ NULL, 0, NULL, 0 },
};

static void take(struct options *out, int option)
{
	struct ike_options *engine = &out->engine;

	switch (option) {
	case 'k':
		take_key(out, optarg);
		break;
	case 'K':
		take_peer_key(out, optarg);
		break;
	case 's':
		if (secret_set(&out->psk, optarg, strlen(optarg)) < 0)
			refuse("--psk", "too long");
		break;
	case 'n':
		out->null = true;
		break;
	case 'i':
		out->id = optarg;
		break;
	case 'I':
		out->peer_id = optarg;
		break;
	case 'c':
		take_connect(out, optarg);
		break;
	case 'r':
		out->respond = true;
		break;
	case 'd':
		out->answer_delay_ms = number(optarg);
		break;
	case 'C':
		out->initial_contact = true;
		break;
	case 'o':
		out->control = optarg;
		break;
	case 'l':
		out->keylog = optarg;
		break;
	case 'x':
		take_list(out->kex, optarg);
		engine->profile.kex = out->kex;
		break;
	case 'b':
		engine->profile.cbc = true;
		break;
	case 'p':
		engine->profile.child_pfs_required = true;
		break;
	case 'f':
		engine->fragment_size = number(optarg);
		break;
	case 'e':
		engine->force_encap = true;
		break;
	case 'a':
		engine->cookie_half_open = 1;
		break;
	case 'O':
		out->fail_open = true;
		break;
	case 'L':
		engine->child_life_ns = number(optarg) * NSTIME_S;
		break;
	case 'S':
		engine->sa_life_ns = number(optarg) * NSTIME_S;
		break;
	case 'P':
		engine->port = (uint16_t)number(optarg);
		break;
	case 'E':
		engine->encap_port = (uint16_t)number(optarg);
		break;
	case 'm':
		engine->sas_max = number(optarg);
		break;
	case 'N':
		out->no_kernel = true;
		break;
	case 'q':
		out->quiet = true;
		break;
	case 'w':
		out->load_per_second = number(optarg);
		break;
	case 'F':
		take_address(&out->load_from, optarg);
		break;
	case 'D':
		out->shield = optarg;
		break;
	default:
		exit(2);
	}
}

void options_parse(struct options *out, int argc, char **argv)
{
	struct err err = ERR_NONE;
	int option;

	if (crypto_init(&err) < 0)
		refuse("crypto", err.text);
	while ((option = getopt_long(argc, argv, "", words, NULL)) != -1)
		take(out, option);
	if (optind < argc)
		refuse(argv[optind], "what is that?");
	if (out->load_per_second && (out->connects != 1 || !addr_is_host(&out->load_from)))
		refuse("--load", "wants one --connect, and --from");
}
