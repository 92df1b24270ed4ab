// Kaleido Diffusion: Improving Conditional Diffusion Models with Autoregressive Latent Modeling. Gu et al. arXiv:2405.21048. No public code.
// Layout (by specification): model.safetensors with ar.* (T5ForConditionalGeneration) and unet.* (UNet2DConditionModel), and config.json with a section of each, with T5's tokenizer in a folder beside it. Deviations: none from the specification; one resolution.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.Kaleido;

/// <summary>Keys of the autoregressive model beside those of its network.</summary>
public sealed record KaleidoTokens
{
    /// <summary>Id that every row of latents starts from.</summary>
    public long DecoderStartTokenId { get; init; }
    /// <summary>Id that ends a row of latents.</summary>
    public long EosTokenId { get; init; } = 1;
    /// <summary>Id that stands behind the end.</summary>
    public long PadTokenId { get; init; }
}

/// <summary>A row of latents for each caption: ids (B, M), states at their places (B, M, D), scores (B, M, V), and 1 for each place up to the end (B, M).</summary>
internal sealed record Latents(Tensor<long> Ids, Tensor<float> States, Tensor<float> Logits, Tensor<long> Mask);

/// <summary>The autoregressive model: what else a picture of the caption could have, as discrete tokens (section 3.2).</summary>
internal sealed class LatentModel : IDisposable
{
    private readonly Network _encoder, _decoder;
    private readonly T5Config _config;
    private readonly KaleidoTokens _tokens;

    /// <summary>Builds encoder and decoder.</summary>
    public LatentModel(NetworkContext context, T5Config config, KaleidoTokens tokens)
    {
        (_config, _tokens) = (config, tokens);
        var (batch, words, length) = (Dim.Symbol("batch"), Dim.Symbol("words"), Dim.Symbol("length"));
        _encoder = Network.Build(context, "caption encoder", scope =>
            scope.Graph.Output("states", T5Encoder.Encode(scope, scope.Graph.Input("ids", ElementType.Int64, [batch, words]), config).LastHiddenState));
        _decoder = Network.Build(context, "latent decoder", scope =>
        {
            var g = scope.Graph;
            var (ids, states, mask) = (g.Input("ids", ElementType.Int64, [batch, length]), g.Input("states", [batch, words, config.DModel]), g.Input("mask", ElementType.Int64, [batch, words]));
            var h = T5Decoder.DecodeEmbeddings(scope, scope["shared"].Embedding(ids, config.VocabSize, config.DModel), states, mask, config);
            g.Output("hidden", h);
            g.Output("logits", T5Decoder.Project(scope, h, config));
        });
    }

    /// <summary>Features of captions. ids (B, L) -> (B, L, D).</summary>
    public async Task<Tensor<float>> EncodeAsync(Tensor<long> ids, CancellationToken cancel) => (await _encoder.RunAsync(cancel, ("ids", ids)).ConfigureAwait(false))["states"];

    /// <summary>Latents of captions, token by token; <paramref name="pick"/> takes row, place and scores. Ends when all rows have ended.</summary>
    public async Task<Latents> SampleAsync(Tensor<float> captions, int most, bool ends, Func<int, int, float[], long> pick, CancellationToken cancel)
    {
        var rows = Enumerable.Range(0, (int)captions.Shape[0]).Select(_ => new List<long>()).ToArray();
        for (var place = 0; place < most && !rows.All(row => row.Contains(_tokens.EosTokenId)); place++)
        {
            var (_, logits) = await DecodeAsync(captions, rows, cancel).ConfigureAwait(false);
            for (var b = 0; b < rows.Length; b++)
            {
                var scores = logits.Span.Slice((b * (place + 1) + place) * (int)_config.VocabSize, (int)_config.VocabSize).ToArray();
                if (!ends) scores[_tokens.EosTokenId] = float.NegativeInfinity;
                rows[b].Add(rows[b].Contains(_tokens.EosTokenId) ? _tokens.PadTokenId : pick(b, place, scores));
            }
        }

        return await OfAsync(captions, Tensor.Create<long>([.. rows.SelectMany(row => row)], rows.Length, rows[0].Count), cancel).ConfigureAwait(false);
    }

    /// <summary>States of given latents: each row is computed with its own id fed in.</summary>
    public async Task<Latents> OfAsync(Tensor<float> captions, Tensor<long> ids, CancellationToken cancel)
    {
        var (batch, count, width, vocabulary) = ((int)ids.Shape[0], (int)ids.Shape[1], (int)_config.DModel, (int)_config.VocabSize);
        var (hidden, logits) = await DecodeAsync(captions, [.. Enumerable.Range(0, batch).Select(b => ids.Span.Slice(b * count, count).ToArray().ToList())], cancel).ConfigureAwait(false);
        var result = new Latents(ids, Tensor.Zeros<float>(batch, count, width), Tensor.Zeros<float>(batch, count, vocabulary), Tensor.Zeros<long>(batch, count));
        for (var b = 0; b < batch; b++)
        {
            hidden.Span.Slice((b * (count + 1) + 1) * width, count * width).CopyTo(result.States.Span[(b * count * width)..]);
            logits.Span.Slice(b * (count + 1) * vocabulary, count * vocabulary).CopyTo(result.Logits.Span[(b * count * vocabulary)..]);
            var row = ids.Span.Slice(b * count, count);
            result.Mask.Span.Slice(b * count, row.IndexOf(_tokens.EosTokenId) is >= 0 and var end ? end + 1 : count).Fill(1);
        }

        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _encoder.Dispose();
        _decoder.Dispose();
    }

    private async Task<(Tensor<float> Hidden, Tensor<float> Logits)> DecodeAsync(Tensor<float> captions, IReadOnlyList<List<long>> rows, CancellationToken cancel)
    {
        var ids = Tensor.Create<long>([.. rows.SelectMany(row => row.Prepend(_tokens.DecoderStartTokenId))], rows.Count, rows[0].Count + 1);
        var mask = Tensor.Zeros<long>(captions.Shape[0], captions.Shape[1]);
        mask.Span.Fill(1);
        var outputs = await _decoder.RunAsync(cancel, ("ids", ids), ("states", captions), ("mask", mask)).ConfigureAwait(false);
        return (outputs["hidden"], outputs["logits"]);
    }
}

/// <summary>Kaleido: latents of the caption are sampled before the picture is.</summary>
public static class KaleidoModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/kaleido",
            Paper = "Kaleido Diffusion: Improving Conditional Diffusion Models with Autoregressive Latent Modeling",
            ArXiv = "2405.21048",
            Authors = ["Jiatao Gu", "Ying Shen", "Shuangfei Zhai", "Yizhe Zhang", "Navdeep Jaitly", "Joshua M. Susskind"],
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["by specification: model.safetensors (ar.*, unet.*) + config.json, alone or with tokenizer (T5) beside it"],
        },
        OpenAsync);

    /// <summary>Name of the input that tells which rows of a condition are seen.</summary>
    internal const string Mask = "condition_mask";

    private static readonly KeyMap LatentNames = new((@"^unet\.", null), (@"^ar\.", "")), UNetNames = new((@"^ar\.", null), (@"^unet\.", ""));

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var (t5, tokens, unet) = (PublishedConfig.Read<T5Config>(folder, "ar").Value, PublishedConfig.Read<KaleidoTokens>(folder, "ar").Value, PublishedConfig.Read<UNetConfig>(folder, "unet").Value);
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var latents = new LatentModel(NetworkContext.Of(source, LatentNames.Apply(checkpoint)) with { Stages = false }, t5, tokens);
            var denoiser = new UNet.UNet(NetworkContext.Of(source, UNetNames.Apply(checkpoint)) with { Stages = false }, unet, Masked);
            var calls = new KaleidoCalls(latents, denoiser);
            return PublishedModel.Generating([checkpoint], [latents, denoiser], calls.CallAsync, KaleidoPipeline.Open(new(source), latents, calls, unet));
        });
    }

    private static UNetHooks Masked(Scope scope, int height, int width)
    {
        var bias = AttentionMasks.Padding(scope.Graph.Input(Mask, [Dim.Symbol("batch"), Dim.Symbol("tokens")]));
        return new() { Attention = (attn, x, context, heads) => attn.DiffusersAttention(x, heads, context, context is null ? null : bias) };
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class KaleidoCalls(LatentModel latents, UNet.UNet unet)
{
    // How many rows of a condition are the caption's: of the last call that made latents.
    private int _captionLength;

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "latents" => LatentsAsync(arguments, cancel),
        "denoise" => DenoiseAsync(arguments, cancel),
        "sample" => SampleAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "latents, denoise, sample"),
    };

    private async Task<CallResults> LatentsAsync(CallArguments arguments, CancellationToken cancel)
    {
        var captions = await latents.EncodeAsync(arguments.Tensor<long>("caption_ids"), cancel).ConfigureAwait(false);
        _captionLength = (int)captions.Shape[1];
        var (greedy, temperature, draws) = (arguments.Literal("greedy", true), arguments.Literal("temperature", 1f), arguments.FindTensor<float>("uniforms"));
        var made = await latents.SampleAsync(captions, arguments.Literal<int>("max_latents"), !arguments.Literal("no_eos", false), Pick, cancel).ConfigureAwait(false);
        return new CallResults().Add("caption_features", captions).Add("latent_logits", made.Logits).Add("latent_ids", made.Ids).Add("latent_states", made.States);

        long Pick(int row, int place, float[] scores)
        {
            if (greedy) return System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(scores);
            return Categorical.Draw(scores, temperature, (draws ?? throw Calls.Lacks("uniforms"))[row, place]).Id;
        }
    }

    private async Task<CallResults> DenoiseAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, t, condition) = (arguments.Tensor<float>("x"), arguments.Tensor("t"), arguments.Tensor<float>("condition"));
        return new CallResults().Add("epsilon", await NoiseAsync(x, t, Whole(condition), cancel).ConfigureAwait(false))
            .Add("epsilon_base", await NoiseAsync(x, t, Whole(Rows(condition, _captionLength)), cancel).ConfigureAwait(false));
    }

    // DDIM without noise over evenly spaced steps; guidance away from the empty caption without latents.
    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var captions = await latents.EncodeAsync(arguments.Tensor<long>("caption_ids"), cancel).ConfigureAwait(false);
        var condition = arguments.Has("latent_ids") ? Append(captions, await latents.OfAsync(captions, arguments.Tensor<long>("latent_ids"), cancel).ConfigureAwait(false)) : Whole(captions);
        var scale = arguments.Literal("cfg_scale", 1.0);
        var empty = scale == 1 ? null : Whole(await latents.EncodeAsync(arguments.Tensor<long>("empty_ids"), cancel).ConfigureAwait(false));
        var scheduler = Scheduler.Config.Create();
        scheduler.SetTimesteps(new(arguments.Literal<int>("steps")));
        var (sample, guided) = (Batch.Copy(arguments.Tensor<float>("noise")), new List<Tensor<float>>());
        await foreach (var _ in SchedulerLoop.RunAsync(scheduler, sample, NoNoise.Instance, PredictAsync, cancel: cancel).ConfigureAwait(false)) { }
        return new CallResults().Add("guided_epsilon", Batch.Stack(guided)).Add("image", sample);

        async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep)
        {
            var t = Batch.Filled(1, timestep);
            var noise = await NoiseAsync(x, t, condition, cancel).ConfigureAwait(false);
            if (empty is not null) noise = Guidance.Combine(Batch.Concat(noise, await NoiseAsync(x, t, empty, cancel).ConfigureAwait(false)), scale);
            guided.Add(noise);
            return noise;
        }
    }

    /// <summary>DDIM along the cosine schedule, without clipping.</summary>
    public static PublishedScheduler Scheduler { get; } = new("""{"_class_name": "DDIMScheduler", "beta_schedule": "squaredcos_cap_v2", "clip_sample": false, "timestep_spacing": "leading", "set_alpha_to_one": true, "steps_offset": 0}""", "scheduler_config.json");

    /// <summary>The noise in samples (B, C, H, W), told the rows of a condition that its mask shows.</summary>
    public async Task<Tensor<float>> NoiseAsync(Tensor<float> x, Tensor t, EncodedPrompt condition, CancellationToken cancel) =>
        (await unet.RunAsync(x, t, condition.Tokens, null, cancel, (KaleidoModel.Mask, condition.Mask)).ConfigureAwait(false))["noise"];

    /// <summary>Caption, then latents; those after the end are not seen.</summary>
    public static EncodedPrompt Append(Tensor<float> captions, Latents made)
    {
        var (batch, width, words, count) = ((int)captions.Shape[0], (int)captions.Shape[2], (int)captions.Shape[1], (int)made.States.Shape[1]);
        var (tokens, mask) = (Tensor.Zeros<float>(batch, words + count, width), Batch.Filled((long)batch * (words + count), 1).Reshape(batch, words + count));
        for (var b = 0; b < batch; b++)
        {
            captions.Slice(b).Span.CopyTo(tokens.Slice(b).Span);
            made.States.Slice(b).Span.CopyTo(tokens.Slice(b).Span[(words * width)..]);
            for (var i = 0; i < count; i++) mask[b, words + i] = made.Mask[b, i];
        }

        return new(tokens, mask);
    }

    /// <summary>A condition of which all rows are seen.</summary>
    public static EncodedPrompt Whole(Tensor<float> tokens) => new(tokens, Batch.Filled(tokens.Shape[0] * tokens.Shape[1], 1).Reshape(tokens.Shape[0], tokens.Shape[1]));

    private static Tensor<float> Rows(Tensor<float> condition, int count)
    {
        var result = Tensor.Zeros<float>(condition.Shape[0], count, condition.Shape[2]);
        for (var b = 0; b < result.Shape[0]; b++) condition.Slice(b).Span[..(count * (int)condition.Shape[2])].CopyTo(result.Slice(b).Span);
        return result;
    }
}
