/*
 * A small kernel that knows nothing of hv: it prints what the boot loader told it through COM1, in the way polled drivers do, then
 * echoes a line of input in upper case and leaves through the debug exit port.
 */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned char u8;

static inline void outb(unsigned short port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 inb(unsigned short port) { u8 value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port)); return value; }

enum { COM1 = 0x3F8, EXIT = 0xF4 };

static void put(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (u8)c);
}

static int get(void)
{
	while (!(inb(COM1 + 5) & 1))
		;
	return inb(COM1);
}

static void print(const char *s) { while (*s) put(*s++); }

static void hex(u64 value)
{
	int started = 0;
	for (int shift = 60; shift >= 0; shift -= 4) {
		int digit = (int)(value >> shift) & 15;
		started |= digit != 0 || shift == 0;
		if (started)
			put("0123456789abcdef"[digit]);
	}
}

static void serial_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 0xC7);
	outb(COM1 + 4, 0x1E);
	outb(COM1, 0xAE);
	if (inb(COM1) != 0xAE)
		outb(EXIT, 99);
	outb(COM1 + 4, 0x0F);
}

struct module { u32 start, end, text, reserved; };
struct map { u32 size; u64 base, length; u32 type; } __attribute__((packed));
struct info {
	u32 flags, lower, upper, boot_device, command_line, module_count, modules, symbols[4], map_length, map, drives[2], config, loader_name;
};

static volatile u32 cleared[1000];

void main(u32 magic, const struct info *info)
{
	serial_init();
	if (magic != 0x2BADB002)
		outb(EXIT, 98);
	for (u32 i = 0; i < sizeof cleared / sizeof *cleared; i++) {
		if (cleared[i])
			outb(EXIT, 97);
	}
	print("loader "); print((const char *)info->loader_name);
	print("\nlower "); hex(info->lower);
	print(" upper "); hex(info->upper);
	print("\ncommand line "); print((const char *)info->command_line);
	print("\n");
	for (u32 at = 0; at < info->map_length;) {
		const struct map *m = (const struct map *)(info->map + at);
		print("map "); hex(m->base); print(" "); hex(m->length); print(" "); hex(m->type); print("\n");
		at += m->size + 4;
	}
	const struct module *modules = (const struct module *)info->modules;
	for (u32 i = 0; i < info->module_count; i++) {
		print("module "); hex(modules[i].end - modules[i].start); print(": ");
		for (u32 at = modules[i].start; at < modules[i].end; at++)
			put(*(const char *)at);
		print("\n");
	}
	print("type: ");
	for (int c = get(); c != '\n'; c = get())
		put(c >= 'a' && c <= 'z' ? (char)(c - 32) : (char)c);
	print("\n");
	outb(EXIT, 21);
}
