/* Exits: OUT to an unclaimed port or CPUID, a round trip to the host each. */
#include "guest.h"

uint64 guest_main(void)
{
    uint64 sum = 0;
    uint32 n = rounds * 100000u;
    for (uint32 i = 0; i < n; i++) {
#ifdef PORT
        __asm__ volatile("outb %%al, %%dx" : : "a"(i), "d"(0x80));
        sum++;
#else
        uint32 eax = 0, ebx, ecx = 0, edx;
        __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
        sum += eax != 0;
#endif
    }
    return sum;
}
