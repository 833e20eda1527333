/* What the programs stand on: a guest of hv, or with NATIVE a Linux program that prints the same. */
void work(void);
void put(char c);

#ifdef NATIVE
static char text[65536];
static unsigned int used;

void put(char c)
{
	if (used < sizeof text)
		text[used++] = c;
}

static long call(long number, long a, const void *b, long c)
{
	long result;

#ifdef __x86_64__
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
#endif
	return result;
}

void begin(void)
{
#ifdef __x86_64__
	const long write_number = 1, exit_number = 60;
#else
	const long write_number = 4, exit_number = 1;
#endif
	work();
	call(write_number, 1, text, used);
	call(exit_number, 0, 0, 0);
}
#else
static void out(unsigned short port, unsigned char value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void put(char c)
{
	out(0x3F8, c);
}

void begin(void)
{
	work();
	out(0xF4, 0);
}
#endif

/* What gcc calls of its own. */
void *memset(void *to, int value, unsigned long length)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(value) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, unsigned long length)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(length) : : "memory");
	return to;
}

int __popcountdi2(long value)
{
	int bits = 0;

	for (; value; value &= value - 1)
		bits++;
	return bits;
}
