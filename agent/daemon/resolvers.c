// SPDX-License-Identifier: Apache-2.0
/*
 * Nameservers of resolv.conf(5), see resolvers.h.
 */
#include "daemon/resolvers.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static bool is_loopback(const struct hf_addr *addr)
{
	static const struct hf_addr v6 = { .octet = { [15] = 1 } };

	return addr_is_v4(addr) ? addr->octet[12] == 127 : addr_equal(addr, &v6);
}

static void append(struct hf_addr *out, size_t *count, size_t max, const struct hf_addr *addr)
{
	for (size_t i = 0; i < *count; i++)
		if (addr_equal(&out[i], addr))
			return;
	if (*count < max)
		out[(*count)++] = *addr;
}

static void read_file(struct hf_addr *out, size_t *count, size_t max, const char *path, bool local)
{
	OWN(close_file) FILE *file = fopen(path, "re");
	OWN_FREE char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) >= 0) {
		char *rest = line, *word = strsep(&rest, " \t\r\n");
		struct hf_addr addr;

		if (strcmp(word, "nameserver") != 0 || !rest)
			continue;
		/* The scope of a link-local resolver ("fe80::1%eth0") is no part of what packets carry. */
		word = rest + strspn(rest, " \t");
		word[strcspn(word, " \t\r\n%")] = '\0';
		if (addr_parse(&addr, word, NULL) == 0 && is_loopback(&addr) == local)
			append(out, count, max, &addr);
	}
}

void resolvers_read(struct hf_addr *out, size_t *count, size_t max, const char *path)
{
	read_file(out, count, max, path, false);
}

size_t resolvers_auto(struct hf_addr *out, size_t max)
{
	size_t count = 0;

	resolvers_read(out, &count, max, "/etc/resolv.conf");
	resolvers_read(out, &count, max, "/run/systemd/resolve/resolv.conf");
	return count;
}

size_t resolvers_local(struct hf_addr *out, size_t max)
{
	const uint8_t octets[4] = { 127, 0, 0, 1 };
	size_t count = 0;

	read_file(out, &count, max, "/etc/resolv.conf", true);
	if (!count && max)
		out[count++] = addr_from_octets(octets, sizeof(octets));
	return count;
}
