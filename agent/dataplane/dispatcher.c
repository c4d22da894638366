// SPDX-License-Identifier: Apache-2.0
/*
 * See dispatcher.h. libxdp replaces a dispatcher as a whole, so a packet finds the old set of programs or the new one. While an
 * agent takes over from an earlier one, both shields are in it for an instant, and a request counts twice.
 */
#include "dataplane/dispatcher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xdp/libxdp.h>
#include <xdp/prog_dispatcher.h>

#include "base/log.h"
#include "base/own.h"
#include "dataplane/dp.h"
#include "shield.skel.h"

#define OBJECT "xdp-dispatcher.o" /* libxdp knows where it lies */
#define PIN_DIR "/sys/fs/bpf/xdp" /* libxdp's */
#define PATH_LEN (sizeof(PIN_DIR) + 2 * NAME_MAX)

/* Before those that count (50, when nothing is said) and those that filter (xdp-filter: 10): what is answered here, they need not see. */
#define RUN_PRIORITY 5

static void close_program(struct xdp_program **prog)
{
	xdp_program__close(*prog); /* NULL and errors, too */
}

static void close_multiprog(struct xdp_multiprog **multi)
{
	xdp_multiprog__close(*multi);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* What libxdp says is for who looks for a fault: what follows from it, the caller says. */
static int tell_debug(enum libxdp_print_level level, const char *format, va_list args)
{
	char line[256];
	size_t len;

	if (level == LIBXDP_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	len = strcspn(line, "\n");
	log_debug("%.*s", (int)len, line);
	return 0;
}

/* ---- can there be one ------------------------------------------------------------------------ */

/* libxdp's own program that lets everything pass; its object has the dispatcher, too, which is not wanted. */
static struct xdp_program *open_pass(struct bpf_program **out)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .find_filename = OBJECT, .prog_name = "xdp_pass");
	struct xdp_program *prog = xdp_program__create(&options);
	struct bpf_program *each;

	if (libxdp_get_error(prog))
		return NULL;
	bpf_object__for_each_program(each, xdp_program__bpf_obj(prog))
		bpf_program__set_autoload(each, strcmp(bpf_program__name(each), "xdp_pass") == 0);
	*out = bpf_object__find_program_by_name(xdp_program__bpf_obj(prog), "xdp_pass");
	return prog;
}

int dispatcher_probe(void)
{
	struct bpf_program *replaced = NULL, *replacing = NULL;
	OWN(close_program) struct xdp_program *below = NULL;
	OWN(close_program) struct xdp_program *above = NULL;
	OWN_FD int link = -1;
	int error;

	libxdp_set_print(tell_debug);
	below = open_pass(&replaced);
	above = open_pass(&replacing);
	if (!replaced || !replacing)
		return -ENOENT;
	error = bpf_object__load(xdp_program__bpf_obj(below));
	if (error == 0)
		error = bpf_program__set_attach_target(replacing, bpf_program__fd(replaced), "xdp_pass");
	if (error < 0)
		return error;
	bpf_program__set_type(replacing, BPF_PROG_TYPE_EXT);
	bpf_program__set_expected_attach_type(replacing, 0);
	error = bpf_object__load(xdp_program__bpf_obj(above));
	if (error < 0)
		return error;
	link = bpf_raw_tracepoint_open(NULL, bpf_program__fd(replacing));
	return link < 0 ? -errno : 0;
}

const char *dispatcher_explain(int error)
{
	if (error == -ENOENT)
		return "libxdp lacks its " OBJECT;
	if (error == -EPERM)
		return "not allowed: CAP_SYS_ADMIN and CAP_PERFMON are needed, and a kernel that lets programs be replaced";
	return "this kernel cannot replace parts of programs, for which it needs BTF and the JIT";
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool is_shield(int prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog, &info, &len) == 0 && strcmp(info.name, DP_SHIELD_GUEST) == 0;
}

static bool look_into(const char *name, struct dispatcher_place *out)
{
	struct dispatcher_place place = { 0 };
	char path[PATH_LEN];
	unsigned int i;

	for (i = 0; i < MAX_DISPATCHER_ACTIONS; i++) {
		OWN_FD int prog = -1;

		snprintf(path, sizeof(path), PIN_DIR "/%s/prog%u-prog", name, i);
		prog = bpf_obj_get(path);
		if (prog < 0)
			break;
		if (is_shield(prog))
			place.ours = true;
		else
			place.others++;
	}
	*out = place;
	return i > 0;
}

/* The program that the interface has, 0 = none. */
static uint32_t attached_id(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query) < 0)
		return 0;
	return query.attach_mode == XDP_ATTACHED_SKB ? query.skb_prog_id : query.drv_prog_id;
}

bool dispatcher_look(int ifindex, struct dispatcher_place *out)
{
	char name[64];

	snprintf(name, sizeof(name), "dispatch-%d-%u", ifindex, attached_id(ifindex));
	return look_into(name, out);
}

/* ---- putting it in --------------------------------------------------------------------------- */

/* Loaded at the first interface, as libxdp wants it: as what may take the place of a function of another program. */
static struct shield_bpf *skeleton;
static struct xdp_program *shield;

static void forget_shield(void)
{
	xdp_program__close(shield);
	shield_bpf__destroy(skeleton);
	shield = NULL;
	skeleton = NULL;
}

static int open_shield(void)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .prog_name = DP_SHIELD_GUEST);
	int error;

	if (shield)
		return 0;
	skeleton = shield_bpf__open();
	if (!skeleton)
		return -errno;
	error = dp_shield_as_guest(skeleton->obj);
	options.obj = skeleton->obj;
	if (error == 0)
		shield = xdp_program__create(&options);
	if (error == 0)
		error = (int)libxdp_get_error(shield);
	if (error < 0) {
		shield = NULL;
		forget_shield();
		return error;
	}
	xdp_program__set_run_prio(shield, RUN_PRIORITY);
	xdp_program__set_xdp_frags_support(shield, true);
	return 0;
}

/* The shields in the dispatcher, other than `but`. */
static size_t find_shields(const struct xdp_multiprog *multi, uint32_t but,
			   struct xdp_program *out[MAX_DISPATCHER_ACTIONS])
{
	struct xdp_program *each = NULL;
	size_t count = 0;

	while ((each = xdp_multiprog__next_prog(each, multi)) && count < MAX_DISPATCHER_ACTIONS)
		if (strcmp(xdp_program__name(each), DP_SHIELD_GUEST) == 0 && xdp_program__id(each) != but)
			out[count++] = each;
	return count;
}

static struct xdp_multiprog *find_multiprog(int ifindex)
{
	struct xdp_multiprog *multi = attached_id(ifindex) ? xdp_multiprog__get_from_ifindex(ifindex) : NULL;

	return libxdp_get_error(multi) ? NULL : multi;
}

/* Takes out all shields but one. */
static int take_out(int ifindex, uint32_t but)
{
	OWN(close_multiprog) struct xdp_multiprog *multi = find_multiprog(ifindex);
	struct xdp_program *found[MAX_DISPATCHER_ACTIONS];
	size_t count = find_shields(multi, but, found);

	return count ? xdp_program__detach_multi(found, count, ifindex, xdp_multiprog__attach_mode(multi), 0) : 0;
}

static int put_in(int ifindex, enum xdp_attach_mode mode)
{
	OWN(close_multiprog) struct xdp_multiprog *multi = NULL;
	int error = open_shield();

	if (error == 0)
		error = xdp_program__attach(shield, ifindex, mode, 0);
	if (error < 0) {
		forget_shield(); /* an object that was refused once is of no more use */
		return error;
	}
	/* Where libxdp finds no dispatcher possible, it puts the program there alone. Then a link of its own is better: nobody displaces that. */
	multi = find_multiprog(ifindex);
	if (multi && !xdp_multiprog__is_legacy(multi))
		return 0;
	xdp_program__detach(shield, ifindex, mode, 0);
	forget_shield();
	return -EOPNOTSUPP;
}

static int put_where_none_is(int ifindex, bool native)
{
	int error = native ? put_in(ifindex, XDP_MODE_NATIVE) : -EOPNOTSUPP;

	return error < 0 && error != -EBUSY ? put_in(ifindex, XDP_MODE_SKB) : error;
}

int dispatcher_attach(int ifindex, bool native)
{
	OWN(close_multiprog) struct xdp_multiprog *multi = find_multiprog(ifindex);
	struct xdp_program *found[MAX_DISPATCHER_ACTIONS];
	enum xdp_attach_mode mode = xdp_multiprog__attach_mode(multi);
	int error;

	if (!multi)
		return put_where_none_is(ifindex, native);
	if (xdp_multiprog__is_legacy(multi))
		return -EBUSY;
	if (mode == XDP_MODE_NATIVE && !native)
		return -EXDEV;
	if (!shield || find_shields(multi, 0, found) == find_shields(multi, xdp_program__id(shield), found)) {
		error = put_in(ifindex, mode);
		if (error < 0)
			return error;
	}
	return take_out(ifindex, xdp_program__id(shield));
}

/* ---- taking it out --------------------------------------------------------------------------- */

static void remove_pins(const char *name)
{
	char path[PATH_LEN];
	OWN(close_dir) DIR *dir = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), PIN_DIR "/%s", name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char pin[PATH_LEN];

		if (snprintf(pin, sizeof(pin), PIN_DIR "/%s/%s", name, entry->d_name) < (int)sizeof(pin) &&
		    entry->d_name[0] != '.')
			unlink(pin);
	}
	rmdir(path);
}

/* Pins outlive an interface that is deleted, and keep the programs loaded. Only what the shield was part of is ours to remove. */
static int remove_one(const char *name, int ifindex, bool gone)
{
	struct dispatcher_place place;
	char interface[IF_NAMESIZE];

	if (!look_into(name, &place) || !place.ours)
		return 0;
	if (!if_indextoname((unsigned int)ifindex, interface))
		remove_pins(name);
	return gone ? 0 : take_out(ifindex, 0);
}

/* 0 = of all interfaces */
static int remove_of(int wanted, bool gone)
{
	OWN(close_dir) DIR *dir = opendir(PIN_DIR);
	const struct dirent *entry;
	int ifindex, worst = 0;
	unsigned int id;

	while (dir && (entry = readdir(dir))) {
		int error;

		if (sscanf(entry->d_name, "dispatch-%d-%u", &ifindex, &id) != 2 || (wanted && ifindex != wanted))
			continue;
		error = remove_one(entry->d_name, ifindex, gone);
		worst = error < 0 ? error : worst;
	}
	return worst;
}

int dispatcher_detach(int ifindex)
{
	libxdp_set_print(tell_debug);
	return remove_of(ifindex, false);
}

int dispatcher_remove(bool gone)
{
	libxdp_set_print(tell_debug);
	return remove_of(0, gone);
}
