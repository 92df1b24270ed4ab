using System.Net;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
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
        if (Browser.Program is null || !TestServer.HasPlugins(Families)) return;
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
        Assert.Contains("shape 8 x ", await browser.SubmitAsync(token));
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
}
