#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 300
#
# The shield and XDP programs of somebody else on one interface, by libxdp's dispatcher: theirs was there before ours, theirs comes
# after ours, goes, and stays when ours goes, all of it while strangers flood. Ours is first: what the shield answers they do not see, and
# what they see of IKE the shield has let pass, also while an agent takes over from a killed one. No second copy is left in the
# dispatcher. An interface that comes later gets the same from a confined agent. An agent that lacks the capability says it.
#
#     a 10.9.0.1, shield = on ---- [switch lan0] ---- s 10.9.0.2 the stranger
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/shield_beside.inc"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool cmd:jq cmd:setpriv cmd:xdp-loader xdp_dispatcher

lan a s
neighbours a s
private_hosts a
setting a agent 'shield = on'

# What the other was shown of IKE since `watch_ike`, the shield has let pass; in that time it answered fifty.
watch_ike() { passed=$(count init_passed) answered=$(count cookies_sent) shown=$(seen one ike); }
check_ike() {
	local shown_now
	wait_for 60 answered_more 50 "$answered"
	shown_now=$(seen one ike)
	check "$((shown_now - shown))" -le $(($(count init_passed) - passed)) "IKE requests shown to the other program, $1"
}

# ---- theirs was there before

other one eth0 40
product a
is_there eth0 'generic beside 1 in the dispatcher' || fail "the shield: $(tail -n 3 "$WORK/agent-a.log")"
on a "$HOLDFAST" doctor >"$WORK/doctor" || true
grep -q 'ok *XDP programs of others beside the shield' "$WORK/doctor" || fail "doctor: $(cat "$WORK/doctor")"
grep -q 'ok *shield in front of IKE (XDP) (eth0 generic beside 1' "$WORK/doctor" || fail "doctor: $(cat "$WORK/doctor")"
# Of four sites, each of which asks too much, so that they are asked for cookies however slow the lab is.
bg s flood "$HFPROBE" strangers "$(addr a)" --src 198.18.0.1 --hosts 4 --count 1000000 --rate 300
watch_ike
check_ike "both there"
goes_on one

# ---- a new agent takes over: without a moment without, without a second copy

watch_ike
stop agent-a KILL
goes_on one
product a
is_there eth0 'generic beside 1 in the dispatcher' || fail "the shield: $(tail -n 3 "$WORK/agent-a.log")"
check_eq "$(ids eth0 hf_shield_guest | wc -l)" 1 "shields in the dispatcher"
check_ike "while an agent took over"

# ---- another one comes after ours, and goes

watch_ike
other two eth0 60
is_there eth0 'generic beside 2 in the dispatcher' || fail "it is $(where eth0)"
goes_on two
other_gone eth0
is_there eth0 'generic beside 1 in the dispatcher' || fail "it is $(where eth0)"
check_ike "while another one came and went"

# ---- an interface that comes later, to a confined agent; its child has what that gave up

status_of_process() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
porter=$(ps -o pid= --ppid "$(pid_of agent-a)") || fail "the agent has no child"
# CAP_NET_ADMIN (12), CAP_NET_RAW (13), CAP_BPF (39); CAP_SYS_ADMIN (21), CAP_PERFMON (38)
check_eq "$(status_of_process "$(pid_of agent-a)" CapPrm)" 0000008000003000 "capabilities of the agent"
check_eq "$(status_of_process $porter CapPrm)" 000000c000201000 "of its child"
check_eq "$(status_of_process $porter Seccomp)" 2 "filter of system calls of its child"
on a ip link add late type dummy
wait_for 20 is_there late 'generic alone in the dispatcher'
other late late 40
is_there late 'generic beside 1 in the dispatcher' || fail "it is $(where late)"
late=$(on a cat /sys/class/net/late/ifindex)
on a ip link del late
no_pins() { ! on a ls /sys/fs/bpf/xdp | grep "dispatch-$late-" >/dev/null; }
wait_for 20 no_pins

# ---- it goes and comes, theirs stays

stop agent-a
on a "$HOLDFAST" unload
check_eq "$(ids eth0 hf_shield_guest | wc -l)" 0 "shields after unload"
goes_on one
product a
is_there eth0 'generic beside 1 in the dispatcher' || fail "the shield: $(tail -n 3 "$WORK/agent-a.log")"
stop agent-a
on a sed -i 's/shield = on/shield = off/' /etc/holdfast/holdfast.conf
product a
check_eq "$(ids eth0 hf_shield_guest | wc -l)" 0 "shields with shield = off"
goes_on one
stop agent-a

# ---- the other order; and without the other, ours stays in a dispatcher of its own

on a sed -i 's/shield = off/shield = on/' /etc/holdfast/holdfast.conf
other_gone eth0
product a
is_there eth0 'generic alone in the dispatcher' || fail "the shield: $(tail -n 3 "$WORK/agent-a.log")"
on a rm -r /sys/fs/bpf/one
other one eth0 40
is_there eth0 'generic beside 1 in the dispatcher' || fail "it is $(where eth0)"
goes_on one
watch_ike
check_ike "that came after ours"
stop agent-a
on a "$HOLDFAST" unload
check_eq "$(ids eth0 hf_shield_guest | wc -l)" 0 "shields after unload"
goes_on one

# ---- who lacks the capability stands back, and says why

rm -f "$WORK/agent-a.log"
bg a agent-a setpriv --bounding-set=-sys_admin "$HOLDFAST" run --foreground
wait_for 20 agent_runs a || fail "the agent without CAP_SYS_ADMIN did not start"
grep -q 'eth0: no shield in front of IKE there: .* CAP_SYS_ADMIN' "$WORK/agent-a.log" || fail "not said: $(cat "$WORK/agent-a.log")"
check_eq "$(shield interfaces.eth0)" none "shield of an agent without CAP_SYS_ADMIN"
goes_on one
stop agent-a

# ---- nor does it go into a virtual interface's driver, or where a program came without a dispatcher

stands_back() { # WHY
	product a
	grep -q "eth0: no shield in front of IKE there: .*$1" "$WORK/agent-a.log" || fail "not said: $(cat "$WORK/agent-a.log")"
	check_eq "$(shield interfaces.eth0)" none "shield of an agent that stands back"
	stop agent-a
}
other_gone eth0
other three eth0 40 native
stands_back 'driver of a virtual interface'
goes_on three
other_gone eth0
on a bpftool prog loadall "$B/bpf/xdp_other.bpf.o" /sys/fs/bpf/four type xdp
on a ip link set eth0 xdpgeneric pinned /sys/fs/bpf/four/xdp_other
stands_back 'not put there by libxdp'
on a ip link show eth0 | grep xdpgeneric >/dev/null || fail "somebody else's program is gone"
stop flood
