// DualSpeechLM: Towards Unified Speech Understanding and Generation via Dual Speech Token Modeling with Large Language Models (its understanding tokenizer). Wang et al. arXiv:2508.08961. github.com/lavendery/UUG
// Layout: config.json + whisper_config.json + llama_config.json + checkpoint_best.pth (key model); no weights are published yet. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.Speech;

/// <summary>Section <c>model.codec_config</c>.</summary>
public sealed record UsTokenizerConfig
{
    [Range(1, 65536)] public int InputChannels { get; init; } = 1280;
    [Range(1, 65536)] public int OutputChannels { get; init; } = 1280;
    [Range(1, 65536)] public int EncodeChannels { get; init; } = 1280;
    [Range(1, 65536)] public int DecodeChannels { get; init; } = 1280;
    [Range(1, 65536)] public int CodeDim { get; init; } = 1280;
    [Range(1, 256)] public int CodebookNum { get; init; } = 1;
    [Range(2, 1 << 20)] public int CodebookSize { get; init; } = 1024;
    public bool Bias { get; init; } = true;
    [Length(1, 16)] public double[] EncRatios { get; init; } = [1, 1];
    [Length(1, 16)] public double[] DecRatios { get; init; } = [1, 1];
    [Length(1, 16)] public int[] EncStrides { get; init; } = [1, 1];
    [Length(1, 16)] public int[] DecStrides { get; init; } = [1, 1];
    [Range(1, 1023)] public int EncKernelSize { get; init; } = 3;
    [Range(1, 1023)] public int DecKernelSize { get; init; } = 3;
    [Length(1, 16)] public int[] EncBlockDilations { get; init; } = [1, 1];
    [Length(1, 16)] public int[] DecBlockDilations { get; init; } = [1, 1];
    [Range(1, 1023)] public int EncBlockKernelSize { get; init; } = 3;
    [Range(1, 1023)] public int DecBlockKernelSize { get; init; } = 3;
}

/// <summary>Whisper's features at half their rate through a codec whose codes a frozen language model must understand.</summary>
internal static class UsTokenizerNetwork
{
    /// <summary>features (B, T, C) -> codes (B, T / 2) of every codebook, and what they stand for (B, T / 2, D).</summary>
    public static (Value[] Codes, Value Quantized) Quantize(Scope model, Value features, UsTokenizerConfig config)
    {
        var h = model.Stage("downsampled", Conv(model["downsampling_conv"], features.Swap(1, 2), config.InputChannels, 3, stride: 2));
        var encoder = model["codec_encoder"];
        h = Conv(encoder["conv"], h, config.EncodeChannels, config.EncKernelSize, bias: false);
        for (var i = 0; i < config.EncStrides.Length; i++)
        {
            var (block, stride) = (encoder["conv_blocks"][i], config.EncStrides[i]);
            h = Units(block, h, config.EncBlockDilations, config.EncBlockKernelSize);
            h = Conv(block["conv"], h, (long)(config.EncodeChannels * config.EncRatios[i]), stride == 1 ? 3 : 2 * stride, stride, bias: config.Bias);
        }

        h = model.Stage("latent", Conv(model["speech_llama_conv_proj"], model.Stage("codec_encoder", h), config.CodeDim, 3, bias: false));
        var codebooks = Enumerable.Range(0, config.CodebookNum).Select(i => Codebook.Columns(model["vq.codebook.layers"][i], config.CodebookSize, config.CodeDim)).ToArray();
        var codes = EuclideanQuantizer.Quantize(h, codebooks);
        return (codes, EuclideanQuantizer.Dequantize(codes, codebooks).Swap(1, 2));
    }

    /// <summary>quantized (B, T, D) -> Whisper's features (B, C, 2 T - 1).</summary>
    public static Value Decode(Scope model, Value quantized, UsTokenizerConfig config)
    {
        var decoder = model["codec_decoder"];
        var h = Conv(decoder["conv1"], quantized.Swap(1, 2), (long)(config.DecodeChannels * config.DecRatios[0]), config.DecKernelSize, bias: false);
        for (var i = 0; i < config.DecStrides.Length; i++)
        {
            var (block, stride) = (decoder["conv_blocks"][i], config.DecStrides[i]);
            var outputs = i + 1 < config.DecRatios.Length ? (long)(config.DecodeChannels * config.DecRatios[i + 1]) : config.DecodeChannels;
            h = stride == 1 ? Conv(block["conv"], h, outputs, 3, bias: config.Bias) : Deconv(block["conv"], h, outputs, 2 * stride, stride, config.Bias);
            h = Units(block, h, config.DecBlockDilations, config.DecBlockKernelSize);
        }

        return Deconv(model["upsampling_conv"], Conv(decoder["conv2"], h, config.OutputChannels, config.DecKernelSize, bias: false), config.OutputChannels, 3, 2, bias: true);
    }

    /// <summary>What the language model sees of speech: quantized (B, T, D) -> (B, T, H).</summary>
    public static Value Embed(Scope model, Value quantized, LlamaConfig config) =>
        Conv(model["llama_conv"], model["llama_linear"].Linear(quantized, config.HiddenSize).Swap(1, 2), config.HiddenSize, 3).Swap(1, 2);

    private static Value Units(Scope block, Value x, int[] dilations, int kernel)
    {
        for (var i = 0; i < dilations.Length; i++)
        {
            var (unit, width) = (block["res_units"][i], x.Shape[1].Size);
            x += unit["conv2"].Conv(Conv(unit["conv1"], x.Elu(), width, kernel, dilation: dilations[i], bias: false).Elu(), width, kernel: 1, bias: false);
        }

        return x;
    }

    private static Value Conv(Scope scope, Value x, long outputs, int kernel, int stride = 1, int dilation = 1, bool bias = true) =>
        scope["conv"].Conv(x, outputs, kernel, stride, (kernel - 1) / 2 * dilation, dilation, bias: bias);

    private static Value Deconv(Scope scope, Value x, long outputs, int kernel, int stride, bool bias) =>
        scope["deconv"].ConvTranspose(x, outputs, kernel, stride, (stride + 1) / 2, stride % 2, bias: bias);
}

/// <summary>Speech to understanding tokens.</summary>
public sealed class UsTokenizerModel : TensorsModel<NoOptions>
{
    private readonly WhisperConfig _whisper;
    private readonly Network _encoder, _quantizer, _decoder;
    private readonly Lazy<Network> _reader;

    private UsTokenizerModel(UsTokenizerConfig config, WhisperConfig whisper, LlamaConfig llama, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _whisper = whisper;
        var (batch, frames) = (Dim.Symbol("batch"), Dim.Symbol("frames"));
        _encoder = Network.Build(context, "ustokenizer whisper", scope =>
            scope.Graph.Output("whisper_features", WhisperNetwork.Encode(scope["speech_encoder"], scope.Graph.Input("input_features", [batch, whisper.NumMelBins, 2 * whisper.MaxSourcePositions]), whisper)));
        _quantizer = Network.Build(context, "ustokenizer quantizer", scope =>
        {
            var (codes, quantized) = UsTokenizerNetwork.Quantize(scope, scope.Graph.Input("features", [batch, frames, config.InputChannels]), config);
            scope.Graph.Output("ustokens", ValueShape.Stack(0, codes));
            scope.Graph.Output("quantized", quantized);
        });
        _decoder = Network.Build(context, "ustokenizer decoder", scope => scope.Graph.Output("reconstructed_features", UsTokenizerNetwork.Decode(scope, scope.Graph.Input("quantized", [batch, frames, config.CodeDim]), config)));
        _reader = new(() => Network.Build(context, "ustokenizer reader", scope => Reader(scope, config, llama)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        DualSpeechLmModel.Architecture.Card with
        {
            Id = "speech/dualspeechlm-ustokenizer",
            Inputs = [Modality.Audio],
            Layouts = ["authors: config.json + whisper_config.json + llama_config.json + checkpoint_best.pth"],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _quantizer, _decoder, .. _reader.IsValueCreated ? [_reader.Value] : Array.Empty<Network>()];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                var encoded = await EncodeAsync(arguments.Tensor<float>("input_features"), arguments.Literal<int>("samples"), cancel).ConfigureAwait(false);
                var tokens = encoded.Tensor("ustokens");
                // The reference drops the batch's axis when it is one.
                return tokens.Shape[1] == 1 ? encoded.Without("ustokens").Add("ustokens", tokens.Reshape(tokens.Shape[0], tokens.Shape[2])) : encoded;
            case "decode":
                return (await _decoder.RunAsync(cancel, ("quantized", arguments.Tensor("quantized"))).ConfigureAwait(false)).ToResults();
            case "understand":
                var (quantized, text) = (arguments.Tensor("quantized"), arguments.Tensor("text_ids"));
                var bos = new long[quantized.Shape[0]];
                Array.Fill(bos, arguments.Literal<long>("bos_token_id"));
                return (await _reader.Value.RunAsync(cancel, ("quantized", quantized), ("bos", Tensor.Create(bos, bos.Length, 1)), ("text_ids", text)).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The tokenizer has no call '{call}'.") { Expected = "encode, decode, understand" };
        }
    }

    /// <summary>Sound, by as much as Whisper hears at once, to <c>ustokens</c> (codebooks, 1, frames) and <c>quantized</c> (1, frames, D).</summary>
    protected override async Task<Dictionary<string, Tensor>> MakeAsync(Prompt prompt, NoOptions options, ulong seed, CancellationToken cancel)
    {
        var audio = Resampler.Convert(prompt.Require<Audio>(), WhisperModel.SamplingRate, 1);
        if (audio.Length < WhisperModel.SamplesPerFeature) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is shorter than one frame.") { Found = $"{audio.Length} samples" };
        var window = _whisper.MaxSourcePositions * WhisperModel.SamplesPerFeature;
        var (tokens, quantized) = (new List<Tensor<long>>(), new List<float>());
        // What is left at the end may be less than a frame.
        for (var start = 0; audio.Length - start >= WhisperModel.SamplesPerFeature; start += window)
        {
            var length = Math.Min(window, audio.Length - start);
            var results = await EncodeAsync(WhisperModel.LogMel(audio.Samples.Span.Slice(start, length), window, _whisper.NumMelBins), length, cancel).ConfigureAwait(false);
            tokens.Add(results.Tensor("ustokens").As<long>());
            quantized.AddRange(results.Tensor("quantized").As<float>().Span);
        }

        var (codebooks, frames) = (tokens[0].Shape[0], tokens.Sum(part => part.Shape[2]));
        long[] ids = [.. Enumerable.Range(0, (int)codebooks).SelectMany(codebook => tokens.SelectMany(part => part.Slice(codebook).Span.ToArray()))];
        return new() { ["ustokens"] = Tensor.Create(ids, codebooks, 1, frames), ["quantized"] = Tensor.Create([.. quantized], 1, frames, quantized.Count / frames) };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<UsTokenizerConfig>(folder, "model.codec_config").Value;
        var whisper = PublishedConfig.Read<WhisperConfig>(Path.Combine(folder, "whisper_config.json")).Value;
        var llama = PublishedConfig.Read<LlamaConfig>(Path.Combine(folder, "llama_config.json")).Value;
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(Path.Combine(folder, "checkpoint_best.pth"), "model");
        return ValueTask.FromResult<IModel>(new UsTokenizerModel(config, whisper, llama, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    // The language model on [BOS, speech, text].
    private static void Reader(Scope scope, UsTokenizerConfig config, LlamaConfig llama)
    {
        var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
        var speech = UsTokenizerNetwork.Embed(scope, g.Input("quantized", [batch, Dim.Symbol("frames"), config.OutputChannels]), llama);
        Value Words(string name, Dim count) => Llama.Embed(scope["llama_model.model"], g.Input(name, ElementType.Int64, [batch, count]), llama);
        var states = Llama.Decode(scope["llama_model.model"], ValueShape.Concat(1, Words("bos", 1), speech, Words("text_ids", Dim.Symbol("tokens"))), llama);
        g.Output("speech_embeddings", speech);
        g.Output("logits", Llama.Logits(scope["llama_model"], states, llama));
    }

    // Features of the sound alone, without those of the silence after it.
    private async Task<CallResults> EncodeAsync(Tensor<float> mel, int samples, CancellationToken cancel)
    {
        var heard = await _encoder.RunAsync(cancel, ("input_features", mel)).ConfigureAwait(false);
        var features = heard["whisper_features"];
        var (frames, width) = (Math.Min((int)features.Shape[1], samples / WhisperModel.SamplesPerFeature), (int)features.Shape[2]);
        var cut = Tensor.Zeros<float>(features.Shape[0], frames, width);
        for (var row = 0; row < features.Shape[0]; row++) features.Slice(row).Span[..(frames * width)].CopyTo(cut.Slice(row).Span);
        return heard.ToResults().AddRange((await _quantizer.RunAsync(cancel, ("features", cut)).ConfigureAwait(false)).ToResults());
    }
}
