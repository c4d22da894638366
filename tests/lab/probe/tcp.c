// SPDX-License-Identifier: Apache-2.0
/*
 * `tcp`: connect, then rounds of send and compare the echo. `stream`: bulk to the server's sink.
 * The payload is the marker repeated, so that a clear segment is recognised wherever it was cut.
 */
#include "probe.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536

struct tcp {
	const struct probe_options *o;
	int fd;
	uint64_t connect_ns, sent, received, first_send_ns, first_recv_ns;
	unsigned int rounds;
	uint64_t *took_ns;
	const char *error;	/* errno name, NULL: none */
	uint8_t pattern[CHUNK]; /* a whole number of markers, used from any offset below .period */
	size_t period;
};

static void fail(struct tcp *t, int no)
{
	if (!t->error)
		t->error = strerrorname_np(no) ? strerrorname_np(no) : "UNKNOWN";
}

/* Wait for the events; false (and ETIMEDOUT as our error) when the wait is over. */
static bool wait_for(struct tcp *t, short events, uint64_t until)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	uint64_t now = clock_mono();
	int r = now < until ? poll(&p, 1, (int)((until - now) / 1000000) + 1) : 0;

	if (r > 0)
		return true;
	if (r < 0 && errno == EINTR)
		return wait_for(t, events, until);
	fail(t, ETIMEDOUT);
	return false;
}

static bool tcp_connect(struct tcp *t)
{
	uint64_t start = clock_mono(), until = start + t->o->wait_ns;
	int on = 1, error = 0;
	socklen_t len = sizeof(error);

	t->fd = socket_open(t->o, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(t->fd, &t->o->to.sa, addr_len(&t->o->to)) && errno != EINPROGRESS) {
		fail(t, errno);
		return false;
	}
	if (!wait_for(t, POLLOUT, until))
		return false;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
		fail(t, error ? error : errno);
		return false;
	}
	t->connect_ns = clock_mono() - start;
	return true;
}

static void pattern_fill(struct tcp *t)
{
	t->period = strlen(t->o->marker);
	for (size_t i = 0; i < CHUNK; i++)
		t->pattern[i] = (uint8_t)t->o->marker[i % t->period];
}

/* How much of the pattern may be used at once from a stream position on. */
static const uint8_t *pattern_at(const struct tcp *t, uint64_t position, uint64_t *len)
{
	size_t offset = position % t->period;

	if (*len > CHUNK - offset)
		*len = CHUNK - offset;
	return t->pattern + offset;
}

static bool echo_round(struct tcp *t, uint64_t bytes)
{
	uint64_t out = 0, in = 0, start = clock_mono(), until = start + t->o->wait_ns;
	uint8_t got[CHUNK];

	if (!t->first_send_ns)
		t->first_send_ns = start;
	while (in < bytes) {
		uint64_t len = bytes - out;
		const uint8_t *p = pattern_at(t, out, &len);
		ssize_t n = len ? send(t->fd, p, len, MSG_NOSIGNAL) : 0;

		if (n < 0 && errno != EAGAIN)
			return fail(t, errno), false;
		if (n > 0)
			out += (uint64_t)n, t->sent += (uint64_t)n;
		if (!wait_for(t, (short)(POLLIN | (out < bytes && n >= 0 ? POLLOUT : 0)), until))
			return false;
		len = bytes - in;
		p = pattern_at(t, in, &len);
		n = recv(t->fd, got, len, 0);
		if (n == 0)
			return fail(t, ECONNRESET), false;
		if (n < 0 && errno != EAGAIN)
			return fail(t, errno), false;
		if (n < 0)
			continue;
		if (!t->first_recv_ns)
			t->first_recv_ns = clock_mono();
		if (memcmp(got, p, (size_t)n))
			return fail(t, EBADMSG), false;
		in += (uint64_t)n;
		t->received += (uint64_t)n;
	}
	t->took_ns[t->rounds++] = clock_mono() - start;
	return true;
}

static int earlier(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_tcp(struct tcp *t)
{
	printf("{\"kind\":\"tcp\",\"ok\":%s,\"error\":", t->error ? "false" : "true");
	printf(t->error ? "\"%s\"," : "null,", t->error);
	if (t->connect_ns)
		printf("\"connect_us\":%.1f,", (double)t->connect_ns / 1e3);
	else
		printf("\"connect_us\":null,");
	printf("\"rounds\":%u,\"sent\":%llu,\"received\":%llu,", t->rounds, (unsigned long long)t->sent,
	       (unsigned long long)t->received);
	qsort(t->took_ns, t->rounds, sizeof(t->took_ns[0]), earlier);
	if (t->rounds)
		printf("\"first_reply_us\":%.1f,\"p50_us\":%.1f,\"max_us\":%.1f,",
		       (double)(t->first_recv_ns - t->first_send_ns) / 1e3, (double)t->took_ns[t->rounds / 2] / 1e3,
		       (double)t->took_ns[t->rounds - 1] / 1e3);
	printf("\"first_send_ns\":%llu,\"first_recv_ns\":%llu}\n", (unsigned long long)t->first_send_ns,
	       (unsigned long long)t->first_recv_ns);
}

int tcp_main(int argc, char **argv)
{
	static struct tcp t;
	struct probe_options o;

	if (options_parse(&o, argc, argv, true))
		return 2;
	t.o = &o;
	t.took_ns = calloc(o.count + 1, sizeof(t.took_ns[0]));
	if (!t.took_ns)
		die("memory");
	pattern_fill(&t);
	enough_on_signal();
	if (tcp_connect(&t)) {
		uint64_t due = clock_mono();

		for (unsigned int i = 0; i < o.count && !is_enough(); i++, due += o.interval_ns) {
			clock_sleep_until(due);
			if (!echo_round(&t, o.bytes ? o.bytes : o.size))
				break;
		}
	}
	print_tcp(&t);
	return o.strict && t.error;
}

/* Read the sink's byte count, which it sends when it has seen the end of our stream. */
static bool sink_answer(struct tcp *t, uint64_t *count)
{
	uint64_t until = clock_mono() + t->o->wait_ns;
	size_t have = 0;

	if (shutdown(t->fd, SHUT_WR))
		return fail(t, errno), false;
	while (have < sizeof(*count)) {
		ssize_t n;

		if (!wait_for(t, POLLIN, until))
			return false;
		n = recv(t->fd, (uint8_t *)count + have, sizeof(*count) - have, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return fail(t, n ? errno : ECONNRESET), false;
		have += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static void stream_run(struct tcp *t, uint64_t *took_ns)
{
	const struct probe_options *o = t->o;
	uint64_t start = clock_mono();
	uint64_t end = o->seconds ? start + o->seconds * 1000000000ull : UINT64_MAX;
	uint64_t bytes = o->bytes ? o->bytes : UINT64_MAX, counted = 0;

	t->first_send_ns = start;
	while (t->sent < bytes && clock_mono() < end && !is_enough()) {
		uint64_t len = bytes - t->sent;
		const uint8_t *p = pattern_at(t, t->sent, &len);
		ssize_t n = send(t->fd, p, len, MSG_NOSIGNAL);

		if (n > 0)
			t->sent += (uint64_t)n;
		else if (errno != EAGAIN)
			return fail(t, errno);
		else if (!wait_for(t, POLLOUT, clock_mono() + o->wait_ns))
			return;
	}
	if (!sink_answer(t, &counted))
		return;
	*took_ns = clock_mono() - start;
	t->received = counted;
	if (counted != t->sent)
		fail(t, EBADMSG);
}

int stream_main(int argc, char **argv)
{
	static struct tcp t;
	struct probe_options o;
	uint64_t took_ns = 0;

	if (options_parse(&o, argc, argv, true))
		return 2;
	if (!o.seconds && !o.bytes)
		o.seconds = 2;
	addr_set_port(&o.to, (uint16_t)(o.port + 1));
	t.o = &o;
	pattern_fill(&t);
	enough_on_signal();
	if (tcp_connect(&t))
		stream_run(&t, &took_ns);
	printf("{\"kind\":\"stream\",\"ok\":%s,\"error\":", t.error ? "false" : "true");
	printf(t.error ? "\"%s\"," : "null,", t.error);
	printf("\"connect_us\":%.1f,\"bytes\":%llu,\"seconds\":%.3f,\"mbit_s\":%.1f}\n", (double)t.connect_ns / 1e3,
	       (unsigned long long)t.received, (double)took_ns / 1e9,
	       took_ns ? (double)t.received * 8e3 / (double)took_ns : 0.0);
	return o.strict && t.error;
}
