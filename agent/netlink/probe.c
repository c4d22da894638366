// SPDX-License-Identifier: Apache-2.0
/*
 * What this kernel can do, found out by doing it: a child process makes a network namespace, installs one
 * SA of each kind in it and ends, and the namespace with everything in it goes with the child. Our own
 * namespace is never touched. A kernel module that is only loaded on demand is loaded by the attempt.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/own.h"
#include "netlink/nl.h"

/*
 * Milliseconds on any machine that has the modules loaded. The first attempt loads a dozen of them, which took
 * more than 20 s on an emulated, busy one; a child that takes longer than this hangs.
 */
#define PROBE_WAIT_MS 60000

struct finding {
	int rc; /* of the attempt as a whole */
	struct netlink_probe probe;
	struct err err;
};

static int try_state(struct netlink *nl, const char *src, const char *dst, enum sa_algorithm algorithm, bool esn,
		     bool encap)
{
	static uint32_t spi = 0x1000;
	struct sa sa = {
		.spi_be = htonl(spi++),
		.reqid = NETLINK_REQID_BASE,
		.mode = SA_MODE_TRANSPORT,
		.algorithm = algorithm,
		.esn = esn,
		.encap_sport_be = encap ? htons(4500) : 0,
		.encap_dport_be = encap ? htons(4500) : 0,
	};

	if (addr_parse(&sa.src, src, NULL) || addr_parse(&sa.dst, dst, NULL))
		return -EINVAL;
	return xfrm_state_try(nl, &sa);
}

/* ESP is there when any algorithm is accepted; a missing algorithm is found out before missing ESP is. */
static int try_esp(struct netlink *nl, const char *src, const char *dst)
{
	int rc = try_state(nl, src, dst, SA_AES_GCM_16_128, false, false);

	if (rc == -ENOSYS || rc == -ENOENT)
		rc = try_state(nl, src, dst, SA_CHACHA20_POLY1305, false, false);
	return rc;
}

static void try_all(struct finding *out)
{
	/* Documentation addresses (RFC 5737, RFC 3849): nothing is ever sent to them. */
	static const char a4[] = "192.0.2.1", b4[] = "192.0.2.2", a6[] = "2001:db8::1", b6[] = "2001:db8::2";
	struct netlink *nl;

	if (unshare(CLONE_NEWNET) < 0) {
		out->rc = err_set(&out->err, -errno,
				  "probe of the kernel's IPsec: no network namespace of its own: %s%s", strerror(errno),
				  errno == EPERM ? "; this needs CAP_SYS_ADMIN" : "");
		return;
	}
	out->probe.xfrm = netlink_open(&nl, NULL, NULL, &out->err);
	if (out->probe.xfrm == -EPERM)
		out->rc = -EPERM;
	if (out->probe.xfrm) {
		out->probe.esp4 = out->probe.esp6 = out->probe.aes_gcm = out->probe.chacha20 = out->probe.xfrm;
		out->probe.esn = out->probe.udp_encap = out->probe.xfrm;
		return;
	}
	/* IPv6 may be a module, and opening a socket is what loads it; an SA alone does not. */
	OWN_FD int v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)v6;
	out->probe.esp4 = try_esp(nl, a4, b4);
	out->probe.esp6 = try_esp(nl, a6, b6);
	out->probe.aes_gcm = try_state(nl, a4, b4, SA_AES_GCM_16_256, false, false);
	out->probe.chacha20 = try_state(nl, a4, b4, SA_CHACHA20_POLY1305, false, false);
	out->probe.esn = try_state(nl, a4, b4, SA_AES_GCM_16_128, true, false);
	out->probe.udp_encap = try_state(nl, a4, b4, SA_AES_GCM_16_128, false, true);
	netlink_close(nl);
}

_Noreturn static void run_child(int out)
{
	struct finding finding = { 0 };

	try_all(&finding);
	_exit(write(out, &finding, sizeof(finding)) == sizeof(finding) ? 0 : 1);
}

/* The finding is smaller than PIPE_BUF, so it arrives whole or not at all. */
static int read_finding(struct finding *out, int in)
{
	struct pollfd ready = { .fd = in, .events = POLLIN };
	int rc;

	do
		rc = poll(&ready, 1, PROBE_WAIT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc <= 0)
		return rc < 0 ? -errno : -ETIMEDOUT;
	return read(in, out, sizeof(*out)) == sizeof(*out) ? 0 : -EPIPE;
}

_Static_assert(sizeof(struct finding) <= 4096, "a finding must fit one atomic write to a pipe");

int netlink_probe(struct netlink_probe *out, struct err *err)
{
	int ends[2], rc;
	struct finding finding;
	struct utsname uts;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "probe of the kernel's IPsec: no pipe: %s", strerror(errno));
	OWN_FD int in = ends[0];
	OWN_FD int child_end = ends[1];

	child = fork();
	if (child < 0)
		return err_set(err, -errno, "probe of the kernel's IPsec: no child process: %s", strerror(errno));
	if (child == 0)
		run_child(child_end);
	close(TAKE_FD(child_end));
	rc = read_finding(&finding, in);
	if (rc) {
		/* What hangs in the kernel does not die of this either, so it is not waited for. */
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, WNOHANG);
		return err_set(err, rc, "probe of the kernel's IPsec: the child process gave no answer: %s",
			       strerror(-rc));
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (finding.rc)
		return err_set(err, finding.rc, "%s", finding.err.text);
	*out = finding.probe;
	if (uname(&uts) == 0)
		snprintf(out->release, sizeof(out->release), "%s", uts.release);
	return 0;
}
