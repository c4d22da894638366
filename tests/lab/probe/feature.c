// SPDX-License-Identifier: Apache-2.0
/*
 * `feature`: ask the running kernel for a feature of BPF or XFRM by using it, with bare system calls: a lab
 * must not believe what a library or a version number says. Exit 0: there, 1: not there (and why).
 */
#include "probe.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers do not name them yet. */
#define BPF_TCX_EGRESS_ 47 /* Linux 6.6 */
#define XFRMA_SA_PCPU_ 35  /* Linux 6.13 */

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

/* The first attribute of that type in what the kernel answers about a state. */
static int has_attribute(const char *answer, size_t len, uint16_t type)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct xfrm_usersa_info));

	while (at + sizeof(struct nlattr) <= len) {
		const struct nlattr *attr = (const void *)(answer + at);

		if (attr->nla_type == type)
			return 1;
		at += attr->nla_len < sizeof(*attr) ? len : NLA_ALIGN(attr->nla_len);
	}
	return 0;
}

/* An SPI reserved for processor 0, in a namespace that ends with us. A kernel that does not know processors answers without the attribute. */
static int has_sa_processor(void)
{
	struct {
		struct nlmsghdr header;
		struct xfrm_userspi_info wish;
		struct nlattr attr;
		uint32_t processor;
	} ask;
	static _Alignas(8) char answer[8192];
	int fd;
	ssize_t len;

	if (unshare(CLONE_NEWNET))
		return -1;
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
	memset(&ask, 0, sizeof(ask));
	ask.header.nlmsg_len = sizeof(ask);
	ask.header.nlmsg_type = XFRM_MSG_ALLOCSPI;
	ask.header.nlmsg_flags = NLM_F_REQUEST;
	ask.wish.info.family = AF_INET;
	ask.wish.info.id.proto = IPPROTO_ESP;
	ask.wish.info.id.daddr.a4 = htonl(0xc0000202); /* 192.0.2.2 */
	ask.wish.info.saddr.a4 = htonl(0xc0000201);
	ask.wish.min = 0x1000;
	ask.wish.max = 0x1fff;
	ask.attr.nla_type = XFRMA_SA_PCPU_;
	ask.attr.nla_len = sizeof(ask.attr) + sizeof(ask.processor);
	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0)
		return -1;
	len = recv(fd, answer, sizeof(answer), 0);
	if (len > 0 && ((struct nlmsghdr *)answer)->nlmsg_type == XFRM_MSG_NEWSA &&
	    has_attribute(answer, (size_t)len, XFRMA_SA_PCPU_))
		return 0;
	errno = EOPNOTSUPP;
	return -1;
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
	else if (!strcmp(name, "sa_processor"))
		r = has_sa_processor();
	else {
		fprintf(stderr, "usage: hfprobe feature bpf_tc|ringbuf|tcx|jit|sa_processor\n");
		return 2;
	}
	if (r < 0)
		printf("%s\n", strerror(errno));
	return r < 0;
}
