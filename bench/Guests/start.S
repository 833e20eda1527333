# Entry of a benchmark guest: a multiboot-1 image in the a.out-kludge form that switches itself to 64-bit mode, so that
# hv, QEMU (-kernel) and Bochs (through boot.S) run the very same bytes.
        .code32
        .globl  _start, _image_start
_image_start:
_start: jmp     1f
        .balign 4
header: .long   0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        .long   header, _image_start, _data_end, _bss_end, _start
        .globl  rounds
rounds: .long   1                   # patched by bench/Compare: how much work, 0 to measure start-up
1:      cli
        movl    $stack_top, %esp
        # Identity map of the first GiB by 2 MiB pages.
        movl    $pdpt + 3, pml4
        movl    $pd + 3, pdpt
        movl    $pd, %edi
        movl    $0x83, %eax
        movl    $512, %ecx
2:      movl    %eax, (%edi)
        movl    $0, 4(%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    2b
        movl    %cr4, %eax
        orl     $0x20, %eax
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax
        movl    %eax, %cr0
        lgdt    gdtr
        ljmp    $8, $start64
        .code64
start64:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movq    $stack_top, %rsp
        call    guest_main
        # The result goes to COM1 as 16 hexadecimal digits, then the guest ends itself. Where the exit port is not heard, it is Bochs:
        # the result goes to its debug port, and it has a port of its own to shut down.
        movq    %rax, %rbx
        movw    $0x3F8, %dx
        call    print
        movw    $0xF4, %dx          # isa-debug-exit: process exit code 1
        xorl    %eax, %eax
        outl    %eax, %dx
        movw    $0xE9, %dx
        call    print
        movw    $0x8900, %dx        # Bochs
        movq    $bye, %rsi
        movl    $8, %ecx
        rep outsb
5:      cli
        hlt
        jmp     5b
print:  movl    $16, %ecx
3:      rolq    $4, %rbx
        movl    %ebx, %eax
        andl    $15, %eax
        addl    $'0', %eax
        cmpl    $'9', %eax
        jbe     4f
        addl    $'a' - '0' - 10, %eax
4:      outb    %al, %dx
        decl    %ecx
        jnz     3b
        movb    $10, %al
        outb    %al, %dx
        ret
bye:    .ascii  "Shutdown"
        .balign 16
gdt:    .quad   0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
gdtr:   .word   23
        .long   gdt
        .bss
        .balign 4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4096
        .skip   65536
stack_top:
        .section .note.GNU-stack, "", @progbits
