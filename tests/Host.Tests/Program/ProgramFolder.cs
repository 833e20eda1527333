namespace Hv.Host.Tests.Program;

/// <summary>A copy of the built program, so that a test can change the settings file beside it.</summary>
internal sealed class ProgramFolder : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hv-program").FullName;

    public ProgramFolder(string settings)
    {
        foreach (string file in Directory.GetFiles(AppContext.BaseDirectory))
        {
            string name = Path.GetFileName(file);
            if (name.EndsWith(".dll", StringComparison.Ordinal) || name.StartsWith("hv.", StringComparison.Ordinal))
                File.Copy(file, Path.Combine(_folder, name));
        }

        File.WriteAllText(Path.Combine(_folder, "appsettings.json"), settings);
    }

    public HvStart Start => new() { Program = Path.Combine(_folder, "hv.dll") };

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
