using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The model's arguments in the authors' own files; defaults of their code.</summary>
public sealed record BltAuthorsConfig
{
    /// <summary>Number of ids.</summary>
    [Range(260, 1 << 24)] public int VocabSize { get; init; } = 260;
    /// <summary>Width of the large transformer.</summary>
    [Range(1, 65536)] public int DimGlobal { get; init; } = 512;
    /// <summary>Width of the encoder.</summary>
    [Range(1, 65536)] public int DimLocalEncoder { get; init; } = 512;
    /// <summary>Width of the decoder.</summary>
    [Range(1, 65536)] public int DimLocalDecoder { get; init; } = 512;
    /// <summary>Layers of the large transformer.</summary>
    [Range(1, 1024)] public int NLayersGlobal { get; init; } = 8;
    /// <summary>Layers of the encoder.</summary>
    [Range(1, 1024)] public int NLayersLocalEncoder { get; init; } = 8;
    /// <summary>Layers of the decoder.</summary>
    [Range(1, 1024)] public int NLayersLocalDecoder { get; init; } = 8;
    /// <summary>Heads of the large transformer.</summary>
    [Range(1, 1024)] public int NHeadsGlobal { get; init; } = 8;
    /// <summary>Heads of the encoder.</summary>
    [Range(1, 1024)] public int NHeadsLocalEncoder { get; init; } = 8;
    /// <summary>Heads of the decoder.</summary>
    [Range(1, 1024)] public int NHeadsLocalDecoder { get; init; } = 8;
    /// <summary>Key and value heads of encoder and decoder; null is as many.</summary>
    public int? NKvHeads { get; init; }
    /// <summary>The same of the large transformer.</summary>
    public int? NKvHeadsGlobal { get; init; }
    /// <summary>Heads of the cross attentions; only as many as encoder and decoder have are read.</summary>
    public int? CrossAttnNheads { get; init; }
    /// <summary>Vectors of a patch.</summary>
    [Range(1, 64)] public int? CrossAttnK { get; init; }
    /// <summary>Whether each layer of the encoder has a cross attention.</summary>
    public bool CrossAttnAllLayersEncoder { get; init; }
    /// <summary>Whether each layer of the decoder has one.</summary>
    public bool CrossAttnAllLayersDecoder { get; init; }
    /// <summary>Whether patches look at bytes.</summary>
    public bool CrossAttnEncoder { get; init; }
    /// <summary>Whether bytes look at patches.</summary>
    public bool CrossAttnDecoder { get; init; }
    /// <summary>Whether patches begin as what their bytes have largest.</summary>
    public bool CrossAttnInitByPooling { get; init; }
    /// <summary>Number of bytes that a byte sees; null is all.</summary>
    [Range(1, 1 << 30)] public int? LocalAttentionWindowLen { get; init; }
    /// <summary>Lengths of runs: a list, or a text with commas.</summary>
    public JsonNode? EncoderHashByteGroupSize { get; init; }
    /// <summary>Rows of each table.</summary>
    [Range(1, 1 << 28)] public int EncoderHashByteGroupVocab { get; init; } = 30000;
    /// <summary>Hash functions.</summary>
    [Range(1, 64)] public int EncoderHashByteGroupNbFunctions { get; init; } = 3;
    /// <summary>Epsilon of the norms.</summary>
    public double NormEps { get; init; } = 1e-5;
    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>What feed-forward widths are a multiple of.</summary>
    [Range(1, 1 << 20)] public int MultipleOf { get; init; } = 256;
    /// <summary>Factor of feed-forward widths.</summary>
    public double? FfnDimMultiplier { get; init; } = 1;
    /// <summary>Longest sequence.</summary>
    [Range(2, 1 << 30)] public int MaxSeqlen { get; init; } = 1024;
    /// <summary>What cuts.</summary>
    public string PatchingMode { get; init; } = "entropy";
}

/// <summary>Arguments of the small language model that cuts.</summary>
public sealed record BltAuthorsEntropyConfig
{
    /// <summary>Number of ids.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 260;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int Dim { get; init; } = 512;
    /// <summary>Layers.</summary>
    [Range(1, 1024)] public int NLayers { get; init; } = 8;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NHeads { get; init; } = 8;
    /// <summary>Key and value heads; null is as many.</summary>
    public int? NKvHeads { get; init; }
    /// <summary>Longest sequence.</summary>
    [Range(2, 1 << 30)] public int MaxSeqlen { get; init; } = 1024;
    /// <summary>Epsilon of the norms.</summary>
    public double NormEps { get; init; } = 1e-5;
    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;
    /// <summary>What feed-forward widths are a multiple of.</summary>
    [Range(1, 1 << 20)] public int MultipleOf { get; init; } = 256;
    /// <summary>Factor of feed-forward widths.</summary>
    public double? FfnDimMultiplier { get; init; } = 1;
}

/// <summary>Arguments of the authors' patcher.</summary>
public sealed record BltAuthorsPatcherConfig
{
    /// <summary>Entropy above which a patch begins, in nats.</summary>
    public double Threshold { get; init; } = 1.335442066192627;
    /// <summary>How much it must rise besides.</summary>
    public double? ThresholdAdd { get; init; }
    /// <summary>Most bytes of a patch.</summary>
    [Range(1, 1 << 20)] public int? MaxPatchLength { get; init; }
    /// <summary>Bytes of equal patches.</summary>
    public double PatchSize { get; init; } = 4.5;
    /// <summary>Whether the threshold is one of how much entropy rises.</summary>
    public bool Monotonicity { get; init; }
}

/// <summary>
/// The folder that the authors publish (<c>facebook/blt-1b</c>): the model's file, <c>config.json</c> with everything under <c>args</c>, <c>train_args.json</c> with the patcher's, and the small model in <c>entropy_model</c>.
/// </summary>
internal static class BltAuthorsLayout
{
    private const string Folder = "entropy_model", Prefix = "patcher.";

    // The window of the small model, which their code has as a constant.
    private const int EntropyWindow = 512;

    /// <summary>Names as transformers has them.</summary>
    public static KeyMap Names { get; } = new(
        (@"\.attention\.", ".self_attn."), (@"\.feed_forward\.", ".mlp."), (@"\.attention_norm\.", ".input_layernorm."), (@"\.ffn_norm\.", ".post_attention_layernorm."), (@"\.tok_embeddings\.", ".embed_tokens."),
        (@"\.cross_attn_norm_q\.", ".q_norm."), (@"\.cross_attn_norm_kv\.", ".k_norm."), (@"\.w1\.", ".gate_proj."), (@"\.w2\.", ".down_proj."), (@"\.w3\.", ".up_proj."), (@"\.w([qkvo])\.", ".$1_proj."),
        (@"\.output\.", ".lm_head."), (@"^local_decoder\.lm_head\.", "lm_head."), (@"^(?!lm_head\.)", "model."));

    /// <summary>True when the folder is the authors'.</summary>
    public static bool Is(string folder) => File.Exists(Path.Combine(folder, "config.json")) && PublishedConfig.ReadJson(folder).ContainsKey("args");

    /// <summary>Their files as one checkpoint, under transformers' names.</summary>
    public static Checkpoint Open(string folder)
    {
        var own = Path.Combine(folder, "model.safetensors");
        var small = new[] { "model.safetensors", "consolidated.pth" }.Select(name => Path.Combine(folder, Folder, name)).FirstOrDefault(File.Exists)
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The small model that cuts is not there.") { Where = Path.Combine(folder, Folder), Expected = "model.safetensors or consolidated.pth" };
        return Checkpoint.Open([new(own) { Copies = ["model"] }, new(small, Prefix: Prefix) { Copies = ["model"] }]);
    }

    /// <summary>Their settings as transformers' converter makes them, with the windows that it leaves out.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: the model is built in a way that is not read.</exception>
    public static BltConfig Read(string folder)
    {
        var args = PublishedConfig.Read<BltAuthorsConfig>(folder, "args").Value;
        if (args is not { CrossAttnEncoder: true, CrossAttnDecoder: true, CrossAttnInitByPooling: true, CrossAttnK: { } k } || (args.CrossAttnNheads ?? args.NHeadsLocalEncoder) != args.NHeadsLocalEncoder || args.NHeadsLocalEncoder != args.NHeadsLocalDecoder)
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "Patches of this model are made in another way.") { Where = Path.Combine(folder, "config.json"), Expected = "cross_attn_encoder, cross_attn_decoder and cross_attn_init_by_pooling, with as many heads as encoder and decoder" };
        var small = Small(folder);
        var patcher = Patcher(folder);
        return new()
        {
            VocabSize = args.VocabSize, MaxPositionEmbeddings = args.MaxSeqlen, PatchSize = patcher.PatchSize, PatchingMode = args.PatchingMode, PatchingThreshold = patcher.Threshold, PatchingThresholdAdd = patcher.ThresholdAdd,
            Monotonicity = patcher.Monotonicity, MaxPatchLength = patcher.MaxPatchLength, CrossAttnK = k, EncoderHashByteGroupSize = Groups(args.EncoderHashByteGroupSize), EncoderHashByteGroupVocab = args.EncoderHashByteGroupVocab,
            EncoderHashByteGroupNbFunctions = args.EncoderHashByteGroupNbFunctions,
            PatcherConfig = new()
            {
                VocabSize = small.VocabSize, HiddenSize = small.Dim, NumHiddenLayers = small.NLayers, NumAttentionHeads = small.NHeads, NumKeyValueHeads = small.NKvHeads, MaxPositionEmbeddings = small.MaxSeqlen,
                RmsNormEps = small.NormEps, RopeTheta = small.RopeTheta, IntermediateSize = Wide(small.Dim, small.FfnDimMultiplier, small.MultipleOf), Window = EntropyWindow,
            },
            EncoderConfig = new()
            {
                VocabSize = args.VocabSize, HiddenSize = args.DimLocalEncoder, NumHiddenLayers = args.NLayersLocalEncoder, NumAttentionHeads = args.NHeadsLocalEncoder, NumKeyValueHeads = args.NKvHeads, CrossAttnK = k,
                CrossAttnAllLayers = args.CrossAttnAllLayersEncoder, RmsNormEps = args.NormEps, RopeTheta = args.RopeTheta, IntermediateSize = Wide(args.DimLocalEncoder, args.FfnDimMultiplier, args.MultipleOf), Window = args.LocalAttentionWindowLen,
            },
            DecoderConfig = new()
            {
                VocabSize = args.VocabSize, HiddenSize = args.DimLocalDecoder, NumHiddenLayers = args.NLayersLocalDecoder, NumAttentionHeads = args.NHeadsLocalDecoder, NumKeyValueHeads = args.NKvHeads, CrossAttnK = k,
                CrossAttnAllLayers = args.CrossAttnAllLayersDecoder, RmsNormEps = args.NormEps, RopeTheta = args.RopeTheta, IntermediateSize = Wide(args.DimLocalDecoder, args.FfnDimMultiplier, args.MultipleOf), Window = args.LocalAttentionWindowLen,
            },
            GlobalConfig = new()
            {
                HiddenSize = args.DimGlobal, NumHiddenLayers = args.NLayersGlobal, NumAttentionHeads = args.NHeadsGlobal, NumKeyValueHeads = args.NKvHeadsGlobal, RmsNormEps = args.NormEps, RopeTheta = args.RopeTheta,
                IntermediateSize = Wide(args.DimGlobal, args.FfnDimMultiplier, args.MultipleOf), MaxPositionEmbeddings = args.MaxSeqlen,
            },
        };
    }

    // Two thirds of four times the width, a multiple of so many.
    private static int Wide(int width, double? factor, int multiple) => ((int)((factor ?? 1) * (8 * width / 3)) + multiple - 1) / multiple * multiple;

    private static BltAuthorsEntropyConfig Small(string folder)
    {
        var published = Path.Combine(folder, Folder, "params.json");
        return File.Exists(published) ? PublishedConfig.Read<BltAuthorsEntropyConfig>(published, "entropy_model").Value : PublishedConfig.Read<BltAuthorsEntropyConfig>(Path.Combine(folder, Folder, "config.json"), "args").Value;
    }

    private static BltAuthorsPatcherConfig Patcher(string folder)
    {
        var file = new[] { Path.Combine(folder, "train_args.json"), Path.Combine(folder, Folder, "params.json") }.FirstOrDefault(File.Exists);
        return file is null ? new() : PublishedConfig.Read<BltAuthorsPatcherConfig>(file, "data.patcher_args").Value;
    }

    private static int[] Groups(JsonNode? sizes) => sizes switch
    {
        JsonArray list => [.. list.Select(size => (int)size!)],
        JsonValue text => [.. ((string)text!).Split(',', StringSplitOptions.RemoveEmptyEntries).Select(size => int.Parse(size, System.Globalization.CultureInfo.InvariantCulture))],
        _ => throw new ModelZooException(ErrorCodes.ConfigInvalid, "Runs of bytes have no hashed embeddings.") { Where = "encoder_hash_byte_group_size", Expected = "a list of lengths" },
    };
}
