using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;

/// <summary>The state of one sampling: the prompt, which the first steps change, and a sample for each thing alone.</summary>
internal sealed class BindingRun
{
    private const float TokenStep = 10000;

    private readonly UNet.UNet _unet;
    private readonly BindingLosses _losses;
    private readonly BindingOptions _options;
    private readonly CancellationToken _cancel;
    private readonly AddedConditions _added, _unpooled;
    private readonly Tensor<float> _avoided, _merged;
    private readonly int[] _nouns;
    private readonly List<Anchor> _anchors;
    private readonly float _scale, _rescale;
    private readonly int _steps;

    private readonly List<Tensor<float>> _tokens = [], _latents = [], _texts = [];
    private readonly List<float> _entropies = [];
    private Tensor<float>? _afterEot;

    // What is avoided and what is asked for, (2, M, E).
    private Tensor<float> _text;
    private int _step;

    /// <summary>Reads a call's arguments.</summary>
    /// <param name="scheduler">A scheduler at the start of the run, for each thing's own sample.</param>
    public BindingRun(UNet.UNet unet, BindingLosses losses, CallArguments arguments, Func<IScheduler> scheduler, CancellationToken cancel)
    {
        (_unet, _losses, _cancel, _options) = (unet, losses, cancel, BindingOptions.Of(arguments));
        (_scale, _rescale, _steps) = (arguments.Literal("guidance_scale", 5f), arguments.Literal("guidance_rescale", 0f), scheduler().Timesteps.Length);
        var (pooled, sizes) = (arguments.Tensor<float>("pooled"), arguments.Tensor<float>("time_ids"));
        _added = new(pooled, sizes);
        _unpooled = new(Tensor.Zeros<float>(1, pooled.Shape[1]), Batch.SecondHalf(sizes));
        (_avoided, _merged) = (arguments.Tensor<float>("negative_prompt_embeds"), arguments.Tensor<float>("merged_prompt_embeds"));
        var (prompt, prompts, latents) = (arguments.Tensor<float>("prompt_embeds"), arguments.Tensor<float>("anchor_prompt_embeds"), arguments.Tensor<float>("latents"));
        _text = Batch.Concat(_avoided, _options.TokenRefinements > 0 ? Prompts.Merge(prompt, _options.Groups) : prompt);
        _nouns = [.. _options.Groups.Select(group => group[0][0])];
        _anchors = [.. Enumerable.Range(0, (int)prompts.Shape[0]).Select(i => new Anchor(_nouns[i], Batch.Range(prompts, i, i + 1), scheduler(), latents))];
    }

    /// <summary>Whether any step refines anything.</summary>
    public bool Updates => _options.TokenSteps > 0 || _options.AttentionSteps > 0;

    /// <summary>What the steps so far have changed.</summary>
    public CallResults Results
    {
        get
        {
            var results = new CallResults();
            if (_afterEot is not null) results.Add("embeds_after_eot", _afterEot);
            if (_tokens.Count > 0) results.Add("refined_tokens", Batch.Stack(_tokens));
            if (_latents.Count == 0) return results;
            return results.Add("entropy_loss", Tensor.Create<float>([.. _entropies], _entropies.Count)).Add("refined_latents", Batch.Concat([.. _latents])).Add("refined_embeds", Batch.Stack(_texts));
        }
    }

    /// <summary>The guided prediction for a scaled sample (1, C, H, W), once this step's refinements are done.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float timestep)
    {
        var step = _step++;
        if (step == _options.EotReplaceStep) ReplaceEndOfText();
        if (step < _options.TokenSteps)
        {
            foreach (var anchor in _anchors) await BindAsync(anchor, timestep).ConfigureAwait(false);
        }

        if (step < _options.AttentionSteps) sample = await RefineAsync(sample, timestep, step).ConfigureAwait(false);
        var noise = (await _unet.RunAsync(Batch.Doubled(sample), Batch.Filled(1, timestep), _text, _added, _cancel).ConfigureAwait(false))["noise"];
        return Guide(Batch.FirstHalf(noise), Batch.SecondHalf(noise), _scale);
    }

    private void ReplaceEndOfText()
    {
        var (asked, start) = (Batch.SecondHalf(_text), (_options.PromptLength + 1) * (int)_text.Shape[^1]);
        _merged.Span[start..asked.Length].CopyTo(asked.Span[start..]);
        _afterEot = Batch.Copy(asked);
    }

    // A thing's token alone shall predict what its own prompt predicts (equation 4). The thing's sample then moves on, away from the prompt, as published; it stays scaled from step to step.
    private async Task BindAsync(Anchor anchor, float timestep)
    {
        var sample = anchor.Scaled();
        var target = await NoiseAsync(sample, timestep, anchor.Prompt).ConfigureAwait(false);
        var place = Prompts.Token(Batch.SecondHalf(_text), anchor.Position);
        var token = Batch.Copy(place);
        for (var i = 0; i < Math.Max(_options.TokenRefinements, 1); i++)
        {
            var gradient = await _losses.SemanticGradientAsync(sample, timestep, token, target, _unpooled, _cancel).ConfigureAwait(false);
            token = Batch.AddScaled(token, -TokenStep, gradient);
        }

        token.Span.CopyTo(place.Span);
        _tokens.Add(new(token.Memory, [token.Length]));
        var nothing = await NoiseAsync(sample, timestep, _avoided).ConfigureAwait(false);
        anchor.Advance(Guide(nothing, target, -_scale), sample);
    }

    // Sample and text follow the entropy's gradients until it is low enough (equation 5).
    private async Task<Tensor<float>> RefineAsync(Tensor<float> sample, float timestep, int step)
    {
        var (size, threshold, most, loss) = (_options.StepSize(step, _steps), _options.Threshold(step), _options.MostRefinements(timestep), double.PositiveInfinity);
        for (var i = 0; i < Math.Max(most, 1) && !(loss < threshold); i++)
        {
            var (entropy, ofSample, ofText) = await _losses.EntropyAsync(sample, timestep, Batch.SecondHalf(_text), _nouns, _options.PromptLength, _options.AttentionResolution, _unpooled, _cancel).ConfigureAwait(false);
            loss = entropy;
            sample = Batch.AddScaled(sample, (float)(-0.5 * size), ofSample);
            _text = Batch.Concat(_avoided, Batch.AddScaled(Batch.SecondHalf(_text), (float)-size, ofText));
        }

        _entropies.Add((float)loss);
        _latents.Add(sample);
        _texts.Add(Batch.Copy(_text));
        return sample;
    }

    private async Task<Tensor<float>> NoiseAsync(Tensor<float> sample, float timestep, Tensor<float> text) =>
        (await _unet.RunAsync(sample, Batch.Filled(1, timestep), text, _unpooled, _cancel).ConfigureAwait(false))["noise"];

    private Tensor<float> Guide(Tensor<float> avoided, Tensor<float> asked, float scale)
    {
        var result = Tensor.Zeros<float>(asked.Shape);
        new ClassifierFreeGuidance(scale) { Rescale = _rescale }.Apply(asked.Span, avoided.Span, SampleShape.Of(asked.Shape), 0, result.Span);
        return result;
    }

    /// <summary>A thing alone: where its token stands, its own prompt (1, M, E), and its own sample on its own way.</summary>
    private sealed class Anchor(int position, Tensor<float> prompt, IScheduler scheduler, Tensor<float> sample)
    {
        private Tensor<float> _sample = sample;

        public int Position => position;

        public Tensor<float> Prompt => prompt;

        public Tensor<float> Scaled()
        {
            var scaled = Tensor.Zeros<float>(_sample.Shape);
            scheduler.ScaleModelInput(_sample.Span, scaled.Span);
            return scaled;
        }

        public void Advance(Tensor<float> noise, Tensor<float> from)
        {
            _sample = Batch.Copy(from);
            scheduler.Step(new(noise.Span, _sample.Span, SampleShape.Of(from.Shape), NoNoise.Instance));
        }
    }
}
