// SPDX-License-Identifier: Apache-2.0
/*
 * libunbound, see dns.h. Its thread is made at once, with signals blocked: they are the loop's. It may be handed a hostile zone's signatures for
 * as long as it likes, the loop goes on.
 *
 * libunbound cannot be told to leave its memory aside for one question. So questions that ask anew go to a context of their own, which remembers
 * nothing from before it was made, and that is FRESH_S at most; it ends when its last answer has come.
 *
 * Nor can it be asked without waiting: questions go to its thread through a socket, and who writes waits while that is full, at some 140 of them. An
 * answer shows that its question was read, and all before it; so as many as surely find room are on their way, and the others wait here.
 * Of every few, one is answered by the thread itself, or servers that do not answer would hold up all.
 */
#include "discover/dns.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unbound.h>

#include "base/own.h"
#include "discover/file.h"
#include "discover/lines.h"

#define ANCHORS_OCTETS_MAX 65536
#define CLASS_IN 1
#define RCODE_NXDOMAIN 3

/* Who asks anew at the same time shares the delegations and zone keys; far less than the shortest life of a record that counts. */
#define FRESH_S 10
/* Of such contexts; each may wait minutes for servers that do not answer. When all do, the newest is asked for longer. */
#define FRESH_MAX 3

/* Questions that may not have been read. With a name as long as can be, one takes 2 KB of the socket's 208 KB. */
#define UNREAD_MAX 96
/* Of so many, the last one is what the thread answers itself. */
#define SIGNPOST_EVERY 32
#define SIGNPOST "localhost."

struct context {
	struct dns *dns;
	struct ub_ctx *ctx;
	struct event *ready;
	size_t calls;	      /* under way */
	uint64_t given, read; /* numbers of the last question that the thread was given, and that it has surely read */
	struct call *queue;   /* to be given */
	struct call **queue_end;
	bool busy; /* its answers are being told */
	uint64_t made_s;
};

struct dns {
	struct event_base *base;
	struct context *main, *fresh[FRESH_MAX]; /* the first of them is the newest */
	struct call *calls;			 /* under way */
	size_t resolver_count, anchor_count;
	struct hf_addr *resolvers;
	char **anchors, *roots;
	bool closing;
};

struct call {
	struct dns *dns;
	struct context *context;
	struct call *next, **link;
	dns_callback *callback;
	void *arg;
	uint64_t number;
	struct call *behind; /* in the queue */
	uint16_t type;	     /* of one that was in the queue, as the name */
	char *name;
};

static uint64_t monotonic_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static struct call *call_new(struct context *context, dns_callback *callback, void *arg)
{
	struct call *call = malloc(sizeof(*call));
	struct dns *dns = context->dns;

	if (!call)
		return NULL;
	*call = (struct call){
		.dns = dns,
		.context = context,
		.next = dns->calls,
		.link = &dns->calls,
		.callback = callback,
		.arg = arg,
	};
	if (call->next)
		call->next->link = &call->next;
	dns->calls = call;
	context->calls++;
	return call;
}

static void call_free(struct call *call)
{
	call->context->calls--;
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	free(call->name);
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
		while (result->data && result->data[reply->count])
			reply->count++;
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
	struct call *call = arg;
	struct dns_reply reply = { .status = DNS_FAILED, .why = "" };

	if (error || !result)
		reply.why = ub_strerror(error);
	else
		read_result(&reply, result);
	if (call->context->read < call->number)
		call->context->read = call->number;
	answer(call, &reply);
	ub_resolve_free(result);
}

/* ---- questions -------------------------------------------------------------------------------- */

static void nobody(void *arg, const struct dns_reply *reply)
{
	(void)arg;
	(void)reply;
}

/* 0, or libunbound's number for what is wrong. */
static int give(struct call *call, const char *name, uint16_t type)
{
	int error = ub_resolve_async(call->context->ctx, name, type, CLASS_IN, call, on_result, NULL);

	if (!error)
		call->number = ++call->context->given;
	return error;
}

static bool has_room(const struct context *context)
{
	return context->given < context->read + UNREAD_MAX;
}

/* One that cannot be given is missed no more than until the next. */
static void give_signpost(struct context *context)
{
	struct call *call;

	if (context->given % SIGNPOST_EVERY < SIGNPOST_EVERY - 1)
		return;
	call = call_new(context, nobody, NULL);
	if (call && give(call, SIGNPOST, DNS_TYPE_A))
		call_free(call);
}

static int enqueue(struct call *call, const char *name, uint16_t type)
{
	struct context *context = call->context;

	call->name = strdup(name);
	if (!call->name)
		return UB_NOMEM;
	call->type = type;
	*(context->queue ? context->queue_end : &context->queue) = call;
	context->queue_end = &call->behind;
	return 0;
}

static int ask(struct context *context, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	struct call *call = context->dns->closing ? NULL : call_new(context, callback, arg);
	int error;

	if (!call)
		return -ENOMEM;
	error = context->queue || !has_room(context) ? enqueue(call, name, type) : give(call, name, type);
	if (error) {
		call_free(call);
		return error == UB_NOMEM ? -ENOMEM : -EIO;
	}
	give_signpost(context);
	return 0;
}

static void give_queue(struct context *context)
{
	while (context->queue && has_room(context)) {
		struct call *call = context->queue;
		int error = give(call, call->name, call->type);

		context->queue = call->behind;
		if (error)
			answer(call, &(struct dns_reply){ .status = DNS_FAILED, .why = ub_strerror(error) });
		give_signpost(context);
	}
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

static int add_anchor(struct dns *dns, struct view line, const char *file, unsigned int number, struct err *err)
{
	char text[4096], **longer;

	line = line_trim(line_part(&line, ';'));
	if (!line.len)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)line.len, (const char *)line.at);
	if (line.len >= sizeof(text) || memchr(line.at, '\0', line.len) || !is_anchor(text))
		return err_set(err, -EINVAL,
			       "%s:%u: this is no trust anchor: write a DS or DNSKEY record on one line, as a zone "
			       "file has it",
			       file, number);
	longer = reallocarray(dns->anchors, dns->anchor_count + 1, sizeof(*longer));
	if (!longer)
		return err_set(err, -ENOMEM, "out of memory");
	dns->anchors = longer;
	dns->anchors[dns->anchor_count] = strdup(text);
	return dns->anchors[dns->anchor_count++] ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int read_anchors(struct dns *dns, const char *file, struct err *err)
{
	OWN_FREE uint8_t *octets = NULL;
	size_t len = 0;
	struct view text;
	int rc = file_read(&octets, &len, file, ANCHORS_OCTETS_MAX, err);

	text = view_of(octets, len);
	for (unsigned int number = 1; rc == 0 && text.at; number++)
		rc = add_anchor(dns, line_next(&text), file, number, err);
	if (rc == 0 && !dns->anchor_count)
		return err_set(err, -EINVAL, "%s: there is no trust anchor in it: add a DS or DNSKEY record", file);
	return rc;
}

/* ---- contexts --------------------------------------------------------------------------------- */

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

static int configure(struct ub_ctx *ctx, const struct dns *dns, struct err *err)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (ub_ctx_set_option(ctx, settings[i][0], settings[i][1]))
			return err_set(err, -ENOTSUP, "this libunbound does not know its option %s", settings[i][0]);
	/* Sockets for few at a time: a process often has no more than 1,024. */
	if (dns->main && ub_ctx_set_option(ctx, "outgoing-range:", "128"))
		return err_set(err, -ENOTSUP, "this libunbound does not know its option outgoing-range");
	for (size_t i = 0; i < dns->resolver_count; i++)
		if (ub_ctx_set_fwd(ctx, addr_format(text, &dns->resolvers[i])))
			return err_set(err, -EINVAL, "libunbound does not take the resolver %s", text);
	if (dns->roots && access(dns->roots, R_OK) != 0)
		return err_set(err, -errno, "%s: cannot be read (%s): correct the path or its permissions", dns->roots,
			       strerror(errno));
	if (dns->roots && ub_ctx_set_option(ctx, "root-hints:", dns->roots))
		return err_set(err, -EINVAL, "libunbound does not take the root hints %s", dns->roots);
	for (size_t i = 0; i < dns->anchor_count; i++)
		if (ub_ctx_add_ta(ctx, dns->anchors[i]))
			return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* The first question makes the thread. */
static int start(struct context *context, struct err *err)
{
	sigset_t all, before;
	int error = ub_ctx_async(context->ctx, 1);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!error)
		error = ub_ctx_zone_remove(context->ctx, "invalid.");
	if (!error)
		error = ask(context, SIGNPOST, DNS_TYPE_A, nobody, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error ? err_set(err, -EIO, "libunbound cannot be started: %s", ub_strerror(error)) : 0;
}

/* Nothing of it may be under way but what dns_close answers. */
static void context_free(struct context *context)
{
	if (!context)
		return;
	if (context->ready)
		event_free(context->ready);
	if (context->ctx)
		ub_ctx_delete(context->ctx);
	free(context);
}

static bool is_over(const struct context *context)
{
	return context->calls == 0 && !context->busy && monotonic_s() >= context->made_s + FRESH_S;
}

/* The newest is not missed when it is over: the next question makes another. */
static void drop_fresh(struct dns *dns)
{
	size_t kept = 0;

	for (size_t i = 0; i < FRESH_MAX; i++) {
		struct context *context = dns->fresh[i];

		dns->fresh[i] = NULL;
		if (context && is_over(context))
			context_free(context);
		else if (context)
			dns->fresh[kept++] = context;
	}
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct context *context = arg;
	struct dns *dns = context->dns;

	(void)fd;
	(void)what;
	context->busy = true;
	ub_process(context->ctx);
	give_queue(context);
	context->busy = false;
	drop_fresh(dns);
}

static void own_context(struct context **context)
{
	context_free(*context);
}

static int context_new(struct context **out, struct dns *dns, struct err *err)
{
	OWN(own_context) struct context *context = calloc(1, sizeof(*context));
	int rc;

	if (context)
		context->ctx = ub_ctx_create();
	if (!context || !context->ctx)
		return err_set(err, -ENOMEM, "no memory for libunbound");
	context->dns = dns;
	context->made_s = monotonic_s();
	rc = configure(context->ctx, dns, err);
	if (rc < 0)
		return rc;
	context->ready = event_new(dns->base, ub_fd(context->ctx), EV_READ | EV_PERSIST, on_ready, context);
	if (!context->ready || event_add(context->ready, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = start(context, err);
	if (rc < 0)
		return rc;
	*out = TAKE(context);
	return 0;
}

/* ---- face ------------------------------------------------------------------------------------- */

int dns_ask(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	return ask(dns->main, name, type, callback, arg);
}

int dns_ask_anew(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	struct context *context;

	drop_fresh(dns);
	if ((!dns->fresh[0] || monotonic_s() >= dns->fresh[0]->made_s + FRESH_S) && !dns->fresh[FRESH_MAX - 1] &&
	    context_new(&context, dns, NULL) == 0) {
		memmove(&dns->fresh[1], &dns->fresh[0], (FRESH_MAX - 1) * sizeof(dns->fresh[0]));
		dns->fresh[0] = context;
	}
	return dns->fresh[0] ? ask(dns->fresh[0], name, type, callback, arg) : -ENOMEM;
}

static int keep(struct dns *dns, const struct dns_options *options, struct err *err)
{
	dns->resolver_count = options->resolver_count;
	dns->resolvers = calloc(options->resolver_count + 1, sizeof(dns->resolvers[0]));
	if (!dns->resolvers)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < options->resolver_count; i++)
		dns->resolvers[i] = options->resolvers[i];
	if (options->roots && !(dns->roots = strdup(options->roots)))
		return err_set(err, -ENOMEM, "out of memory");
	return read_anchors(dns, options->anchors, err);
}

static void own_dns(struct dns **dns)
{
	dns_close(*dns);
}

int dns_open(struct dns **out, const struct dns_options *options, struct event_base *base, struct err *err)
{
	OWN(own_dns) struct dns *dns = calloc(1, sizeof(*dns));
	int rc;

	if (!dns)
		return err_set(err, -ENOMEM, "out of memory");
	dns->base = base;
	rc = keep(dns, options, err);
	if (rc == 0)
		rc = context_new(&dns->main, dns, err);
	if (rc < 0)
		return rc;
	*out = TAKE(dns);
	return 0;
}

void dns_close(struct dns *dns)
{
	if (!dns)
		return;
	dns->closing = true;
	while (dns->calls)
		answer(dns->calls, &(struct dns_reply){ .status = DNS_FAILED, .why = "the agent ends" });
	context_free(dns->main);
	for (size_t i = 0; i < FRESH_MAX; i++)
		context_free(dns->fresh[i]);
	for (size_t i = 0; i < dns->anchor_count; i++)
		free(dns->anchors[i]);
	free(dns->anchors);
	free(dns->resolvers);
	free(dns->roots);
	free(dns);
}
