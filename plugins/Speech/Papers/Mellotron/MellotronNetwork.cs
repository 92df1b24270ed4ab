// Mellotron: Multispeaker expressive voice synthesis by conditioning on rhythm, pitch and global style tokens. Valle, Li, Prenger, Catanzaro. arXiv:1910.11997. github.com/NVIDIA/mellotron
// Published layout: mellotron_*.pt (key state_dict) + hparams.json with what the authors have in code. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The authors' hyperparameters; defaults are those of the published models.</summary>
public sealed record MellotronConfig
{
    [Range(1, 4096)] public int NMelChannels { get; init; } = 80;
    [Range(1, 1)] public int NFramesPerStep { get; init; } = 1;
    [Range(1, 1 << 20)] public int NSymbols { get; init; } = 185;
    [Range(1, 65536)] public int EncoderEmbeddingDim { get; init; } = 512;
    [Range(1, 1023)] public int EncoderKernelSize { get; init; } = 5;
    [Range(1, 64)] public int EncoderNConvolutions { get; init; } = 3;
    [Range(1, 65536)] public int DecoderRnnDim { get; init; } = 1024;
    [Range(1, 65536)] public int PrenetDim { get; init; } = 256;
    [Range(1, 4096)] public int PrenetF0Dim { get; init; } = 1;
    [Range(1, 1023)] public int PrenetF0KernelSize { get; init; } = 1;
    [Range(1, 1 << 20)] public int MaxDecoderSteps { get; init; } = 1000;
    [Range(0.0, 1.0)] public double GateThreshold { get; init; } = 0.5;
    [Range(1, 65536)] public int AttentionRnnDim { get; init; } = 1024;
    [Range(1, 65536)] public int AttentionDim { get; init; } = 128;
    [Range(1, 4096)] public int AttentionLocationNFilters { get; init; } = 32;
    [Range(1, 1023)] public int AttentionLocationKernelSize { get; init; } = 31;
    [Range(1, 65536)] public int PostnetEmbeddingDim { get; init; } = 512;
    [Range(1, 1023)] public int PostnetKernelSize { get; init; } = 5;
    [Range(2, 64)] public int PostnetNConvolutions { get; init; } = 5;
    [Range(1, 1 << 20)] public int NSpeakers { get; init; } = 123;
    [Range(1, 65536)] public int SpeakerEmbeddingDim { get; init; } = 128;
    [AllowedValues(true)] public bool WithGst { get; init; } = true;
    [Length(1, 16)] public int[] RefEncFilters { get; init; } = [32, 32, 64, 64, 128, 128];
    [Range(1, 65536)] public int RefEncGruSize { get; init; } = 128;
    [Range(1, 65536)] public int TokenEmbeddingSize { get; init; } = 256;
    [Range(1, 65536)] public int TokenNum { get; init; } = 10;
    [Range(1, 1024)] public int NumHeads { get; init; } = 8;

    /// <summary>Width of the memory: text, style, speaker.</summary>
    internal int MemoryDim => EncoderEmbeddingDim + TokenEmbeddingSize + SpeakerEmbeddingDim;
}

/// <summary>Tacotron 2 (Shen et al., arXiv:1712.05884) with global style tokens (Wang et al., arXiv:1803.09017), a speaker table and pitch.</summary>
internal static class MellotronNetwork
{
    /// <summary>ids (B, N) -> (B, N, E).</summary>
    public static Value Encode(Scope model, Value ids, MellotronConfig config)
    {
        var (encoder, width) = (model["encoder"], config.EncoderEmbeddingDim);
        var x = model["embedding"].Embedding(ids, config.NSymbols, width).Swap(1, 2);
        for (var i = 0; i < config.EncoderNConvolutions; i++)
        {
            x = Normalized(encoder["convolutions"][i], x, width, config.EncoderKernelSize);
            if (i == 0) model.Stage("encoder_conv0", x);
            x = x.Relu();
        }

        return model.Stage("text_encoding", encoder["lstm"].Lstm(x.Transpose(2, 0, 1), width / 2, bidirectional: true).Transpose(1, 0, 2));
    }

    /// <summary>The style of a mel (B, mels, T), which the reference reads as if it were (B, T, mels) -> (B, 1, S).</summary>
    public static Value StyleOf(Scope model, Value mel, MellotronConfig config)
    {
        var (encoder, x) = (model["gst.encoder"], mel.Reshape(mel.Shape[0], 1, mel.Shape[2], config.NMelChannels));
        for (var i = 0; i < config.RefEncFilters.Length; i++)
            x = encoder["bns"][i].BatchNorm(encoder["convs"][i].Conv(x, config.RefEncFilters[i], kernel: 3, stride: 2, padding: 1)).Relu();
        var states = encoder["gru"].Gru(x.Transpose(2, 0, 1, 3).Flatten(2), config.RefEncGruSize);                     // (T', B, G)
        return Style(model, model.Stage("reference_encoding", states.At(0, states.Shape[0] - 1)).Unsqueeze(1), Tokens(model, config), config);
    }

    /// <summary>One style token by number (1): no query, and that token alone to look at -> (1, 1, S).</summary>
    public static Value StyleToken(Scope model, Value number, MellotronConfig config)
    {
        var nothing = model.Graph.Constant<float>(new float[config.RefEncGruSize], 1, 1, config.RefEncGruSize);
        return Style(model, nothing, Tokens(model, config).Gather(number), config);
    }

    /// <summary>Text (B, N, E), style (B, 1, S) and speaker number (B) side by side -> (B, N, M), and what attention scores of it (B, N, A).</summary>
    public static (Value Memory, Value Processed) Memory(Scope model, Value text, Value style, Value speaker, MellotronConfig config)
    {
        var voice = model["speaker_embedding"].Embedding(speaker, config.NSpeakers, config.SpeakerEmbeddingDim).Unsqueeze(1);
        Value Repeated(Value x) => x.Expand(text.Shape[0], text.Shape[1], x.Shape[2]);
        var memory = ValueShape.Concat(-1, text, Repeated(style), Repeated(voice));
        return (memory, model["decoder.attention_layer.memory_layer.linear_layer"].Linear(memory, config.AttentionDim, bias: false));
    }

    /// <summary>Pitch (B, 1, T), followed by one frame of none -> (B, F, T + 1).</summary>
    public static Value Pitch(Scope model, Value f0, MellotronConfig config) =>
        model["decoder.prenet_f0.conv"].Conv(f0.Pad(2, 0, 1), config.PrenetF0Dim, config.PrenetF0KernelSize, padding: config.PrenetF0KernelSize / 2, bias: false).Relu();

    /// <summary>What a step of the decoder reads and gives anew.</summary>
    public sealed record State(Value AttentionHidden, Value AttentionCell, Value DecoderHidden, Value DecoderCell, Value Context, Value Weights, Value Cumulative);

    /// <summary>One frame: the last mel (B, mels), masks of the prenet's dropout (2, B, P), pitch (B, F) -> mel (B, mels), gate (B, 1). Attention weights (B, N) may be given.</summary>
    public static (Value Mel, Value Gate, State Next) Step(Scope model, Value frame, Value masks, Value pitch, Value memory, Value processed, State state, Value? given, MellotronConfig config)
    {
        var decoder = model["decoder"];
        var x = frame;
        // Dropout stays on, as in Tacotron 2.
        for (var i = 0; i < 2; i++) x = decoder["prenet.layers"][i]["linear_layer"].Linear(x, config.PrenetDim, bias: false).Relu() * masks.At(0, i) * 2;
        var (attentionHidden, attentionCell) = Cell(decoder["attention_rnn"], ValueShape.Concat(-1, x, pitch, state.Context), state.AttentionHidden, state.AttentionCell);
        var weights = given ?? Attend(decoder["attention_layer"], attentionHidden, processed, state, config);
        var context = weights.Unsqueeze(1).MatMul(memory).Squeeze(1);
        var (decoderHidden, decoderCell) = Cell(decoder["decoder_rnn"], ValueShape.Concat(-1, attentionHidden, context), state.DecoderHidden, state.DecoderCell);
        var both = ValueShape.Concat(-1, decoderHidden, context);
        return (decoder["linear_projection.linear_layer"].Linear(both, config.NMelChannels), decoder["gate_layer.linear_layer"].Linear(both, 1),
            new(attentionHidden, attentionCell, decoderHidden, decoderCell, context, weights, state.Cumulative + weights));
    }

    /// <summary>mel (B, mels, T) with what the postnet adds.</summary>
    public static Value Postnet(Scope model, Value mel, MellotronConfig config)
    {
        var x = mel;
        for (var i = 0; i < config.PostnetNConvolutions; i++)
        {
            var isLast = i == config.PostnetNConvolutions - 1;
            x = Normalized(model["postnet.convolutions"][i], x, isLast ? config.NMelChannels : config.PostnetEmbeddingDim, config.PostnetKernelSize);
            if (!isLast) x = x.Tanh();
        }

        return mel + x;
    }

    private static Value Tokens(Scope model, MellotronConfig config) => model["gst.stl"].Weight("embed", config.TokenNum, config.TokenEmbeddingSize / config.NumHeads).Tanh();

    // query (B, 1, G), keys (tokens, S / heads).
    private static Value Style(Scope model, Value query, Value keys, MellotronConfig config)
    {
        var (attention, width) = (model["gst.stl.attention"], config.TokenEmbeddingSize);
        var seen = keys.Unsqueeze(0).Expand(query.Shape[0], keys.Shape[0], keys.Shape[1]);
        Value Map(string name, Value x) => attention[name].Linear(x, width, bias: false);
        return model.Stage("style_embedding", AttentionLayers.Attention(Map("W_query", query), Map("W_key", seen), Map("W_value", seen), new() { Heads = config.NumHeads }));
    }

    // Location-sensitive attention (Chorowski et al., arXiv:1506.07503): where it looked, and how much it has looked anywhere.
    private static Value Attend(Scope attention, Value query, Value processed, State state, MellotronConfig config)
    {
        var (location, kernel) = (attention["location_layer"], config.AttentionLocationKernelSize);
        var looked = location["location_conv.conv"].Conv(ValueShape.Stack(1, state.Weights, state.Cumulative), config.AttentionLocationNFilters, kernel, padding: (kernel - 1) / 2, bias: false).Swap(1, 2);
        var asked = attention["query_layer.linear_layer"].Linear(query, config.AttentionDim, bias: false).Unsqueeze(1);
        var energies = (asked + location["location_dense.linear_layer"].Linear(looked, config.AttentionDim, bias: false) + processed).Tanh();
        return attention["v.linear_layer"].Linear(energies, 1, bias: false).Squeeze(-1).Softmax();
    }

    // PyTorch's LSTMCell: gates i f g o.
    private static (Value Hidden, Value Cell) Cell(Scope cell, Value x, Value hidden, Value last)
    {
        var width = hidden.Shape[1].Size;
        Value Gates(string part, Value input) => cell.Linear(input, cell.Weight($"weight_{part}", 4 * width, input.Shape[1].Size), cell.Weight($"bias_{part}", 4 * width));
        var parts = (Gates("ih", x) + Gates("hh", hidden)).Chunk(4, -1);
        var next = parts[1].Sigmoid() * last + parts[0].Sigmoid() * parts[2].Tanh();
        return (parts[3].Sigmoid() * next.Tanh(), next);
    }

    private static Value Normalized(Scope layer, Value x, long outputs, int kernel) => layer[1].BatchNorm(layer[0]["conv"].Conv(x, outputs, kernel, padding: (kernel - 1) / 2));
}
