using Hv.Host.Loading;

namespace Hv.Host.Demo;

/// <summary>The built-in demo guest as a file to load.</summary>
internal static class DemoGuest
{
    // The page behind the image's, where the guest has its record and its variables.
    private const int Size = 0x2000;

    /// <summary>The demo guest for 16, 32 or 64 bits, with the page of its record: a flat file has no other way to keep memory for itself.</summary>
    public static GuestFile Open(int bits)
    {
        byte[] content = new byte[Size];
        Image(bits).CopyTo(content);
        return new GuestFile($"demo{bits}", content);
    }

    /// <summary>The assembled bytes alone.</summary>
    public static ReadOnlySpan<byte> Image(int bits) => bits switch
    {
        16 => DemoImages.Image16,
        32 => DemoImages.Image32,
        _ => DemoImages.Image64,
    };

    /// <summary>Where it is loaded and how it starts.</summary>
    public static FlatPlacement Placement(int bits) => bits switch
    {
        16 => new FlatPlacement(0x8000, EntryMode.Real),
        32 => new FlatPlacement(0x10_0000, EntryMode.Protected),
        _ => new FlatPlacement(0x10_0000, EntryMode.Long),
    };
}
