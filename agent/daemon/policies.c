// SPDX-License-Identifier: Apache-2.0
/*
 * The policy folder, see policies.h.
 */
#include "daemon/policies.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/own.h"
#include "base/suggest.h"

#define ALL_GROUPS "clear, clear-or-private, private-or-clear, private or block"

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static int refuse_name(const char *folder, const char *name, struct err *err)
{
	const char *const names[] = { group_name(HF_GROUP_CLEAR), group_name(HF_GROUP_CLEAR_OR_PRIVATE),
				      group_name(HF_GROUP_PRIVATE_OR_CLEAR), group_name(HF_GROUP_PRIVATE),
				      group_name(HF_GROUP_BLOCK) };
	const char *meant = suggest_nearest(name, names, HF_GROUP_COUNT);

	if (meant)
		return err_set(
			err, -EINVAL,
			"%s/%s: no policy group has this name, so nothing would enforce it: did you mean \"%s\"?",
			folder, name, meant);
	return err_set(err, -EINVAL,
		       "%s/%s: no policy group has this name, so nothing would enforce it: rename it to " ALL_GROUPS
		       ", or remove it",
		       folder, name);
}

/* Backups, editors' files, and what Libreswan keeps here beside its groups have a dot or ~ in their names. */
static int check_names(const char *folder, struct err *err)
{
	OWN(close_dir) DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir && errno == ENOENT)
		return err_set(err, -ENOENT, "%s: no such folder: create it or correct the path", folder);
	if (!dir)
		return err_set(err, -errno,
			       "%s: cannot be read (%s): put the policy files into a folder that root can read", folder,
			       strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		enum hf_group group;

		if (group_parse(&group, entry->d_name) == 0 || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (!strpbrk(entry->d_name, ".~"))
			return refuse_name(folder, entry->d_name, err);
		if (entry->d_name[0] != '.')
			log_warn("%s/%s: passed over: it is not named after a policy group", folder, entry->d_name);
	}
	return 0;
}

static int load_lines(struct policy *policy, enum hf_group group, FILE *file, const char *path, struct err *err)
{
	OWN_FREE char *line = NULL;
	unsigned int number = 0;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, file)) >= 0) {
		number++;
		if (strlen(line) != (size_t)len)
			return err_set(err, -EINVAL, "%s:%u: there is a NUL byte: this is not a text file", path,
				       number);
		if (policy_add_line(policy, group, line, path, number, err) < 0)
			return -EINVAL;
	}
	if (ferror(file))
		return err_set(err, -EIO, "%s: cannot be read (%s): a policy group is a plain file", path,
			       strerror(errno));
	return 0;
}

static int load_group(struct policy *policy, char **path, enum hf_group group, const char *folder, struct err *err)
{
	OWN(close_file) FILE *file = NULL;
	struct stat status;

	if (asprintf(path, "%s/%s", folder, group_name(group)) < 0) {
		*path = NULL;
		return err_set(err, -ENOMEM, "out of memory");
	}
	file = fopen(*path, "re");
	if (file)
		return load_lines(policy, group, file, *path, err);
	/* A link that leads nowhere is a file that was meant to be there. Not -ENOENT, which is a folder that nobody made. */
	if (errno != ENOENT || lstat(*path, &status) == 0)
		return err_set(err, -EINVAL, "%s: cannot be read (%s): make it readable for root, or remove it", *path,
			       strerror(errno));
	free(TAKE(*path));
	return 0;
}

int policies_load(struct policy *policy, char *files[HF_GROUP_COUNT], const char *folder, struct err *err)
{
	int rc = check_names(folder, err);

	for (int group = 0; group < HF_GROUP_COUNT && rc == 0; group++)
		rc = load_group(policy, &files[group], (enum hf_group)group, folder, err);
	return rc < 0 ? rc : policy_finish(policy, err);
}
