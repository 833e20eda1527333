/* Types of the benchmark guests. */
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef short int16;
typedef unsigned int uint32;
typedef int int32;
typedef unsigned long long uint64;

/* How much work to do; lies in start.S behind the multiboot header and is patched in the image. 0 measures start-up alone. */
extern const volatile uint32 rounds;
