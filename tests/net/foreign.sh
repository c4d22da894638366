# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Foreign IKE daemons as lab hosts: strongSwan 5.9 and Libreswan 4.10 as Debian 12 has them, unpacked under $B/lab/foreign
# (LAB-SETUP: foreign). A daemon's tree is laid over /usr in the mount namespace of its host, its configuration and state are
# in that host's own /run; so any number of both run side by side. Sourced after lab/lib.sh.
#
# A host has one connection, "peer", to one other host. Identities are HOST.lab. WORD=VALUE may be:
#
#   auth=psk|pubkey|null   psk: the secret is $FOREIGN_PSK. pubkey: strongSwan with $WORK/HOST.pem and $WORK/PEER.pub (make_key);
#                          Libreswan with its own key (libreswan_key HOST KIND) and $WORK/PEER.pub. null: Libreswan only
#   mode=transport|tunnel
#   ike=PROPOSALS esp=PROPOSALS    in the daemon's own words
#   remote=ADDRESS         of the peer, instead of its host's; %any
#   conf= conn= child=     lines for strongSwan's charon section, connection, child; child="" is left out
#   conn=                  lines for Libreswan's connection
#   key=rsa|ecdsa          Libreswan's own key, and the kind of signature it makes and accepts
FOREIGN=$B/lab/foreign
FOREIGN_PSK='a secret that both ends know, for tests'
declare -A FOREIGN_NSS=()

# make_key NAME ed25519|p256|p384|rsa: a private key in $WORK/NAME.pem, its public half in $WORK/NAME.pub, both PEM.
make_key() {
	local options=()
	case $2 in
	ed25519) options=(-algorithm ed25519) ;;
	p256) options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256) ;;
	p384) options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-384) ;;
	rsa) options=(-algorithm RSA -pkeyopt rsa_keygen_bits:3072) ;;
	*) fail "make_key: no kind '$2'" ;;
	esac
	openssl genpkey "${options[@]}" -out "$WORK/$1.pem" 2>/dev/null
	openssl pkey -in "$WORK/$1.pem" -pubout -out "$WORK/$1.pub"
}

# into HOST FILE: standard input, in the host's own mounts.
into() { on "$1" tee "$2" >/dev/null; }

foreign_tree() { # HOST strongswan|libreswan
	[ -e "$FOREIGN/.done" ] || fail "no foreign daemons: the scenario lacks a line '# LAB-SETUP: foreign'"
	on "$1" mount -t overlay overlay -o "lowerdir=$FOREIGN/$2/usr:/usr" /usr
}

# ---- strongSwan

swan_auth() { # NAME PUBLIC-KEY-FILE AUTH
	if [ "$3" = psk ]; then
		echo "auth = psk"
	else
		echo "auth = pubkey"
		echo "pubkeys = $2"
	fi
	echo "id = $1.lab"
}

# strongswan_load HOST PEER [WORD=VALUE]...: the connection of a running charon, another one than before.
strongswan_load() {
	local h=$1 peer=$2 w
	local -A o=([auth]=pubkey [mode]=transport [ike]=aes256gcm16-prfsha256-x25519 [esp]=aes256gcm16-x25519-esn-noesn
		[conn]='' [child]='' [remote]='')
	shift 2
	for w; do o[${w%%=*}]=${w#*=}; done
	if [ "${o[auth]}" = pubkey ]; then
		on "$h" cp "$WORK/$h.pem" "/run/swanctl/private/$h.pem"
		on "$h" cp "$WORK/$h.pub" "$WORK/$peer.pub" /run/swanctl/pubkey/
	fi
	into "$h" /run/swanctl/swanctl.conf <<-EOF
		connections {
			peer {
				version = 2
				local_addrs = $(addr "$h")
				remote_addrs = ${o[remote]:-$(addr "$peer")}
				proposals = ${o[ike]}
				mobike = no
				unique = never
				${o[conn]}
				local {
					$(swan_auth "$h" "$h.pub" "${o[auth]}")
				}
				remote {
					$(swan_auth "$peer" "$peer.pub" "${o[auth]}")
				}
				children {
					peer {
						mode = ${o[mode]}
						esp_proposals = ${o[esp]}
						updown =
						${o[child]}
					}
				}
			}
		}
		secrets {
			ike-peer {
				secret = "$FOREIGN_PSK"
			}
		}
	EOF
	swan "$h" --load-all --clear >"$WORK/swanctl-$h.log" 2>&1 || fail "strongSwan does not take its configuration"
}

# charon HOST LOG-LEVEL [LINES]: the daemon without a connection, LINES for its section; log in $WORK/charon-HOST.log.
charon() {
	local h=$1
	foreign_tree "$h" strongswan
	on "$h" mkdir -p /run/swanctl/{pubkey,private,x509,x509ca,x509ocsp,x509aa,x509ac,x509crl,rsa,ecdsa,pkcs8,pkcs12,bliss}
	into "$h" /run/strongswan.conf <<-EOF
		charon {
			load = random nonce openssl pem pkcs1 pkcs8 pubkey kdf kernel-netlink socket-default vici
			install_routes = no
			filelog {
				stderr {
					default = 1
					ike = $2
					flush_line = yes
				}
			}
			${3:-}
		}
		swanctl {
			load = random openssl pem pkcs1 pkcs8 pubkey
		}
	EOF
	bg "$h" "charon-$h" env STRONGSWAN_CONF=/run/strongswan.conf /usr/lib/ipsec/charon
	wait_for 20 on "$h" test -S /run/charon.vici
}

# strongswan HOST PEER [WORD=VALUE]...: charon with the connection loaded, nothing initiated.
strongswan() {
	local w conf=
	for w; do [[ $w != conf=* ]] || conf=${w#conf=}; done
	charon "$1" 2 "$conf"
	strongswan_load "$@"
}

# swan HOST SWANCTL-ARGUMENTS...
swan() {
	local h=$1
	shift
	on "$h" env STRONGSWAN_CONF=/run/strongswan.conf SWANCTL_DIR=/run/swanctl swanctl "$@"
}

# swan_count HOST ESTABLISHED|INSTALLED|...: how many IKE or Child SAs are in that state.
swan_count() { swan "$1" --list-sas | grep -c ", $2" || true; }
swan_has() { [ "$(swan_count "$1" "$2")" = "$3" ]; }

# ---- Libreswan

# Two databases with keys were made; a third host of a scenario can only use something else than keys.
nss_of() { # HOST
	[ -n "${FOREIGN_NSS[$1]:-}" ] || FOREIGN_NSS[$1]=$FOREIGN/nss.$((${#FOREIGN_NSS[@]} % 2 + 1))
}

# libreswan_key HOST KIND: the host's own key (made once, with the unpacked trees); its public half goes to $WORK/HOST.pub.
libreswan_key() {
	nss_of "$1"
	base64 -d <"${FOREIGN_NSS[$1]}/$2.spki" | openssl pkey -pubin -inform DER -out "$WORK/$1.pub"
}

pluto_side() { # left|right NAME ADDRESS AUTH
	local id=@$2.lab
	[ "$4" != null ] || id=%null
	echo "$1=$3"
	echo "$1id=$id"
	[ "$4" != pubkey ] || echo "$1pubkey=$(openssl pkey -pubin -in "$WORK/$2.pub" -outform DER | base64 -w0)"
}

# libreswan_load HOST PEER [WORD=VALUE]...: the connection of a running pluto, another one than before.
libreswan_load() {
	local h=$1 peer=$2 w authby
	local -A o=([auth]=pubkey [mode]=transport [ike]=aes_gcm256-sha2_256-dh31 [esp]=aes_gcm256 [conn]='' [remote]='' [key]=ecdsa)
	shift 2
	for w; do o[${w%%=*}]=${w#*=}; done
	case ${o[auth]} in
	psk) authby=secret ;;
	null) authby=null ;;
	pubkey) [ "${o[key]}" = rsa ] && authby=rsa-sha2 || authby=ecdsa ;;
	esac
	# A section's lines are indented.
	{
		echo "conn peer"
		sed 's/^/  /' <<-EOF
			ikev2=insist
			authby=$authby
			type=${o[mode]}
			ike=${o[ike]}
			esp=${o[esp]}
			$(pluto_side left "$h" "$(addr "$h")" "${o[auth]}")
			$(pluto_side right "$peer" "${o[remote]:-$(addr "$peer")}" "${o[auth]}")
			leftupdown=%disabled
			auto=ignore
			${o[conn]}
		EOF
	} | grep '[^[:space:]]' | into "$h" /run/ipsec.conf
	whack "$h" --name peer --delete >/dev/null || true
	on "$h" /usr/libexec/ipsec/addconn --config /run/ipsec.conf --ctlsocket /run/pluto/pluto.ctl peer >"$WORK/addconn-$h.log" 2>&1 ||
		fail "Libreswan does not take its configuration"
}

# pluto HOST: the daemon with the ipsec.conf on standard input, of which it loads what says so; log in $WORK/pluto-HOST.log.
pluto() {
	local h=$1
	foreign_tree "$h" libreswan
	on "$h" mkdir -p /run/pluto /run/nss /run/ipsec.d
	nss_of "$h"
	on "$h" sh -c "cp ${FOREIGN_NSS[$h]}/* /run/nss/"
	echo "%any : PSK \"$FOREIGN_PSK\"" | into "$h" /run/ipsec.secrets
	into "$h" /run/ipsec.conf
	bg "$h" "pluto-$h" /usr/libexec/ipsec/pluto --nofork --stderrlog --log-no-time --config /run/ipsec.conf --nssdir /run/nss \
		--rundir /run/pluto --ipsecdir /run/ipsec.d --secretsfile /run/ipsec.secrets
	wait_for 20 on "$h" test -S /run/pluto/pluto.ctl
}

# libreswan HOST PEER [WORD=VALUE]...: pluto with the connection loaded, nothing initiated.
libreswan() {
	echo "config setup" | pluto "$1"
	whack "$1" --listen >/dev/null
	libreswan_load "$@"
}

# whack HOST WHACK-ARGUMENTS...
whack() {
	local h=$1
	shift
	on "$h" /usr/libexec/ipsec/whack --rundir /run/pluto "$@"
}

# pluto_count HOST ike|child: how many IKE or Child SAs are established.
pluto_count() {
	local state=ESTABLISHED_IKE_SA
	[ "$2" = ike ] || state=ESTABLISHED_CHILD_SA
	whack "$1" --status | grep -c "STATE_V2_$state" || true
}
pluto_has() { [ "$(pluto_count "$1" "$2")" = "$3" ]; }
