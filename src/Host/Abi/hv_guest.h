/*
 * hv_guest.h: the guest's side of the 2007 KVM MSR hypercall interface, as hv serves it (docs/abi.md).
 *
 * For freestanding C or C++ at CPL 0, 32-bit or 64-bit, GCC or Clang. 64-bit code needs -mno-red-zone, because a
 * hypercall is a near call made from inline assembly.
 *
 *     static struct kvm_vcpu_para_state state;      // one page, page-aligned, per vCPU
 *     static struct hv_stub stub = HV_STUB_INIT;    // may be shared by all vCPUs
 *
 *     if (hv_present() && hv_register(&state, gpa_of_state, gpa_of_stub) == 0)
 *         hv_console_write(&stub, gpa_of_text, length);
 *
 * MIT license.
 */
#ifndef HV_GUEST_H
#define HV_GUEST_H

/* The interface of 2007, under its own names (linux/kvm_para.h, Linux 2.6.21 to 2.6.24). */
#define KVM_PARA_API_VERSION 1u
#define MSR_KVM_API_MAGIC 0x87655678u
#define KVM_EINVAL 1

/* Written to by the guest before registration, except host_version and ret, which the host writes. */
struct kvm_vcpu_para_state {
	unsigned int guest_version;
	unsigned int host_version;
	unsigned int size;
	int ret;
	unsigned long long hypercall_gpa;
} __attribute__((aligned(4096)));

/* Hypercall numbers. */
#define HV_CALL_TEST 0x00000000u          /* ()                      returns HV_TEST_RESULT */
#define HV_CALL_CONSOLE_WRITE 0x48560000u /* (gpa, length)           0 or -KVM_EINVAL */
#define HV_CALL_EXIT 0x48560001u          /* (code)                  does not return */
#define HV_CALL_CLOCK 0x48560002u         /* ()                      nanoseconds; low half outside long mode */
#define HV_CALL_START_VCPU 0x48560003u    /* (index, entry, argument) 0 or -KVM_EINVAL */
#define HV_TEST_RESULT 0x5a5a

/* CPUID leaf 0x40000000 answers with this in EBX, ECX, EDX. */
#define HV_CPUID_LEAF 0x40000000u
#define HV_CPUID_SIGNATURE 0x76687668u /* "hvhv" three times */

/*
 * The hypercall stub: the host writes its exit instruction and a RET over the front. Until then it answers -ENOSYS,
 * as in 2007: mov $-38, %eax; ret. Eight bytes hold the longest exit instruction that any host uses.
 */
struct hv_stub {
	unsigned char code[8];
} __attribute__((aligned(8)));

#define HV_STUB_INIT { { 0xb8, 0xda, 0xff, 0xff, 0xff, 0xc3, 0x90, 0x90 } }

#ifdef __x86_64__
typedef unsigned long long hv_word;
#else
typedef unsigned int hv_word;
#endif

static inline void hv_cpuid(unsigned int leaf, unsigned int *a, unsigned int *b, unsigned int *c, unsigned int *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(0));
}

static inline unsigned long long hv_rdmsr(unsigned int index)
{
	unsigned int low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return ((unsigned long long)high << 32) | low;
}

static inline void hv_wrmsr(unsigned int index, unsigned long long value)
{
	__asm__ volatile("wrmsr" : : "c"(index), "a"((unsigned int)value), "d"((unsigned int)(value >> 32)) : "memory");
}

/*
 * Whether this is hv with the interface on. Faultless, unlike the probe of 2007, RDMSR of MSR_KVM_API_MAGIC, which
 * raises #GP(0) where the interface is missing: with a handler for that, use hv_rdmsr.
 */
static inline int hv_present(void)
{
	unsigned int a, b, c, d;

	hv_cpuid(1, &a, &b, &c, &d);
	if (!(c & 0x80000000u))
		return 0;
	hv_cpuid(HV_CPUID_LEAF, &a, &b, &c, &d);
	return b == HV_CPUID_SIGNATURE && c == HV_CPUID_SIGNATURE && d == HV_CPUID_SIGNATURE;
}

/* Registers this vCPU and has the stub patched. 0, or -KVM_EINVAL. Raises #GP(0) when state_gpa is not page-aligned RAM. */
static inline int hv_register(struct kvm_vcpu_para_state *state, unsigned long long state_gpa, unsigned long long stub_gpa)
{
	state->guest_version = KVM_PARA_API_VERSION;
	state->size = sizeof *state;
	state->ret = -KVM_EINVAL;
	state->hypercall_gpa = stub_gpa;
	hv_wrmsr(MSR_KVM_API_MAGIC, state_gpa);
	return *(volatile int *)&state->ret;
}

/*
 * A hypercall. With EFER.LMA: number in RAX, arguments in RDI RSI RDX RCX R8 R9; else number in EBX, arguments in
 * EAX ECX EDX ESI EDI EBP (the sixth is left out here: a compiler needs EBP). Only RAX changes.
 */
#ifdef __x86_64__
static inline hv_word hv_call(const struct hv_stub *stub, hv_word number, hv_word a0, hv_word a1, hv_word a2, hv_word a3, hv_word a4)
{
	register hv_word r8 __asm__("r8") = a4;
	hv_word result = number;

	__asm__ volatile("call *%[stub]"
			 : "+a"(result)
			 : "D"(a0), "S"(a1), "d"(a2), "c"(a3), "r"(r8), [stub] "b"(stub)
			 : "memory", "cc");
	return result;
}
#else
static inline hv_word hv_call(const struct hv_stub *stub, hv_word number, hv_word a0, hv_word a1, hv_word a2, hv_word a3, hv_word a4)
{
	hv_word result = a0;

	__asm__ volatile("call *%[stub]"
			 : "+a"(result)
			 : "b"(number), "c"(a1), "d"(a2), "S"(a3), "D"(a4), [stub] "m"(stub)
			 : "memory", "cc");
	return result;
}
#endif

static inline hv_word hv_console_write(const struct hv_stub *stub, hv_word gpa, hv_word length)
{
	return hv_call(stub, HV_CALL_CONSOLE_WRITE, gpa, length, 0, 0, 0);
}

static inline void hv_exit(const struct hv_stub *stub, hv_word code)
{
	for (;;)
		hv_call(stub, HV_CALL_EXIT, code, 0, 0, 0, 0);
}

static inline hv_word hv_clock(const struct hv_stub *stub)
{
	return hv_call(stub, HV_CALL_CLOCK, 0, 0, 0, 0, 0);
}

static inline hv_word hv_start_vcpu(const struct hv_stub *stub, hv_word index, hv_word entry, hv_word argument)
{
	return hv_call(stub, HV_CALL_START_VCPU, index, entry, argument, 0, 0);
}

#endif
