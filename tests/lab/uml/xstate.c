// SPDX-License-Identifier: Apache-2.0
//
// Lets Debian's user-mode Linux 6.1 run on processors with AMX. It keeps 2,696 octets of floating-point registers for each of its
// processes, which is all that there was up to AVX-512 and PKRU, and gives them back with PTRACE_SETREGSET. Linux accepts
// only the whole area of the processor (11,008 octets with AMX; xstateregs_set() in arch/x86/kernel/fpu/regset.c) and says EFAULT to less:
// user-mode Linux then dies with "ptrace set fp regs failed, errno = 14" before its first process runs.
//
// Preloaded, this gives the kernel the whole area. What user-mode Linux does not know of is zero, and the header (XSTATE_BV) says that it
// is not in use: nobody asked the kernel for AMX (ARCH_REQ_XCOMP_PERM), so nobody has any state in it.
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { AREA_MAX = 65536 };

// Length of the processor's area, as PTRACE_GETREGSET tells it; 0: not asked for yet.
static size_t area_len;

// The answer to PTRACE_SETREGSET of a shorter area than the processor's.
static long set_whole_area(pid_t pid, const struct iovec *have)
{
	static char area[AREA_MAX];
	struct iovec whole = { area, sizeof(area) };

	if (!area_len) {
		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole))
			return -1;
		area_len = whole.iov_len;
	}
	if (have->iov_len >= area_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(area, have->iov_base, have->iov_len);
	memset(area + have->iov_len, 0, area_len - have->iov_len);
	whole.iov_len = area_len;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

// ptrace(2) in front of glibc's, with its way to return what PTRACE_PEEK* read.
long ptrace(enum __ptrace_request request, ...)
{
	va_list more;
	long word, rc;

	va_start(more, request);
	pid_t pid = va_arg(more, pid_t);
	void *addr = va_arg(more, void *);
	void *data = va_arg(more, void *);
	va_end(more);

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		rc = syscall(SYS_ptrace, request, pid, addr, &word);
		if (rc < 0)
			return rc;
		errno = 0;
		return word;
	case PTRACE_SETREGSET:
		if ((long)addr != NT_X86_XSTATE)
			break;
		if (area_len)
			return set_whole_area(pid, data);
		rc = syscall(SYS_ptrace, request, pid, addr, data);
		return rc < 0 && errno == EFAULT ? set_whole_area(pid, data) : rc;
	default:
		break;
	}
	return syscall(SYS_ptrace, request, pid, addr, data);
}
