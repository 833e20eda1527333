/* Ordinary programs, for the compiler to make of them what it makes of its users' code: floating point of every width, loops that become vector
   instructions, strings, wide integers. They print the bits of what they compute; the same object file prints them on a real processor (build.sh). */
#include <stdint.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define COUNT 256
#define KEEP __attribute__((noinline, noipa))

void put(char c);

static u32 state = 0x12345678;

static u32 next(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void print(const char *text)
{
	while (*text)
		put(*text++);
}

static void hex(u64 value, int digits)
{
	put(' ');
	while (digits-- > 0)
		put("0123456789abcdef"[(value >> (4 * digits)) & 15]);
}

static void show_f(const char *name, float value)
{
	union { float f; u32 u; } bits = { .f = value };
	print(name);
	hex(bits.u, 8);
	put('\n');
}

static void show_d(const char *name, double value)
{
	union { double d; u64 u; } bits = { .d = value };
	print(name);
	hex(bits.u, 16);
	put('\n');
}

static void show_l(const char *name, long double value)
{
	union { long double l; struct { u64 low; uint16_t high; } u; } bits = { .l = value };
	print(name);
	hex(bits.u.high, 4);
	hex(bits.u.low, 16);
	put('\n');
}

static void show_u(const char *name, u64 value)
{
	print(name);
	hex(value, 16);
	put('\n');
}

/* FNV-1a over memory: a short answer from a whole array. */
static KEEP void show_bytes(const char *name, const void *from, u32 length)
{
	const u8 *at = from;
	u64 hash = 0xCBF29CE484222325;

	while (length--)
		hash = (hash ^ *at++) * 0x100000001B3;
	show_u(name, hash);
}

/* Loops over arrays. */
static float f1[COUNT], f2[COUNT], f3[COUNT];
static double d1[COUNT], d2[COUNT];
static int32_t i1[COUNT], i2[COUNT], i3[COUNT];
static int16_t s1[COUNT], s2[COUNT];
static u8 b1[COUNT], b2[COUNT], b3[COUNT];
static int64_t q1[COUNT];

static void fill(void)
{
	for (int i = 0; i < COUNT; i++) {
		f1[i] = (float)(int32_t)next() / 65536.0f;
		f2[i] = (float)(int32_t)next() / 1048576.0f;
		d1[i] = (double)(int32_t)next() / 3.0;
		d2[i] = (double)(int32_t)next() / 7.0e5;
		i1[i] = (int32_t)next();
		i2[i] = (int32_t)next() >> 8;
		s1[i] = (int16_t)next();
		s2[i] = (int16_t)next();
		b1[i] = (u8)next();
		b2[i] = (u8)next();
		q1[i] = (int64_t)(int32_t)next() << (next() & 31);
	}
}

static KEEP void float_loops(void)
{
	float sums[8] = { 0 };

	for (int i = 0; i < COUNT; i++)
		f3[i] = f1[i] * f2[i] + f3[i];
	for (int i = 0; i < COUNT; i++)
		f3[i] = f3[i] > 100.0f ? f1[i] : f3[i] / (f2[i] + 0.5f);
	for (int i = 0; i < COUNT; i += 8)
		for (int k = 0; k < 8; k++)
			sums[k] += f3[i + k];
	show_bytes("float array", f3, sizeof f3);
	show_bytes("float sums", sums, sizeof sums);
	for (int i = 0; i < COUNT; i++)
		i3[i] = (int32_t)f1[i];
	show_bytes("float to int", i3, sizeof i3);
	for (int i = 0; i < COUNT; i++)
		f3[i] = (float)i1[i];
	show_bytes("int to float", f3, sizeof f3);
}

static KEEP void double_loops(void)
{
	for (int i = 0; i < COUNT; i++)
		d2[i] = __builtin_sqrt(d1[i] * d1[i] + d2[i] * d2[i]);
	show_bytes("double hypot", d2, sizeof d2);
	for (int i = 0; i < COUNT; i++)
		f3[i] = (float)d1[i];
	show_bytes("double to float", f3, sizeof f3);
	for (int i = 0; i < COUNT; i++)
		d2[i] = __builtin_floor(d1[i]) + __builtin_trunc(d2[i]);
	show_bytes("double floor", d2, sizeof d2);
	for (int i = 0; i < COUNT; i++)
		d2[i] = (double)(u64)q1[i] + (double)q1[COUNT - 1 - i];
	show_bytes("quad to double", d2, sizeof d2);
}

static KEEP void integer_loops(void)
{
	for (int i = 0; i < COUNT; i++)
		i3[i] = i1[i] * i2[i] + (i1[i] < i2[i] ? i1[i] >> 3 : -i2[i]);
	show_bytes("int32 multiply", i3, sizeof i3);
	for (int i = 0; i < COUNT; i++)
		i3[i] = (int32_t)s1[i] * s2[i];
	show_bytes("int16 widening", i3, sizeof i3);
	for (int i = 0; i < COUNT; i++) {
		int sum = b1[i] + b2[i];
		b3[i] = sum > 255 ? 255 : (u8)sum;
	}
	show_bytes("byte saturating", b3, sizeof b3);
	for (int i = 0; i < COUNT; i++)
		b3[i] = (u8)((b1[i] + b2[i] + 1) >> 1);
	show_bytes("byte average", b3, sizeof b3);
	u32 distance = 0;
	for (int i = 0; i < COUNT; i++)
		distance += b1[i] > b2[i] ? b1[i] - b2[i] : b2[i] - b1[i];
	show_u("byte distance", distance);
	for (int i = 0; i < COUNT; i++)
		q1[i] = (q1[i] << (i & 31)) ^ i1[i];
	show_bytes("variable shifts", q1, sizeof q1);
	for (int i = 0; i < COUNT; i++)
		i3[i] = i1[b1[i]];
	show_bytes("gather", i3, sizeof i3);
	for (int i = 0; i < COUNT; i++)
		if (i2[i] > 0)
			i3[i] = i1[i];
	show_bytes("masked store", i3, sizeof i3);
	for (int i = 0; i < COUNT; i++)
		s1[i] = (int16_t)(s1[i] < 0 ? -s1[i] : s1[i]);
	show_bytes("int16 absolute", s1, sizeof s1);
}

/* Long double: the x87. */
static KEEP void long_doubles(void)
{
	volatile long double one = 1, third = one / 3, value = 0;
	long double sum = 0, term = 1, root = 2;

	for (int i = 1; i < 30; i++) {
		sum += term;
		term /= i;
	}
	show_l("e", sum);
	for (int i = 0; i < 6; i++)
		root = (root + 2 / root) / 2;
	show_l("root by Newton", root);
	show_l("root", __builtin_sqrtl(2 * one));
	for (int i = 0; i < 100; i++)
		value = value * -1.0009765625L + third * i;
	show_l("Horner", value);
	show_u("to int64", (u64)(int64_t)value);
	show_u("to uint64", (u64)(-value * 1e12L));
	show_d("to double", (double)value);
	show_f("to float", (float)value);
	show_l("from int64", (long double)(int64_t)0x7FFFFFFFFFFFFFFB);
	show_l("from uint64", (long double)(u64)0xFFFFFFFFFFFFFFFB);
	show_u("compared", (value > third) | (value < third) << 1 | (value != value) << 2 | (__builtin_fabsl(value) >= third) << 3);
	long double divisor = third, rest = value;
	uint16_t status;
	do
		__asm__("fprem1; fnstsw %1" : "+t"(rest), "=a"(status) : "u"(divisor));
	while (status & 0x400);
	show_l("remainder", rest);
	show_l("tiny", third * 1e-4940L * 1e-6L);
	show_l("huge", value * 1e4930L * 1e30L);
}

/* Scalars at the edges: denormals, signed zeros, infinities, NaN with a payload. */
static KEEP double apply(int what, double a, double b)
{
	switch (what) {
	case 0: return a + b;
	case 1: return a - b;
	case 2: return a * b;
	case 3: return a / b;
	case 4: return a < b ? a : b;
	default: return __builtin_sqrt(a);
	}
}

static KEEP void edges(void)
{
	static const u64 bits[] = {
		0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x800FFFFFFFFFFFFF, 0x0010000000000000, 0x3FF0000000000000,
		0x3FF0000000000001, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000001234, 0xFFF8000000005678,
	};
	enum { LENGTH = sizeof bits / sizeof bits[0] };
	static double results[6 * LENGTH * LENGTH];
	int n = 0;

	for (int what = 0; what < 6; what++)
		for (int i = 0; i < LENGTH; i++)
			for (int k = 0; k < LENGTH; k++) {
				union { u64 u; double d; } a = { .u = bits[i] }, b = { .u = bits[k] };
				results[n++] = apply(what, a.d, b.d);
			}
	show_bytes("edges", results, sizeof results);
#if defined(__SSE2__)
	show_u("MXCSR", _mm_getcsr());
	for (u32 mode = 0; mode < 8; mode++) {
		/* Rounding in bits 14:13; flush to zero and denormals are zeros with the odd ones. */
		_mm_setcsr(0x1F80 | (mode >> 1) << 13 | (mode & 1) * 0x8040);
		n = 0;
		for (int what = 0; what < 6; what++)
			for (int i = 0; i < LENGTH; i++)
				for (int k = 0; k < LENGTH; k++) {
					union { u64 u; double d; } a = { .u = bits[i] }, b = { .u = bits[k] };
					results[n++] = apply(what, a.d, b.d);
				}
		show_u("MXCSR", _mm_getcsr());
		show_bytes("edges", results, sizeof results);
	}
	_mm_setcsr(0x1F80);
#endif
}

/* Programs. */
static KEEP void n_body(void)
{
	static double p[4][3] = { { 0, 0, 0 }, { 1, 0, 0.25 }, { 0, 1.5, -0.125 }, { -2, 0.5, 0 } }, v[4][3];
	static const double mass[4] = { 1, 0.01, 0.02, 0.005 };

	for (int step = 0; step < 200; step++) {
		for (int i = 0; i < 4; i++)
			for (int j = 0; j < 4; j++) {
				double d[3], square = 0.001;
				if (i == j)
					continue;
				for (int k = 0; k < 3; k++) {
					d[k] = p[j][k] - p[i][k];
					square += d[k] * d[k];
				}
				double pull = mass[j] / (square * __builtin_sqrt(square)) * 0.01;
				for (int k = 0; k < 3; k++)
					v[i][k] += d[k] * pull;
			}
		for (int i = 0; i < 4; i++)
			for (int k = 0; k < 3; k++)
				p[i][k] += v[i][k] * 0.01;
	}
	show_bytes("n-body", p, sizeof p);
}

static KEEP void matrices(void)
{
	static double a[16][16], b[16][16], c[16][16];

	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 16; k++) {
			a[i][k] = (double)((16 * i + k) % 17) - 8.25;
			b[i][k] = 1.0 / (16 * i + k + 1);
		}
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 16; k++)
			for (int j = 0; j < 16; j++)
				c[i][j] += a[i][k] * b[k][j];
	show_bytes("matrices", c, sizeof c);
}

static KEEP void mandelbrot(void)
{
	u32 points = 0;

	for (int y = 0; y < 24; y++)
		for (int x = 0; x < 32; x++) {
			float cr = x * (3.0f / 32) - 2, ci = y * (2.0f / 24) - 1, r = 0, i = 0;
			for (int n = 0; n < 50 && r * r + i * i < 4; n++) {
				float t = r * r - i * i + cr;
				i = 2 * r * i + ci;
				r = t;
				points++;
			}
		}
	show_u("Mandelbrot", points);
}

static KEEP void strings(void)
{
	static char text[] = "the quick brown fox jumps over the lazy dog, and again over the lazy dog", copy[sizeof text];
	u32 words = 0, vowels = 0;

	__builtin_memcpy(copy, text, sizeof text);
	for (u32 i = 0; i < sizeof text - 1; i++) {
		char c = copy[i];
		words += c == ' ';
		vowels += c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
		copy[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
	}
	print(copy);
	put('\n');
	show_u("words and vowels", words << 8 | vowels);
}

#ifdef __x86_64__
static KEEP void wide_integers(void)
{
	u64 a = 0x123456789ABCDEF1, b = 0;

	for (int i = 0; i < 64; i++) {
		a = a * 6364136223846793005u + 1442695040888963407u;
		b += __builtin_popcountll(a) + __builtin_ctzll(a | 1ull << 40) * 3 + __builtin_clzll(a | 1) * 5;
		b ^= __builtin_bswap64(a) + (a << (i & 63) | a >> (-i & 63));
	}
	show_u("bits", b);
	unsigned __int128 product = 1;
	for (int i = 1; i < 30; i++)
		product = product * (a | 1) + b / (u64)i % 1000003;
	show_u("high", (u64)(product >> 64));
	show_u("low", (u64)product);
}
#endif

#ifdef __SSE4_2__
static KEEP void intrinsics_v2(void)
{
	static const char set[16] = "aeiou", hay[17] = "rhythm and blues";
	u64 crc = ~0ull;
	int at = _mm_cmpistri(_mm_loadu_si128((const __m128i *)set), _mm_loadu_si128((const __m128i *)hay), _SIDD_CMP_EQUAL_ANY);

	for (int i = 0; i < COUNT; i++)
		crc = _mm_crc32_u64(crc, (u64)q1[i]);
	show_u("CRC-32C", crc);
	show_u("first vowel", (u64)at);
}
#endif

#ifdef __AVX2__
static KEEP void intrinsics_v3(void)
{
	static uint16_t halves[COUNT];
	u64 bits = 0;

	for (int i = 0; i < COUNT; i += 8)
		_mm_storeu_si128((__m128i *)(halves + i), _mm256_cvtps_ph(_mm256_loadu_ps(f1 + i), _MM_FROUND_TO_NEAREST_INT));
	show_bytes("halves", halves, sizeof halves);
	for (int i = 0; i < COUNT; i++)
		bits += _pdep_u64((u64)q1[i], 0x00FF00FF0F0F3355) ^ _pext_u64((u64)q1[i], 0xF0F0AA55FFFF0000);
	show_u("pdep and pext", bits);
}
#endif

#ifdef __AES__
/* FIPS 197, appendix A.1 and B. */
static KEEP void aes(void)
{
	static const u8 key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };
	static const u8 text[16] = { 0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d, 0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34 };
	__m128i k = _mm_loadu_si128((const __m128i *)key), x = _mm_xor_si128(_mm_loadu_si128((const __m128i *)text), k), assist;

#define ROUND(constant, step) \
	assist = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(k, constant), 0xFF); \
	for (int i = 0; i < 3; i++) \
		k = _mm_xor_si128(k, _mm_slli_si128(k, 4)); \
	k = _mm_xor_si128(k, assist); \
	x = step(x, k)
	ROUND(0x01, _mm_aesenc_si128);
	ROUND(0x02, _mm_aesenc_si128);
	ROUND(0x04, _mm_aesenc_si128);
	ROUND(0x08, _mm_aesenc_si128);
	ROUND(0x10, _mm_aesenc_si128);
	ROUND(0x20, _mm_aesenc_si128);
	ROUND(0x40, _mm_aesenc_si128);
	ROUND(0x80, _mm_aesenc_si128);
	ROUND(0x1B, _mm_aesenc_si128);
	ROUND(0x36, _mm_aesenclast_si128);
	print("AES-128");
	hex(__builtin_bswap64((u64)_mm_cvtsi128_si64(x)), 16);
	hex(__builtin_bswap64((u64)_mm_extract_epi64(x, 1)), 16);
	put('\n');
}
#endif

void work(void)
{
	fill();
	float_loops();
	double_loops();
	integer_loops();
	long_doubles();
	edges();
	n_body();
	matrices();
	mandelbrot();
	strings();
#ifdef __x86_64__
	wide_integers();
#endif
#ifdef __SSE4_2__
	intrinsics_v2();
#endif
#ifdef __AVX2__
	intrinsics_v3();
#endif
#ifdef __AES__
	aes();
#endif
	print("end\n");
}
