/* The least that a C program does for an exit of /dev/kvm: KVM_RUN, a look at the record, again. For each line on stdin it makes so many exits and
   prints the nanoseconds of one, so that another program can take turns with it.
   usage: kvmloop PORT EXITS. The guest is real-mode code: out PORT, al; jmp back. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    must(argc == 3, "usage: kvmloop PORT EXITS");
    int port = atoi(argv[1]), exits = atoi(argv[2]);
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = ioctl(kvm, KVM_CREATE_VM, 0);
    must(vm >= 0, "KVM_CREATE_VM");
    unsigned char *memory = mmap(0, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char code[] = { 0xE6, (unsigned char)port, 0xEB, 0xFC };
    memcpy(memory + 0x1000, code, sizeof code);
    struct kvm_userspace_memory_region region = { .memory_size = 0x10000, .userspace_addr = (unsigned long)memory };
    must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0, "KVM_SET_USER_MEMORY_REGION");
    int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    must(cpu >= 0, "KVM_CREATE_VCPU");
    struct kvm_run *run = mmap(0, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
    struct kvm_sregs sregs;
    ioctl(cpu, KVM_GET_SREGS, &sregs);
    sregs.cs.base = sregs.cs.selector = 0;
    must(ioctl(cpu, KVM_SET_SREGS, &sregs) == 0, "KVM_SET_SREGS");
    struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
    must(ioctl(cpu, KVM_SET_REGS, &regs) == 0, "KVM_SET_REGS");
    run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
    for (char line[16]; fgets(line, sizeof line, stdin);) {
        double start = now();
        for (int i = 0; i < exits; i++) {
            must(ioctl(cpu, KVM_RUN, 0) == 0, "KVM_RUN");
            if (run->exit_reason != KVM_EXIT_IO || run->io.port != port)
                return 2;
        }
        printf("%.1f\n", (now() - start) / exits);
        fflush(stdout);
    }
    return 0;
}
