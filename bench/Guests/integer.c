/* Integer arithmetic in registers. */
#include "guest.h"

uint64 guest_main(void)
{
    uint64 x = 88172645463325252ull, sum = 0;
    uint64 n = rounds * 5000000ull;
    for (uint64 i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum += (x & 0xFFFF) * (i | 1) + (x >> 40);
        if (sum & 64)
            sum = (sum << 3) - sum;
    }
    return sum;
}
