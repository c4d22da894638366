// SPDX-License-Identifier: Apache-2.0
/*
 * This host as others see it, see self.h.
 */
#include "cli/self.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/own.h"
#include "base/secret.h"
#include "discover/file.h"

#define KEY_FILE_MAX 16384

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
	if (is_reachable(&addr) && self->count < SELF_ADDRESSES_MAX)
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

/* The public half of the key: itself, as a word, and as the data of a record. */
static int describe(struct self *self, struct view spki, const char *path, struct err *err)
{
	struct record record = { .precedence = RECORD_PRECEDENCE };
	uint8_t memory[SPKI_MAX];
	int rc = keytext_format(self->word, spki);

	if (rc == 0)
		rc = record_set_key(&record, memory, spki);
	if (rc == 0)
		rc = record_format(self->record, &record);
	if (rc < 0)
		return err_set(err, rc, "%s: its public key cannot be written", path);
	memcpy(self->spki, spki.at, spki.len);
	self->spki_len = spki.len;
	return 0;
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
	rc = describe(self, sign_key_spki(key), path, err);
	sign_key_free(key);
	return rc;
}

int self_find(struct self *self, const char *path, struct err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	int rc = read_key(self, path, err);

	if (rc < 0)
		return rc;
	/* The kernel's "(none)" and the like are no names: pins and directories would refuse the line. */
	if (gethostname(self->host, sizeof(self->host) - 1) < 0 || strcmp(self->host, "localhost") == 0 ||
	    self->host[strspn(self->host, letters)])
		self->host[0] = '\0';
	find_addresses(self);
	return 0;
}
