using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Rin;

/// <summary>The denoiser.</summary>
internal static class RinNetwork
{
    // Keras' LayerNormalization as the published code sets it.
    private const double Epsilon = 1e-6;

    /// <summary>Declares it: x (B, C, H, W), latent_prev and tape_prev where they are carried, gamma (B), cond (B, classes) -> noise, latent, tape.</summary>
    public static void Declare(Scope scope, RinConfig c, long classes)
    {
        var (g, batch, count) = (scope.Graph, Dim.Symbol("batch"), c.Rows * c.Columns);
        var x = g.Input("x", [batch, c.ImageChannels, c.ImageHeight, c.ImageWidth]);
        var latentBefore = c.CarriesLatents ? g.Input("latent_prev", [batch, c.LatentSlots, c.LatentDim]) : null;
        var tapeBefore = c.CarriesTape ? g.Input("tape_prev", [batch, count, c.TapeDim]) : null;
        var time = g.Stage("time_embed", Time(scope["time_emb"], g.Input("gamma", [batch]), c)).Unsqueeze(1);
        var condition = classes > 0 ? scope["cond_proj"].Linear(g.Input("cond", [batch, classes]), c.CondOnLatentN > 0 ? c.LatentDim : c.Condition).Unsqueeze(1) : null;
        if (condition is not null) g.Stage("cond_embed", condition);

        // The tape: patches with positions; what the previous step left; time and class that are read but not written.
        var tape = scope["stem_ln"].LayerNorm(scope["stem"].PatchEmbed(x, c.TapeDim, c.PatchSize), Epsilon) + scope.Weight("tape.Stape_pos_emb.Skernel.Svis_pos_embedding", count, c.TapeDim);
        if (tapeBefore is not null) tape += scope["tape_prev_ln"].LayerNorm(Mlp(scope["tape_prev_proj"], tapeBefore, c.TapeMlpRatio), Epsilon);
        g.Stage("tape_init", tape);
        Value[] read = [.. c.TimeOnLatent ? (Value[])[] : [time], .. condition is null || c.CondOnLatentN > 0 ? (Value[])[] : [condition]];
        if (c.CondTapeWritable && read.Length > 0) (tape, read) = (ValueShape.Concat(1, [tape, .. read]), []);

        // The latents: learned, then those of time and class; what the previous step left.
        Value[] held = [.. c.TimeOnLatent ? (Value[])[time] : [], .. condition is null || c.CondOnLatentN == 0 ? (Value[])[] : [condition]];
        var slots = c.LatentSlots - (c.TimeOnLatent ? 1 : 0) - c.CondOnLatentN;
        var learned = scope.Weight("tape.Slatent_pos_emb.Skernel.Svis_pos_embedding", slots, c.LatentDim).Unsqueeze(0).Expand(batch, slots, c.LatentDim);
        var latent = held.Length == 0 ? learned : ValueShape.Concat(1, [learned, .. held]);
        if (latentBefore is not null) latent += scope["latent_prev_ln"].LayerNorm(Mlp(scope["latent_prev_proj"], latentBefore, c.LatentMlpRatio), Epsilon);
        g.Stage("latent_init", latent);

        var width = Math.Min(c.TapeDim, c.LatentDim) / c.RwNumHeads;
        for (var i = 0; i < c.Layers.Length; i++)
        {
            latent = Cross(scope["read_units"][i], latent, read.Length == 0 ? tape : ValueShape.Concat(1, [tape, .. read]), c, width, c.LatentMlpRatio);
            g.Stage($"block_{i}_read", latent);
            if (c.Layers[i] == 0) continue;
            for (var layer = 0; layer < c.Layers[i]; layer++)
            {
                var unit = scope["latent_processing_units"][i]["enc_layers"][layer];
                var normalized = unit["mha_ln"].LayerNorm(latent, Epsilon);
                latent += Attend(unit["mha"], normalized, normalized, c.LatentNumHeads, c.LatentDim / c.LatentNumHeads);
                latent = Mlp(unit["mlp"], latent, c.LatentMlpRatio);
            }

            g.Stage($"block_{i}_latent", latent);
            tape = Cross(scope["write_units"][i], tape, latent, c, width, c.TapeMlpRatio);
            g.Stage($"block_{i}_write", tape);
        }

        tape = tape.Slice(1, 0, count);
        g.Output("latent", latent);
        g.Output("tape", tape);
        g.Output("noise", scope["output_linear"].Linear(scope["output_ln"].LayerNorm(tape, Epsilon), c.PatchSize * c.PatchSize * c.ImageChannels).Unpatchify(c.PatchSize, c.Rows, c.Columns, c.ImageChannels));
    }

    // Sinusoids with mean 0 and deviation 1 over the features.
    private static Value Time(Scope scope, Value gamma, RinConfig c)
    {
        var quarter = (c.TimeOnLatent ? c.LatentDim : c.Condition) / 4;
        var waves = (gamma * c.TimeScaling).Sinusoid(quarter, cosinesFirst: false);
        waves = (waves - waves.Mean(-1, keep: true)) / waves.Variance([-1], keep: true).Sqrt();
        return scope["dense_1"].Linear(scope["dense_0"].Linear(waves, 4 * quarter).Silu(), 4 * quarter);
    }

    private static Value Cross(Scope unit, Value x, Value seen, RinConfig c, int width, int ratio)
    {
        var layer = unit["dec_layers.0"];
        if (c.XattnEncLn) seen = layer["enc_ln"].LayerNorm(seen, Epsilon);
        x += Attend(layer["cross_mha"], layer["cross_ln"].LayerNorm(x, Epsilon), seen, c.RwNumHeads, width);
        return ratio > 0 ? Mlp(layer["mlp"], x, ratio) : x;
    }

    private static Value Attend(Scope mha, Value x, Value seen, int heads, int width) => mha["_output_dense"].Linear(
        AttentionLayers.Attention(mha["_query_dense"].Linear(x, heads * width), mha["_key_dense"].Linear(seen, heads * width), mha["_value_dense"].Linear(seen, heads * width), new() { Heads = heads }), x.Shape[-1].Size);

    private static Value Mlp(Scope mlp, Value x, int ratio) =>
        x + mlp["mlp_layers.0"].Mlp(mlp["layernorms.0"].LayerNorm(x, Epsilon), x.Shape[-1].Size * ratio, h => h.Gelu(Gelu.Exact), "dense1", "dense2");
}
