// SPDX-License-Identifier: Apache-2.0
/*
 * `hold`: be one lab host. Own network and mount namespace with everything that would otherwise be
 * shared or written to the machine: /run, /etc/holdfast, the BPF file system, sysfs of this network.
 * Writes READY-FILE when all is there, then waits to be killed; dies with the scenario.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void must_mount(const char *type, const char *at, const char *data)
{
	if (mount(type, at, type, MS_NOSUID, data))
		die(at);
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

/* No router advertisements, no duplicate address detection: an address is usable at once, and the
 * wire carries only what the scenario asked for. */
static void settings(void)
{
	static const char *const zero[] = {
		"/proc/sys/net/ipv6/conf/all/accept_dad",
		"/proc/sys/net/ipv6/conf/default/accept_dad",
		"/proc/sys/net/ipv6/conf/all/accept_ra",
		"/proc/sys/net/ipv6/conf/default/accept_ra",
		"/proc/sys/net/ipv6/conf/default/router_solicitations",
	};

	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		write_setting(zero[i], "0");
}

static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r))
		die("lo up");
	close(fd);
}

int hold_main(int argc, char **argv)
{
	int fd;

	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "no-ipv6"))) {
		fprintf(stderr, "usage: hfprobe hold READY-FILE [no-ipv6]\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A process id in `ip ... netns PID` and in nsenter names this host. */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		die("unshare");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("private mounts");
	mkdir("/etc/holdfast", 0755);
	must_mount("tmpfs", "/etc/holdfast", "mode=755");
	must_mount("tmpfs", "/run", "mode=755");
	mkdir("/run/lock", 0755);
	/* sysfs shows the devices of the network namespace that mounts it. */
	must_mount("sysfs", "/sys", NULL);
	must_mount("bpf", "/sys/fs/bpf", "mode=700");
	(void)mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID, NULL);
	(void)mount("debugfs", "/sys/kernel/debug", "debugfs", MS_NOSUID, NULL);
	settings();
	/* A switch forwards IPv6 without speaking it. */
	if (argc == 3) {
		write_setting("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
		write_setting("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	}
	loopback_up();

	fd = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		die(argv[1]);
	close(fd);
	for (;;)
		pause();
}
