// SPDX-License-Identifier: Apache-2.0
/*
 * The policy folder: one file per group, named after it, one prefix per line (DESIGN 4).
 */
#ifndef DAEMON_POLICIES_H
#define DAEMON_POLICIES_H

#include "base/addr.h"
#include "base/err.h"
#include "core/policy.h"

/*
 * policies_load reads every group's file in `folder` into `policy` and finishes it. files[group] becomes the path of each
 * file that exists, owned by the caller, also on failure; entries point at them. -ENOENT when the folder does not exist.
 * A file that is no group's is an error, unless its name says that it is none of ours (a dot or ~ in it).
 */
int policies_load(struct policy *policy, char *files[HF_GROUP_COUNT], const char *folder, struct err *err);

#endif
