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
        var tape = scope["stem_ln"].LayerNorm(scope["stem"].PatchEmbed(x, c.TapeDim, c.PatchSize), Epsilon) + Positions(scope, "tape.Stape_pos_emb", c.TapePosEncoding, (c.Rows, c.Columns), c.TapeDim, c);
        if (tapeBefore is not null) tape += scope["tape_prev_ln"].LayerNorm(Mlp(scope["tape_prev_proj"], tapeBefore, c.TapeMlpRatio), Epsilon);
        g.Stage("tape_init", tape);
        Value[] read = [.. c.TimeOnLatent ? (Value[])[] : [time], .. condition is null || c.CondOnLatentN > 0 ? (Value[])[] : [condition]];
        if (c.CondTapeWritable && read.Length > 0) (tape, read) = (ValueShape.Concat(1, [tape, .. read]), []);

        // The latents: learned, then those of time and class; what the previous step left.
        Value[] held = [.. c.TimeOnLatent ? (Value[])[time] : [], .. condition is null || c.CondOnLatentN == 0 ? (Value[])[] : [condition]];
        var slots = c.LatentSlots - (c.TimeOnLatent ? 1 : 0) - c.CondOnLatentN;
        var learned = Positions(scope, "tape.Slatent_pos_emb", c.LatentPosEncoding, (slots, 1), c.LatentDim, c).Unsqueeze(0).Expand(batch, slots, c.LatentDim);
        var latent = held.Length == 0 ? learned : ValueShape.Concat(1, [learned, .. held]);
        if (latentBefore is not null) latent += scope["latent_prev_ln"].LayerNorm(Mlp(scope["latent_prev_proj"], latentBefore, c.LatentMlpRatio), Epsilon);
        g.Stage("latent_init", latent);

        var width = Math.Min(c.TapeDim, c.LatentDim) / c.RwNumHeads;
        for (var i = 0; i < c.Layers.Length; i++)
        {
            if (c.CondDecoupledRead) latent = Cross(scope["read_cond_units"][i], latent, ValueShape.Concat(1, read), c, Math.Min(c.Condition, c.LatentDim) / c.RwNumHeads, c.LatentMlpRatio);
            latent = Cross(scope["read_units"][i], latent, c.CondDecoupledRead || read.Length == 0 ? tape : ValueShape.Concat(1, [tape, .. read]), c, width, c.LatentMlpRatio);
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

    // Learned numbers for each place, waves of its row and its column, or waves and numbers. (rows columns, D).
    private static Value Positions(Scope scope, string name, string kind, (int Rows, int Columns) grid, int width, RinConfig c)
    {
        if (kind == "learned") return scope.Weight($"{name}.Skernel.Svis_pos_embedding", grid.Rows * grid.Columns, width);
        var waves = scope.Graph.Constant<float>(Waves(grid, width, c.TimeScaling), grid.Rows * grid.Columns, width);
        return kind == "sin_cos" ? waves : waves + scope.Weight($"{name}_res.Skernel", grid.Rows * grid.Columns, width);
    }

    // Of a row of places all channels are waves of the place, of a grid the first half of the row and the second of the column; each from 0 to the largest time. In float, as published: the angles are large.
    private static float[] Waves((int Rows, int Columns) grid, int width, float largest)
    {
        var values = new float[grid.Rows * grid.Columns * width];
        for (var place = 0; place < grid.Rows * grid.Columns; place++)
        {
            var codes = values.AsSpan(place * width, width);
            if (grid.Rows == 1 || grid.Columns == 1)
            {
                Encode(codes, place / (float)(grid.Rows * grid.Columns - 1) * largest);
                continue;
            }

            Encode(codes[..(width / 2)], place / grid.Columns / (float)(grid.Rows - 1) * largest);
            Encode(codes[(width / 2)..], place % grid.Columns / (float)(grid.Columns - 1) * largest);
        }

        return values;
    }

    private static void Encode(Span<float> codes, float position)
    {
        var rates = Rates(codes.Length);
        for (var i = 0; i < codes.Length; i++) codes[i] = i < rates.Length ? MathF.Sin(position * rates[i]) : MathF.Cos(position * rates[i - rates.Length]);
    }

    // One for each sine; of an odd number of channels the last has no cosine.
    private static float[] Rates(int width) => [.. Enumerable.Range(0, (width + 1) / 2).Select(i => 1 / MathF.Pow(10000, 2f * i / width))];

    // Sinusoids with mean 0 and deviation 1 over the features.
    private static Value Time(Scope scope, Value gamma, RinConfig c)
    {
        var quarter = (c.TimeOnLatent ? c.LatentDim : c.Condition) / 4;
        var rates = Rates(quarter);
        var angles = (gamma * c.TimeScaling).Unsqueeze(1) * scope.Graph.Constant<float>(rates, 1, rates.Length);
        var waves = ValueShape.Concat(1, angles.Sin(), angles.Take(1, quarter / 2).Cos());                       // (B, quarter)
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
