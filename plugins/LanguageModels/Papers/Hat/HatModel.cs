// Hierarchical Autoregressive Transformers: Combining Byte- and Word-Level Processing for Robust, Adaptable Language Models. Neitemeier, Deiseroth, Eichenberg, Balles. arXiv:2501.10322. github.com/Aleph-Alpha-Research/hat-splitter
// Published layouts: transformers with the authors' remote code (HATForCausalLM): config.json + model.safetensors, as Aleph-Alpha/llama-3_1-8b-tfree-hat-base.
// Deviations: float32 throughout. Windows of encoder and decoder are those of flash attention in transformers 4.46: so many places before a query's own. Norms of queries and keys in the layers have the names of those in cross attention.
using System.ComponentModel;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Options of going on from a text.</summary>
public sealed record HatGenerateOptions : TextGenerationOptions
{
    /// <summary>Whether the prompt is a user's turn.</summary>
    [Description("Take the prompt as a user's turn, in the template of the authors' models that follow instructions.")]
    public bool Chat { get; init; }
}

/// <summary>HAT: bytes in words by a fixed rule, a transformer over words, and bytes again.</summary>
public sealed class HatModel : IModel, ITokenize<Text, NoOptions>, IGenerate<Text, HatGenerateOptions>, IEvaluate, IReferenceCalls
{
    // Nothing comes before a text, so that its first byte is foreseen by nothing: one of 256.
    private const double FirstByteBits = 8;

    private readonly Checkpoint _checkpoint;
    private readonly HatNetworks _networks;
    private readonly HatSplitter _splitter;
    private readonly ByteVocabulary _vocabulary;
    private readonly HatConfig _config;

    private HatModel(ModelSource source, Checkpoint checkpoint, HatConfig config)
    {
        (_checkpoint, _config) = (checkpoint, config);
        _networks = new(NetworkContext.Of(source, checkpoint), config);
        _splitter = new(config.SpecialTokenDict, config.MaxWordSize);
        _vocabulary = new(256, End: config.EosTokenId);
        Space = _vocabulary.Space(source.Id.ToString());
        // Attention to a single word does not ask what is looked for.
        checkpoint.ThrowIfUnused(@"^decoder\.decoder_layers\.\d+\.(query_norm|kv_norm|cross_attention\.(q_proj|k_proj|norm_query|norm_key))\.", @"rotary_emb\.inv_freq$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/hat",
            Paper = "Hierarchical Autoregressive Transformers: Combining Byte- and Word-Level Processing for Robust, Adaptable Language Models",
            ArXiv = "2501.10322",
            Authors = ["Pit Neitemeier", "Björn Deiseroth", "Constantin Eichenberg", "Lukas Balles"],
            Repository = "Aleph-Alpha-Research/hat-splitter",
            CodeLicense = "Open Aleph License 1.0",
            WeightsLicense = "Open Aleph License 1.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Text, Modality.Tokens],
            Layouts = ["transformers (remote code): config.json + model.safetensors"],
            Deviations = "Computed in float32.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _networks.All, new KeyValuePair<string, string>("longest word", $"{_config.MaxWordSize} bytes"));

    /// <inheritdoc/>
    public TokenSpace Space { get; }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ByteMetrics.Names;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<ByteEvaluationOptions>();

    /// <summary>The bytes of a text in their words; what is written like a special token is text.</summary>
    public ValueTask<Tokens> TokenizeAsync(Text media, NoOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        int[] lengths = [.. new HatSplitter(new Dictionary<string, int>(), _config.MaxWordSize).Encode(media.Value).Select(word => word.Length)];
        return ValueTask.FromResult(PieceTokens.Of(Space, media.Value, _vocabulary.Encode(media.Value), lengths));
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) => ValueTask.FromResult(new Text(_vocabulary.Text(tokens.Expect(Space).Ids.Span)));

    /// <summary>Goes on from a text; special tokens in it are taken as such.</summary>
    public IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, HatGenerateOptions options, ulong seed, CancellationToken cancel = default)
    {
        var text = ByteGeneration.TextOf(prompt);
        if (options.Chat) text = $"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant. You give engaging, well-structured answers to user inquiries.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
        return ByteGeneration.StreamAsync(Begin(), _vocabulary, [.. _splitter.Encode(text).SelectMany(word => word)], options, seed, cancel);
    }

    /// <summary>Bits of each byte. The first of a stretch counts as one of 256, since nothing comes before it.</summary>
    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default) =>
        ByteEvaluation.ObserveAsync(examples, options.Expect<ByteEvaluationOptions>().Context, MeasureAsync, cancel);

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "split":
                long[] lengths = [.. _splitter.Encode(arguments.Literal<string>("text")).Select(word => (long)word.Length)];
                return new CallResults().Return(Tensor.Create(lengths, lengths.Length));
            case "forward":
                Require(arguments, "byte_position_ids");
                Require(arguments, "word_position_ids");
                return await ForwardAsync(arguments.Tensor<long>("input_ids"), Lengths(arguments), cancel).ConfigureAwait(false);
            case "generate":
                int[] prompt = Array.ConvertAll(arguments.Tensor<long>("input_ids").Span.ToArray(), id => (int)id);
                if (!_splitter.Encode(prompt).Select(word => word.Length).SequenceEqual(Lengths(arguments))) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The words are not those of the rule.") { Where = "cumulative_seq_lengths_per_word" };
                return await GenerateAsync(prompt, arguments.Literal<int>("max_new_tokens"), arguments.Literal("use_cache", true), cancel).ConfigureAwait(false);
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"HAT has no call '{call}'.") { Expected = "split, forward, generate" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _networks.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>A text at its beginning.</summary>
    internal HatSequence Begin() => new(_networks, _splitter);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<HatConfig>(source.RequireFolder()).Value.Checked();
        return ValueTask.FromResult<IModel>(new HatModel(source, source.OpenCheckpoint(), config));
    }

    // The whole at once, by the authors' steps: the backbone's last word is for the word after the text, and the first word sees a trained one.
    private async Task<CallResults> ForwardAsync(Tensor<long> ids, IReadOnlyList<int> lengths, CancellationToken cancel)
    {
        var (encoded, _) = await _networks.Encoder.RunAsync(_networks.Encoder.Begin(1), cancel, ("input_ids", ids)).ConfigureAwait(false);
        var embedded = await _networks.ConnectAsync(encoded["hidden_states"], lengths, 0, 0, cancel).ConfigureAwait(false);
        var (spoken, _) = await _networks.Backbone.RunAsync(_networks.Backbone.Begin(1), cancel, ("hidden_states", embedded)).ConfigureAwait(false);
        var words = spoken["words"];
        var past = Tensor.Create<float>([.. _networks.FirstWord.Span, .. words.Span[..^_config.BackboneConfig.HiddenSize]], words.Shape);
        var wordOf = Tensor.Create([.. lengths.SelectMany((length, word) => Enumerable.Repeat((long)word, length))], ids.Shape);
        var (decoded, _) = await _networks.Decoder.RunAsync(_networks.Decoder.Begin(1), cancel, ("hidden_states", encoded["hidden_states"]), ("words", past), ("word_of", wordOf)).ConfigureAwait(false);
        return new CallResults().Add("encoder", encoded["hidden_states"]).Add("encoder_connector", embedded).Add("hidden_states", words).Add("logits", decoded["logits"]);
    }

    private async Task<CallResults> GenerateAsync(int[] prompt, int count, bool isCached, CancellationToken cancel)
    {
        var (decoder, sequence) = (new AutoregressiveDecoder(count) { EndTokens = new HashSet<int> { _config.EosTokenId } }, Begin());
        var made = (await decoder.GenerateAsync(sequence, Tensor.Create(prompt, 1, prompt.Length), 0, cancel: cancel).ConfigureAwait(false))[0];
        // The authors' logits are those of the last run, over all but the last byte, which the sequence has not taken.
        long[] all = [.. prompt.Concat(made.SkipLast(1)).Select(id => (long)id)];
        var logits = (await ForwardAsync(Tensor.Create(all, 1, all.Length), [.. sequence.Ended, sequence.Open], cancel).ConfigureAwait(false)).Tensor("logits").As<float>();
        long[] kept = [.. made.Where(id => !isCached || id != _config.EosTokenId).Select(id => (long)id)];
        var width = (int)logits.Shape[2];
        return new CallResults().Add("completion_bytes", Tensor.Create(kept, kept.Length)).Add("completion_logits", Tensor.Create(logits.Span[^(made.Length * width)..].ToArray(), made.Length, width));
    }

    private async Task<MeasuredBytes> MeasureAsync(byte[] bytes, CancellationToken cancel)
    {
        var (ids, sequence) = (_vocabulary.Encode(bytes), Begin());
        var logits = await sequence.TakeAsync(ids, cancel).ConfigureAwait(false);
        return new([FirstByteBits, .. ByteEvaluation.Bits(logits, ids.AsSpan(1))], [.. sequence.Ended, sequence.Open]);
    }

    private static int[] Lengths(CallArguments arguments)
    {
        var ends = arguments.Tensor("cumulative_seq_lengths_per_word").As<long>().Span.ToArray();
        return [.. ends.Skip(1).Zip(ends, (end, start) => (int)(end - start))];
    }

    private static void Require(CallArguments arguments, string name)
    {
        if (arguments.FindTensor<long>(name) is { } places && places.Span.ToArray().Select((place, i) => place == i).Contains(false))
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Places count from 0.") { Where = name, Expected = "0, 1, 2.." };
    }
}
