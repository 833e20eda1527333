using System.Reflection;

namespace Hv.Host.Commands;

/// <summary>What <c>hv help</c> and <c>hv version</c> print.</summary>
internal static class HelpText
{
    /// <summary>Prints the help.</summary>
    public static int Print(TextWriter output)
    {
        output.WriteLine("hv: a hypervisor in miniature for the 2007 KVM MSR hypercall ABI");
        output.WriteLine();
        output.WriteLine("  hv [demo] [options]     run the built-in demo guest");
        output.WriteLine("  hv run GUEST [options]  run an ELF or multiboot-1 image, or a flat binary");
        output.WriteLine("  hv backends [--json]    list what can run guests: exit instruction, capabilities");
        output.WriteLine("  hv header               print the C header for guests");
        output.WriteLine("  hv help | version");
        output.WriteLine();
        output.WriteLine("options (D: demo, R: run):");
        foreach (CommandOption option in CommandOption.All)
        {
            if (option.ForDemo || option.ForRun)
                output.WriteLine(
                    $"  {(option.ForDemo ? 'D' : ' ')}{(option.ForRun ? 'R' : ' ')} {option.Name + " " + option.ValueName,-30} {option.Help}");
        }

        output.WriteLine();
        output.WriteLine("Configuration: appsettings.json beside the program, then the environment (Hypervisor__Backend=Svm), then");
        output.WriteLine("--Hypervisor:Backend=Svm. The guest's console is stdout; everything of hv's own goes to stderr.");
        output.WriteLine("Exit codes: 0 the guest ended well; odd: the guest's own, (code << 1) | 1; even: hv's own:");
        output.WriteLine("  2 usage, 4 bad guest file, 6 guest fault, 8 limit reached, 10 host failure, 12 backend unavailable,");
        output.WriteLine("  14 interrupted, 16 guest halted for good, 18 guest asked for what nobody serves");
        return (int)ExitCode.Success;
    }

    /// <summary>Prints the version.</summary>
    public static int PrintVersion(TextWriter output)
    {
        output.WriteLine($"hv {typeof(HelpText).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}");
        return (int)ExitCode.Success;
    }
}
