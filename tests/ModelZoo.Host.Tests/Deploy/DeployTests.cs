using System.Text.Json;
using System.Text.RegularExpressions;
using ModelZoo.Conformance;
using ModelZoo.Host.Commands;
using NJsonSchema;
using YamlDotNet.Serialization;

namespace ModelZoo.Host.Deploy.Tests;

/// <summary>The recipes of <c>deploy/</c>, as far as they can be checked where there is neither a container engine nor a cluster: what they copy is there, what they run is understood, and KServe's own schema takes them.</summary>
public sealed class DeployTests
{
    private static readonly string[] Recipe = File.ReadAllLines(Repository.Path("deploy", "container", "Containerfile"));

    private static IEnumerable<string> Instructions(string name) => Recipe.Where(line => line.StartsWith(name + " ", StringComparison.Ordinal)).Select(line => line[(name.Length + 1)..]);

    private static void AssertUnderstood(IReadOnlyList<string> arguments)
    {
        var parsed = CommandLine.Create(new(TextWriter.Null, TextWriter.Null)).Parse(arguments);
        Assert.Empty(parsed.Errors);
        Assert.Equal("serve", parsed.CommandResult.Command.Name);
    }

    [Fact]
    public void Containerfile_EverythingCopied_IsThereAndNotIgnored()
    {
        var copied = Instructions("COPY").Where(line => !line.StartsWith("--from", StringComparison.Ordinal)).SelectMany(line => line.Split(' ')[..^1]).ToList();
        Assert.NotEmpty(copied);
        Assert.All(copied, path => Assert.True(Path.Exists(Repository.Path(path)), path));
        var lines = File.ReadAllLines(Repository.Path(".dockerignore")).Where(line => line.Length > 0 && line[0] != '#').ToList();
        Assert.All(copied.Select(path => path.TrimEnd('/')), path =>
        {
            var ignored = lines.LastOrDefault(line => Matches(line.TrimStart('!'), path));
            Assert.True(ignored is null || ignored[0] == '!', $"{path} is ignored by {ignored}");
        });

        static bool Matches(string line, string path) => path == line || path.StartsWith(line + "/", StringComparison.Ordinal);
    }

    [Fact]
    public void Containerfile_EverythingTheBuildNeeds_IsCopied()
    {
        var copied = Instructions("COPY").Where(line => !line.StartsWith("--from", StringComparison.Ordinal)).SelectMany(line => line.Split(' ')[..^1]).ToList();
        foreach (var project in Directory.EnumerateFiles(Repository.Path("plugins"), "*.csproj", SearchOption.AllDirectories).Append(Repository.Path("host", "ModelZoo.Host.csproj")))
        {
            foreach (Match reference in Regex.Matches(File.ReadAllText(project), "(?:ProjectReference|Protobuf|EmbeddedResource|Import) (?:Include|Project)=\"(\\.\\./[^\"*;$]+)"))
            {
                var path = Path.GetRelativePath(Repository.Path("."), Path.GetFullPath(Path.Combine(Path.GetDirectoryName(project)!, reference.Groups[1].Value)));
                Assert.True(copied.Any(folder => path.StartsWith(folder, StringComparison.Ordinal)), $"{project} needs {path}");
            }
        }
    }

    [Fact]
    public void Containerfile_WhatItRuns_IsUnderstoodAndNotRoot()
    {
        Assert.Equal("[\"/app/modelzoo\"]", Instructions("ENTRYPOINT").Single());
        AssertUnderstood(JsonSerializer.Deserialize<string[]>(Instructions("CMD").Single())!);
        Assert.Equal("$APP_UID", Instructions("USER").Last());
        Assert.Contains("dotnet publish host -o /out", Instructions("RUN"));
    }

    [Fact]
    public void Containerfile_VariablesItNames_AreRead()
    {
        var sources = string.Concat(Directory.EnumerateFiles(Repository.Path("host"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        foreach (var name in Recipe.SelectMany(line => Regex.Matches(line, "(?:MODELZOO|OTEL)_[A-Z_]+").Select(match => match.Value)).Distinct())
            Assert.Contains(name.EndsWith("_FILE", StringComparison.Ordinal) ? name[..^"_FILE".Length] : name, sources);
    }

    private static string Read(string name) => File.ReadAllText(Repository.Path("deploy", "kserve", name));

    // YAML as the API server reads it: plain scalars by their form, quoted ones as text.
    private static string Json(string yaml) => new SerializerBuilder().JsonCompatible().Build().Serialize(new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize(yaml)!);

    private static async Task<IEnumerable<string>> ErrorsAsync(string schema, string yaml) =>
        (await JsonSchema.FromFileAsync(Repository.Path("tests", "ModelZoo.Host.Tests", "Deploy", "kserve", schema))).Validate(Json(yaml)).Select(error => error.ToString());

    [Theory]
    [InlineData("ServingRuntime.v1alpha1.schema.json", "serving-runtime.yaml")]
    [InlineData("InferenceService.v1beta1.schema.json", "inference-service.yaml")]
    public async Task KServe_Manifest_FitsItsSchema(string schema, string manifest) => Assert.Empty(await ErrorsAsync(schema, Read(manifest)));

    [Theory]
    [InlineData("ServingRuntime.v1alpha1.schema.json", "serving-runtime.yaml", "supportedModelFormats:", "modelFormats:")]
    [InlineData("ServingRuntime.v1alpha1.schema.json", "serving-runtime.yaml", "containerPort: 8080", "containerPort: http")]
    [InlineData("ServingRuntime.v1alpha1.schema.json", "serving-runtime.yaml", "        - \"8080\"", "        - 8080")]
    [InlineData("ServingRuntime.v1alpha1.schema.json", "serving-runtime.yaml", "periodSeconds", "periodSecond")]
    [InlineData("ServingRuntime.v1alpha1.schema.json", "serving-runtime.yaml", "v1alpha1", "v1")]
    [InlineData("InferenceService.v1beta1.schema.json", "inference-service.yaml", "modelFormat:", "format:")]
    [InlineData("InferenceService.v1beta1.schema.json", "inference-service.yaml", "minReplicas: 1", "minReplicas: one")]
    public async Task KServe_ManifestWithAMistake_DoesNot(string schema, string manifest, string right, string wrong)
    {
        Assert.Contains(right, Read(manifest));
        Assert.NotEmpty(await ErrorsAsync(schema, Read(manifest).Replace(right, wrong, StringComparison.Ordinal)));
    }

    [Fact]
    public void KServe_RuntimeAndService_FitEachOtherAndTheCommandLine()
    {
        var runtime = JsonDocument.Parse(Json(Read("serving-runtime.yaml"))).RootElement;
        var model = JsonDocument.Parse(Json(Read("inference-service.yaml"))).RootElement.GetProperty("spec").GetProperty("predictor").GetProperty("model");
        var (spec, container) = (runtime.GetProperty("spec"), runtime.GetProperty("spec").GetProperty("containers")[0]);
        AssertUnderstood([.. container.GetProperty("args").EnumerateArray().Select(argument => argument.GetString()!)]);
        Assert.Equal(runtime.GetProperty("metadata").GetProperty("name").GetString(), model.GetProperty("runtime").GetString());
        Assert.Equal(spec.GetProperty("supportedModelFormats")[0].GetProperty("name").GetString(), model.GetProperty("modelFormat").GetProperty("name").GetString());
        Assert.Equal(spec.GetProperty("volumes").EnumerateArray().Select(volume => volume.GetProperty("name").GetString()).Order(), container.GetProperty("volumeMounts").EnumerateArray().Select(mount => mount.GetProperty("name").GetString()).Order());
    }
}
