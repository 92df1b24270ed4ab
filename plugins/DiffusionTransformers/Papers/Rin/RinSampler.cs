using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Rin;

/// <summary>How a run goes.</summary>
/// <param name="Steps">Steps.</param>
/// <param name="Guidance">Share of the difference that a class makes which is added again; 0 for none.</param>
/// <param name="Shift">How much further than a step its end lies.</param>
/// <param name="Schedule">Share of the data over time.</param>
/// <param name="Rule">One step.</param>
internal sealed record RinRun(int Steps, float Guidance, float Shift, GammaSchedule Schedule, GammaStep Rule);

/// <summary>Section 3.3: latents (and tape) of a step start the next one.</summary>
/// <param name="network">The network.</param>
/// <param name="config">Its configuration.</param>
internal sealed class RinSampler(Network network, RinConfig config)
{
    /// <summary>For each step the data as predicted, and the state after it.</summary>
    /// <param name="x">Noise (B, C, H, W).</param>
    /// <param name="condition">Classes as rows of one 1 (B, classes); null for none.</param>
    /// <param name="run">How.</param>
    /// <param name="draws">Noise of each step, where the method has it.</param>
    /// <param name="cancel">Stops before the next step.</param>
    public async IAsyncEnumerable<(Tensor<float> Data, Tensor<float> State)> RunAsync(Tensor<float> x, Tensor<float>? condition, RinRun run, Func<int, Tensor<float>>? draws, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var latent = Tensor.Zeros<float>(x.Shape[0], config.LatentSlots, config.LatentDim);
        var tape = Tensor.Zeros<float>(x.Shape[0], config.Rows * config.Columns, config.TapeDim);
        for (var i = 0; i < run.Steps; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var (now, next) = (run.Schedule.At(1 - i / (float)run.Steps), run.Schedule.At(Math.Max(1 - (i + 1 + run.Shift) / run.Steps, 0)));
            var free = run.Guidance == 0 ? null : await PredictAsync(condition is null ? null : Tensor.Zeros<float>(condition.Shape)).ConfigureAwait(false);
            var results = await PredictAsync(condition).ConfigureAwait(false);
            var prediction = free is null ? results["noise"] : Batch.AddScaled(Batch.AddScaled(results["noise"], run.Guidance, results["noise"]), -run.Guidance, free["noise"]);
            (latent, tape) = (results["latent"], results["tape"]);
            (var data, x) = run.Rule.Step(x, prediction, now, next, draws?.Invoke(i));
            yield return (data, x);

            Task<NetworkOutputs> PredictAsync(Tensor<float>? classes)
            {
                var inputs = new List<(string, Tensor)> { ("x", x), ("gamma", Batch.Filled(x.Shape[0], now)) };
                if (config.CarriesLatents) inputs.Add(("latent_prev", latent));
                if (config.CarriesTape) inputs.Add(("tape_prev", tape));
                if (classes is not null) inputs.Add(("cond", classes));
                return network.RunAsync(cancel, [.. inputs]);
            }
        }
    }
}
