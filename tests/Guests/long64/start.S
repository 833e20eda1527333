/* Entered as docs/guests.md says for ELF64: 64-bit mode, a stack, RDI = multiboot information. */
	.text
	.globl _start
_start:
	jmp main

/* The second vCPU starts here with its argument in RDI and no stack. */
	.globl second_start
second_start:
	leaq stack_top(%rip), %rsp
	call second
	ud2

	.bss
	.align 16
	.skip 4096
stack_top:
