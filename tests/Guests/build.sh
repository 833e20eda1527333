#!/bin/sh
# Rebuilds the guests that the tests run. Needs gcc; the images are committed, so that the tests do not.
set -e
cd "$(dirname "$0")"
flags="-O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -mno-mmx -mno-sse -nostdlib -static -Wall -Wextra"
gcc -m32 $flags -Wno-main -Wl,-T,multiboot/link.ld -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
    multiboot/start.S multiboot/kernel.c -o multiboot/kernel.elf
gcc -m64 $flags -Wno-main -mno-red-zone -mcmodel=small -I../../src/Host/Abi -Wl,-T,long64/link.ld -Wl,--build-id=none -Wl,-z,noexecstack \
    -Wl,--no-warn-rwx-segments long64/start.S long64/kernel.c -o long64/kernel.elf
strip multiboot/kernel.elf long64/kernel.elf

# One source for five levels of the instruction set. The object file runs here as a Linux program too, and what it prints on this machine's processor,
# which must have all of x86-64-v3 and AES, is what the guests must print: compiled/NAME.expected.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiled() {
    name=$1
    shift
    flags="-ffreestanding -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlib -static -Wall -Wextra"
    gcc "$@" -O2 -ftree-vectorize -fvect-cost-model=dynamic -fno-math-errno $flags -c compiled/work.c -o "$work/$name.o"
    for native in "" -DNATIVE; do
        gcc "$@" -O2 $native -mgeneral-regs-only $flags -Wl,-T,compiled/link.ld -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
            -Wl,--no-warn-rwx-segments compiled/start.S compiled/platform.c "$work/$name.o" -o "$work/$name$native"
    done
    "$work/$name-DNATIVE" >"compiled/$name.expected"
    strip -o "compiled/$name.elf" "$work/$name"
}
compiled i686 -m32 -march=i686 -mfpmath=387
compiled x86-64-v1 -m64 -march=x86-64
compiled x86-64-v2 -m64 -march=x86-64-v2
compiled x86-64-v3 -m64 -march=x86-64-v3 -mtune=haswell
compiled max -m64 -march=x86-64-v3 -mtune=haswell -maes
ls -l compiled
