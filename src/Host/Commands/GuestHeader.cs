namespace Hv.Host.Commands;

/// <summary>What <c>hv header</c> prints: the C header for guests, <c>Abi/hv_guest.h</c>.</summary>
internal static class GuestHeader
{
    /// <summary>Prints the header.</summary>
    public static int Print(TextWriter output)
    {
        using Stream stream = typeof(GuestHeader).Assembly.GetManifestResourceStream("hv_guest.h")!;
        using var reader = new StreamReader(stream);
        output.Write(reader.ReadToEnd());
        return (int)ExitCode.Success;
    }
}
