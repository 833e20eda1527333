using Hv.Core.Memory;
using Hv.Host.Loading;
using Xunit;

namespace Hv.Host.Tests.Loading;

/// <summary>Seeded damage to good images: each either loads or is refused with one line, and never in any other way.</summary>
public class HostileImageTests
{
    private const int Rounds = 4000;

    private static readonly byte[][] Seeds =
    [
        ElfBuilder.WithCode(false, 0xF4).Build(),
        ElfBuilder.WithCode(true, 0xF4).Build(),
        ElfBuilder.WithCode(false, [.. MultibootBuilder.Header(3), 0xF4]).Build(),
        MultibootBuilder.Kludge(0x10_0000, 16, [0xF4, 0xF4], bssEnd: 0x10_2000),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Mutated_images_load_or_are_refused(int seed)
    {
        var random = new Random(seed);
        using GuestMemory memory = GuestLoader.CreateMemory(2 << 20);
        int loaded = 0, refused = 0;
        for (int i = 0; i < Rounds; i++)
        {
            byte[] file = Mutate((byte[])Seeds[random.Next(Seeds.Length)].Clone(), random);
            var guest = new GuestFile("guest", file);
            try
            {
                GuestImage image = ImageReader.Read(guest, null);
                Assert.All(image.Segments, s =>
                    Assert.True(s.FileSize <= s.MemorySize && s.FileOffset + s.FileSize <= guest.Length && s.End > s.Start.Value));
                GuestLoader.Load(memory, image, guest, new LoadOptions("guest", []));
                loaded++;
            }
            catch (CommandException e)
            {
                Assert.Equal(ExitCode.BadGuestFile, e.Code);
                Assert.DoesNotContain('\n', e.Message);
                refused++;
            }
        }

        Assert.True(loaded > Rounds / 20 && refused > Rounds / 20, $"the mutations are too weak or too strong: {loaded} loaded, {refused} refused");
    }

    private static byte[] Mutate(byte[] file, Random random)
    {
        // Damage where headers are: the first 128 bytes and the front of the segment.
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            int at = random.Next(4) == 0 ? random.Next(file.Length) : random.Next(Math.Min(file.Length, 128));
            switch (random.Next(4))
            {
                case 0:
                    file[at] = (byte)random.Next(256);
                    break;
                case 1:
                    file[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    file.AsSpan(at, Math.Min(8, file.Length - at)).Fill((byte)(random.Next(2) * 0xFF));
                    break;
                default:
                    file = file[..Math.Max(1, random.Next(file.Length))];
                    break;
            }
        }

        return file;
    }
}
