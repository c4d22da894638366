// SPDX-License-Identifier: Apache-2.0
/*
 * `feature`: ask the running kernel for a BPF feature by using it, with bare system calls: a lab
 * must not believe what a library or a version number says. Exit 0: there, 1: not there (and why).
 */
#include "probe.h"

#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BPF_TCX_EGRESS_ 47 /* Linux 6.6; Debian 12's headers do not name it yet */

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load_classifier(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static int has_ringbuf(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_RINGBUF;
	attr.max_entries = 4096;
	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static int has_tcx(void)
{
	union bpf_attr attr;
	int prog = load_classifier();

	if (prog < 0 || unshare(CLONE_NEWNET))
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_fd = if_nametoindex("lo");
	attr.link_create.attach_type = BPF_TCX_EGRESS_;
	return sys_bpf(BPF_LINK_CREATE, &attr);
}

static int has_jit(void)
{
	struct bpf_prog_info info = { .type = 0 };
	union bpf_attr attr;
	int prog = load_classifier();

	if (prog < 0)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)prog;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		return -1;
	errno = ENOSYS;
	return info.jited_prog_len ? 0 : -1;
}

int feature_main(int argc, char **argv)
{
	const char *name = argc == 2 ? argv[1] : "";
	int r;

	if (!strcmp(name, "bpf_tc"))
		r = load_classifier();
	else if (!strcmp(name, "ringbuf"))
		r = has_ringbuf();
	else if (!strcmp(name, "tcx"))
		r = has_tcx();
	else if (!strcmp(name, "jit"))
		r = has_jit();
	else {
		fprintf(stderr, "usage: hfprobe feature bpf_tc|ringbuf|tcx|jit\n");
		return 2;
	}
	if (r < 0)
		printf("%s\n", strerror(errno));
	return r < 0;
}
