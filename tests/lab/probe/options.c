// SPDX-License-Identifier: Apache-2.0
/*
 * The options that all clients share, and the socket they describe. Times are given in milliseconds
 * with decimals, sizes in bytes.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum option_id {
	OPT_PORT = 1,
	OPT_SPORT,
	OPT_SRC,
	OPT_COUNT,
	OPT_HOSTS,
	OPT_RATE,
	OPT_SECONDS,
	OPT_BYTES,
	OPT_INTERVAL,
	OPT_WAIT,
	OPT_LINGER,
	OPT_SIZE,
	OPT_GSO,
	OPT_MARK,
	OPT_DF,
	OPT_NO_DF,
	OPT_DF_PROBE,
	OPT_CONNECTED,
	OPT_RECVERR,
	OPT_STRICT,
	OPT_COMPLETE,
	OPT_MARKER,
	OPT_REPORT,
	OPT_NO_ECHO,
	OPT_AFTER,
};

/* clang-format off */
static const struct option table[] = {
	{ "port", required_argument, NULL, OPT_PORT },
	{ "sport", required_argument, NULL, OPT_SPORT },
	{ "src", required_argument, NULL, OPT_SRC },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "hosts", required_argument, NULL, OPT_HOSTS },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "bytes", required_argument, NULL, OPT_BYTES },
	{ "interval-ms", required_argument, NULL, OPT_INTERVAL },
	{ "wait-ms", required_argument, NULL, OPT_WAIT },
	{ "linger-ms", required_argument, NULL, OPT_LINGER },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "gso", required_argument, NULL, OPT_GSO },
	{ "mark", required_argument, NULL, OPT_MARK },
	{ "df", no_argument, NULL, OPT_DF },
	{ "no-df", no_argument, NULL, OPT_NO_DF },
	{ "df-probe", no_argument, NULL, OPT_DF_PROBE },
	{ "connected", no_argument, NULL, OPT_CONNECTED },
	{ "recverr", no_argument, NULL, OPT_RECVERR },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "complete", no_argument, NULL, OPT_COMPLETE },
	{ "marker", required_argument, NULL, OPT_MARKER },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "no-echo", no_argument, NULL, OPT_NO_ECHO },
	{ "after", required_argument, NULL, OPT_AFTER },
	{ NULL, 0, NULL, 0 },
};
/* clang-format on */

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-' || n > max) {
		fprintf(stderr, "hfprobe: '%s' is not a number up to %llu\n", text, (unsigned long long)max);
		exit(2);
	}
	return n;
}

static uint64_t milliseconds(const char *text)
{
	char *end;
	double ms = strtod(text, &end);

	if (*end || end == text || !(ms >= 0 && ms < 1e9)) {
		fprintf(stderr, "hfprobe: '%s' is not a time in milliseconds\n", text);
		exit(2);
	}
	return (uint64_t)(ms * 1e6);
}

static void option_set(struct probe_options *o, int id, const char *arg)
{
	switch ((enum option_id)id) {
	case OPT_PORT:
		o->port = number(arg, UINT16_MAX);
		break;
	case OPT_SPORT:
		o->sport = number(arg, UINT16_MAX);
		break;
	case OPT_SRC:
		if (addr_parse(&o->from, arg))
			die(arg);
		break;
	case OPT_COUNT:
		o->count = number(arg, UINT32_MAX);
		break;
	case OPT_HOSTS:
		o->hosts = number(arg, 1000000);
		break;
	case OPT_RATE:
		o->rate = number(arg, 10000000);
		break;
	case OPT_SECONDS:
		o->seconds = number(arg, 600);
		break;
	case OPT_BYTES:
		o->bytes = number(arg, UINT64_MAX);
		break;
	case OPT_INTERVAL:
		o->interval_ns = milliseconds(arg);
		break;
	case OPT_WAIT:
		o->wait_ns = milliseconds(arg);
		break;
	case OPT_LINGER:
		o->linger_ns = milliseconds(arg);
		break;
	case OPT_SIZE:
		o->size = number(arg, PROBE_SIZE_MAX);
		break;
	case OPT_GSO:
		o->gso = number(arg, 64);
		break;
	case OPT_MARK:
		o->mark = number(arg, UINT32_MAX);
		break;
	case OPT_DF:
		o->df = DF_ON;
		break;
	case OPT_NO_DF:
		o->df = DF_OFF;
		break;
	case OPT_DF_PROBE:
		o->df = DF_PROBE;
		break;
	case OPT_CONNECTED:
		o->connected = true;
		break;
	case OPT_RECVERR:
		o->recverr = true;
		break;
	case OPT_STRICT:
		o->strict = true;
		break;
	case OPT_COMPLETE:
		o->complete = true;
		break;
	case OPT_MARKER:
		o->marker = arg;
		break;
	case OPT_REPORT:
		o->report = arg;
		break;
	case OPT_AFTER:
		o->after = arg;
		break;
	case OPT_NO_ECHO:
		o->no_echo = true;
		break;
	}
}

int options_parse(struct probe_options *o, int argc, char **argv, bool wants_address)
{
	int id;

	*o = (struct probe_options){
		.port = PROBE_PORT,
		.count = 1,
		.hosts = 1,
		.size = 64,
		.bytes = 0,
		.wait_ns = 2000000000,
		.linger_ns = 30000000,
		.marker = PROBE_MARKER,
	};
	while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (id == '?')
			return 2;
		option_set(o, id, optarg);
	}
	if (argc - optind != (wants_address ? 1 : 0)) {
		fprintf(stderr, "hfprobe %s: %s\n", argv[0],
			wants_address ? "exactly one address, please" : "takes options only");
		return 2;
	}
	if (wants_address && addr_parse(&o->to, argv[optind])) {
		fprintf(stderr, "hfprobe: '%s' is not an address\n", argv[optind]);
		return 2;
	}
	if (o->size < payload_min(o->marker)) {
		fprintf(stderr, "hfprobe: --size is at least %zu with this marker\n", payload_min(o->marker));
		return 2;
	}
	if (!o->hosts) {
		fprintf(stderr, "hfprobe: --hosts is at least 1\n");
		return 2;
	}
	addr_set_port(&o->to, o->port);
	return 0;
}

socklen_t addr_len(const union probe_addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* addr_nth is the n-th address after the first: addition in the last 32 bits of either family. */
union probe_addr addr_nth(const union probe_addr *first, uint32_t n)
{
	union probe_addr a = *first;
	uint32_t *last = a.sa.sa_family == AF_INET ? &a.in.sin_addr.s_addr : &a.in6.sin6_addr.s6_addr32[3];

	*last = htonl(ntohl(*last) + n);
	return a;
}

void addr_set_port(union probe_addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

/* addr_text writes v4-mapped addresses as IPv4, so that one dual-stack socket can serve both. */
const char *addr_text(const union probe_addr *a, char text[INET6_ADDRSTRLEN])
{
	if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, text, INET6_ADDRSTRLEN);
	else if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		inet_ntop(AF_INET, &a->in6.sin6_addr.s6_addr[12], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &a->in6.sin6_addr, text, INET6_ADDRSTRLEN);
	return text;
}

int addr_parse(union probe_addr *a, const char *text)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1) {
		a->sa.sa_family = AF_INET;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1) {
		a->sa.sa_family = AF_INET6;
		return 0;
	}
	errno = EINVAL;
	return -EINVAL;
}

static void set(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die(what);
}

static void set_df(int fd, int family, enum probe_df df)
{
	static const int v4[] = {
		[DF_OFF] = IP_PMTUDISC_DONT, [DF_ON] = IP_PMTUDISC_DO, [DF_PROBE] = IP_PMTUDISC_PROBE
	};
	static const int v6[] = {
		[DF_OFF] = IPV6_PMTUDISC_DONT, [DF_ON] = IPV6_PMTUDISC_DO, [DF_PROBE] = IPV6_PMTUDISC_PROBE
	};

	if (family == AF_INET) {
		set(fd, IPPROTO_IP, IP_MTU_DISCOVER, v4[df], "IP_MTU_DISCOVER");
		return;
	}
	set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, v6[df], "IPV6_MTU_DISCOVER");
	set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, df != DF_OFF, "IPV6_DONTFRAG");
}

int socket_open(const struct probe_options *o, int type, int protocol)
{
	int family = o->to.sa.sa_family;
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		die("socket");
	/* Big enough for any burst the lab sends; FORCE because the system's maximum is small. */
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20, "SO_RCVBUFFORCE");
	if (o->mark)
		set(fd, SOL_SOCKET, SO_MARK, (int)o->mark, "SO_MARK");
	if (o->df != DF_DEFAULT)
		set_df(fd, family, o->df);
	if (o->recverr)
		set(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1,
		    "IP_RECVERR");
	if (o->from.sa.sa_family != AF_UNSPEC || o->sport) {
		union probe_addr from = o->from;

		from.sa.sa_family = family;
		addr_set_port(&from, o->sport);
		if (o->from.sa.sa_family != AF_UNSPEC && o->from.sa.sa_family != family) {
			fprintf(stderr, "hfprobe: source and destination differ in family\n");
			exit(2);
		}
		if (type != SOCK_RAW)
			set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
		if (bind(fd, &from.sa, addr_len(&from)))
			die("bind");
	}
	return fd;
}
