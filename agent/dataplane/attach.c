// SPDX-License-Identifier: Apache-2.0
/*
 * Attaching: TCX links pinned per interface where the kernel has them (6.6), else clsact filters. Either way
 * first in the chain, because a program before ours may end it, and replaced in place, because between two programs
 * nothing may pass unseen.
 */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/own.h"
#include "dataplane/dp.h"

#define LINK_DIR HF_PIN_DIR "/links"
#define LINK_PATH_MAX 128

/* linux/bpf.h of 6.6; Debian 12's headers are older. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47
#define ATTACH_FIRST (1u << 3) /* BPF_F_BEFORE without a relative: before all others */

/* Our filter: first priority, a handle that says whose it is ("HF"). */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE 0x48460001u

#define LOOPBACK_IFINDEX 1 /* in every network namespace */

struct hook {
	const char *name;
	enum bpf_tc_attach_point point;
	int tcx_type;
};

static const struct hook egress_hook = { "egress", BPF_TC_EGRESS, ATTACH_TCX_EGRESS };
static const struct hook ingress_hook = { "ingress", BPF_TC_INGRESS, ATTACH_TCX_INGRESS };

/* A program of two instructions, on loopback for as long as it takes to close it: the only honest probe. */
bool dp_probe_tcx(void)
{
	const struct bpf_insn next[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 }, /* TCX_NEXT */
		{ .code = BPF_JMP | BPF_EXIT },
	};
	OWN_FD int prog = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "hf_probe", "GPL", next, 2, NULL);
	OWN_FD int link = -1;

	if (prog < 0)
		return false;
	link = bpf_link_create(prog, LOOPBACK_IFINDEX, (enum bpf_attach_type)ATTACH_TCX_EGRESS, NULL);
	return link >= 0;
}

static void link_path(char out[LINK_PATH_MAX], const char *hook, int ifindex)
{
	snprintf(out, LINK_PATH_MAX, LINK_DIR "/%s_%d", hook, ifindex);
}

int dp_link_attach(const char *hook, int prog, int ifindex, int type, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	char path[LINK_PATH_MAX];
	OWN_FD int link = -1;

	link_path(path, hook, ifindex);
	link = bpf_obj_get(path);
	if (link >= 0) {
		if (bpf_link_update(link, prog, NULL) == 0)
			return 0;
		/* A link whose interface is gone, and the number was given to another one. */
		close(link);
		unlink(path);
	}
	link = bpf_link_create(prog, ifindex, (enum bpf_attach_type)type, &options);
	if (link < 0)
		return -errno;
	if (mkdir(LINK_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	return bpf_obj_pin(link, path) < 0 ? -errno : 0;
}

bool dp_link_is_there(const char *hook, int ifindex)
{
	char path[LINK_PATH_MAX];

	link_path(path, hook, ifindex);
	return access(path, F_OK) == 0;
}

/* Detached now: after the last pin is gone, the kernel does it when it finds the time, and who attaches next finds the place taken. */
void dp_link_detach(const char *hook, int ifindex)
{
	char path[LINK_PATH_MAX];
	OWN_FD int link = -1;

	link_path(path, hook, ifindex);
	link = bpf_obj_get(path);
	if (link >= 0)
		bpf_link_detach(link);
	unlink(path);
}

/*
 * An `ingress` qdisc stands where clsact would and answers like it, but has one chain only: an egress filter put there
 * sees what arrives, and what leaves is seen by nobody. The filter is then found at both hooks.
 */
static bool has_egress(int ifindex, uint32_t egress_prog_id)
{
	LIBBPF_OPTS(bpf_tc_hook, tc, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, found, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	return bpf_tc_query(&tc, &found) < 0 || found.prog_id != egress_prog_id;
}

static int attach_clsact(const struct hook *hook, int prog, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, tc, .ifindex = ifindex, .attach_point = hook->point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = prog, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .flags = BPF_TC_F_REPLACE);
	LIBBPF_OPTS(bpf_tc_opts, ours, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int error = bpf_tc_hook_create(&tc);

	if (error < 0 && error != -EEXIST)
		return error;
	error = bpf_tc_attach(&tc, &filter);
	if (error == 0 && hook->point == BPF_TC_EGRESS && !has_egress(ifindex, filter.prog_id)) {
		bpf_tc_detach(&tc, &ours);
		return -EBUSY;
	}
	return error;
}

/* Only a program of ours is taken off: another one may sit at the same handle on an interface we never had. */
static bool is_our_filter(const struct bpf_tc_opts *filter)
{
	struct bpf_prog_info info = { 0 };
	uint32_t info_len = sizeof(info);
	OWN_FD int prog = bpf_prog_get_fd_by_id(filter->prog_id);

	return prog >= 0 && bpf_obj_get_info_by_fd(prog, &info, &info_len) == 0 && strncmp(info.name, "hf_", 3) == 0;
}

/* The qdisc stays: others may have filters on it, and an empty one costs nothing. */
static void detach_clsact(const struct hook *hook, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, tc, .ifindex = ifindex, .attach_point = hook->point);
	LIBBPF_OPTS(bpf_tc_opts, found, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	LIBBPF_OPTS(bpf_tc_opts, gone, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	if (bpf_tc_query(&tc, &found) == 0 && is_our_filter(&found))
		bpf_tc_detach(&tc, &gone);
}

static int attach(struct dataplane *dp, const struct hook *hook, int prog, int ifindex)
{
	return dp->tcx ? dp_link_attach(hook->name, prog, ifindex, hook->tcx_type, ATTACH_FIRST)
		       : attach_clsact(hook, prog, ifindex);
}

static void detach(const struct hook *hook, int ifindex)
{
	dp_link_detach(hook->name, ifindex);
	detach_clsact(hook, ifindex);
}

int dataplane_attach(struct dataplane *dp, int ifindex, const char *name, struct err *err)
{
	/* Egress first: what must not leave matters more than what must not arrive. */
	int error = attach(dp, &egress_hook, dp->egress_prog, ifindex);

	if (error == 0) {
		error = attach(dp, &ingress_hook, dp->ingress_prog, ifindex);
		if (error < 0)
			detach(&egress_hook, ifindex);
	}
	if (error == -EBUSY)
		return err_set(err, error,
			       "interface %s has an ingress qdisc, which nothing that leaves passes: replace it by "
			       "clsact and set its filters there (tc qdisc del dev %s ingress)",
			       name, name);
	if (error < 0)
		return err_set(err, error, "interface %s: the programs cannot be attached: %s", name, strerror(-error));
	return 0;
}

void dataplane_detach(struct dataplane *dp, int ifindex)
{
	(void)dp;
	detach(&ingress_hook, ifindex);
	detach(&egress_hook, ifindex);
}

void dp_links_remove(const char *hook)
{
	DIR *dir = opendir(LINK_DIR);
	const struct dirent *entry;
	char path[sizeof(LINK_DIR) + 1 + sizeof(entry->d_name)];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, hook, strlen(hook)) != 0)
			continue;
		snprintf(path, sizeof(path), LINK_DIR "/%s", entry->d_name);
		if (unlink(path) < 0)
			log_warn("%s cannot be removed: %s", path, strerror(errno));
	}
	closedir(dir);
	rmdir(LINK_DIR);
}

void dp_unload_links(void)
{
	struct if_nameindex *interfaces = if_nameindex();

	dp_links_remove("");
	for (struct if_nameindex *each = interfaces; each && each->if_index; each++) {
		detach_clsact(&ingress_hook, (int)each->if_index);
		detach_clsact(&egress_hook, (int)each->if_index);
	}
	if (interfaces)
		if_freenameindex(interfaces);
}
