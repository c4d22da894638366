# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For scenarios in which our own engine speaks, through the driver ikepeer. Sourced after lab/lib.sh.

# ikepeer HOST [OPTIONS]: the driver in the background, ready when it returns; its events are in $WORK/ike-HOST.log. One of the
# same host that runs is ended first: its SAs go without a word to the peer.
ikepeer() {
	local h=$1
	shift
	! is_running "ike-$h" || stop "ike-$h"
	rm -f "$WORK/ike-$h.log"
	bg "$h" "ike-$h" "$IKEPEER" --id "$h.lab" --control "$WORK/$h.do" "$@"
	hears "$h" '^READY'
}

# tell HOST COMMAND...: a command to the driver.
tell() {
	local h=$1
	shift
	echo "$*" >"$WORK/$h.do"
}

# count HOST PATTERN: how many of its events match, in $HEARD. Without a process, since it is asked again and again.
count() {
	local line
	HEARD=0
	while IFS= read -r line; do
		[[ ! $line =~ $2 ]] || HEARD=$((HEARD + 1))
	done <"$WORK/ike-$1.log"
}

# heard HOST PATTERN: the same as a word.
heard() {
	count "$1" "$2"
	echo "$HEARD"
}

is_heard() {
	count "$1" "$2"
	((HEARD >= $3))
}

# hears HOST PATTERN [N]: waits until N events (1) match.
hears() { wait_for 25 is_heard "$1" "$2" "${3:-1}" || fail "$1 does not say '$2' ${3:-1} times"; }

# number HOST NAME: of the engine's counts.
number() {
	local before
	before=$(heard "$1" ^COUNTS)
	tell "$1" counts
	hears "$1" ^COUNTS $((before + 1))
	json "$(grep ^COUNTS "$WORK/ike-$1.log" | tail -1)" "$2"
}

# reach A B: their first ARP is over. Asked anew until answered: a port that was just added may lose the first.
reach() { wait_for 15 on "$1" "$HFPROBE" ping "$(addr "$2")" --strict; }

# flows A B: both kinds of traffic, both ways, nothing lost. B serves.
flows() {
	on "$1" "$HFPROBE" udp "$(addr "$2")" --count 10 --interval-ms 2 --complete >/dev/null
	on "$2" "$HFPROBE" ping "$(addr "$1")" --count 3 --complete >/dev/null
}

# states HOST: how many ESP SAs the kernel of HOST has that have a key.
states() { on "$1" ip xfrm state | grep -c 'aead rfc' || true; }
has_states() { [ "$(states "$1")" = "$2" ]; }

# settles HOST N: waits until the kernel has N SAs.
settles() { wait_for 25 has_states "$1" "$2" || fail "$1 has $(states "$1") SAs in the kernel, not $2"; }

# quiet A B: nothing of the pair is left in either kernel.
quiet() {
	settles "$1" 0
	settles "$2" 0
}

# skf FROM: how many IKE messages of the capture that HOST sent are encrypted fragments (RFC 7383: first payload 53).
skf() {
	python3 - "$WORK/wire.pcap" "$(addr "$1")" <<-'EOF'
		import socket, struct, sys
		data, want, at, count = open(sys.argv[1], "rb").read(), socket.inet_aton(sys.argv[2]), 24, 0
		order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
		while at < len(data):
		    packet = data[at + 16:at + 16 + struct.unpack(order + "I", data[at + 8:at + 12])[0]]
		    at += 16 + len(packet)
		    ike = packet[14 + 20 + 8:] # Ethernet, IPv4, UDP
		    if packet[12:14] != b"\x08\x00" or packet[23] != 17 or packet[26:30] != want or b"\x01\xf4" not in packet[34:38]:
		        continue
		    count += len(ike) > 17 and ike[16] == 53 and ike[17] == 0x20
		print(count)
	EOF
}
