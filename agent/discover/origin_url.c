// SPDX-License-Identifier: Apache-2.0
/*
 * A directory at an https:// URL, its signature at URL.minisig, through libcurl on the agent's event loop. TLS only keeps others from seeing and delaying; what
 * is believed is the signature. Both are asked for conditionally (ETag), so a directory that did not change costs two small answers. What a server may
 * make us take is bounded in octets and in time.
 */
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/own.h"
#include "discover/directory.h"
#include "discover/minisign.h"
#include "discover/origin.h"

#define REFRESH_DEFAULT_S 3600
#define CONNECT_S 10
#define WHOLE_S 120 /* 8 MB on a slow line */
#define REDIRECTS_MAX 3
#define ETAG_MAX 256

/* One of the two files. */
struct transfer {
	char *url;
	size_t max; /* octets it may have */
	CURL *easy;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	uint8_t *coming, *body; /* what arrives now; the last whole one */
	size_t coming_len, coming_room, len;
	char coming_etag[ETAG_MAX], etag[ETAG_MAX]; /* "" = none */
	bool busy, failed;
};

struct source {
	struct transfer text, signature;
	struct event_base *base;
	struct event *timer;
	CURLM *multi;
	char *ca; /* NULL = the system's */
	uint64_t refresh_s;
	time_t due; /* of the next fetch; CLOCK_MONOTONIC */
	origin_callback *callback;
	void *arg;
	bool closing;
};

/* ---- one transfer ----------------------------------------------------------------------------- */

/* Anything but `size` ends the transfer. */
static size_t on_body(char *octets, size_t one, size_t size, void *arg)
{
	struct transfer *transfer = arg;
	size_t wanted = transfer->coming_len + size;

	(void)one;
	if (wanted > transfer->max)
		return 0;
	if (wanted > transfer->coming_room) {
		size_t room = 2 * wanted < transfer->max ? 2 * wanted : transfer->max;
		uint8_t *larger = realloc(transfer->coming, room);

		if (!larger)
			return 0;
		transfer->coming = larger;
		transfer->coming_room = room;
	}
	memcpy(transfer->coming + transfer->coming_len, octets, size);
	transfer->coming_len = wanted;
	return size;
}

/* Keeps the ETag. One that is too long, or has a character that would break our own header, is none. */
static size_t on_header(char *line, size_t one, size_t size, void *arg)
{
	static const char name[] = "etag:";
	struct transfer *transfer = arg;
	size_t start = sizeof(name) - 1, end = size;

	(void)one;
	if (size < start || strncasecmp(line, name, start) != 0)
		return size;
	while (start < end && (line[start] == ' ' || line[start] == '\t'))
		start++;
	while (end > start && strchr(" \t\r\n", line[end - 1]))
		end--;
	transfer->coming_etag[0] = '\0';
	for (size_t i = start; i < end; i++)
		if (line[i] < ' ' || line[i] > '~')
			return size;
	if (end - start < ETAG_MAX) {
		memcpy(transfer->coming_etag, line + start, end - start);
		transfer->coming_etag[end - start] = '\0';
	}
	return size;
}

static int set_headers(struct transfer *transfer)
{
	char line[ETAG_MAX + sizeof("If-None-Match: ")];
	struct curl_slist *headers;

	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	if (!*transfer->etag || !transfer->body)
		return 0;
	snprintf(line, sizeof(line), "If-None-Match: %s", transfer->etag);
	headers = curl_slist_append(NULL, line);
	transfer->headers = headers;
	return headers ? 0 : -ENOMEM;
}

static int set_options(struct source *source, struct transfer *transfer)
{
	CURL *easy = transfer->easy;
	bool good = curl_easy_setopt(easy, CURLOPT_URL, transfer->url) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)WHOLE_S) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->max) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_USERAGENT, "holdfast/" HF_VERSION) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
		    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;

	if (good && source->ca)
		good = curl_easy_setopt(easy, CURLOPT_CAINFO, source->ca) == CURLE_OK;
	return good ? 0 : -ENOTSUP;
}

static bool begin(struct source *source, struct transfer *transfer)
{
	transfer->coming_len = 0;
	transfer->coming_etag[0] = transfer->error[0] = '\0';
	transfer->failed = true;
	if (set_headers(transfer) < 0 ||
	    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) != CURLE_OK)
		return false;
	transfer->busy = curl_multi_add_handle(source->multi, transfer->easy) == CURLM_OK;
	return transfer->busy;
}

/* A 200 brings a new body, a 304 confirms the one we have. */
static void finish(struct transfer *transfer, CURLcode result)
{
	long status = 0;

	transfer->failed = true;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_WRITE_ERROR || result == CURLE_FILESIZE_EXCEEDED) {
		snprintf(transfer->error, sizeof(transfer->error), "it is larger than %zu octets", transfer->max);
	} else if (result != CURLE_OK) {
		if (!*transfer->error)
			snprintf(transfer->error, sizeof(transfer->error), "%s", curl_easy_strerror(result));
	} else if (status == 304 && transfer->body) {
		transfer->failed = false;
	} else if (status != 200) {
		snprintf(transfer->error, sizeof(transfer->error), "the server answered %ld", status);
	} else {
		free(transfer->body);
		transfer->body = TAKE(transfer->coming);
		transfer->len = transfer->coming_len;
		transfer->coming_room = transfer->coming_len = 0;
		memcpy(transfer->etag, transfer->coming_etag, sizeof(transfer->etag));
		transfer->failed = false;
	}
}

/* ---- both ------------------------------------------------------------------------------------- */

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void bring(struct source *source)
{
	const struct transfer *failed = source->text.failed	   ? &source->text
					: source->signature.failed ? &source->signature
								   : NULL;
	struct err err = ERR_NONE;

	if (failed)
		err_set(&err, -EIO, "%s: cannot be fetched (%s): correct the URL or mend the way there", failed->url,
			failed->error);
	source->callback(source->arg, view_of(source->text.body, source->text.len),
			 view_of(source->signature.body, source->signature.len), failed ? &err : NULL);
}

static void start_both(struct source *source)
{
	struct timespec now;

	/* A fleet that was started together must not ask together for ever: up to a tenth earlier. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	source->due =
		now.tv_sec + (time_t)(source->refresh_s - (uint64_t)now.tv_nsec / 1000 % (source->refresh_s / 10 + 1));
	if (!begin(source, &source->text) || !begin(source, &source->signature)) {
		snprintf(source->text.error, sizeof(source->text.error), "out of memory");
		source->text.failed = true;
		if (!source->text.busy && !source->signature.busy)
			bring(source);
	}
}

static void take_finished(struct source *source)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(source->multi, &left)) != NULL) {
		CURLcode result = message->data.result;
		struct transfer *transfer;
		char *private = NULL;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
			continue;
		transfer = (struct transfer *)(void *)private;
		curl_multi_remove_handle(source->multi, transfer->easy);
		transfer->busy = false;
		finish(transfer, result);
		if (!source->text.busy && !source->signature.busy)
			bring(source);
	}
}

/* ---- libcurl and the loop --------------------------------------------------------------------- */

static void act(struct source *source, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(source->multi, fd, what, &running);
	take_finished(source);
}

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl says what it waits for on a socket; `given` is the event that it had for it. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *given)
{
	struct source *source = arg;
	struct event *event = given;
	short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE && !source->closing) {
		event = event_new(source->base, fd, (short)(wanted | EV_PERSIST), on_socket_event, source);
		if (event && event_add(event, NULL) < 0) {
			event_free(event);
			event = NULL;
		}
	}
	/* Without an event the transfer ends by its own time limit. */
	curl_multi_assign(source->multi, fd, event);
	return 0;
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
	struct source *source = arg;
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0 || source->closing)
		event_del(source->timer);
	else
		event_add(source->timer, &wait);
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void clear_transfer(struct source *source, struct transfer *transfer)
{
	if (transfer->easy && source->multi)
		curl_multi_remove_handle(source->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	free(transfer->coming);
	free(transfer->body);
	free(transfer->url);
}

static void close_source(void *origin)
{
	struct source *source = origin;

	if (!source)
		return;
	source->closing = true;
	clear_transfer(source, &source->text);
	clear_transfer(source, &source->signature);
	if (source->multi)
		curl_multi_cleanup(source->multi);
	if (source->timer)
		event_free(source->timer);
	free(source->ca);
	free(source);
}

static void own_source(struct source **source)
{
	close_source(*source);
}

static int init_transfer(struct source *source, struct transfer *transfer, const char *url, const char *suffix,
			 size_t max)
{
	if (asprintf(&transfer->url, "%s%s", url, suffix) < 0) {
		transfer->url = NULL;
		return -ENOMEM;
	}
	transfer->max = max;
	transfer->easy = curl_easy_init();
	return transfer->easy ? set_options(source, transfer) : -ENOMEM;
}

static int init_multi(struct source *source)
{
	source->timer = event_new(source->base, -1, 0, on_timer, source);
	source->multi = curl_multi_init();
	if (!source->timer || !source->multi)
		return -ENOMEM;
	if (curl_multi_setopt(source->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
	    curl_multi_setopt(source->multi, CURLMOPT_SOCKETDATA, source) != CURLM_OK ||
	    curl_multi_setopt(source->multi, CURLMOPT_TIMERFUNCTION, on_timeout) != CURLM_OK ||
	    curl_multi_setopt(source->multi, CURLMOPT_TIMERDATA, source) != CURLM_OK)
		return -ENOTSUP;
	return 0;
}

static int open_source(void **out, const struct origin_options *options, struct event_base *base,
		       origin_callback *callback, void *arg, struct err *err)
{
	OWN(own_source) struct source *source = calloc(1, sizeof(*source));
	int rc = 0;

	if (!base)
		return err_set(err, -EINVAL, "directory = %s can only be fetched by a running agent", options->place);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !source)
		return err_set(err, -ENOMEM, "libcurl does not start");
	source->base = base;
	source->callback = callback;
	source->arg = arg;
	source->refresh_s = options->refresh_s ? options->refresh_s : REFRESH_DEFAULT_S;
	source->due = monotonic();
	if (options->ca && !(source->ca = strdup(options->ca)))
		rc = -ENOMEM;
	if (rc == 0)
		rc = init_multi(source);
	if (rc == 0)
		rc = init_transfer(source, &source->text, options->place, "", DIRECTORY_OCTETS_MAX);
	if (rc == 0)
		rc = init_transfer(source, &source->signature, options->place, ".minisig", MINISIGN_FILE_MAX);
	if (rc < 0)
		return err_set(err, rc, "%s: libcurl cannot be set up for it (does it have HTTPS?)", options->place);
	*out = TAKE(source);
	return 0;
}

static void poll_source(void *origin, bool again)
{
	struct source *source = origin;

	if (source->text.busy || source->signature.busy)
		return;
	if (again || monotonic() >= source->due)
		start_both(source);
}

const struct origin_kind origin_url = { open_source, close_source, poll_source };
