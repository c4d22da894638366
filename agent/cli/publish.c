// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast publish`: the IPSECKEY records (RFC 4025) by which others find this host, as lines of a zone file or as a script for nsupdate(1) (RFC
 * 2136). It writes to no server: who may change the zone is between its owner and nsupdate's key.
 */
#include "cli/publish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/own.h"
#include "cli/cli.h"
#include "cli/offline.h"
#include "cli/print.h"

/* The name that was given, or the host's own when it is one of the DNS: with a dot inside. */
static int add_name(struct publish *publish, const char *given, struct err *err)
{
	const char *name = given ? given : publish->self.host;
	uint8_t wire[DNAME_WIRE_MAX];
	const char *dot = strchr(name, '.');
	size_t len;

	if (!given && (!dot || !dot[1]))
		return 0;
	if (dname_parse(wire, &len, name) < 0 || !dot || !dot[1])
		return err_set(err, -EINVAL,
			       "\"%s\" is no name of a host in the DNS: write it in full, like host.example.org", name);
	dname_format(publish->record[publish->count++].name, view_of(wire, len));
	return 0;
}

static int collect(struct publish *publish, const struct cli *cli, const char *name, struct err *err)
{
	OWN_FREE char *path = NULL;
	int rc = offline_key(cli, &path, err);

	if (rc == 0)
		rc = crypto_init(err);
	if (rc == 0)
		rc = self_find(&publish->self, path, err);
	for (size_t i = 0; rc == 0 && i < publish->self.count; i++) {
		struct publish_record *record = &publish->record[publish->count++];

		record->addr = &publish->self.addresses[i];
		dname_reverse(record->name, record->addr);
	}
	if (rc == 0)
		rc = add_name(publish, name, err);
	if (rc == 0 && !publish->count)
		rc = err_set(
			err, -ENOENT,
			"this host has no address that others could reach, and no name: give it one, or a NAME here");
	return rc;
}

/* ---- written ---------------------------------------------------------------------------------- */

static void write_lines(const struct publish *publish)
{
	for (size_t i = 0; i < publish->count; i++)
		printf("%s %u IN IPSECKEY %s\n", publish->record[i].name, PUBLISH_TTL_S, publish->self.record);
}

/* A transaction for each name: they may be in different zones, and nsupdate finds a zone by the first name of one. */
static void write_script(const struct publish *publish)
{
	for (size_t i = 0; i < publish->count; i++)
		printf("update add %s %u IN IPSECKEY %s\nsend\n", publish->record[i].name, PUBLISH_TTL_S,
		       publish->self.record);
}

static void write_json(const struct publish *publish)
{
	json_t *records = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < publish->count; i++) {
		const struct publish_record *record = &publish->record[i];

		json_array_append_new(records,
				      json_pack("{ss si ss ss ss*}", "name", record->name, "ttl", PUBLISH_TTL_S, "type",
						"IPSECKEY", "data", publish->self.record, "address",
						record->addr ? addr_format(text, record->addr) : NULL));
	}
	print_json(json_pack("{ss so}", "key", publish->self.word, "records", records));
}

int publish_command(const struct cli *cli, int argc, char **argv)
{
	struct publish publish = { .count = 0 };
	struct err err = ERR_NONE;

	if (argc > 1)
		return cli_usage("publish", "publish takes one name");
	if (cli->nsupdate && (cli->json || cli->check))
		return cli_usage("publish", "--nsupdate makes a script: leave --%s away", cli->json ? "json" : "check");
	if (collect(&publish, cli, argc ? argv[0] : NULL, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->check)
		return publish_check(cli, &publish);
	if (cli->json)
		write_json(&publish);
	else if (cli->nsupdate)
		write_script(&publish);
	else
		write_lines(&publish);
	return EXIT_DONE;
}
