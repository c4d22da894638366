#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# A directory at an https:// address, with a CA of the fleet's own, whose server turns bad: what it serves then is refused with its
# reason, the directory in force stays, and the SAs that stand are the same.
#
#     a 10.9.0.1 ---- [switch lan0] ---- b 10.9.0.2 (directory in a file), w 10.9.0.3 (the web server)
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/directory.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:minisign cmd:openssl

lan a b w
for h in a b; do neighbours w "$h"; done
neighbours a b
signer fleet
signer thief
for h in a b w; do host_key "$h"; done
for h in a b; do configure "$h" private 10.9.0.1/32 10.9.0.2/32; done
uses_fleet a "https://$(addr w)/fleet"
uses_fleet b

on w sh -c 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=w -addext "subjectAltName=IP:$1" \
	-keyout "$2/web.key" -out "$2/web.pem" 2>/dev/null' sh "$(addr w)" "$WORK"
on a cp "$WORK/web.pem" /etc/holdfast/web.pem
setting a discovery 'directory_ca = /etc/holdfast/web.pem'
mkdir "$WORK/web"
web() { bg w web sh -c 'cd "$1/web" && exec openssl s_server -quiet -WWW -accept 443 -cert ../web.pem -key ../web.key' sh "$WORK"; }
publish() { cp "$WORK/fleet" "$WORK/fleet.minisig" "$WORK/web/"; }
ask_again() { kill -HUP "$(pid_of agent-a)"; }

web
write_fleet "$(line a)" "$(line b)"
sign_fleet
publish
bring b
for h in a b; do product "$h"; done
wait_for 30 serial_is a "$SERIAL" || fail "nothing came by https: $(on a "$HOLDFAST" status)"
good=$SERIAL
out=$(on a "$HFPROBE" ping "$(addr b)" --count 2 --strict) || fail "ping: $out"
wait_for 15 has_secure a 1
sas=$(spis_to a b)

# With the key of w for b's address.
write_fleet "$(line a)" "$(line b w)"
sign_fleet thief
publish
ask_again
refused "the wrong signer" 'which is not trusted here'
write_fleet "$(line a)" "$(line b)"
sign_fleet
head -c 200 "$WORK/fleet" >"$WORK/web/fleet" # never the whole: somebody may be asking
cp "$WORK/fleet.minisig" "$WORK/web/"
ask_again
refused "a part of it" 'the signature is wrong'
head -c $((8 * 1048576 + 1)) /dev/zero | tr '\0' '#' >"$WORK/web/fleet"
ask_again
refused "more than 8 MB" 'larger than 8388608 octets'
stop web
ask_again
refused "no server" 'cannot be fetched'
publish
web
nap 1
ask_again
wait_for 70 serial_is a "$SERIAL" # asked every minute while something is wrong
ok "a good one is taken after all of them"
check_eq "$(spis_to a b)" "$sas" "SAs after all of them"
