using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.PtDiT;

/// <summary>What the network takes: latent (B, C, F, H, W), time (B), text (B, M, E), mask (B, M); at the largest size also resolution (B, 2) and aspect ratio (B, 1).</summary>
internal sealed record PtDiTInputs(Value Latents, Value Time, Value Text, Value Mask, Value? Resolution, Value? AspectRatio);

/// <summary>A diffusion transformer whose tokens meet through a few proxies: one for each cell, which attend to each other and are then read by all; details come from windows (section 3).</summary>
internal sealed class PtDiTNetwork
{
    private readonly Scope _model;
    private readonly PtDiTConfig _config;
    private readonly int[] _grid, _window, _count;
    private readonly Dim _batch;

    private PtDiTNetwork(Scope model, PtDiTConfig config, Dim batch, int[] grid)
    {
        (_model, _config, _batch, _grid, _window) = (model, config, batch, grid, config.CompressRatios);
        _count = [.. grid.Zip(_window, (extent, window) => extent / window)];
    }

    private int Windows => _count[0] * _count[1] * _count[2];

    private int WindowTokens => _window[0] * _window[1] * _window[2];

    private long Width => _config.Width;

    /// <summary>Predicts the velocity, and as many channels more: (B, C, F, H, W).</summary>
    public static Value Build(Scope model, PtDiTInputs inputs, PtDiTConfig config)
    {
        var shape = inputs.Latents.Shape;
        return new PtDiTNetwork(model, config, shape[0], [shape[2].Int, shape[3].Int / config.PatchSize, shape[4].Int / config.PatchSize]).Build(inputs);
    }

    private Value Build(PtDiTInputs inputs)
    {
        var (frames, rows, columns, patch) = (_grid[0], _grid[1], _grid[2], _config.PatchSize);
        var pictures = inputs.Latents.Transpose(0, 2, 1, 3, 4).Flatten(0, 1);                                            // (B F, C, H, W)
        var patches = _model["pos_embed.proj"].PatchEmbed(pictures, Width, patch).Reshape(_batch, frames, rows * columns, Width) + Positions();
        _model.Stage("patch_embed", patches.Flatten(0, 1));
        var time = _model["adaln_single.emb.timestep_embedder"].DiffusersTimeMlp(inputs.Time.Sinusoid(256), Width);
        if (_config.SizeConditions) time += ValueShape.Concat(-1, Size("resolution_embedder", inputs.Resolution!), Size("aspect_ratio_embedder", inputs.AspectRatio!));
        _model.Stage("time_embed", time);
        var parts = _model["adaln_single.linear"].Linear(time.Silu(), 6 * Width).Reshape(_batch, 6, Width);
        var caption = _model["caption_projection"];
        var text = _model.Stage("caption_projection", caption["linear_2"].Linear(caption["linear_1"].Linear(inputs.Text, Width).Gelu(Gelu.Tanh), Width));

        var h = ToWindows(patches.Reshape(_batch, frames, rows, columns, Width));                                         // (B windows, n, D)
        var (mask, shifted) = (inputs.Mask.KeyBias(), _config.ShiftWindow ? ShiftMask() : null);
        for (var i = 0; i < _config.NumLayers; i++) h = _model.Stage($"block_{i}", Block(_model["transformer_blocks"][i], h, text, mask, parts, shifted, $"block_{i}"));

        var (shift, scale) = (_model.Weight("scale_shift_table", 2, Width).Unsqueeze(0) + time.Unsqueeze(1)).Chunk2(1);
        h = _model["proj_out"].Linear(h.LayerNorm(1e-6).Reshape(_batch, Windows * WindowTokens, Width) * (scale + 1) + shift, (long)patch * patch * _config.Outputs);
        var video = FromWindows(h.Reshape(_batch * Windows, WindowTokens, h.Shape[-1])).Reshape(_batch, frames, rows, columns, patch, patch, _config.Outputs);
        return video.Transpose(0, 6, 1, 2, 4, 3, 5).Reshape(_batch, _config.Outputs, frames, rows * patch, columns * patch);
    }

    private Value Block(Scope block, Value h, Value text, Value mask, Value parts, Value? shifted, string stage)
    {
        // As published, the parts of the batch's times follow each other window by window, while the tokens' windows follow each other sample by sample.
        var all = (block.Weight("scale_shift_table", 6, Width).Unsqueeze(0) + parts.Tile(0, Windows)).Chunk(6, 1);          // (B windows, 1, D)

        var proxies = Proxies(h);                                                                                         // (B, windows p, D)
        proxies += _model.Stage($"{stage}_proxy_self_attention", Attention(block["proxy_attn1"], Norm(proxies)));
        var reading = _model.Stage($"{stage}_proxy_visual_cross_attention", Attention(block["pvisual_attn2"], Norm(h.Reshape(_batch, Windows * WindowTokens, Width)), Norm(proxies)));
        h += block["linear_1_visual"].Linear(reading.Reshape(_batch * Windows, WindowTokens, Width), Width);

        h += all[2] * _model.Stage($"{stage}_window_attention", Attention(block["attn1"], Norm(h) * (all[1] + 1) + all[0]));
        if (shifted is not null)
        {
            var own = (block.Weight("proxy_scale_shift_table", 3, Width).Unsqueeze(0) + parts.Take(1, 3).Tile(0, Windows)).Chunk(3, 1);
            var seen = _model.Stage($"{stage}_shift_window_attention", Attention(block["attn3"], Norm(Shifted(h, back: false)) * (own[1] + 1) + own[0], bias: shifted));
            h += block["linear_2"].Linear(own[2] * Shifted(seen, back: true), Width);
        }

        var read = _model.Stage($"{stage}_text_cross_attention", Attention(block["attn2"], h.Reshape(_batch, Windows * WindowTokens, Width), text, mask));
        h += read.Reshape(_batch * Windows, WindowTokens, Width);
        return h + all[5] * block["ff"].DiffusersFeedForward(Norm(h) * (all[4] + 1) + all[3], _config.ActivationFn);
    }

    private Value Norm(Value x) => x.LayerNorm(_config.NormEps);

    private Value Attention(Scope attn, Value x, Value? context = null, Value? bias = null) => attn.DiffusersAttention(x, _config.NumHeads, context, bias, _config.AttentionBias);

    private Value Size(string embedder, Value values) => _model["adaln_single.emb"][embedder].DiffusersTimeMlp(values.Reshape(-1).Sinusoid(256), Width / 3).Reshape(_batch, values.Shape[1] * (Width / 3));

    // (B, F, H, W, D) -> (B windows, tokens, D).
    private Value ToWindows(Value grid) =>
        grid.Reshape(_batch, _count[0], _window[0], _count[1], _window[1], _count[2], _window[2], grid.Shape[-1]).Transpose(0, 1, 3, 5, 2, 4, 6, 7).Reshape(_batch * Windows, WindowTokens, grid.Shape[-1]);

    // (B windows, tokens, D) -> (B, F, H, W, D).
    private Value FromWindows(Value x) =>
        x.Reshape(_batch, _count[0], _count[1], _count[2], _window[0], _window[1], _window[2], x.Shape[-1]).Transpose(0, 1, 4, 2, 5, 3, 6, 7).Reshape(_batch, _grid[0], _grid[1], _grid[2], x.Shape[-1]);

    // The means of a window's tokens that fall on the same proxy, windows after each other. As published, neighbours fall on different proxies.
    private Value Proxies(Value h)
    {
        var (p, w) = (_config.Proxies, _window);
        var cells = h.Reshape(_batch * Windows, w[0] / p[0], p[0], w[1] / p[1], p[1], w[2] / p[2], p[2], Width).Reduce("ReduceMean", [1, 3, 5], keep: false);
        return cells.Reshape(_batch, Windows * p[0] * p[1] * p[2], Width);
    }

    // Half a window up, or back.
    private Value Shifted(Value h, bool back)
    {
        var grid = FromWindows(h);
        for (var axis = 0; axis < 3; axis++)
        {
            if (_window[axis] / 2 is > 0 and var half) grid = grid.Roll(axis + 1, back ? _grid[axis] - half : half);
        }

        return ToWindows(grid);
    }

    // Tokens that a shift brought together from opposite edges do not see each other: (B windows, 1, n, n).
    private Value ShiftMask()
    {
        var regions = new int[_grid[0] * _grid[1] * _grid[2]];
        for (var i = 0; i < regions.Length; i++)
        {
            int[] place = [i / (_grid[1] * _grid[2]), i / _grid[2] % _grid[1], i % _grid[2]];
            for (var axis = 0; axis < 3; axis++) regions[i] = 3 * regions[i] + Region(place[axis], axis);
        }

        var bias = new float[Windows * WindowTokens * WindowTokens];
        for (var window = 0; window < Windows; window++)
        {
            for (var pair = 0; pair < WindowTokens * WindowTokens; pair++)
                bias[window * WindowTokens * WindowTokens + pair] = regions[Place(window, pair / WindowTokens)] == regions[Place(window, pair % WindowTokens)] ? 0 : -10000;
        }

        return _model.Graph.Constant<float>(bias, Windows, 1, WindowTokens, WindowTokens).Tile(0, _batch);
    }

    private int Region(int place, int axis)
    {
        var (extent, window, half) = (_grid[axis], _window[axis], _window[axis] / 2);
        return half == 0 || place >= extent - half ? 2 : place >= extent - window ? 1 : 0;
    }

    // The place on the grid of a window's token.
    private int Place(int window, int token)
    {
        var f = window / (_count[1] * _count[2]) * _window[0] + token / (_window[1] * _window[2]);
        var y = window / _count[2] % _count[1] * _window[1] + token / _window[2] % _window[1];
        return (f * _grid[1] + y) * _grid[2] + window % _count[2] * _window[2] + token % _window[2];
    }

    // A quarter of the channels for the frame, then three eighths for each axis of the picture; at the trained size the stored table. (1, F, H W, D).
    private Value Positions()
    {
        var (frames, rows, columns, side) = (_grid[0], _grid[1], _grid[2], _config.SampleSize / _config.PatchSize);
        if (frames == _config.Frame && rows == side && columns == side) return _model["pos_embed"].Weight("pos_embed", 1, frames, rows * columns, Width);
        var (width, temporal) = (_config.Width, _config.Width / 4);
        var spatial = (width - temporal) / 2;
        var table = new float[frames * rows * columns * width];
        for (var f = 0; f < frames; f++)
        {
            for (var n = 0; n < rows * columns; n++)
            {
                var token = table.AsSpan((f * rows * columns + n) * width, width);
                Encode(f, token[..temporal]);
                // As published, the grid is laid out with height and width exchanged.
                Encode(n % rows / (float)_config.Scale, token.Slice(temporal, spatial));
                Encode(n / rows / (float)_config.Scale, token[(temporal + spatial)..]);
            }
        }

        return _model.Graph.Constant<float>(table, 1, frames, rows * columns, width);
    }

    // Sines, then cosines.
    private static void Encode(float place, Span<float> channels)
    {
        var half = channels.Length / 2;
        for (var i = 0; i < half; i++)
        {
            var angle = place / Math.Pow(10000, i / (double)half);
            (channels[i], channels[half + i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        }
    }
}
