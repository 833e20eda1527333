/* Entered by Linux with NATIVE. Else as docs/guests.md says: for multiboot in 32-bit mode, for ELF64 in 64-bit mode. SSE is switched on, and AVX where
   CPUID has it; the rest is as a Linux program finds it. */
#ifndef NATIVE
#ifndef __x86_64__
	.section .multiboot, "a"
	.align 4
	.long 0x1BADB002
	.long 0x00000003
	.long -(0x1BADB002 + 0x00000003)
#endif
#endif
	.text
	.globl _start
_start:
#ifdef NATIVE
#ifdef __x86_64__
	andq $-16, %rsp
#else
	andl $-16, %esp
#endif
	call begin
#else
#ifdef __x86_64__
	leaq stack_top(%rip), %rsp
	movq %cr4, %rax
	orl $0x600, %eax		/* OSFXSR, OSXMMEXCPT */
	movq %rax, %cr4
	movl $1, %eax
	cpuid
	btl $26, %ecx			/* XSAVE */
	jnc 1f
	movq %cr4, %rax
	orl $0x40000, %eax		/* OSXSAVE */
	movq %rax, %cr4
	xorl %ecx, %ecx
	xgetbv
	orl $7, %eax
	xsetbv
1:	fninit
	call begin
#else
	movl $stack_top, %esp
	fninit
	call begin
#endif
2:	cli
	hlt
	jmp 2b

	.bss
	.align 16
	.skip 65536
stack_top:
#endif
	.section .note.GNU-stack, "", @progbits
