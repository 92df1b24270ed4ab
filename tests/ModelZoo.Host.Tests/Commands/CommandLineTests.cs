using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Commands.Tests;

/// <summary>Every command over the echo plugin: results to standard output, exit codes as documented.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("commands-").FullName;

    public CommandLineTests()
    {
        TestPlugins.Build("Good", In("plugins", "good"));
        TestPlugins.Build("ThrowsInConstructor", In("plugins", "bad"));
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/*"], "models": { "test/echo.x": { "options": { "tokenize": { "shift": 2 } } } } }""");
        File.WriteAllText(In("hello.txt"), "abc");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        var code = await CommandLine.RunAsync([.. arguments, "--manifest", In("plugins.json")], output, error);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task List_ShowsWhatIsLoadedAndWhyTheRestIsNot()
    {
        var (code, output, _) = await RunAsync("list");
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("test/echo.x", output, StringComparison.Ordinal);
        Assert.Contains("the licence server does not answer", output.Replace("\n", "", StringComparison.Ordinal), StringComparison.Ordinal);

        var json = JsonNode.Parse((await RunAsync("list", "--json")).Output)!;
        Assert.Equal(["failed", "ready"], json["plugins"]!.AsArray().Select(plugin => (string?)plugin!["state"]).Order());
        Assert.Equal("test/echo.x", (string?)json["models"]![0]!["id"]);
    }

    [Theory]
    [InlineData("error media.unsupported: The model makes text, which a file of this kind does not hold. At: x.png.", "--out", "x.png")]
    [InlineData("error media.unsupported: A strip is a picture. At: x.txt.", "--out", "y.txt", "--strip", "x.txt")]
    public async Task Generate_FileOfAnotherKind_IsRefusedBeforeAnythingRuns(string message, params string[] output) =>
        Assert.Equal((ExitCodes.Failed, message), await FirstAsync(["generate", "test/echo.x", "--option", "delay=600000", .. output]).WaitAsync(TimeSpan.FromMinutes(1)));

    [Fact]
    public async Task Generate_TextWithoutAFile_GoesToStandardOutput()
    {
        Assert.Equal((ExitCodes.Ok, "1.0.0:hello:0\n", ""), await RunAsync("generate", "test/echo.x", "--prompt", "hello"));
        var json = JsonNode.Parse((await RunAsync("generate", "test/echo.x", "--prompt", "hello", "--json")).Output)!;
        Assert.Equal("1.0.0:hello:0", (string?)json["text"]);
        Assert.Equal("generate", (string?)json["run"]!["verb"]);
    }

    [Fact]
    public async Task Generate_ManyWithoutAFolder_IsAMistakeInTheCall()
    {
        File.WriteAllText(In("prompts.txt"), "a\nb\n");
        Assert.Equal((ExitCodes.Usage, "error options.wrong-type: Many results go into a folder. At: --out."), await FirstAsync("generate", "test/echo.x", "--prompts", In("prompts.txt")));
    }

    [Fact]
    public async Task List_Words_KeepsTheModelsThatHaveThemAll()
    {
        Assert.Contains("test/echo.x", (await RunAsync("list", "ECHO", "text")).Output, StringComparison.Ordinal);
        Assert.Equal((ExitCodes.NotAvailable, "error model.unknown: No model has all of these words."), await FirstAsync("list", "echo", "nothing-of-the-kind"));
    }

    [Fact]
    public async Task List_NoPluginServes_SaysWhy()
    {
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/bad"] }""");
        var (code, output, _) = await RunAsync("list");
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("the licence server does not answer", output, StringComparison.Ordinal);
        Assert.Contains("0 models", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_ModelOnALine_IsNeverWrapped()
    {
        var output = (await RunAsync("list")).Output;
        Assert.Contains("An Echo", output.Split('\n').Single(line => line.StartsWith("test/echo.x ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.All(output.Split('\n').Where(line => !line.Contains("failed", StringComparison.Ordinal)), line => Assert.True(line.Length <= 200, line));
    }

    [Theory]
    [InlineData("`modelzoo list` has no option '--jsn'. Did you mean '--json'?", "list", "--jsn")]
    [InlineData("`modelzoo generate` has no option '--promt'. Did you mean '--prompt'?", "generate", "test/echo", "--promt", "a", "--out", "x.txt")]
    [InlineData("`modelzoo` has no command 'generat'. Did you mean 'generate'?", "generat")]
    [InlineData("`modelzoo plugins` has no command 'ad'. Did you mean 'add'?", "plugins", "ad")]
    [InlineData("`modelzoo demo` has no further argument 'extra'.", "demo", "extra")]
    [InlineData("--seed takes a number from 0, not '-1'.", "generate", "test/echo", "--seed", "-1", "--out", "x.txt")]
    public async Task WrongUsage_SaysWhatAndWhatWasMeant(string message, params string[] arguments) =>
        Assert.Equal((ExitCodes.Usage, "error usage: " + message), await FirstAsync(arguments));

    private async Task<(int Code, string FirstError)> FirstAsync(params string[] arguments)
    {
        var (code, _, error) = await RunAsync(arguments);
        var line = error.Split('\n')[0].TrimEnd();
        return (code, line.Contains(" Expected:", StringComparison.Ordinal) ? line[..line.IndexOf(" Expected:", StringComparison.Ordinal)] : line);
    }

    [Fact]
    public async Task TokenizeThenDetokenize_GivesTheTextBack()
    {
        var (code, output, error) = await RunAsync("tokenize", "test/echo.x", "--in", In("hello.txt"), "--out", In("hello.json"));
        Assert.True(code == ExitCodes.Ok, error);
        Assert.Contains("3 tokens", output, StringComparison.Ordinal);
        Assert.Equal([99, 100, 101], JsonNode.Parse(File.ReadAllText(In("hello.json")))!["ids"]!.AsArray().Select(id => (int)id!));
        Assert.Equal(ExitCodes.Ok, (await RunAsync("detokenize", "test/echo.x", "--in", In("hello.json"), "--out", In("again.txt"), "--option", "shift=2")).Code);
        Assert.Equal("abc", File.ReadAllText(In("again.txt")));
        Assert.Equal([In("again.txt"), In("again.txt.run.json")], Directory.GetFiles(_folder, "again*").Order());
    }

    [Fact]
    public async Task Tokenize_WithoutOut_WritesTokensToStandardOutputOnly()
    {
        var (_, output, error) = await RunAsync("tokenize", "test/echo.x", "--text", "ab", "--option", "shift=0");
        Assert.Equal([97, 98], JsonNode.Parse(output)!["ids"]!.AsArray().Select(id => (int)id!));
        Assert.Contains("2 tokens", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_SeveralInputs_HaveATokensFileEach()
    {
        File.WriteAllText(In("other.txt"), "de");
        var (code, output, error) = await RunAsync("tokenize", "test/echo.x", "--in", In("hello.txt"), "--in", In("other.txt"), "--out", In("tokens"));
        Assert.True(code == ExitCodes.Ok, error);
        Assert.Contains("2 tokens", output, StringComparison.Ordinal);
        Assert.Equal([102, 103], JsonNode.Parse(File.ReadAllText(In("tokens", "other.txt.json")))!["ids"]!.AsArray().Select(id => (int)id!));
        Assert.True(File.Exists(In("tokens", "hello.txt.json.run.json")));
        var lines = (await RunAsync("tokenize", "test/echo.x", "--text", "a", "--text", "b")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["[99]", "[100]"], lines.Select(line => JsonNode.Parse(line)!["ids"]!.ToJsonString()));
        Assert.Equal(2, JsonNode.Parse((await RunAsync("tokenize", "test/echo.x", "--text", "a", "--text", "b", "--json")).Output)!.AsArray().Count);
        Assert.Equal(ExitCodes.Usage, (await RunAsync("tokenize", "test/echo.x", "--text", "a", "--text", "b", "--out", In("both.json"))).Code);
        Assert.Equal(ExitCodes.Usage, (await RunAsync("tokenize", "test/echo.x", "--text", "a", "--in", In("other.txt"))).Code);
    }

    [Fact]
    public async Task Train_Refused_LeavesNoFolder()
    {
        Assert.NotEqual(ExitCodes.Ok, (await RunAsync("train", "test/echo.x", "--data", In("hello.txt"), "--out", In("made", "here"))).Code);
        Assert.False(Directory.Exists(In("made")));
    }

    [Fact]
    public async Task Detokenize_BareIds_AreTextAgainAndReplay()
    {
        Assert.Equal("abc", (await RunAsync("detokenize", "test/echo.x", "--ids", "99, 100 101", "--option", "shift=2")).Output.Trim());
        File.WriteAllText(In("ids.json"), "[97, 98]");
        Assert.Equal("ab", (await RunAsync("detokenize", "test/echo.x", "--in", In("ids.json"))).Output.Trim());
        Assert.Equal("ab", (string?)JsonNode.Parse((await RunAsync("detokenize", "test/echo.x", "--ids", "97,98", "--json")).Output)!["text"]);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("detokenize", "test/echo.x", "--ids", "97", "--out", In("a.txt"))).Code);
        Assert.Contains("bit for bit", (await RunAsync("replay", In("a.txt"))).Output, StringComparison.Ordinal);
        var (code, _, error) = await RunAsync("detokenize", "test/echo.x", "--ids", "97,x");
        Assert.Equal(ExitCodes.Usage, code);
        Assert.Contains("'x'", error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Usage, (await RunAsync("detokenize", "test/echo.x")).Code);
        (code, _, error) = await RunAsync("detokenize", "test/echo.x", "--ids", "97", "--out", In("a.wav"));
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("text, which a file of this kind does not hold", error, StringComparison.Ordinal);
        Assert.False(File.Exists(In("a.wav")));
    }

    [Fact]
    public async Task Generate_ThenReplay_IsTheSameBitForBitUntilThePluginChanges()
    {
        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/echo.x", "--prompt", "hi", "--seed", "5", "--out", In("out.txt"))).Code);
        Assert.Equal("1.0.0:hi:5", File.ReadAllText(In("out.txt")));
        var (code, output, _) = await RunAsync("replay", In("out.txt"));
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("bit for bit", output, StringComparison.Ordinal);

        TestPlugins.Build("Good", In("plugins", "good"), "2.0.0");
        (code, output, _) = await RunAsync("replay", In("out.txt.run.json"));
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("plugin: Good 1.0.0", output, StringComparison.Ordinal);
        Assert.Contains("was Good 2.0.0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Evaluate_Folder_GivesAColumnForEachGroup()
    {
        Directory.CreateDirectory(In("data", "b"));
        File.WriteAllText(In("data", "1.txt"), "abcd");
        File.WriteAllText(In("data", "b", "2.txt"), "ab");
        var (code, output, error) = await RunAsync("evaluate", "test/echo.x", "--data", In("data"), "--seed", "3", "--json");
        Assert.True(code == ExitCodes.Ok, error);
        var json = JsonNode.Parse(output)!;
        Assert.Equal((2, 3), ((int)json["data"]!["examples"]!, (int)json["seed"]!));
        var groups = json["metrics"]![0]!["groups"]!;
        Assert.Equal((3.0, 6.0), ((double)groups["once"]!["value"]!, (double)groups["twice"]!["value"]!));
        Assert.Equal(1.96, (double)groups["once"]!["confidence_95"]!, 6); // two values, 2 and 4: 1.96 * sqrt(2) / sqrt(2)
        Assert.Equal(64, ((string)json["run"]!["provenance"]!["plugin_sha256"]!).Length);
        Assert.Equal(1, (int)JsonNode.Parse((await RunAsync("evaluate", "test/echo.x", "--data", In("data"), "--limit", "1", "--json")).Output)!["data"]!["examples"]!);
    }

    [Fact]
    public async Task Evaluate_ThenReplay_IsTheSameUntilTheDataChanges()
    {
        Directory.CreateDirectory(In("data"));
        File.WriteAllText(In("data", "1.txt"), "abcd");
        Assert.Equal(ExitCodes.Ok, (await RunAsync("evaluate", "test/echo.x", "--data", In("data"), "--out", In("report.json"))).Code);
        var (code, output, error) = await RunAsync("replay", In("report.json"));
        Assert.True(code == ExitCodes.Ok, output + error);
        Assert.Contains("the same, bit for bit", output, StringComparison.Ordinal);

        File.WriteAllText(In("data", "1.txt"), "abcdef");
        (code, output, _) = await RunAsync("replay", In("report.json"));
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("data: SHA-256", output, StringComparison.Ordinal);
        Assert.Contains("length/once/value: 6, then 4", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Precision_Asked_IsRecordedAndReplayed()
    {
        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/echo.x", "--prompt", "hi", "--out", In("plain.txt"))).Code);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/echo.x", "--prompt", "hi", "--precision", "int8", "--out", In("kept.txt"))).Code);
        Assert.Null(Provenance("plain.txt")["precision"]);
        Assert.DoesNotContain("precision", File.ReadAllText(In("plain.txt.run.json")), StringComparison.Ordinal);
        Assert.Equal("int8", (string?)Provenance("kept.txt")["precision"]);

        // What the manifest says today is not what was recorded.
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/good"], "models": { "test/echo.x": { "precision": "int4" } } }""");
        foreach (var file in new[] { "plain.txt", "kept.txt" })
        {
            var (code, output, error) = await RunAsync("replay", In(file));
            Assert.True(code == ExitCodes.Ok, output + error);
            Assert.DoesNotContain("precision:", output, StringComparison.Ordinal);
        }

        Assert.Equal("int4", (string?)JsonNode.Parse((await RunAsync("info", "test/echo.x", "--json")).Output)!["opened"]!["precision"]);
        Assert.Equal("float32", (string?)JsonNode.Parse((await RunAsync("info", "test/echo.x", "--precision", "float32", "--json")).Output)!["opened"]!["precision"]);

        JsonNode Provenance(string file) => JsonNode.Parse(File.ReadAllText(In(file + ".run.json")))!["provenance"]!;
    }

    [Fact]
    public async Task Evaluate_WithPrecision_IsRecordedInTheReport()
    {
        Directory.CreateDirectory(In("data"));
        File.WriteAllText(In("data", "1.txt"), "abcd");
        Assert.Equal(ExitCodes.Ok, (await RunAsync("evaluate", "test/echo.x", "--data", In("data"), "--precision", "int4", "--out", In("report.json"))).Code);
        Assert.Equal("int4", (string?)JsonNode.Parse(File.ReadAllText(In("report.json")))!["run"]!["provenance"]!["precision"]);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("replay", In("report.json"))).Code);
    }

    [Fact]
    public async Task Verify_WithPrecision_SaysByWhatItJudgesAndLeavesTheParityStateAlone()
    {
        Case("near", 2.01f);
        Assert.Equal(ExitCodes.Failed, (await RunAsync("verify", In("cases"))).Code);
        var (code, output, _) = await RunAsync("verify", In("cases"), "--precision", "int8");
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("1.0e-2  pass at int8, 1 %", output, StringComparison.Ordinal);
        Assert.Equal("0/1 on cpu", (string?)JsonNode.Parse((await RunAsync("list", "--json")).Output)!["models"]![0]!["parity"]);

        Case("far", 3);
        (code, output, _) = await RunAsync("verify", In("cases"), "--precision", "int4");
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("fail at int4, 15 %", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "vae": "elsewhere" }""", "test/echo.x has no setting 'vae'")]
    [InlineData("\"elsewhere\"", "plugins.json:1")]
    public async Task Run_SettingsThatTheModelDoesNotHave_AreRefusedByName(string settings, string message)
    {
        File.WriteAllText(In("plugins.json"), $$"""{ "plugins": ["plugins/good"], "models": { "test/echo.x": { "settings": {{settings}} } } }""");
        var (code, _, error) = await RunAsync("tokenize", "test/echo.x", "--text", "abc");
        Assert.NotEqual(ExitCodes.Ok, code);
        Assert.Contains(message, error.Replace("\n", " ", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_SettingsOfTheWholePlugin_AreForThoseModelsThatHaveThem()
    {
        File.WriteAllText(In("plugins.json"), """{ "plugins": [{ "path": "plugins/good", "settings": { "vae": "elsewhere" } }], "models": { "test/echo.x": {} } }""");
        Assert.Equal(ExitCodes.Ok, (await RunAsync("tokenize", "test/echo.x", "--text", "abc")).Code);
    }

    [Fact]
    public async Task Verify_PassingAndFailingCases_DecideTheExitCode()
    {
        Case("pass", 2);
        var (code, output, _) = await RunAsync("verify", In("cases"));
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("pass", output, StringComparison.Ordinal);
        Assert.Equal("1/1 on cpu", (string?)JsonNode.Parse((await RunAsync("list", "--json")).Output)!["models"]![0]!["parity"]);
        TestPlugins.Build("Good", In("plugins", "good"), "2.0.0");
        Assert.Equal("stale", (string?)JsonNode.Parse((await RunAsync("list", "--json")).Output)!["models"]![0]!["parity"]);
        TestPlugins.Build("Good", In("plugins", "good"));

        Case("wrong", 3);
        (code, output, _) = await RunAsync("verify", In("cases"), "--json");
        Assert.Equal("wrong", (string?)JsonNode.Parse((await RunAsync("info", "test/echo.x", "--json")).Output)!["cases_that_fail"]);
        Assert.Equal(ExitCodes.Failed, code);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(["pass", "fail"], lines.Select(line => (string?)line["status"]));
        Assert.Equal("test/echo/wrong", (string?)lines[1]["case"]);
        Assert.Equal(ExitCodes.Failed, (await RunAsync("verify", In("plugins"))).Code);

        output = (await RunAsync("verify", In("cases"), "--table")).Output;
        Assert.Contains("| test | 1 of 2 |  | echo |", output, StringComparison.Ordinal);
        Assert.Contains("| **all** | **1 of 2** | | |", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCodes.Usage, "no-such-command")]
    [InlineData(ExitCodes.Usage, "tokenize", "test/echo.x")]
    [InlineData(ExitCodes.Usage, "tokenize", "test/echo.x", "--text", "a", "--option", "shfit=1")]
    [InlineData(ExitCodes.Usage, "tokenize", "test/echo.x", "--text", "a", "--option", "shift=99")]
    [InlineData(ExitCodes.Usage, "tokenize", "test/echo.x", "--text", "a", "--device", "gpu")]
    [InlineData(ExitCodes.Usage, "tokenize", "test/echo.x", "--text", "a", "--precision", "int2")]
    [InlineData(ExitCodes.Usage, "tokenize", "test/echo.x", "--text", "a", "--precision", "1")]
    [InlineData(ExitCodes.Usage, "train", "test/echo.x", "--data", "a", "--out", "b", "--precision", "int8")]
    [InlineData(ExitCodes.NotAvailable, "tokenize", "test/ecko", "--text", "a")]
    [InlineData(ExitCodes.NotAvailable, "tokenize", "test/echo.y", "--text", "a")]
    [InlineData(ExitCodes.NotAvailable, "info", "test/other")]
    [InlineData(ExitCodes.Failed, "tokenize", "test/echo.x", "--in", "/no/such/file.txt")]
    public async Task Run_WhatCannotWork_HasItsExitCodeAndNoStackTrace(int expected, params string[] arguments)
    {
        var (code, output, error) = await RunAsync(arguments);
        Assert.Equal(expected, code);
        Assert.DoesNotContain("   at ", output + error, StringComparison.Ordinal);
        Assert.NotEmpty(error);
    }

    [Fact]
    public async Task Run_MistypedOption_NamesTheNearest() =>
        Assert.Contains("Did you mean 'shift'?", (await RunAsync("tokenize", "test/echo.x", "--text", "a", "--option", "shft=1")).Error.Replace("\n", " ", StringComparison.Ordinal), StringComparison.Ordinal);

    [Fact]
    public async Task Info_ShowsCardOptionsAndFacts()
    {
        var json = JsonNode.Parse((await RunAsync("info", "test/echo", "--json")).Output)!;
        Assert.Equal("An Echo 1.0.0", (string?)json["paper"]);
        Assert.Equal("integer", (string?)json["opened"]!["verbs"]!["generate"]!["schema"]!["properties"]!["shift"]!["type"]);
        Assert.Contains("shift: integer 0..9, default 0. Added to each unit.", (await RunAsync("info", "test/echo")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("serve")]
    [InlineData("list")]
    [InlineData("info")]
    [InlineData("tokenize")]
    [InlineData("detokenize")]
    [InlineData("generate")]
    [InlineData("evaluate")]
    [InlineData("verify")]
    [InlineData("replay")]
    [InlineData("doctor")]
    public async Task Help_EveryCommand_EndsWithExamples(string command)
    {
        var (code, output, _) = await RunAsync(command, "--help");
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Contains("Examples:", output, StringComparison.Ordinal);
        Assert.Contains($"modelzoo {command}", output[output.IndexOf("Examples:", StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_Cancelled_StopsWithinAStepAndLeavesNoFile()
    {
        using var stop = new CancellationTokenSource();
        using StringWriter output = new(), error = new();
        var run = CommandLine.RunAsync(["generate", "test/echo.x", "--option", "delay=10000", "--out", In("late.txt"), "--manifest", In("plugins.json")], output, error, stop.Token);
        stop.CancelAfter(500);
        Assert.Equal(ExitCodes.Cancelled, await run.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Empty(Directory.GetFiles(_folder, "late*"));
    }

    private void Case(string name, float factor)
    {
        Directory.CreateDirectory(In("cases", name));
        Save("inputs", ("x", [1f, 2f]));
        Save("expected", ("y", [factor, 2 * factor]));
        File.WriteAllText(In("cases", name, "case.json"), JsonSerializer.Serialize(new { model = "test/echo", calls = new[] { new { call = "double", inputs = new { x = "x" }, outputs = new { y = "y" } } } }));

        void Save(string file, (string Name, float[] Values) tensor)
        {
            using var stream = File.Create(In("cases", name, file + ".safetensors"));
            SafetensorsWriter.Write(stream, new Dictionary<string, Tensor> { [tensor.Name] = Tensor.Create(tensor.Values, tensor.Values.Length) });
        }
    }
}
