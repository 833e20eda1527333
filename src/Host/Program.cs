using Hv.Core;
using Hv.Host;
using Hv.Host.Commands;

try
{
    CommandLine line = CommandLine.Parse(args);
    return line.Command switch
    {
        Command.Help => HelpText.Print(Console.Out),
        Command.Version => HelpText.PrintVersion(Console.Out),
        Command.Header => GuestHeader.Print(Console.Out),
        Command.Backends => BackendsCommand.Print(line, Console.Out),
        _ => await RunCommand.Run(line),
    };
}
catch (CommandException e)
{
    return Fail(e.Code, e.Message);
}
catch (HvException e)
{
    return Fail(ExitCode.HostFailure, e.Message);
}
catch (OutOfMemoryException)
{
    return Fail(ExitCode.HostFailure, "the host is out of memory; give a smaller --memory or fewer --vcpus");
}
catch (Exception e) when (Environment.GetEnvironmentVariable("HV_STACK_TRACE") is null)
{
    // No input of a person or a guest may end here: what does is our bug, and the one line must be enough to find the place.
    string place = e.StackTrace?.Split('\n')[0].Trim() ?? "in an unknown place";
    return Fail(ExitCode.HostFailure,
        $"a bug in hv: {e.GetType().Name} ({e.Message}) {place}; please report this line with the command and the guest "
        + "(HV_STACK_TRACE=1 shows where it came from)");
}

static int Fail(ExitCode code, string message)
{
    Console.Error.WriteLine($"hv: {message.ReplaceLineEndings(" ")}");
    return (int)code;
}
