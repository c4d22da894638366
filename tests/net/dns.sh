# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A signed DNS of the lab's own: NSD for the root, a top-level domain and the zones below, Unbound as resolver, each a host of
# its own. A scenario says `# LAB-SETUP: dns`. Sourced after lab/lib.sh.
#
#     ns-root  .         ns-tld  lab       ns-zone  fleet.lab, 10.in-addr.arpa, 9.0.d.f.ip6.arpa       resolver
#
# All in $WORK/dns: ZONE.zone is what was published, ZONE.signed what is served (the root is called "root"); ZONE.anchor a trust
# anchor for the zone, root.anchor the one that is enough; root.hints where the root is. Nothing is seen before `dns_serve`.
#
#   dns_world [HOST]...        servers and zones as above, signed, with these hosts in them; the resolver answers when it returns
#   dns_zone ZONE [WORD]...    one more zone, on ns-zone, delegated by the nearest zone above it. Words: nsec3, optout: proofs by
#                              NSEC3, with opt-out; nods: the zone above has no DS for it (insecure delegation); unsigned;
#                              island: no zone above knows of it
#   dns_words ZONE [WORD]...   other words from now on
#   dns_add ZONE LINE...       records, in the words of a zone file; relative names and @ are of the zone
#   dns_drop ZONE PATTERN      records whose line matches go
#   dns_host HOST [NAME]       all of a host of lan(): PTR, A, AAAA, and with a key (host_key) IPSECKEY at both addresses and the
#                              name. NAME: host.fleet.lab
#   dns_serve [ZONE]...        sign and load these zones (default: all), forget what the resolver had cached
#
# One kind of badness each; the zone is signed afresh otherwise, and good again after the next dns_serve:
#
#   dns_break ZONE NAME TYPE   the signatures of that set have other octets
#   dns_window ZONE FROM TO    signatures valid from .. to: dates as date(1) knows them
#   dns_stranger ZONE          signed with a key that the zone above does not know
#   dns_unproved ZONE          no NSEC or NSEC3: what is not there is not proved
#   dns_silent SERVER, dns_awake SERVER    takes questions and answers none; answers again, those that wait as well
#   dns_deaf SERVER, dns_hears SERVER      takes nothing over TCP: what does not fit a datagram cannot be had; takes it again
#   dns_slow SERVER MS         each answer so late; 0: as before. (need netem)
DNS=$WORK/dns
DNS_TREE=$B/lab/dns
DNS_SERVERS=(ns-root ns-tld ns-zone)
DNS_SERIAL=1
declare -A DNS_ON=() DNS_KEY=() DNS_WORDS=() DNS_SERIAL_OF=()

dns_run() { # HOST PROGRAM ARGUMENTS...
	local h=$1 program=$2
	shift 2
	on "$h" env "LD_LIBRARY_PATH=$DNS_TREE/libraries" "$DNS_TREE/usr/sbin/$program" "$@"
}

# The nearest zone above that is there, in $REPLY; for the root itself.
dns_above() {
	REPLY=$1
	while [[ $REPLY == *.* && $REPLY != . ]]; do
		REPLY=${REPLY#*.}
		[ -z "${DNS_ON[${REPLY:-.}]:-}" ] || return 0
	done
	REPLY=.
}

dns_is() { [[ " ${DNS_WORDS[$1]} " == *" $2 "* ]]; }

# ---- names of addresses

rev4() {
	local IFS=. a
	read -ra a <<<"$1"
	echo "${a[3]}.${a[2]}.${a[1]}.${a[0]}.in-addr.arpa"
}

rev6() {
	local head=${1%%::*} tail='' group word hex='' out='' i
	[[ $1 != *::* ]] || tail=${1#*::}
	for group in ${head//:/ }; do printf -v word %04x "0x$group"; hex+=$word; done
	local end=''
	for group in ${tail//:/ }; do printf -v word %04x "0x$group"; end+=$word; done
	while ((${#hex} + ${#end} < 32)); do hex+=0; done
	hex+=$end
	for ((i = 31; i >= 0; i--)); do out+=${hex:i:1}.; done
	echo "${out}ip6.arpa"
}

# ---- zones

dns_new() { # ZONE SERVER [WORD]...
	local zone=$1 server=$2 f=${1/#./root}
	shift 2
	DNS_ON[$zone]=$server
	DNS_WORDS[$zone]="$*"
	: >"$DNS/$f.zone"
	dns_is "$zone" unsigned || {
		DNS_KEY[$zone]=$(cd "$DNS" && ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$zone")
		mv "$DNS/${DNS_KEY[$zone]}.ds" "$DNS/$f.anchor"
	}
	cat >>"$DNS/$server.conf" <<-END
		zone:
			name: "$zone"
			zonefile: "$DNS/$f.signed"
	END
}

dns_zone() {
	local zone=$1 above
	shift
	dns_new "$zone" ns-zone "$@"
	dns_sign "$zone"
	dns_control ns-zone reconfig >/dev/null
	dns_above "$zone"
	above=$REPLY
	if dns_is "$zone" island; then
		dns_load "$zone"
	else
		dns_sign "$above"
		dns_load "$zone" "$above"
	fi
}

dns_words() {
	local zone=$1
	shift
	DNS_WORDS[$zone]="$*"
}

dns_add() {
	local zone=$1
	shift
	printf '%s\n' "$@" >>"$DNS/${zone/#./root}.zone"
}

dns_drop() {
	local f=$DNS/${1/#./root}.zone
	grep -vE -- "$2" "$f" >"$f.new" || true
	mv "$f.new" "$f"
}

# What the zone above says of those below: NS, and DS for those that are signed.
dns_delegations() { # ZONE
	local z ds
	for z in "${!DNS_ON[@]}"; do
		dns_above "$z"
		[ "$z" != . ] && ! dns_is "$z" island && [ "$REPLY" = "$1" ] || continue
		echo "$z. NS ${DNS_ON[$z]}.servers."
		dns_is "$z" unsigned || dns_is "$z" nods || { read -r ds <"$DNS/$z.anchor" && echo "$ds"; }
	done
}

# dns_sign ZONE [LDNS-SIGNZONE OPTION]...: ZONE.signed from ZONE.zone. DNS_SIGNER: with another key.
dns_sign() {
	local zone=$1 f=$DNS/${1/#./root} key options=() from to
	shift
	key=${DNS_SIGNER:-${DNS_KEY[$zone]:-}}
	DNS_SERIAL=$((DNS_SERIAL + 1))
	DNS_SERIAL_OF[$zone]=$DNS_SERIAL
	{
		echo "\$ORIGIN ${zone%.}."
		echo '$TTL 300'
		echo "@ SOA ${DNS_ON[$zone]}.servers. hostmaster.servers. $DNS_SERIAL 3600 600 86400 120"
		echo "@ NS ${DNS_ON[$zone]}.servers."
		dns_delegations "$zone"
		[ "$zone" != . ] || for z in "${DNS_SERVERS[@]}"; do echo "$z.servers. A $(addr "$z")"; done
		cat "$f.zone"
	} >"$f.plain"
	if dns_is "$zone" unsigned; then
		mv "$f.plain" "$f.signed"
		return
	fi
	! dns_is "$zone" nsec3 || options=(-n -t 0)
	! dns_is "$zone" optout || options=(-n -t 0 -p)
	TZ=UTC printf -v from '%(%Y%m%d%H%M%S)T' $((EPOCHSECONDS - 3600))
	TZ=UTC printf -v to '%(%Y%m%d%H%M%S)T' $((EPOCHSECONDS + 172800))
	(($#)) || set -- -i "$from" -e "$to"
	(cd "$DNS" && ldns-signzone "${options[@]}" "$@" -f "$f.signed.new" "$f.plain" "$key") || fail "zone $zone cannot be signed"
	mv "$f.signed.new" "$f.signed"
}

dns_control() { # SERVER COMMAND...
	local h=$1
	shift
	dns_run "$h" nsd-control -c "$DNS/$h.conf" "$@"
}

dns_has_serial() { # ZONE SERIAL
	[[ $(on "${DNS_ON[$1]}" drill -Q "@127.0.0.1" "$1" SOA 2>/dev/null) == *" $2 "* ]]
}

# dns_load ZONE...: what is signed is served, and nobody remembers anything else.
dns_load() {
	local zone
	for zone; do dns_control "${DNS_ON[$zone]}" reload "$zone" >/dev/null; done
	for zone; do
		wait_for 20 dns_has_serial "$zone" "${DNS_SERIAL_OF[$zone]}" || fail "$zone, ${DNS_SERIAL_OF[$zone]}, is not served"
	done
	dns_forget
}

dns_forget() { dns_run resolver unbound-control -q -c "$DNS/resolver.conf" flush_zone .; }

dns_serve() {
	local zone
	(($#)) || set -- "${!DNS_ON[@]}"
	for zone; do dns_sign "$zone"; done
	dns_load "$@"
}

# ---- badness

dns_break() {
	local zone=$1 name=$2 type=$3 f=$DNS/${1/#./root}.signed
	dns_sign "$zone"
	awk -v name="${name%.}." -v type="$type" '
		$4 == "RRSIG" && $5 == type && tolower($1) == tolower(name) {
			at = length($0) - 20
			$0 = substr($0, 1, at - 1) (substr($0, at, 1) == "A" ? "B" : "A") substr($0, at + 1)
			n++
		}
		{ print }
		END { exit !n }' "$f" >"$f.new" || fail "dns_break: $name has no signature of $type"
	mv "$f.new" "$f"
	dns_load "$zone"
}

dns_window() {
	dns_sign "$1" -i "$(date -u -d "$2" +%Y%m%d%H%M%S)" -e "$(date -u -d "$3" +%Y%m%d%H%M%S)"
	dns_load "$1"
}

dns_stranger() {
	DNS_SIGNER=$(cd "$DNS" && ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$1") dns_sign "$1"
	dns_load "$1"
}

dns_unproved() {
	local f=$DNS/${1/#./root}.signed
	dns_sign "$1"
	awk '!($4 ~ /^NSEC3?$/ || $4 == "RRSIG" && $5 ~ /^NSEC3?$/)' "$f" >"$f.new"
	mv "$f.new" "$f"
	dns_load "$1"
}

# All processes of the server there; those that answer come and go with each reload.
dns_signal() { pkill "-$2" --ns "${LAB_PID[$1]}" --nslist net nsd; } # SERVER SIGNAL
dns_silent() { dns_signal "$1" STOP; }
dns_awake() {
	dns_signal "$1" CONT
	dns_run resolver unbound-control -q -c "$DNS/resolver.conf" flush_infra all
}

dns_deaf() { on "$1" iptables-legacy -A INPUT -p tcp --dport 53 -j DROP; }
dns_hears() {
	on "$1" iptables-legacy -D INPUT -p tcp --dport 53 -j DROP
	dns_run resolver unbound-control -q -c "$DNS/resolver.conf" flush_infra all
}

dns_slow() {
	local h mac
	# That it does not look like one that is not there.
	read -r mac <"/proc/${LAB_PID[$1]}/root/sys/class/net/eth0/address"
	for h in "${!LAB_N[@]}"; do
		[ "$h" = "$1" ] || on "$h" ip neigh replace "$(addr "$1")" lladdr "$mac" nud permanent dev eth0
	done
	on "$1" tc qdisc del dev eth0 root 2>/dev/null || true
	[ "$2" = 0 ] || on "$1" tc qdisc add dev eth0 root netem delay "$2ms" limit 10000
}

# ---- hosts

# ipseckey_of HOST: precedence 10, no gateway, its Ed25519 key.
ipseckey_of() {
	local key
	key=$(public_key "$1")
	echo "IPSECKEY 10 0 4 . ${key#ed25519:}"
}

dns_host() {
	local h=$1 name=${2:-$1.fleet.lab} key r4 r6 zone
	r4=$(rev4 "$(addr "$h")").
	r6=$(rev6 "$(addr6 "$h")").
	dns_above "$name"
	zone=$REPLY
	dns_add 10.in-addr.arpa "$r4 PTR $name."
	dns_add 9.0.d.f.ip6.arpa "$r6 PTR $name."
	dns_add "$zone" "$name. A $(addr "$h")" "$name. AAAA $(addr6 "$h")"
	[ -e "/proc/${LAB_PID[$h]}/root/etc/holdfast/key.pem" ] || return 0
	key=$(ipseckey_of "$h")
	dns_add 10.in-addr.arpa "$r4 $key"
	dns_add 9.0.d.f.ip6.arpa "$r6 $key"
	dns_add "$zone" "$name. $key"
}

# ---- the world

# NSD does not go on with an answer that its socket took in part, at least not here: sockets that take all 64 KB.
dns_server() { # HOST
	on "$1" sysctl -qw net.ipv4.tcp_wmem='4096 262144 4194304'
	bg "$1" "$1" env "LD_LIBRARY_PATH=$DNS_TREE/libraries" "$DNS_TREE/usr/sbin/nsd" -d -c "$DNS/$1.conf"
}

dns_world() {
	local h zone
	[ -e "$DNS_TREE/.done" ] || fail "no name servers: the scenario lacks a line '# LAB-SETUP: dns'"
	mkdir -p "$DNS"
	lan "${DNS_SERVERS[@]}" resolver
	for h in "${DNS_SERVERS[@]}"; do
		mkdir "$DNS/$h"
		cat >"$DNS/$h.conf" <<-END
			server:
				ip-address: 0.0.0.0
				username: ""
				chroot: ""
				server-count: 1
				verbosity: 1
				rrl-ratelimit: 0
				rrl-size: 1000
				tcp-count: 10
				zonesdir: "$DNS"
				pidfile: ""
				database: ""
				zonelistfile: "$DNS/$h/list"
				xfrdfile: "$DNS/$h/xfrd"
				xfrdir: "$DNS/$h"
				cookie-secret-file: "$DNS/$h/cookie"
			remote-control:
				control-enable: yes
				control-interface: "$DNS/$h/control"
		END
	done
	printf '. 3600000 NS ns-root.servers.\nns-root.servers. 3600000 A %s\n' "$(addr ns-root)" >"$DNS/root.hints"
	cat >"$DNS/resolver.conf" <<-END
		server:
			interface: 0.0.0.0
			interface: ::0
			access-control: 0.0.0.0/0 allow
			access-control: ::/0 allow
			directory: "$DNS"
			username: ""
			chroot: ""
			pidfile: ""
			use-syslog: no
			do-daemonize: no
			verbosity: 1
			num-queries-per-thread: 512
			outgoing-range: 512
			outgoing-num-tcp: 4
			incoming-num-tcp: 4
			module-config: "${RESOLVER_MODULES:-validator iterator}"
			root-hints: "$DNS/root.hints"
			trust-anchor-file: "$DNS/root.anchor"
			trust-anchor-signaling: no
			unblock-lan-zones: yes
		remote-control:
			control-enable: yes
			control-interface: "$DNS/resolver.control"
			control-use-cert: no
	END
	dns_client >"$DNS/host.conf"
	dns_new . ns-root
	dns_new lab ns-tld
	for zone in fleet.lab 10.in-addr.arpa 9.0.d.f.ip6.arpa; do dns_new "$zone" ns-zone; done
	for h; do dns_host "$h"; done
	for zone in "${!DNS_ON[@]}"; do dns_sign "$zone"; done
	for h in "${DNS_SERVERS[@]}"; do dns_server "$h"; done
	bg resolver resolver env "LD_LIBRARY_PATH=$DNS_TREE/libraries" "$DNS_TREE/usr/sbin/unbound" -d -c "$DNS/resolver.conf"
	for h in "${DNS_SERVERS[@]}"; do wait_for 60 dns_says "$h" 'nsd started' || fail "$h did not start"; done
	wait_for 60 dns_says resolver 'start of service' || fail "the resolver did not start"
}

# dns_says NAME TEXT: it is in that log. Without a process, since it is asked again and again.
dns_says() {
	local text=
	[ ! -e "$WORK/$1.log" ] || IFS= read -rd '' text <"$WORK/$1.log" || true
	[[ $text == *"$2"* ]]
}

# dns_client [forward]: a configuration of libunbound that knows this world: from the root, or through the resolver.
dns_client() {
	cat <<-END
		server:
			trust-anchor-file: "$DNS/root.anchor"
			root-hints: "$DNS/root.hints"
			unblock-lan-zones: yes
			do-ip6: no
	END
	[ "${1:-}" != forward ] || printf 'forward-zone:
	name: "."
	forward-addr: %s
' "$(addr resolver)"
}

# ---- questions

# dns_ask HOST NAME TYPE: what libunbound makes of it at HOST, by full recursion from root.hints with root.anchor:
# "secure ...", "insecure ...", "bogus ..." or "error ...". DNS_CONF: another configuration of unbound-host.
dns_ask() {
	local out
	out=$(on "$1" unbound-host -C "${DNS_CONF:-$DNS/host.conf}" -v -t "$3" "$2" 2>&1) || true
	case $out in
	*'(BOGUS'*) echo "bogus $out" ;;
	*'(secure)'*) echo "secure $out" ;;
	*'(insecure)'*) echo "insecure $out" ;;
	*) echo "error $out" ;;
	esac
}

# dns_is_seen HOST NAME TYPE STATUS [TEXT]
dns_is_seen() {
	local out
	out=$(dns_ask "$1" "$2" "$3")
	[[ $out == "$4 "* && $out == *"${5:-}"* ]] || fail "$2 $3 is not $4${5:+ with \"$5\"}: $out"
	ok "$2 $3: $4${5:+, $5}"
}

# ---- agents

# asks_dns HOST...: its keys come from this world's DNS, through the resolver. ANCHOR: another zone's anchor than the root's.
asks_dns() {
	local h
	for h; do
		on "$h" cp "$DNS/${ANCHOR:-root}.anchor" /etc/holdfast/anchors
		setting "$h" policy "resolvers = $(addr resolver)"
		setting "$h" discovery 'dnssec = resolvers'
		setting "$h" discovery 'dnssec_anchors = /etc/holdfast/anchors'
	done
}
