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
