// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast init`: what a host needs once. Makes its key and an example configuration where there are none, never touches what is there, and prints what
 * others need to know this host: its line for pins and directories, and its DNS records.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
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
#include "discover/file.h"
#include "discover/keytext.h"

#define DEFAULT_DIR "/etc/holdfast"
#define PATH_ROOM 4200
#define ADDRESSES_MAX 16
#define REVERSE_MAX 80
#define KEY_FILE_MAX 16384

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

/* ---- who this host is ------------------------------------------------------------------------- */

struct self {
	char host[256];
	char word[KEYTEXT_MAX];
	enum sign_kind kind;
	struct hf_addr addresses[ADDRESSES_MAX];
	size_t count;
};

/* Addresses that others reach us at: not loopback, not link-local. */
static bool is_reachable(const struct hf_addr *addr)
{
	static const char *const local[] = { "127.0.0.0/8", "169.254.0.0/16", "fe80::/10", "::1" };
	struct hf_prefix prefix;

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (prefix_parse(&prefix, local[i], NULL) == 0 && prefix_contains(&prefix, addr))
			return false;
	return true;
}

static void add_address(struct self *self, const struct sockaddr *sockaddr)
{
	struct hf_addr addr;

	if (sockaddr->sa_family == AF_INET)
		addr = addr_from_v4(((const struct sockaddr_in *)sockaddr)->sin_addr.s_addr);
	else if (sockaddr->sa_family == AF_INET6)
		addr = addr_from_octets(&((const struct sockaddr_in6 *)sockaddr)->sin6_addr, 16);
	else
		return;
	for (size_t i = 0; i < self->count; i++)
		if (addr_equal(&self->addresses[i], &addr))
			return;
	if (is_reachable(&addr) && self->count < ADDRESSES_MAX)
		self->addresses[self->count++] = addr;
}

static void find_addresses(struct self *self)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
		if (entry->ifa_addr)
			add_address(self, entry->ifa_addr);
	freeifaddrs(list);
}

static int read_key(struct self *self, const char *path, struct err *err)
{
	OWN_FREE uint8_t *text = NULL;
	struct sign_key *key = NULL;
	size_t len;
	int rc = file_read(&text, &len, path, KEY_FILE_MAX, err);

	if (rc < 0)
		return rc;
	rc = sign_key_parse(&key, view_of(text, len), path, err);
	secret_wipe(text, len);
	if (rc < 0)
		return rc;
	self->kind = sign_key_kind(key);
	rc = keytext_format(self->word, sign_key_spki(key));
	sign_key_free(key);
	return rc < 0 ? err_set(err, rc, "%s: its public key cannot be written", path) : 0;
}

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

/* The name of an address in the reverse tree. */
static void reverse_of(char out[REVERSE_MAX], const struct hf_addr *addr)
{
	size_t len, used = 0;
	const uint8_t *octets = addr_octets(addr, &len);

	while (len-- > 0)
		if (addr_is_v4(addr))
			used += (size_t)snprintf(out + used, REVERSE_MAX - used, "%u.", octets[len]);
		else
			used += (size_t)snprintf(out + used, REVERSE_MAX - used, "%x.%x.", octets[len] & 15,
						 octets[len] >> 4);
	snprintf(out + used, REVERSE_MAX - used, addr_is_v4(addr) ? "in-addr.arpa." : "ip6.arpa.");
}

/* RFC 4025 with EdDSA of RFC 9373: precedence 10, no gateway, algorithm 4. NULL for other kinds of key. */
static char *record_of(const struct self *self, const struct hf_addr *addr)
{
	char name[REVERSE_MAX], *record = NULL;

	if (self->kind != SIGN_ED25519)
		return NULL;
	reverse_of(name, addr);
	return asprintf(&record, "%s IN IPSECKEY 10 0 4 . %s", name, strchr(self->word, ':') + 1) < 0 ? NULL : record;
}

/* ---- the command ------------------------------------------------------------------------------ */

static int print_facts(const struct cli *cli, const struct self *self, const char *path, bool made)
{
	OWN_FREE char *line = line_of(self);
	json_t *records = json_array();

	for (size_t i = 0; i < self->count; i++) {
		OWN_FREE char *record = record_of(self, &self->addresses[i]);

		if (record)
			json_array_append_new(records, json_string(record));
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
	    read_key(&self, path, &err) < 0)
		return cli_fail(cli, &err);
	/* The kernel's "(none)" and the like are no names: pins and directories would refuse the line. */
	if (gethostname(self.host, sizeof(self.host) - 1) < 0 || strcmp(self.host, "localhost") == 0 ||
	    self.host[strspn(self.host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")])
		self.host[0] = '\0';
	find_addresses(&self);
	return print_facts(cli, &self, path, made == 0);
}
