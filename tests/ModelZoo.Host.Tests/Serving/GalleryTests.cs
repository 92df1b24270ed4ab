using System.Net;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The page in a real browser: the main path of each modality. It needs Chromium, which the CI script installs, and the plugins, which are built with the solution.</summary>
public sealed class GalleryTests
{
    private static readonly string[] Families = ["DiffusionTransformers", "ImageTokenizers", "Motion", "Recommenders", "Speech"];

    [Fact]
    public async Task Page_WithoutAKey_IsServedWithItsPolicy()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { Keys = new(["user"], ["admin"]) });
        foreach (var path in new[] { "/", "/app.js", "/style.css", "/motion.js" })
        {
            using var answer = await server.Client.GetAsync(path);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Contains("script-src 'self';", answer.Headers.GetValues("Content-Security-Policy").Single());
        }
    }

    [Fact]
    public async Task Text_TokenizeGenerateAndBack_ShowTheirResults()
    {
        if (Browser.Program is null) return;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var server = await TestServer.StartAsync();
        await using var browser = await Browser.OpenAsync(server.Address + "/#/model/test/echo", stop.Token);
        await browser.UntilAsync("document.querySelector('form textarea')", stop.Token);
        await browser.EvaluateAsync("document.querySelector('form textarea').value = 'abc'; document.querySelector('[name=shift]').value = 2", stop.Token);
        Assert.Contains("3 tokens", await browser.SubmitAsync(stop.Token));
        await browser.EvaluateAsync("document.querySelector('[data-verb=detokenize]').click(); document.querySelector('[name=shift]').value = 2", stop.Token);
        Assert.Contains("abc", await browser.SubmitAsync(stop.Token));
        await browser.EvaluateAsync("document.querySelector('[data-verb=generate]').click(); document.querySelector('[name=prompt]').value = '<b>hi</b>'; document.querySelector('[aria-label=Seed]').value = 5", stop.Token);
        Assert.Contains("1.0.0:<b>hi</b>:5", await browser.SubmitAsync(stop.Token)); // as text, not as markup
        await browser.EvaluateAsync("document.querySelector('[name=shift]').removeAttribute('max'); document.querySelector('[name=shift]').value = 99", stop.Token);
        Assert.Contains("does not take this value", await browser.SubmitAsync(stop.Token));
    }

    [Fact]
    public async Task Samples_EachModality_IsSeenAndHeard()
    {
        if (Browser.Program is null || !BuiltPlugins.Are(Families)) return;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var token = stop.Token;
        await using var server = await TestServer.StartAsync(manifest: new HostManifest
        {
            Plugins = [.. Families.Select(family => new PluginEntry(Repository.Path("artifacts", "plugins", family), "test"))],
            Models = new (string Id, string Folder)[] { ("speech/encodec.8khz", "encodec-8khz"), ("image-tokenizers/titok.emoji", "titok-emoji"), ("diffusion-transformers/dit.digits", "dit-digits"), ("motion/mmm.synthetic", "mmm-synthetic"), ("recommenders/letter-tiger.instruments", "letter-instruments") }
                .ToDictionary(model => ModelId.Parse(model.Id), model => new ModelEntry { Checkpoint = Repository.Path("samples", model.Folder) }),
        });
        await using var browser = await Browser.OpenAsync(server.Address, token);
        await browser.UntilAsync("document.querySelectorAll('.models li').length === 5", token);

        await browser.GoAsync("#/model/diffusion-transformers/dit.digits", "[name=prompt]", token);
        await browser.EvaluateAsync("document.querySelector('[name=prompt]').value = '7'; document.querySelector('[name=steps]').value = 8", token);
        Assert.Contains("seed 0", await browser.SubmitAsync(token));
        Assert.NotEqual("0", await browser.EvaluateAsync("document.querySelector('.result img').decode().then(() => document.querySelector('.result img').naturalWidth)", token));

        await browser.GoAsync("#/model/image-tokenizers/titok.emoji", "[data-verb=tokenize]", token);
        await browser.ChooseAsync("face.png", "image/png", File.ReadAllBytes(Directory.GetFiles(Repository.Path("samples", "titok-emoji", "pictures"), "*.png")[0]), token);
        Assert.Contains("tokens", await browser.SubmitAsync(token));

        await browser.GoAsync("#/model/speech/encodec.8khz", "[data-verb=tokenize]", token);
        await browser.ChooseAsync("voice.wav", "audio/wav", File.ReadAllBytes(Directory.GetFiles(Repository.Path("samples", "encodec-8khz", "recordings"), "*.wav")[0]), token);
        Assert.Contains("8 × ", await browser.SubmitAsync(token));
        await browser.EvaluateAsync("document.querySelector('[data-verb=detokenize]').click()", token);
        await browser.SubmitAsync(token);
        await browser.UntilAsync("document.querySelector('.result audio').duration > 1", token);

        await browser.GoAsync("#/model/motion/mmm.synthetic", "[data-verb=generate]", token);
        await browser.EvaluateAsync("document.querySelector('[data-verb=generate]').click(); document.querySelector('[name=prompt]').value = 'a man waves with the right hand'", token);
        await browser.SubmitAsync(token);
        await browser.UntilAsync("/^[0-9]+ \\/ [0-9]+/.test(document.querySelector('figure.motion output').textContent)", token);

        await browser.GoAsync("#/model/recommenders/letter-tiger.instruments", "[data-verb=generate]", token);
        await browser.EvaluateAsync("document.querySelector('[data-verb=generate]').click()", token);
        await browser.ChooseAsync("history.json", "application/json", "[\"1\", \"2\", \"3\"]"u8.ToArray(), token);
        Assert.Contains("rank", await browser.SubmitAsync(token));
    }

    private static Task<TestServer> StudioAsync()
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        return TestServer.StartAsync(folder: folder, manifest: new HostManifest { Plugins = [new(TestPlugins.Build("Studio", Path.Combine(folder, "plugins")), "test")] });
    }

    [Fact]
    public async Task Mesh_Surface_IsSeenTurnedAndBroughtNear()
    {
        if (Browser.Program is null) return;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var token = stop.Token;
        await using var server = await StudioAsync();
        await using var browser = await Browser.OpenAsync(server.Address + "/#/model/test/body", token);
        await browser.UntilAsync("document.querySelector('form')", token);
        Assert.Contains("1152 points and 2304 faces", await browser.SubmitAsync(token));

        // How much of the canvas is drawn on, and a number that changes with what is.
        const string Look = "(() => { const c = document.querySelector('canvas.mesh'), p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let drawn = 0, sum = 0; for (let i = 0; i < p.length; i += 4) { if (p[i + 3]) drawn++; sum = (sum * 31 + p[i]) % 1000003; } return [drawn, sum].join(); })()";
        async Task<(int Drawn, string All)> LookAsync()
        {
            var seen = await browser.EvaluateAsync(Look, token);
            return (int.Parse(seen.Split(',')[0]), seen);
        }

        var first = await LookAsync();
        Assert.InRange(first.Drawn, 20_000, 200_000);
        await browser.PictureAsync("mesh", token);
        await browser.EvaluateAsync("document.querySelector('canvas.mesh').focus()", token);
        await browser.PressAsync("ArrowRight", token);
        await browser.PressAsync("ArrowUp", token);
        var turned = await LookAsync();
        Assert.NotEqual(first.All, turned.All);
        await browser.PressAsync("-", token);
        Assert.True((await LookAsync()).Drawn < turned.Drawn);
        await browser.PressAsync("Tab", token);
        Assert.Equal("A", await browser.EvaluateAsync("document.activeElement.tagName", token)); // the download: the canvas keeps nobody

        await browser.EvaluateAsync("document.querySelector('[name=points]').checked = true", token);
        Assert.Contains("1152 points.", await browser.SubmitAsync(token));
        Assert.InRange((await LookAsync()).Drawn, 1000, 20_000);
    }

    [Fact]
    public async Task Page_OfAPhone_FitsItsWidth()
    {
        if (Browser.Program is null) return;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var token = stop.Token;
        await using var server = await StudioAsync();
        File.WriteAllText(Path.Combine(server.Folder, "data", "a.txt"), "text");
        await server.PostAsync("/v1/models/test/story/evaluate", new { data = "." });
        await using var browser = await Browser.OpenAsync(server.Address, token);
        await browser.ResizeAsync(360, 740, token);
        foreach (var (place, element) in new[] { ("#/", ".filter"), ("#/model/test/body", "form"), ("#/model/test/story", "form"), ("#/jobs", "table") })
        {
            await browser.GoAsync(place, element, token);
            if (place == "#/model/test/body") await browser.SubmitAsync(token);
            await browser.PictureAsync($"phone{place.Replace('/', '-')}", token);
            Assert.True(await browser.EvaluateAsync("document.documentElement.scrollWidth <= 360", token) == "True", $"{place} is wider than the screen: {await browser.EvaluateAsync("document.documentElement.scrollWidth", token)}");
        }
    }

    [Fact]
    public async Task Keyboard_Alone_ReachesAModelAndItsResult()
    {
        if (Browser.Program is null) return;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var token = stop.Token;
        await using var server = await TestServer.StartAsync();
        await using var browser = await Browser.OpenAsync(server.Address, token);
        await browser.UntilAsync("document.querySelector('.filter')", token);
        await browser.EvaluateAsync("document.querySelector('.models') ?? document.querySelector('input[type=checkbox]').click()", token);
        await TabToAsync("document.activeElement.textContent === 'echo'");
        await browser.PressAsync("Enter", token);
        await browser.UntilAsync("document.querySelector('form textarea')", token);
        await TabToAsync("document.activeElement.getAttribute('role') === 'tab'");
        await browser.PressAsync("ArrowRight", token);
        await browser.PressAsync("ArrowRight", token);
        Assert.Equal("generate", await browser.EvaluateAsync("document.activeElement.dataset.verb", token));
        await TabToAsync("document.activeElement.name === 'prompt'");
        await browser.PressAsync("h", token);
        await TabToAsync("document.activeElement.type === 'submit'");
        await browser.PressAsync("Enter", token);
        await browser.UntilAsync("document.querySelector('.result').innerText.includes('1.0.0:h:0')", token);
        Assert.Equal("Done", await browser.EvaluateAsync("document.querySelector('#status').innerText", token)); // what a screen reader says

        async Task TabToAsync(string condition)
        {
            for (var presses = 0; await browser.EvaluateAsync($"Boolean({condition})", token) != "True"; presses++)
            {
                Assert.True(presses < 40, $"Tab never reached: {condition}");
                await browser.PressAsync("Tab", token);
            }
        }
    }
}
