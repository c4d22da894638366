// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel probes, see probe.h. The programs are a few instructions written by hand, so that a probe says something about
 * the kernel and nothing about our compiler.
 */
#include "dataplane/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "dataplane/dispatcher.h"
#include "holdfast/abi.h"

#define ATTACH_TCX_EGRESS 47 /* BPF_TCX_EGRESS of Linux 6.6, which older headers do not know */
#define LOOPBACK_IFINDEX 1   /* in every network namespace */
#define LICENSE_TEXT "GPL"   /* some helpers are only for such programs */

/* ---- maps ------------------------------------------------------------------------------------ */

static int try_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t max, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	OWN_FD int fd = bpf_map_create(type, "hf_probe", key, value, max, &opts);

	return fd < 0 ? fd : 0;
}

static int try_mmap(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	OWN_FD int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hf_probe", sizeof(uint32_t), (uint32_t)size, 1, &opts);
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, size);
	return 0;
}

static void try_maps(struct dataplane_probe *out)
{
	out->bpf = try_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(uint32_t), 1, 0);
	out->mmap = try_mmap();
	out->lpm_trie =
		try_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct hf_prefix), sizeof(struct hf_rule), 1, BPF_F_NO_PREALLOC);
	out->ring = try_map(BPF_MAP_TYPE_RINGBUF, 0, 0, (uint32_t)sysconf(_SC_PAGESIZE), 0);
}

/* ---- programs -------------------------------------------------------------------------------- */

#define MOVE_VALUE(to, value)                                                        \
	{                                                                            \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value) \
	}
#define MOVE(to, from)                                                                  \
	{                                                                               \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from) \
	}
#define ADD_VALUE(to, value)                                                         \
	{                                                                            \
		.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (to), .imm = (value) \
	}
#define STORE_ZERO(offset)                                                                \
	{                                                                                 \
		.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = (offset) \
	}
#define CALL(helper)                                        \
	{                                                   \
		.code = BPF_JMP | BPF_CALL, .imm = (helper) \
	}
#define CALL_KERNEL(btf_id)                                                                   \
	{                                                                                     \
		.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = (btf_id) \
	}
#define SKIP_IF_ZERO(reg, n)                                                    \
	{                                                                       \
		.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = (reg), .off = (n) \
	}
#define EXIT                               \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

/* The descriptor of the loaded program, or -errno. */
static int load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t size)
{
	return bpf_prog_load(type, "hf_probe", LICENSE_TEXT, insns, size / sizeof(*insns), NULL);
}

static int load_return(enum bpf_prog_type type, int value)
{
	const struct bpf_insn insns[] = { MOVE_VALUE(BPF_REG_0, value), EXIT };

	return load(type, insns, sizeof(insns));
}

static int try_load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t size)
{
	OWN_FD int fd = load(type, insns, size);

	return fd < 0 ? fd : 0;
}

static int try_jit(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len) < 0)
		return -errno;
	return info.jited_prog_len ? 0 : -EOPNOTSUPP;
}

/* bpf_skb_get_xfrm_state(skb, 0, &state, 28, 0) */
static int try_skb_xfrm_state(void)
{
	const struct bpf_insn insns[] = {
		STORE_ZERO(-32),	   STORE_ZERO(-24),
		STORE_ZERO(-16),	   STORE_ZERO(-8),
		MOVE_VALUE(BPF_REG_2, 0),  MOVE(BPF_REG_3, BPF_REG_10),
		ADD_VALUE(BPF_REG_3, -32), MOVE_VALUE(BPF_REG_4, 28),
		MOVE_VALUE(BPF_REG_5, 0),  CALL(BPF_FUNC_skb_get_xfrm_state),
		MOVE_VALUE(BPF_REG_0, 0),  EXIT,
	};

	return try_load(BPF_PROG_TYPE_SCHED_CLS, insns, sizeof(insns));
}

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

/*
 * state = bpf_xdp_get_xfrm_state(ctx, &opts, sizeof(opts)); if (state) bpf_xdp_xfrm_state_release(state). A function of
 * the kernel is called by the number it has in this kernel's types.
 */
static int try_xdp_xfrm_state(void)
{
	OWN(free_btf) struct btf *btf = btf__load_vmlinux_btf();
	int get, put, opts;

	if (!btf)
		return -errno;
	get = btf__find_by_name_kind(btf, "bpf_xdp_get_xfrm_state", BTF_KIND_FUNC);
	put = btf__find_by_name_kind(btf, "bpf_xdp_xfrm_state_release", BTF_KIND_FUNC);
	opts = btf__find_by_name_kind(btf, "bpf_xfrm_state_opts", BTF_KIND_STRUCT);
	if (get < 0 || put < 0 || opts < 0 || btf__resolve_size(btf, (uint32_t)opts) > 48)
		return -EOPNOTSUPP;

	const struct bpf_insn insns[] = {
		STORE_ZERO(-48),
		STORE_ZERO(-40),
		STORE_ZERO(-32),
		STORE_ZERO(-24),
		STORE_ZERO(-16),
		STORE_ZERO(-8),
		MOVE(BPF_REG_2, BPF_REG_10),
		ADD_VALUE(BPF_REG_2, -48),
		MOVE_VALUE(BPF_REG_3, (int)btf__resolve_size(btf, (uint32_t)opts)),
		CALL_KERNEL(get),
		SKIP_IF_ZERO(BPF_REG_0, 2),
		MOVE(BPF_REG_1, BPF_REG_0),
		CALL_KERNEL(put),
		MOVE_VALUE(BPF_REG_0, XDP_PASS),
		EXIT,
	};

	return try_load(BPF_PROG_TYPE_XDP, insns, sizeof(insns));
}

/* ---- attaching ------------------------------------------------------------------------------- */

static int try_tcx(int prog_fd)
{
	OWN_FD int fd = bpf_link_create(prog_fd, LOOPBACK_IFINDEX, ATTACH_TCX_EGRESS, NULL);

	return fd < 0 ? fd : 0;
}

static int try_clsact(int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LOOPBACK_IFINDEX, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = 1, .priority = 1);
	int rc = bpf_tc_hook_create(&hook);

	if (rc < 0)
		return rc;
	hook.attach_point = BPF_TC_EGRESS;
	return bpf_tc_attach(&hook, &opts);
}

static void try_programs(struct dataplane_probe *out)
{
	OWN_FD int classifier = load_return(BPF_PROG_TYPE_SCHED_CLS, 0);
	OWN_FD int xdp = load_return(BPF_PROG_TYPE_XDP, XDP_PASS);

	out->sched_cls = classifier < 0 ? classifier : 0;
	out->xdp = xdp < 0 ? xdp : 0;
	out->dispatcher = dispatcher_probe();
	out->skb_xfrm_state = try_skb_xfrm_state();
	out->xdp_xfrm_state = try_xdp_xfrm_state();
	out->netns = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
	out->jit = out->tcx = out->clsact = out->sched_cls;
	if (classifier < 0)
		return;
	out->jit = try_jit(classifier);
	out->tcx = out->netns < 0 ? out->netns : try_tcx(classifier);
	out->clsact = out->netns < 0 ? out->netns : try_clsact(classifier);
}

/* ---- what needs no trying -------------------------------------------------------------------- */

static bool has_capability(cap_value_t capability)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();
	bool has = caps && cap_get_flag(caps, capability, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;

	cap_free(caps);
	return has;
}

static int try_path(const char *path)
{
	return access(path, R_OK) < 0 ? -errno : 0;
}

static int try_bpffs(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) < 0)
		return -errno;
	return fs.f_type == BPF_FS_MAGIC ? 0 : -ENODEV;
}

static void look_around(struct dataplane_probe *out)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) == 0)
		snprintf(out->release, sizeof(out->release), "%s", name.release);
	sscanf(out->release, "%u.%u", &major, &minor);
	out->release_ok = major > 6 || (major == 6 && minor >= 1);
	out->cap_sys_admin = has_capability(CAP_SYS_ADMIN);
	out->cap_bpf = out->cap_sys_admin || has_capability(CAP_BPF);
	out->cap_net_admin = has_capability(CAP_NET_ADMIN);
	out->bpffs = try_bpffs();
	out->pinned = try_path(HF_PIN_DIR);
	out->btf = try_path("/sys/kernel/btf/vmlinux");
}

/* ---- the child ------------------------------------------------------------------------------- */

static int stay_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* Runs in the child: its probes go back through the pipe whole, or not at all. */
static void probe_and_exit(int fd)
{
	struct dataplane_probe probe = { 0 };

	libbpf_set_print(stay_quiet);
	look_around(&probe);
	try_maps(&probe);
	try_programs(&probe);
	_exit(write(fd, &probe, sizeof(probe)) == sizeof(probe) ? 0 : 1);
}

int dataplane_probe(struct dataplane_probe *out, struct err *err)
{
	struct dataplane_probe probe;
	int ends[2], status;
	ssize_t len;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot try what the kernel offers: pipe: %s", strerror(errno));
	child = fork();
	if (child == 0)
		probe_and_exit(ends[1]);
	close(ends[1]);
	OWN_FD int fd = ends[0];
	if (child < 0)
		return err_set(err, -errno, "cannot try what the kernel offers: fork: %s", strerror(errno));
	len = read(fd, &probe, sizeof(probe));
	waitpid(child, &status, 0);
	if (len != sizeof(probe))
		return err_set(err, -ECHILD, "cannot try what the kernel offers: the child that tried ended early");
	*out = probe;
	return 0;
}
