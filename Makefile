# SPDX-License-Identifier: MIT
# Adept's build. `make help` says what there is. Everything generated goes to $(BUILD).

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/bash

# What the first line on the console says beside the commit's hash; CHANGELOG.md says what each version brought.
VERSION := 0.2.0

BUILD ?= build
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
else
Q :=
say =
endif

# --- Toolchain -------------------------------------------------------------------------------------------------------
# Prefix: x86_64-elf- if installed, else the native tools of an x86-64 machine, else x86_64-linux-gnu-.
ifeq ($(origin CROSS_COMPILE),undefined)
ifneq ($(shell command -v x86_64-elf-gcc),)
CROSS_COMPILE := x86_64-elf-
else ifeq ($(shell uname -m),x86_64)
CROSS_COMPILE :=
else
CROSS_COMPILE := x86_64-linux-gnu-
endif
endif

ifeq ($(origin CC),default)
ifeq ($(CLANG),1)
CC := clang
else
CC := $(CROSS_COMPILE)gcc
endif
endif
ifneq ($(findstring clang,$(CC)),)
TARGET_FLAGS := --target=x86_64-elf
endif
LD := $(CROSS_COMPILE)ld
NM := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
OBJDUMP := $(CROSS_COMPILE)objdump
NASM ?= nasm
HOSTCC ?= gcc
FUZZCC ?= clang

# WERROR=1: a warning is an error. Off by default: what a newer tool warns about must not stop anybody's build. The project's own
# test run (.ci/run) has it on, for the tools it knows.
WERROR ?= 0
ERRORS := $(if $(filter 1,$(WERROR)),-Werror)

# --- The hypervisor --------------------------------------------------------------------------------------------------
# WITHOUT="monitor report check": outer rooms that are left out (vmm/plug.h says where they attach); `all`: each that can be. The monitor
# shows what reports show: without these there is no monitor. Give it a BUILD directory of its own.
OUTER_ROOMS := monitor report check
WITHOUT ?=
LEFT_OUT := $(if $(filter all,$(WITHOUT)),$(OUTER_ROOMS),$(WITHOUT))
ifneq ($(filter-out $(OUTER_ROOMS),$(LEFT_OUT)),)
$(error WITHOUT=: no room that can be left out is called '$(filter-out $(OUTER_ROOMS),$(LEFT_OUT))'; there are: $(OUTER_ROOMS), or all)
endif
LEFT_OUT += $(if $(filter report,$(LEFT_OUT)),$(filter-out $(LEFT_OUT),monitor))
VMM_ROOMS := vmm $(patsubst %/,%,$(sort $(dir $(wildcard vmm/*/*.c vmm/*/*/*.c))))
# What is left out, with the rooms in it, as folders.
VMM_ROOMS := $(filter-out $(foreach room,$(LEFT_OUT),vmm/$(room) vmm/$(room)/%),$(VMM_ROOMS))
WITHOUT_FLAGS := $(foreach room,$(LEFT_OUT),-DWITHOUT_$(shell echo $(room) | tr a-z A-Z))
C_SOURCES := $(sort $(wildcard boot/*.c arch/x86/*.c ept/*.c $(addsuffix /*.c,$(VMM_ROOMS)) drivers/*.c))
ASM_SOURCES := $(sort $(wildcard boot/*.asm arch/x86/*.asm $(addsuffix /*.asm,$(VMM_ROOMS))))
OBJECTS := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(C_SOURCES)) $(basename $(ASM_SOURCES)))
ifneq ($(words $(OBJECTS)),$(words $(sort $(OBJECTS))))
$(error a .c and a .asm file share a name: $(foreach f,$(basename $(ASM_SOURCES)),$(filter $f,$(basename $(C_SOURCES)))))
endif

# BENCH=1: the build that counts VMREADs and VMWRITEs (arch/x86/vmx.h), in a directory of its own: see test/bench/run.
ifeq ($(BENCH),1)
BENCH_FLAGS := -DBENCH
endif

ABI_HEADERS := $(sort $(wildcard boot/*_abi.h arch/x86/*_abi.h $(addsuffix /*_abi.h,$(VMM_ROOMS))))
ABI_INCLUDES := $(addprefix $(BUILD)/gen/,$(notdir $(ABI_HEADERS:.h=.inc)))
GENERATED := $(BUILD)/gen/version.h $(ABI_INCLUDES)

# The commit, with `-dirty` behind it where a file has been changed since.
HASH ?= $$(git describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)

INCLUDES := -I. -I$(BUILD)/gen
WARNINGS := -Wall -Wextra $(ERRORS) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS := -std=c17 -O2 -g -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-pic -fno-pie \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none \
	-fno-strict-aliasing -fno-common $(WARNINGS) $(TARGET_FLAGS) $(BENCH_FLAGS) $(WITHOUT_FLAGS) $(EXTRA_CFLAGS)
# Relocations are wanted here and in the guests, and nasm before 2.16.02 does not know that it could warn about them.
NASM_WARNINGS := -w+all -w-unknown-warning $(addprefix -w-reloc-,abs-word abs-dword abs-qword rel-dword) $(ERRORS)
NASMFLAGS := $(BENCH_FLAGS) -f elf64 -g -F dwarf $(NASM_WARNINGS) -I. -I$(BUILD)/gen/ -I$(BUILD)/bios/
GUEST_NASMFLAGS := -f bin $(NASM_WARNINGS) -I. -Iguests/ -I$(BUILD)/gen/
LDFLAGS := -nostdlib -static -z max-page-size=0x1000 -z noexecstack --no-dynamic-linker --build-id=none

KERNEL := $(BUILD)/adept.elf
# What goes on the ISO: the same without symbols (GRUB would copy them into memory).
KERNEL_STRIPPED := $(BUILD)/adept

GUESTS := $(patsubst guests/%.asm,$(BUILD)/guests/%.bin,$(sort $(wildcard guests/*.asm)))

.PHONY: all kernel guests tools iso release run conformance bench test test-rest test-all size test-debian13 fuzz check-host deps clean help FORCE
all: kernel guests tools
kernel: $(KERNEL) $(KERNEL_STRIPPED) $(BUILD)/adept.dis
guests: $(GUESTS)

# A file that changes only when its contents do (two makes at once do not meet): $(call stamp,FILE,SHELL COMMAND THAT PRINTS THE CONTENTS).
define stamp
	@mkdir -p $(dir $(1))
	@new=$(1).new.$$$$; $(2) > $$new; if cmp -s $$new $(1); then rm -f $$new; else mv $$new $(1); fi
endef

# Everything that decides how a source is compiled; an object is older than it => rebuilt.
$(BUILD)/flags: FORCE
	$(call stamp,$@,printf '%s\n' '$(CC) $(CFLAGS)' '$(NASM) $(NASMFLAGS)' '$(GUEST_NASMFLAGS)' '$(LD) $(LDFLAGS)' "$$($(CC) --version | head -n 1)" "$$($(NASM) -v)")

# The list of objects: a removed source must cause a link.
$(BUILD)/objects: FORCE
	$(call stamp,$@,printf '%s\n' $(OBJECTS))

$(BUILD)/gen/version.h: FORCE
	$(call stamp,$@,printf '#define ADEPT_VERSION "%s"\n#define ADEPT_HASH "%s"\n' '$(VERSION)' "$(HASH)")

# `#define NAME value` -> `%define NAME value`; comments and the include guard go.
define abi_rule
$(BUILD)/gen/$(notdir $(1:.h=.inc)): $(1) tools/abi-to-nasm
	@mkdir -p $(BUILD)/gen
	$(Q)tools/abi-to-nasm $$< > $$@
endef
$(foreach header,$(ABI_HEADERS),$(eval $(call abi_rule,$(header))))

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(INCLUDES) -MMD -MP -c $< -o $@

# The dependencies of a nasm source come from a run of their own (-M): -MD of nasm 2.16.01 leaves out what is included.
$(BUILD)/obj/%.o: %.asm $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) $(NASMFLAGS) -M -MP -MT $@ -MF $(@:.o=.d) $<
	$(Q)$(NASM) $(NASMFLAGS) $< -o $@

$(BUILD)/gen/linker.ld: linker.ld boot/layout_abi.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(TARGET_FLAGS) -E -P -undef -x c -I. $< -o $@

# The guests' BIOS is a part of the image.
$(BUILD)/obj/vmm/bios/image.o: $(BUILD)/bios/bios.bin
$(BUILD)/bios/bios.bin: guests/bios/bios.asm $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,BIOS,$<)
	$(Q)$(NASM) $(GUEST_NASMFLAGS) -Iguests/bios/ -M -MP -MT $@ -MF $(@:.bin=.d) $<
	$(Q)$(NASM) $(GUEST_NASMFLAGS) -Iguests/bios/ -l $(@:.bin=.lst) $< -o $@

# Two links: the second adds the tables that tools/symbols makes from the first one's symbols and map.
$(BUILD)/gen/symbols-empty.asm: tools/symbols
	@mkdir -p $(@D)
	$(Q)tools/symbols empty > $@

$(BUILD)/adept-nosym.elf: $(OBJECTS) $(BUILD)/obj/symbols-empty.o $(BUILD)/gen/linker.ld $(BUILD)/objects
	$(Q)$(LD) $(LDFLAGS) -T $(BUILD)/gen/linker.ld -Map $(BUILD)/adept-nosym.map -o $@ $(OBJECTS) $(BUILD)/obj/symbols-empty.o

$(BUILD)/gen/symbols.asm: $(BUILD)/adept-nosym.elf tools/symbols
	$(Q)$(NM) -n $< | tools/symbols table $(BUILD)/adept-nosym.map $(BUILD)/obj > $@

$(BUILD)/obj/symbols%.o: $(BUILD)/gen/symbols%.asm $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) $< -o $@

$(BUILD)/obj/symbols.o: $(BUILD)/gen/symbols.asm $(BUILD)/flags
	$(Q)$(NASM) $(NASMFLAGS) $< -o $@

$(KERNEL): $(BUILD)/adept-nosym.elf $(BUILD)/obj/symbols.o
	$(call say,LD,$@)
	$(Q)$(LD) $(LDFLAGS) -T $(BUILD)/gen/linker.ld -Map $(BUILD)/adept.map -o $@ $(OBJECTS) $(BUILD)/obj/symbols.o
	$(Q)tools/symbols compare <($(NM) -n $(BUILD)/adept-nosym.elf) <($(NM) -n $@)

$(KERNEL_STRIPPED): $(KERNEL)
	$(Q)$(OBJCOPY) --strip-all $< $@

$(BUILD)/adept.dis: $(KERNEL)
	$(Q)$(OBJDUMP) -d -M intel $< > $@

# --- Guests ----------------------------------------------------------------------------------------------------------
$(BUILD)/guests/%.bin: guests/%.asm $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,GUEST,$<)
	$(Q)$(NASM) $(GUEST_NASMFLAGS) -M -MP -MT $@ -MF $(@:.bin=.d) $<
	$(Q)$(NASM) $(GUEST_NASMFLAGS) -l $(@:.bin=.lst) $< -o $@

# --- Programs for this machine ---------------------------------------------------------------------------------------
# The trace's decoder: its own parts, and what it shares with the hypervisor.
TRACE_TOOL_PARTS := tools/trace_decode.c tools/trace_write.c
TRACE_TOOL := tools/adept-trace.c $(TRACE_TOOL_PARTS) arch/x86/exception_name.c arch/x86/msr_name.c drivers/format.c $(wildcard ept/*.c) \
	arch/x86/exit_reason.c vmm/trace/hypercall_name.c vmm/trace/frame.c vmm/trace/output.c vmm/trace/record.c vmm/trace/text.c

tools: $(BUILD)/adept-trace
$(BUILD)/adept-trace: $(TRACE_TOOL:%.c=$(BUILD)/tools/%.o)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -g $^ -o $@
$(BUILD)/tools/%.o: %.c $(BUILD)/tools/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -g -Wall -Wextra $(ERRORS) $(INCLUDES) -MMD -MP -c $< -o $@
$(BUILD)/tools/flags: FORCE
	$(call stamp,$@,printf '%s\n' '$(ERRORS)' "$$($(HOSTCC) --version 2>&1 | head -n 1)")
-include $(TRACE_TOOL:%.c=$(BUILD)/tools/%.d)

# --- ISO -------------------------------------------------------------------------------------------------------------
iso: $(BUILD)/adept.iso
$(BUILD)/adept.iso: $(KERNEL_STRIPPED) $(GUESTS) iso/menu iso/guests iso/image
	$(call say,ISO,$@)
	$(Q)iso/image $@ $(KERNEL_STRIPPED) $(GUESTS)

# What a release is, in a folder of its own whose files have one name: the bootable image, the hypervisor without symbols, the
# trace's decoder, and the checksums of all three.
RELEASE := adept-$(VERSION)
release: $(BUILD)/$(RELEASE)/SHA256SUMS
$(BUILD)/$(RELEASE)/SHA256SUMS: $(BUILD)/adept.iso $(KERNEL_STRIPPED) $(BUILD)/adept-trace
	$(call say,RELEASE,$(@D))
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cp $(BUILD)/adept.iso $(@D)/$(RELEASE).iso
	$(Q)cp $(KERNEL_STRIPPED) $(@D)/$(RELEASE)
	$(Q)cp $(BUILD)/adept-trace $(@D)/$(RELEASE)-trace
	$(Q)cd $(@D) && sha256sum $(RELEASE) $(RELEASE)-trace $(RELEASE).iso > SHA256SUMS

# --- Running ---------------------------------------------------------------------------------------------------------
# GUEST=, CPUS= and so on reach tools/run through the environment.
run:
	@tools/deps run
	@$(MAKE) --no-print-directory -j$(JOBS) kernel guests
	@BUILD='$(BUILD)' tools/run

# The conformance tester alone: CASES= SEED= MODEL= EMU=. Its last line is `conformance: N cases, N mismatches, N known departures`;
# a mismatch fails the target.
CASES ?= 300000
SEED ?= 1
conformance:
	@tools/deps run
	@$(MAKE) --no-print-directory -j$(JOBS) kernel
	@BUILD='$(BUILD)' CPUS=1 TIMEOUT=0 tools/run GUEST=none CMDLINE='conformance=$(CASES),$(SEED) $(CMDLINE)'

check-host:
	@tools/check-host

# --- Tests on this machine -------------------------------------------------------------------------------------------
# What the programs in test/host and test/fuzz may link against: sources without an instruction, a port or a global of the
# machine. A new pure source is added here; test/layering checks that they are pure.
PURE_SOURCES := $(sort $(wildcard ept/*.c boot/*.c arch/x86/acpi*.c arch/x86/paging_layout.c arch/x86/exception_name.c arch/x86/msr_name.c \
	arch/x86/vmx_capabilities_merge.c arch/x86/invept_type.c \
	drivers/*.c \
	vmm/vcpu/breakpoint.c vmm/host/cmdline.c vmm/check/conformance/case.c vmm/check/conformance/confine.c vmm/check/conformance/judge.c vmm/check/conformance/memory.c \
	vmm/check/conformance/predict.c vmm/vcpu/control_rules.c vmm/emulate/decode*.c vmm/exit/denied_access.c $(addprefix vmm/emulate/,accumulator.c alu.c bits.c emulate.c multiply.c operand.c stack.c string.c system.c vector.c) vmm/host/bochs_bios.c vmm/check/entry/break.c vmm/check/entry/check.c arch/x86/exit_reason.c vmm/trace/subjects.c vmm/host/frame_pool.c \
	vmm/vm/config.c vmm/guest/cpus.c vmm/vm/line.c vmm/guest/map_module.c vmm/vm/mtrr.c vmm/guest/symbols.c vmm/vm/time.c \
	vmm/trace/hypercall_name.c vmm/monitor/complete.c vmm/monitor/edit.c vmm/emulate/mmio_refusal.c vmm/monitor/line.c vmm/monitor/parse.c vmm/emulate/opcode.c vmm/emulate/operation.c vmm/host/option_text.c \
	vmm/host/spcr_uart.c vmm/debug/step_plan.c vmm/debug/trap_flag_judge.c vmm/emulate/task_segments.c vmm/emulate/task_switch.c vmm/trace/filter.c vmm/trace/frame.c vmm/trace/output.c vmm/trace/record.c vmm/trace/ring.c vmm/trace/terms.c vmm/trace/text.c \
	vmm/report/vcpu_words.c vmm/vcpu/vpid_pool.c vmm/host/weakness.c vmm/devices/*.c \
	vmm/guest/disk.c vmm/vm/memory_map.c vmm/guest/multiboot.c vmm/guest/multiboot_elf.c vmm/guest/multiboot_information.c \
	$(filter-out vmm/bios/call.c vmm/bios/rom.c,$(wildcard vmm/bios/*.c)) $(TRACE_TOOL_PARTS)))

ASAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
TSAN_FLAGS := -fsanitize=thread
FUZZ_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -Wall -Wextra $(ERRORS) -I. -I$(BUILD)/gen
TEST_CFLAGS := $(HOST_CFLAGS) -Wno-unused-parameter

HOST_TESTS := $(patsubst test/host/%.c,$(BUILD)/host/%,$(sort $(wildcard test/host/*.c)))
STRESS_TESTS := $(patsubst test/host/%.c,$(BUILD)/tsan/%,$(sort $(wildcard test/host/*_stress.c)))
# Linked with the sources that are compiled for ThreadSanitizer, and with test/observed/memory_accesses.c in its place.
OBSERVED_TESTS := $(patsubst test/observed/%.c,$(BUILD)/observed/%,$(sort $(wildcard test/observed/ept_*.c)))
OBSERVED_OBJECTS := $(patsubst test/observed/%.c,$(BUILD)/observed/obj/%.o,$(sort $(wildcard test/observed/*.c)))
.SECONDARY: $(OBSERVED_OBJECTS)
FUZZERS := $(patsubst test/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard test/fuzz/*.c)))

# $(call flavour,DIRECTORY,COMPILER,FLAGS FOR THE SOURCES): the pure sources built one way, as an archive.
define flavour
COMMAND_$(1) := $(2) $(HOST_CFLAGS) $(3)
$(BUILD)/$(1)/flags: FORCE
	$$(call stamp,$$@,printf '%s\n' '$$(COMMAND_$(1))' "$$$$($(2) --version 2>&1 | head -n 1)")
$(BUILD)/$(1)/obj/%.o: %.c $(BUILD)/$(1)/flags | $(GENERATED)
	@mkdir -p $$(@D)
	$$(Q)$$(COMMAND_$(1)) -MMD -MP -c $$< -o $$@
$(BUILD)/$(1)/libpure.a: $(PURE_SOURCES:%.c=$(BUILD)/$(1)/obj/%.o) $(BUILD)/objects
	$$(Q)rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)
-include $(PURE_SOURCES:%.c=$(BUILD)/$(1)/obj/%.d)
endef
$(eval $(call flavour,host,$(HOSTCC),$(ASAN_FLAGS)))
$(eval $(call flavour,tsan,$(HOSTCC),$(TSAN_FLAGS)))
$(eval $(call flavour,fuzz,$(FUZZCC),$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link))

$(BUILD)/host/%: test/host/%.c $(BUILD)/host/libpure.a $(BUILD)/host/flags
	$(call say,TEST,$@)
	$(Q)$(HOSTCC) $(TEST_CFLAGS) $(ASAN_FLAGS) -MMD -MP -MF $@.d $< $(BUILD)/host/libpure.a -lcmocka -lpthread -o $@

$(BUILD)/tsan/%: test/host/%.c $(BUILD)/tsan/libpure.a $(BUILD)/tsan/flags
	$(call say,TSAN,$@)
	$(Q)$(HOSTCC) $(TEST_CFLAGS) $(TSAN_FLAGS) -MMD -MP -MF $@.d $< $(BUILD)/tsan/libpure.a -lcmocka -lpthread -o $@

$(BUILD)/observed/obj/%.o: test/observed/%.c $(BUILD)/tsan/flags
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(TEST_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/observed/%: $(BUILD)/observed/obj/%.o $(filter-out $(BUILD)/observed/obj/ept_%,$(OBSERVED_OBJECTS)) $(BUILD)/tsan/libpure.a
	$(call say,OBSERVE,$@)
	$(Q)$(HOSTCC) -g $^ -lcmocka -lpthread -o $@

$(BUILD)/fuzz/%: test/fuzz/%.c $(BUILD)/fuzz/libpure.a $(BUILD)/fuzz/flags
	$(call say,FUZZ,$@)
	$(Q)$(FUZZCC) $(TEST_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d $< $(BUILD)/fuzz/libpure.a -o $@

.PHONY: host-tests stress-tests observed-tests fuzzers bench-programs print-pure-sources print-nasm-warnings
host-tests: $(HOST_TESTS)
stress-tests: $(STRESS_TESTS)
observed-tests: $(OBSERVED_TESTS)
fuzzers: $(FUZZERS)
print-pure-sources:
	@printf '%s\n' $(PURE_SOURCES)
print-nasm-warnings:
	@printf '%s\n' $(NASM_WARNINGS)

# --- What it costs: test/bench/figures.py -----------------------------------------------------------------------------
$(BUILD)/bench/ept_tables: test/bench/ept_tables.c test/host/ept_pool.h $(wildcard ept/*.[ch]) $(BUILD)/host/flags
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(filter %.c,$^) -lpthread -o $@

$(BUILD)/bench/ept_scale: test/bench/ept_scale.c test/bench/ept_scale.h test/host/ept_pool.h $(wildcard ept/*.[ch]) $(BUILD)/host/flags
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -O2 $(filter %.c,$^) -lpthread -o $@

$(BUILD)/bench/framebuffer: test/bench/framebuffer.c drivers/framebuffer.c drivers/text_grid.c drivers/font.c $(wildcard drivers/*.h) $(BUILD)/host/flags
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -O2 $(filter %.c,$^) -o $@

bench-programs: $(BUILD)/bench/ept_tables $(BUILD)/bench/ept_scale $(BUILD)/bench/framebuffer

bench:
	@tools/deps run
	@$(MAKE) --no-print-directory -j$(JOBS) kernel bench-programs
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD='$(BUILD)/counting' BENCH=1 kernel
	@test/bench/run --build '$(BUILD)'; status=$$?; $(BUILD)/bench/ept_scale && exit $$status

# --- What is tested: the last line is `N passed, N failed` ------------------------------------------------------------
# `test` is the quick part, `test-rest` what it leaves out (test/long-tests), `test-all` both. ONLY=pattern runs the tests of both parts
# whose name contains the pattern, or one of several: ONLY='fuzz crash-'; ONLY==NAME runs one test.
test: PART := quick
test-rest: PART := rest
test-all: PART := all
test test-rest test-all:
	@tools/deps test
	@BUILD='$(BUILD)' test/run-tests --part '$(if $(ONLY),all,$(PART))' --only '$(ONLY)'

# Lines of code of each room, and the image's bytes.
size:
	@tools/size . $(KERNEL_STRIPPED)

# The same, and `make run`, on Debian 13, whose tools are newer. `test/debian RELEASE` takes any release.
test-debian13:
	@test/debian trixie

FUZZ_SECONDS ?= 600
FUZZ_GUESTS ?= 20000
fuzz:
	@tools/deps test
	@BUILD='$(BUILD)' test/run-tests --only '$(or $(ONLY),fuzz)' --fuzz-seconds $(FUZZ_SECONDS) --fuzz-guests $(FUZZ_GUESTS)

deps:
	@tools/deps test

clean:
	$(Q)rm -rf $(BUILD)

help:
	@printf '%s\n' \
	    'make all          builds the hypervisor, the guests and adept-trace into $(BUILD)/; so does make alone' \
	    'make kernel       the hypervisor alone, and its disassembly; make guests, make tools: these alone' \
	    'make run          runs them in an emulator; GUEST= CPUS= MEM= MODEL= EMU= CMDLINE= TIMEOUT= UEFI=1' \
	    '                  (tools/run --help explains them)' \
	    'make conformance  what the processor makes of EPT entries, against the manual; MODEL= CASES=$(CASES) SEED=$(SEED)' \
	    'make test         runs the quick tests; ONLY=pattern some of all, ONLY==NAME one' \
    'make test-all     runs every test; make test-rest: those that make test leaves out' \
    'make size         lines of code of each room, and the bytes of the image' \
	    'make test-debian13  make run and make test on Debian 13, in a tree by debootstrap; needs root or sudo' \
	    'make bench        what exits, the EPT and the start cost: two tables, $(BUILD)/bench.json' \
	    'make fuzz         fuzzes for FUZZ_SECONDS=$(FUZZ_SECONDS) each, and with FUZZ_GUESTS=$(FUZZ_GUESTS) random guests' \
	    'make iso          $(BUILD)/adept.iso, for CD and USB, BIOS and UEFI' \
	    'make release      $(BUILD)/$(RELEASE)/: the image for CD and USB, the hypervisor, adept-trace, and their checksums' \
	    'make check-host   what this machine can run Adept in, and why' \
	    'make deps         installs what run and test need (they do so themselves)' \
	    'make clean        removes $(BUILD)/' \
	    'make help         this' \
	    'V=1 shows the commands; WERROR=1 makes warnings errors; CLANG=1 builds with clang; CROSS_COMPILE= sets the toolchain prefix; BUILD= the directory' \
	    'WITHOUT="$(OUTER_ROOMS)" leaves outer rooms of vmm/ out, all of these or some (WITHOUT=all)'

-include $(OBJECTS:.o=.d) $(GUESTS:.bin=.d) $(BUILD)/bios/bios.d $(addsuffix .d,$(HOST_TESTS) $(STRESS_TESTS) $(FUZZERS)) $(OBSERVED_OBJECTS:.o=.d)
