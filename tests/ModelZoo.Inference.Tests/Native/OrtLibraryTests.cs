using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Tests.Native;

public sealed class OrtLibraryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Locate_NamedInTheEnvironment_ComesFirst()
    {
        var named = Touch("mine.so");
        Touch("libonnxruntime.so.1");

        Assert.Equal(named, OrtLibrary.Locate(Variables(("MODELZOO_ONNXRUNTIME", named)), _folder));
    }

    [Fact]
    public void Locate_NamedButNotThere_DoesNotLookElsewhere()
    {
        Touch("libonnxruntime.so.1");

        var error = Assert.Throws<ModelZooException>(() => OrtLibrary.Locate(Variables(("MODELZOO_ONNXRUNTIME", "/nowhere/libonnxruntime.so")), _folder));

        Assert.Equal(ErrorCodes.EngineMissing, error.Code);
        Assert.Equal("/nowhere/libonnxruntime.so", error.Where);
    }

    [Fact]
    public void Locate_Nothing_NamesEveryPlaceAndWhatToDo()
    {
        var error = Assert.Throws<ModelZooException>(() => OrtLibrary.Locate(Variables(("MODELZOO_CACHE", _folder)), _folder));

        Assert.Equal(ErrorCodes.EngineMissing, error.Code);
        Assert.Contains(OnnxRuntimePackage.Pinned().Version, error.Where);
        Assert.Contains("MODELZOO_ONNXRUNTIME", error.Remedy);
    }

    [Fact]
    public void Locate_InTheCache_FindsIt()
    {
        var cached = OnnxRuntimePackage.Pinned().CachedLibrary(Variables(("MODELZOO_CACHE", _folder)))!;
        Directory.CreateDirectory(Path.GetDirectoryName(cached)!);
        File.WriteAllText(cached, "");

        Assert.Equal(cached, OrtLibrary.Locate(Variables(("MODELZOO_CACHE", _folder)), Path.Combine(_folder, "app")));
    }

    [Fact]
    public void Load_FileThatIsNoLibrary_SaysSo()
    {
        var error = Assert.Throws<ModelZooException>(() => OrtLibrary.Load(Touch("text.so")));

        Assert.Equal(ErrorCodes.EngineMissing, error.Code);
        Assert.Contains("text.so", error.Where);
    }

    private string Touch(string name)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, "not a library");
        return path;
    }

    private static Func<string, string?> Variables(params (string Name, string Value)[] variables) =>
        name => variables.FirstOrDefault(v => v.Name == name).Value;
}
