#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 300
#
# Fault tour of what an agent keeps and reads: a directory file that was written by half, under a running agent and at its start; a state
# folder on a disk that is full, before, during and after a restart; a clock that is a year back. Pairs that stand go on, nothing is
# clear where it must not be, what cannot be kept or believed is a line in `holdfast status`, and when the fault is gone all is as before.
#
#     a 10.9.0.1, 10.9.1.1-5 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1-5      a: private-or-clear, b: private
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/directory.sh"
need bridge esp4 bpf_tc ringbuf cmd:minisign

lan a b
for ((i = 1; i <= 5; i++)); do
	on a ip addr add "10.9.1.$i/32" dev eth0
	on b ip addr add "10.9.2.$i/32" dev eth0
done
on a ip route add 10.9.2.0/24 via "$(addr b)"
on b ip route add 10.9.1.0/24 via "$(addr a)"
neighbours a b
for h in a b; do host_key $h; done
on a mount -t tmpfs -o size=512k tmpfs /etc/holdfast/state
configure a private-or-clear 10.9.2.0/24
configure b private 10.9.1.0/24
signer fleet
next_fleet() {
	write_fleet "10.9.1.0/24 $(public_key a) name=a" "10.9.2.0/24 $(public_key b) name=b"
	sed -i 's|^scope .*|scope 10.9.0.0/16|' "$WORK/fleet"
	sign_fleet
}
next_fleet
for h in a b; do
	uses_fleet $h
	bring $h
done
capture_start
for h in a b; do
	product $h
	serve $h
done
# Patient, because after a start user-mode Linux delivers late (tests/lab/README.md).
works() { on a "$HFPROBE" udp "10.9.2.$1" --src "10.9.1.$1" --count 3 --wait-ms 20000 --strict; }
known() { json "$(on a "$HOLDFAST" status --json | tr -d '[:space:]')" known; }
no_problem() { ! has_problem a "$1"; }
restart() { # SIGNAL
	stop agent-a "$1"
	product a
}
# Whatever room there is, also what an agent that ended gave back.
fill() { on a sh -c 'dd if=/dev/zero bs=512 2>/dev/null >>/etc/holdfast/state/ballast; true'; }
# lose_ike HOST...: what comes to them on the switch; none: it comes through again.
lose_ike() {
	local h
	for h in a b; do on switch tc qdisc del dev $h clsact 2>/dev/null || true; done
	for h; do
		on switch tc qdisc add dev "$h" clsact
		on switch tc filter add dev "$h" egress protocol ip u32 match ip dport 500 0xffff action drop
	done
}
# As a reboot leaves it: nothing stands but what the disk remembers. (IKE would be answered by ICMP while there is no agent.)
reboot() {
	lose_ike a "$@"
	stop agent-a TERM
	[ $# = 0 ] || fill
	on a "$HOLDFAST" unload >/dev/null
	product a
	[ $# != 0 ] || lose_ike
}
works 1 || fail "the first pair"

# ---- half a directory
on a sh -c 'head -c 150 /etc/holdfast/fleet >/etc/holdfast/half && cat /etc/holdfast/half >/etc/holdfast/fleet'
wait_for 20 has_problem a '/etc/holdfast/fleet' || fail "half a directory is no problem to a running agent"
works 2 || fail "a new pair while the directory is half written"
restart KILL
works 1 || fail "an adopted pair with half a directory"
wait_for 20 has_problem a '/etc/holdfast/fleet' || fail "half a directory is no problem at a start"
works 3 || fail "a new pair after a start with half a directory"
bring a
wait_for 20 no_problem '/etc/holdfast/fleet' || fail "the whole directory is not taken: $(on a "$HOLDFAST" status)"
ok "half a directory: the last good one holds"

# ---- the disk is full
fill
works 4 || fail "a new pair when the disk is full"
wait_for 20 has_problem a 'store of known peers' || fail "a full disk is not told: $(on a "$HOLDFAST" status)"
works 1 || fail "an old pair when the disk is full"
next_fleet
bring a b
wait_for 20 serial_is a 2 || fail "a directory that came when the disk was full is not used"
check_eq "$(known)" 4 "peers that are known, one of them in memory only"
for signal in KILL TERM; do
	stop agent-a $signal
	fill
	product a
	works 1 || fail "an adopted pair after SIG$signal on a full disk"
	works 5 || fail "a new pair after SIG$signal on a full disk"
	on a "$HOLDFAST" forget 10.9.2.5 >/dev/null || true # known if the disk could be read
done
# A reboot, and IKE does not get through. Who was reached securely is not reached in clear (the judge looks): either it is
# remembered, or `status` says that nobody knows who was.
reboot b
on a "$HFPROBE" udp 10.9.2.1 --src 10.9.1.1 --count 2 --wait-ms 9000 >/dev/null || true
lose_ike
on a rm /etc/holdfast/state/ballast
restart KILL
for i in 1 2 3 4; do wait_for 60 works $i || fail "pair $i after the disk was full"; done
wait_for 40 no_problem 'known peers|No space' || fail "told still: $(on a "$HOLDFAST" status)"
restart KILL
check_eq "$(known)" 4 "peers that are known when the disk takes all again"
ok "a full disk: told, and in nobody's way"

# ---- a year back; only where the clock is the lab's own
if [ "$LAB_TIER" != host ]; then
	year=31536000
	clock() { date -s "@$((EPOCHSECONDS + $1))" >/dev/null; }
	clock -$year
	# The agent looks at its clock now and then; here it is told to read its configuration again.
	kill -HUP "$(pid_of agent-a)"
	running=no adopted=no told=no new=no
	! works 1 || running=yes
	restart KILL
	! works 1 || adopted=yes
	! wait_for 20 has_problem a 'the clock says' || told=yes
	# Nobody knows what has expired: no new trust, and who was reached securely is not reached in clear.
	reboot
	! on a "$HFPROBE" udp 10.9.2.2 --src 10.9.1.2 --count 2 --wait-ms 3000 --strict >/dev/null || new=yes
	clock $year
	check_eq "$running" yes "a pair that stands goes on, a year back"
	check_eq "$adopted" yes "an adopted pair goes on, a year back"
	check_eq "$told" yes "the clock is a problem"
	check_eq "$new" no "a new pair has SAs while nobody knows what has expired"
	restart KILL
	wait_for 60 works 2 || fail "a pair when the clock is right again"
	wait_for 20 no_problem 'the clock says' || fail "told still: $(on a "$HOLDFAST" status)"
	ok "a year back: pairs go on, and all is well when the clock is right again"
fi
capture_stop
judge --expect 'marker=0,clear=0,esp>60,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
