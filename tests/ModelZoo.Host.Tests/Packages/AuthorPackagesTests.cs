using System.IO.Compression;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using ModelZoo.Conformance;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Packages.Tests;

/// <summary>The packages that authors of plugins get: what is in them, and a project outside of the repository that lives from them.</summary>
public sealed class AuthorPackagesTests(AuthorPackagesTests.Feed feed) : IClassFixture<AuthorPackagesTests.Feed>, IDisposable
{
    private static readonly string[] Contracts = ["ModelZoo.Contracts", "ModelZoo.Inference", "ModelZoo.Networks"];

    /// <summary>The packages, made once.</summary>
    public sealed class Feed : IAsyncLifetime
    {
        public string Folder { get; } = Directory.CreateTempSubdirectory("feed-").FullName;

        public async Task InitializeAsync()
        {
            foreach (var project in Contracts) await Dotnet.SucceedsAsync(Folder, ["pack", Repository.Path("contracts", project), "--no-build", "-v", "q", "-o", Folder]);
            await Dotnet.SucceedsAsync(Folder, ["pack", Repository.Path("contracts", "templates"), "-v", "q", "-o", Folder]);
        }

        public Task DisposeAsync()
        {
            Directory.Delete(Folder, recursive: true);
            return Task.CompletedTask;
        }
    }

    private readonly string _folder = Directory.CreateTempSubdirectory("authors-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    [Fact]
    public async Task Pack_Contracts_HaveSymbolsDocsReadmeLicenceAndTheirOwnDependencies()
    {
        var needs = new Dictionary<string, string[]>
        {
            ["ModelZoo.Contracts"] = [], ["ModelZoo.Inference"] = ["ModelZoo.Contracts", "System.Numerics.Tensors", "YamlDotNet"], ["ModelZoo.Networks"] = ["ModelZoo.Inference", "System.Numerics.Tensors"],
        };
        foreach (var id in Contracts)
        {
            using var package = ZipFile.OpenRead(Path.Combine(feed.Folder, $"{id}.0.1.0.nupkg"));
            using var symbols = ZipFile.OpenRead(Path.Combine(feed.Folder, $"{id}.0.1.0.snupkg"));
            var files = package.Entries.Select(entry => entry.FullName).ToList();
            Assert.Contains($"lib/net10.0/{id}.dll", files);
            Assert.Contains("README.md", files);
            Assert.Contains(symbols.Entries, entry => entry.FullName == $"lib/net10.0/{id}.pdb");
            using var docs = new StreamReader(package.GetEntry($"lib/net10.0/{id}.xml")!.Open());
            Assert.Contains("<summary>", await docs.ReadToEndAsync(), StringComparison.Ordinal);
            using var specification = package.GetEntry($"{id}.nuspec")!.Open();
            var metadata = XDocument.Load(specification).Root!.Elements().Single();
            XElement Field(string name) => metadata.Elements().Single(element => element.Name.LocalName == name);
            Assert.Equal(("Apache-2.0", "README.md"), (Field("license").Value, Field("readme").Value));
            Assert.NotEmpty(Field("description").Value);
            Assert.Equal(needs[id], metadata.Descendants().Where(element => element.Name.LocalName == "dependency").Select(element => element.Attribute("id")!.Value).Order(StringComparer.Ordinal));
        }
    }

    /// <summary>Written against the package alone, restored from the folder that was packed, and run by the real executable.</summary>
    [Fact]
    public async Task Project_OutsideOfTheRepository_RestoresBuildsAndRunsInTheHost()
    {
        Directory.CreateDirectory(In("Outside"));
        File.WriteAllText(In("Outside", "Outside.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><TargetFramework>net10.0</TargetFramework><Nullable>enable</Nullable><ImplicitUsings>enable</ImplicitUsings><EnableDynamicLoading>true</EnableDynamicLoading></PropertyGroup>
              <ItemGroup><PackageReference Include="ModelZoo.Networks" Version="0.1.0" ExcludeAssets="runtime" /></ItemGroup>
            </Project>
            """);
        foreach (var source in new[] { "Plugin.cs", "ByteTokenizer.cs" }) File.Copy(Repository.Path("contracts", "templates", "modelzoo-plugin", source), In("Outside", source));
        await Dotnet.SucceedsAsync(_folder, ["build", In("Outside"), "-v", "q", "-o", In("built"), $"-p:RestoreSources={feed.Folder}", $"-p:RestorePackagesPath={In("packages")}", $"-p:RestoreFallbackFolders={Dotnet.PackageCache}"]);
        Assert.Empty(Directory.GetFiles(In("built"), "ModelZoo.*.dll"));
        await TokenizesAsync(In("built"));
    }

    [Fact]
    public async Task Template_InstalledFromItsPackage_MakesAProjectThatBuildsAndRunsInTheHost()
    {
        string[] hive = ["--debug:custom-hive", In("hive")]; // the machine's own templates are not ours to change
        await Dotnet.SucceedsAsync(_folder, ["new", "install", Assert.Single(Directory.GetFiles(feed.Folder, "ModelZoo.Templates.*.nupkg")), .. hive]);
        await Dotnet.SucceedsAsync(_folder, ["new", "modelzoo-plugin", "-n", "MyLab.Bytes", "-o", In("MyLab.Bytes"), "--home", AppContext.BaseDirectory, .. hive]);
        await Dotnet.SucceedsAsync(_folder, ["build", In("MyLab.Bytes"), "-v", "q", "-o", In("built")]);
        await TokenizesAsync(In("built"));
    }

    private async Task TokenizesAsync(string plugin)
    {
        File.WriteAllText(In("plugins.json"), """{ "plugins": [] }""");
        var tokens = JsonNode.Parse(await Dotnet.SucceedsAsync(_folder, [Path.Combine(AppContext.BaseDirectory, "modelzoo.dll"), "tokenize", "example/bytes", "--text", "Hi", "--json", "--plugin", plugin]))!;
        Assert.Contains("72", tokens.ToJsonString(), StringComparison.Ordinal);
    }
}
