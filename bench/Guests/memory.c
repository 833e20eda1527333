/* A sieve: byte stores and loads with strides over 1 MiB. */
#include "guest.h"

static uint8 composite[1 << 20];

uint64 guest_main(void)
{
    uint64 primes = 0;
    for (uint32 round = 0; round < rounds * 4; round++) {
        for (uint32 i = 0; i < sizeof composite; i++)
            composite[i] = 0;
        for (uint32 i = 2; i < sizeof composite; i++) {
            if (composite[i])
                continue;
            primes++;
            for (uint64 j = (uint64)i * i; j < sizeof composite; j += i)
                composite[j] = 1;
        }
    }
    return primes;
}
