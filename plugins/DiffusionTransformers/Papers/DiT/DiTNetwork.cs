using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT;

/// <summary>The network in the authors' layout.</summary>
internal static class DiTNetwork
{
    /// <summary>Predicts noise and variance. x (B, C, H, W), t (B), y (B) -> (B, 2C, H, W).</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, DiTConfig config)
    {
        var (h, condition) = Embed(dit, x, t, y, config);
        for (var i = 0; i < config.Depth; i++)
            h = dit.Stage($"block_{i}", dit["blocks"][i].DiTBlock(h, condition, config.NumHeads, config.MlpWidth));
        return Unpatch(dit, h, condition, config);
    }

    /// <summary>Patches with positions (B, N, D), and time plus class (B, D).</summary>
    public static (Value Tokens, Value Condition) Embed(Scope dit, Value x, Value t, Value y, DiTConfig config)
    {
        var width = config.HiddenSize;
        var tokens = dit.Stage("patch_embed", dit["x_embedder.proj"].PatchEmbed(x, width, config.PatchSize) + dit.Weight("pos_embed", 1, config.Rows * config.Rows, width));
        var time = dit.Stage("timestep_embed", dit["t_embedder"].TimestepEmbedding(t, width));
        return (tokens, time + dit.Stage("label_embed", dit["y_embedder.embedding_table"].Embedding(y, config.Classes, width)));
    }

    /// <summary>Tokens (B, N, D) to a prediction (B, C or 2C, H, W).</summary>
    public static Value Unpatch(Scope dit, Value h, Value condition, DiTConfig config)
    {
        var patches = dit.Stage("final_layer", dit["final_layer"].FinalLayer(h, condition, (long)config.PatchSize * config.PatchSize * config.OutChannels));
        return patches.Unpatchify(config.PatchSize, config.Rows, config.Rows, config.OutChannels);
    }
}
