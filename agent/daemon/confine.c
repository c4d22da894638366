// SPDX-License-Identifier: Apache-2.0
/*
 * See confine.h. The list of system calls is by what they are for; a library that begins to use another one is noticed by the
 * scenarios, all of which run confined.
 */
#include "daemon/confine.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/*
 * NET_ADMIN: SAs, policies, attaching, marks. NET_RAW: re-injection. BPF: maps, where unprivileged users have no bpf(2). dist/holdfast.service
 * has two more: PERFMON for loading the programs, NET_BIND_SERVICE for port 500; both are needed at start only.
 */
#define AGENT (1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_BPF)

/* SYS_ADMIN: programs and types of others by their number. PERFMON: loading what takes the place of a function. */
#define PORTER (1ull << CAP_NET_ADMIN | 1ull << CAP_BPF | 1ull << CAP_PERFMON | 1ull << CAP_SYS_ADMIN)

/* ---- capabilities ---------------------------------------------------------------------------- */

static bool is_kept(unsigned long long kept, cap_value_t cap)
{
	return kept >> cap & 1;
}

static void free_caps(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

static int drop_capabilities(unsigned long long kept, struct err *err)
{
	__attribute__((cleanup(free_caps))) cap_t now = cap_get_proc();
	__attribute__((cleanup(free_caps))) cap_t caps = cap_init();

	if (!now || !caps)
		return err_set(err, -ENOMEM, "no memory for a set of capabilities");
	/* Without CAP_SETPCAP they stay in the bounding set, where only execve could find them: no_new_privs is for that. */
	for (cap_value_t cap = 0; CAP_IS_SUPPORTED(cap); cap++)
		if (!is_kept(kept, cap) && cap_drop_bound(cap) < 0 && errno != EPERM)
			return err_set(err, -errno, "capability %d cannot be given up: %s", cap, strerror(errno));
	for (cap_value_t cap = 0; CAP_IS_SUPPORTED(cap); cap++) {
		cap_flag_value_t has = CAP_CLEAR;

		cap_get_flag(now, cap, CAP_PERMITTED, &has);
		if (has == CAP_SET && is_kept(kept, cap) &&
		    (cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		     cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0))
			return err_set(err, -errno, "capability %d cannot be kept: %s", cap, strerror(errno));
	}
	if (cap_reset_ambient() < 0 || cap_set_proc(caps) < 0)
		return err_set(err, -errno, "capabilities cannot be given up: %s", strerror(errno));
	return 0;
}

/* ---- system calls ---------------------------------------------------------------------------- */

static const char *const allowed[] = {
	/* memory */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	/* files: configuration, directory, store, logs; fchown is SQLite's */
	"open",
	"openat",
	"read",
	"pread64",
	"readv",
	"write",
	"pwrite64",
	"writev",
	"close",
	"lseek",
	"fstat",
	"stat",
	"lstat",
	"newfstatat",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"fcntl",
	"flock",
	"ftruncate",
	"fsync",
	"fdatasync",
	"fallocate",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"mkdir",
	"mkdirat",
	"rmdir",
	"getdents64",
	"umask",
	"chmod",
	"fchmod",
	"fchmodat",
	"fchown",
	"readlink",
	"readlinkat",
	"getcwd",
	"ioctl",
	"dup",
	"dup2",
	"dup3",
	/* peers, netlink, the operator, resolvers; socket() itself is below */
	"socketpair",
	"bind",
	"connect",
	"listen",
	"accept",
	"accept4",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"shutdown",
	/* the loop */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"eventfd2",
	"pipe2",
	"timerfd_create",
	"timerfd_settime",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	/* time, chance, who am I */
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"nanosleep",
	"clock_nanosleep",
	"getrandom",
	"getpid",
	"gettid",
	"getppid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"uname",
	"sysinfo",
	"getrusage",
	"sched_getaffinity",
	"sched_yield",
	/* signals and threads: libcurl resolves names in one of its own */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"tgkill",
	"restart_syscall",
	"futex",
	"set_robust_list",
	"rseq",
	"exit",
	"exit_group",
	/* the gate */
	"bpf",
};

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

/* Calls that are for us in one form only. Flags of clone are the first argument on all architectures that we promise. */
static int allow_forms(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && error == 0; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* Its flags are in memory, where a filter cannot look: the C library then takes clone. */
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
					 SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	/* Asking for limits, not setting them. */
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	return error;
}

/* Names of system calls by number, written down at start: a signal handler may not ask a library for them. */
#define NAMES_MAX 512
#define NAME_MAX_ 24
static char names[NAMES_MAX][NAME_MAX_];

static void write_names(void)
{
	for (int number = 0; number < NAMES_MAX; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		snprintf(names[number], NAME_MAX_, "%s", name ? name : "?");
		free(name);
	}
}

/* Says what happened, and lets the signal do what it does when nobody catches it. */
static void on_forbidden(int signal_number, siginfo_t *info, void *context)
{
	int number = info->si_syscall;
	sigset_t set;

	(void)context;
	log_error("system call %s (%d) is none that a running agent needs, so that a fault or an attack made it: this "
		  "process ends, the gate stays; if you know better, set sandbox = off in [agent]",
		  number >= 0 && number < NAMES_MAX ? names[number] : "?", number);
	signal(signal_number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(signal_number);
	_exit(128 + signal_number);
}

static int catch_forbidden(void)
{
	struct sigaction action = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO };

	write_names();
	return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}

static void release_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int filter_calls(struct err *err)
{
	__attribute__((cleanup(release_filter))) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int error = filter ? catch_forbidden() : -ENOMEM;

	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && error == 0; i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);

		/* Some exist on one architecture only, or are younger than the library. */
		if (number != __NR_SCMP_ERROR)
			error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	if (error == 0)
		error = allow_forms(filter);
	return error == 0 ? seccomp_load(filter)
			  : err_set(err, error, "the list of system calls: %s", strerror(-error));
}

static int confine(unsigned long long kept, struct err *err)
{
	int error = drop_capabilities(kept, err);

	if (error < 0)
		return error;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "no_new_privs cannot be set: %s", strerror(errno));
#if defined(__SANITIZE_ADDRESS__)
	/* A build for tests: the sanitizers make system calls of their own, some at the very end. */
	return 0;
#endif
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
		log_warn("this kernel has no seccomp: system calls are not confined");
		return 0;
	}
	error = filter_calls(err);
	if (error == 0 || err->text[0])
		return error;
	return err_set(err, error, "system calls cannot be confined (%s): set sandbox = off in [agent] to run without",
		       strerror(-error));
}

int confine_process(struct err *err)
{
	return confine(AGENT, err);
}

int confine_porter(struct err *err)
{
	return confine(PORTER, err);
}
