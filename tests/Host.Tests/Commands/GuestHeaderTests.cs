using System.Diagnostics;
using Hv.Core.Hypercalls;
using Hv.Core.Paravirt;
using Hv.Host.Commands;
using Xunit;

namespace Hv.Host.Tests.Commands;

/// <summary>The C header for guests compiles, and its numbers are Core's.</summary>
public class GuestHeaderTests
{
    private static string Header()
    {
        using var text = new StringWriter();
        Assert.Equal(0, GuestHeader.Print(text));
        return text.ToString();
    }

    [Theory]
    [InlineData("gcc", "-m64 -mno-red-zone -O2 -std=c11 -pedantic")]
    [InlineData("gcc", "-m32 -O2 -std=c11 -pedantic")]
    [InlineData("gcc", "-m32 -O0 -std=gnu99")]
    [InlineData("g++", "-m64 -mno-red-zone -O2 -x c++")]
    [InlineData("clang", "-m32 -O2 -std=c11 -pedantic")]
    public void The_header_compiles_with_the_layout_and_numbers_of_the_interface(string compiler, string options)
    {
        string folder = Directory.CreateTempSubdirectory("hv-header").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "hv_guest.h"), Header());
            File.WriteAllText(Path.Combine(folder, "guest.c"), Program() + "\n");
            Compile(compiler, $"{options} -Wall -Wextra -Werror -ffreestanding -c guest.c -o guest.o", folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Program() => $$"""
        #include "hv_guest.h"
        #define CHECK(name, condition) typedef char name[(condition) ? 1 : -1]
        static struct kvm_vcpu_para_state state;
        static struct hv_stub stub = HV_STUB_INIT;
        CHECK(size, sizeof(struct kvm_vcpu_para_state) == 4096);
        CHECK(host_version, __builtin_offsetof(struct kvm_vcpu_para_state, host_version) == {{ParaState.HostVersionOffset}});
        CHECK(ret, __builtin_offsetof(struct kvm_vcpu_para_state, ret) == {{ParaState.RetOffset}});
        CHECK(gpa, __builtin_offsetof(struct kvm_vcpu_para_state, hypercall_gpa) == 16);
        CHECK(version, KVM_PARA_API_VERSION == {{ParaAbi.KVM_PARA_API_VERSION}});
        CHECK(magic, MSR_KVM_API_MAGIC == {{ParaAbi.MSR_KVM_API_MAGIC}}u);
        CHECK(einval, KVM_EINVAL == {{ParaAbi.KVM_EINVAL}});
        CHECK(test, HV_CALL_TEST == {{HypercallNumbers.Test}}u && HV_TEST_RESULT == {{HypercallNumbers.TestResult}}u);
        CHECK(console, HV_CALL_CONSOLE_WRITE == {{HypercallNumbers.ConsoleWrite}}u);
        CHECK(leave, HV_CALL_EXIT == {{HypercallNumbers.Exit}}u);
        CHECK(clock, HV_CALL_CLOCK == {{HypercallNumbers.Clock}}u);
        CHECK(start, HV_CALL_START_VCPU == {{HypercallNumbers.StartVcpu}}u);
        int main(void);
        int main(void)
        {
            if (!hv_present() || hv_rdmsr(MSR_KVM_API_MAGIC) != 0)
                return 1;
            if (hv_register(&state, (hv_word)&state, (hv_word)&stub) != 0)
                return 2;
            hv_console_write(&stub, 1, 2);
            hv_start_vcpu(&stub, 1, 2, (hv_word)hv_clock(&stub));
            hv_exit(&stub, 0);
            return 0;
        }
        """;

    private static void Compile(string compiler, string arguments, string folder)
    {
        Process process;
        try
        {
            process = Process.Start(new ProcessStartInfo(compiler, arguments) { WorkingDirectory = folder, RedirectStandardError = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"{compiler} is not installed");
            return;
        }

        using (process)
        {
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
        }
    }
}
