// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration: what is accepted and what it means, and for each mistake the exact line the operator reads.
 * Files are written into a folder of their own; $D stands for it in texts and messages.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "daemon/config.h"
#include "daemon/resolvers.h"
#include "holdfast/control.h"

#define TEXT_MAX 8192
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static char folder[64];

/* Replaces $D by the folder. */
static const char *expand(char out[TEXT_MAX], const char *text)
{
	size_t used = 0;

	for (; *text; text++) {
		if (text[0] == '$' && text[1] == 'D') {
			used += (size_t)snprintf(out + used, TEXT_MAX - used, "%s", folder);
			text++;
		} else {
			out[used++] = *text;
		}
	}
	out[used] = '\0';
	return out;
}

static void write_file(const char *name, const char *text, size_t len)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
	char expanded[TEXT_MAX];

	expand(expanded, text);
	write_file(name, expanded, strlen(expanded));
}

static int load(struct config *config, struct err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/holdfast.conf", folder);
	return config_load(config, path, err);
}

static int make_folder(void **state)
{
	char path[128];

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-config-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/policies", folder);
	log_set_level(LOG_LEVEL_ERROR);
	return mkdir(path, 0755);
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* ---- mistakes in the configuration file ------------------------------------------------------ */

struct mistake {
	const char *text, *message;
};

static const struct mistake conf_mistakes[] = {
	{ "[agent]\nkey = key.pem\n", "$D/holdfast.conf:2: key is \"key.pem\": give the whole path, from / on" },
	{ "[agent]\nkey =\n", "$D/holdfast.conf:2: key has no value: give one, or remove the line for the default" },
	{ "[agent]\nkey = /a\nkey = /b\n",
	  "$D/holdfast.conf:3: key is set a second time, first on line 2: remove one of the two" },
	{ "[agent]\nstate = ./state\n", "$D/holdfast.conf:2: state is \"./state\": give the whole path, from / on" },
	{ "[agent]\nstat = /s\n",
	  "$D/holdfast.conf:2: unknown key stat in [agent], nothing reads it: did you mean state?" },
	{ "[agent]\npins = /p\n", "$D/holdfast.conf:2: pins is not a key of [agent]: put it under [discovery]" },
	{ "[discovery]\nkey = /k\n", "$D/holdfast.conf:2: key is not a key of [discovery]: put it under [agent]" },
	{ "[discovery]\npins = pins\n", "$D/holdfast.conf:2: pins is \"pins\": give the whole path, from / on" },
	{ "[discovery]\npin = /p\n",
	  "$D/holdfast.conf:2: unknown key pin in [discovery], nothing reads it: did you mean pins?" },
	{ "[discovery]\ndirectory = fleet\n",
	  "$D/holdfast.conf:2: directory is \"fleet\": give the whole path of a file, or an https:// address" },
	{ "[discovery]\ndirectory = http://fleet.example/list\n",
	  "$D/holdfast.conf:2: directory is \"http://fleet.example/list\": give the whole path of a file, or an https:// "
	  "address" },
	{ "[discovery]\ndirectory = /fleet\n\n",
	  "$D/holdfast.conf:2: directory without directory_key, so that nobody could check it: add the minisign public key "
	  "that signs it" },
	{ "[discovery]\n# the fleet's\ndirectory_key = RWQ\n",
	  "$D/holdfast.conf:3: directory_key without a directory, nothing reads it: add directory, or remove the line" },
	{ "[discovery]\ndirectory_ca = /ca.pem\n",
	  "$D/holdfast.conf:2: directory_ca without a directory, nothing reads it: add directory, or remove the line" },
	{ "[discovery]\ndirectory = https://fleet.example/list\ndirectory_key = RWQ\ndirectory_ca = ca.pem\n",
	  "$D/holdfast.conf:4: directory_ca is \"ca.pem\": give the whole path, from / on" },
	{ "[discovery]\ndirectory_ca = /ca.pem\ndirectory = /fleet\ndirectory_key = RWQ\n",
	  "$D/holdfast.conf:2: directory_ca is for a directory at an https:// address, and this one is a file: remove the "
	  "line" },
	{ "[discovery]\ndnssec = yes\n",
	  "$D/holdfast.conf:2: dnssec = yes is none: give off, resolvers ([policy] resolvers are asked) or recursion (the "
	  "zones' own servers are)" },
	{ "[discovery]\ndnssec_anchors = /anchors\n",
	  "$D/holdfast.conf:2: nothing reads dnssec_anchors here: add dnssec = resolvers, or remove the line" },
	{ "[discovery]\ndnssec = resolvers\ndnssec_roots = /roots\n",
	  "$D/holdfast.conf:3: nothing reads dnssec_roots here: add dnssec = recursion, or remove the line" },
	{ "[discovery]\ndnssec = recursion\ndnssec_anchors = anchors\n",
	  "$D/holdfast.conf:3: dnssec_anchors is \"anchors\": give the whole path, from / on" },
	{ "[policy]\nresolvers = none\n[discovery]\ndnssec = resolvers\n",
	  "$D/holdfast.conf:4: dnssec = resolvers and [policy] resolvers = none: name some there, or write recursion" },
	{ "[discovery]\ndirectory_id = fleet\n",
	  "$D/holdfast.conf:2: directory_id without a directory, nothing reads it: add directory, or remove the line" },
	{ "[agnet]\ninterfaces = eth0\n",
	  "$D/holdfast.conf:1: unknown section [agnet], nothing reads it: did you mean [agent]?" },
	{ "\n\n[directory]\n",
	  "$D/holdfast.conf:3: unknown section [directory], nothing reads it: the sections are "
	  "[agent], [policy], [private], [private-or-clear], [clear-or-private], [discovery] and [limits]" },
	{ "[agent\n", "$D/holdfast.conf:1: \"[agent\" is no section: write [name] alone on its line" },
	{ "[agent] log_level = info\n",
	  "$D/holdfast.conf:1: \"[agent] log_level = info\" is no section: write [name] alone on its line" },
	{ "[]\n",
	  "$D/holdfast.conf:1: unknown section [], nothing reads it: the sections are [agent], [policy], [private], "
	  "[private-or-clear], [clear-or-private], [discovery] and [limits]" },
	{ "[private]\nauth = none\n",
	  "$D/holdfast.conf:2: auth = none is none: give verified, or any (also hosts that prove nothing)" },
	{ "[private-or-clear]\nprobe = never\n",
	  "$D/holdfast.conf:2: probe = never is none: give known, or always (also hosts that nothing is known of)" },
	{ "[block]\nauth = any\n",
	  "$D/holdfast.conf:1: unknown section [block], nothing reads it: the sections are [agent], [policy], [private], "
	  "[private-or-clear], [clear-or-private], [discovery] and [limits]" },
	{ "[private]\ngateways = all\n",
	  "$D/holdfast.conf:2: gateways = all is none: give no, or yes (also through gateways that signed records name)" },
	{ "[clear-or-private]\nprobe = always\n",
	  "$D/holdfast.conf:2: probe is not a key of [clear-or-private]: put it under [private]" },
	{ "log_level = info\n",
	  "$D/holdfast.conf:1: log_level stands before any section: put it under one of "
	  "[agent], [policy], [private], [private-or-clear], [clear-or-private], [discovery] and [limits]" },
	{ "[agent]\nintrefaces = eth0\n",
	  "$D/holdfast.conf:2: unknown key intrefaces in [agent], nothing reads it: did you mean interfaces?" },
	{ "[agent]\nInterfaces = eth0\n",
	  "$D/holdfast.conf:2: unknown key Interfaces in [agent], nothing reads it: did you mean interfaces?" },
	{ "[policy]\nmode = strict\n", "$D/holdfast.conf:2: unknown key mode in [policy], nothing reads it: remove "
				       "it; there are default, resolvers" },
	{ "[agent]\nhold_slots = 100\n",
	  "$D/holdfast.conf:2: hold_slots is not a key of [agent]: put it under [limits]" },
	{ "[limits]\ndefault = private\n",
	  "$D/holdfast.conf:2: default is not a key of [limits]: put it under [policy]" },
	{ "[agent]\nlog_level = info\n# again\nlog_level = info\n",
	  "$D/holdfast.conf:4: log_level is set a second time, first on line 2: remove one of the two" },
	{ "[limits]\npeers = 100\n[agent]\n[limits]\npeers = 200\n",
	  "$D/holdfast.conf:5: peers is set a second time, first on line 2: remove one of the two" },
	{ "[agent]\ninterfaces\n", "$D/holdfast.conf:2: \"interfaces\" is neither a [section] nor a key = value: "
				   "correct it, or put # in front" },
	{ "[agent]\n10.0.0.0/8\n", "$D/holdfast.conf:2: \"10.0.0.0/8\" is neither a [section] nor a key = value: "
				   "correct it, or put # in front" },
	{ "[agent]\npolicies =\n",
	  "$D/holdfast.conf:2: policies has no value: give one, or remove the line for the default" },
	{ "[agent]\npolicies = # all\n",
	  "$D/holdfast.conf:2: policies has no value: give one, or remove the line for the default" },
	{ "[agent]\npolicies = policies\n",
	  "$D/holdfast.conf:2: policies = policies is not an absolute path: start it with /" },
	{ "[agent]\ncontrol_socket = run/x\n",
	  "$D/holdfast.conf:2: control_socket = run/x is not an absolute path: start it with /" },
	{ "[agent]\ncontrol_socket = /" X50 X50 "yyyyyyy\n",
	  "$D/holdfast.conf:2: control_socket is 108 octets long, and a socket's path has at most 107: give a shorter "
	  "one" },
	{ "[agent]\nmetrics = 0.0.0.0:9879\n",
	  "$D/holdfast.conf:2: metrics: 0.0.0.0:9879 is not loopback, and everybody could read it: give 127.0.0.1:PORT, and "
	  "let a proxy that knows its clients serve others" },
	{ "[agent]\nmetrics = yes\n",
	  "$D/holdfast.conf:2: metrics: \"yes\" is none: give off, 127.0.0.1:PORT, [::1]:PORT or an absolute path" },
	{ "[agent]\nsandbox = no\n", "$D/holdfast.conf:2: sandbox = no is none: give on or off" },
	{ "[agent]\nshield = auto\n", "$D/holdfast.conf:2: shield = auto is none: give on or off" },
	{ "[agent]\nspread = on\n", "$D/holdfast.conf:2: spread = on is the shield's work: add shield = on" },
	{ "[agent]\nlog_level = loud\n",
	  "$D/holdfast.conf:2: log_level = loud is none: give error, warn, info or debug" },
	{ "[agent]\ninterfaces = eth0 averyveryverylong\n",
	  "$D/holdfast.conf:2: \"averyveryverylong\" is too long for an interface, whose name has at most 15 "
	  "characters: correct it" },
	{ "[agent]\ninterfaces = /dev/eth0\n",
	  "$D/holdfast.conf:2: \"/dev/eth0\" cannot be an interface, whose name has no /: correct it" },
	{ "[agent]\ninterfaces = eth0 lo\n",
	  "$D/holdfast.conf:2: \"lo\" is the loopback interface, which never needs protection: remove it" },
	{ "[agent]\ninterfaces = , ,\n",
	  "$D/holdfast.conf:2: interfaces names none: give names or globs, or remove the line for all interfaces" },
	{ "[agent]\ninterfaces = a b c d e f g h a b c d e f g h a b c d e f g h a b c d e f g h a b c d e f g h a b "
	  "c d e f g h a b c d e f g h a b c d e f g h i\n",
	  "$D/holdfast.conf:2: interfaces has more than 64 names: use globs such as eth*" },
	{ "[policy]\ndefault = privat\n",
	  "$D/holdfast.conf:2: default = privat is not a policy group: give clear, clear-or-private, "
	  "private-or-clear, private or block" },
	{ "[policy]\nresolvers = 192.0.2.1 dns.example\n",
	  "$D/holdfast.conf:2: \"dns.example\" is not an IPv4 or IPv6 address: give auto, none, or addresses" },
	{ "[policy]\nresolvers = auto 192.0.2.1\n",
	  "$D/holdfast.conf:2: \"auto\" is not an IPv4 or IPv6 address: give auto, none, or addresses" },
	{ "[policy]\nresolvers = 192.0.2.0/24\n",
	  "$D/holdfast.conf:2: \"192.0.2.0/24\" is not an IPv4 or IPv6 address: give auto, none, or addresses" },
	{ "[policy]\nresolvers = ,\n", "$D/holdfast.conf:2: resolvers names none: give auto, none, or addresses" },
	{ "[policy]\nresolvers = 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 ::1 ::2 ::3 "
	  "::4 ::5 ::6 ::7 ::8\n",
	  "$D/holdfast.conf:2: resolvers has more than 16 addresses: leave out what is not asked" },
	{ "[limits]\nhold_slots = many\n",
	  "$D/holdfast.conf:2: hold_slots = many is not a whole number: give one from 64 to 1048576" },
	{ "[limits]\nhold_slots = 63\n",
	  "$D/holdfast.conf:2: hold_slots = 63 is out of range: give a number from 64 to 1048576" },
	{ "[limits]\nhold_slots = 1048577\n",
	  "$D/holdfast.conf:2: hold_slots = 1048577 is out of range: give a number from 64 to 1048576" },
	{ "[limits]\nhold_slots = 16k\n",
	  "$D/holdfast.conf:2: hold_slots = 16k is not a whole number: give one from 64 to 1048576" },
	{ "[limits]\nhold_slots = -1\n",
	  "$D/holdfast.conf:2: hold_slots = -1 is not a whole number: give one from 64 to 1048576" },
	{ "[limits]\nhold_slots = 99999999999999999999999\n",
	  "$D/holdfast.conf:2: hold_slots = 99999999999999999999999 is out of range: give a number from 64 to "
	  "1048576" },
	{ "[limits]\nhold_big_slots = 0\n",
	  "$D/holdfast.conf:2: hold_big_slots = 0 is out of range: give a number from 1 to 4096" },
	{ "[limits]\nhold_queues = 15\n",
	  "$D/holdfast.conf:2: hold_queues = 15 is out of range: give a number from 16 to 1048576" },
	{ "[limits]\nhold_age_seconds = 61\n",
	  "$D/holdfast.conf:2: hold_age_seconds = 61 is out of range: give a number from 1 to 60" },
	{ "[limits]\nhold_age_seconds = 1.5\n",
	  "$D/holdfast.conf:2: hold_age_seconds = 1.5 is not a whole number: give one from 1 to 60" },
	{ "[limits]\ngate_entries = 255\n",
	  "$D/holdfast.conf:2: gate_entries = 255 is out of range: give a number from 256 to 16777216" },
	{ "[limits]\npeers = 1048577\n",
	  "$D/holdfast.conf:2: peers = 1048577 is out of range: give a number from 64 to 1048576" },
	{ "[limits]\n\ngate_entries = 1000\n\n[agent]\n",
	  "$D/holdfast.conf:3: peers = 65536 is more than gate_entries = 1000, and every peer needs an entry: raise "
	  "gate_entries" },
	{ "[agent]\nlog_level = " X50 X50 X50 X50 "\n",
	  "$D/holdfast.conf:2: the line is longer than 198 characters: shorten it" },
	{ "[agent]\npolicies = $D/nowhere\n",
	  "$D/holdfast.conf:2: $D/nowhere: no such folder: create it or correct the path" },
	{ "[agent]\npolicies = $D/holdfast.conf\n",
	  "$D/holdfast.conf:2: $D/holdfast.conf: cannot be read (Not a directory): put the policy files into a folder "
	  "that root can read" },
	/* An indented key is a key, not the continuation of the line before. */
	{ "[agent]\nlog_level = info\n  log_levle = info\n",
	  "$D/holdfast.conf:3: unknown key log_levle in [agent], nothing reads it: did you mean log_level?" },
	/* Only the first of two mistakes is reported. */
	{ "[agent]\nlog_level = loud\n[nothing]\n",
	  "$D/holdfast.conf:2: log_level = loud is none: give error, warn, info or debug" },
};

static void check_mistake(const struct mistake *mistake, const char *text_name)
{
	char expected[TEXT_MAX];
	struct config config;
	struct err err = ERR_NONE;

	memset(&config, 0x5a, sizeof(config));
	if (load(&config, &err) == 0)
		fail_msg("accepted %s: %s", text_name, mistake->text);
	assert_string_equal(err.text, expand(expected, mistake->message));
	assert_int_equal(*(unsigned char *)&config, 0x5a);
}

static void test_conf_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conf_mistakes) / sizeof(conf_mistakes[0]); i++) {
		write_text("holdfast.conf", conf_mistakes[i].text);
		check_mistake(&conf_mistakes[i], "holdfast.conf");
	}
}

static void test_unreadable(void **state)
{
	char path[128], expected[TEXT_MAX];
	struct config config;
	struct err err = ERR_NONE;

	(void)state;
	snprintf(path, sizeof(path), "%s/none.conf", folder);
	assert_int_equal(config_load(&config, path, &err), -ENOENT);
	assert_string_equal(err.text, expand(expected, "$D/none.conf: cannot be read (No such file or directory): "
						       "correct the path or its permissions"));
	err = ERR_NONE;
	assert_int_equal(config_load(&config, folder, &err), -EIO);
	assert_string_equal(err.text, expand(expected, "$D: cannot be read (Is a directory): the configuration is a "
						       "plain file"));
	err = ERR_NONE;
	write_file("holdfast.conf", "[agent]\nlog\0level = info\n", 26);
	assert_int_equal(load(&config, &err), -EINVAL);
	assert_string_equal(err.text,
			    expand(expected, "$D/holdfast.conf:2: there is a NUL byte: this is not a text file"));
}

/* ---- mistakes in the policy folder ----------------------------------------------------------- */

static void use_policies(void)
{
	write_text("holdfast.conf", "[agent]\npolicies = $D/policies\n");
}

static void remove_policies(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'/policies/* '%s'/policies/.[a-z]*", folder, folder);
	assert_int_equal(system(command), 0);
}

static void test_policy_mistakes(void **state)
{
	static const struct {
		const char *file, *other, *other_text;
		struct mistake mistake;
	} cases[] = {
		{ "private",
		  NULL,
		  NULL,
		  { "# two\n10.0.0.0/33\n", "$D/policies/private:2: \"10.0.0.0/33\": the prefix "
					    "length must be 0 to 32" } },
		{ "block",
		  NULL,
		  NULL,
		  { "10.0.0.1/8\n", "$D/policies/block:1: \"10.0.0.1/8\" has bits set behind its /8: write the network "
				    "address" } },
		{ "clear",
		  NULL,
		  NULL,
		  { "example.com\n", "$D/policies/clear:1: \"example.com\" is not an IPv4 or IPv6 address" } },
		{ "private-or-clear",
		  NULL,
		  NULL,
		  { "10.0.0.0/8 tcp 0 22\n", "$D/policies/private-or-clear:1: there is more than one word: protocols "
					     "and ports are not told apart, write one address or prefix per line" } },
		{ "private",
		  "clear",
		  "::1\n192.0.2.0/24\n",
		  { "\n\n192.0.2.0/24\n", "$D/policies/private:3: 192.0.2.0/24 is in group private, but "
					  "$D/policies/clear:2 puts it into clear: remove one of the two lines" } },
		{ "private",
		  "block",
		  "2001:db8::1\n",
		  { "2001:db8::1/128\n", "$D/policies/private:1: 2001:db8::1/128 is in group private, but "
					 "$D/policies/block:1 puts it into block: remove one of the two lines" } },
		{ "privat",
		  NULL,
		  NULL,
		  { "10.0.0.0/8\n", "$D/policies/privat: no policy group has this name, so nothing would enforce it: "
				    "did you mean \"private\"?" } },
		{ "office",
		  NULL,
		  NULL,
		  { "10.0.0.0/8\n", "$D/policies/office: no policy group has this name, so nothing would enforce it: "
				    "rename it to clear, clear-or-private, private-or-clear, private or block, or "
				    "remove it" } },
	};
	char path[128];

	(void)state;
	use_policies();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		remove_policies();
		snprintf(path, sizeof(path), "policies/%s", cases[i].file);
		write_text(path, cases[i].mistake.text);
		if (cases[i].other) {
			snprintf(path, sizeof(path), "policies/%s", cases[i].other);
			write_text(path, cases[i].other_text);
		}
		check_mistake(&cases[i].mistake, cases[i].file);
	}
}

static void test_policy_file_kinds(void **state)
{
	struct mistake mistake = { "", "$D/policies/block:1: there is a NUL byte: this is not a text file" };
	char path[128];

	(void)state;
	use_policies();
	remove_policies();
	write_file("policies/block", "10.0.0.0/8\0\n", 12);
	check_mistake(&mistake, "NUL");

	remove_policies();
	snprintf(path, sizeof(path), "%s/policies/private", folder);
	assert_int_equal(mkdir(path, 0755), 0);
	mistake.message = "$D/policies/private: cannot be read (Is a directory): a policy group is a plain file";
	check_mistake(&mistake, "folder");

	remove_policies();
	assert_int_equal(symlink("/nonexistent/private", path), 0);
	mistake.message = "$D/policies/private: cannot be read (No such file or directory): make it readable for "
			  "root, or remove it";
	check_mistake(&mistake, "dangling link");
}

/* ---- what is accepted ------------------------------------------------------------------------ */

static void test_full(void **state)
{
	OWN(config_free) struct config config = { 0 };
	struct err err = ERR_NONE;
	struct hf_addr addr;
	char path[128];

	(void)state;
	remove_policies();
	write_text("policies/private", "# Libreswan's own example\n192.0.2.0/24\t# office\n\n2001:db8::/32\n");
	write_text("policies/block", "198.51.100.7\n");
	write_text("policies/portexcludes.conf", "not ours\n");
	write_text("policies/private~", "not ours\n");
	write_text("policies/.private.swp", "not ours\n");
	write_text("holdfast.conf", "\xef\xbb\xbf; comment\n[agent]\n\tinterfaces = eth0, wlan*  # two\n"
				    "policies: $D/policies\ncontrol_socket=/run/x#y.sock\nlog_level = debug ; all\n\n"
				    "[policy]\r\ndefault = private-or-clear\r\nresolvers = 192.0.2.53, 2001:db8::53\n"
				    "[limits]\nhold_slots = 64\nhold_big_slots = 4096\nhold_queues = 16\n"
				    "gate_entries = 256\npeers = 256\nhold_age_seconds = 60");
	assert_int_equal(load(&config, &err), 0);
	assert_string_equal(err.text, "");
	snprintf(path, sizeof(path), "%s/holdfast.conf", folder);
	assert_string_equal(config.file, path);
	assert_int_equal(config.interface_count, 2);
	assert_string_equal(config.interfaces[0], "eth0");
	assert_string_equal(config.interfaces[1], "wlan*");
	assert_int_equal(config.interfaces_line, 3);
	assert_string_equal(config.control_socket, "/run/x#y.sock");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_false(config.resolvers_auto);
	assert_int_equal(config.resolver_count, 2);
	assert_int_equal(config.limits.hold_slots, 64);
	assert_int_equal(config.limits.hold_big_slots, 4096);
	assert_int_equal(config.limits.hold_queues, 16);
	assert_int_equal(config.limits.gate_entries, 256);
	assert_int_equal(config.limits.peers, 256);
	assert_int_equal(config.limits.hold_age_seconds, 60);
	assert_int_equal(config.policy.count, 3);
	addr_parse(&addr, "192.0.2.9", NULL);
	assert_int_equal(policy_group(&config.policy, &addr), HF_GROUP_PRIVATE);
	assert_int_equal(policy_find(&config.policy, &addr)->line, 2);
	assert_ptr_equal(policy_find(&config.policy, &addr)->file, config.policy_files[HF_GROUP_PRIVATE]);
	addr_parse(&addr, "203.0.113.1", NULL);
	assert_int_equal(policy_group(&config.policy, &addr), HF_GROUP_PRIVATE_OR_CLEAR);
	assert_null(config.policy_files[HF_GROUP_CLEAR]);
}

static void test_defaults(void **state)
{
	OWN(config_free) struct config config = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	remove_policies();
	use_policies();
	assert_int_equal(load(&config, &err), 0);
	assert_int_equal(config.interface_count, 1);
	assert_string_equal(config.interfaces[0], "*");
	assert_string_equal(config.control_socket, CONTROL_SOCKET);
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	assert_int_equal(config.policy.fallback, HF_GROUP_CLEAR);
	assert_int_equal(config.policy.count, 0);
	assert_true(config.resolvers_auto);
	assert_int_equal(config.limits.hold_slots, HF_SLOTS_DEFAULT);
	assert_int_equal(config.limits.hold_age_seconds, 10);
	assert_true(config_wants_interface(&config, "eth0"));
	assert_false(config_wants_interface(&config, "lo"));
}

/* The example's commented lines are the defaults, and its policy files list nobody. */
static void test_example(void **state)
{
	OWN(config_free) struct config config = { 0 }, defaults = { 0 };
	const char *source = getenv("HF_SRC");
	char command[TEXT_MAX];
	struct err err = ERR_NONE;

	(void)state;
	snprintf(command, sizeof(command),
		 "sed -E 's/^#([a-z_]+ = )/\\1/; s|^(policies = ).*|\\1%s/dist/policies|' '%s/dist/holdfast.conf' "
		 ">'%s/holdfast.conf'",
		 source, source, folder);
	assert_int_equal(system(command), 0);
	load(&config, &err);
	assert_string_equal(err.text, "");
	remove_policies();
	use_policies();
	assert_int_equal(load(&defaults, &err), 0);
	assert_memory_equal(&config.limits, &defaults.limits, sizeof(config.limits));
	assert_string_equal(config.control_socket, defaults.control_socket);
	assert_string_equal(config.interfaces[0], defaults.interfaces[0]);
	assert_int_equal(config.interface_count, defaults.interface_count);
	assert_int_equal(config.log_level, defaults.log_level);
	assert_int_equal(config.resolvers_auto, defaults.resolvers_auto);
	assert_int_equal(config.shield, defaults.shield);
	assert_int_equal(config.policy.fallback, defaults.policy.fallback);
	assert_int_equal(config.policy.count, 0);
	for (int group = 0; group < HF_GROUP_COUNT; group++)
		assert_non_null(config.policy_files[group]);
	assert_int_not_equal(config.policies_line, 0);
}

static void test_no_resolvers(void **state)
{
	OWN(config_free) struct config config = { 0 };

	(void)state;
	remove_policies();
	write_text("holdfast.conf", "[agent]\npolicies = $D/policies\n[policy]\nresolvers = none\n");
	assert_int_equal(load(&config, NULL), 0);
	assert_false(config.resolvers_auto);
	assert_int_equal(config.resolver_count, 0);
}

static void test_interfaces(void **state)
{
	OWN(config_free) struct config config = { 0 }, missing = { 0 };
	struct err err = ERR_NONE;
	char expected[TEXT_MAX];

	(void)state;
	remove_policies();
	write_text("holdfast.conf", "[agent]\npolicies = $D/policies\ninterfaces = zz[01]* l*\n");
	assert_int_equal(load(&config, NULL), 0);
	assert_true(config_wants_interface(&config, "zz0.17"));
	assert_false(config_wants_interface(&config, "zz2"));
	assert_false(config_wants_interface(&config, "lo"));
	assert_int_equal(config_check_interfaces(&config, &err), 0);

	write_text("holdfast.conf", "[agent]\npolicies = $D/policies\ninterfaces = zz9none\n");
	assert_int_equal(load(&missing, NULL), 0);
	assert_int_equal(config_check_interfaces(&missing, &err), -ENODEV);
	assert_string_equal(err.text, expand(expected, "$D/holdfast.conf:3: there is no interface \"zz9none\", so "
						       "nothing would be protected on it: correct the name, or write "
						       "\"zz9none*\" if it appears later"));
}

static void test_resolvers(void **state)
{
	struct hf_addr out[4];
	char path[128], text[ADDR_TEXT_MAX];
	size_t count = 0;

	(void)state;
	write_text("resolv.conf", "# nameserver 192.0.2.9\nsearch example\nnameserver 127.0.0.53\nnameserver ::1\n"
				  "nameserver\t192.0.2.1\nnameserver 192.0.2.1\nnameserver fe80::1%eth0 # router\n"
				  "nameserver\nnameserver nonsense\nnameserver 192.0.2.2\n");
	snprintf(path, sizeof(path), "%s/resolv.conf", folder);
	resolvers_read(out, &count, 4, path);
	assert_int_equal(count, 3);
	assert_string_equal(addr_format(text, &out[0]), "192.0.2.1");
	assert_string_equal(addr_format(text, &out[1]), "fe80::1");
	assert_string_equal(addr_format(text, &out[2]), "192.0.2.2");
	count = 0;
	resolvers_read(out, &count, 2, path);
	assert_int_equal(count, 2);
	resolvers_read(out, &count, 2, "/nonexistent");
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf_mistakes),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_policy_mistakes),
		cmocka_unit_test(test_policy_file_kinds),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_no_resolvers),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_resolvers),
	};

	return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
