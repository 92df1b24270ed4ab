// ILLUME+: Illuminating Unified MLLM with Dual Visual Tokenization and Diffusion Refinement. Huang, Wang, Yang, Lu, Yuan, Han, Hou, Zhang, Hong, Zhao, Xu. arXiv:2504.01934. github.com/illume-unified-mllm/ILLUME_plus
// Published layout: pytorch_model.bin (key model) of DualViTok, with its configuration. Deviations: the verbs take squares of 256 pixels; the language model and the diffusion that refines pictures are not part of it.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>DualViTok: one grid of codes for meaning, one for pixels, decoded together.</summary>
public static class IllumePlusModel
{
    private const int Square = 256;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/illume-plus",
            Paper = "ILLUME+: Illuminating Unified MLLM with Dual Visual Tokenization and Diffusion Refinement",
            ArXiv = "2504.01934",
            Authors = ["Runhui Huang", "Chunwei Wang", "Junwei Yang", "Guansong Lu", "Yunlong Yuan", "Jianhua Han", "Lu Hou", "Wei Zhang", "Lanqing Hong", "Hengshuang Zhao", "Hang Xu"],
            Repository = "illume-unified-mllm/ILLUME_plus",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: pytorch_model.bin (key model)"],
            Sizes = [new("ILLUME-MLLM/dualvitok", 1_350_173_283, [])],
            Deviations = "The verbs take squares of 256 pixels.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(IllumePlusConfig config)
    {
        var (network, sections) = (new IllumePlusNetwork(config), config.Config);
        var (rows, columns) = network.Grid(Square, Square);
        var (meaning, side) = (rows * columns, Square / sections.PixelEncoder.Downsampling);
        return new()
        {
            SizedNetworks = new Dictionary<string, SizedNetwork>
            {
                ["scaling_layer"] = new(network.Scale, Square, Square),
                ["encode"] = new(network.Encode, Square, Square),
                ["decode_code"] = new(network.Decode, side, side),
                ["decode_semantic"] = new(network.DecodeSemantic, rows, columns),
            },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["scaling_layer"] = (networks, arguments, cancel) => SizedAsync(networks, "scaling_layer", "images", arguments, cancel),
                ["encode"] = (networks, arguments, cancel) => SizedAsync(networks, "encode", "image", arguments, cancel),
                ["decode_code"] = async (networks, arguments, cancel) => arguments.Tensor("pixel_indices") is { Rank: 3 } pixel
                    ? (await networks.RunAsync("decode_code", pixel.Shape[1], pixel.Shape[2], arguments, cancel).ConfigureAwait(false)).ToResults()
                    : throw new MediaException(ErrorCodes.TokensInvalid, "Codes are grids, one a picture.") { Where = "pixel_indices", Expected = "(pictures, rows, columns)" },
                ["decode_semantic"] = (networks, arguments, cancel) => SizedAsync(networks, "decode_semantic", "quant_semantic", arguments, cancel),
            },
            Preparation = ImagePreparation.SignedRange(Square, sections.PixelEncoder.Downsampling, isFixed: true),
            Layout = TokenLayout.Flat,
            VocabularySizes = [sections.SemanticQuantizer.CodebookSize, sections.PixelQuantizer.CodebookSize],
            Codebooks = ["semantic_quantizer.frozen_codebook", "pixel_quantizer.frozen_codebook"],
            // Codes of meaning first, then those of pixels, each row by row.
            Encode = async (networks, picture, _, cancel) =>
            {
                var codes = await networks.RunAsync("encode", Square, Square, cancel, ("image", picture)).ConfigureAwait(false);
                return Tensor.Create<long>([.. codes.Get<long>("codes_semantic").Span, .. codes.Get<long>("codes_pixel").Span], 1, meaning + side * side);
            },
            Decode = async (networks, codes, _, cancel) => (await networks.RunAsync("decode_code", side, side, cancel,
                ("semantic_indices", Tensor.Create(codes.As<long>().Span[..meaning].ToArray(), 1, rows, columns)),
                ("pixel_indices", Tensor.Create(codes.As<long>().Span[meaning..].ToArray(), 1, side, side))).ConfigureAwait(false))["reconstruction"],
        };
    }

    private static async ValueTask<CallResults> SizedAsync(NetworkSet networks, string call, string sized, CallArguments arguments, CancellationToken cancel) =>
        (await networks.RunAsync(call, arguments.Tensor(sized).Shape[2], arguments.Tensor(sized).Shape[3], arguments, cancel).ConfigureAwait(false)).ToResults();

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<IllumePlusConfig>()), copies: ["model"]));
}

internal sealed class IllumePlusNetwork(IllumePlusConfig config)
{
    private const double Epsilon = 1e-6;

    // Sizes that training pictures have, and what the vision transformer sees of them (the authors' table).
    private static readonly Dictionary<(int, int), (int, int)> Seen = new()
    {
        [(256, 256)] = (252, 252), [(512, 512)] = (504, 504), [(512, 384)] = (448, 336), [(384, 512)] = (336, 448), [(768, 384)] = (728, 364), [(384, 768)] = (364, 728),
        [(1024, 256)] = (1008, 252), [(256, 1024)] = (252, 1008), [(384, 576)] = (336, 504), [(576, 384)] = (504, 336), [(960, 320)] = (924, 308), [(320, 960)] = (308, 924),
    };

    private readonly IllumeVision _vision = config.Qwen2vitConfig;
    private readonly IllumeSections _sections = config.Config;

    /// <summary>Rows and columns of the semantic codes of a picture.</summary>
    public (int Rows, int Columns) Grid(int height, int width)
    {
        var ((high, wide), merged) = (Resized(height, width), _vision.PatchSize * _vision.SpatialMergeSize);
        return (high / merged, wide / merged);
    }

    /// <summary>images (B, 3, H, W) in -1..1 -> patches as the vision transformer takes them (B N, 3 2 P P), and its grids (B, 3).</summary>
    public void Scale(Scope model, int height, int width)
    {
        var images = model.Graph.Input("images", [TokenizerInputs.Batch, _vision.InChannels, height, width]);
        var (rows, columns) = Grid(height, width);
        model.Graph.Output("patches", Patches(images, height, width).Flatten(0, 1));
        model.Graph.Output("image_grid_thw", model.Graph.Constant<long>([1, rows * _vision.SpatialMergeSize, columns * _vision.SpatialMergeSize], 1, 3).Expand(images.Shape[0], 3));
    }

    /// <summary>image (B, 3, H, W) in -1..1 -> semantic codes (B, h, w), pixel codes (B, H / f, W / f).</summary>
    public void Encode(Scope model, int height, int width)
    {
        var g = model.Graph;
        var image = g.Input("image", [TokenizerInputs.Batch, 3, height, width]);
        var (rows, columns) = Grid(height, width);
        var features = Vision(model["semantic_encoder.model"], Patches(image, height, width), rows, columns);                              // (B, h w, F)
        if (_sections.SemanticEncoder.TargetMlp == "norm") features = features.LayerNorm(Epsilon);
        model.Stage("semantic_target", Map(features, rows, columns));
        var encoder = model["semantic_encoder"];
        var x = encoder["proj_in"].PointwiseLinear(features, _sections.SemanticEncoder.EmbedDim);
        var latent = Map(Blocks(encoder, x, rows, columns, _sections.SemanticEncoder, _sections.SemanticEncoder.ZChannels, "semantic_block"), rows, columns);
        Quantize(model, "semantic", latent, _sections.SemanticQuantizer);

        var pixel = model.Stage("pixel_encoder", new MoVq(_sections.PixelEncoder, config.NormGroups).Encode(model["pixel_encoder"], image));
        Quantize(model, "pixel", model.Stage("latent_pixel", model["pixel_quant_conv"].Conv(pixel, _sections.PixelEncoder.EmbedDim, 1)), _sections.PixelQuantizer);
    }

    /// <summary>semantic codes (B, h, w), pixel codes (B, H / f, W / f) -> picture (B, 3, H, W).</summary>
    public void Decode(Scope model, int pixelRows, int pixelColumns)
    {
        var (g, factor) = (model.Graph, _sections.PixelEncoder.Downsampling);
        var (rows, columns) = Grid(pixelRows * factor, pixelColumns * factor);
        var semantic = Codes(model["semantic_quantizer"], _sections.SemanticQuantizer).Gather(g.Input("semantic_indices", ElementType.Int64, [TokenizerInputs.Batch, rows, columns])).ChannelsFirst();
        var pixel = Codes(model["pixel_quantizer"], _sections.PixelQuantizer).Gather(g.Input("pixel_indices", ElementType.Int64, [TokenizerInputs.Batch, pixelRows, pixelColumns])).ChannelsFirst();
        var both = _sections.SemanticDetailMergeType == "cat" ? ValueShape.Concat(1, semantic.Interpolate(Interpolation.Cubic, [pixel.Shape[2], pixel.Shape[3]]), pixel) : pixel;
        var z = model.Stage("post_quant", model["pixel_post_quant_conv"].Conv(both, _sections.PixelDecoder.ZChannels, 1));
        g.Output("reconstruction", new MoVq(_sections.PixelDecoder, config.NormGroups).Decode(model["pixel_decoder"], z, both));
    }

    /// <summary>quantized semantic latent (B, C, h, w) -> the vision transformer's features (B, F, h, w).</summary>
    public void DecodeSemantic(Scope model, int rows, int columns)
    {
        var (decoder, size) = (model["semantic_decoder"], _sections.SemanticDecoder);
        var x = model.Graph.Input("quant_semantic", [TokenizerInputs.Batch, size.ZChannels, rows, columns]).Flatten(2).Swap(1, 2);
        x = Blocks(decoder, decoder["proj_in"].Linear(x, size.EmbedDim), rows, columns, size, size.OutputChannels, "semantic_decoder_block");
        model.Graph.Output("semantic_reconstruction", Map(x, rows, columns));
    }

    private (int, int) Resized(int height, int width)
    {
        var merged = _vision.PatchSize * _vision.SpatialMergeSize;
        return Seen.TryGetValue((height, width), out var seen) ? seen : (Math.Max(merged, height / merged * merged), Math.Max(merged, width / merged * merged));
    }

    // Standardised as CLIP's, the frame twice, patches that merge one after the other: (B, N, 3 2 P P).
    private Value Patches(Value images, int height, int width)
    {
        var ((high, wide), g, patch, merge) = (Resized(height, width), images.Graph, _vision.PatchSize, _vision.SpatialMergeSize);
        var (mean, deviation) = (ChannelStatistics.Clip.Mean, ChannelStatistics.Clip.Deviation);
        var x = ((images + 1) / 2).Interpolate(Interpolation.Cubic, [high, wide], antialias: true).Clip(0, 1);
        x = (x - g.Constant<float>(mean, 1, 3, 1, 1)) / g.Constant<float>(deviation, 1, 3, 1, 1);
        var (rows, columns) = (high / patch / merge, wide / patch / merge);
        x = x.Reshape(x.Shape[0], _vision.InChannels, rows * merge * patch, columns * merge, patch).Transpose(0, 2, 3, 1, 4)                 // (B, R m P, S m, C, P)
            .Reshape(x.Shape[0], rows, merge, patch, columns, merge, _vision.InChannels, patch).Transpose(0, 1, 4, 2, 5, 6, 3, 7);           // (B, R, S, m, m, C, P, P)
        return x.Reshape(x.Shape[0], rows * columns * merge * merge, _vision.InChannels, 1, patch * patch)
            .Expand(x.Shape[0], rows * columns * merge * merge, _vision.InChannels, _vision.TemporalPatchSize, patch * patch).Flatten(2);
    }

    // Qwen2-VL's vision transformer, of which neighbouring patches merge at the end.
    private Value Vision(Scope vit, Value patches, int rows, int columns)
    {
        var (width, merge) = (_vision.EmbedDim, _vision.SpatialMergeSize);
        var size = patches.Shape[2].Size;
        var weight = vit["patch_embed.proj"].Data("weight", width, _vision.InChannels, _vision.TemporalPatchSize, _vision.PatchSize, _vision.PatchSize).Reshape(width, size);
        var x = vit.Linear(patches, vit.Graph.Weight($"{vit.Path}.patch_embed", weight, vit.Path), null);
        var order = vit.Graph.Constant<long>([.. MergedOrder(rows, columns, merge)], rows * columns * merge * merge);
        var (cos, sin) = Angles(vit.Graph, rows * merge, columns * merge, width / _vision.NumHeads);
        (cos, sin) = (cos.Gather(order), sin.Gather(order));
        for (var i = 0; i < _vision.Depth; i++)
        {
            x = Block(vit["blocks"][i], x, _vision.NumHeads, cos, sin, (long)(width * _vision.MlpRatio), _vision.HiddenAct);
            vit.Stage($"vit_block_{i}", x.Flatten(0, 1));
        }

        var merged = vit["merger.ln_q"].LayerNorm(x, Epsilon).Reshape(x.Shape[0], rows * columns, width * merge * merge);
        var features = vit["merger.mlp.2"].Linear(vit["merger.mlp.0"].Linear(merged, width * merge * merge).Gelu(), _vision.HiddenSize);
        vit.Stage("vit_out", features.Flatten(0, 1));
        return features;
    }

    private Value Blocks(Scope scope, Value x, int rows, int columns, IllumeSemantic size, int outputs, string stage)
    {
        var (cos, sin) = Angles(scope.Graph, rows, columns, size.EmbedDim / config.BlocksNumHeads);
        for (var i = 0; i < size.NumBlocks; i++) x = scope.Stage($"{stage}_{i}", Block(scope["blocks"][i], x, config.BlocksNumHeads, cos, sin, 4 * size.EmbedDim, "quick_gelu"));
        var project = scope["proj_out"];
        return size.ProjLayer switch
        {
            "norm_linear" => project[1].Linear(project[0].LayerNorm(x), outputs),
            "mlp" => project[2].Linear(project[0].Linear(x, size.EmbedDim).Tanh(), outputs),
            "linear_norm" => project[1].LayerNorm(project[0].Linear(x, outputs)),
            _ => project[0].Linear(x, outputs),
        };
    }

    private static Value Block(Scope block, Value x, int heads, Value cos, Value sin, long hidden, string activation)
    {
        var width = x.Shape[2].Size;
        var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x, Epsilon), width);
        x += block["attn.proj"].Linear(AttentionLayers.Attention(q.Rotary(heads, cos, sin), k.Rotary(heads, cos, sin), v, new() { Heads = heads }), width);
        return x + block["mlp"].Mlp(block["norm2"].LayerNorm(x, Epsilon), hidden, Activations.Named(activation));
    }

    // Half of a head's angles are for rows, half for columns.
    private static (Value Cos, Value Sin) Angles(Graph g, int rows, int columns, int head) => PositionLayers.RotaryAngles(g, [rows, columns], [head / 2, head / 2]);

    private static IEnumerable<long> MergedOrder(int rows, int columns, int merge)
    {
        for (var place = 0; place < rows * columns; place++)
        {
            for (var part = 0; part < merge * merge; part++) yield return (place / columns * merge + part / merge) * columns * merge + place % columns * merge + part % merge;
        }
    }

    private static void Quantize(Scope model, string branch, Value latent, IllumeQuantizer size)
    {
        var table = Codes(model[$"{branch}_quantizer"], size);
        var codes = VectorQuantization.Nearest(latent.ChannelsLast(), table);
        model.Graph.Output($"codes_{branch}", codes);
        model.Graph.Output($"quantized_{branch}", table.Gather(codes).ChannelsFirst());
    }

    // SimVQ (Zhu et al., arXiv:2411.02038): frozen random codes under one learned map.
    private static Value Codes(Scope quantizer, IllumeQuantizer size) =>
        quantizer["code_transform"].Linear(quantizer.Weight("frozen_codebook", size.CodebookSize, size.FrozenCodebookDim ?? size.Dim), size.Dim, bias: false);

    private static Value Map(Value x, int rows, int columns) => x.Swap(1, 2).Reshape(x.Shape[0], x.Shape[2], rows, columns);
}
