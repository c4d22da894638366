// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast directory ...`: shows, checks, edits and signs directories. Works on files alone; no agent is asked.
 */
#include "cli/directory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/secret.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "discover/directory.h"
#include "discover/file.h"
#include "discover/keytext.h"
#include "discover/minisign.h"
#include "discover/stamp.h"

#define COLUMN 12
#define DAYS_MAX 14
#define PATH_ROOM 4200
#define PASSWORD_ROOM 1024
#define PUBLIC_KEY_TEXT_LEN 56

struct text {
	uint8_t *at;
	size_t len;
};

static void own_text(struct text *text)
{
	free(text->at);
}

static void own_directory(struct directory **directory)
{
	directory_free(*directory);
}

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static int read_text(struct text *out, const char *path, struct err *err)
{
	return file_read(&out->at, &out->len, path, DIRECTORY_OCTETS_MAX, err);
}

/* ---- show, check ------------------------------------------------------------------------------ */

/* A single address without the length that says so. */
static const char *place_text(char out[PREFIX_TEXT_MAX], const struct hf_prefix *prefix)
{
	return prefix->prefix_len == 128 ? addr_format(out, &prefix->addr) : prefix_format(out, prefix);
}

static json_t *prefixes_json(const struct hf_prefix *prefixes, size_t count)
{
	json_t *array = json_array();
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(place_text(text, &prefixes[i])));
	return array;
}

static json_t *host_json(const struct host *host)
{
	json_t *keys = json_array(), *json;
	char text[KEYTEXT_MAX], day[STAMP_TEXT_MAX];

	for (size_t i = 0; i < host->keys; i++)
		if (keytext_format(text, host->spki[i]) == 0)
			json_array_append_new(keys, json_string(text));
	json = json_pack("{si so so}", "line", (int)host->line, "addresses",
			 prefixes_json(host->prefixes, host->prefix_count), "keys", keys);
	if (*host->name)
		json_object_set_new(json, "name", json_string(host->name));
	if (host->until_s)
		json_object_set_new(json, "until", json_string(stamp_format_day(day, host->until_s - 1)));
	return json;
}

static json_t *directory_json(const struct directory *directory)
{
	char issued[STAMP_TEXT_MAX], expires[STAMP_TEXT_MAX];

	return json_pack("{ss sI ss ss so so sI}", "id", directory->id, "serial", (json_int_t)directory->serial,
			 "issued", stamp_format(issued, directory->issued_s), "expires",
			 stamp_format(expires, directory->expires_s), "scope",
			 prefixes_json(directory->scope, directory->scope_count), "complete",
			 prefixes_json(directory->complete, directory->complete_count), "hosts",
			 (json_int_t)hosts_count(directory->hosts));
}

static void show_prefixes(const char *label, const struct hf_prefix *prefixes, size_t count)
{
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		print_item(PRINT_PLAIN, COLUMN, i ? "" : label, "%s", place_text(text, &prefixes[i]));
}

static void show_head(const struct directory *directory)
{
	char stamp[STAMP_TEXT_MAX], span[PRINT_SPAN_MAX];
	bool over = directory->expires_s <= now_s();

	print_text(PRINT_BOLD, "%s, serial %" PRIu64 "\n", directory->id, directory->serial);
	print_item(PRINT_PLAIN, COLUMN, "issued", "%s", stamp_format(stamp, directory->issued_s));
	print_item(over ? PRINT_BAD : PRINT_PLAIN, COLUMN, "expires", "%s (%s%s)",
		   stamp_format(stamp, directory->expires_s), over ? "over since " : "in ",
		   print_span(span, over ? now_s() - directory->expires_s : directory->expires_s - now_s()));
	show_prefixes("scope", directory->scope, directory->scope_count);
	show_prefixes("complete", directory->complete, directory->complete_count);
	print_item(PRINT_PLAIN, COLUMN, "hosts", "%zu", hosts_count(directory->hosts));
}

static void show_host(const struct host *host)
{
	char text[KEYTEXT_MAX], prefix[PREFIX_TEXT_MAX], day[STAMP_TEXT_MAX];

	print_text(PRINT_BOLD, "\n%s%s%s\n", *host->name ? host->name : place_text(prefix, &host->prefixes[0]),
		   host->until_s ? "  until " : "", host->until_s ? stamp_format_day(day, host->until_s - 1) : "");
	for (uint32_t i = 0; i < host->prefix_count; i++)
		print_text(PRINT_PLAIN, "  %s\n", place_text(prefix, &host->prefixes[i]));
	for (size_t i = 0; i < host->keys; i++)
		if (keytext_format(text, host->spki[i]) == 0)
			print_text(PRINT_PLAIN, "  %.76s%s\n", text, strlen(text) > 76 ? ".." : "");
}

static int show(const struct cli *cli, int argc, char **argv)
{
	OWN(own_directory) struct directory *directory = NULL;
	OWN(own_text) struct text text = { NULL, 0 };
	struct err err = ERR_NONE;
	json_t *json, *hosts;

	if (argc != 1)
		return cli_usage("directory", "directory show takes one file");
	if (read_text(&text, argv[0], &err) < 0 ||
	    directory_parse(&directory, view_of(text.at, text.len), argv[0], &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json) {
		json = directory_json(directory);
		hosts = json_array();
		for (size_t i = 0; i < hosts_count(directory->hosts); i++)
			json_array_append_new(hosts, host_json(hosts_at(directory->hosts, i)));
		json_object_set_new(json, "hosts", hosts);
		print_json(json);
		return EXIT_DONE;
	}
	show_head(directory);
	for (size_t i = 0; i < hosts_count(directory->hosts); i++)
		show_host(hosts_at(directory->hosts, i));
	return EXIT_DONE;
}

/* Against the key given, as text or file. *key_id is "" when none was. */
static int check_signature(const struct cli *cli, char key_id[MINISIGN_ID_TEXT], const char *path, struct view text,
			   struct err *err)
{
	OWN(own_text) struct text signature = { NULL, 0 }, key_text = { NULL, 0 };
	const struct minisign_key *key;
	struct minisign_keys keys;
	char name[PATH_ROOM];
	int rc;

	*key_id = '\0';
	if (!cli->key)
		return 0;
	/* Base64 may have slashes, so a key is told from a path by how all of them begin and how long they are. */
	if (strncmp(cli->key, "RW", 2) != 0 || strlen(cli->key) != PUBLIC_KEY_TEXT_LEN) {
		rc = file_read(&key_text.at, &key_text.len, cli->key, MINISIGN_FILE_MAX, err);
		if (rc == 0)
			rc = minisign_keys_parse(&keys, view_of(key_text.at, key_text.len), cli->key, err);
	} else {
		rc = minisign_keys_parse(&keys, view_of(cli->key, strlen(cli->key)), "--key", err);
	}
	snprintf(name, sizeof(name), "%s.minisig", path);
	if (rc == 0)
		rc = file_read(&signature.at, &signature.len, name, MINISIGN_FILE_MAX, err);
	if (rc == 0)
		rc = minisign_verify(&key, &keys, text, view_of(signature.at, signature.len), name, err);
	if (rc == 0)
		minisign_id_format(key_id, key->id);
	return rc;
}

static int check(const struct cli *cli, int argc, char **argv)
{
	OWN(own_directory) struct directory *directory = NULL;
	OWN(own_text) struct text text = { NULL, 0 };
	struct err err = ERR_NONE;
	char key_id[MINISIGN_ID_TEXT];
	json_t *json;

	if (argc != 1)
		return cli_usage("directory", "directory check takes one file");
	/* In the agent's order: the signature first. */
	if (read_text(&text, argv[0], &err) < 0 ||
	    check_signature(cli, key_id, argv[0], view_of(text.at, text.len), &err) < 0 ||
	    directory_parse(&directory, view_of(text.at, text.len), argv[0], &err) < 0 ||
	    directory_check_time(directory, argv[0], now_s(), &err) < 0)
		return cli_fail(cli, &err);
	if (cli->json) {
		json = directory_json(directory);
		json_object_set_new(json, "signed_by", *key_id ? json_string(key_id) : json_null());
		print_json(json);
		return EXIT_DONE;
	}
	show_head(directory);
	if (*key_id)
		print_item(PRINT_GOOD, COLUMN, "signature", "good, by key %s", key_id);
	else
		print_item(PRINT_WARN, COLUMN, "signature", "not checked: say --key PUBLIC-KEY");
	return EXIT_DONE;
}

/* ---- add, remove ------------------------------------------------------------------------------ */

static int write_text(const char *path, const char *text, struct err *err)
{
	return file_replace(path, view_of(text, strlen(text)), 0644, err);
}

static void say_unsigned(const struct cli *cli, const char *what, const char *line, const char *path)
{
	if (cli->json) {
		print_json(json_pack("{ss ss}", what, line, "file", path));
		return;
	}
	print_text(PRINT_PLAIN, "%s: %s\n", what, line);
	print_text(PRINT_PLAIN, "Agents take it once it is signed: holdfast directory sign %s --key KEYFILE\n", path);
}

/* A directory that is not there is begun; its id is the file's name. */
static int read_or_begin(struct text *out, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	struct err missing = ERR_NONE;
	int rc = read_text(out, path, &missing);

	if (rc == -ENOENT) {
		out->at = (uint8_t *)directory_begin(slash ? slash + 1 : path, now_s());
		out->len = out->at ? strlen((char *)out->at) : 0;
		return out->at ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	if (rc < 0)
		*err = missing;
	return rc;
}

static int add(const struct cli *cli, int argc, char **argv)
{
	OWN(own_text) struct text text = { NULL, 0 };
	OWN_FREE char *line = NULL, *made = NULL;
	struct err err = ERR_NONE;
	size_t len;
	FILE *stream;

	if (argc < 3)
		return cli_usage("directory",
				 "directory add takes a file and a host's line: ADDRESS[,ADDRESS] KEY [name=NAME]");
	stream = open_memstream(&line, &len);
	for (int i = 1; stream && i < argc; i++)
		fprintf(stream, "%s%s", i > 1 ? " " : "", argv[i]);
	if (!stream || fclose(stream) != 0)
		err_set(&err, -ENOMEM, "out of memory");
	else if (strpbrk(line, "\n#"))
		err_set(&err, -EINVAL,
			"the host's line has a newline or a # in it: it must be one line without a comment");
	else if (read_or_begin(&text, argv[0], &err) == 0 &&
		 directory_add(&made, view_of(text.at, text.len), line, argv[0], &err) == 0)
		write_text(argv[0], made, &err);
	if (err.text[0])
		return cli_fail(cli, &err);
	say_unsigned(cli, "added", line, argv[0]);
	return EXIT_DONE;
}

static int take_out(const struct cli *cli, int argc, char **argv)
{
	OWN(own_text) struct text text = { NULL, 0 };
	OWN_FREE char *made = NULL, *removed = NULL;
	struct err err = ERR_NONE;

	if (argc != 2)
		return cli_usage("directory", "directory remove takes a file and a host's name or address");
	if (read_text(&text, argv[0], &err) < 0 ||
	    directory_remove(&made, &removed, view_of(text.at, text.len), argv[1], argv[0], &err) < 0 ||
	    write_text(argv[0], made, &err) < 0)
		return cli_fail(cli, &err);
	say_unsigned(cli, "removed", removed ? removed : argv[1], argv[0]);
	return EXIT_DONE;
}

/* ---- sign ------------------------------------------------------------------------------------- */

/* From the terminal without echo, else the first line of the standard input. */
static void read_password(char password[PASSWORD_ROOM])
{
	struct termios shown, hidden;
	bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;

	if (terminal) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		fputs("Password of the signing key: ", stderr);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	if (!fgets(password, PASSWORD_ROOM, stdin))
		*password = '\0';
	password[strcspn(password, "\n")] = '\0';
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputs("\nOpening the key, which minisign makes slow on purpose...\n", stderr);
	}
}

static int read_secret(struct minisign_secret *out, const char *path, struct err *err)
{
	OWN(own_text) struct text text = { NULL, 0 };
	struct err sealed = ERR_NONE;
	char password[PASSWORD_ROOM] = "";
	int rc = file_read(&text.at, &text.len, path, MINISIGN_FILE_MAX, err);

	if (rc < 0)
		return rc;
	rc = minisign_secret_parse(out, view_of(text.at, text.len), VIEW_NONE, path, &sealed);
	if (rc == -EACCES) {
		read_password(password);
		rc = minisign_secret_parse(out, view_of(text.at, text.len), view_of(password, strlen(password)), path,
					   err);
		secret_wipe(password, sizeof(password));
	} else {
		*err = sealed;
	}
	secret_wipe(text.at, text.len);
	return rc;
}

static int public_text(char out[64], const struct minisign_secret *secret)
{
	uint8_t octets[2 + MINISIGN_ID_LEN + ED25519_PUBLIC_LEN] = "Ed";

	memcpy(octets + 2, secret->id, MINISIGN_ID_LEN);
	if (ed25519_public(octets + 2 + MINISIGN_ID_LEN, secret->seed) < 0)
		return -ENOTSUP;
	base64_encode(out, VIEW_OF(octets));
	return 0;
}

static int sign_text(const struct cli *cli, const char *path, const char *text, const struct minisign_secret *secret,
		     struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	char signature[MINISIGN_FILE_MAX], comment[256], name[PATH_ROOM], stamp[STAMP_TEXT_MAX], key[64];
	int rc = directory_parse(&directory, view_of(text, strlen(text)), path, err);

	if (rc < 0)
		return rc;
	snprintf(comment, sizeof(comment), "directory %s serial %" PRIu64, directory->id, directory->serial);
	snprintf(name, sizeof(name), "%s.minisig", path);
	rc = minisign_sign(signature, secret, view_of(text, strlen(text)), comment, err);
	if (rc == 0)
		rc = public_text(key, secret);
	if (rc == 0)
		rc = write_text(path, text, err);
	if (rc == 0)
		rc = write_text(name, signature, err);
	if (rc < 0)
		return rc;
	stamp_format(stamp, directory->expires_s);
	if (cli->json) {
		print_json(json_pack("{ss ss sI ss ss}", "file", path, "signature", name, "serial",
				     (json_int_t)directory->serial, "expires", stamp, "directory_key", key));
		return 0;
	}
	print_text(PRINT_PLAIN, "%s: serial %" PRIu64 ", %zu hosts, signed until %s\n", path, directory->serial,
		   hosts_count(directory->hosts), stamp);
	print_text(PRINT_PLAIN, "Agents check it with: directory_key = %s\n", key);
	return 0;
}

static int read_days(unsigned int *out, const char *text)
{
	char *end;
	unsigned long days = text ? strtoul(text, &end, 10) : DAYS_MAX;

	if (text && (*text < '0' || *text > '9' || *end || days < 1 || days > DAYS_MAX))
		return -EINVAL;
	*out = (unsigned int)days;
	return 0;
}

static int sign(const struct cli *cli, int argc, char **argv)
{
	OWN(minisign_secret_clear) struct minisign_secret secret = { .id = { 0 } };
	OWN(own_text) struct text text = { NULL, 0 };
	OWN_FREE char *renewed = NULL;
	struct err err = ERR_NONE;
	unsigned int days;

	if (argc != 1 || !cli->key)
		return cli_usage("directory", "directory sign takes one file and --key FILE, a minisign secret key");
	if (read_days(&days, cli->days) < 0)
		return cli_usage("directory", "--days %s is none: give 1 to %d", cli->days, DAYS_MAX);
	if (read_text(&text, argv[0], &err) < 0 ||
	    directory_renew(&renewed, view_of(text.at, text.len), now_s(), days, argv[0], &err) < 0 ||
	    read_secret(&secret, cli->key, &err) < 0 || sign_text(cli, argv[0], renewed, &secret, &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

/* ---- the command ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int (*run)(const struct cli *cli, int argc, char **argv);
} verbs[] = { { "show", show }, { "check", check }, { "add", add }, { "remove", take_out }, { "sign", sign } };

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

int directory_command(const struct cli *cli, int argc, char **argv)
{
	const char *names[VERBS], *meant;
	struct err err = ERR_NONE;

	if (!argc)
		return cli_usage("directory", "directory needs to know what to do: show, check, add, remove or sign");
	if (crypto_init(&err) < 0)
		return cli_fail(cli, &err);
	for (size_t i = 0; i < VERBS; i++) {
		names[i] = verbs[i].name;
		if (strcmp(argv[0], verbs[i].name) == 0)
			return verbs[i].run(cli, argc - 1, argv + 1);
	}
	meant = suggest_nearest(argv[0], names, VERBS);
	if (meant)
		return cli_usage("directory", "directory cannot \"%s\": did you mean %s?", argv[0], meant);
	return cli_usage("directory", "directory cannot \"%s\": it can show, check, add, remove and sign", argv[0]);
}
