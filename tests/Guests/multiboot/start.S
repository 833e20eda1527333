/* A multiboot-1 kernel's entry: header, stack, call of the C part with EAX and EBX. */
	.section .multiboot, "a"
	.align 4
	.long 0x1BADB002
	.long 0x00000003
	.long -(0x1BADB002 + 0x00000003)

	.text
	.globl _start
_start:
	movl $stack_top, %esp
	pushl %ebx
	pushl %eax
	call main
1:	cli
	hlt
	jmp 1b

	.bss
	.align 16
	.skip 4096
stack_top:
