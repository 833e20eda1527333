using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Oracle;

// Start-up: everything that needs the kernel is asked for here, before the filter closes it.
internal sealed partial class WorkerCode
{
    private const int SysOpen = 2, SysClose = 3, SysMmap = 9, SysMunmap = 11, SysSigaction = 13, SysSigaltstack = 131, SysModifyLdt = 154,
        SysPrctl = 157, SysSeccomp = 317;
    private const int ProtRead = 1, ProtWrite = 2, ProtExec = 4, MapShared = 1, MapPrivate = 2, MapFixed = 0x10, MapAnonymous = 0x20,
        MapPopulate = 0x8000;
    private const ulong TopOfUserSpace = 0x7FFF_FFFF_F000;

    private void EmitStart()
    {
        Call(SysOpen, WorkerData.Path, 2, 0);
        _c.mov(r12, rax);
        Map(OracleMap.Code, OracleMap.CodeSize, ProtRead | ProtExec, WorkerLayout.CodeOffset);
        Map(OracleMap.WritableCode, OracleMap.WritableCodeSize, ProtRead | ProtWrite | ProtExec, WorkerLayout.WritableCodeOffset);
        Map(OracleMap.Data, OracleMap.DataSize, ProtRead | ProtWrite, WorkerLayout.DataOffset);
        Map(OracleMap.ReadOnly, OracleMap.ReadOnlySize, ProtRead, WorkerLayout.ReadOnlyOffset);
        Map(WorkerLayout.Mailbox, WorkerLayout.MailboxSize, ProtRead | ProtWrite, WorkerLayout.HeaderOffset);
        _c.mov(rdi, r12);
        Call(SysClose);
        _c.mov(r8, -1L);
        _c.xor(r9d, r9d);
        _c.mov(r10d, MapPrivate | MapFixed | MapAnonymous);
        Call(SysMmap, WorkerLayout.Stacks, WorkerLayout.StackSize + WorkerLayout.SignalStackSize, ProtRead | ProtWrite);
        _c.mov(rsp, WorkerLayout.Stacks + WorkerLayout.StackSize);

        // The kernel's stack, vDSO and whatever else lies above: an address there must fault as it does in the guest.
        const ulong End = WorkerLayout.Mailbox + (((ulong)WorkerLayout.MailboxSize + OracleMap.PageSize - 1) & ~(ulong)(OracleMap.PageSize - 1));
        Call(SysMunmap, End, TopOfUserSpace - End);

        Call(SysSigaltstack, WorkerData.SignalStack, 0);
        _c.lea(rax, __[_handler]);
        _c.mov(__qword_ptr[WorkerData.Action], rax);
        _c.mov(__qword_ptr[WorkerData.Action + 16], rax);
        foreach (int signal in (int[])[4, 5, 7, 8, 11, 31])   // ILL TRAP BUS FPE SEGV SYS
        {
            _c.mov(r10d, 8);
            Call(SysSigaction, (ulong)signal, WorkerData.Action, 0);
        }

        // Ctrl-C and timeout(1) signal the whole process group: the campaign ends with its results, and the worker with its campaign.
        foreach (int signal in (int[])[2, 15])   // INT TERM
        {
            _c.mov(r10d, 8);
            Call(SysSigaction, (ulong)signal, WorkerData.Ignored, 0);
        }

        // A kernel without 16-bit segments refuses these; OracleProbe finds out what there is.
        Call(SysModifyLdt, check: false, 1, WorkerData.CodeDescriptor, 16);
        Call(SysModifyLdt, check: false, 1, WorkerData.DataDescriptor, 16);
        Call(SysModifyLdt, check: false, 1, WorkerData.ExtraDescriptor, 16);
        Call(SysModifyLdt, check: false, 1, WorkerData.OtherDescriptor, 16);

        _c.xor(r10d, r10d);
        _c.xor(r8d, r8d);
        Call(SysPrctl, 38, 1, 0);   // PR_SET_NO_NEW_PRIVS
        Call(SysSeccomp, 1, 0, WorkerData.FilterHeader);
    }

    private void Map(ulong address, int size, int protection, int fileOffset)
    {
        _c.mov(r8, r12);
        _c.mov(r9d, fileOffset);
        _c.mov(r10d, MapShared | MapFixed | MapPopulate);   // an untouched page would report "not present" first
        Call(SysMmap, address, (ulong)size, (ulong)protection);
    }

    private void Call(int number, params ReadOnlySpan<ulong> arguments) => Call(number, true, arguments);

    private void Call(int number, bool check, params ReadOnlySpan<ulong> arguments)
    {
        ReadOnlySpan<AssemblerRegister64> order = [rdi, rsi, rdx];
        for (int i = 0; i < arguments.Length; i++)
            _c.mov(order[i], arguments[i]);
        _c.mov(eax, number);
        _c.syscall();
        if (!check)
            return;
        Label good = _c.CreateLabel();
        _c.test(rax, rax);
        _c.jns(good);
        _c.mov(edi, number);   // the exit status says which call failed
        _c.mov(eax, SysExitGroup);
        _c.syscall();
        _c.Label(ref good);
        _c.nop();   // Iced wants one label per instruction
    }
}
