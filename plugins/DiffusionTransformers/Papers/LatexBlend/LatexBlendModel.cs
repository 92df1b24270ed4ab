// LatexBlend: Scaling Multi-concept Customized Generation with Latent Textual Blending. Jian Jin, Zhenbo Yu, Yang Shen, Zhenyong Fu, Jian Yang. arXiv:2503.06956. github.com/jinjianRick/latexblend
// Published layout: diffusers UNet2DConditionModel of SDXL and, beside it, delta-*.bin (a concept's own to_k and to_v, under unet) and concept_bank*.bin. Deviations: layout refinement and guidance by gradients are left out.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.LatexBlend;

/// <summary>A layer that attends to the text: its published path and its width.</summary>
internal sealed record CrossLayer(string Path, int Width)
{
    /// <summary>Name of the input that its keys are blended with.</summary>
    public string Keys => $"{Path}.keys";

    /// <summary>Name of the input that its values are blended with.</summary>
    public string Values => $"{Path}.values";

    /// <summary>The cross-attention layers of a checkpoint.</summary>
    public static IReadOnlyList<CrossLayer> Of(Checkpoint unet) =>
        [.. unet.Tensors.Where(tensor => tensor.Name.EndsWith(".attn2.to_k.weight", StringComparison.Ordinal)).Select(tensor => new CrossLayer(tensor.Name[..^".to_k.weight".Length], (int)tensor.Shape[0]))];
}

/// <summary>What a run puts in place of its own keys and values: rows for each layer, the tokens that take them in the conditional half, and which token's key each token has.</summary>
internal sealed class Blend
{
    private readonly Dictionary<string, Tensor<float>> _rows = [];
    private readonly IReadOnlyList<CrossLayer> _layers;
    private readonly int _tokens;
    private readonly HashSet<int> _replaced = [];
    private readonly long[] _keyOf;

    /// <summary>Nothing replaced, of so many tokens.</summary>
    public Blend(IReadOnlyList<CrossLayer> layers, int tokens)
    {
        (_layers, _tokens) = (layers, tokens);
        foreach (var layer in layers) (_rows[layer.Keys], _rows[layer.Values]) = (Tensor.Zeros<float>(tokens, layer.Width), Tensor.Zeros<float>(tokens, layer.Width));
        _keyOf = [.. Enumerable.Range(0, tokens).Select(i => (long)i)];
    }

    /// <summary>Puts rows of a concept (span, W) at a span.</summary>
    public void Replace(CrossLayer layer, int start, ReadOnlySpan<float> keys, ReadOnlySpan<float> values)
    {
        keys.CopyTo(_rows[layer.Keys].Span[(start * layer.Width)..]);
        values.CopyTo(_rows[layer.Values].Span[(start * layer.Width)..]);
        for (var i = 0; i < keys.Length / layer.Width; i++) _replaced.Add(start + i);
    }

    /// <summary>Gives a token the scores of another.</summary>
    public void Bind(int token, int other) => _keyOf[token] = _keyOf[other];

    /// <summary>The network's further inputs for a batch in which the conditional rows are from <paramref name="asked"/> up to <paramref name="end"/>, its second half when left out; a blend that is off replaces nothing.</summary>
    public (string, Tensor)[] Inputs(int batch, bool on, int? asked = null, int? end = null)
    {
        var mask = Tensor.Zeros<float>(batch, _tokens, 1);
        for (var b = asked ?? batch / 2; on && b < (end ?? batch); b++)
        {
            foreach (var token in _replaced) mask[b, token, 0] = 1;
        }

        return [("replaced", mask), ("key_of", Tensor.Create(_keyOf, _tokens)), .. _layers.SelectMany(layer => ((string, Tensor)[])[(layer.Keys, _rows[layer.Keys]), (layer.Values, _rows[layer.Values])])];
    }

    /// <summary>What changes in the U-Net: section 3.3.</summary>
    public static UNetHooks Hooks(Scope scope, IReadOnlyList<CrossLayer> layers)
    {
        var (g, tokens) = (scope.Graph, Dim.Symbol("tokens"));
        var (replaced, keyOf) = (g.Input("replaced", [Dim.Symbol("batch"), tokens, 1]).Cast(ElementType.Bool), g.Input("key_of", ElementType.Int64, [tokens]));
        var given = layers.ToDictionary(layer => layer.Path, layer => (Keys: g.Input(layer.Keys, [tokens, layer.Width]), Values: g.Input(layer.Values, [tokens, layer.Width])));
        return new() { Attention = (attn, x, text, heads) => text is null ? attn.DiffusersAttention(x, heads) : Blended(attn, x, text, heads) };

        Value Blended(Scope attn, Value x, Value text, long heads)
        {
            var (width, (keys, values)) = (x.Shape[-1].Size, given[attn.Path]);
            var k = replaced.Where(keys.Unsqueeze(0), attn["to_k"].Linear(text, width, bias: false)).Gather(keyOf, 1);
            var v = replaced.Where(values.Unsqueeze(0), attn["to_v"].Linear(text, width, bias: false));
            return attn["to_out.0"].Linear(AttentionLayers.Attention(attn["to_q"].Linear(x, width, bias: false), k, v, new() { Heads = heads }), width);
        }
    }
}

/// <summary>SDXL with concepts blended in as keys and values of their words.</summary>
public static class LatexBlendModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/latexblend",
            Paper = "LatexBlend: Scaling Multi-concept Customized Generation with Latent Textual Blending",
            ArXiv = "2503.06956",
            Authors = ["Jian Jin", "Zhenbo Yu", "Yang Shen", "Zhenyong Fu", "Jian Yang"],
            Repository = "jinjianRick/latexblend",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: UNet2DConditionModel, alone or in a pipeline's folder, + authors' delta-*.bin and concept_bank*.bin"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(source);
        var config = PublishedConfig.Read<UNetConfig>(pipeline.Denoiser("unet").RequireFolder()).Value;
        var scheduler = pipeline.Scheduler ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no scheduler.") { Where = pipeline.Root, Expected = "scheduler_config.json" };
        return Weights.Guarded(pipeline.Base("unet"), checkpoint =>
        {
            // The first change of weights is the concept that can be extracted; the banks are the concepts that can be blended.
            var delta = Directory.GetFiles(pipeline.Root, "delta*.bin").Order(StringComparer.Ordinal).Select(file => Checkpoint.Open(file, "unet")).FirstOrDefault();
            var banks = Directory.GetFiles(pipeline.Root, "concept_bank*.bin").Order(StringComparer.Ordinal).Select(file => Checkpoint.Open(file)).ToList();
            var calls = new LatexBlendCalls(NetworkContext.Of(source, checkpoint) with { Stages = false }, config, CrossLayer.Of(checkpoint), delta, banks, scheduler.Config);
            var words = pipeline.Find("tokenizer") is { } tokenizer ? ClipWords.Open(tokenizer) : null;
            var generator = words is null ? null : StableDiffusion.Of<BlendOptions>(pipeline, calls.UNet, run => calls.Begin(run.Prompt.Text ?? "", run.Guided, run.Options, words))?.Open(pipeline);
            return PublishedModel.Generating([checkpoint, .. delta is null ? [] : (Checkpoint[])[delta], .. banks], [calls], calls.CallAsync, generator);
        });
    }
}

/// <summary>Options of generation with blended concepts.</summary>
public sealed record BlendOptions : TextOptions
{
    /// <summary>The words of each concept.</summary>
    [Description("For each concept bank, in the order of the files, the words of the prompt that it takes the place of, as [\"sks dog\",\"red hat\"]; as many tokens as the bank has. Empty for none.")]
    public string[] Words { get; init; } = [];

    /// <summary>When blending begins.</summary>
    [Description("Share of the noise below which concepts are blended in; 1 for from the start."), Range(0.0, 1.0)]
    public double BlendingStart { get; init; } = 1;
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class LatexBlendCalls : IDisposable
{
    private readonly UNet.UNet _unet;
    private readonly IReadOnlyList<CrossLayer> _layers;
    private readonly Checkpoint? _delta;
    private readonly IReadOnlyList<Checkpoint> _banks;
    private readonly ISchedulerConfig _scheduler;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public LatexBlendCalls(NetworkContext context, UNetConfig config, IReadOnlyList<CrossLayer> layers, Checkpoint? delta, IReadOnlyList<Checkpoint> banks, ISchedulerConfig scheduler)
    {
        (_layers, _delta, _banks, _scheduler) = (layers, delta, banks, scheduler);
        _unet = new(context, config, (scope, _, _) => Blend.Hooks(scope, layers));
    }

    /// <summary>The U-Net, which takes a blend's inputs.</summary>
    public UNet.UNet UNet => _unet;

    /// <summary>What a run of a prompt blends in.</summary>
    /// <exception cref="OptionsException">The prompt does not have a concept's words, or the bank has another number of tokens.</exception>
    public UNetFurther Begin(string prompt, bool guided, BlendOptions options, ClipWords words)
    {
        const int Tokens = 77;
        var blend = new Blend(_layers, Tokens);
        var ids = words.Encode(prompt);
        for (var concept = 0; concept < options.Words.Length; concept++)
        {
            if (options.Words[concept].Length == 0) continue;
            if (concept >= _banks.Count) throw new OptionsException(ErrorCodes.OptionRange, "There are fewer concepts.") { Where = "words", Expected = $"at most {_banks.Count}", Found = $"{options.Words.Length}" };
            var span = words.Encode(options.Words[concept]);
            var rows = Rows(concept, _layers[0], "k").Shape[0];
            if (PromptWords.Find(ids, span) is not { } first || span.Count != rows || first + 1 + span.Count > Tokens) throw new OptionsException(ErrorCodes.OptionRange, "The concept does not fit its words.") { Where = "words", Expected = $"{rows} tokens of '{prompt}'", Found = $"'{options.Words[concept]}', {span.Count} tokens" };
            Put(blend, concept, first + 1);
        }

        // What is asked for comes first in a batch, and is all of it without guidance.
        return (batch, timestep) => blend.Inputs(batch, timestep / 1000 < options.BlendingStart, asked: 0, end: guided ? batch / 2 : batch);
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "extract_concept" => ExtractAsync(arguments, cancel),
        "forward" => ForwardAsync(arguments, cancel),
        "forward_blended" => ForwardBlendedAsync(arguments, cancel),
        "sample_blended" => SampleBlendedAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "extract_concept, forward, forward_blended, sample_blended"),
    };

    /// <inheritdoc/>
    public void Dispose() => _unet.Dispose();

    // A concept's own maps of its prompt's states, at the places of its words.
    private async Task<CallResults> ExtractAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (states, start, end) = (arguments.Tensor<float>("concept_encoder_hidden_states"), arguments.Literal<int>("start"), arguments.Literal<int>("end"));
        var blend = Nothing(arguments);
        var results = new CallResults();
        foreach (var layer in _layers)
        {
            var (keys, values) = (Map(layer, "to_k"), Map(layer, "to_v"));
            blend.Replace(layer, start, keys.Span, values.Span);
            results.Add($"bank.{layer.Path}.k", keys).Add($"bank.{layer.Path}.v", values);
        }

        return results.Add("noise_with_concept", await NoiseAsync(arguments, blend, true, cancel).ConfigureAwait(false));

        Tensor<float> Map(CrossLayer layer, string map)
        {
            var weight = WeightConversion.ToFloat32((_delta ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no concept to extract.") { Expected = "delta-*.bin" }).Get($"{layer.Path}.{map}.weight"));
            var (width, rows) = ((int)states.Shape[2], Tensor.Zeros<float>(end - start, layer.Width));
            for (var token = start; token < end; token++)
            {
                for (var i = 0; i < layer.Width; i++) rows[token - start, i] = System.Numerics.Tensors.TensorPrimitives.Dot(weight.Span<float>().Slice(i * width, width), states.Span.Slice(token * width, width));
            }

            return rows;
        }
    }

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel) =>
        new CallResults().Add("plain_noise", await NoiseAsync(arguments, Nothing(arguments), false, cancel).ConfigureAwait(false));

    private async Task<CallResults> ForwardBlendedAsync(CallArguments arguments, CancellationToken cancel)
    {
        var on = arguments.Literal<float>("timestep") / 1000 < arguments.Literal("blending_start", 1.0);
        return new CallResults().Add("blended_noise", await NoiseAsync(arguments, Blended(arguments), on, cancel).ConfigureAwait(false));
    }

    private async Task<CallResults> SampleBlendedAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (text, added, blend, from) = (arguments.Tensor<float>("encoder_hidden_states"), _unet.Added(arguments), Blended(arguments), arguments.Literal("blending_start", 1.0));
        var states = await GuidedLoop.RunAsync(_scheduler, arguments.Tensor<float>("latents"), arguments.Literal("num_inference_steps", 50), arguments.Literal("guidance_scale", 5.0), PredictAsync, cancel).ConfigureAwait(false);
        return new CallResults().Add("trajectory", Batch.Stack(states)).Add("sample", states[^1]);

        async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float timestep) =>
            (await _unet.RunAsync(sample, Batch.Filled(1, timestep), text, added, cancel, blend.Inputs((int)sample.Shape[0], timestep / 1000 < from)).ConfigureAwait(false))["noise"];
    }

    private async Task<Tensor<float>> NoiseAsync(CallArguments arguments, Blend blend, bool on, CancellationToken cancel)
    {
        var sample = arguments.Tensor<float>("sample");
        var outputs = await _unet.RunAsync(sample, Batch.Filled(1, arguments.Literal<float>("timestep")), arguments.Tensor<float>("encoder_hidden_states"), _unet.Added(arguments), cancel, blend.Inputs((int)sample.Shape[0], on)).ConfigureAwait(false);
        return outputs["noise"];
    }

    private void Put(Blend blend, int concept, int start)
    {
        foreach (var layer in _layers) blend.Replace(layer, start, Rows(concept, layer, "k").Span<float>(), Rows(concept, layer, "v").Span<float>());
    }

    private WeightData Rows(int concept, CrossLayer layer, string name) => WeightConversion.ToFloat32(_banks[concept].Get($"{layer.Path}.processor.{name}"));

    private Blend Nothing(CallArguments arguments) => new(_layers, (int)arguments.Tensor("encoder_hidden_states").Shape[1]);

    // spans: a start and an end for each bank; bind_dict: the token whose scores another takes.
    private Blend Blended(CallArguments arguments)
    {
        var blend = Nothing(arguments);
        var spans = arguments.Literal<int[][]>("spans");
        for (var concept = 0; concept < spans.Length; concept++) Put(blend, concept, spans[concept][0]);

        foreach (var (token, other) in arguments.Literal<Dictionary<string, int>>("bind_dict", [])) blend.Bind(int.Parse(token, System.Globalization.CultureInfo.InvariantCulture), other);
        return blend;
    }
}
