// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast init`: what a host needs once. Makes its key and an example configuration where there are none, never touches what is there, and prints what
 * others need to know this host: its line for pins and directories, and its DNS records.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/own.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/self.h"

#define DEFAULT_DIR "/etc/holdfast"
#define PATH_ROOM 4200

/* ---- files ------------------------------------------------------------------------------------ */

/* Writes a file that must not be there: O_EXCL, so that two of us never overwrite each other's key. 1: it is there. */
static int write_new(const char *path, const char *content, mode_t mode, struct err *err)
{
	OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	size_t len = strlen(content);

	if (fd < 0 && errno == EEXIST)
		return 1;
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be made (%s): use sudo, or another --dir", path,
			       strerror(errno));
	if (write(fd, content, len) != (ssize_t)len || fsync(fd) < 0) {
		err_set(err, -EIO, "%s: cannot be written (%s): make room", path, strerror(errno));
		unlink(path);
		return -EIO;
	}
	return 0;
}

static int make_key(const char *path, struct err *err)
{
	uint8_t seed[ED25519_SEED_LEN];
	char pem[ED25519_PEM_MAX];
	int rc;

	/* Not even asked for when there is one. */
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return err_set(err, -EIO, "the kernel gives no random numbers (%s)", strerror(errno));
	ed25519_pem(pem, seed);
	rc = write_new(path, pem, 0600, err);
	secret_wipe(seed, sizeof(seed));
	secret_wipe(pem, sizeof(pem));
	return rc;
}

static int make_example(const char *path, const char *dir, struct err *err)
{
	OWN_FREE char *text = NULL;

	if (asprintf(&text,
		     "# Holdfast's configuration, see holdfast.conf(5). What is commented out is the default or an example.\n"
		     "# Who is protected is said in the files of the policies folder, one group per file.\n"
		     "\n"
		     "[agent]\n"
		     "#interfaces = *\n"
		     "policies = %s/policies\n"
		     "key = %s/key.pem\n"
		     "\n"
		     "[policy]\n"
		     "#default = clear\n"
		     "\n"
		     "[discovery]\n"
		     "# Hosts and their keys, one per line, as `holdfast init` prints them:\n"
		     "#pins = %s/pins\n"
		     "# Or a directory that the fleet signs, see holdfast-directory(5):\n"
		     "#directory = %s/directory\n"
		     "#directory_key = RW...\n",
		     dir, dir, dir, dir) < 0) {
		text = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	return write_new(path, text, 0644, err);
}

static int make_folder(const char *path, struct err *err)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "%s: cannot be made (%s): use sudo, or another --dir", path,
			       strerror(errno));
	return 0;
}

static int make_policies(const char *dir, struct err *err)
{
	char path[PATH_ROOM];
	int rc = 0;

	snprintf(path, sizeof(path), "%s/policies", dir);
	rc = make_folder(path, err);
	for (int group = 0; group < HF_GROUP_COUNT && rc >= 0; group++) {
		snprintf(path, sizeof(path), "%s/policies/%s", dir, group_name((enum hf_group)group));
		rc = write_new(path, "# One address or prefix per line, see holdfast.conf(5).\n", 0644, err);
	}
	return rc < 0 ? rc : 0;
}

/* ---- the command ------------------------------------------------------------------------------ */

/* "ADDRESS,ADDRESS KEY name=HOST". Memory of the caller. */
static char *line_of(const struct self *self)
{
	char text[ADDR_TEXT_MAX], *line = NULL;
	size_t len;
	FILE *stream = open_memstream(&line, &len);

	if (!stream)
		return NULL;
	for (size_t i = 0; i < self->count; i++)
		fprintf(stream, "%s%s", i ? "," : "", addr_format(text, &self->addresses[i]));
	fprintf(stream, "%s %s%s%s", self->count ? "" : "ADDRESS", self->word, *self->host ? " name=" : "", self->host);
	return fclose(stream) == 0 ? line : NULL;
}

static int print_facts(const struct cli *cli, const struct self *self, const char *path, bool made)
{
	OWN_FREE char *line = line_of(self);
	json_t *records = json_array();

	for (size_t i = 0; i < self->count; i++) {
		char name[DNAME_REVERSE_MAX];

		json_array_append_new(records, json_sprintf("%s IN IPSECKEY %s",
							    dname_reverse(name, &self->addresses[i]), self->record));
	}
	if (cli->json) {
		print_json(json_pack("{ss sb ss ss so}", "key_file", path, "made", made, "key", self->word, "line",
				     line ? line : "", "ipseckey", records));
		return EXIT_DONE;
	}
	print_text(PRINT_PLAIN, "%s %s\n\n", path, made ? "is this host's new private key." : "was there and stays.");
	print_text(PRINT_BOLD, "Line for the directory, or for another host's pins:\n");
	printf("%s\n", line ? line : "");
	if (!self->count)
		print_text(PRINT_WARN, "No address of this host can be reached from outside: replace ADDRESS.\n");
	if (json_array_size(records))
		print_text(PRINT_BOLD, "\nDNS record, in a zone that is signed:\n");
	for (size_t i = 0; i < json_array_size(records); i++)
		printf("%s\n", json_string_value(json_array_get(records, i)));
	json_decref(records);
	return EXIT_DONE;
}

int init_command(const struct cli *cli, int argc, char **argv)
{
	const char *dir = cli->dir ? cli->dir : DEFAULT_DIR;
	struct self self = { .count = 0 };
	struct err err = ERR_NONE;
	char path[PATH_ROOM], conf[PATH_ROOM];
	int made;

	(void)argv;
	if (argc)
		return cli_usage("init", "init takes no words behind it");
	if (*dir != '/')
		return cli_usage("init", "--dir %s is not an absolute path: start it with /", dir);
	if (strlen(dir) > PATH_ROOM - 100)
		return cli_usage("init", "--dir is too long for a path");
	snprintf(path, sizeof(path), "%s/key.pem", dir);
	snprintf(conf, sizeof(conf), "%s/holdfast.conf", dir);
	if (crypto_init(&err) < 0 || make_folder(dir, &err) < 0)
		return cli_fail(cli, &err);
	made = make_key(path, &err);
	if (made < 0 || make_example(conf, dir, &err) < 0 || make_policies(dir, &err) < 0 ||
	    self_find(&self, path, &err) < 0)
		return cli_fail(cli, &err);
	return print_facts(cli, &self, path, made == 0);
}
