#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the datapath knows can be read without the agent: `bpftool map dump pinned /sys/fs/bpf/holdfast/...` of each map
# prints the fields by name. So is what is held, down to the octets of the packet.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2     private; 10.9.0.9 never answers
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool

lan a b
on a ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev eth0
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
configure b private 10.9.0.0/24 fd09::/64
setting a limits 'hold_slots = 64
hold_big_slots = 1
hold_queues = 16
hold_age_seconds = 60'
setting a policy 'resolvers = 192.0.2.53'
serve b
agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128"
agent a --mute 10.9.0.9/32
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --strict
on a "$HFPROBE" udp 10.9.0.9 --wait-ms 0 >/dev/null
waits() { on a bpftool map dump pinned /sys/fs/bpf/holdfast/hf_gate | grep -q HF_VERDICT_HOLD; }
wait_for 20 waits
one_waits() { [ "$(held_of a)" = 1+0+1 ]; }
wait_for 10 one_waits # the secured pair's queue is given back a moment after its handoff
stop agent-a

declare -A fields=(
	[hf_policy]='prefix_len addr octet group'
	[hf_gate]='local remote octet verdict group flags until_ns handoff_until_ns'
	[hf_hold]='local remote queue opening'
	[hf_queue]='owner taken bytes reported state first_ns pair slot'
	[hf_slot]='head owner len pair time_ns ifindex mark priority gso_size held data'
	[hf_slot_big]='head owner len pair time_ns data'
	[hf_exempt]='octet flags'
	[hf_config]='abi_version flags handoffs sealed_cookie bypass_cookie'
	[hf_budget]='second denied'
	[hf_count]='cpu out_esp out_clear held drop_block in_esp events_lost malformed_passed'
	[hf_agent]='released_sealed released_clear drop_expired told_sender'
)
for map in $(on a ls /sys/fs/bpf/holdfast); do
	case $map in
	hf_ring) on a bpftool map show pinned /sys/fs/bpf/holdfast/hf_ring | grep ringbuf >/dev/null ;;
	links) continue ;; # TCX
	*)
		[ -n "${fields[$map]:-}" ] || fail "$map is pinned and this test does not know it"
		on a bpftool map dump pinned "/sys/fs/bpf/holdfast/$map" >"$WORK/$map.dump"
		for field in ${fields[$map]}; do
			grep -q "\"$field\":" "$WORK/$map.dump" || fail "$map has no field $field: $(head -c 500 "$WORK/$map.dump")"
		done
		unset "fields[$map]"
		;;
	esac
	ok "$map"
done
[ ${#fields[@]} = 0 ] || fail "not pinned: ${!fields[*]}"

# Names of values, too, and what is known to be there.
grep -q '"verdict": "HF_VERDICT_SECURE"' "$WORK/hf_gate.dump" || fail "no SECURE pair: $(cat "$WORK/hf_gate.dump")"
grep -q '"verdict": "HF_VERDICT_HOLD"' "$WORK/hf_gate.dump" || fail "no HOLD pair: $(cat "$WORK/hf_gate.dump")"
grep -q '"group": "HF_GROUP_PRIVATE"' "$WORK/hf_policy.dump" || fail "no private prefix: $(cat "$WORK/hf_policy.dump")"
check_eq "$(grep -c '"owner": [1-9]' "$WORK/hf_slot.dump")" 1 "packets held, seen in hf_slot"
check_eq "$(grep -c '"owner": 1' "$WORK/hf_queue.dump")" 1 "queues in use, seen in hf_queue"
check_eq "$(grep -c '"queue":' "$WORK/hf_hold.dump")" 1 "pairs waiting, seen in hf_hold"
cat "$WORK/hf_gate.dump" "$WORK/hf_hold.dump"
