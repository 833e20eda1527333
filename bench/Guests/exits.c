/* Exits: one instruction whose round trip is measured, in the shortest loop around it. OUT goes to an unclaimed port, RDMSR reads the register of the
   2007 interface, which hv's core answers with 0; QEMU and Bochs read 0 from any register that they do not know. */
#include "guest.h"

#if defined(PORT)
#define ROUND_TRIP "outb %%al, $0x80\n\t"
#elif defined(MSR)
#define ROUND_TRIP "rdmsr\n\t"
#else
#define ROUND_TRIP "xorl %%eax, %%eax\n\tcpuid\n\t"
#endif

uint64 guest_main(void)
{
    uint32 n = rounds * 100000u;
    uint32 left = n, eax = 0, ecx = 0x87655678u;
    if (n != 0)
        __asm__ volatile("1:\n\t" ROUND_TRIP "decl %[left]\n\tjnz 1b" : [left] "+S"(left), "+a"(eax), "+c"(ecx) : : "ebx", "edx", "cc");
    /* CPUID's answers differ between engines; all leave something in EAX that is not 0, and the other two 0. */
    return ((uint64)(eax != 0) << 32) + n - left;
}
