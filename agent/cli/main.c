// SPDX-License-Identifier: Apache-2.0
/*
 * The program: finds the command in a table, reads the options, calls it. `holdfast run` is the daemon; the other
 * commands ask it through its control socket or look for themselves.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "daemon/daemon.h"
#include "holdfast/abi.h"
#include "holdfast/control.h"

/* Above all characters, so that getopt's short options are never taken for one. */
enum option_flag {
	OPTION_JSON = 0x100,
	OPTION_CONFIG = 0x200,
	OPTION_SOCKET = 0x400,
	OPTION_FOREGROUND = 0x800,
	OPTION_FORCE = 0x1000,
	OPTION_HELP = 0x2000,
	OPTION_KEYS = 0x4000,
	OPTION_KEY = 0x8000,
	OPTION_DIR = 0x10000,
	OPTION_DAYS = 0x20000,
	OPTION_NSUPDATE = 0x40000,
	OPTION_CHECK = 0x80000,
};

struct command {
	const char *name, *summary, *usage, *help;
	unsigned int options; /* OPTION_* it takes beside --help */
	int (*run)(const struct cli *cli, int argc, char **argv);
};

static int run_command(const struct cli *cli, int argc, char **argv);
static int help_command(const struct cli *cli, int argc, char **argv);
static int version_command(const struct cli *cli, int argc, char **argv);

static const struct command commands[] = {
	{ "init", "Make this host's key, print what others need to know it", "holdfast init [--dir DIR] [--json]",
	  "Makes the private key and an example configuration where there are none, and\n"
	  "never touches what is there. Prints this host's line for a directory or for\n"
	  "another host's pins, and its IPSECKEY record.\n"
	  "\n"
	  "  --dir DIR       instead of /etc/holdfast\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast init\n"
	  "  holdfast init --json | jq -r .line\n",
	  OPTION_JSON | OPTION_DIR, init_command },
	{ "run", "Run the agent", "holdfast run [--config FILE] [--foreground]",
	  "Runs the agent in the foreground until a signal ends it. It never forks: use\n"
	  "systemd or a shell's & for that. When it ends, the programs stay attached and\n"
	  "policy stays in force; `holdfast unload` takes them away.\n"
	  "\n"
	  "  --config FILE   read FILE instead of /etc/holdfast/holdfast.conf\n"
	  "  --foreground    say nothing to a service manager\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast run\n"
	  "  holdfast run --config ./test.conf --foreground\n",
	  OPTION_CONFIG | OPTION_FOREGROUND, run_command },
	{ "status", "What the agent is doing, and what went wrong", "holdfast status [--json]",
	  "Shows the running agent: pairs by state, packets held, and every limit that was\n"
	  "reached. What is zero is left out; --json has everything.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast status\n"
	  "  holdfast status --json | jq .held\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, show_command },
	{ "peers", "Whom this host talks to, and how each was proved", "holdfast peers [ADDRESS] [--json]",
	  "Lists the pairs that the agent knows: state and since when, which source of keys\n"
	  "proved the peer, and what its SAs carried. With an address: all of that pair.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast peers\n"
	  "  holdfast peers 192.0.2.7\n"
	  "  holdfast peers --json | jq -r '.peers[] | select(.state != \"secure\").remote'\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, peers_command },
	{ "explain", "What would happen to packets of an address, and what has", "holdfast explain ADDRESS [--json]",
	  "Says which policy group decides, whether a key of the host is known and from\n"
	  "where, and what would happen to a packet that is sent now. Then each step that\n"
	  "was taken with that host, with time and reason: the latest 16.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast explain 192.0.2.7\n"
	  "  holdfast explain 2001:db8::1 --json | jq '.pairs[].events'\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, explain_command },
	{ "watch", "What happens to peers, as it happens", "holdfast watch [ADDRESS] [--json]",
	  "On a terminal: a screen with the pairs by state, packets per second and the\n"
	  "latest steps, drawn anew until q is pressed. Else, or with --json, a line for\n"
	  "each step of all pairs, or those of one address, until it is interrupted; the\n"
	  "ten latest of before come first. It waits when the agent is started anew.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast watch\n"
	  "  holdfast watch 192.0.2.7 | tee steps\n"
	  "  holdfast watch --json | jq -c 'select(.event == \"failed\")'\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, watch_command },
	{ "connect", "Make an address secure now, before a packet needs it", "holdfast connect ADDRESS [--json]",
	  "Does what a first packet to the address would do, shows the steps, and waits for\n"
	  "the end: the exit code is 0 when the pair is secure. Nothing is sent to it but\n"
	  "IKE.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast connect 192.0.2.7\n"
	  "  holdfast connect 2001:db8::1 --json | jq -r .state\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, connect_command },
	{ "forget", "End what there is with an address, and begin anew", "holdfast forget ADDRESS [--json]",
	  "Ends all pairs of the address, and forgets its failures and that it was reached\n"
	  "securely before. The next packet to it starts anew: where the policy is\n"
	  "private-or-clear it may then go in clear.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast forget 192.0.2.7\n"
	  "  holdfast forget 192.0.2.7 && holdfast connect 192.0.2.7\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, forget_command },
	{ "policy", "Who is protected how, and where that is written", "holdfast policy list|test [ADDRESS] [--json]",
	  "  list          every prefix with its group and the line it is written on; the\n"
	  "                first one that covers an address decides\n"
	  "  test ADDRESS  which group the address belongs to, which line of which file\n"
	  "                decides that, and what the gate has for it now\n"
	  "\n"
	  "Without a running agent the files are read.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast policy list\n"
	  "  holdfast policy test 192.0.2.7\n"
	  "  holdfast policy list --json | jq .groups\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, policy_command },
	{ "directory", "Show, check, edit and sign a directory of hosts",
	  "holdfast directory show|check|add|remove|sign FILE ... [--json]",
	  "Works on a directory's file, see holdfast-directory(5). Each change is checked\n"
	  "before it is written, and counts for agents once it is signed.\n"
	  "\n"
	  "  show FILE            what is in it\n"
	  "  check FILE           as an agent would; with --key also the signature\n"
	  "  add FILE LINE        a host: ADDRESS[,ADDRESS] KEY [name=NAME]\n"
	  "                       [until=YYYY-MM-DD], as `holdfast init` prints it there\n"
	  "  remove FILE HOST     by name or address\n"
	  "  sign FILE            raise its serial, renew it, sign it\n"
	  "\n"
	  "  --key KEY       sign: file of a minisign secret key\n"
	  "                  check: minisign public key, itself or its file\n"
	  "  --days N        sign: for so many days, 1 to 14; 14 when not given\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast directory add fleet 192.0.2.7 ed25519:AbC...= name=db.example\n"
	  "  holdfast directory sign fleet --key minisign.key\n"
	  "  holdfast directory check fleet --key minisign.pub\n",
	  OPTION_JSON | OPTION_KEY | OPTION_DAYS, directory_command },
	{ "publish", "The DNS records by which others find this host",
	  "holdfast publish [NAME] [--nsupdate|--check] [--json]",
	  "Prints an IPSECKEY record with this host's key for each of its addresses, in the\n"
	  "reverse tree, and for its name: NAME, or the host's own. They count for others\n"
	  "in zones that are signed. By its name a host is found where the reverse tree\n"
	  "names it and the name has the address, both signed as well.\n"
	  "\n"
	  "  --nsupdate      as a script for nsupdate (RFC 2136). It adds and takes nothing\n"
	  "                  away, so that an old key can stay while a new one spreads\n"
	  "  --check         look whether others see them, signed; say what is missing.\n"
	  "                  The exit code is 0 when each address can be found\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast publish host.example.org\n"
	  "  holdfast publish --nsupdate | nsupdate -k /etc/bind/update.key\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_NSUPDATE | OPTION_CHECK, publish_command },
	{ "lookup", "What the DNS says about an address or a name, and what follows",
	  "holdfast lookup ADDRESS|NAME [NAME] [--json]",
	  "Asks for keys as an agent with this configuration would, or through its\n"
	  "resolvers where it would not ask. Shows each question with its answer, whether\n"
	  "that is signed and for how long it counts, and then what follows: which keys, and\n"
	  "what they prove. A name behind an address is one that it may have. The exit code\n"
	  "is 0 when every address has a key. Pins and directories come before the DNS: see\n"
	  "explain.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast lookup 192.0.2.7\n"
	  "  holdfast lookup host.example.org\n"
	  "  holdfast lookup 192.0.2.7 host.example.org --json | jq .addresses\n",
	  OPTION_JSON | OPTION_CONFIG, lookup_command },
	{ "doctor", "What this kernel offers, what is missing, what that costs", "holdfast doctor [--json]",
	  "Tries for real what Holdfast needs of this machine, and reads the configuration.\n"
	  "For each thing that is missing it says what that costs and what to do. Nothing\n"
	  "is changed. The exit code is 1 when something is missing that Holdfast cannot do\n"
	  "without.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast doctor\n"
	  "  holdfast doctor --config ./new.conf && systemctl restart holdfast\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET, doctor_command },
	{ "decode", "An IKE message, payload by payload", "holdfast decode FILE [--keys FILE] [--json]",
	  "Shows what one IKEv2 message says. The file holds its octets, or hexadecimal\n"
	  "digits; - is the standard input. What is malformed is said with its place, and\n"
	  "the exit code is 1 then. No agent is needed, and none is asked.\n"
	  "\n"
	  "  --keys FILE     open what is sealed with keys in the form of Wireshark's table\n"
	  "                  ikev2_decryption_table\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast decode message.bin\n"
	  "  tshark -r trace.pcap -Y isakmp -T fields -e udp.payload -c 1 |\n"
	  "      holdfast decode - --json\n",
	  OPTION_JSON | OPTION_KEYS, decode_command },
	{ "unload", "Take everything of Holdfast out of the kernel", "holdfast unload [--force] [--json]",
	  "Detaches the programs and removes maps, SAs and policies. From then on nothing\n"
	  "is held or sealed, private addresses included. Refuses while an agent runs.\n"
	  "\n"
	  "  --force         even when an agent is running\n"
	  "\n"
	  "Examples:\n"
	  "  systemctl stop holdfast && holdfast unload\n",
	  OPTION_JSON | OPTION_CONFIG | OPTION_SOCKET | OPTION_FORCE, unload_command },
	{ "help", "This list, or the help of a command", "holdfast help [COMMAND] [--json]",
	  "With --json the whole table: each command's summary, usage and options.\n"
	  "\n"
	  "Examples:\n"
	  "  holdfast help policy\n"
	  "  holdfast help --json | jq -r '.commands[].usage'\n",
	  OPTION_JSON, help_command },
	{ "version", "Version of the program", "holdfast version [--json]",
	  "Examples:\n"
	  "  holdfast version\n",
	  OPTION_JSON, version_command },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "foreground", no_argument, NULL, OPTION_FOREGROUND },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "keys", required_argument, NULL, OPTION_KEYS },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "days", required_argument, NULL, OPTION_DAYS },
	{ "nsupdate", no_argument, NULL, OPTION_NSUPDATE },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* ---- the table ------------------------------------------------------------------------------- */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int refuse_command(const char *name)
{
	const char *names[COMMAND_COUNT], *meant;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	meant = suggest_nearest(name, names, COMMAND_COUNT);
	if (meant)
		return cli_usage(NULL, "there is no command \"%s\": did you mean %s?", name, meant);
	return cli_usage(NULL, "there is no command \"%s\"", name);
}

/* ---- commands of this file ------------------------------------------------------------------- */

static int run_command(const struct cli *cli, int argc, char **argv)
{
	const struct daemon_options options = { .config = cli->config, .foreground = cli->foreground };

	(void)argv;
	if (argc)
		return cli_usage("run", "run takes no words behind it");
	log_set_level(LOG_LEVEL_INFO);
	return daemon_main(&options);
}

static void show_help(const struct command *command)
{
	printf("%s\n\n%s", command->usage, command->help);
	if (command->options & OPTION_SOCKET)
		printf("\nAlso: --config FILE or --socket PATH, for an agent that uses other ones.\n");
}

static void show_commands(void)
{
	printf("Holdfast protects traffic between hosts that have no connection configured.\n\n"
	       "holdfast COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("\nholdfast COMMAND --help has examples. Manuals: holdfast(1), holdfast.conf(5),\n"
	       "holdfast-directory(5).\n");
}

/* What completion, manual and README are compared with (tests/tidy/commands). */
static json_t *command_json(const struct command *command)
{
	json_t *options = json_array();

	for (const struct option *option = long_options; option->name; option++)
		if (option->val == OPTION_HELP || (command->options & (unsigned int)option->val))
			json_array_append_new(options, json_string(option->name));
	return json_pack("{ss ss ss ss so}", "name", command->name, "summary", command->summary, "usage",
			 command->usage, "help", command->help, "options", options);
}

static int show_json(const struct command *only)
{
	json_t *list = json_array();

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!only || only == &commands[i])
			json_array_append_new(list, command_json(&commands[i]));
	print_json(json_pack("{so}", "commands", list));
	return EXIT_DONE;
}

static int help_command(const struct cli *cli, int argc, char **argv)
{
	const struct command *command = argc == 1 ? find_command(argv[0]) : NULL;

	if (argc > 1)
		return cli_usage(NULL, "help takes one command");
	if (argc == 1 && !command)
		return refuse_command(argv[0]);
	if (cli->json)
		return show_json(command);
	if (command)
		show_help(command);
	else
		show_commands();
	return EXIT_DONE;
}

static int version_command(const struct cli *cli, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return cli_usage("version", "version takes no words behind it");
	if (cli->json)
		print_json(json_pack("{ss si}", CONTROL_VERSION, HF_VERSION, "abi", HF_ABI_VERSION));
	else
		printf("holdfast %s\n", HF_VERSION);
	return EXIT_DONE;
}

/* ---- the command line ------------------------------------------------------------------------ */

static const char *option_word(int flag)
{
	for (const struct option *option = long_options; option->name; option++)
		if (option->val == flag)
			return option->name;
	return "?";
}

static int refuse_word(const struct command *command, const char *word)
{
	const char *names[sizeof(long_options) / sizeof(long_options[0])], *meant;
	size_t count = 0;

	for (const struct option *option = long_options; option->name; option++)
		if (option->val == OPTION_HELP || (command->options & (unsigned int)option->val))
			names[count++] = option->name;
	meant = suggest_nearest(word + strspn(word, "-"), names, count);
	if (meant)
		return cli_usage(command->name, "%s has no option %s: did you mean --%s?", command->name, word, meant);
	return cli_usage(command->name, "%s has no option %s", command->name, word);
}

/* What getopt did not understand: `optopt` is 0 for a long option, the character of a short one, or a flag. */
static int refuse_option(const struct command *command, const char *word)
{
	char option[32];

	if (optopt >= OPTION_JSON)
		return cli_usage(command->name, "--%s takes no value", option_word(optopt));
	if (!optopt)
		return refuse_word(command, word);
	snprintf(option, sizeof(option), "-%c", optopt);
	return refuse_word(command, option);
}

/* An option of another command. */
static int refuse_flag(const struct command *command, int flag)
{
	char option[32];

	snprintf(option, sizeof(option), "--%s", option_word(flag));
	return refuse_word(command, option);
}

/* Fills `cli` and leaves optind at the words. Returns -1 to go on, else the exit code. */
static int read_options(struct cli *cli, const struct command *command, int argc, char **argv)
{
	int flag;

	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (flag == ':')
			return cli_usage(command->name, "%s needs a value", argv[optind - 1]);
		if (flag == '?')
			return refuse_option(command, argv[optind - 1]);
		if (flag == OPTION_HELP) {
			show_help(command);
			return EXIT_DONE;
		}
		if (!(command->options & (unsigned int)flag))
			return refuse_flag(command, flag);
		if (optarg && !*optarg)
			return cli_usage(command->name, "--%s needs a value", option_word(flag));
		cli->json |= flag == OPTION_JSON;
		cli->foreground |= flag == OPTION_FOREGROUND;
		cli->force |= flag == OPTION_FORCE;
		cli->nsupdate |= flag == OPTION_NSUPDATE;
		cli->check |= flag == OPTION_CHECK;
		cli->config = flag == OPTION_CONFIG ? optarg : cli->config;
		cli->socket = flag == OPTION_SOCKET ? optarg : cli->socket;
		cli->keys = flag == OPTION_KEYS ? optarg : cli->keys;
		cli->key = flag == OPTION_KEY ? optarg : cli->key;
		cli->dir = flag == OPTION_DIR ? optarg : cli->dir;
		cli->days = flag == OPTION_DAYS ? optarg : cli->days;
	}
	return -1;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct cli cli = { 0 };
	int rc;

	print_setup();
	/* Reading the configuration to find the socket must not tell its story; the daemon sets its own level. */
	log_set_level(LOG_LEVEL_ERROR);
	if (argc < 2) {
		show_commands();
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		command = find_command("help");
	else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		command = find_command("version");
	else
		command = find_command(argv[1]);
	if (!command)
		return refuse_command(argv[1]);
	rc = read_options(&cli, command, argc - 1, argv + 1);
	if (rc >= 0)
		return rc;
	rc = command->run(&cli, argc - 1 - optind, argv + 1 + optind);
	/* An answer that could not be written (a full disk, say) is no answer. */
	if (fflush(stdout) != 0 && rc == EXIT_DONE)
		rc = EXIT_FAILED;
	return rc;
}
