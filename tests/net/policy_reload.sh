#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# SIGHUP with other policies while all pairs have traffic. What is private before and after has no clear byte on the
# wire at any time and loses nothing; what becomes private has none from then on; what becomes clear flows, and what is
# blocked ends. A configuration with a mistake leaves the one in force.
#
#     a 10.9.0.1 ---- [switch lan0, capture] -+- b 10.9.0.2   stays private
#                                             |    10.9.2.2   private -> clear, was secured
#                                             +- c 10.9.0.3   private -> clear, never answered
#                                             |    10.9.2.3   clear -> block
#                                             '- d 10.9.0.4   clear -> private
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c d
on b ip addr add 10.9.2.2/32 dev eth0
on c ip addr add 10.9.2.3/32 dev eth0
on a ip route add 10.9.2.0/24 dev eth0
neighbours a b
for h in b c d; do serve $h; done

# policy GROUP ADDRESS...: the whole file of the group.
policy() {
	on a mkdir -p /etc/holdfast/policies
	printf '%s\n' "${@:2}" | on a tee "/etc/holdfast/policies/$1" >/dev/null
}
reloads() { [ "$(grep -c "$1" "$WORK/agent-a.log")" -ge "$2" ]; }
# reload TIMES: the agent reads its configuration, for the n-th time; afterwards NOW is a moment at which it is in force.
reload() {
	kill -HUP "$(pid_of agent-a)"
	wait_for 20 reloads 'configuration read again' "$1" || fail "no reload"
	NOW=$(mono_ns)
}
# marked ADDRESS [--after T]: clear packets with the marker between a and there, in the whole capture or after a moment.
marked() { wire marker --pair "$(addr a)" "$@"; }

policy private "$(addr b)" 10.9.2.2 "$(addr c)"
policy clear "$(addr d)" 10.9.2.3
configure b private 10.9.0.0/24
configure d private 10.9.0.0/24
agent b --respond "$(addr a)/32"
agent a --delay 10 --mute "$(addr c)/32"
capture_start

# Secured before they are in a hurry: how much may wait for an agent is not the question here.
for to in 10.9.2.2 "$(addr b)"; do on a "$HFPROBE" udp "$to" --count 5 --wait-ms 20000 --complete; done
talk() { bg a "$1" "$HFPROBE" udp "$2" --count 4000000 --interval-ms 5; }
bg a stays "$HFPROBE" udp "$(addr b)" --count 1200 --interval-ms 5 --wait-ms 20000 --complete
talk opens 10.9.2.2
talk never "$(addr c)"
talk closes "$(addr d)"
talk blocked 10.9.2.3
nap 1

# Mistakes first: nothing changes.
policy private "$(addr b)" 10.9.2.2 "$(addr c)" 10.9.0.0/99
kill -HUP "$(pid_of agent-a)"
wait_for 20 reloads 'the configuration in force stays: .*policies/private:4' 1
ok "$(grep 'in force stays' "$WORK/agent-a.log")"
nap 0.5

agent d --respond "$(addr a)/32"
policy private "$(addr b)" "$(addr d)"
policy clear 10.9.2.2 "$(addr c)"
policy block 10.9.2.3
before_first=$(mono_ns)
reload 1
first=$NOW
on a "$HFPROBE" udp "$(addr c)" --count 5 --wait-ms 20000 --complete
on a "$HFPROBE" udp "$(addr d)" --count 5 --wait-ms 20000 --complete
! on a "$HFPROBE" udp 10.9.2.3 --count 1 --wait-ms 500 --complete >/dev/null || fail "a blocked address answered"
nap 0.5

# And back: what was opened is closed again.
policy private "$(addr b)" "$(addr d)" 10.9.2.2 "$(addr c)"
on a rm /etc/holdfast/policies/clear
before_second=$(mono_ns)
reload 2
second=$NOW
nap 0.5
await stays 60
check_eq "$STOPPED_RC" 0 "the pair that stays private lost nothing: $(cat "$WORK/stays.log")"
for t in opens never closes blocked; do stop $t; done
capture_stop

check_eq "$(marked "$(addr b)")" 0 "clear packets of the pair that stays private"
for remote in 10.9.2.2 "$(addr c)"; do
	all=$(marked "$remote")
	check_eq $((all - $(marked "$remote" --after "$before_first"))) 0 "$remote, opened in between: clear packets before"
	check $(($(marked "$remote" --after "$first") - $(marked "$remote" --after "$before_second"))) -gt 10 "meanwhile"
	check_eq "$(marked "$remote" --after "$second")" 0 "and after"
done
for remote in "$(addr d)" 10.9.2.3; do
	check $(($(marked "$remote") - $(marked "$remote" --after "$before_first"))) -gt 10 "$remote: clear packets before"
	check_eq "$(marked "$remote" --after "$first")" 0 "and after it was closed"
done
check "$(wire esp --pair "$(addr a)" "$(addr d)" --after "$first")" -gt 10 "its sealed packets"
judge --expect 'truncated=0'
