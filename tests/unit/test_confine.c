// SPDX-License-Identifier: Apache-2.0
/*
 * What a confined process can do and what ends it. Each case is a child process of its own: what is given up does not come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "daemon/confine.h"
#include "discover/known.h"

#define DONE 42

/* Runs `what` confined and returns its wait status; what it wrote to stderr is in `log`. */
static int confined(void (*what)(void), char *log, size_t log_max)
{
	int ends[2], status;
	size_t used = 0;
	ssize_t len;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct err err = ERR_NONE;
		const struct rlimit no_core = { 0, 0 };

		dup2(ends[1], STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &no_core);
		if (confine_process(&err) < 0) {
			dprintf(STDERR_FILENO, "%s\n", err.text);
			_exit(1);
		}
		what();
		_exit(DONE);
	}
	close(ends[1]);
	while ((len = read(ends[0], log + used, log_max - 1 - used)) > 0)
		used += (size_t)len;
	log[used] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* ---- what ends it ---------------------------------------------------------------------------- */

static void try_execve(void)
{
	char *const none[] = { NULL };

	execve("/bin/true", none, none);
}

static void try_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void try_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void try_mount(void)
{
	mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static void try_unshare(void)
{
	unshare(CLONE_NEWUSER);
}

static void try_packet(void)
{
	socket(AF_PACKET, SOCK_RAW, 0);
}

static void try_setuid(void)
{
	if (setuid(0) < 0)
		return;
}

static void try_capset(void)
{
	const struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { 0 };

	syscall(SYS_capset, &head, none);
}

static void try_module(void)
{
	syscall(SYS_init_module, NULL, 0, "");
}

static void try_dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void try_limits(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &none);
}

static void try_memory(void)
{
	syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0);
}

static void test_forbidden(void **state)
{
	static const struct {
		void (*what)(void);
		const char *name;
	} cases[] = {
		{ try_execve, "execve" },  { try_fork, "clone" },	{ try_ptrace, "ptrace" },
		{ try_mount, "mount" },	   { try_unshare, "unshare" },	{ try_packet, "socket" },
		{ try_setuid, "setuid" },  { try_capset, "capset" },	{ try_module, "init_module" },
		{ try_dumpable, "prctl" }, { try_limits, "prlimit64" }, { try_memory, "process_vm_writev" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char log[1024], begin[64];
		int status = confined(cases[i].what, log, sizeof(log));

		snprintf(begin, sizeof(begin), "holdfast: system call %s (", cases[i].name);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: wait status %x, log: %s", cases[i].name, (unsigned int)status, log);
		if (strncmp(log, begin, strlen(begin)) != 0 || strchr(log, '\n') != log + strlen(log) - 1)
			fail_msg("%s: the log says: %s", cases[i].name, log);
	}
}

/* ---- what it can do -------------------------------------------------------------------------- */

static char folder[64];

static void *resolve(void *arg)
{
	struct addrinfo *found = NULL;

	(void)arg;
	/* As libcurl does, in a thread of its own; whether there is such a host is no matter. */
	if (getaddrinfo("holdfast.invalid", "443", NULL, &found) == 0)
		freeaddrinfo(found);
	return NULL;
}

/* Threads, names, files and the store of known peers. */
static void work(void)
{
	static const uint8_t seed[16];
	const struct known_peer peer = { .addr = { .octet = { 0x20, 1 } }, .name = "b" };
	struct err err = ERR_NONE;
	struct known *known;
	char path[96];
	pthread_t thread;

	if (pthread_create(&thread, NULL, resolve, NULL) != 0 || pthread_join(thread, NULL) != 0)
		_exit(2);
	snprintf(path, sizeof(path), "%s/known.db", folder);
	if (known_open(&known, path, seed, 1000, &err) < 0 || known_problem(known))
		_exit(3);
	known_put(known, &peer, 1000);
	known_close(known);
	if (known_open(&known, path, seed, 1000, &err) < 0 || known_count(known) != 1)
		_exit(4);
	known_close(known);
}

static void test_work(void **state)
{
	char log[1024], command[128];
	int status;

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-confine-XXXXXX");
	assert_non_null(mkdtemp(folder));
	status = confined(work, log, sizeof(log));
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
		fail_msg("wait status %x, log: %s", (unsigned int)status, log);
	assert_string_equal(log, "");
}

/* The sets of /proc/self/status, in hexadecimal. */
static unsigned long long caps_of(const char *text, const char *set)
{
	const char *at = strstr(text, set);

	return at ? strtoull(at + strlen(set), NULL, 16) : ~0ull;
}

static void look_at_itself(void)
{
	const unsigned long long kept = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_BPF;
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		_exit(2);
	if ((caps_of(text, "CapPrm:") | caps_of(text, "CapEff:")) & ~kept)
		_exit(3);
	if (caps_of(text, "CapInh:") | caps_of(text, "CapAmb:"))
		_exit(4);
	if (geteuid() == 0 && caps_of(text, "CapBnd:") & ~kept)
		_exit(5);
	if (!strstr(text, "NoNewPrivs:\t1\n") || !strstr(text, "Seccomp:\t2\n"))
		_exit(6);
}

static void test_capabilities(void **state)
{
	char log[1024];
	int status = confined(look_at_itself, log, sizeof(log));

	(void)state;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
		fail_msg("wait status %x, log: %s", (unsigned int)status, log);
}

static void *spin(void *arg)
{
	(void)arg;
	for (;;)
		usleep(1000);
	return NULL;
}

static int filters_of(const char *task)
{
	char path[64], text[4096] = "";
	int fd, mode = -1;
	char *at;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -1;
	close(fd);
	at = strstr(text, "\nSeccomp:");
	if (at)
		sscanf(at, "\nSeccomp: %d", &mode);
	return mode;
}

/* A thread that was there before is confined as well. */
static void test_threads(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct err err = ERR_NONE;
		char other[16];
		pthread_t thread;

		if (pthread_create(&thread, NULL, spin, NULL) != 0 || confine_process(&err) < 0)
			_exit(1);
		/* Thread ids follow each other in a young process, but need not: the first that is there. */
		for (int i = 1; i < 64; i++) {
			snprintf(other, sizeof(other), "%d", getpid() + i);
			if (filters_of(other) >= 0)
				_exit(filters_of(other) == 2 ? DONE : 2);
		}
		_exit(3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_threads),
	};

#if defined(__SANITIZE_ADDRESS__)
	fputs("skip: the sanitizers make system calls of their own\n", stderr);
	return 77;
#endif
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
		fputs("skip: this kernel has no seccomp\n", stderr);
		return 77;
	}
	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
