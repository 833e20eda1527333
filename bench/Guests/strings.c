/* REP MOVSB and REP STOSQ over whole pages. */
#include "guest.h"

static uint8 from[65536] __attribute__((aligned(4096))), to[65536] __attribute__((aligned(4096)));

uint64 guest_main(void)
{
    for (uint32 i = 0; i < rounds * 2000; i++) {
        void *d = to, *s = from;
        uint64 n = sizeof from;
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
        d = from;
        n = sizeof from / 8;
        __asm__ volatile("rep stosq" : "+D"(d), "+c"(n) : "a"(i * 0x0101010101010101ull) : "memory");
    }
    return to[77];
}
