using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>The laws of every plugin, on each architecture that has a parity case and on the sample.</summary>
/// <param name="parts">What cases lack.</param>
public sealed class DiffusionTransformersPluginLaws(LawParts parts) : PluginLaws<DiffusionTransformersPlugin>, IClassFixture<LawParts>
{
    // A case's latents have four channels.
    protected override IEnumerable<LawSample> Samples =>
    [
        .. LawSample.OfCases("diffusion-transformers").Select(parts.Complete),
        new("diffusion-transformers/dit") { Checkpoint = Repository.Path("samples", "dit-digits"), FindsInputs = true },
    ];
}

/// <summary>Autoencoders with weights drawn at random, which cases of networks alone are tried with.</summary>
public sealed class LawParts : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly JsonElement _vae, _vaVae;

    /// <summary>Writes them.</summary>
    public LawParts()
    {
        var (vae, vaVae) = (Path.Combine(_folder.Path, "vae"), Path.Combine(_folder.Path, "va-vae"));
        TinyPipeline.Vae(vae, 4);
        Directory.CreateDirectory(vaVae);
        File.WriteAllText(Path.Combine(vaVae, "config.yaml"), "model:\n  params:\n    embed_dim: 4\n    ddconfig:\n      ch: 8\n      ch_mult: [1, 2]\n      num_res_blocks: 1\n      attn_resolutions: []\n      resolution: 16\n      z_channels: 4\n      double_z: true\n      norm_groups: 4\n");
        var config = new VaVaeConfig { EmbedDim = 4, Ddconfig = new() { Ch = 8, ChMult = [1, 2], NumResBlocks = 1, AttnResolutions = [], Resolution = 16, ZChannels = 4, NormGroups = 4 } };
        TinyParts.Weights(Path.Combine(vaVae, "vavae.safetensors"), Network.Inventory(scope =>
        {
            var latent = scope.Graph.Input("latent", [1, 4, 8, 8]);
            scope.Graph.Output("picture", LdmAutoencoder.Decoder(scope["decoder"], scope["post_quant_conv"].Conv(latent, 4, 1), config.Sizes));
        }));
        (_vae, _vaVae) = (Setting(vae), Setting(vaVae));
    }

    /// <summary>The sample of a case with what it lacks: an autoencoder, or features that stand for a text encoder's.</summary>
    public LawSample Complete(LawSample sample) => sample.Model["diffusion-transformers/".Length..] switch
    {
        "delta-dit" or "dit" or "dit-moe" or "dydit-plus-plus" or "flexdit" or "haste" or "promoe" or "sit" or "u-dit" => sample with { Settings = _vae },
        // Its autoencoder is in its authors' layout.
        "va-vae-lightningdit" => sample with { Settings = _vaVae },
        "flowtok" => sample with { Prompt = Features(("text_features", 6, 12)) },
        "li-dit" => sample with { Settings = _vae, Prompt = Features(("features_0", 5, 10), ("features_1", 3, 8), ("negative_features_0", 4, 10), ("negative_features_1", 4, 8)) },
        _ => sample,
    };

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    private static Prompt Features(params (string Name, int Tokens, int Width)[] texts) => new(null, [new NamedTensors(texts.ToDictionary(text => text.Name, text =>
        (Tensor)Tensor.Create<float>([.. Enumerable.Range(0, text.Tokens * text.Width).Select(i => MathF.Sin(i + text.Tokens))], 1, text.Tokens, text.Width)))]);

    private static JsonElement Setting(string folder) => JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["vae"] = folder });
}
