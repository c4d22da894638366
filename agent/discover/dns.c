// SPDX-License-Identifier: Apache-2.0
/*
 * libunbound, see dns.h. Its thread is made at once, with signals blocked: they are the loop's. It may be handed a hostile zone's signatures for
 * as long as it likes, the loop goes on.
 */
#include "discover/dns.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

#include "base/own.h"
#include "discover/file.h"
#include "discover/lines.h"

#define ANCHORS_OCTETS_MAX 65536
#define CLASS_IN 1
#define RCODE_NXDOMAIN 3

struct dns {
	struct ub_ctx *ctx;
	struct event *ready;
	struct call *calls; /* under way */
	bool closing;
};

struct call {
	struct dns *dns;
	struct call *next, **link;
	dns_callback *callback;
	void *arg;
};

static struct call *call_new(struct dns *dns, dns_callback *callback, void *arg)
{
	struct call *call = malloc(sizeof(*call));

	if (!call)
		return NULL;
	*call = (struct call){ dns, dns->calls, &dns->calls, callback, arg };
	if (call->next)
		call->next->link = &call->next;
	dns->calls = call;
	return call;
}

static void call_free(struct call *call)
{
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	free(call);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void read_result(struct dns_reply *reply, const struct ub_result *result)
{
	static const char *const rcodes[] = { "no error", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };
	unsigned int rcode = (unsigned int)result->rcode;

	reply->security = result->bogus ? DNS_BOGUS : result->secure ? DNS_SECURE : DNS_INSECURE;
	reply->ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	reply->owner = result->canonname;
	if (result->bogus) {
		reply->status = DNS_FAILED;
		reply->why = result->why_bogus ? result->why_bogus : "validation failed";
		return;
	}
	if (result->nxdomain || rcode == RCODE_NXDOMAIN) {
		reply->status = DNS_NO_NAME;
		return;
	}
	if (rcode != 0) {
		reply->why = rcode < sizeof(rcodes) / sizeof(rcodes[0]) ? rcodes[rcode] : "the servers refuse";
		return;
	}
	reply->status = result->havedata ? DNS_DATA : DNS_NO_DATA;
	for (size_t i = 0; result->havedata && result->data[i]; i++, reply->count++)
		if (i < DNS_RECORDS_MAX)
			reply->data[i] = view_of(result->data[i], (size_t)result->len[i]);
}

static void answer(struct call *call, const struct dns_reply *reply)
{
	struct call asked = *call;

	call_free(call);
	asked.callback(asked.arg, reply);
}

static void on_result(void *arg, int error, struct ub_result *result)
{
	struct dns_reply reply = { .status = DNS_FAILED, .why = "" };

	if (error || !result)
		reply.why = ub_strerror(error);
	else
		read_result(&reply, result);
	answer(arg, &reply);
	ub_resolve_free(result);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dns *dns = arg;

	(void)fd;
	(void)what;
	ub_process(dns->ctx);
}

int dns_ask(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	struct call *call = dns->closing ? NULL : call_new(dns, callback, arg);
	int error;

	if (!call)
		return -ENOMEM;
	error = ub_resolve_async(dns->ctx, name, type, CLASS_IN, call, on_result, NULL);
	if (!error)
		return 0;
	call_free(call);
	return error == UB_NOMEM ? -ENOMEM : -EIO;
}

/* ---- trust anchors ---------------------------------------------------------------------------- */

/* libunbound reads anchors only when everything is set, and then says no more than that one was wrong. */
static bool is_anchor(const char *line)
{
	struct ub_ctx *ctx = ub_ctx_create();
	bool good = ctx && ub_ctx_add_ta(ctx, line) == 0 && ub_ctx_zone_remove(ctx, "invalid.") == 0;

	if (ctx)
		ub_ctx_delete(ctx);
	return good;
}

static int add_anchor(struct ub_ctx *ctx, struct view line, const char *file, unsigned int number, struct err *err)
{
	char text[4096];

	line = line_trim(line_part(&line, ';'));
	if (!line.len)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)line.len, (const char *)line.at);
	if (line.len >= sizeof(text) || memchr(line.at, '\0', line.len) || !is_anchor(text))
		return err_set(err, -EINVAL,
			       "%s:%u: this is no trust anchor: write a DS or DNSKEY record on one line, as a zone "
			       "file has it",
			       file, number);
	return ub_ctx_add_ta(ctx, text) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int add_anchors(struct ub_ctx *ctx, const char *file, struct err *err)
{
	OWN_FREE uint8_t *octets = NULL;
	size_t len = 0, count = 0;
	struct view text;
	int rc = file_read(&octets, &len, file, ANCHORS_OCTETS_MAX, err);

	text = view_of(octets, len);
	for (unsigned int number = 1; rc == 0 && text.at; number++) {
		struct view line = line_next(&text), words = line;

		words = line_part(&words, ';');
		count += line_trim(words).len > 0;
		rc = add_anchor(ctx, line, file, number, err);
	}
	if (rc == 0 && !count)
		return err_set(err, -EINVAL, "%s: there is no trust anchor in it: add a DS or DNSKEY record", file);
	return rc;
}

/* ---- life ------------------------------------------------------------------------------------- */

static const char *const settings[][2] = {
	/* Addresses of private networks have signed reverse zones, too. */
	{ "unblock-lan-zones:", "yes" },
	{ "do-not-query-localhost:", "no" },
	/* What a busy host asks at the same time; the library's own default is for one program's names. */
	{ "outgoing-range:", "512" },
	{ "num-queries-per-thread:", "1024" },
	{ "outgoing-num-tcp:", "16" },
	{ "msg-cache-size:", "4m" },
	{ "rrset-cache-size:", "8m" },
	{ "key-cache-size:", "2m" },
	/* A resolver that was away is asked again at once when it is back. */
	{ "infra-keep-probing:", "yes" },
	{ "edns-buffer-size:", "1232" },
	{ "trust-anchor-signaling:", "no" },
	{ "qname-minimisation:", "yes" },
};

static int configure(struct ub_ctx *ctx, const struct dns_options *options, struct err *err)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (ub_ctx_set_option(ctx, settings[i][0], settings[i][1]))
			return err_set(err, -ENOTSUP, "this libunbound does not know its option %s", settings[i][0]);
	for (size_t i = 0; i < options->resolver_count; i++)
		if (ub_ctx_set_fwd(ctx, addr_format(text, &options->resolvers[i])))
			return err_set(err, -EINVAL, "libunbound does not take the resolver %s", text);
	if (options->roots && access(options->roots, R_OK) != 0)
		return err_set(err, -errno, "%s: cannot be read (%s): correct the path or its permissions",
			       options->roots, strerror(errno));
	if (options->roots && ub_ctx_set_option(ctx, "root-hints:", options->roots))
		return err_set(err, -EINVAL, "libunbound does not take the root hints %s", options->roots);
	return add_anchors(ctx, options->anchors, err);
}

static void nobody(void *arg, const struct dns_reply *reply)
{
	(void)arg;
	(void)reply;
}

/* The first question makes the thread. */
static int start(struct dns *dns, struct err *err)
{
	sigset_t all, before;
	int error = ub_ctx_async(dns->ctx, 1);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!error)
		error = ub_ctx_zone_remove(dns->ctx, "invalid.");
	if (!error)
		error = dns_ask(dns, "localhost.", DNS_TYPE_A, nobody, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error ? err_set(err, -EIO, "libunbound cannot be started: %s", ub_strerror(error)) : 0;
}

static void own_dns(struct dns **dns)
{
	dns_close(*dns);
}

int dns_open(struct dns **out, const struct dns_options *options, struct event_base *base, struct err *err)
{
	OWN(own_dns) struct dns *dns = calloc(1, sizeof(*dns));
	int rc;

	if (dns)
		dns->ctx = ub_ctx_create();
	if (!dns || !dns->ctx)
		return err_set(err, -ENOMEM, "no memory for libunbound");
	rc = configure(dns->ctx, options, err);
	if (rc == 0)
		rc = start(dns, err);
	if (rc < 0)
		return rc;
	dns->ready = event_new(base, ub_fd(dns->ctx), EV_READ | EV_PERSIST, on_ready, dns);
	if (!dns->ready || event_add(dns->ready, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	*out = TAKE(dns);
	return 0;
}

void dns_close(struct dns *dns)
{
	if (!dns)
		return;
	if (dns->ready)
		event_free(dns->ready);
	if (dns->ctx)
		ub_ctx_delete(dns->ctx);
	dns->closing = true;
	while (dns->calls)
		answer(dns->calls, &(struct dns_reply){ .status = DNS_FAILED, .why = "the agent ends" });
	free(dns);
}
