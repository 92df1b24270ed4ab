using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Motion;

/// <summary>Video to motion tokens; a picture and words to the motion that is imagined, the pictures that follow from it and a robot's actions.</summary>
public sealed class MotoModel : IModel, ITokenize<Video, NoOptions>, IGenerate<NamedTensors, MotoOptions>, IReferenceCalls
{
    // ImageNet's, as ViT-MAE was trained with.
    private static readonly float[] Mean = [0.485f, 0.456f, 0.406f], Deviation = [0.229f, 0.224f, 0.225f];
    private readonly MotoTokenizerConfig _tokens;
    private readonly MotoGptConfig _gpt;
    private readonly MotoVitConfig _vision;
    private readonly Checkpoint _checkpoint;
    private readonly TokenSpace _space;
    private readonly Network _tokenize, _decode, _conditions, _steps, _prepare;

    private MotoModel(ModelSource source, Configs configs, Checkpoint checkpoint, NetworkContext context)
    {
        (_tokens, _gpt, _vision, _checkpoint) = (configs.Tokens, configs.Gpt, configs.Vision, checkpoint);
        _space = new(source.Id.ToString(), TokenLayout.Grid, [.. Enumerable.Repeat(_tokens.VectorQuantizer.Codes, _tokens.MFormer.Config.QueryNum)], checkpoint.Digest);
        _tokenize = Network.Build(context, "moto tokenizer", scope => Tokenize(scope, configs));
        _decode = Network.Build(context, "moto decoder", scope =>
        {
            var (g, vit) = (scope.Graph, configs.Tokens.Decoder.Config);
            g.Output("reconstruction", MotoTokenizerNetwork.Decode(scope["tokenizer"], Picture(g, "cond_image", vit), g.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), vit.QueryNum]), configs.Tokens));
        });
        _conditions = Network.Build(context, "moto conditions", scope => Conditions(scope, configs));
        _steps = Network.Build(context, "moto gpt", scope => Steps(scope["gpt"], configs.Gpt));
        _prepare = Network.Build(context, "moto picture", scope => Prepare(scope.Graph, configs.Vision));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/moto",
            Paper = "Moto: Latent Motion Token as the Bridging Language for Robot Manipulation",
            ArXiv = "2412.04445",
            Authors = ["Yi Chen", "Yuying Ge", "Weiliang Tang", "Yizhuo Li", "Yixiao Ge", "Mingyu Ding", "Ying Shan", "Xihui Liu"],
            Repository = "TencentARC/Moto",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Video, Modality.Image, Modality.Tensors],
            Outputs = [Modality.Tokens, Modality.Tensors],
            Layouts = ["authors: latent_motion_tokenizer/ + moto_gpt/ (config.yaml, pytorch_model.bin), vit-mae/ + t5/ (transformers)"],
            Sizes = [new("TencentARC/Moto: OXE", 209_085_895, [])],
            Deviations = "Words come as T5's token ids, the tensor 'language'; the hidden-state decoder of training is left out.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Where(tensor => tensor.Type.IsFloat()).Sum(tensor => Tensor.Count([.. tensor.Shape])),
        MappedBytes = All.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = All.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("motion", $"{_tokens.MFormer.Config.QueryNum} tokens of {_tokens.VectorQuantizer.Codes} between two pictures"), new("actions", $"{_gpt.SequenceLength} steps of {_gpt.ChunkSize}, {_gpt.ActDim} numbers")],
    };

    private IEnumerable<Network> All => [_tokenize, _decode, _conditions, _steps, _prepare];

    private int Patches => _vision.ImageSize / _vision.PatchSize * (_vision.ImageSize / _vision.PatchSize);

    /// <summary>The two published files' networks, for the approved inventory.</summary>
    internal static void Build(Scope scope, MotoTokenizerConfig tokens, MotoGptConfig gpt, int features, int words)
    {
        var (g, vit) = (scope.Graph, tokens.Decoder.Config);
        Value Seen(string name) => g.Input(name, [1, tokens.MFormer.Config.NumPatches, features]);
        MotoTokenizerNetwork.Tokenize(scope["tokenizer"], Seen("before"), Seen("after"), tokens);
        MotoTokenizerNetwork.Decode(scope["tokenizer"], Picture(g, "cond_image", vit), g.Input("tokens", ElementType.Int64, [Dim.Symbol("batch"), vit.QueryNum]), tokens);
        MotoGptNetwork.Conditions(scope["gpt"], g.Input("words", [1, 1, words]), Seen("picture"), gpt);
        Steps(scope["gpt"], gpt);
    }

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(Video media, NoOptions options, CancellationToken cancel = default)
    {
        var frames = (int)media.Frames.Shape[0];
        if (frames < 2) throw new MediaException(ErrorCodes.MediaMalformed, "Motion is what happens between two pictures.") { Expected = "at least 2 frames", Found = $"{frames}" };
        var codes = new List<int>();
        var before = await PrepareAsync(media.Frames.Slice(0), cancel).ConfigureAwait(false);
        for (var i = 1; i < frames; i++)
        {
            var after = await PrepareAsync(media.Frames.Slice(i), cancel).ConfigureAwait(false);
            var found = (await _tokenize.RunAsync(cancel, ("cond_image", before), ("target_image", after), ("cond_noise", Natural(1)), ("target_noise", Natural(1))).ConfigureAwait(false)).Get<long>("codes");
            codes.AddRange(Array.ConvertAll(found.Span.ToArray(), code => (int)code));
            before = after;
        }

        return new(_space, Tensor.Create([.. codes], frames - 1, _space.VocabularySizes.Count)) { FrameRate = media.FrameRate, SourceLength = frames };
    }

    /// <inheritdoc/>
    public ValueTask<Video> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) =>
        throw new MediaException(ErrorCodes.MediaUnsupported, "Motion tokens move a picture and are none themselves.") { Expected = "generate with the first picture and the tokens", Remedy = "modelzoo generate motion/moto.TAG --in first.png --in motion.tokens.json --out frames.safetensors" };

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, MotoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var picture = await PrepareAsync(prompt.Require<Image>().Pixels, cancel).ConfigureAwait(false);
        var result = new Dictionary<string, Tensor>();
        if (prompt.Media.OfType<Tokens>().FirstOrDefault() is { } tokens)
        {
            tokens.Expect(_space);
            result["frames"] = await RollAsync(picture, Array.ConvertAll(tokens.Ids.Span.ToArray(), id => (long)id), cancel).ConfigureAwait(false);
            yield return Generation<NamedTensors>.Final(new(result), 1);
            yield break;
        }

        var language = prompt.Require<NamedTensors>().Values.GetValueOrDefault("language") as Tensor<long>
            ?? throw new MediaException(ErrorCodes.MediaUnsupported, "The words are to be given as T5's token ids.") { Expected = "a tensor 'language', Int64[1, words]" };
        var seen = await SeeAsync(picture, Natural(1), language, null, cancel).ConfigureAwait(false);
        var probability = options.ActionsAlone ? 1 : 0;
        var ids = Tensor.Zeros<long>(1, _gpt.SequenceLength, _gpt.PerLatentMotionLen);
        for (var step = 1; step <= _gpt.SequenceLength; step++)
        {
            var visible = Tensor.Create([.. Enumerable.Range(1, _gpt.SequenceLength).Select(place => place <= step ? 1L : 0)], 1, _gpt.SequenceLength);
            var run = new Run(seen, visible, probability);
            var (made, outputs) = await ImagineAsync(run, ids, step - 1, options.Beams, cancel).ConfigureAwait(false);
            made.Span.CopyTo(ids.Slice(0).Slice(step - 1).Span);
            foreach (var name in _gpt.ActPred ? (string[])["arm_actions", "gripper_actions"] : []) result[name] = outputs[name];
            yield return Generation<NamedTensors>.Progress(step, _gpt.SequenceLength);
        }

        result["latent_motion_ids"] = ids;
        result["frames"] = await RollAsync(picture, ids.Span.ToArray(), cancel).ConfigureAwait(false);
        yield return Generation<NamedTensors>.Final(new(result), _gpt.SequenceLength);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "tokenize":
                return (await _tokenize.RunAsync(cancel, ("cond_image", arguments.Tensor("cond_image")), ("target_image", arguments.Tensor("target_image")),
                    ("cond_noise", arguments.Tensor("cond_noise")), ("target_noise", arguments.Tensor("target_noise"))).ConfigureAwait(false)).ToResults();
            case "decode_image":
                return (await _decode.RunAsync(cancel, ("cond_image", arguments.Tensor("cond_image")), ("codes", arguments.Tensor("codes"))).ConfigureAwait(false)).ToResults();
            case "forward":
                var ids = arguments.Tensor<long>("latent_motion_ids");
                return (await StepAsync(await ReadAsync(arguments, cancel).ConfigureAwait(false), ids, cancel).ConfigureAwait(false)).ToResults();
            case "generate":
                return await GenerateCallAsync(arguments, cancel).ConfigureAwait(false);
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"Moto has no call '{call}'.") { Expected = "tokenize, decode_image, forward, generate" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in All) network.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private sealed record Configs(MotoTokenizerConfig Tokens, MotoGptConfig Gpt, MotoVitConfig Vision, T5Config Language);

    // What the steps are run with.
    private sealed record Run(Seen Seen, Tensor<long> Motions, double Probability);

    private sealed record Seen(Tensor<float> Conditions, Tensor<long> Words);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        T Config<T>(string part) => PublishedConfig.Read<T>(Path.Combine(folder, part)).Value;
        var checkpoint = PublishedParts.Open(source, new("tokenizer", "latent_motion_tokenizer/pytorch_model.bin", null), new("gpt", "moto_gpt/pytorch_model.bin", null), new("mae", "vit-mae/model.safetensors", null), new("t5", "t5/model.safetensors", null));
        var configs = new Configs(Config<MotoTokenizerConfig>("latent_motion_tokenizer"), Config<MotoGptConfig>("moto_gpt"), Config<MotoVitConfig>("vit-mae"), Config<T5Config>("t5"));
        return ValueTask.FromResult<IModel>(new MotoModel(source, configs, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static Value Picture(Graph g, string name, MotoVitConfig vit) => g.Input(name, [Dim.Symbol("batch"), vit.NumChannels, vit.ImageSize, vit.ImageSize]);

    private static Value Noise(Graph g, string name, MotoVitConfig vit) => g.Input(name, [Dim.Symbol("batch"), vit.ImageSize / vit.PatchSize * (vit.ImageSize / vit.PatchSize)]);

    private static void Tokenize(Scope scope, Configs configs)
    {
        var (g, vit) = (scope.Graph, configs.Vision);
        var before = scope.Stage("cond_features", MotoTokenizerNetwork.Features(scope["mae"], Picture(g, "cond_image", vit), Noise(g, "cond_noise", vit), vit));
        var after = MotoTokenizerNetwork.Features(scope["mae"], Picture(g, "target_image", vit), Noise(g, "target_noise", vit), vit);
        MotoTokenizerNetwork.Tokenize(scope["tokenizer"], before, after, configs.Tokens);
    }

    private static void Conditions(Scope scope, Configs configs)
    {
        var (g, vit) = (scope.Graph, configs.Vision);
        Shape words = [Dim.Symbol("batch"), Dim.Symbol("words")];
        var language = T5Encoder.Encode(scope["t5"], g.Input("language", ElementType.Int64, words), configs.Language, g.Input("language_mask", ElementType.Int64, words)).LastHiddenState;
        var picture = MotoTokenizerNetwork.Features(scope["mae"], Picture(g, "image", vit), Noise(g, "noise", vit), vit);
        g.Output("conditions", MotoGptNetwork.Conditions(scope["gpt"], language, picture, configs.Gpt));
    }

    private static void Steps(Scope gpt, MotoGptConfig config)
    {
        var g = gpt.Graph;
        Dim batch = Dim.Symbol("batch"), conditions = Dim.Symbol("conditions");
        var before = g.Input("conditions", [batch, conditions, config.HiddenSize]);
        var own = MotoGptNetwork.Steps(gpt, g.Input("latent_motion_ids", ElementType.Int64, [batch, config.SequenceLength, config.PerLatentMotionLen]), config);
        var h = gpt.Stage("input_embedding", ValueShape.Concat(1, before, own));
        var states = MotoGptNetwork.Transformer(gpt["model_causal_transformer"], h, g.Input("mask", ElementType.Int64, [batch, 1, h.Shape[1], h.Shape[1]]), config.ModelCausalTransformer.Config);
        MotoGptNetwork.Heads(gpt, states.From(1, conditions), config);
    }

    // A picture (C, H, W) in 0..1, of any size, as ViT-MAE takes it.
    private static void Prepare(Graph g, MotoVitConfig vit)
    {
        var picture = g.Input("picture", [1, 3, Dim.Symbol("height"), Dim.Symbol("width")]).Interpolate(Interpolation.Linear, [vit.ImageSize, vit.ImageSize], antialias: true);
        g.Output("image", (picture - g.Constant<float>(Mean, 1, 3, 1, 1)) / g.Constant<float>(Deviation, 1, 3, 1, 1));
    }

    private async Task<Tensor<float>> PrepareAsync(Tensor<float> picture, CancellationToken cancel)
    {
        if (picture.Shape[0] != 3) throw new MediaException(ErrorCodes.MediaUnsupported, "The model takes pictures in colour.") { Expected = "3 channels", Found = $"{picture.Shape[0]}" };
        return (await _prepare.RunAsync(cancel, ("picture", picture.Reshape([1, .. picture.Shape]))).ConfigureAwait(false))["image"];
    }

    // Each motion moves the picture that the one before gave: (motions, C, H, W) in 0..1.
    private async Task<Tensor<float>> RollAsync(Tensor<float> picture, long[] codes, CancellationToken cancel)
    {
        var (each, area) = (_tokens.Decoder.Config.QueryNum, _vision.ImageSize * _vision.ImageSize);
        var frames = Tensor.Zeros<float>(codes.Length / each, 3, _vision.ImageSize, _vision.ImageSize);
        for (var i = 0; i < frames.Shape[0]; i++)
        {
            picture = (await _decode.RunAsync(cancel, ("cond_image", picture), ("codes", Tensor.Create(codes[(i * each)..((i + 1) * each)], 1, each))).ConfigureAwait(false))["reconstruction"];
            var target = frames.Slice(i).Span;
            for (var k = 0; k < target.Length; k++) target[k] = Math.Clamp(picture.Span[k] * Deviation[k / area] + Mean[k / area], 0, 1);
        }

        return frames;
    }

    // Ascending noise: the patches stay where they are.
    private Tensor<float> Natural(int batch) => Tensor.Create([.. Enumerable.Range(0, batch * Patches).Select(i => (float)(i % Patches) / Patches)], batch, Patches);

    private async Task<Seen> SeeAsync(Tensor image, Tensor noise, Tensor<long> language, Tensor<long>? mask, CancellationToken cancel)
    {
        if (mask is null)
        {
            mask = Tensor.Zeros<long>(language.Shape);
            mask.Span.Fill(1);
        }

        var outputs = await _conditions.RunAsync(cancel, ("image", image), ("noise", noise), ("language", language), ("language_mask", mask)).ConfigureAwait(false);
        return new(outputs["conditions"], mask);
    }

    private async Task<Run> ReadAsync(CallArguments arguments, CancellationToken cancel)
    {
        var seen = await SeeAsync(arguments.Tensor("image"), arguments.Tensor("noise"), arguments.Tensor<long>("language"), arguments.FindTensor<long>("language_mask"), cancel).ConfigureAwait(false);
        // The authors overwrite every entry that comes from the steps' own mask.
        _ = arguments.FindTensor<long>("attention_mask");
        return new(seen, arguments.Tensor<long>("latent_mask"), arguments.Literal("mask_latent_motion_probability", _gpt.MaskLatentMotionProbability));
    }

    private Task<NetworkOutputs> StepAsync(Run run, Tensor<long> ids, CancellationToken cancel) =>
        _steps.RunAsync(cancel, ("conditions", run.Seen.Conditions), ("latent_motion_ids", ids), ("mask", MotoMask.Of(run.Seen.Words, (int)run.Seen.Conditions.Shape[1], run.Motions, run.Probability, _gpt)));

    private async Task<CallResults> GenerateCallAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (run, ids) = (await ReadAsync(arguments, cancel).ConfigureAwait(false), arguments.Tensor<long>("latent_motion_ids"));
        var (parallel, beams, place) = (arguments.Literal("parallel", true), arguments.Literal("beam_size", 1), arguments.Literal("buffer_len", 10) - 1);
        if (arguments.Literal("sample", false)) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Sampling draws at random.") { Where = "sample" };
        if (arguments.Literal("in_simulation", false) && _gpt.ActPred && run.Probability == 1)
            return (await StepAsync(run, ids, cancel).ConfigureAwait(false)).ToResults().Add("generated_latent_motion_ids", Tensor.Zeros<long>(ids.Shape[0], _gpt.PerLatentMotionLen));
        var (made, outputs) = await ImagineAsync(run, ids, parallel ? null : place, beams, cancel).ConfigureAwait(false);
        return new CallResults().Add("generated_latent_motion_ids", made).AddRange(outputs.ToResults());
    }

    // The motion of one step (batch, L), or of all at once (batch, T, L), token by token; each time the whole sequence is computed anew.
    private async Task<(Tensor<long> Ids, NetworkOutputs Outputs)> ImagineAsync(Run run, Tensor<long> given, int? place, int beams, CancellationToken cancel)
    {
        var (batch, steps, length) = ((int)given.Shape[0], (int)given.Shape[1], (int)given.Shape[2]);
        if (place is { } only && (only < 0 || only >= steps)) throw new ModelZooException(ErrorCodes.VerbUnsupported, "There is no such step.") { Where = "buffer_len", Expected = $"1..{steps}", Found = $"{only + 1}" };
        if (beams > 1) return await SearchAsync(run, given, place ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "Steps are searched one at a time.") { Where = "parallel" }, beams, cancel).ConfigureAwait(false);
        var ids = Tensor.Create(given.Span.ToArray(), given.Shape);
        int[] places = place is { } one ? [one] : [.. Enumerable.Range(0, steps)];
        var outputs = await StepAsync(run, ids, cancel).ConfigureAwait(false);
        for (var j = 0; j < length; j++)
        {
            var logits = outputs["latent_motion_logits"];
            for (var row = 0; row < batch; row++)
            {
                foreach (var step in places) ids[row, step, j] = LogitProcessing.ArgMax(logits.Slice(row).Slice(step).Slice(j).Span);
            }

            outputs = await StepAsync(run, ids, cancel).ConfigureAwait(false);
        }

        return (place is { } chosen ? MotoMask.Step(ids, chosen) : ids, outputs);
    }

    // Beams of each row side by side; sums of log-probabilities, no length penalty since all are of one length.
    private async Task<(Tensor<long> Ids, NetworkOutputs Outputs)> SearchAsync(Run run, Tensor<long> given, int place, int beams, CancellationToken cancel)
    {
        var (batch, length, wide) = ((int)given.Shape[0], (int)given.Shape[2], new Run(new(MotoMask.Repeat(run.Seen.Conditions, beams), MotoMask.Repeat(run.Seen.Words, beams)), MotoMask.Repeat(run.Motions, beams), run.Probability));
        var (ids, scores) = (MotoMask.Repeat(given, beams), new float[batch * beams]);
        var outputs = await StepAsync(wide, ids, cancel).ConfigureAwait(false);
        for (var j = 0; j < length; j++)
        {
            var (logits, next, sums) = (outputs["latent_motion_logits"], Tensor.Create(ids.Span.ToArray(), ids.Shape), new float[batch * beams]);
            for (var row = 0; row < batch; row++)
            {
                // All beams are equal before the first token: one stands for them.
                var candidates = Enumerable.Range(row * beams, j == 0 ? 1 : beams).SelectMany(beam =>
                {
                    var values = logits.Slice(beam).Slice(place).Slice(j).Span.ToArray();
                    LogitProcessing.LogSoftmax(values);
                    return values.Select((value, id) => (Beam: beam, Id: id, Score: scores[beam] + value));
                }).OrderByDescending(candidate => candidate.Score).Take(beams);
                foreach (var (rank, (beam, id, score)) in candidates.Index())
                {
                    ids.Slice(beam).Span.CopyTo(next.Slice(row * beams + rank).Span);
                    (next[row * beams + rank, place, j], sums[row * beams + rank]) = (id, score);
                }
            }

            (ids, scores) = (next, sums);
            outputs = await StepAsync(wide, ids, cancel).ConfigureAwait(false);
        }

        // The first beam is the best.
        var best = Tensor.Zeros<long>(given.Shape);
        for (var row = 0; row < batch; row++) ids.Slice(row * beams).Span.CopyTo(best.Slice(row).Span);
        return (MotoMask.Step(best, place), await StepAsync(run, best, cancel).ConfigureAwait(false));
    }
}
