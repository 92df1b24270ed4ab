using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.Speech;

/// <summary>Options of SALAD.</summary>
public sealed record SaladOptions : ModelOptions
{
    /// <summary>Steps of each frame's diffusion.</summary>
    [Description("Steps of each frame's diffusion: a number, or numbers for equal sections of the schedule such as 8,0.")]
    public string Steps { get; init; } = "20";

    /// <summary>Factor on the noise of every step.</summary>
    [Description("Factor on the noise of every step.")]
    [Range(0.0, 10.0)]
    public double Temperature { get; init; } = 1;

    /// <summary>Most frames; counts for text alone.</summary>
    [Description("Most frames that text may become; 25 are a second.")]
    [Range(1, 100000)]
    public int MaxFrames { get; init; } = 1000;

    /// <summary>Rounds of the variant that fills frames in any order.</summary>
    [Description("Rounds of the variant that fills frames in any order.")]
    [Range(1, 1000)]
    public int Rounds { get; init; } = 32;
}

/// <summary>Text or semantic tokens, and a voice, to the latents of a codec.</summary>
public sealed class SaladModel : IModel, IGenerate<NamedTensors, SaladOptions>, IReferenceCalls
{
    private readonly SaladConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly NetworkCache<bool> _states;
    private readonly Network _head, _semantic, _logits;

    private SaladModel(SaladConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _checkpoint) = (config, checkpoint);
        _states = new(begun => Network.Build(context, "salad transformer", scope => States(scope, begun, config)));
        _head = Network.Build(context, "salad head", scope =>
        {
            var rows = Dim.Symbol("rows");
            var (x, t) = (scope.Graph.Input("x", [rows, config.LatentDim]), scope.Graph.Input("t", ElementType.Int64, [rows]));
            scope.Graph.Output("head_output", SaladNetwork.Head(scope["diffloss.net"], x, t, scope.Graph.Input("condition", [rows, config.Width]), config));
        });
        _semantic = Network.Build(context, "salad tokens", scope => scope.Graph.Output("embedded", SaladNetwork.Semantic(scope, scope.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("rows")]), config)));
        _logits = Network.Build(context, "salad logits", scope => scope.Graph.Output("logits", scope["semantic_head"].Linear(scope.Graph.Input("h", [Dim.Symbol("rows"), config.Width]), config.SemanticVocab + 1)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/salad",
            Paper = "Continuous Speech Synthesis using per-token Latent Diffusion",
            ArXiv = "2410.16048",
            Authors = ["Arnon Turetzky", "Nimrod Shabtay", "Slava Shechtman", "David Haws", "Hagai Aronowitz", "Ron Hoory", "Avihu Dekel"],
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tensors],
            Layouts = ["config.json + model.safetensors"],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = Networks.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = Networks.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("variant", _config.Variant), new("latents", $"{_config.LatentDim}")],
    };

    private static SpacedDiffusion Diffusion(string steps) => new(steps, BetaSchedule.SquaredCosine);

    private IEnumerable<Network> Networks => [.. _states.Built, _head, _semantic, _logits];

    /// <summary>Tensors <c>text_ids</c> or <c>semantic_ids</c> (1, N), <c>prompt_semantic</c> (1, P) and <c>prompt_latents</c> (1, P, D) to <c>latents</c> (1, frames, D) and <c>semantic_ids</c>.</summary>
    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, SaladOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var given = prompt.Require<NamedTensors>().Values;
        Tensor<T> Need<T>(string name) where T : unmanaged => given.GetValueOrDefault(name)?.As<T>() ?? throw new MediaException(ErrorCodes.MediaUnsupported, "The prompt lacks a tensor.") { Expected = name, Found = string.Join(", ", given.Keys) };
        var voice = new Voice(Need<long>("prompt_semantic"), Need<float>("prompt_latents"));
        var source = Need<long>(_config.Variant == "t2a" ? "text_ids" : "semantic_ids");
        var frames = _config.Variant == "t2a" ? options.MaxFrames : (int)source.Shape[1];
        var diffusion = Diffusion(options.Steps);
        var draws = new Draws(Noise.Normal(seed, frames, _config.LatentDim), Drawn(seed, 1, diffusion.Count, frames), diffusion, (float)options.Temperature);
        CallResults results;
        if (_config.Variant == "s2a-nar")
        {
            var order = Enumerable.Range(0, frames).OrderBy(frame => Philox.Of(seed, frame, 2).Uniform(0)).ToArray();
            results = await FillAsync(source, voice, order, options.Rounds, draws, cancel).ConfigureAwait(false);
        }
        else results = await ContinueAsync(source, voice, draws, null, cancel).ConfigureAwait(false);

        yield return Generation<NamedTensors>.Final(new(new Dictionary<string, Tensor> { ["latents"] = results.Tensor("latents"), ["semantic_ids"] = results.Find("semantic_ids") as Tensor ?? source }), 1);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        SpacedDiffusion Steps() => Diffusion(arguments.Json("steps").ToString());
        float Temperature() => (float)arguments.Literal("temperature", 1.0);
        switch (call)
        {
            case "diffusion_head":
                return (await _head.RunAsync(cancel, ("x", arguments.Tensor("x")), ("t", arguments.Tensor("t")), ("condition", arguments.Tensor("condition"))).ConfigureAwait(false)).ToResults();
            case "head_sample":
                var noise = arguments.Tensor<float>("noise");
                var draws = new Draws(noise, arguments.Tensor<float>("step_noise"), Steps(), Temperature());
                return new CallResults().Add("head_sample", await DenoiseAsync([.. Enumerable.Range(0, (int)noise.Shape[0])], arguments.Tensor<float>("condition"), draws, cancel).ConfigureAwait(false));
            case "head_step":
                var index = arguments.Literal<int>("index");
                var step = await StepAsync(Steps(), index, arguments.Tensor<float>("x"), arguments.Tensor<float>("condition"), arguments.Tensor<float>("noise"), Temperature(), cancel).ConfigureAwait(false);
                return new CallResults().Add($"head_step_{index}", step);
            case "forward":
                return (await StatesAsync(Source(arguments), Given(arguments), [], [], cancel).ConfigureAwait(false)).ToResults();
            case "generate":
                var all = new Draws(arguments.Tensor<float>("noise"), arguments.Tensor<float>("step_noise"), Steps(), Temperature());
                if (_config.Variant == "s2a-nar")
                    return await FillAsync(Source(arguments), Given(arguments), [.. arguments.Tensor<long>("order").Span.ToArray().Select(frame => (int)frame)], arguments.Literal<int>("rounds"), all, cancel).ConfigureAwait(false);
                var uniforms = _config.Variant == "t2a" && !arguments.Literal("greedy", true) ? arguments.Tensor<float>("uniforms") : null;
                return await ContinueAsync(Source(arguments), Given(arguments), all, uniforms, cancel).ConfigureAwait(false);
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"SALAD has no call '{call}'.") { Expected = "diffusion_head, head_sample, head_step, forward, generate" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<SaladConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new SaladModel(config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    // The sequence of the variant; "begun" is false before the first frame.
    private static void States(Scope scope, bool begun, SaladConfig config)
    {
        var g = scope.Graph;
        Value Ids(string name, Dim count) => g.Input(name, ElementType.Int64, [1, count]);
        var (source, prompt, frames) = (Dim.Symbol("source"), Dim.Symbol("prompt"), Dim.Symbol("frames"));
        var (ids, voice) = (Ids("source", source), SaladNetwork.Frames(scope, Ids("prompt_semantic", prompt), g.Input("prompt_latents", [1, prompt, config.LatentDim]), config));
        if (config.Variant == "s2a-nar")
        {
            var (latents, known) = (g.Input("latents", [1, source, config.LatentDim]), g.Input("known", [1, source]).Unsqueeze(-1));
            var filled = SaladNetwork.Latent(scope, latents, config) * known + scope.Weight("mask", 1, config.Width) * (1 - known);
            var h = SaladNetwork.Transformer(scope, ValueShape.Concat(1, voice, SaladNetwork.Semantic(scope, ids, config) + filled), config);
            g.Output("hidden", h.Last(1, source));
            return;
        }

        var begin = scope.Weight("bos", 1, config.Width).Unsqueeze(0);
        var head = config.Variant == "t2a"
            ? ValueShape.Concat(1, scope["text_embed"].Embedding(ids, config.TextVocab, config.Width), voice, begin)
            : ValueShape.Concat(1, voice, SaladNetwork.Semantic(scope, ids, config), begin);
        if (begun)
        {
            var latents = g.Input("latents", [1, frames, config.LatentDim]);
            head = ValueShape.Concat(1, head, config.Variant == "t2a" ? SaladNetwork.Frames(scope, Ids("semantic_ids", frames), latents, config) : SaladNetwork.Latent(scope, latents, config));
        }

        g.Output("hidden", SaladNetwork.Transformer(scope, head, config));
    }

    private sealed record Voice(Tensor<long> Semantic, Tensor<float> Latents);

    // x_T (frames, D) and the noise of every step (steps, frames, D).
    private sealed record Draws(Tensor<float> Start, Tensor<float> Steps, SpacedDiffusion Diffusion, float Temperature);

    private static Voice Given(CallArguments arguments) => new(arguments.Tensor<long>("prompt_semantic"), arguments.Tensor<float>("prompt_latents"));

    private Tensor<long> Source(CallArguments arguments) => arguments.Tensor<long>(_config.Variant == "t2a" ? "text_ids" : "semantic_ids");

    // Causal variants: the frames so far. The other one: all latents, ids telling which are known.
    private Task<NetworkOutputs> StatesAsync(Tensor<long> source, Voice voice, IReadOnlyList<long> ids, IReadOnlyList<float[]?> latents, CancellationToken cancel)
    {
        var inputs = new List<(string, Tensor)> { ("source", source), ("prompt_semantic", voice.Semantic), ("prompt_latents", voice.Latents) };
        var wide = _config.LatentDim;
        if (_config.Variant == "s2a-nar")
        {
            var (all, known) = (Tensor.Zeros<float>(1, source.Shape[1], wide), Tensor.Zeros<float>(1, source.Shape[1]));
            for (var frame = 0; frame < latents.Count; frame++)
            {
                if (latents[frame] is not { } latent) continue;
                latent.CopyTo(all.Span[(frame * wide)..]);
                known.Span[frame] = 1;
            }

            inputs.AddRange([("latents", all), ("known", known)]);
        }
        else if (latents.Count > 0)
        {
            inputs.Add(("latents", Tensor.Create([.. latents.SelectMany(latent => latent!)], 1, latents.Count, wide)));
            if (_config.Variant == "t2a") inputs.Add(("semantic_ids", Tensor.Create([.. ids], 1, ids.Count)));
        }

        return _states[_config.Variant != "s2a-nar" && latents.Count > 0].RunAsync(cancel, [.. inputs]);
    }

    // Frame by frame: the semantic token first (read or drawn), then the latent.
    private async Task<CallResults> ContinueAsync(Tensor<long> source, Voice voice, Draws draws, Tensor<float>? uniforms, CancellationToken cancel)
    {
        var (ids, latents, logits, reads) = (new List<long>(), new List<float[]>(), new List<float>(), _config.Variant == "t2a");
        var most = reads ? (int)draws.Start.Shape[0] : (int)source.Shape[1];
        // The last frame is made from the state before it, so it needs no place of its own.
        var room = _config.MaxLength - (int)(source.Shape[1] + voice.Semantic.Shape[1]);
        if (room < (reads ? 1 : most)) throw new MediaException(ErrorCodes.MediaUnsupported, "The prompt is too long for the model.") { Expected = $"at most {_config.MaxLength} places", Found = $"{source.Shape[1] + voice.Semantic.Shape[1] + (reads ? 1 : most)}" };
        most = Math.Min(most, room);
        while (latents.Count < most)
        {
            var hidden = (await StatesAsync(source, voice, ids, latents, cancel).ConfigureAwait(false))["hidden"];
            var state = Tensor.Create(hidden.Span[^_config.Width..].ToArray(), 1, _config.Width);
            var id = reads ? 0 : source.Span[latents.Count];
            if (reads)
            {
                var row = (await _logits.RunAsync(cancel, ("h", state)).ConfigureAwait(false))["logits"];
                logits.AddRange(row.Span);
                id = uniforms is null ? System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(row.Span) : Categorical.Draw(row.Span, 1, uniforms.Span[latents.Count]).Id;
                if (id == _config.SemanticVocab) break;
            }

            ids.Add(id);
            var latent = await DenoiseAsync([latents.Count], await ConditionAsync(state, [id], cancel).ConfigureAwait(false), draws, cancel).ConfigureAwait(false);
            latents.Add(latent.Span.ToArray());
        }

        var results = new CallResults();
        if (reads) results.Add("semantic_logits", Tensor.Create([.. logits], 1, logits.Count / (_config.SemanticVocab + 1), _config.SemanticVocab + 1)).Add("semantic_ids", Tensor.Create([.. ids], 1, ids.Count));
        return results.Add("latents", Tensor.Create([.. latents.SelectMany(latent => latent)], 1, latents.Count, _config.LatentDim));
    }

    // Rounds: unknown frames are floor(n cos(pi / 2 (r + 1) / rounds)), none at the end; frames become known in the given order.
    private async Task<CallResults> FillAsync(Tensor<long> ids, Voice voice, int[] order, int rounds, Draws draws, CancellationToken cancel)
    {
        var (frames, latents, counts) = ((int)ids.Shape[1], new float[]?[ids.Shape[1]], new List<long>());
        for (var (round, known) = (0, 0); round < rounds; round++)
        {
            var until = round == rounds - 1 ? frames : Math.Max(known, frames - (int)Math.Floor(frames * Math.Cos(Math.PI / 2 * (round + 1) / rounds)));
            var now = order[known..until];
            counts.Add(now.Length);
            known = until;
            if (now.Length == 0) continue;
            var hidden = (await StatesAsync(ids, voice, [], latents, cancel).ConfigureAwait(false))["hidden"].Slice(0);
            var states = Tensor.Create([.. now.SelectMany(frame => hidden.Slice(frame).Span.ToArray())], now.Length, _config.Width);
            var denoised = await DenoiseAsync(now, await ConditionAsync(states, [.. now.Select(frame => ids.Span[frame])], cancel).ConfigureAwait(false), draws, cancel).ConfigureAwait(false);
            for (var i = 0; i < now.Length; i++) latents[now[i]] = denoised.Slice(i).Span.ToArray();
        }

        return new CallResults().Add("frames_per_round", Tensor.Create([.. counts], rounds)).Add("latents", Tensor.Create([.. latents.SelectMany(latent => latent!)], 1, frames, _config.LatentDim));
    }

    // h + semantic_embed(s).
    private async Task<Tensor<float>> ConditionAsync(Tensor<float> states, long[] ids, CancellationToken cancel)
    {
        var embedded = (await _semantic.RunAsync(cancel, ("ids", Tensor.Create(ids, ids.Length))).ConfigureAwait(false))["embedded"];
        var condition = Tensor.Zeros<float>(states.Shape);
        System.Numerics.Tensors.TensorPrimitives.Add<float>(states.Span, embedded.Span, condition.Span);
        return condition;
    }

    private async Task<Tensor<float>> DenoiseAsync(int[] frames, Tensor<float> condition, Draws draws, CancellationToken cancel)
    {
        Tensor<float> Rows(Tensor<float> all) => Tensor.Create([.. frames.SelectMany(frame => all.Slice(frame).Span.ToArray())], frames.Length, _config.LatentDim);
        var x = Rows(draws.Start);
        for (var step = draws.Diffusion.Count - 1; step >= 0; step--) x = await StepAsync(draws.Diffusion, step, x, condition, Rows(draws.Steps.Slice(step)), draws.Temperature, cancel).ConfigureAwait(false);
        return x;
    }

    // Cosine betas; the head gives noise and variance (N, 2 D).
    private async Task<Tensor<float>> StepAsync(SpacedDiffusion diffusion, int step, Tensor<float> x, Tensor<float> condition, Tensor<float> noise, float temperature, CancellationToken cancel)
    {
        var (predicted, next) = (await HeadAsync(x, diffusion.Timesteps[step], condition, cancel).ConfigureAwait(false), Tensor.Create(x.Span.ToArray(), x.Shape));
        for (var row = 0; row < next.Shape[0]; row++)
        {
            var both = predicted.Slice(row).Span;
            diffusion.Step(step, both[.._config.LatentDim], both[_config.LatentDim..], next.Slice(row).Span, noise.Slice(row).Span, temperature);
        }

        return next;
    }

    private async Task<Tensor<float>> HeadAsync(Tensor<float> x, long time, Tensor<float> condition, CancellationToken cancel)
    {
        var times = new long[x.Shape[0]];
        Array.Fill(times, time);
        return (await _head.RunAsync(cancel, ("x", x), ("t", Tensor.Create(times, times.Length)), ("condition", condition)).ConfigureAwait(false))["head_output"];
    }

    private Tensor<float> Drawn(ulong seed, int draw, int steps, int frames)
    {
        var noise = Tensor.Zeros<float>(steps, frames, _config.LatentDim);
        for (var step = 0; step < steps; step++)
        {
            for (var frame = 0; frame < frames; frame++) Philox.Of(seed, frame, draw + 2 + step).FillNormal(noise.Slice(step).Slice(frame).Span);
        }

        return noise;
    }
}
