// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast doctor`: each thing that Holdfast wants of this machine, whether it is there, what it costs when it is not, and
 * what to do. The rooms try (dataplane/probe.h, netlink_probe); this only says what it means.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/offline.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "dataplane/dispatcher.h"
#include "dataplane/probe.h"
#include "holdfast/abi.h"
#include "holdfast/control.h"
#include "netlink/netlink.h"

#define COLUMN 11

struct check {
	const char *name;
	bool needed; /* Holdfast does not run without it */
	const char *cost, *advice;
};

/* The patient's record. */
struct doctor {
	json_t *checks; /* with --json, else NULL */
	bool failed;	/* something needed is missing */
	unsigned int missing;
};

/* One finding. `detail` says what was seen, also when all is well; "" = nothing to add. */
static void report(struct doctor *doctor, const struct check *check, bool ok, const char *detail)
{
	enum print_colour colour = PRINT_GOOD;

	doctor->failed |= !ok && check->needed;
	doctor->missing += !ok;
	if (doctor->checks) {
		json_t *json = json_pack("{ss sb sb ss}", "name", check->name, "ok", ok, "needed", check->needed,
					 "detail", detail);

		if (!ok)
			json_object_set_new(json, "cost", json_string(check->cost));
		if (!ok)
			json_object_set_new(json, "advice", json_string(check->advice));
		json_array_append_new(doctor->checks, json);
		return;
	}
	if (!ok)
		colour = check->needed ? PRINT_BAD : PRINT_WARN;
	print_item(colour, COLUMN, ok ? "ok" : "missing", "%s%s%s%s", check->name, *detail ? " (" : "", detail,
		   *detail ? ")" : "");
	if (ok)
		return;
	print_item(PRINT_PLAIN, COLUMN, "", "costs: %s", check->cost);
	print_item(PRINT_PLAIN, COLUMN, "", "to do: %s", check->advice);
}

/* A probe's result: 0, or the -errno of trying. Who may not try learns nothing about the kernel. */
static void report_errno(struct doctor *doctor, const struct check *check, int rc)
{
	const struct check untried = { check->name, check->needed, "unknown: it could not be tried",
				       "run this as root" };

	report(doctor, rc == -EPERM ? &untried : check, rc == 0, rc == 0 ? "" : strerror(-rc));
}

#define NO_HOLD "Holdfast cannot run"
#define BPF_KERNEL "use a kernel with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF"
#define XFRM_KERNEL "load or build esp4 and xfrm_user"

/* ---- the machine ----------------------------------------------------------------------------- */

static void check_machine(struct doctor *doctor, const struct dataplane_probe *probe)
{
	static const struct check release = { "kernel 6.1 or newer", true,
					      "the programs may be refused, nobody tested it", "use a newer kernel" };
	static const struct check admin = { "CAP_NET_ADMIN", true, "no SA, policy or program can be installed",
					    "run it as root, or give it the capability" };
	static const struct check bpf = { "CAP_BPF", true, "no program can be loaded",
					  "run it as root, or give it the capability" };
	static const struct check sys = { "CAP_SYS_ADMIN", false,
					  "another agent's programs cannot be found, bpffs cannot be mounted",
					  "run it as root, or mount bpffs before it starts" };
	static const struct check bpffs = { "BPF file system at /sys/fs/bpf", true,
					    "programs and verdicts would end with the agent",
					    "mount -t bpf bpf /sys/fs/bpf" };

	report(doctor, &release, probe->release_ok, probe->release);
	report(doctor, &admin, probe->cap_net_admin, "");
	report(doctor, &bpf, probe->cap_bpf, "");
	report(doctor, &sys, probe->cap_sys_admin, "");
	report_errno(doctor, &bpffs, probe->bpffs);
}

/* ---- the datapath ---------------------------------------------------------------------------- */

static void check_maps(struct doctor *doctor, const struct dataplane_probe *probe)
{
	static const struct check bpf = { "bpf system call", true, NO_HOLD, BPF_KERNEL };
	static const struct check mmap = { "maps in memory", true, NO_HOLD ": held packets are read through them",
					   BPF_KERNEL };
	static const struct check trie = { "longest prefix match map", true, NO_HOLD ": policy lives in it",
					   BPF_KERNEL };
	static const struct check ring = { "BPF ring buffer", true, NO_HOLD ": events come through it", BPF_KERNEL };

	report_errno(doctor, &bpf, probe->bpf);
	report_errno(doctor, &mmap, probe->mmap);
	report_errno(doctor, &trie, probe->lpm_trie);
	report_errno(doctor, &ring, probe->ring);
}

static void check_programs(struct doctor *doctor, const struct dataplane_probe *probe)
{
	static const struct check classifier = { "TC programs", true, NO_HOLD, BPF_KERNEL };
	static const struct check attach = { "attaching at TC", true, NO_HOLD,
					     "load or build sch_ingress and cls_bpf, or use Linux 6.6 or newer" };
	static const struct check tcx = { "TCX (Linux 6.6)", false,
					  "clsact is used; tools that delete filters can delete ours",
					  "nothing, or use Linux 6.6 or newer" };
	static const struct check decrypted = { "XFRM state at TC (bpf_skb_get_xfrm_state)", true,
						"clear packets cannot be told from decrypted ones",
						"use a kernel with CONFIG_XFRM" };
	static const struct check xdp = { "XDP programs", false,
					  "no shield in front of IKE, whose own thresholds stand alone", BPF_KERNEL };
	static const struct check beside = {
		"XDP programs of others beside the shield", false,
		"an interface has either the shield or somebody else's XDP program",
		"nothing without such programs; else use x86-64 and a kernel with BTF and the JIT"
	};
	static const struct check xdp_state = { "XFRM state at XDP (Linux 6.8)", false,
						"later releases check ESP at XDP with it",
						"nothing, or use Linux 6.8 or newer with kernel BTF" };
	static const struct check jit = { "BPF compiler (JIT)", false, "each packet costs five to ten times as much",
					  "sysctl net.core.bpf_jit_enable=1, or use a kernel with CONFIG_BPF_JIT" };
	static const struct check btf = { "kernel BTF", false, "functions of the kernel cannot be called from programs",
					  "nothing, or use a kernel with CONFIG_DEBUG_INFO_BTF" };

	report_errno(doctor, &classifier, probe->sched_cls);
	if (probe->tcx == 0 || probe->clsact == 0)
		report(doctor, &attach, true, probe->tcx == 0 ? "with TCX" : "with clsact");
	else
		report_errno(doctor, &attach, probe->clsact);
	report_errno(doctor, &tcx, probe->tcx);
	report_errno(doctor, &decrypted, probe->skb_xfrm_state);
	report_errno(doctor, &xdp, probe->xdp);
	report(doctor, &beside, probe->dispatcher == 0,
	       probe->dispatcher == 0 ? "" : dispatcher_explain(probe->dispatcher));
	report_errno(doctor, &xdp_state, probe->xdp_xfrm_state);
	report_errno(doctor, &jit, probe->jit);
	report_errno(doctor, &btf, probe->btf);
}

static void check_datapath(struct doctor *doctor)
{
	static const struct check tried = { "trying what the kernel offers", true, "nothing is known about this kernel",
					    "run this as root, with memory and processes to spare" };
	struct dataplane_probe probe;
	struct err err = ERR_NONE;

	if (dataplane_probe(&probe, &err) < 0) {
		report(doctor, &tried, false, err.text);
		return;
	}
	check_machine(doctor, &probe);
	check_maps(doctor, &probe);
	check_programs(doctor, &probe);
}

/* ---- XFRM ------------------------------------------------------------------------------------ */

static void check_xfrm(struct doctor *doctor)
{
	static const struct check tried = { "trying what XFRM offers", true, "nothing is known about it",
					    "run this as root" };
	static const struct check xfrm = { "XFRM (IPsec in the kernel)", true, NO_HOLD, XFRM_KERNEL };
	static const struct check esp4 = { "ESP for IPv4", true, "no IPv4 pair can be secured", XFRM_KERNEL };
	static const struct check esp6 = { "ESP for IPv6", false,
					   "no IPv6 pair can be secured, private ones are cut off",
					   "load or build esp6" };
	static const struct check gcm = { "AES-GCM in ESP", true, "no SA with most peers",
					  "load or build gcm and aes" };
	static const struct check chacha = { "ChaCha20-Poly1305 in ESP", false,
					     "slower SAs on machines without AES instructions",
					     "load or build chacha20poly1305" };
	static const struct check esn = { "extended sequence numbers", false,
					  "rekeying every four thousand million packets", "use a newer kernel" };
	static const struct check encap = { "ESP in UDP", false, "no SA through address translation",
					    "use a kernel with CONFIG_INET_ESPINTCP or UDP encapsulation" };
	struct netlink_probe probe = { 0 };
	struct err err = ERR_NONE;

	if (netlink_probe(&probe, &err) < 0) {
		report(doctor, &tried, false, err.text);
		return;
	}
	report_errno(doctor, &xfrm, probe.xfrm);
	report_errno(doctor, &esp4, probe.esp4);
	report_errno(doctor, &esp6, probe.esp6);
	report_errno(doctor, &gcm, probe.aes_gcm);
	report_errno(doctor, &chacha, probe.chacha20);
	report_errno(doctor, &esn, probe.esn);
	report_errno(doctor, &encap, probe.udp_encap);
}

/* ---- configuration and agent ----------------------------------------------------------------- */

static void check_config(struct doctor *doctor, const struct cli *cli)
{
	static const struct check config = { "configuration", true, "the agent does not start", "correct the line" };
	struct err err = ERR_NONE;
	size_t prefixes = 0;
	char detail[64];
	int rc = offline_check(cli, &prefixes, &err);

	snprintf(detail, sizeof(detail), "%zu prefixes", prefixes);
	report(doctor, &config, rc == 0, rc == 0 ? detail : err.text);
}

/* What the filter of a confined agent is made of (daemon/confine.h). */
static void check_seccomp(struct doctor *doctor)
{
	static const struct check seccomp = { "system call filter (seccomp)", false,
					      "a fault in the agent could use any system call",
					      "use a kernel with CONFIG_SECCOMP_FILTER" };
	const uint32_t action = SECCOMP_RET_TRAP;
	int rc = (int)syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);

	report_errno(doctor, &seccomp, rc < 0 ? -errno : 0);
}

/* A number of /proc/PID/status; -1 when it cannot be read. */
static long long status_field(long long pid, const char *name)
{
	char path[64], line[256];
	long long value = -1;
	size_t len = strlen(name);
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%lld/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			value = strtoll(line + len + 1, NULL, strncmp(name, "Cap", 3) == 0 ? 16 : 10);
	if (file)
		fclose(file);
	return value;
}

/* Whether a running agent gave up what it can do without. */
static void check_confined(struct doctor *doctor, long long pid)
{
	static const struct check confined = { "the agent's privileges", false,
					       "a fault in the agent could do whatever root can",
					       "remove sandbox = off from [agent] and restart it" };
	const unsigned long long needed = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_BPF;
	long long caps = status_field(pid, "CapPrm"), filter = status_field(pid, "Seccomp");
	char detail[128];

	if (caps < 0)
		return; /* it has just ended, or /proc hides it from us */
	snprintf(detail, sizeof(detail), "%s, %s",
		 (unsigned long long)caps & ~needed ? "all capabilities" : "3 capabilities",
		 filter == 2 ? "system calls filtered" : "any system call");
	report(doctor, &confined, !((unsigned long long)caps & ~needed) && filter == 2, detail);
}

/* Where a running agent has its shield, in what form and company. */
static void check_shield(struct doctor *doctor, const struct cli *cli)
{
	static const struct check shield = {
		"shield in front of IKE (XDP)", false, "a flood of strangers costs the agent's time, within its bounds",
		"see the agent's log; or remove the other XDP program from the interface"
	};
	struct err err = ERR_NONE;
	const json_t *report_of;
	const char *name, *alone;
	json_t *status = NULL, *how;
	char detail[512] = "";
	bool all = true;

	if (client_ask(cli, &status, client_request(CONTROL_STATUS), &err) < 0)
		return;
	report_of = json_object_get(status, "shield");
	json_object_foreach(json_object_get(report_of, "interfaces"), name, how) {
		const char *company = client_text(json_object_get(report_of, "company"), name);
		const char *text = json_string_value(how) ? json_string_value(how) : "?";
		size_t used = strlen(detail);

		snprintf(detail + used, sizeof(detail) - used, "%s%s %s%s%s", used ? ", " : "", name, text,
			 *company ? " " : "", company);
		all = all && strcmp(text, "none") != 0;
	}
	alone = client_text(report_of, "alone_because");
	if (*alone)
		snprintf(detail + strlen(detail), sizeof(detail) - strlen(detail), "; beside others never: %s", alone);
	if (report_of)
		report(doctor, &shield, all, detail);
	json_decref(status);
}

static void check_agent(struct doctor *doctor, const struct cli *cli)
{
	static const struct check agent = { "a running agent", false,
					    "nothing new is secured; what was attached goes on by policy",
					    "systemctl start holdfast" };
	struct err err = ERR_NONE;
	json_t *answer = NULL;
	char detail[ERR_TEXT_MAX];
	int rc = client_ask(cli, &answer, client_request(CONTROL_PING), &err);
	long long pid = (long long)json_integer_value(json_object_get(answer, CONTROL_PID));

	snprintf(detail, sizeof(detail), "pid %lld", pid);
	json_decref(answer);
	report(doctor, &agent, rc == 0, rc == 0 ? detail : strerror(-rc));
	if (rc == 0)
		check_confined(doctor, pid);
	if (rc == 0)
		check_shield(doctor, cli);
}

static void show_sum(const struct doctor *doctor)
{
	if (doctor->failed)
		print_text(PRINT_BAD, "Something is missing that Holdfast cannot do without.\n");
	else if (doctor->missing)
		print_text(PRINT_WARN, "Holdfast can run; what is missing costs what is said above.\n");
	else
		print_text(PRINT_GOOD, "Nothing is missing.\n");
}

int doctor_command(const struct cli *cli, int argc, char **argv)
{
	struct doctor doctor = { .checks = cli->json ? json_array() : NULL };

	(void)argv;
	if (argc)
		return cli_usage("doctor", "doctor takes no words behind it");
	progress_show("trying what this kernel offers ...");
	check_datapath(&doctor);
	check_xfrm(&doctor);
	check_seccomp(&doctor);
	check_config(&doctor, cli);
	check_agent(&doctor, cli);
	if (cli->json)
		print_json(json_pack("{sb so}", "ok", !doctor.failed, "checks", doctor.checks));
	else
		show_sum(&doctor);
	return doctor.failed ? EXIT_FAILED : EXIT_DONE;
}
