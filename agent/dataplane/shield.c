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
#include "dataplane/dp.h"
#include "shield.skel.h"

#define HOOK "shield" /* of its links */

/* What is pinned. The others are the gate's, or go with the program. */
static const char *const pinned[] = { "hf_shield_set", "hf_shield_state", "hf_shield_source", "hf_shield_site",
				      "hf_shield_count" };

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

static int pin_maps(struct bpf_object *object)
{
	char path[64];
	int error;

	for (size_t i = 0; i < PINNED; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, pinned[i]);

		if (!map)
			return -ENOENT;
		pin_path(path, pinned[i]);
		if (!fits(path, map) && unlink(path) < 0 && errno != ENOENT)
			return -errno;
		error = bpf_map__set_pin_path(map, path);
		if (error < 0)
			return error;
	}
	return 0;
}

/* The gate's maps, its own, and room for as many processors as there can be. */
static int prepare(struct dataplane *dp, struct shield_bpf *skel, struct err *err)
{
	int cpus = libbpf_num_possible_cpus(), error = dp_adopt_maps(dp, skel->obj, err);

	if (error == 0)
		error = pin_maps(skel->obj);
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
	error = shield->skel ? prepare(dp, shield->skel, err) : -errno;
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
	char path[64];

	dp_links_remove(HOOK);
	for (size_t i = 0; i < PINNED; i++) {
		pin_path(path, pinned[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			log_warn("%s cannot be removed: %s", path, strerror(errno));
	}
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

static enum dataplane_xdp how_attached(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query) < 0 || query.attach_mode == XDP_ATTACHED_NONE)
		return DATAPLANE_XDP_NONE;
	return query.attach_mode == XDP_ATTACHED_SKB ? DATAPLANE_XDP_GENERIC : DATAPLANE_XDP_NATIVE;
}

int dataplane_shield_attach(struct dataplane *dp, int ifindex, const char *name, enum dataplane_xdp *how,
			    struct err *err)
{
	int error = -EOPNOTSUPP;

	if (has_device(name))
		error = dp_link_attach(HOOK, dp->shield->prog_driver, ifindex, BPF_XDP, XDP_FLAGS_DRV_MODE);
	if (error < 0 && error != -EBUSY)
		error = dp_link_attach(HOOK, dp->shield->prog, ifindex, BPF_XDP, XDP_FLAGS_SKB_MODE);
	if (error == -EBUSY || error == -EEXIST)
		return err_set(err, -EBUSY,
			       "interface %s: no shield in front of IKE there: it has an XDP program of somebody else",
			       name);
	if (error < 0)
		return err_set(err, error, "interface %s: no shield in front of IKE there: %s", name, strerror(-error));
	*how = how_attached(ifindex);
	return 0;
}

void dataplane_shield_detach(int ifindex)
{
	dp_link_detach(HOOK, ifindex);
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
