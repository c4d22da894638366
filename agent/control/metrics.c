// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics, see metrics.h. Counters of one kind are one metric, told apart by labels, wherever a sum over them makes sense: a packet
 * is counted once in holdfast_packets_passed_total, _held_total or _dropped_total.
 */
#include "control/metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdbool.h>
#include <string.h>

/*
 * `path` finds the number in the status. Of a row without labels it is the only one; where it is an object, each number in it is a
 * series, told apart by the one label named here. Rows of one metric follow each other, the first has the help.
 */
struct row {
	const char *name, *path, *labels, *help;
};

#define PASSED "holdfast_packets_passed_total"
#define DROPPED "holdfast_packets_dropped_total"
#define GIVEN_UP "holdfast_held_packets_dropped_total"
#define RELEASED "holdfast_held_packets_released_total"
#define OUT(how) "direction=\"out\",how=\"" how "\""
#define IN(how) "direction=\"in\",how=\"" how "\""
#define WHY(direction, reason) "direction=\"" direction "\",reason=\"" reason "\""
#define LIMIT(name) "limit=\"" name "\""

static const struct row rows[] = {
	{ "holdfast_uptime_seconds", "uptime", NULL, "Seconds since the agent started." },
	{ "holdfast_interfaces", "interfaces", NULL, "Interfaces the programs are attached to." },
	{ "holdfast_problems", "problems", NULL, "What an operator should mend; holdfast status says what." },
	{ "holdfast_policy_prefixes", "policies", "group", "Prefixes in the policy files." },
	/* pairs */
	{ "holdfast_peers", "peers.idle", "state=\"idle\"", "Pairs of hosts that the agent knows, by state." },
	{ "holdfast_peers", "peers.lookup", "state=\"lookup\"", NULL },
	{ "holdfast_peers", "peers.negotiate", "state=\"negotiate\"", NULL },
	{ "holdfast_peers", "peers.install", "state=\"install\"", NULL },
	{ "holdfast_peers", "peers.handoff", "state=\"handoff\"", NULL },
	{ "holdfast_peers", "peers.secure", "state=\"secure\"", NULL },
	{ "holdfast_peers", "peers.clear", "state=\"clear\"", NULL },
	{ "holdfast_peers", "peers.denied", "state=\"denied\"", NULL },
	{ "holdfast_peers_known", "peers.total", NULL, "Pairs of hosts that the agent knows." },
	{ "holdfast_peers_max", "peers.max", NULL, "Room for pairs." },
	{ "holdfast_pairs_secured_total", "peers.secured_ever", NULL, "Times that a pair became secure." },
	{ "holdfast_pair_failures_total", "failures", "reason", "Attempts to secure a pair that failed." },
	{ "holdfast_pairs_closed_idle_total", "agent.closed_idle", NULL, "Pairs that ended because nobody used them." },
	{ "holdfast_pairs_withdrawn_total", "peers.withdrawn_ever", NULL,
	  "Pairs that ended because their key was withdrawn." },
	{ "holdfast_probes_total", "agent.probes", NULL, "Peers asked for a sign of life: sent to, not heard." },
	{ "holdfast_limit_reached_total", "agent.peers_full", LIMIT("peers"), "Times that a bound of [limits] bit." },
	{ "holdfast_limit_reached_total", "agent.peers_evicted", LIMIT("peers_evicted"), NULL },
	{ "holdfast_limit_reached_total", "agent.gate_full", LIMIT("gate_entries"), NULL },
	{ "holdfast_limit_reached_total", "agent.handoffs_cut", LIMIT("handoff"), NULL },
	/* the gate */
	{ "holdfast_gate_entries", "gate.verdicts", "verdict", "Pairs that the gate has a verdict for." },
	{ "holdfast_gate_entries_known", "gate.used", NULL, "Pairs that the gate has any verdict for." },
	{ "holdfast_gate_entries_max", "gate.max", NULL, "Room for verdicts." },
	/* packets */
	{ PASSED, "packets.out_esp", OUT("esp"), "Packets that passed the gate." },
	{ PASSED, "packets.out_clear", OUT("clear"), NULL },
	{ PASSED, "packets.out_by_policy", OUT("policy"), NULL },
	{ PASSED, "packets.out_released", OUT("released"), NULL },
	{ PASSED, "packets.out_exempt", OUT("exempt"), NULL },
	{ PASSED, "packets.out_not_ip", OUT("not_ip"), NULL },
	{ PASSED, "packets.in_esp", IN("esp"), NULL },
	{ PASSED, "packets.in_decrypted", IN("decrypted"), NULL },
	{ PASSED, "packets.in_pass", IN("clear"), NULL },
	{ PASSED, "packets.in_exempt", IN("exempt"), NULL },
	{ PASSED, "packets.in_not_ip", IN("not_ip"), NULL },
	{ PASSED, "packets.malformed_passed", "direction=\"any\",how=\"malformed\"", NULL },
	{ DROPPED, "packets.drop_block", WHY("out", "block"), "Packets that the gate dropped." },
	{ DROPPED, "packets.drop_pair_full", WHY("out", "pair_full"), NULL },
	{ DROPPED, "packets.drop_slots_full", WHY("out", "slots_full"), NULL },
	{ DROPPED, "packets.drop_queues_full", WHY("out", "queues_full"), NULL },
	{ DROPPED, "packets.drop_too_big", WHY("out", "too_big"), NULL },
	{ DROPPED, "packets.drop_copy", WHY("out", "copy"), NULL },
	{ DROPPED, "packets.drop_reinjected", WHY("out", "reinjected"), NULL },
	{ DROPPED, "packets.drop_race", WHY("out", "race"), NULL },
	{ DROPPED, "packets.drop_malformed", WHY("out", "malformed"), NULL },
	{ DROPPED, "packets.in_drop_clear", WHY("in", "clear"), NULL },
	{ DROPPED, "packets.in_drop_block", WHY("in", "block"), NULL },
	{ DROPPED, "packets.in_drop_malformed", WHY("in", "malformed"), NULL },
	{ "holdfast_packets_held_total", "packets.held", NULL, "Packets that the gate held." },
	{ "holdfast_packets_held_stray_total", "packets.held_stray", NULL,
	  "Of these, clear packets of a secure pair." },
	{ "holdfast_packets_held_sealed_total", "packets.held_sealed", NULL,
	  "Of these, ESP that waited for its turn." },
	{ "holdfast_gate_events_total", "packets.events", NULL, "Reports of the gate to the agent." },
	{ "holdfast_dns_answers_seen_total", "packets.answers", "copied=\"yes\"",
	  "DNS answers of the configured resolvers, as hints which name an address has." },
	{ "holdfast_dns_answers_seen_total", "packets.answers_lost", "copied=\"no\"", NULL },
	{ "holdfast_gate_events_lost_total", "packets.events_lost", NULL,
	  "Reports that came late: the ring was full." },
	/* what waits, and what became of it */
	{ "holdfast_held_packets", "held.packets.used", "size=\"small\"", "Packets that wait now." },
	{ "holdfast_held_packets", "held.big_packets.used", "size=\"big\"", NULL },
	{ "holdfast_held_packets_max", "held.packets.max", "size=\"small\"", "Room for packets that wait." },
	{ "holdfast_held_packets_max", "held.big_packets.max", "size=\"big\"", NULL },
	{ "holdfast_held_pairs", "held.pairs.used", NULL, "Pairs whose packets wait now." },
	{ "holdfast_held_pairs_max", "held.pairs.max", NULL, "Room for pairs whose packets wait." },
	{ RELEASED, "released.released_sealed", "how=\"sealed\"", "Held packets that were sent." },
	{ RELEASED, "released.released_clear", "how=\"clear\"", NULL },
	{ RELEASED, "released.passed_sealed", "how=\"esp\"", NULL },
	{ GIVEN_UP, "released.drop_expired", "reason=\"expired\"", "Held packets that were dropped." },
	{ GIVEN_UP, "released.drop_denied", "reason=\"denied\"", NULL },
	{ GIVEN_UP, "released.drop_too_big", "reason=\"too_big\"", NULL },
	{ GIVEN_UP, "released.drop_error", "reason=\"error\"", NULL },
	{ GIVEN_UP, "released.drop_changed", "reason=\"changed\"", NULL },
	{ GIVEN_UP, "released.drop_malformed", "reason=\"malformed\"", NULL },
	{ "holdfast_held_segments_total", "released.segments", NULL, "Packets more, because large ones were cut." },
	{ "holdfast_held_reassembled_total", "released.reassembled", NULL, "Fragments that were joined again." },
	{ "holdfast_senders_told_total", "released.told_sender", NULL, "ICMP errors given to local senders." },
	/* IKE */
	{ "holdfast_ike_sas", "ike.half_open", "state=\"half_open\"", "IKE SAs." },
	{ "holdfast_ike_sas", "ike.established", "state=\"established\"", NULL },
	{ "holdfast_ike_sas_max", "ike.max", NULL, "Room for IKE SAs." },
	{ "holdfast_child_sas", "ike.children", NULL, "Pairs of ESP SAs that IKE knows." },
	{ "holdfast_ike_memory_blocks", "ike.blocks", NULL, "Blocks of message memory in use, 256 octets each." },
	{ "holdfast_ike_memory_blocks_max", "ike.blocks_max", NULL, "Blocks of message memory." },
	{ "holdfast_ike_established_total", "ike.initiated", "role=\"initiator\"", "IKE SAs that were established." },
	{ "holdfast_ike_established_total", "ike.responded", "role=\"responder\"", NULL },
	{ "holdfast_ike_ended_total", "ike.ended", "reason", "IKE SAs and attempts that ended." },
	{ "holdfast_ike_authentication_failures_total", "ike.authentication_failed", NULL,
	  "Peers that did not prove their key." },
	{ "holdfast_ike_renewals_full_total", "ike.renewals_full", NULL,
	  "SAs that ended before those of the peer's next key were there, because too many peers had another one." },
	{ "holdfast_ike_messages_total", "ike.messages", "event",
	  "IKE messages by what became of them; they overlap." },
	/* the shield in front of IKE */
	{ "holdfast_shield_up", "shield.up", NULL,
	  "1 while everybody is asked for a cookie before the kernel sees him." },
	{ "holdfast_shield_processors", "shield.spread_over", NULL,
	  "Processors that ESP is spread over; 0: it is not." },
	{ "holdfast_shield_messages_total", "shield.messages", "event",
	  "IKE messages at the shield by what became of them, clear packets stopped, ESP spread; they overlap." },
	/* discovery */
	{ "holdfast_discovery_lookups_total", "discovery.keys", "result=\"key\"", "Questions for a host's key." },
	{ "holdfast_discovery_lookups_total", "discovery.no_key", "result=\"no_key\"", NULL },
	{ "holdfast_discovery_lookups_total", "discovery.failed", "result=\"failed\"", NULL },
	{ "holdfast_discovery_asked_total", "discovery.asked", NULL, "Questions for a host's key, answered or not." },
	{ "holdfast_discovery_hosts", "discovery.pinned", "source=\"pin\"", "Hosts whose key is known." },
	{ "holdfast_discovery_hosts", "discovery.listed", "source=\"directory\"", NULL },
	{ "holdfast_discovery_dns_addresses", "discovery.dns_remembered", "state=\"remembered\"",
	  "Addresses that DNSSEC was asked for." },
	{ "holdfast_discovery_dns_addresses", "discovery.dns_asking", "state=\"asking\"", NULL },
	{ "holdfast_discovery_dns_refused_total", "discovery.dns_refused", NULL,
	  "Addresses not asked for, because too many were." },
	{ "holdfast_discovery_hints", "discovery.hints", NULL, "Names that addresses may have, heard or of hosts(5)." },
	{ "holdfast_discovery_hints_refused_total", "discovery.hints_refused", NULL,
	  "Names not taken, because a resolver's answers had too many." },
	{ "holdfast_known_peers", "discovery.known", NULL, "Addresses once reached securely, never in clear again." },
	{ "holdfast_directory_serial", "discovery.directory_serial", NULL, "Serial of the directory in force." },
	{ "holdfast_directory_expiry_timestamp_seconds", "discovery.directory_expires", NULL,
	  "When the directory in force ends, seconds since 1970." },
	{ "holdfast_directories_rejected_total", "discovery.directories_rejected", NULL,
	  "Directories that were refused." },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define LIFETIME "holdfast_child_sa_lifetime_seconds"

static const json_t *find(const json_t *json, const char *path)
{
	char part[32];

	while (json && *path) {
		size_t len = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		json = json_object_get(json, part);
		path += len + (path[len] == '.');
	}
	return json;
}

/* A label's value: of three characters the text format wants the escaped form. */
static void add_escaped(struct evbuffer *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '\n')
			evbuffer_add(out, "\\n", 2);
		else
			evbuffer_add_printf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	}
}

static void add_head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* By the conventions, counters and nothing else end like this. */
static bool is_counter(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && strcmp(name + len - 6, "_total") == 0;
}

static void add_each(struct evbuffer *out, const struct row *row, const json_t *object)
{
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		if (!json_is_integer(value))
			continue;
		evbuffer_add_printf(out, "%s{%s=\"", row->name, row->labels);
		add_escaped(out, key);
		evbuffer_add_printf(out, "\"} %lld\n", (long long)json_integer_value(value));
	}
}

static void add_row(struct evbuffer *out, const struct row *row, const json_t *value)
{
	if (json_is_object(value))
		add_each(out, row, value);
	else
		evbuffer_add_printf(out, "%s%s%s%s %lld\n", row->name, row->labels ? "{" : "",
				    row->labels ? row->labels : "", row->labels ? "}" : "",
				    json_is_array(value) ? (long long)json_array_size(value)
							 : (long long)json_integer_value(value));
}

static void add_lifetimes(struct evbuffer *out, const json_t *lifetimes)
{
	const json_t *within = json_object_get(lifetimes, "within"), *value;
	long long count = (long long)json_integer_value(json_object_get(lifetimes, "count"));
	const char *end;

	if (!lifetimes)
		return;
	add_head(out, LIFETIME, "histogram", "How old pairs of ESP SAs became, of those that ended.");
	json_object_foreach((json_t *)within, end, value)
		evbuffer_add_printf(out, LIFETIME "_bucket{le=\"%s\"} %lld\n", end,
				    (long long)json_integer_value(value));
	evbuffer_add_printf(out, LIFETIME "_bucket{le=\"+Inf\"} %lld\n" LIFETIME "_sum %lld\n" LIFETIME "_count %lld\n",
			    count, (long long)json_integer_value(json_object_get(lifetimes, "sum")), count);
}

static void add_build(struct evbuffer *out, const json_t *status)
{
	static const char *const labels[] = { "version", "kernel", "attach" };

	add_head(out, "holdfast_build_info", "gauge", "Always 1; the labels say what runs.");
	evbuffer_add_printf(out, "holdfast_build_info{");
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		evbuffer_add_printf(out, "%s%s=\"", i ? "," : "", labels[i]);
		add_escaped(out, json_string_value(json_object_get(status, labels[i])));
		evbuffer_add_printf(out, "\"");
	}
	evbuffer_add_printf(out, "} 1\n");
}

int metrics_write(struct evbuffer *out, const json_t *status)
{
	size_t before = evbuffer_get_length(out);

	add_build(out, status);
	for (size_t i = 0; i < ROWS; i++) {
		const json_t *value = find(status, rows[i].path);

		if (!value || json_is_null(value))
			continue;
		if (rows[i].help)
			add_head(out, rows[i].name, is_counter(rows[i].name) ? "counter" : "gauge", rows[i].help);
		add_row(out, &rows[i], value);
	}
	add_lifetimes(out, find(status, "ike.lifetimes"));
	return evbuffer_get_length(out) > before ? 0 : -ENOMEM;
}
