using Hv.Host.Loading;

namespace Hv.Host.Demo;

/// <summary>The built-in demo guest as a file to load.</summary>
internal static class DemoGuest
{
    /// <summary>The demo guest for 16, 32 or 64 bits.</summary>
    public static GuestFile Open(int bits) => new($"demo{bits}", bits switch
    {
        16 => DemoImages.Image16.ToArray(),
        32 => DemoImages.Image32.ToArray(),
        _ => DemoImages.Image64.ToArray(),
    });

    /// <summary>Where it is loaded and how it starts.</summary>
    public static FlatPlacement Placement(int bits) => bits switch
    {
        16 => new FlatPlacement(0x8000, EntryMode.Real),
        32 => new FlatPlacement(0x10_0000, EntryMode.Protected),
        _ => new FlatPlacement(0x10_0000, EntryMode.Long),
    };
}
