// SPDX-License-Identifier: Apache-2.0
/*
 * The shield in front of IKE, from this side: its program and maps. It is no part of what the gate promises: an interface without it is
 * protected as well, and the engine has the same thresholds. So what is in its way is told and not forced, and maps of
 * another version are thrown away.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/if_link.h>

#include "base/log.h"
#include "base/own.h"
#include "dataplane/dispatcher.h"
#include "dataplane/dp.h"
#include "dataplane/porter.h"
#include "shield.skel.h"

#define HOOK "shield" /* of its links */

#define SET "hf_shield_set"
#define EXEMPT "hf_exempt"
#define WORK "hf_shield_work"

/* What is pinned. The others are the gate's, or go with the program. */
static const char *const pinned[] = { SET, "hf_shield_state", "hf_shield_source", "hf_shield_site", "hf_shield_count" };

#define PINNED (sizeof(pinned) / sizeof(pinned[0]))

/* Frames that may wait for a processor: some milliseconds of a fast network, and 16 KB. */
#define SPREAD_QUEUE 2048

struct shield {
	struct shield_bpf *skel;
	int prog, prog_driver, count, cpus;
	struct hf_shield_set *set;
	const struct hf_shield_state *state;
};

static void pin_path(char out[64], const char *name)
{
	snprintf(out, 64, HF_PIN_DIR "/%s", name);
}

/* True when what is pinned there could be this map. */
static bool fits(const char *path, const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	OWN_FD int fd = bpf_obj_get(path);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map);
}

/* A program that cannot be taken off goes on with the old map: without its version in there, it lets everything pass. */
static void disarm(const char *path)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), zero = 0;
	OWN_FD int fd = bpf_obj_get(path);
	OWN_FREE void *nothing = NULL;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.type != BPF_MAP_TYPE_ARRAY)
		return;
	nothing = calloc(1, info.value_size);
	if (nothing)
		bpf_map_update_elem(fd, &zero, nothing, BPF_ANY);
}

static int remove_pin(const char *name)
{
	char path[64];

	pin_path(path, name);
	if (strcmp(name, SET) == 0)
		disarm(path);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* What does not fit is another version's. */
static int remove_unfit(const struct bpf_object *object)
{
	char path[64];
	int error = 0;

	for (size_t i = 0; i < PINNED && error == 0; i++) {
		pin_path(path, pinned[i]);
		if (!fits(path, bpf_object__find_map_by_name(object, pinned[i])))
			error = remove_pin(pinned[i]);
	}
	return error;
}

int dp_shield_pins(struct bpf_object *object)
{
	char path[64];
	int error;

	for (size_t i = 0; i < PINNED; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, pinned[i]);

		if (!map)
			return -ENOENT;
		pin_path(path, pinned[i]);
		error = bpf_map__set_pin_path(map, path);
		if (error < 0)
			return error;
	}
	pin_path(path, EXEMPT);
	return bpf_map__set_pin_path(bpf_object__find_map_by_name(object, EXEMPT), path);
}

static bool is_guests(const char *name)
{
	for (size_t i = 0; i < PINNED; i++)
		if (strcmp(name, pinned[i]) == 0)
			return true;
	return strcmp(name, EXEMPT) == 0 || strcmp(name, WORK) == 0;
}

int dp_shield_as_guest(struct bpf_object *object)
{
	struct bpf_program *prog;
	struct bpf_map *map;
	int error = dp_shield_pins(object);

	bpf_object__for_each_program(prog, object) if (strcmp(bpf_program__name(prog), DP_SHIELD_GUEST) != 0)
		bpf_program__set_autoload(prog, false);
	bpf_object__for_each_map(map, object) if (!is_guests(bpf_map__name(map))) bpf_map__set_autocreate(map, false);
	return error;
}

/* The gate's maps, its own, and room for as many processors as there can be. */
static int prepare(struct dataplane *dp, struct shield_bpf *skel, struct err *err)
{
	int cpus = libbpf_num_possible_cpus(), error = dp_adopt_maps(dp, skel->obj, err);

	if (error == 0)
		error = dp_shield_pins(skel->obj);
	if (error == 0 && cpus > 0)
		error = bpf_map__set_max_entries(skel->maps.hf_shield_cpu, (uint32_t)cpus);
	return error;
}

static void *map_page(int map)
{
	void *memory = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap_page(const void *memory)
{
	if (memory)
		munmap((void *)(uintptr_t)memory, (size_t)sysconf(_SC_PAGESIZE));
}

int dataplane_shield_open(struct dataplane *dp, struct err *err)
{
	struct shield *shield = calloc(1, sizeof(*shield));
	int error;

	if (!shield)
		return err_set(err, -ENOMEM, "no memory");
	dp->shield = shield;
	shield->skel = shield_bpf__open();
	error = shield->skel ? remove_unfit(shield->skel->obj) : -errno;
	if (error == 0)
		error = prepare(dp, shield->skel, err);
	if (error == 0) /* it is loaded where it is wanted: dispatcher.c */
		error = bpf_program__set_autoload(shield->skel->progs.hf_shield_guest, false);
	if (error == 0)
		error = shield_bpf__load(shield->skel);
	if (error == 0) {
		shield->prog = bpf_program__fd(shield->skel->progs.hf_shield);
		shield->prog_driver = bpf_program__fd(shield->skel->progs.hf_shield_driver);
		shield->cpus = bpf_map__fd(shield->skel->maps.hf_shield_cpu);
		shield->count = bpf_map__fd(shield->skel->maps.hf_shield_count);
		shield->set = map_page(bpf_map__fd(shield->skel->maps.hf_shield_set));
		shield->state = map_page(bpf_map__fd(shield->skel->maps.hf_shield_state));
		error = shield->set && shield->state ? 0 : -ENOMEM;
	}
	if (error == 0)
		return 0;
	dp_shield_close(dp);
	dataplane_shield_remove();
	return err_set(err, error, "the kernel refused the shield (%s): %s", strerror(-error), dp_libbpf_said());
}

void dp_shield_close(struct dataplane *dp)
{
	if (!dp->shield)
		return;
	unmap_page(dp->shield->set);
	unmap_page(dp->shield->state);
	shield_bpf__destroy(dp->shield->skel);
	free(dp->shield);
	dp->shield = NULL;
}

void dataplane_shield_remove(void)
{
	int error;

	/* Its maps, the first of which disarms it, before it: what cannot be taken out of a dispatcher does nothing from then on. */
	for (size_t i = 0; i < PINNED; i++) {
		error = remove_pin(pinned[i]);
		if (error < 0)
			log_warn(HF_PIN_DIR "/%s cannot be removed: %s", pinned[i], strerror(-error));
	}
	dp_links_remove(HOOK);
	error = dispatcher_remove(false);
	if (error < 0)
		log_warn("the shield stays beside other XDP programs, where it lets everything pass: %s",
			 strerror(-error));
}

/*
 * In the driver only where there is a device. Virtual interfaces have the packet already, so that nothing is gained; and veth's
 * driver throws away what a program sends back unless the other end has one too.
 */
static bool has_device(const char *name)
{
	char path[64 + IF_NAMESIZE];

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	return access(path, F_OK) == 0;
}

void dataplane_shield_look(int ifindex, struct dataplane_place *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct dispatcher_place place = { 0 };

	*out = (struct dataplane_place){ 0 };
	if (bpf_xdp_query(ifindex, 0, &query) < 0 || query.attach_mode == XDP_ATTACHED_NONE)
		return;
	/* A link that is there cannot be displaced; anything else may have been since. */
	if (!dp_link_is_there(HOOK, ifindex) && !(dispatcher_look(ifindex, &place) && place.ours))
		return;
	out->how = query.attach_mode == XDP_ATTACHED_SKB ? DATAPLANE_XDP_GENERIC : DATAPLANE_XDP_NATIVE;
	out->dispatcher = place.ours;
	out->others = place.others;
}

const char *dataplane_shield_alone(const struct dataplane *dp)
{
	return dp->porter ? NULL : dp->no_porter.text;
}

/* An earlier agent's own link holds the place where the dispatcher goes: for a moment there is no shield, once. */
static int attach_beside(struct dataplane *dp, int ifindex, bool native)
{
	if (dp_link_is_there(HOOK, ifindex))
		dp_link_detach(HOOK, ifindex);
	return porter_attach(dp->porter, ifindex, native);
}

static int attach_alone(struct dataplane *dp, int ifindex, bool native)
{
	struct dispatcher_place place;
	int error = -EOPNOTSUPP;

	/* Of an earlier agent that could do more. It works on the maps that are ours now, and stays. */
	if (dispatcher_look(ifindex, &place) && place.ours)
		return 0;
	if (native)
		error = dp_link_attach(HOOK, dp->shield->prog_driver, ifindex, BPF_XDP, XDP_FLAGS_DRV_MODE);
	if (error < 0 && error != -EBUSY)
		error = dp_link_attach(HOOK, dp->shield->prog, ifindex, BPF_XDP, XDP_FLAGS_SKB_MODE);
	return error == -EEXIST ? -EBUSY : error;
}

int dataplane_shield_attach(struct dataplane *dp, int ifindex, const char *name, struct err *err)
{
	const char *alone = dataplane_shield_alone(dp);
	bool native = has_device(name);
	int beside, error;

	/* One of several does not spread ESP: where nobody else is, it is better alone. */
	if (native && dp->shield->set->spread && attach_alone(dp, ifindex, native) == 0)
		return 0;
	beside = alone ? -EOPNOTSUPP : attach_beside(dp, ifindex, native);
	error = beside;
	if (beside == -EXDEV)
		return err_set(err, -EBUSY,
			       "interface %s: no shield in front of IKE there: its XDP programs run in the driver of a "
			       "virtual interface, which may throw away what the shield answers",
			       name);
	if (error < 0 && error != -EBUSY)
		error = attach_alone(dp, ifindex, native);
	if (error == -EBUSY)
		return err_set(err, -EBUSY,
			       "interface %s: no shield in front of IKE there: it has an XDP program of somebody else, "
			       "beside which it cannot be: %s",
			       name,
			       alone		  ? alone
			       : beside == -EBUSY ? "that was not put there by libxdp"
						  : strerror(-beside));
	if (error < 0)
		return err_set(err, error, "interface %s: no shield in front of IKE there: %s", name, strerror(-error));
	return 0;
}

void dataplane_shield_detach(struct dataplane *dp, int ifindex)
{
	dp_link_detach(HOOK, ifindex);
	if (dp->porter && porter_detach(dp->porter, ifindex) < 0)
		log_warn("interface %d: the shield could not be taken out of the dispatcher", ifindex);
}

/* The secret before the version that names it: a program that reads in between finds the secret of before. */
void dataplane_shield_set(struct dataplane *dp, const struct hf_shield_set *set)
{
	struct hf_shield_set *live = dp->shield->set;

	live->source = set->source;
	live->site = set->site;
	live->all = set->all;
	live->proven_source = set->proven_source;
	live->proven_site = set->proven_site;
	live->odd = set->odd;
	memcpy(live->secret, set->secret, sizeof(live->secret));
	__atomic_store_n(&live->secret_version, set->secret_version, __ATOMIC_RELEASE);
	__atomic_store_n(&live->demand, set->demand, __ATOMIC_RELEASE);
	__atomic_store_n(&live->version, HF_SHIELD_VERSION, __ATOMIC_RELEASE);
}

/* "0-3,6" as the kernel writes it. */
static unsigned int online_cpus(uint32_t cpus[HF_SHIELD_SPREAD_MAX])
{
	FILE *file = fopen("/sys/devices/system/cpu/online", "re");
	unsigned int first, last, count = 0;

	while (file && fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) == EOF)
			last = first;
		while (first <= last && count < HF_SHIELD_SPREAD_MAX)
			cpus[count++] = first++;
		if (fgetc(file) != ',')
			break;
	}
	if (file)
		fclose(file);
	return count;
}

int dataplane_shield_spread(struct dataplane *dp, bool wanted, struct err *err)
{
	struct hf_shield_set *live = dp->shield->set;
	uint32_t cpus[HF_SHIELD_SPREAD_MAX], queue = SPREAD_QUEUE;
	unsigned int count = wanted ? online_cpus(cpus) : 0;

	/* Off first: the program must not find half a list. */
	__atomic_store_n(&live->spread, 0, __ATOMIC_RELEASE);
	if (count < 2)
		return 0;
	for (unsigned int i = 0; i < count; i++) {
		if (bpf_map_update_elem(dp->shield->cpus, &cpus[i], &queue, BPF_ANY) < 0)
			return err_set(err, -errno, "processor %u takes no frames: %s", cpus[i], strerror(errno));
		live->spread_cpu[i] = cpus[i];
	}
	__atomic_store_n(&live->spread, count, __ATOMIC_RELEASE);
	return (int)count;
}

void dataplane_shield_see(struct dataplane *dp, struct hf_shield_state *state, struct hf_shield_count *sum)
{
	*state = *dp->shield->state;
	dp_sum(dp->shield->count, sum, sizeof(*sum));
}
