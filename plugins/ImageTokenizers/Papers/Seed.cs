// Planting a SEED of Vision in Large Language Model. Ge, Ge, Zeng, Wang, Shan. arXiv:2307.08041. github.com/AILab-CVC/SEED
// Published layout: seed_quantizer.pt; sizes are constants of the authors' code. Deviations: the unCLIP diffusion model that paints the image embedding is not part of it: tokens come out, pictures do not.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The arguments of the authors' class, and the sizes that its code fixes.</summary>
public sealed record SeedConfig
{
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int ImgSize { get; init; } = 224;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 14;
    /// <summary>Tokens a picture.</summary>
    [Range(1, 4096)] public int NumQueryToken { get; init; } = 32;
    /// <summary>Every so many layers of the Q-Former look at the picture.</summary>
    [Range(1, 64)] public int CrossAttentionFreq { get; init; } = 2;
    /// <summary>Width of a code.</summary>
    public int CodebookEmbedDim { get; init; } = 32;
    /// <summary>Number of codes.</summary>
    public int NEmbed { get; init; } = 8192;
    /// <summary>Blocks that prepare the image embedding.</summary>
    public int DecodeDepth { get; init; } = 4;
    /// <summary>Whether those blocks are there.</summary>
    public bool BlocksForImage { get; init; } = true;
    /// <summary>Whether a reverse Q-Former gives the image embedding; else narrow maps of each query.</summary>
    public bool UseQformerImage { get; init; }
    /// <summary>Width of the image embedding.</summary>
    public int ImageFeaturesDim { get; init; } = 1024;
    /// <summary>Heads of the decoding blocks.</summary>
    public int BlockNumHeads { get; init; } = 12;
    /// <summary>The vision transformer.</summary>
    public SeedVision Vit { get; init; } = new();
    /// <summary>The Q-Former.</summary>
    public SeedBert Bert { get; init; } = new();

    /// <summary>Places of the vision transformer, class token included.</summary>
    public int Places => ImgSize / PatchSize * (ImgSize / PatchSize) + 1;
}

/// <summary>EVA's ViT-g.</summary>
public sealed record SeedVision
{
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 1408;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 39;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 16;
    /// <summary>Width of the perceptrons, in units of the width.</summary>
    public double MlpRatio { get; init; } = 4.3637;
}

/// <summary>The published configuration of BERT, of which the Q-Former is made.</summary>
public sealed record SeedBert
{
    /// <summary>Width.</summary>
    public int HiddenSize { get; init; } = 768;
    /// <summary>Layers.</summary>
    public int NumHiddenLayers { get; init; } = 12;
    /// <summary>Heads.</summary>
    public int NumAttentionHeads { get; init; } = 12;
    /// <summary>Width of the feed-forward maps.</summary>
    public int IntermediateSize { get; init; } = 3072;
    /// <summary>Activation.</summary>
    public string HiddenAct { get; init; } = "gelu";
    /// <summary>Epsilon of the norms.</summary>
    public double LayerNormEps { get; init; } = 1e-12;
}

/// <summary>SEED: a picture as a causal sequence of codes, which a language model reads and writes.</summary>
public static class SeedModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/seed",
            Paper = "Planting a SEED of Vision in Large Language Model",
            ArXiv = "2307.08041",
            Authors = ["Yuying Ge", "Yixiao Ge", "Ziyun Zeng", "Xintao Wang", "Ying Shan"],
            Repository = "AILab-CVC/SEED",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens],
            Layouts = ["authors: seed_quantizer.pt"],
            Sizes = [new("AILab-CVC/SEED: seed_quantizer", 1_121_622_464, [])],
            Deviations = "Tokens are not painted: the authors use a published unCLIP diffusion model for that.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(SeedConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>> { ["get_codebook_indices"] = seed => SeedNetwork.Encode(seed, config), ["get_codebook_entry"] = seed => SeedNetwork.Decode(seed, config) },
        Preparation = ImagePreparation.UnitRange(config.ImgSize, config.PatchSize, isFixed: true),
        Layout = TokenLayout.Flat,
        VocabularySizes = [config.NEmbed],
        Codebooks = ["quantize.embedding.weight"],
        TrainingOnly = [@"^pos_embed$", @"^blocks\.", @"embeddings\.position_ids$"],
        Encode = async (networks, picture, _, cancel) =>
            (await networks.RunAsync("get_codebook_indices", cancel, ("image", picture.Standardized(ChannelStatistics.Clip))).ConfigureAwait(false)).Get<long>("codes"),
        Unpainted = ("SEED's tokens become an image embedding, which a separate unCLIP diffusion model paints; that model is not here.", "Give the tokens to a language model that reads them; the call get_codebook_entry gives the image embedding."),
    };

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<SeedConfig>())));
}

internal static class SeedNetwork
{
    private const int CausalQueries = 32;

    /// <summary>image (B, 3, S, S), normalised as CLIP's -> codes (B, Q).</summary>
    public static void Encode(Scope seed, SeedConfig config)
    {
        var image = seed.Graph.Input("image", [TokenizerInputs.Batch, 3, config.ImgSize, config.ImgSize]);
        var features = seed.Stage("image_embeds", seed["ln_vision"].LayerNorm(Vision(seed["visual_encoder"], image, config)));          // (B, 1 + N, D)
        var queries = seed.Stage("qformer", QFormer(seed["Qformer.bert"], Tokens(seed, "query_tokens", config.NumQueryToken, image.Shape[0], config), features, config, "qformer_layer"));
        var latent = seed.Stage("latent", TanhMlp(seed["encode_task_layer"], queries, config.Bert.HiddenSize, config.CodebookEmbedDim));
        var codes = VectorQuantization.Nearest(latent, Codebook(seed, config));
        seed.Graph.Output("codes", codes);
        seed.Graph.Output("decoded_queries", TanhMlp(seed["decode_task_layer"], Codebook(seed, config).Gather(codes), config.CodebookEmbedDim, config.Bert.HiddenSize));
    }

    /// <summary>codes (B, Q) -> image embedding (B, F).</summary>
    public static void Decode(Scope seed, SeedConfig config)
    {
        var (count, width) = (config.NumQueryToken, config.Bert.HiddenSize);
        var codes = seed.Graph.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, count]);
        var x = seed.Stage("decode_task_layer", TanhMlp(seed["decode_task_layer"], Codebook(seed, config).Gather(codes), config.CodebookEmbedDim, width));
        if (config.BlocksForImage)
        {
            x += seed.Weight("pos_embed_image", 1, count, width);
            for (var i = 0; i < config.DecodeDepth; i++) x = seed.Stage($"block_{i}", seed["blocks_image"][i].VitBlock(x, config.BlockNumHeads));
        }

        var pooled = config.UseQformerImage
            ? QFormer(seed["Reverse_Qformer.bert"], Tokens(seed, "reverse_tokens", 1, codes.Shape[0], config), x, config, "reverse_layer").Squeeze(1)
            : Narrow(seed["image_down"], x);
        seed.Graph.Output("image_embeds_out", seed["distill_image_proj"].Linear(pooled, config.ImageFeaturesDim));
    }

    private static Value Codebook(Scope seed, SeedConfig config) => seed["quantize.embedding"].Weight("weight", config.NEmbed, config.CodebookEmbedDim);

    private static Value Tokens(Scope seed, string name, int count, Dim batch, SeedConfig config) => seed.Weight(name, 1, count, config.Bert.HiddenSize).Expand(batch, count, config.Bert.HiddenSize);

    private static Value TanhMlp(Scope layer, Value x, long hidden, long outputs) => layer[2].Linear(layer[0].Linear(x, hidden).Tanh(), outputs);

    // Each query to 32 numbers, all of them side by side.
    private static Value Narrow(Scope down, Value x) =>
        down[4].Linear(down[2].Linear(down[0].Linear(x, 256, bias: false).Relu(), 128, bias: false).Relu(), 32, bias: false).Flatten(1);

    // EVA's transformer: all places, no norm at the end. Queries and values have biases, keys none.
    private static Value Vision(Scope vision, Value image, SeedConfig config)
    {
        var (width, heads) = (config.Vit.EmbedDim, config.Vit.NumHeads);
        var patches = vision.Stage("patch_embed", vision["patch_embed.proj"].PatchEmbed(image, width, config.PatchSize));
        var x = ValueShape.Concat(1, vision.Weight("cls_token", 1, 1, width).Expand(image.Shape[0], 1, width), patches) + vision.Weight("pos_embed", 1, config.Places, width);
        for (var i = 0; i < config.Vit.Depth; i++)
        {
            var block = vision["blocks"][i];
            var attention = block["attn"];
            var normed = block["norm1"].LayerNorm(x, 1e-6);
            Value Part(long part, string? bias) => attention["qkv"].LinearRows(normed, 3 * width, part * width, width, bias: false) is var mapped && bias is null ? mapped : mapped + attention.Weight(bias, width);
            x += attention["proj"].Linear(AttentionLayers.Attention(Part(0, "q_bias"), Part(1, null), Part(2, "v_bias"), new() { Heads = heads }), width);
            x = vision.Stage($"vit_block_{i}", x + block["mlp"].Mlp(block["norm2"].LayerNorm(x, 1e-6), (long)(width * config.Vit.MlpRatio), value => value.Gelu()));
        }

        return x;
    }

    // Queries look at one another and, in every few layers, at what they are asked about; post-norm, as BERT. The authors' code turns causality on at exactly 32 queries, the published number.
    private static Value QFormer(Scope bert, Value queries, Value seen, SeedConfig config, string stage)
    {
        var (size, epsilon) = (config.Bert, config.Bert.LayerNormEps);
        var x = bert["embeddings.LayerNorm"].LayerNorm(queries, epsilon);
        for (var i = 0; i < size.NumHiddenLayers; i++)
        {
            var layer = bert["encoder.layer"][i];
            x = Attend(layer["attention"], x, x, causal: queries.Shape[1] == CausalQueries, size);
            if (i % config.CrossAttentionFreq == 0) x = Attend(layer["crossattention"], x, seen, causal: false, size);
            var hidden = Activations.Named(size.HiddenAct)(layer["intermediate_query.dense"].Linear(x, size.IntermediateSize));
            x = bert.Stage($"{stage}_{i}", layer["output_query.LayerNorm"].LayerNorm(layer["output_query.dense"].Linear(hidden, size.HiddenSize) + x, epsilon));
        }

        return x;
    }

    private static Value Attend(Scope attention, Value x, Value seen, bool causal, SeedBert size)
    {
        var (self, width) = (attention["self"], size.HiddenSize);
        var heads = AttentionLayers.Attention(self["query"].Linear(x, width), self["key"].Linear(seen, width), self["value"].Linear(seen, width), new() { Heads = size.NumAttentionHeads, Causal = causal });
        return attention["output.LayerNorm"].LayerNorm(attention["output.dense"].Linear(heads, width) + x, size.LayerNormEps);
    }
}
