/* Page-table work: 4 KiB mappings over 64 MiB of linear space, touched in an order that misses every TLB, remapped and invalidated. */
#include "guest.h"

static uint64 tables[33][512] __attribute__((aligned(4096)));
static uint8 frames[64][4096] __attribute__((aligned(4096)));

uint64 guest_main(void)
{
    uint64 cr3, sum = 0;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    uint64 *pdpt = (uint64 *)(*(uint64 *)cr3 & ~0xFFFull);
    for (int t = 0; t < 32; t++) {
        for (int i = 0; i < 512; i++)
            tables[t][i] = (uint64)frames[(t * 512 + i) % 64] | 3;
        tables[32][t] = (uint64)tables[t] | 3;
    }
    pdpt[1] = (uint64)tables[32] | 3;
    volatile uint8 *window = (volatile uint8 *)(1ull << 30);
    uint32 n = rounds * 400000u;
    for (uint32 i = 0; i < n; i++) {
        uint32 page = i * 2654435761u >> 18;
        window[(uint64)page << 12 | (i & 0xFFF)] += (uint8)i;
        sum += window[(uint64)(page ^ 1) << 12 | (i & 0xFFF)];
        if ((i & 15) == 0) {
            tables[page >> 9][page & 511] = (uint64)frames[i >> 4 & 63] | 3;
            __asm__ volatile("invlpg (%0)" : : "r"(window + ((uint64)page << 12)) : "memory");
        }
        if ((i & 0xFFFF) == 0)
            __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    }
    return sum;
}
