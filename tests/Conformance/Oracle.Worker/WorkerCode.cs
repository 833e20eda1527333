using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Oracle;

/// <summary>
/// The worker's machine code: start-up (WorkerCode.Start.cs), the loop over a batch's cases, and the fault handler. It runs as a program of its own without any run-time
/// library
/// (docs/adr/0080-oracle-worker.md), so that nothing but the case and this code is in its address space.
/// </summary>
/// <remarks>
/// A case starts with all sixteen registers loaded from its record and ends at <see cref="CaptureAddress"/> (its code jumps there) or in the fault
/// handler. Both store the
/// state to the save area by absolute addresses, since no register is free, and meet in the same tail.
/// </remarks>
internal sealed partial class WorkerCode
{
    private const int SysRead = 0, SysWrite = 1, SysArchPrctl = 158, SysExitGroup = 231;
    private const ulong ArchSetGs = 0x1001, ArchSetFs = 0x1002;

    // Linux ucontext_t (arch/x86/include/uapi/asm/sigcontext.h): 23 general registers from byte 40, then the pointer to the saved x87/SSE/AVX state.
    private const int ContextRegisters = 40, ContextRip = 16, ContextFlags = 17, ContextError = 19, ContextTrap = 20, ContextCr2 = 22,
        ContextState = 23;

    /// <summary>The registers' places in ucontext_t by their encoding (RAX RCX RDX RBX RSP RBP RSI RDI R8..R15).</summary>
    private static readonly int[] _contextOrder = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7];
    private static readonly AssemblerRegister64[] _registers = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];

    private readonly Assembler _c = new(64);
    private Label _loop, _next, _stepped, _capture, _tail, _handler, _fail;

    private WorkerCode()
    {
        _loop = _c.CreateLabel();
        _next = _c.CreateLabel();
        _stepped = _c.CreateLabel();
        _capture = _c.CreateLabel();
        _tail = _c.CreateLabel();
        _handler = _c.CreateLabel();
        _fail = _c.CreateLabel();
    }

    /// <summary>Where a case's code jumps when it is done, in 64-bit code.</summary>
    public static uint CaptureAddress => Assembled.Value.Capture;

    private static Lazy<(byte[] Text, uint Capture)> Assembled { get; } = new(Assemble);

    /// <summary>Makes the executable file of a worker that shares the file <paramref name="sharedPath"/>.</summary>
    /// <param name="sharedPath">The file of <see cref="WorkerLayout"/>.</param>
    /// <param name="avx">Whether cases carry the upper halves of the YMM registers.</param>
    /// <param name="fsGsBase">Whether the kernel keeps what WRFSBASE and WRGSBASE write.</param>
    public static byte[] BuildExecutable(string sharedPath, bool avx, bool fsGsBase)
    {
        byte[] data = WorkerData.Build(sharedPath, avx, fsGsBase);
        return ElfImage.Build(Assembled.Value.Text, WorkerLayout.Text, data, WorkerLayout.Save);
    }

    private static (byte[] Text, uint Capture) Assemble()
    {
        var code = new WorkerCode();
        code.EmitStart();
        code.EmitBatches();
        code.EmitCase();
        code.EmitCapture();
        code.EmitTail();
        code.EmitHandler();
        using var stream = new MemoryStream();
        AssemblerResult result = code._c.Assemble(new StreamCodeWriter(stream), WorkerLayout.Text, BlockEncoderOptions.ReturnNewInstructionOffsets);
        byte[] text = stream.ToArray();
        if (text.Length > WorkerLayout.TextSize)
            throw new InvalidOperationException($"the worker's code is {text.Length} bytes, more than the {WorkerLayout.TextSize} it has");
        return (text, (uint)result.GetLabelRIP(code._capture));
    }

    /// <summary>Waits for a byte on standard input, runs the batch in the mailbox, answers with the byte on standard output.</summary>
    private void EmitBatches()
    {
        Label wait = _c.CreateLabel();
        _c.mov(__dword_ptr[WorkerLayout.SelectorsDirty], 1);
        _c.Label(ref wait);
        Call(SysRead, check: false, 0, WorkerLayout.Command, 1);
        _c.cmp(rax, 1);
        _c.jne(_fail);
        _c.mov(rbx, WorkerLayout.Mailbox);
        _c.mov(rcx, __qword_ptr[rbx + WorkerLayout.DoneField]);
        _c.mov(rax, __qword_ptr[rbx + WorkerLayout.CountField]);
        _c.sub(rax, rcx);
        _c.mov(__qword_ptr[WorkerLayout.Remaining], rax);
        _c.imul(rax, rcx, CaseRecord.Size);
        _c.lea(rdx, __[rbx + rax + WorkerLayout.InField]);
        _c.mov(__qword_ptr[WorkerLayout.CurrentIn], rdx);
        _c.lea(rdx, __[rbx + rax + WorkerLayout.OutField]);
        _c.mov(__qword_ptr[WorkerLayout.CurrentOut], rdx);

        _c.Label(ref _loop);
        _c.cmp(__qword_ptr[WorkerLayout.Remaining], 0);
        _c.jne(_next);
        Call(SysWrite, check: false, 1, WorkerLayout.Command, 1);
        _c.jmp(wait);
        _c.Label(ref _fail);
        _c.mov(edi, 1);
        _c.mov(eax, SysExitGroup);
        _c.syscall();
    }

    /// <summary>Sets the case's memory and registers and enters its code.</summary>
    private void EmitCase()
    {
        Label noState = _c.CreateLabel(), legacy = _c.CreateLabel();
        _c.Label(ref _next);
        _c.mov(rbx, __qword_ptr[WorkerLayout.CurrentIn]);
        CopyMemory(toRecord: false);
        _c.mov(eax, __dword_ptr[rbx + CaseRecord.HasExtendedOffset]);
        _c.mov(__dword_ptr[WorkerLayout.HasExtended], eax);
        _c.test(eax, eax);
        _c.je(noState);
        _c.cmp(__dword_ptr[WorkerLayout.StateSize], ExtendedState.LegacySize);
        _c.je(legacy);
        _c.mov(eax, (int)ExtendedState.AllParts);
        _c.xor(edx, edx);
        _c.xrstor64(__[rbx + CaseRecord.ExtendedOffset]);
        _c.jmp(noState);
        _c.Label(ref legacy);
        _c.fxrstor64(__[rbx + CaseRecord.ExtendedOffset]);
        _c.Label(ref noState);
        _c.cmp(__word_ptr[rbx + CaseRecord.CsOffset], 0);
        _c.jne(_stepped);

        Label clean = _c.CreateLabel();
        _c.cmp(__dword_ptr[WorkerLayout.SelectorsDirty], 0);
        _c.je(clean);
        ResetBases();
        _c.mov(__dword_ptr[WorkerLayout.SelectorsDirty], 0);
        _c.Label(ref clean);
        _c.mov(rax, __qword_ptr[rbx + CaseRecord.RipOffset]);
        _c.mov(__qword_ptr[WorkerLayout.Target], rax);
        _c.push(__qword_ptr[rbx + CaseRecord.RflagsOffset]);
        _c.popfq();
        LoadRegisters(withStack: true);
        _c.jmp(__qword_ptr[WorkerLayout.Target]);

        _c.Label(ref _stepped);
        ResetBases();
        _c.mov(__dword_ptr[WorkerLayout.SelectorsDirty], 1);
        _c.mov(ax, __word_ptr[rbx + CaseRecord.DsOffset]);
        _c.mov(ds, ax);
        _c.mov(ax, __word_ptr[rbx + CaseRecord.EsOffset]);
        _c.mov(es, ax);
        _c.movzx(eax, __word_ptr[rbx + CaseRecord.SsOffset]);
        _c.push(rax);
        _c.push(__qword_ptr[rbx + 4 * 8]);
        _c.push(__qword_ptr[rbx + CaseRecord.RflagsOffset]);
        _c.movzx(eax, __word_ptr[rbx + CaseRecord.CsOffset]);
        _c.push(rax);
        _c.push(__qword_ptr[rbx + CaseRecord.RipOffset]);
        LoadRegisters(withStack: false);
        _c.iretq();
    }

    /// <summary>The end of a case that completed: everything is stored before anything is touched.</summary>
    private void EmitCapture()
    {
        Label legacy = _c.CreateLabel();
        _c.Label(ref _capture);
        for (int i = 0; i < _registers.Length; i++)
            _c.mov(__qword_ptr[WorkerLayout.Save + (uint)i * 8], _registers[i]);
        _c.mov(rsp, WorkerLayout.Stacks + WorkerLayout.StackSize);
        _c.pushfq();
        _c.pop(__qword_ptr[WorkerLayout.Save + CaseRecord.RflagsOffset]);
        CleanFlags();
        _c.mov(__qword_ptr[WorkerLayout.Save + CaseRecord.RipOffset], 0);
        _c.mov(__qword_ptr[WorkerLayout.Save + CaseRecord.VectorOffset], (int)Outcome.Completed);
        _c.cmp(__dword_ptr[WorkerLayout.HasExtended], 0);
        _c.je(_tail);
        _c.mov(rcx, __qword_ptr[WorkerLayout.CurrentOut]);
        _c.cmp(__dword_ptr[WorkerLayout.StateSize], ExtendedState.LegacySize);
        _c.je(legacy);
        _c.mov(eax, (int)ExtendedState.AllParts);
        _c.xor(edx, edx);
        _c.xsave64(__[rcx + CaseRecord.ExtendedOffset]);
        _c.jmp(_tail);
        _c.Label(ref legacy);
        _c.fxsave64(__[rcx + CaseRecord.ExtendedOffset]);
    }

    /// <summary>Copies the save area and the memory to the case's record and goes on to the next case.</summary>
    private void EmitTail()
    {
        _c.Label(ref _tail);
        _c.mov(rbx, __qword_ptr[WorkerLayout.CurrentOut]);
        for (int i = 0; i < 192; i += 16)
        {
            _c.movdqu(xmm0, __xmmword_ptr[WorkerLayout.Save + (uint)i]);
            _c.movdqu(__xmmword_ptr[rbx + i], xmm0);
        }

        CopyMemory(toRecord: true);
        _c.add(__qword_ptr[WorkerLayout.CurrentIn], CaseRecord.Size);
        _c.add(__qword_ptr[WorkerLayout.CurrentOut], CaseRecord.Size);
        _c.dec(__qword_ptr[WorkerLayout.Remaining]);
        _c.mov(rax, WorkerLayout.Mailbox);
        _c.inc(__qword_ptr[rax + WorkerLayout.DoneField]);
        _c.jmp(_loop);
    }

    /// <summary>The signal handler. It does not return to the kernel: nothing is blocked (SA_NODEFER), and the signal stack is free again once RSP
    /// leaves it.</summary>
    private void EmitHandler()
    {
        Label notOwn = _c.CreateLabel();
        Label haveVector = _c.CreateLabel();
        _c.Label(ref _handler);
        CleanFlags();
        _c.mov(rax, __qword_ptr[rdx + ContextRegisters + ContextRip * 8]);
        _c.mov(__qword_ptr[WorkerLayout.Save + CaseRecord.RipOffset], rax);
        _c.sub(rax, (int)WorkerLayout.Text);
        _c.cmp(rax, WorkerLayout.TextSize);
        _c.jae(notOwn);
        _c.jmp(_fail);   // a fault in this code: the case broke the worker
        _c.Label(ref notOwn);
        for (int i = 0; i < _contextOrder.Length; i++)
            FromContext(_contextOrder[i], i * 8);
        FromContext(ContextFlags, CaseRecord.RflagsOffset);
        FromContext(ContextTrap, CaseRecord.VectorOffset);
        FromContext(ContextError, CaseRecord.ErrorOffset);
        FromContext(ContextCr2, CaseRecord.AddressOffset);
        _c.movsxd(rax, __dword_ptr[rsi + 8]);
        _c.mov(__qword_ptr[WorkerLayout.Save + CaseRecord.CodeOffset], rax);
        _c.cmp(edi, 31);
        _c.jne(haveVector);
        _c.mov(__qword_ptr[WorkerLayout.Save + CaseRecord.VectorOffset], (int)Outcome.SystemCall);
        _c.Label(ref haveVector);
        _c.mov(rsi, __qword_ptr[rdx + ContextRegisters + ContextState * 8]);
        _c.mov(rsp, WorkerLayout.Stacks + WorkerLayout.StackSize);
        _c.cmp(__dword_ptr[WorkerLayout.HasExtended], 0);
        _c.je(_tail);
        _c.mov(rdi, __qword_ptr[WorkerLayout.CurrentOut]);
        _c.add(rdi, CaseRecord.ExtendedOffset);
        _c.mov(ecx, __dword_ptr[WorkerLayout.StateSize]);
        _c.rep.movsb();
        _c.jmp(_tail);
    }

    private void FromContext(int register, int saveOffset)
    {
        _c.mov(rax, __qword_ptr[rdx + ContextRegisters + register * 8]);
        _c.mov(__qword_ptr[WorkerLayout.Save + (uint)saveOffset], rax);
    }

    private void LoadRegisters(bool withStack)
    {
        for (int i = 0; i < _registers.Length; i++)
            if (i != 3 && (withStack || i != 4))
                _c.mov(_registers[i], __qword_ptr[rbx + i * 8]);
        _c.mov(rbx, __qword_ptr[rbx + 3 * 8]);
    }

    private void CopyMemory(bool toRecord)
    {
        for (int i = 0; i < CaseMemory.Length; i += 16)
        {
            AssemblerMemoryOperand record = __xmmword_ptr[rbx + CaseRecord.MemoryOffset + i];
            AssemblerMemoryOperand memory = i < OracleMap.WindowSize
                ? __xmmword_ptr[OracleMap.Window + (uint)i]
                : __xmmword_ptr[OracleMap.Edge + (uint)(i - OracleMap.WindowSize)];
            _c.movdqu(xmm0, toRecord ? memory : record);
            _c.movdqu(toRecord ? record : memory, xmm0);
        }
    }

    /// <summary>FS and GS as every case starts: null selectors with known bases. A kernel that does not know FSGSBASE would set the bases back to what
    /// arch_prctl(2) last gave it at the next task switch (Linux arch/x86/kernel/process_64.c, save_base_legacy), so there it is asked.</summary>
    private void ResetBases()
    {
        Label byCall = _c.CreateLabel(), done = _c.CreateLabel();
        _c.xor(eax, eax);
        _c.mov(fs, eax);
        _c.mov(gs, eax);
        _c.cmp(__dword_ptr[WorkerLayout.HasFsGsBase], 0);
        _c.je(byCall);
        _c.mov(rax, OracleMap.FsBase);
        _c.wrfsbase(rax);
        _c.mov(rax, OracleMap.GsBase);
        _c.wrgsbase(rax);
        _c.jmp(done);
        _c.Label(ref byCall);
        Call(SysArchPrctl, check: false, ArchSetFs, OracleMap.FsBase);
        Call(SysArchPrctl, check: false, ArchSetGs, OracleMap.GsBase);
        _c.Label(ref done);
        _c.nop();   // Iced wants one label per instruction
    }

    private void CleanFlags()
    {
        _c.push(2);
        _c.popfq();
    }
}
