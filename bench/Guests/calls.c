/* Calls and returns: recursive Fibonacci. */
#include "guest.h"

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static uint64 fib(uint32 n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64 guest_main(void)
{
    uint64 sum = 0;
    for (uint32 round = 0; round < rounds; round++)
        sum += fib(30);
    return sum;
}
