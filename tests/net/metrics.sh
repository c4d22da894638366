#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 170
#
# Metrics of a working agent, scraped over HTTP: off unless asked for, on loopback only, the same numbers as `status --json`
# prints, readable for Prometheus' own parser; also through a Unix socket, and moved by a reload.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2, c 10.9.0.3 (no IKE)
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:jq cmd:curl

lan a b c
for h in b c; do neighbours a "$h"; done
private_hosts a b
setting a agent 'metrics = 127.0.0.1:9879'
pin a b
pin b a
for h in a b; do product "$h"; done
serve b

scrape() { on a curl -sS --max-time 10 "$@"; }

# Something of each kind: sealed, held, denied for want of a key, a pair that ended.
out=$(on a "$HFPROBE" udp "$(addr b)" --count 20 --complete) || fail "udp: $out"
out=$(on a "$HFPROBE" ping "$(addr6 b)" --count 3 --strict) || fail "ping: $out"
on a "$HOLDFAST" forget "$(addr6 b)"
out=$(on a "$HFPROBE" udp "$(addr c)" --count 3 --interval-ms 100 --wait-ms 500) || true
wait_for 10 is_calm a

# ---- the same numbers

# Each pair is read before and after the scrape: what counts meanwhile may lie between.
pairs='
.packets.out_esp               holdfast_packets_passed_total{direction="out",how="esp"}
.packets.in_esp                holdfast_packets_passed_total{direction="in",how="esp"}
.packets.out_exempt            holdfast_packets_passed_total{direction="out",how="exempt"}
.packets.drop_block            holdfast_packets_dropped_total{direction="out",reason="block"}
.packets.held                  holdfast_packets_held_total
.packets.events                holdfast_gate_events_total
.released.released_sealed      holdfast_held_packets_released_total{how="sealed"}
.released.drop_denied          holdfast_held_packets_dropped_total{reason="denied"}
.released.told_sender          holdfast_senders_told_total
.held.packets.used             holdfast_held_packets{size="small"}
.held.packets.max              holdfast_held_packets_max{size="small"}
.gate.verdicts.secure          holdfast_gate_entries{verdict="secure"}
.gate.max                      holdfast_gate_entries_max
.peers.secure                  holdfast_peers{state="secure"}
.peers.secured_ever            holdfast_pairs_secured_total
.failures.lookup               holdfast_pair_failures_total{reason="lookup"}
.policies.private              holdfast_policy_prefixes{group="private"}
.ike.established               holdfast_ike_sas{state="established"}
.ike.children                  holdfast_child_sas
.ike.ended.closed              holdfast_ike_ended_total{reason="closed"}
.ike.messages.datagrams        holdfast_ike_messages_total{event="datagrams"}
.ike.lifetimes.count           holdfast_child_sa_lifetime_seconds_count
.discovery.keys                holdfast_discovery_lookups_total{result="key"}
.discovery.failed              holdfast_discovery_lookups_total{result="failed"}
.discovery.pinned              holdfast_discovery_hosts{source="pin"}
.discovery.known               holdfast_known_peers
'
on a "$HOLDFAST" status --json >"$WORK/before.json"
scrape -D "$WORK/head" http://127.0.0.1:9879/metrics >"$WORK/metrics"
on a "$HOLDFAST" status --json >"$WORK/after.json"
grep -qi '^content-type: text/plain; version=0.0.4' "$WORK/head" || fail "content type: $(cat "$WORK/head")"
zeros=0
while read -r path series; do
	[ -n "$path" ] || continue
	have=$(awk -v s="$series" '$1 == s { print $2; n++ } END { exit n != 1 }' "$WORK/metrics") || fail "$series: not there once"
	low=$(jq -e "$path" "$WORK/before.json") high=$(jq -e "$path" "$WORK/after.json")
	[ "$low" -le "$have" ] && [ "$have" -le "$high" ] || fail "$series is $have, status said $low, then $high"
	[ "$have" != 0 ] || { zeros=$((zeros + 1)); echo "0: $series"; }
done <<<"$pairs"
# A number that is 0 on both sides proves little. What has been let go again is.
check_eq "$zeros" 1 "numbers that are 0: that of packets waiting now"
check "$(grep -c '^holdfast_' "$WORK/metrics")" -ge 120 "series"

# ---- as others read it

if on a python3 -c 'import prometheus_client.parser' 2>/dev/null; then
	on a python3 -c '
import sys, prometheus_client.parser as p
families = list(p.text_string_to_metric_families(open(sys.argv[1]).read()))
kinds = {f.type for f in families}
assert kinds == {"counter", "gauge", "histogram"}, kinds
assert all(f.documentation and f.samples for f in families)
print(len(families), "metrics,", sum(len(f.samples) for f in families), "series")' "$WORK/metrics"
else
	echo "python3-prometheus-client is not here: its parser was not asked"
fi
if command -v promtool >/dev/null; then
	promtool check metrics <"$WORK/metrics"
	promtool check rules "$REPO/dist/prometheus/holdfast.rules.yml"
else
	echo "promtool is not here (Debian: prometheus): not asked"
fi

# ---- who may ask

rc=0
on b curl -sS --max-time 5 "http://$(addr a):9879/metrics" >"$WORK/stranger" 2>&1 || rc=$?
[ "$rc" != 0 ] || fail "another host was answered: $(cat "$WORK/stranger")"
check_eq "$(scrape -o /dev/null -w '%{http_code}' http://127.0.0.1:9879/other)" 404 "another page"

# A reload moves it; a bad value changes nothing.
on a sed -i 's|^metrics = .*|metrics = /run/holdfast/metrics.sock|' /etc/holdfast/holdfast.conf
kill -HUP "$(pid_of agent-a)"
served() {
	local out
	out=$(scrape --unix-socket /run/holdfast/metrics.sock http://holdfast/metrics) && grep -q '^holdfast_uptime_seconds ' <<<"$out"
}
wait_for 5 served
check_eq "$(on a stat -c %a /run/holdfast/metrics.sock)" 660 "mode of the socket"
if scrape http://127.0.0.1:9879/metrics >/dev/null 2>&1; then fail "the old port is still served"; fi
on a sed -i 's|^metrics = .*|metrics = 0.0.0.0:9879|' /etc/holdfast/holdfast.conf
kill -HUP "$(pid_of agent-a)"
wait_for 5 grep -q 'holdfast.conf:.*0.0.0.0:9879 is not loopback' "$WORK/agent-a.log"
served || fail "the socket is gone after a reload that failed"
on a sed -i 's|^metrics = .*|metrics = off|' /etc/holdfast/holdfast.conf
kill -HUP "$(pid_of agent-a)"
wait_for 5 sh -c '! [ -e "$1" ]' sh "/proc/$(pid_of agent-a)/root/run/holdfast/metrics.sock"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --complete) || fail "udp, in the end: $out"
