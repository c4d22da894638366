#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 500
#
# Everything an operator types wrongly gets one clear line. The cases are mistakes/table: add yours there.
#
#     a 10.9.0.1 ---- [switch lan0]
. "$(dirname "$0")/../lab/lib.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:python3 cmd:setpriv cmd:minisign cmd:jq cmd:openssl

lan a
on a "$REPO/tests/net/mistakes/judge" "$REPO/tests/net/mistakes/table" | tee "$WORK/judged"
check "$(grep -c '^ok ' "$WORK/judged")" -ge 60 "mistakes that were answered well"
