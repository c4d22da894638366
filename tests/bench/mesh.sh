#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 1200
#
# The scenario of that name, as large as LAB_HOSTS says. It leaves its own figures.
exec "$(dirname "$0")/../net/mesh.sh"
