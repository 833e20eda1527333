using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Svm.Silicon;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>A processor with SVM and a VMCB, programmed by the test itself: 1 MiB of RAM, a read-only page at 200000H, holes elsewhere, real-mode
/// code at 1000H.</summary>
internal sealed unsafe class TestMachine : IDisposable
{
    public const ulong Code = 0x1000, Stack = 0x8000, RamSize = 0x10_0000, Rom = 0x20_0000, Hole = 0x30_0000;
    private const int Asid = 1;

    private readonly Vmcb* _vmcb;

    public TestMachine(byte[] code, SiliconModel? model = null)
    {
        Guest.AddSlot(new Gpa(0), RamSize, SlotKind.Ram);
        Guest.AddSlot(new Gpa(Rom), 0x1000, SlotKind.ReadOnly);
        Write(Code, code);
        Core = new SvmCore(Guest, Memory, model ?? SiliconModel.Default, CpuidTables.Default);
        Address = Memory.AllocatePages(1);
        _vmcb = (Vmcb*)Memory.Page(Address);
        MsrMap = Memory.AllocatePages(MsrPermissionMap.Pages);
        IoMap = Memory.AllocatePages(IoPermissionMap.Pages);
        Tables = new NestedPageTables(Memory);
        Tables.Build(Guest.Slots);
        Assert.True(Core.Msrs.TryWrite(HostMsrs.Efer, HostMsrs.SvmeBit));
        Assert.True(Core.Msrs.TryWrite(HostMsrs.VmHsavePa, Memory.AllocatePages(1).Value));
        ControlSetup.Write(ref Vmcb.Control, MsrMap, IoMap, Tables.Root, Asid);
        ref VmcbSave save = ref Vmcb.Save;
        save.Cs = new VmcbSegment { Attributes = 0x09B, Limit = 0xFFFF };
        save.Ss = save.Ds = save.Es = save.Fs = save.Gs = new VmcbSegment { Attributes = 0x093, Limit = 0xFFFF };
        save.Ldtr = new VmcbSegment { Attributes = 0x082, Limit = 0xFFFF };
        save.Tr = new VmcbSegment { Attributes = 0x08B, Limit = 0xFFFF };
        save.Idtr.Limit = 0x3FF;
        save.Gdtr.Limit = 0xFFFF;
        save.Efer = HostMsrs.SvmeBit;
        save.Cr0 = 0x10;
        save.Dr6 = 0xFFFF_0FF0;
        save.Dr7 = 0x400;
        save.Rflags = 2;
        save.Rip = Code;
        save.Rsp = Stack;
        save.GuestPat = 0x0007_0406_0007_0406;
        Core.Vmload(Address);
    }

    public GuestMemory Guest { get; } = new();

    public HostMemory Memory { get; } = new();

    public SvmCore Core { get; }

    public Hpa Address { get; }

    public Hpa MsrMap { get; }

    public Hpa IoMap { get; }

    public NestedPageTables Tables { get; }

    public ref Vmcb Vmcb => ref *_vmcb;

    public ref GeneralRegisters Registers => ref Core.Engine.State.Gpr;

    /// <summary>VMRUN, which must exit with this code.</summary>
    public void Expect(long code, long budget = 1000)
    {
        Assert.Equal(VmrunResult.Exited, Core.Vmrun(Address, budget));
        var raw = new RawExit((ulong)Vmcb.Control.ExitCode, Vmcb.Control.ExitInfo1, Vmcb.Control.ExitInfo2);
        Assert.True((long)raw.Code == code,
            $"expected {code:X}H, got {SvmExitDescription.Describe(raw)} at RIP {Vmcb.Save.Rip:x}; {Core.Refusal}");
    }

    /// <summary>The hypervisor's promise that it changed nothing but what <paramref name="changed"/> says.</summary>
    public void Clean(CleanBits changed = CleanBits.None)
    {
        Vmcb.Control.Clean = CleanBits.All & ~changed;
        Vmcb.Control.TlbControl = TlbControl.Nothing;
    }

    /// <summary>Goes on behind the instruction that exited.</summary>
    public void Skip()
    {
        Vmcb.Save.Rip = Vmcb.Control.NextRip;
        Vmcb.Control.InterruptState = 0;
    }

    public void Write(ulong address, params byte[] bytes) => Assert.True(Guest.TryLoad(new Gpa(address), bytes));

    public ushort Read16(ulong address)
    {
        Assert.True(Guest.TryRead(new Gpa(address), out ushort value));
        return value;
    }

    /// <summary>A real-mode vector that leads to HLT at <paramref name="handler"/>.</summary>
    public void Handler(byte vector, ushort handler)
    {
        Write(vector * 4u, (byte)handler, (byte)(handler >> 8), 0, 0);
        Write(handler, 0xF4);
    }

    public void Dispose()
    {
        Core.Dispose();
        Memory.Dispose();
        Guest.Dispose();
    }
}
