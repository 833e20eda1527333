# Boot sector for Bochs: loads the guest image that follows it on the disk to 1 MiB and enters it in 32-bit protected mode, as a
# multiboot loader would. Sectors go through a buffer at 0x10000 by INT 13h, 64 at a time.
        .code16
        .globl  _start
_start: cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7C00, %sp
        movb    %dl, drive
        movw    $0x2401, %ax        # A20
        int     $0x15
next:   movw    $packet, %si
        movb    $0x42, %ah
        movb    drive, %dl
        int     $0x13
        jc      fail
        cli
        lgdt    gdtr
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmp    $8, $copy
fail:   hlt
        jmp     fail
        .code32
copy:   movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movl    $0x10000, %esi
        movl    dest, %edi
        movl    $64 * 512 / 4, %ecx
        rep movsl
        movl    %edi, dest
        addl    $64, lba
        decl    chunks
        jz      done
        ljmp    $24, $leave
done:   movw    %ax, %ss
        movl    $0x2BADB002, %eax
        movl    $0x100000, %ecx
        jmp     *%ecx
        .code16
leave:  movw    $32, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movl    %cr0, %eax
        andb    $0xFE, %al
        movl    %eax, %cr0
        ljmp    $0, $real
real:   xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        jmp     next
        .balign 8
gdt:    .quad   0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00009B000000FFFF, 0x000093000000FFFF
gdtr:   .word   39
        .long   gdt
drive:  .byte   0
        .balign 4
packet: .byte   16, 0
        .word   64, 0, 0x1000
lba:    .long   1, 0
dest:   .long   0x100000
        .org    504
chunks: .long   1                   # patched by the image builder
        .org    510
        .word   0xAA55
        .section .note.GNU-stack, "", @progbits
