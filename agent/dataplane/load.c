// SPDX-License-Identifier: Apache-2.0
/*
 * Loading and adopting: the maps pinned under HF_PIN_DIR are taken over if they are ours and of our version,
 * what is missing is made and pinned, then both programs are loaded against them. Nothing is attached here, so that
 * whatever fails leaves the host as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "base/log.h"
#include "base/own.h"
#include "dataplane/dp.h"
#include "dataplane/porter.h"
#include "egress.skel.h"
#include "ingress.skel.h"

#define BPFFS "/sys/fs/bpf"
#define PIN_PATH_MAX 128

const char *const dp_map_names[DP_MAPS] = {
	[DP_POLICY] = "hf_policy", [DP_GATE] = "hf_gate",	  [DP_HOLD] = "hf_hold",     [DP_QUEUE] = "hf_queue",
	[DP_SLOT] = "hf_slot",	   [DP_SLOT_BIG] = "hf_slot_big", [DP_EXEMPT] = "hf_exempt", [DP_CONFIG] = "hf_config",
	[DP_BUDGET] = "hf_budget", [DP_COUNT] = "hf_count",	  [DP_AGENT] = "hf_agent",   [DP_RING] = "hf_ring",
};

/* libbpf's last warning, which says more than an errno. One line, one thread. */
static char libbpf_said[256];

static void pin_path(char out[PIN_PATH_MAX], const char *name)
{
	snprintf(out, PIN_PATH_MAX, HF_PIN_DIR "/%s", name);
}

const char *dp_libbpf_said(void)
{
	return libbpf_said;
}

__attribute__((format(printf, 2, 0))) static int keep_warning(enum libbpf_print_level level, const char *format,
							      va_list args)
{
	size_t len;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(libbpf_said, sizeof(libbpf_said), format, args);
	len = strcspn(libbpf_said, "\n");
	libbpf_said[len] = '\0';
	log_debug("%s", libbpf_said);
	return 0;
}

static int prepare_pin_dir(struct err *err)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) < 0 || (unsigned long)fs.f_type != BPF_FS_MAGIC)
		return err_set(err, -ENODEV,
			       BPFFS " is no BPF file system: mount one with `mount -t bpf bpf " BPFFS
				     "` and start again");
	if (mkdir(HF_PIN_DIR, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, HF_PIN_DIR " cannot be made: %s", strerror(errno));
	return 0;
}

/* A descriptor from bpf_obj_get may be a map, a program or a link. */
static bool is_map(int fd)
{
	char link[64], target[64] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		return false;
	return strstr(target, "bpf-map") != NULL;
}

static int check_version(int config_fd, struct err *err)
{
	struct hf_config config;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(config_fd, &zero, &config) < 0)
		return err_set(err, -errno, HF_PIN_DIR "/hf_config cannot be read: %s", strerror(errno));
	/* 0: made by an agent that died before it wrote it. */
	if (config.abi_version && config.abi_version != HF_ABI_VERSION)
		return err_set(err, -EPROTO,
			       HF_PIN_DIR " was made by another version of holdfast (layout %u, this one has %u): run "
					  "`holdfast unload` first; packets held now are lost",
			       config.abi_version, HF_ABI_VERSION);
	return 0;
}

/*
 * Points the map at its pin. A map that is pinned already must be the one we would make, in everything but size;
 * its size is kept.
 */
static int adopt_map(struct dataplane *dp, struct bpf_map *map, enum dp_map which, uint32_t wanted, struct err *err)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_len = sizeof(info);
	char path[PIN_PATH_MAX];
	OWN_FD int fd = -1;

	pin_path(path, dp_map_names[which]);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s cannot be opened: %s", path, strerror(errno));
	if (fd >= 0) {
		if (!is_map(fd) || bpf_obj_get_info_by_fd(fd, &info, &info_len) < 0 ||
		    info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
		    info.value_size != bpf_map__value_size(map))
			return err_set(
				err, -EEXIST,
				"%s is pinned there by something that is not this version of holdfast: look at it with "
				"`bpftool map show pinned %s`, then run `holdfast unload` or remove it",
				path, path);
		if (which == DP_CONFIG && check_version(fd, err) < 0)
			return -EPROTO;
		if (wanted && info.max_entries != wanted)
			log_warn("%s keeps its %u entries until `holdfast unload`; the configuration wants %u",
				 dp_map_names[which], info.max_entries, wanted);
		wanted = info.max_entries;
		/* Ingress finds what egress has just pinned. */
		if (!dp->made[which])
			dp->adopted = true;
	} else {
		dp->made[which] = true;
	}
	if (wanted && bpf_map__set_max_entries(map, wanted) < 0)
		return err_set(err, -EINVAL, "%s: %u entries are not possible", dp_map_names[which], wanted);
	dp->map_max[which] = bpf_map__max_entries(map);
	return bpf_map__set_pin_path(map, path);
}

/* A program has those of the maps that it needs; egress has all. */
static int adopt_maps(struct dataplane *dp, struct bpf_object *object, const struct dataplane_options *options,
		      struct err *err)
{
	uint32_t wanted[DP_MAPS] = {
		[DP_GATE] = options->gate_entries,  [DP_HOLD] = options->queues, [DP_QUEUE] = options->queues,
		[DP_SLOT_BIG] = options->slots_big, [DP_SLOT] = options->slots,
	};

	for (int i = 0; i < DP_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, dp_map_names[i]);
		int error;

		if (!map)
			continue;
		error = adopt_map(dp, map, (enum dp_map)i, wanted[i], err);
		if (error < 0)
			return err_set(err, error, "%s: %s", dp_map_names[i], strerror(-error));
	}
	return 0;
}

int dp_adopt_maps(struct dataplane *dp, struct bpf_object *object, struct err *err)
{
	return adopt_maps(dp, object, &(struct dataplane_options){ 0 }, err);
}

static int explain_load(int error, struct err *err)
{
	if (error == -EPERM)
		return err_set(
			err, error,
			"the kernel does not allow BPF here: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	if (error == -ENOMEM)
		return err_set(err, error, "no memory for the maps: lower [limits] hold_slots or gate_entries");
	return err_set(err, error,
		       "the kernel refused the BPF programs (%s): %s; `holdfast doctor` tells what is missing",
		       strerror(-error), libbpf_said);
}

static int load_programs(struct dataplane *dp, const struct dataplane_options *options, struct err *err)
{
	int error;

	dp->egress = egress_bpf__open();
	dp->ingress = ingress_bpf__open();
	if (!dp->egress || !dp->ingress)
		return err_set(err, -errno, "the BPF objects cannot be opened: %s", libbpf_said);
	error = adopt_maps(dp, dp->egress->obj, options, err);
	if (error < 0)
		return error;
	dp->egress->rodata->hf_tcx = dp->tcx;
	dp->egress->rodata->hf_slots = dp->map_max[DP_SLOT];
	dp->egress->rodata->hf_slots_big = dp->map_max[DP_SLOT_BIG];
	dp->egress->rodata->hf_queues = dp->map_max[DP_QUEUE];
	error = egress_bpf__load(dp->egress);
	if (error < 0)
		return explain_load(error, err);

	error = dp_adopt_maps(dp, dp->ingress->obj, err);
	if (error < 0)
		return error;
	error = ingress_bpf__load(dp->ingress);
	if (error < 0)
		return explain_load(error, err);
	for (int i = 0; i < DP_MAPS; i++)
		dp->map[i] = bpf_object__find_map_fd_by_name(dp->egress->obj, dp_map_names[i]);
	dp->egress_prog = bpf_program__fd(dp->egress->progs.hf_egress);
	dp->ingress_prog = bpf_program__fd(dp->ingress->progs.hf_ingress);
	return 0;
}

static int map_array(struct dataplane *dp, struct dp_array *out, enum dp_map which, size_t value_size, struct err *err)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t stride = (value_size + 7) / 8 * 8;
	size_t octets = (stride * dp->map_max[which] + (size_t)page - 1) / (size_t)page * (size_t)page;
	void *memory = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, dp->map[which], 0);

	if (memory == MAP_FAILED)
		return err_set(err, -errno, "%s cannot be mapped: %s", dp_map_names[which], strerror(errno));
	*out = (struct dp_array){ memory, octets, stride, dp->map_max[which] };
	return 0;
}

static int map_arrays(struct dataplane *dp, struct err *err)
{
	struct dp_array config, agent;

	if (map_array(dp, &dp->queues, DP_QUEUE, sizeof(struct hf_queue), err) < 0 ||
	    map_array(dp, &dp->slots, DP_SLOT, sizeof(struct hf_slot), err) < 0 ||
	    map_array(dp, &dp->slots_big, DP_SLOT_BIG, sizeof(struct hf_slot_big), err) < 0)
		return -ENOMEM;
	if (map_array(dp, &config, DP_CONFIG, sizeof(struct hf_config), err) < 0)
		return -ENOMEM;
	dp->config = (struct hf_config *)config.memory;
	if (map_array(dp, &agent, DP_AGENT, sizeof(struct hf_agent), err) < 0)
		return -ENOMEM;
	dp->agent = (struct hf_agent *)agent.memory;
	return 0;
}

static void unmap_array(struct dp_array *array)
{
	if (array->memory)
		munmap(array->memory, array->octets);
	array->memory = NULL;
}

/* A start that failed takes back the pins that it made, and only those: what was there before is somebody's. */
static void abandon(struct dataplane **dp)
{
	char path[PIN_PATH_MAX];

	if (!*dp)
		return;
	for (int i = 0; i < DP_MAPS; i++) {
		pin_path(path, dp_map_names[i]);
		if ((*dp)->made[i])
			unlink(path);
	}
	rmdir(HF_PIN_DIR); /* where it is empty now */
	dataplane_close(*dp);
}

int dataplane_open(struct dataplane **out, const struct dataplane_options *options, struct err *err)
{
	OWN(abandon) struct dataplane *dp = calloc(1, sizeof(*dp));
	int error;

	if (!dp)
		return err_set(err, -ENOMEM, "no memory");
	libbpf_set_print(keep_warning);
	error = prepare_pin_dir(err);
	if (error < 0)
		return error;
	dp->hold_age_ns = options->hold_age_ns;
	dp->tcx = dp_probe_tcx();
	error = load_programs(dp, options, err);
	if (error < 0)
		return error;
	error = map_arrays(dp, err);
	if (error < 0)
		return error;
	if (options->shield)
		dp->porter = porter_open(options->confine_porter, &dp->no_porter);
	if (dp->adopted)
		dp_hold_recover(dp);
	error = release_open(&dp->release, dp->agent, err);
	if (error < 0)
		return error;
	error = dp_ring_open(dp, err);
	if (error < 0)
		return error;
	release_cookies(dp->release, dp->config->sealed_cookie, dp->config->bypass_cookie);
	dp->config->abi_version = HF_ABI_VERSION;
	*out = TAKE(dp);
	return 0;
}

void dataplane_close(struct dataplane *dp)
{
	struct dp_array config, agent;

	if (!dp)
		return;
	config = (struct dp_array){ (uint8_t *)dp->config, (size_t)sysconf(_SC_PAGESIZE), 0, 1 };
	agent = (struct dp_array){ (uint8_t *)dp->agent, (size_t)sysconf(_SC_PAGESIZE), 0, 1 };
	free(dp->audit_seen);
	dp_shield_close(dp);
	porter_close(dp->porter);
	ring_buffer__free(dp->ring);
	release_close(dp->release);
	unmap_array(&config);
	unmap_array(&agent);
	unmap_array(&dp->queues);
	unmap_array(&dp->slots);
	unmap_array(&dp->slots_big);
	ingress_bpf__destroy(dp->ingress);
	egress_bpf__destroy(dp->egress);
	free(dp);
}

bool dataplane_adopted(const struct dataplane *dp)
{
	return dp->adopted;
}

bool dataplane_is_tcx(const struct dataplane *dp)
{
	return dp->tcx;
}

int dataplane_unload(struct err *err)
{
	char path[PIN_PATH_MAX];
	int worst = 0;

	libbpf_set_print(keep_warning);
	dp_unload_links();
	dataplane_shield_remove();
	for (int i = 0; i < DP_MAPS; i++) {
		pin_path(path, dp_map_names[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			worst = err_set(err, -errno, "%s cannot be removed: %s", path, strerror(errno));
	}
	if (rmdir(HF_PIN_DIR) < 0 && errno != ENOENT)
		worst = err_set(err, -errno, HF_PIN_DIR " cannot be removed: %s", strerror(errno));
	return worst;
}
