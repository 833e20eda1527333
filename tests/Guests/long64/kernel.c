/* A guest of the 2007 interface in C, through the header that "hv header" prints: two vCPUs, console, clock, exit code 5. */
#include "hv_guest.h"

static struct kvm_vcpu_para_state states[2];
static struct hv_stub stub = HV_STUB_INIT;
static volatile hv_word told;
extern char second_start[];

static void print(const char *text)
{
	hv_word length = 0;

	while (text[length])
		length++;
	hv_console_write(&stub, (hv_word)text, length);
}

void second(hv_word argument)
{
	if (hv_register(&states[1], (hv_word)&states[1], (hv_word)&stub) != 0)
		hv_exit(&stub, 3);
	print("second vCPU\n");
	told = argument;
	for (;;)
		__asm__ volatile("hlt");
}

void main(const unsigned int *info)
{
	if (!hv_present() || hv_rdmsr(MSR_KVM_API_MAGIC) != 0)
		for (;;)
			__asm__ volatile("hlt");
	if (hv_register(&states[0], (hv_word)&states[0], (hv_word)&stub) != 0)
		hv_exit(&stub, 1);
	if (hv_rdmsr(MSR_KVM_API_MAGIC) != (hv_word)&states[0] || states[0].host_version != KVM_PARA_API_VERSION)
		hv_exit(&stub, 2);
	print("first vCPU\n");
	print((const char *)(hv_word)info[4]);
	print("\n");
	hv_word start = hv_clock(&stub);
	if (hv_start_vcpu(&stub, 1, (hv_word)second_start, 0x1234567887654321) != 0)
		hv_exit(&stub, 4);
	while (told != 0x1234567887654321)
		__asm__ volatile("pause");
	if (hv_clock(&stub) < start)
		hv_exit(&stub, 6);
	hv_exit(&stub, 5);
}
