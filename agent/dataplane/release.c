// SPDX-License-Identifier: Apache-2.0
/*
 * The way back out for held packets, see release.h. All sockets are opened at start, so that the egress
 * program knows every one of them by its cookie and nothing is ever held twice: six that seal and six that
 * do not, for packets as they are and for those that the kernel shall make the IP header of and
 * fragment behind ESP. IPv4 needs one of the latter per protocol: UDP, ICMP and TCP have theirs. A datagram of
 * another IPv4 protocol that does not fit, and packets with IP options or extension headers that do not
 * fit, are dropped and their sender is told.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/own.h"
#include "dataplane/packet.h"
#include "dataplane/release.h"
#include "dataplane/release_socket.h"
#include "dataplane/teller.h"

/* Which socket, among those that seal and among those that do not. */
enum place { WHOLE_V4, WHOLE_V6, PAYLOAD_V4_UDP, PAYLOAD_V4_ICMP, PAYLOAD_V4_TCP, PAYLOAD_V6, PLACES };
_Static_assert(PLACES <= HF_RELEASE_SOCKETS, "every socket's cookie must find a place in hf_config");

/* Datagrams being joined at a time, of all pairs: each is one whose last fragment a sender is about to send. */
#define JOINS 8

/* The fragments of a datagram are sent by one call; what does not follow within a second never will. */
#define JOIN_NS 1000000000ull

/* Packets that do not fit, of one handoff, whose senders are told when it is over; more of them are told at once. */
#define LATE_MAX 8

struct release {
	struct hf_agent *count;
	struct release_socket seal[PLACES];   /* never have another policy than SEAL */
	struct release_socket bypass[PLACES]; /* never have another policy than BYPASS */

	bool begun;
	struct hf_pair pair;
	struct hf_pair outer;	      /* the same, or this host and the gateway in front of the other */
	struct release_policy policy; /* how this pair's packets leave */
	uint32_t path_mtu;	      /* of the pair, 0 = not asked since release_begin */
	bool policy_later;	      /* its out-policy does not stand yet */

	struct teller teller;
	struct teller_note late[LATE_MAX]; /* wait for the pair's out-policy */
	unsigned int late_count;

	struct packet_join join[JOINS];
	uint64_t join_ns[JOINS]; /* when the first fragment was held */
	unsigned int join_next;	 /* whose place is taken when all are in use: the oldest */
};

/* ---- life ---- */

static const struct release_policy BYPASS = { .kind = RELEASE_POLICY_BYPASS };

static int open_all(struct release *release, struct err *err)
{
	static const uint8_t proto[PLACES] = {
		[PAYLOAD_V4_UDP] = IPPROTO_UDP, [PAYLOAD_V4_ICMP] = IPPROTO_ICMP, [PAYLOAD_V4_TCP] = IPPROTO_TCP
	};
	int i, rc = 0;

	for (i = 0; i < PLACES && !rc; i++) {
		bool v4 = i != WHOLE_V6 && i != PAYLOAD_V6;
		enum release_form form = i <= WHOLE_V6 ? RELEASE_FORM_PACKET : RELEASE_FORM_PAYLOAD;

		rc = release_socket_open(&release->seal[i], v4, form, proto[i], err);
		if (!rc)
			rc = release_socket_open(&release->bypass[i], v4, form, proto[i], err);
		if (!rc)
			rc = release_socket_policy(&release->bypass[i], &BYPASS);
	}
	return rc;
}

int release_open(struct release **out, struct hf_agent *count, struct err *err)
{
	struct release *release = calloc(1, sizeof(*release));
	int i, rc;

	if (!release)
		return err_set(err, -ENOMEM, "no memory for re-injection");
	release->count = count;
	release->teller.count = count;
	release->teller.v4 = &release->bypass[PAYLOAD_V4_ICMP];
	release->teller.v6 = &release->bypass[PAYLOAD_V6];
	for (i = 0; i < PLACES; i++)
		release->seal[i].fd = release->bypass[i].fd = -1;
	rc = open_all(release, err);
	if (rc) {
		release_close(release);
		return err_set(err, rc,
			       "policy on a raw socket (IP_XFRM_POLICY): %s; CAP_NET_ADMIN and a kernel with "
			       "XFRM_USER are needed",
			       strerror(-rc));
	}
	*out = release;
	return 0;
}

void release_close(struct release *release)
{
	int i;

	if (!release)
		return;
	for (i = 0; i < PLACES; i++) {
		release_socket_close(&release->seal[i]);
		release_socket_close(&release->bypass[i]);
	}
	free(release);
}

void release_cookies(const struct release *release, __u64 sealed[HF_RELEASE_SOCKETS], __u64 bypass[HF_RELEASE_SOCKETS])
{
	int i;

	memset(sealed, 0, HF_RELEASE_SOCKETS * sizeof(sealed[0]));
	memset(bypass, 0, HF_RELEASE_SOCKETS * sizeof(bypass[0]));
	for (i = 0; i < PLACES; i++) {
		sealed[i] = release_socket_cookie(&release->seal[i]);
		bypass[i] = release_socket_cookie(&release->bypass[i]);
	}
}

/* ---- telling the sender ---- */

void release_denied(struct release *release, const uint8_t *data, size_t len, uint32_t mark)
{
	teller_refuse(&release->teller, data, len, mark);
}

uint64_t release_deadline(const struct release *release)
{
	return teller_deadline(&release->teller);
}

void release_expire(struct release *release, uint64_t now)
{
	teller_expire(&release->teller, now);
}

/*
 * Which MTU? The sender's kernel enters it as the path's, and takes ESP's overhead off that a second time: with
 * the MTU inside ESP, path and overhead would chase each other downwards with every packet told. So it is the path's
 * own MTU; and one less behind ESP, because TCP only looks at a value below the one it uses. The sender
 * then asks its route anew, which has the policy now, and finds the exact MTU there.
 */
static uint32_t mtu_to_tell(struct release *release, const struct hf_slot_head *head)
{
	uint32_t min = addr_is_v4(&release->pair.remote) ? 576 : 1280;
	int path;

	if (!release->path_mtu) {
		path = release_socket_path_mtu(&release->outer, head->mark, head->ifindex);
		if (path <= 0)
			return 0;
		release->path_mtu = (uint32_t)path;
	}
	if (release->policy.kind == RELEASE_POLICY_SEAL && release->path_mtu > min)
		return release->path_mtu - 1;
	return release->path_mtu;
}

static void tell_too_big(struct release *release, const struct hf_slot_head *head, const uint8_t *data, size_t len)
{
	struct teller_note now;
	bool wait = release->policy_later && release->late_count < LATE_MAX;
	struct teller_note *note = wait ? &release->late[release->late_count] : &now;
	uint32_t mtu = mtu_to_tell(release, head);

	note->len = mtu ? packet_icmp_too_big(note->icmp, sizeof(note->icmp), data, len, mtu) : 0;
	note->mark = head->mark;
	note->ifindex = head->ifindex;
	if (wait)
		release->late_count++;
	else
		teller_say(&release->teller, note);
}

void release_tell_late(struct release *release)
{
	for (unsigned int i = 0; i < release->late_count; i++)
		teller_say(&release->teller, &release->late[i]);
	release->late_count = 0;
}

/* ---- one packet that is whole ---- */

/* The place that may fragment this packet, PLACES where its sender forbade it or the kernel cannot repeat its header. */
static enum place payload_place(const struct packet *packet)
{
	if (packet->fragment || packet->df || packet->l4_offset != (packet->v4 ? 20 : 40))
		return PLACES;
	if (!packet->v4)
		return packet->proto == IPPROTO_TCP ? PLACES : PAYLOAD_V6;
	switch (packet->proto) {
	case IPPROTO_UDP:
		return PAYLOAD_V4_UDP;
	case IPPROTO_ICMP:
		return PAYLOAD_V4_ICMP;
	case IPPROTO_TCP:
		return PAYLOAD_V4_TCP;
	}
	return PLACES;
}

/* The policy is asked for with every packet: a socket that seals has that of whichever pair it last served. */
static int send_through(struct release *release, enum place place, const struct release_policy *policy,
			const struct hf_slot_head *head, const struct packet *packet, const uint8_t *data)
{
	bool seal = policy->kind == RELEASE_POLICY_SEAL;
	struct release_socket *socket = seal ? &release->seal[place] : &release->bypass[place];
	int err = release_socket_policy(socket, policy);

	if (!err)
		err = release_socket_label(socket, head->mark, head->priority);
	if (!err)
		err = release_socket_send(socket, packet, data, head->ifindex);
	return err;
}

static int send_whole(struct release *release, const struct hf_slot_head *head, const uint8_t *data, size_t len)
{
	const struct release_policy *policy = &release->policy;
	enum place place;
	struct packet packet;
	int err = packet_parse(&packet, data, len);

	if (err)
		return err;
	err = send_through(release, packet.v4 ? WHOLE_V4 : WHOLE_V6, policy, head, &packet, data);
	place = payload_place(&packet);
	if (err != -EMSGSIZE || place == PLACES)
		return err;
	return send_through(release, place, policy, head, &packet, data);
}

static void count_sent(struct release *release, int err)
{
	struct hf_agent *count = release->count;

	if (err == -EMSGSIZE)
		count->drop_too_big++;
	else if (err)
		count->drop_error++;
	else if (release->policy.kind == RELEASE_POLICY_SEAL)
		count->released_sealed++;
	else
		count->released_clear++;
}

static void release_whole(struct release *release, const struct hf_slot_head *head, uint8_t *data, size_t len)
{
	int err = packet_complete(data, len);

	if (!err)
		err = send_whole(release, head, data, len);
	if (err == -EMSGSIZE)
		tell_too_big(release, head, data, len);
	count_sent(release, err);
}

/* ---- GSO ---- */

struct cutting {
	struct release *release;
	const struct hf_slot_head *head;
	int err; /* of the first segment that was not sent */
};

/* The walk goes on after a failure: each segment is a packet of its own, and a shorter last one may fit. */
static int send_segment(void *arg, uint8_t *segment, size_t len)
{
	struct cutting *cutting = arg;
	int err = send_whole(cutting->release, cutting->head, segment, len);

	if (err == -EMSGSIZE && !cutting->err)
		tell_too_big(cutting->release, cutting->head, segment, len);
	if (!cutting->err)
		cutting->err = err;
	return 0;
}

/* A held packet counts once, by the first of its segments that met trouble. */
static void release_gso(struct release *release, const struct hf_slot_head *head, uint8_t *data)
{
	struct cutting cutting = { release, head, 0 };
	int segments = packet_segment(data, head->len, head->gso_size, send_segment, &cutting);

	if (segments < 0) {
		release->count->drop_malformed++;
		return;
	}
	release->count->segments += (unsigned int)segments - 1;
	count_sent(release, cutting.err);
}

/* ---- fragments ---- */

static void drop_join(struct release *release, struct packet_join *join)
{
	release->count->drop_malformed += join->fragments;
	packet_join_clear(join);
}

static bool try_join(struct release *release, int at, const struct hf_slot_head *head, const uint8_t *data)
{
	struct packet_join *join = &release->join[at];
	unsigned int had = join->fragments;
	enum packet_join_result result = packet_join_add(join, data, head->len);

	if (result == PACKET_JOIN_OTHER)
		return false;
	if (join->fragments == 1) {
		release->count->drop_malformed += had; /* the datagram began anew */
		release->join_ns[at] = head->time_ns;
	}
	if (result == PACKET_JOIN_WHOLE) {
		release->count->reassembled += join->fragments - 1;
		release_whole(release, head, join->data, join->len);
		packet_join_clear(join);
	}
	return true;
}

/*
 * Sealed one by one in transport mode, fragments do not arrive, so they wait for the rest of their datagram, also
 * from one drain of the queue to the next: the sender may be in the middle of it. One that never becomes whole (a
 * fragment gave way to a newer packet in the full queue) is no packet any more: its fragments count as malformed.
 */
static void gather(struct release *release, const struct hf_slot_head *head, const uint8_t *data)
{
	int i;

	for (i = 0; i < JOINS; i++) {
		if (release->join[i].len && head->time_ns > release->join_ns[i] + JOIN_NS)
			drop_join(release, &release->join[i]);
		if (release->join[i].len && try_join(release, i, head, data))
			return;
	}
	for (i = 0; i < JOINS && release->join[i].len; i++)
		;
	if (i == JOINS) {
		i = (int)release->join_next;
		release->join_next = (release->join_next + 1) % JOINS;
		drop_join(release, &release->join[i]);
	}
	if (!try_join(release, i, head, data))
		release->count->drop_malformed++;
}

/* ---- one pair ---- */

int release_begin(struct release *release, const struct hf_pair *pair, const struct release_how *how, struct err *err)
{
	struct release_policy policy = BYPASS;
	struct hf_pair outer = *pair;
	char text[PAIR_TEXT_MAX];
	int rc;

	release_end(release);
	if (addr_is_v4(&pair->local) != addr_is_v4(&pair->remote) || (how->sealed && !how->reqid))
		return err_set(err, -EINVAL, "%s: cannot be released", pair_format(text, pair));
	if (how->sealed) {
		policy = (struct release_policy){ .kind = RELEASE_POLICY_SEAL,
						  .tunnel = how->tunnel,
						  .reqid = how->reqid };
		if (how->tunnel && !addr_is_none(&how->gateway))
			outer.remote = how->gateway;
		if (how->tunnel)
			policy.pair = outer;
		rc = release_socket_policy(&release->seal[addr_is_v4(&pair->local) ? WHOLE_V4 : WHOLE_V6], &policy);
		if (rc)
			return err_set(err, rc, "%s: policy on a raw socket: %s", pair_format(text, pair),
				       strerror(-rc));
	}
	release->pair = *pair;
	release->outer = outer;
	release->policy = policy;
	release->policy_later = how->policy_later;
	release->path_mtu = 0;
	release->begun = true;
	return 0;
}

static void release_sealed(struct release *release, const struct hf_slot_head *head, const struct packet *packet,
			   const uint8_t *data)
{
	if (send_through(release, packet->v4 ? WHOLE_V4 : WHOLE_V6, &BYPASS, head, packet, data))
		release->count->drop_error++;
	else
		release->count->passed_sealed++;
}

void release_packet(struct release *release, const struct hf_slot_head *head, uint8_t *data)
{
	struct hf_agent *count = release->count;
	struct packet packet;

	if (!release->begun) {
		count->drop_error++;
		return;
	}
	if (packet_parse(&packet, data, head->len)) {
		count->drop_malformed++;
		return;
	}
	/* What policy allows one pair is no word about another, whatever brought its packet here. */
	if (!addr_equal(&packet.src, &release->pair.local) || !addr_equal(&packet.dst, &release->pair.remote)) {
		count->drop_malformed++;
		return;
	}
	if (head->held == HF_HELD_SEALED)
		release_sealed(release, head, &packet, data);
	else if (head->gso_size)
		release_gso(release, head, data);
	else if (packet.fragment && release->policy.kind == RELEASE_POLICY_SEAL && !release->policy.tunnel)
		gather(release, head, data);
	else
		release_whole(release, head, data, head->len);
}

void release_end(struct release *release)
{
	release->begun = false;
}
