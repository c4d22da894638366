# SPDX-License-Identifier: Apache-2.0
#
# Holdfast: one makefile for everything, no recursion into folders. What is built goes to $(B), nothing into the source tree.
# Sources are found by wildcard: a new room under agent/ or a new test needs no change here.
#
#   make V=1          show the commands           make SAN=1        ASan and UBSan, in build-san
#   make CC=clang     another compiler            make B=/some/dir  another place to build in
# `make help` lists the targets.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

VERSION := 0.1.0

# ---- knobs ---------------------------------------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
AR      := ar
CLANG   ?= clang
STRIP   ?= llvm-strip
# bpftool lives in sbin, which is not on everybody's path.
BPFTOOL ?= PATH="$$PATH:/usr/sbin:/sbin" bpftool

B       ?= build$(if $(SAN),-san)
PREFIX  ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
CONFDIR ?= /etc/holdfast
EXAMPLES ?= $(PREFIX)/share/doc/holdfast/examples
BASHDIR ?= $(PREFIX)/share/bash-completion/completions

CFLAGS  ?= -O2 -g
WERROR  ?= -Werror
ARCH    := $(shell uname -m)

Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

# Asked once, and only when a recipe needs it: `make setup` must work before pkg-config is there.
PKGS      := libbpf libxdp libelf zlib libmnl libevent_core libevent_extra inih jansson libsystemd libcap libseccomp libcrypto libcurl sqlite3 libunbound
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(if $(filter-out 0,$(.SHELLSTATUS)),$(error pkg-config lacks a library, see above; make setup))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
CMOCKA     = $(eval CMOCKA := $(shell pkg-config --cflags --libs cmocka))$(CMOCKA)
PCAP       = $(eval PCAP := $(shell pkg-config --cflags --libs libpcap))$(PCAP)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
# `-D_GNU_SOURCE=` equals a plain `#define _GNU_SOURCE`, so a file may say it as well.
DEFS    := -D_GNU_SOURCE= -DHF_VERSION='"$(VERSION)"'
INC     := -Iinclude -Iagent -I$(B)/bpf
SAN_ON  := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANFLAGS := $(if $(SAN),$(SAN_ON))
CC_ARGS  = -std=gnu11 $(WARN) $(DEFS) $(INC) $(CFLAGS) $(SANFLAGS) $(PKG_CFLAGS)
LD_ARGS  = $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -Wl,--as-needed,-z,relro,-z,now

BPF_ARCH := $(if $(filter x86_64,$(ARCH)),x86,$(if $(filter aarch64,$(ARCH)),arm64,$(ARCH)))
# -fdebug-prefix-map: BTF names the sources, and a package must not name the machine that built it. -idirafter: <asm/types.h> is in the multi-arch folder, which -target bpf does not look into.
BPF_ARGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wno-unused-parameter \
	$(WERROR) -fdebug-prefix-map=$(CURDIR)=. -Iinclude -Ivmlinux -Ibpf -idirafter /usr/include/$(ARCH)-linux-gnu

# ---- what there is -------------------------------------------------------------------------------------------------

objs = $(patsubst %.c,$(B)/obj/%.o,$(1))

BPF_SRC   := $(wildcard bpf/*.bpf.c tests/bpf/*.bpf.c tests/bench/*.bpf.c)
SKELS     := $(patsubst %.bpf.c,$(B)/bpf/%.skel.h,$(notdir $(BPF_SRC)))

# ROOMS="base core" leaves the other rooms out, to work on some while another does not compile.
ROOMS     ?= *
AGENT_SRC := $(wildcard $(ROOMS:%=agent/%/*.c))
LIB_SRC   := $(filter-out agent/cli/main.c,$(AGENT_SRC))
LIB       := $(B)/libholdfast.a
PROGRAM   := $(if $(wildcard agent/cli/main.c),$(B)/holdfast)

# tests/{unit,bpf,bench}: one program per test_*.c or bench_*.c; every other .c file there is a helper of all of them.
prog_src   = $(wildcard tests/$(1)/$(2)_*.c)
helper_src = $(filter-out tests/$(1)/$(2)_%.c %.bpf.c,$(wildcard tests/$(1)/*.c))
progs      = $(patsubst tests/%.c,$(B)/tests/%,$(call prog_src,$(1),$(2)))

UNIT_PROGS  := $(call progs,unit,test)
BPF_PROGS   := $(call progs,bpf,test)
BENCH_PROGS := $(call progs,bench,bench)
FUZZ_PROGS  := $(call progs,fuzz,fuzz)
LAB_SRC     := $(wildcard tests/lab/*.c)
LAB_PROGS   := $(patsubst tests/%.c,$(B)/tests/%,$(LAB_SRC))
PROBE_SRC   := $(wildcard tests/lab/probe/*.c)
PROBE       := $(if $(PROBE_SRC),$(B)/tests/lab/hfprobe)
KEY_SRC     := $(wildcard tests/net/fixedkey/*.c)
FIXEDKEY    := $(if $(KEY_SRC),$(B)/tests/fixedkey)
PEER_SRC    := $(if $(filter agent/ike/engine.c,$(AGENT_SRC)),$(wildcard tests/net/ikepeer/*.c))
IKEPEER     := $(if $(PEER_SRC),$(B)/tests/ikepeer)
# Two programs over one world of engines: by seed, and by every order of messages.
SIM_PROGS   := $(if $(filter agent/ike/engine.c,$(AGENT_SRC)),$(patsubst %.c,$(B)/%,$(wildcard tests/sim/sim.c tests/sim/explore.c)))
SIM_SRC     := $(filter-out tests/sim/sim.c tests/sim/explore.c,$(wildcard tests/sim/*.c)) tests/unit/kem_standin.c
# What user-mode Linux needs preloaded on newer processors; it is there for this architecture only.
UML_HELP    := $(if $(filter x86_64,$(ARCH)),$(patsubst tests/%.c,$(B)/tests/%.so,$(wildcard tests/lab/uml/*.c)))
NET_PROGS   := $(LAB_PROGS) $(PROBE) $(FIXEDKEY) $(IKEPEER) $(UML_HELP)
TEST_SRC    := $(filter-out %.bpf.c,$(wildcard tests/unit/*.c tests/bpf/*.c tests/bench/*.c tests/sim/*.c)) $(LAB_SRC) $(PROBE_SRC) $(KEY_SRC) $(PEER_SRC)

OBJS := $(call objs,$(AGENT_SRC) $(TEST_SRC))

.PHONY: all programs lab FORCE
all: $(LIB) $(SKELS) $(PROGRAM)

# Everything `make check` needs, and the benches, which it does not run: a change must not break them unseen. `make lab` is only
# what a scenario needs.
programs: all $(UNIT_PROGS) $(BPF_PROGS) $(BENCH_PROGS) $(SIM_PROGS) $(NET_PROGS)
lab: all $(NET_PROGS)

# ---- BPF: .bpf.c -> .bpf.o -> .skel.h ------------------------------------------------------------------------------

# llvm-strip -g drops DWARF and keeps BTF, which map dumps with named fields need.
define bpf_object
	@mkdir -p $(@D)
	$(call say,BPF,$<)$(CLANG) $(BPF_ARGS) -MMD -MP -MT $@ -MF $@.d -c $< -o $@ && $(STRIP) -g $@
endef
$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(B)/.bpfflags
	$(bpf_object)
$(B)/bpf/%.bpf.o: tests/bpf/%.bpf.c $(B)/.bpfflags
	$(bpf_object)
$(B)/bpf/%.bpf.o: tests/bench/%.bpf.c $(B)/.bpfflags
	$(bpf_object)

# egress.bpf.o gives `struct egress_bpf` and egress_bpf__open(), as libbpf's own examples have it.
$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< > $@

.SECONDARY: $(patsubst %.skel.h,%.bpf.o,$(SKELS)) $(OBJS)

# ---- objects, library, programs ------------------------------------------------------------------------------------

$(B)/obj/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CC_ARGS) -MMD -MP -MF $@.d -c $< -o $@

# The dependency files know who includes a skeleton only after the first build.
$(filter $(addprefix $(B)/obj/,agent/dataplane/% tests/bpf/% tests/bench/% tests/net/%),$(OBJS)): | $(SKELS)

# `ar r` would let cli/status.o replace control/status.o: append to a new archive instead.
$(LIB): $(call objs,$(LIB_SRC)) $(B)/.members
	$(call say,AR,$@)rm -f $@ && $(AR) qcs $@ $(filter %.o,$^)

define link
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LD_ARGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(PKG_LIBS)
endef

$(B)/holdfast: $(call objs,agent/cli/main.c) $(LIB)
	$(call link)
$(UNIT_PROGS): $(B)/tests/%: $(B)/obj/tests/%.o $(call objs,$(call helper_src,unit,test)) $(LIB)
	$(call link,$(CMOCKA))
$(BPF_PROGS): $(B)/tests/%: $(B)/obj/tests/%.o $(call objs,$(call helper_src,bpf,test)) $(LIB)
	$(call link,$(CMOCKA))
$(BENCH_PROGS): $(B)/tests/%: $(B)/obj/tests/%.o $(call objs,$(call helper_src,bench,bench)) $(LIB)
	$(call link)
$(LAB_PROGS): $(B)/tests/%: $(B)/obj/tests/%.o
	$(call link,$(PCAP))
$(UML_HELP): $(B)/tests/%.so: tests/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -Wall -Wextra $(WERROR) -D_GNU_SOURCE -O2 -fPIC -shared -o $@ $<
$(B)/tests/lab/hfprobe: $(call objs,$(PROBE_SRC))
	$(call link)
$(B)/tests/fixedkey: $(call objs,$(KEY_SRC)) $(LIB)
	$(call link)
$(B)/tests/ikepeer: $(call objs,$(PEER_SRC)) $(LIB)
	$(call link)

$(SIM_PROGS): $(B)/tests/%: $(B)/obj/tests/%.o $(call objs,$(SIM_SRC)) $(LIB)
	$(call link)

# Fuzzing needs its own objects: the whole library with the fuzzer's coverage in it, always by clang.
FUZZ_ARGS  = -std=gnu11 $(WARN) $(DEFS) $(INC) -O1 -g -fno-omit-frame-pointer $(PKG_CFLAGS)
$(B)/fuzz/%.o: %.c $(B)/.flags | $(SKELS)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)$(CLANG) $(FUZZ_ARGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -MF $@.d -c $< -o $@
FUZZ_SRC   = $(LIB_SRC) $(call helper_src,fuzz,fuzz) tests/unit/kem_standin.c
$(FUZZ_PROGS): $(B)/tests/%: $(B)/fuzz/tests/%.o $(patsubst %.c,$(B)/fuzz/%.o,$(FUZZ_SRC))
	@mkdir -p $(@D)
	$(call say,FUZZLD,$@)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(PKG_LIBS)

# Changed flags or a removed source rebuild what they touch: each of these files changes only when its text does.
define remember
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' > $@
endef
$(B)/.flags: FORCE
	$(call remember,$(CC) $(CC_ARGS))
$(B)/.bpfflags: FORCE
	$(call remember,$(CLANG) $(BPF_ARGS))
$(B)/.members: FORCE
	$(call remember,$(LIB_SRC))
FORCE:

-include $(wildcard $(B)/bpf/*.d) $(addsuffix .d,$(OBJS)) $(patsubst %.c,$(B)/fuzz/%.o.d,$(if $(FUZZ_PROGS),$(FUZZ_SRC) $(wildcard tests/fuzz/fuzz_*.c)))

# ---- tests ---------------------------------------------------------------------------------------------------------

# tests/run does the counting; the parts leave "passed failed skipped" in $(B)/check/PART.
.PHONY: lab-shell check check-dist check-unit check-sim sim check-bpf check-net check-vm check-fuzz fuzz-programs analyze bench fuzz tidy demo mesh
export HF_SRC := $(CURDIR)
export HF_BUILD = $(abspath $(B))
export B
RUN = FUZZ_SECONDS='$(FUZZ_SECONDS)' CLANG='$(CLANG)' KERNEL='$(KERNEL)' TIER='$(TIER)' ONLY='$(ONLY)' SHORT='$(SHORT)' MAKE='$(MAKE)' tests/run

# These must work on a machine that has only make and git, so the packages come before anything else is asked.
ifneq ($(filter check check-vm demo bench,$(MAKECMDGOALS)),)
# Not with -n: make 4.3 has the short options in the first word, or, without any, the first long one.
ifeq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS))))$(filter no,$(SETUP)),)
$(shell dist/setup -q $(if $(filter check-vm bench,$(MAKECMDGOALS)),vm) >&2)
ifneq ($(.SHELLSTATUS),0)
$(error packages are missing and dist/setup could not install them)
endif
endif
endif

check:
	@+$(RUN) check
check-unit: $(UNIT_PROGS)
	@$(RUN) unit
check-dist: all
	@$(RUN) dist
check-sim: $(SIM_PROGS)
	@$(RUN) sim
check-bpf: $(BPF_PROGS)
	@$(RUN) bpf
check-net: lab
	@$(RUN) net
check-vm: programs
	@$(RUN) vm
tidy: all
	@$(RUN) tidy
# Both compilers' analyzers over the rooms that choose and parse.
analyze:
	@CC_ARGS='$(CC_ARGS)' CLANG='$(CLANG)' tests/tidy/analyze

bench: lab $(BENCH_PROGS)
	@if [ -x tests/bench/run ]; then tests/bench/run; else echo 'bench: tests/bench/run is not there'; exit 1; fi

# make fuzz T=name TIME=60: one target; without T all of them, one after the other.
TIME ?= 60
ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
ifeq ($(shell echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | $(CLANG) -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null && echo yes),)
$(error fuzzing needs clang and its runtime: make setup)
endif
endif
fuzz-programs: $(FUZZ_PROGS)
# The short form that `make check` has: every target for FUZZ_SECONDS, as many at a time as there are processors.
check-fuzz:
	@+$(RUN) fuzzers
fuzz: $(if $(T),$(B)/tests/fuzz/fuzz_$(T),$(FUZZ_PROGS))
	@$(RUN) fuzz $(TIME) $^

# make sim SEEDS=100000 FROM=1: a campaign; and every order of more messages than `make check` has the time for.
SEEDS ?= 10000
FROM  ?= 1
sim: $(SIM_PROGS)
	@nice $(B)/tests/sim/sim --seeds $(FROM) $(SEEDS)
	@nice $(B)/tests/sim/explore --deep

# make mesh HOSTS=20 RUNS=20: the scenario of that name, larger and more often than `make check` has the time for.
HOSTS    ?= 20
RUNS     ?= 1
HOLD_AGE ?= 10
mesh: lab
	@LAB_HOSTS=$(HOSTS) LAB_ROUNDS=$(RUNS) LAB_HOLD_AGE=$(HOLD_AGE) tests/lab/run --out $(B)/mesh --timeout $$((300 + 3 * $(HOSTS) * $(HOSTS) + 60 * $(RUNS))) tests/net/mesh.sh && tail -1 $(B)/mesh/mesh.log

demo: lab
	@tests/demo
lab-shell: lab
	@tests/lab/shell

# ---- setup, install ------------------------------------------------------------------------------------------------

.PHONY: setup install uninstall deb clean help
setup:
	@dist/setup $(LEVEL)

MANPAGES := $(wildcard docs/*.1 docs/*.5 docs/*.8)
CONFS    := $(wildcard dist/*.conf)
POLICIES := $(wildcard dist/policies/*)
WATCHING := $(wildcard dist/grafana/*.json dist/prometheus/*.yml)
D        := $(DESTDIR)

# An operator's own configuration is never overwritten; ours as it comes is among the examples.
install: $(PROGRAM)
	install -D -m 755 $(B)/holdfast $(D)$(SBINDIR)/holdfast
	install -d -m 755 $(D)$(UNITDIR)
	sed 's|@SBINDIR@|$(SBINDIR)|' dist/holdfast.service > $(D)$(UNITDIR)/holdfast.service
	install -D -m 644 dist/completion/holdfast.bash $(D)$(BASHDIR)/holdfast
	$(foreach e,$(WATCHING),install -D -m 644 $(e) $(D)$(EXAMPLES)/$(notdir $(e))$(newline))
	$(foreach m,$(MANPAGES),install -D -m 644 $(m) $(D)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))$(newline))
	$(foreach c,$(CONFS) $(POLICIES),install -D -m 644 $(c) $(D)$(EXAMPLES)/$(c:dist/%=%)$(newline))
	$(foreach c,$(CONFS) $(POLICIES),[ -e $(D)$(CONFDIR)/$(c:dist/%=%) ] || install -D -m 644 $(c) $(D)$(CONFDIR)/$(c:dist/%=%)$(newline))

# Configuration that the operator changed stays.
uninstall:
	rm -f $(D)$(SBINDIR)/holdfast $(D)$(UNITDIR)/holdfast.service $(D)$(BASHDIR)/holdfast
	rm -f $(foreach e,$(WATCHING),$(D)$(EXAMPLES)/$(notdir $(e)))
	$(foreach m,$(MANPAGES),rm -f $(D)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))$(newline))
	$(foreach c,$(CONFS) $(POLICIES),if cmp -s $(c) $(D)$(CONFDIR)/$(c:dist/%=%); then rm -f $(D)$(CONFDIR)/$(c:dist/%=%); fi; \
		rm -f $(D)$(EXAMPLES)/$(c:dist/%=%)$(newline))
	@for d in $(D)$(CONFDIR) $(D)$(dir $(EXAMPLES)); do if [ -d $$d ]; then find $$d -depth -type d -empty -delete; fi; done

# With dpkg's own tools: $(B)/holdfast_VERSION_ARCH.deb
deb: $(PROGRAM)
	@MAKE='$(MAKE)' dist/deb $(B) $(VERSION)

define newline


endef

clean:
	rm -rf $(B)

help:
	@sed -n 's/^#: //p' Makefile
#: make              build $(B)/holdfast and the BPF programs         (= make all)
#: make demo         see it work, on this machine
#: make lab-shell    the hosts of the demo to play with, in tmux
#: make check        everything below except check-vm, one closing line with the sum
#: make analyze      gcc -fanalyzer and clang --analyze over base, crypto, ike, core
#: make tidy         floors, purity, SPDX, length and format of the sources
#: make check-unit   tests/unit                                        ONLY=pattern
#: make check-dist   unit file, installation, Debian package          ONLY=pattern
#: make check-sim    engines in seeded weather, and every order of messages
#: make check-bpf    tests/bpf on the running kernel (root)            ONLY=pattern
#: make check-fuzz   every fuzz target for a short while               FUZZ_SECONDS=20 ONLY=pattern
#: make check-net    scenarios in tests/net, best tier of the lab      ONLY=pattern TIER=host|uml|vm
#: make check-vm     bpf and net under virtme-ng                       KERNEL=6.1|6.12|7 SHORT=1 ONLY=pattern
#: make bench        numbers: a table and $(B)/bench/*.json          ONLY=ike|directory|gate|shield|flood|spread|throughput|release|first|recovery|mesh|dns
#: make sim          a campaign of the simulator                       SEEDS=100000 FROM=1
#: make mesh         hosts that all start talking at once            HOSTS=20 RUNS=20
#: make fuzz         libFuzzer                                         T=name TIME=seconds
#: make lab          only the programs that scenarios need
#: make setup        install the Debian 12 packages that are missing   LEVEL=vm: also what check-vm needs
#: make install      DESTDIR= PREFIX=/usr ; make uninstall reverses it
#: make deb          a Debian package, $(B)/holdfast_VERSION_ARCH.deb
#: make clean        remove $(B)
#: Everywhere: B=dir V=1 SAN=1 CC=clang CFLAGS=... ROOMS="base core" (only these rooms); SETUP=no: never look for packages
