#!/usr/bin/env bash
# Rebuilds the benchmark guests (images/*.bin) with the machine's gcc. The images are committed, so that a benchmark needs no compiler.
set -euo pipefail
cd "$(dirname "$0")"
out=images
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"
gcc -c start.S -o "$tmp/start.o"
build() {
  local name=$1 source=$2
  shift 2
  gcc -m64 -O2 -ffreestanding -fno-stack-protector -fno-pic -mgeneral-regs-only -mno-red-zone -fno-asynchronous-unwind-tables \
    -Wall -Wextra "$@" -c "$source" -o "$tmp/$name.o"
  ld -m elf_x86_64 -z noexecstack -T guest.ld "$tmp/start.o" "$tmp/$name.o" -o "$tmp/$name.elf"
  objcopy -O binary "$tmp/$name.elf" "$out/$name.bin"
}
for guest in coremix integer memory calls paging strings; do build "$guest" "$guest.c"; done
build exit-cpuid exits.c
build exit-port exits.c -DPORT
build exit-rdmsr exits.c -DMSR
gcc -m32 -c boot.S -o "$tmp/boot.o"
ld -m elf_i386 -z noexecstack -Ttext 0x7C00 --oformat binary "$tmp/boot.o" -o "$out/boot.bin"
ls -l "$out"
