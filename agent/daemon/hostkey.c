// SPDX-License-Identifier: Apache-2.0
/*
 * This host's secrets, see hostkey.h.
 */
#include "daemon/hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"

/* A key file is some hundred octets; more is another file. */
#define KEY_FILE_MAX 65536

void hostkey_random(void *arg, void *out, size_t len)
{
	(void)arg;
	/* The kernel's source never fails once it is up, and up to 256 octets come whole. */
	for (size_t done = 0; done < len;) {
		ssize_t got = getrandom((uint8_t *)out + done, len - done, 0);

		if (got > 0)
			done += (size_t)got;
		else if (errno != EINTR)
			abort();
	}
}

/* *mode: the file's, may be NULL. */
static int read_whole(const char *path, uint8_t *out, size_t *len, mode_t *mode)
{
	OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	got = read(fd, out, *len);
	if (got < 0)
		return -errno;
	if ((size_t)got == *len)
		return -EFBIG;
	*len = (size_t)got;
	if (mode)
		*mode = status.st_mode;
	return 0;
}

/* Not refused: a host that is closed is no better for it. */
static void check_mode(char problem[ERR_TEXT_MAX], const char *path, mode_t mode)
{
	if (!(mode & (S_IRWXG | S_IRWXO)))
		return;
	snprintf(problem, ERR_TEXT_MAX,
		 "%s: others than its owner may read this host's private key (mode %04o): chmod 600", path,
		 (unsigned int)mode & 07777);
	log_warn("%s", problem);
}

int hostkey_load(struct sign_key **out, char problem[ERR_TEXT_MAX], const char *path, bool given, struct err *err)
{
	uint8_t text[KEY_FILE_MAX];
	size_t len = sizeof(text);
	mode_t mode = 0;
	int error = read_whole(path, text, &len, &mode);

	if (error == -ENOENT && !given) {
		snprintf(
			problem, ERR_TEXT_MAX,
			"this host has no key (%s): `holdfast init` makes one; until then no peer can be reached securely",
			path);
		log_warn("%s", problem);
		return 0;
	}
	if (error)
		return err_set(err, error,
			       "%s: cannot be read (%s): it must hold this host's private key, see `holdfast init`",
			       path, strerror(-error));
	error = sign_key_parse(out, view_of(text, len), path, err);
	secret_wipe(text, sizeof(text));
	if (error == 0)
		check_mode(problem, path, mode);
	return error;
}

void hostkey_state(const char *state)
{
	(void)mkdir(state, 0700);
}

void hostkey_crash_secret(uint8_t out[32], const char *state)
{
	char path[4096];
	size_t len = 33;
	uint8_t octets[33];
	int fd;

	snprintf(path, sizeof(path), "%s/crash-secret", state);
	if (read_whole(path, octets, &len, NULL) == 0 && len == 32) {
		memcpy(out, octets, 32);
		return;
	}
	hostkey_random(NULL, out, 32);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, out, 32) != 32)
		log_warn("%s: cannot be written (%s): after a restart peers notice by themselves only", path,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
}
