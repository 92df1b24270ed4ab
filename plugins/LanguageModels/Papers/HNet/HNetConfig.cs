using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The authors' <c>HNetConfig</c>: lists have a number for each stage, the outermost first.</summary>
public sealed record HNetConfig
{
    /// <summary>Blocks before, within and after: <c>["m4", ["T22"], "m4"]</c>. What is within is a layout again, at last one string. m is Mamba-2, t attention; capitals have a multilayer perceptron too.</summary>
    public JsonElement ArchLayout { get; init; }
    /// <summary>Width of each stage, none narrower than the one around it.</summary>
    [MinLength(1)] public int[] DModel { get; init; } = [];
    /// <summary>Width within the perceptrons of each stage, made a multiple of 128.</summary>
    public int[] DIntermediate { get; init; } = [];
    /// <summary>Number of ids.</summary>
    [Range(256, 1 << 20)] public int VocabSize { get; init; } = 256;
    /// <summary>Mamba-2.</summary>
    public HNetStateSpaceConfig SsmCfg { get; init; } = new();
    /// <summary>Attention.</summary>
    public HNetAttentionConfig AttnCfg { get; init; } = new();
    /// <summary>Whether bytes go out by the table that they came in by.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>The stages, the outermost first.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: the layout or a list does not fit.</exception>
    internal IReadOnlyList<HNetStage> Stages() => HNetStage.Of(this);
}

/// <summary>The authors' <c>SSMConfig</c>; one number for all stages, or a list. How the scan is cut into chunks changes no result.</summary>
public sealed record HNetStateSpaceConfig
{
    /// <summary>Inputs that the convolution sees.</summary>
    [JsonConverter(typeof(OneOrMany)), MinLength(1)] public int[] DConv { get; init; } = [4];
    /// <summary>Channels within, as a multiple of the width.</summary>
    [JsonConverter(typeof(OneOrMany)), MinLength(1)] public int[] Expand { get; init; } = [2];
    /// <summary>States of a channel.</summary>
    [JsonConverter(typeof(OneOrMany)), MinLength(1)] public int[] DState { get; init; } = [128];
    /// <summary>Steps that the authors' kernel takes at once.</summary>
    [JsonConverter(typeof(OneOrMany)), MinLength(1)] public int[] ChunkSize { get; init; } = [256];
}

/// <summary>The authors' <c>AttnConfig</c>; one number for all stages, or a list.</summary>
public sealed record HNetAttentionConfig
{
    /// <summary>Heads.</summary>
    [JsonConverter(typeof(OneOrMany))] public int[] NumHeads { get; init; } = [];
    /// <summary>Channels of a head that turn with the place; 0 for none.</summary>
    [JsonConverter(typeof(OneOrMany))] public int[] RotaryEmbDim { get; init; } = [];
    /// <summary>Places before its own that a query sees; -1 for all.</summary>
    [JsonConverter(typeof(OneOrMany))] public int[] WindowSize { get; init; } = [];
}

/// <summary>A stage with its numbers.</summary>
/// <param name="Index">Its number, 0 for the outermost.</param>
/// <param name="Encoder">Blocks before what is within; null in the innermost.</param>
/// <param name="Main">Blocks of the innermost; null in all others.</param>
/// <param name="Decoder">Blocks after what is within; null in the innermost.</param>
internal sealed partial record HNetStage(int Index, string? Encoder, string? Main, string? Decoder)
{
    // The width of Mamba-2's heads, of which the authors' configuration says nothing.
    private const int HeadWidth = 64;

    /// <summary>Width D.</summary>
    public required int Width { get; init; }

    /// <summary>Width of the stage around it, or its own.</summary>
    public required int Outer { get; init; }

    /// <summary>Width within the perceptrons.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Inputs that a convolution sees.</summary>
    public required int Kernel { get; init; }

    /// <summary>States of a channel.</summary>
    public required int States { get; init; }

    /// <summary>Heads of Mamba-2.</summary>
    public required int ScanHeads { get; init; }

    /// <summary>Heads of the attention.</summary>
    public required int Heads { get; init; }

    /// <summary>Channels of a head that turn.</summary>
    public required int Rotary { get; init; }

    /// <summary>Places before its own that a query sees; null for all.</summary>
    public required int? Window { get; init; }

    /// <summary>Width of a head of Mamba-2.</summary>
    public int ScanWidth => HeadWidth;

    /// <summary>Prefix of its weights.</summary>
    public string Path => string.Join('.', Enumerable.Repeat("main_network", Index).Prepend("backbone"));

    /// <summary>Kinds of the blocks of a layout, in order: m, M, t, T.</summary>
    public static IEnumerable<char> Kinds(string layout) => Runs().Matches(layout).SelectMany(run => Enumerable.Repeat(run.Groups[1].Value[0], int.Parse(run.Groups[2].Value)));

    /// <summary>The stages of a configuration, the outermost first.</summary>
    public static IReadOnlyList<HNetStage> Of(HNetConfig config)
    {
        var stages = new List<HNetStage>();
        for (var layout = config.ArchLayout; ;)
        {
            var parts = layout.ValueKind == JsonValueKind.Array ? layout.EnumerateArray().ToArray() : [];
            stages.Add(parts switch
            {
                [var main] => Make(config, stages.Count, null, Blocks(main), null),
                [var encoder, _, var decoder] => Make(config, stages.Count, Blocks(encoder), null, Blocks(decoder)),
                _ => throw Invalid("arch_layout", "[blocks] or [blocks, layout, blocks]", layout.ValueKind == JsonValueKind.Undefined ? "none" : layout.GetRawText()),
            });
            if (parts.Length == 1) return stages;
            layout = parts[1];
        }
    }

    private static HNetStage Make(HNetConfig config, int index, string? encoder, string? main, string? decoder)
    {
        string[] layouts = [.. new[] { encoder, main, decoder }.OfType<string>()];
        var hasAttention = layouts.Any(layout => layout.Contains('t', StringComparison.OrdinalIgnoreCase));
        var hasPerceptron = layouts.Any(layout => layout.Any(char.IsUpper));
        var width = At(config.DModel, "d_model");
        var (inner, heads) = (At(config.SsmCfg.Expand, "ssm_cfg.expand") * width, hasAttention ? At(config.AttnCfg.NumHeads, "attn_cfg.num_heads") : 1);
        var rotary = hasAttention && config.AttnCfg.RotaryEmbDim.Length > 0 ? At(config.AttnCfg.RotaryEmbDim, "attn_cfg.rotary_emb_dim") : 0;
        var window = hasAttention && config.AttnCfg.WindowSize.Length > 0 ? At(config.AttnCfg.WindowSize, "attn_cfg.window_size") : -1;
        var outer = index == 0 ? width : At(config.DModel, "d_model", index - 1);
        if (width < outer) throw Invalid("d_model", "no stage narrower than the one around it", $"{width} within {outer}");
        if (layouts.Any(layout => layout.Contains('m', StringComparison.OrdinalIgnoreCase)) && (inner <= 0 || inner % HeadWidth != 0)) throw Invalid("d_model", $"expand times width a multiple of {HeadWidth}", $"{inner}");
        if (heads <= 0 || width % heads != 0 || rotary < 0 || rotary % 2 != 0 || rotary > width / heads) throw Invalid("attn_cfg", "heads that divide the width, and an even number of channels of a head that turn", $"{heads} heads, {rotary} of {width} channels");
        return new(index, encoder, main, decoder)
        {
            Width = width,
            Outer = outer,
            Intermediate = hasPerceptron ? (At(config.DIntermediate, "d_intermediate") + 127) / 128 * 128 : 0,
            Kernel = At(config.SsmCfg.DConv, "ssm_cfg.d_conv"),
            States = At(config.SsmCfg.DState, "ssm_cfg.d_state"),
            ScanHeads = inner / HeadWidth,
            Heads = heads,
            Rotary = rotary,
            Window = window < 0 ? null : window,
        };

        int At(int[] values, string key, int? stage = null) => values.Length == 1 && key.Contains('.', StringComparison.Ordinal) ? values[0]
            : (stage ?? index) < values.Length ? values[stage ?? index] : throw Invalid(key, $"a number for stage {stage ?? index}", $"[{string.Join(", ", values)}]");
    }

    private static string Blocks(JsonElement layout) => layout.ValueKind == JsonValueKind.String && layout.GetString() is { } blocks && Whole().IsMatch(blocks)
        ? blocks
        : throw Invalid("arch_layout", "kinds and numbers of blocks, such as m4 or T1m4", layout.GetRawText());

    private static ModelZooException Invalid(string key, string expected, string found) => new(ErrorCodes.ConfigInvalid, "The configuration does not fit H-Net.") { Where = key, Expected = expected, Found = found };

    [GeneratedRegex("([mMtT])([0-9]{1,4})")]
    private static partial Regex Runs();

    [GeneratedRegex("^([mMtT][0-9]{1,4})*$")]
    private static partial Regex Whole();
}
